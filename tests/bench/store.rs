//! Compares commands on a store of many machines with a program that reads or deletes the same files, or with the same
//! command on a store of one machine. `cargo bench --bench store`, with `HOSTSEED_BENCH_MACHINES=10000` for the large
//! store.

mod pair;

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;

/// The default number of machines in the large store.
const MACHINES: usize = 1000;
/// Makes the first machine of a store.
const CREATE: [&str; 5] = ["create", "web1", "--address", "203.0.113.7", "--quiet"];
/// Files of a machine that have its name in them.
const NAMED: [&str; 3] = ["config.json", "machine.yaml", "env"];
/// Reads each `config.json`, as Docker Machine's `ls` does.
const READ_ALL: &str = r"find machines \( -name config.json -o -name server.pem \) -exec cat {} + | wc -c";

fn main() {
    if !pair::is_here("find") {
        return;
    }
    let machines = match std::env::var("HOSTSEED_BENCH_MACHINES") {
        Ok(number) => number.parse().expect("HOSTSEED_BENCH_MACHINES is a number"),
        Err(_) => MACHINES,
    };
    assert!(machines >= 200, "too few machines for the repetitions");
    let dir = tempfile::tempdir().unwrap();
    let (large, small) = (dir.path().join("large"), dir.path().join("small"));
    let spare = dir.path().join("spare");
    for store in [&large, &small, &spare] {
        assert!(hostseed(store, &CREATE).status().unwrap().success());
    }
    for n in 2..=machines {
        copy_machine(&large, &format!("web{n}"));
    }
    // This store is for the other program: after it has deleted machines, hostseed would read all of them once.
    for n in 2..=machines.min(200) {
        copy_machine(&spare, &format!("web{n}"));
    }
    println!("{machines} machines");
    let (next, next_spare) = (Cell::new(machines), Cell::new(machines.min(200)));
    let next_name = |next: &Cell<usize>| {
        next.set(next.get() - 1);
        format!("web{}", next.get() + 1)
    };
    let shell = |store: &Path, script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("cd '{}' && {script}", store.display())]);
        shell
    };

    pair::compare(
        ("hostseed ls", || hostseed(&large, &["ls"])),
        ("find and cat of config.json and server.pem", || shell(&large, READ_ALL)),
    );
    pair::compare(
        ("hostseed ls -q", || hostseed(&large, &["ls", "-q"])),
        ("ls machines", || shell(&large, "ls machines")),
    );
    pair::compare(
        ("hostseed rm NAME", || hostseed(&large, &["rm", "-y", &next_name(&next)])),
        ("rm -r of its folders", || {
            let name = next_name(&next_spare);
            shell(&spare, &format!("rm -r machines/{name} certs/{name}"))
        }),
    );
    for args in [&["env", "web1"][..], &["inspect", "web1"]] {
        let name = format!("hostseed {}", args.join(" "));
        pair::compare(
            (&name, || hostseed(&large, args)),
            ("the same, one machine", || hostseed(&small, args)),
        );
    }
    let created = Cell::new(0);
    let create = |store: &Path| {
        created.set(created.get() + 1);
        hostseed(store, &["create", &format!("new{}", created.get()), "--address", "203.0.113.7"])
    };
    pair::compare(
        ("hostseed create", || create(&large)),
        ("the same, one machine and those created before", || create(&small)),
    );
}

fn hostseed(store: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostseed"));
    command.args(args).env("MACHINE_STORAGE_PATH", store);
    command
}

/// Copies `web1` with its CA, with its name changed.
fn copy_machine(store: &Path, name: &str) {
    for folder in ["machines", "certs"] {
        let (from, to) = (store.join(folder).join("web1"), store.join(folder).join(name));
        fs::DirBuilder::new().mode(0o700).create(&to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let from = entry.unwrap().path();
            let file = from.file_name().unwrap();
            fs::copy(&from, to.join(file)).unwrap();
            if NAMED.iter().any(|named| file == *named) {
                let text = fs::read_to_string(&from).unwrap();
                fs::write(to.join(file), text.replace("web1", name)).unwrap();
            }
        }
    }
}
