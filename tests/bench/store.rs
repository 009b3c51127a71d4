//! Compares commands on a store of many machines with the same command on a store of one machine, and with a program that reads or
//! deletes the same files. `cargo bench --bench store`, with `HOSTSEED_BENCH_MACHINES=1000` for a smaller store.

#[expect(dead_code, reason = "shared by all benchmarks")]
mod table;

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;

use table::Row;

/// The default number of machines in the large store.
const MACHINES: usize = 10_000;
/// The number of machines in the store for the other program, and of those that are created and deleted.
const SPARE: usize = 100;
/// Makes the first machine of a store.
const CREATE: [&str; 5] = ["create", "web1", "--address", "203.0.113.7", "--quiet"];
/// Files of a machine that have its name in them.
const NAMED: [&str; 3] = ["config.json", "machine.yaml", "env"];
/// Reads each `config.json` and certificate, as Docker Machine's `ls` does.
const READ_ALL: &str = r"find machines \( -name config.json -o -name server.pem \) -exec cat {} + | wc -c";

fn main() {
    let machines = match std::env::var("HOSTSEED_BENCH_MACHINES") {
        Ok(number) => number.parse().expect("HOSTSEED_BENCH_MACHINES is a number"),
        Err(_) => MACHINES,
    };
    assert!(machines > 2 * SPARE, "too few machines for the repetitions");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = tempfile::tempdir_in(place).unwrap();
    let [large, small, spare] = ["large", "small", "spare"].map(|name| dir.path().join(name));
    for store in [&large, &small, &spare] {
        assert!(hostseed(store, &CREATE).status().unwrap().success());
    }
    copy_machine(&large, 2..=machines);
    // This store is for the other program: after it has deleted machines, hostseed would read all of them once.
    copy_machine(&spare, 2..=SPARE);
    // Stamps of files that changed a moment ago are not trusted.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let shell = |store: &Path, script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-euc", &format!("cd '{}' && {script}", store.display())]);
        shell
    };
    let both = |args: &'static [&'static str]| {
        let name = format!("hostseed {}", args.join(" "));
        let rows = vec![
            Row::new(format!("{name}, one machine"), || hostseed(&small, args)),
            Row::new(format!("{name}, {machines} machines"), || hostseed(&large, args)),
        ];
        table::compare(args[0], place, rows);
    };
    for args in [&["env", "web1", "--shell", "bash"][..], &["inspect", "web1"], &["render", "web1"]] {
        both(args);
    }
    table::compare(
        "ls",
        place,
        vec![
            Row::new(format!("hostseed ls, {machines} machines"), || hostseed(&large, &["ls"])),
            Row::new("the same without its index", || {
                let _ = fs::remove_file(large.join("hostseed.index"));
                hostseed(&large, &["ls"])
            }),
            Row::new("hostseed ls -q", || hostseed(&large, &["ls", "-q"])),
            Row::new("find and cat of config.json and server.pem", || shell(&large, READ_ALL)),
            Row::new("ls machines", || shell(&large, "ls machines")),
        ],
    );
    let (next, next_spare, created) = (Cell::new(machines), Cell::new(SPARE), Cell::new(0));
    let last = |next: &Cell<usize>| format!("web{}", next.replace(next.get() - 1));
    let new = || format!("new{}", created.replace(created.get() + 1));
    table::compare(
        "create and rm",
        place,
        vec![
            Row::new(format!("hostseed create, {machines} machines"), || {
                hostseed(&large, &["create", &new(), "--address", "203.0.113.7"])
            }),
            Row::new("hostseed create, one machine and those created before", || {
                hostseed(&small, &["create", &new(), "--address", "203.0.113.7"])
            }),
            Row::new(format!("hostseed rm, {machines} machines"), || {
                hostseed(&large, &["rm", "-y", &last(&next)])
            }),
            Row::new("rm -r of its folders", || {
                let name = last(&next_spare);
                shell(&spare, &format!("rm -r machines/{name} certs/{name}"))
            }),
        ],
    );
}

fn hostseed(store: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostseed"));
    command.args(args).env("MACHINE_STORAGE_PATH", store);
    command
}

/// Copies `web1` with its CA, with its name changed to `web` and each number.
fn copy_machine(store: &Path, numbers: std::ops::RangeInclusive<usize>) {
    for folder in ["machines", "certs"] {
        let from = store.join(folder).join("web1");
        let files: Vec<_> = fs::read_dir(&from)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let mode = std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions());
                (entry.file_name().into_string().unwrap(), mode, fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        for n in numbers.clone() {
            let name = format!("web{n}");
            let to = store.join(folder).join(&name);
            fs::DirBuilder::new().mode(0o700).create(&to).unwrap();
            for (file, mode, text) in &files {
                let text = match NAMED.contains(&file.as_str()) {
                    true => text.replace("web1", &name),
                    false => text.clone(),
                };
                let mut options = fs::File::options();
                let mut new = options.create_new(true).write(true).mode(*mode).open(to.join(file)).unwrap();
                std::io::Write::write_all(&mut new, text.as_bytes()).unwrap();
            }
        }
    }
}
