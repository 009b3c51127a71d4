//! What hostseed keeps in the store to be faster: whatever is done to it, commands do the same and never wait.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::interruption::may_trace;
use crate::support::{Home, run};

/// A store with a machine `a`, whose CA has signed for `b` too, and a machine `c`. Its lock file says so.
fn home_of_three() -> Home {
    let home = Home::new();
    for args in [&["a"][..], &["b", "--ca", ".docker/machine/certs/a"], &["c"]] {
        home.ok(&[&["create", "--quiet", "--address", "203.0.113.7"], args].concat());
    }
    home
}

fn lock(home: &Home) -> PathBuf {
    home.store().join("hostseed.lock")
}

/// The CA stays as long as a machine of its own does, and goes afterwards.
fn assert_ca_is_kept(home: &Home, other: &str) {
    let stderr = home.fails(1, &["rm", "-y", "a"]);
    assert!(stderr.contains(&format!("signs for `{other}` too")), "{stderr}");
    assert!(home.store().join("certs/a/ca-key.pem").exists());
}

#[test]
fn the_machines_of_a_ca_are_known_whatever_the_lock_file_says() {
    let home = home_of_three();
    let good = fs::read(lock(&home)).unwrap();
    assert!(!good.is_empty() && good.len() < 4096, "{good:?}");
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let huge = vec![b'x'; 17 << 20];
    for content in [&good[..], &good[..good.len() - 1], &changed, b"", b"{}", &[0; 200], &huge] {
        fs::write(lock(&home), content).unwrap();
        assert_ca_is_kept(&home, "b");
    }
    // Of another store, which has no such machine.
    let other = Home::new();
    other.ok(&["create", "a", "--quiet"]);
    fs::copy(lock(&other), lock(&home)).unwrap();
    assert_ca_is_kept(&home, "b");
    home.ok(&["rm", "-y", "b"]);
    home.ok(&["rm", "-y", "a"]);
    assert!(!home.store().join("certs/a").exists() && home.machine("c").exists());
}

#[test]
fn machines_that_came_and_went_by_other_hands_are_noticed() {
    let home = home_of_three();
    // `b` goes without hostseed.
    fs::rename(home.machine("b"), home.path().join("b")).unwrap();
    home.ok(&["create", "d", "--quiet"]);
    // And comes back under another name.
    fs::rename(home.path().join("b"), home.machine("e")).unwrap();
    let plan = home.machine("e").join("machine.yaml");
    fs::write(&plan, fs::read_to_string(&plan).unwrap().replace("name: \"b\"", "name: \"e\"")).unwrap();
    assert_ca_is_kept(&home, "e");
    home.ok(&["rm", "-y", "a", "e"]);
}

#[test]
fn a_lock_file_that_others_can_write_is_refused() {
    let home = home_of_three();
    fs::set_permissions(lock(&home), PermissionsExt::from_mode(0o666)).unwrap();
    let stderr = home.fails(1, &["rm", "-y", "c"]);
    assert!(stderr.contains("hostseed.lock") && stderr.contains("chmod go-w"), "{stderr}");
}

/// The time of these commands must not grow with the number of machines.
#[test]
fn commands_on_one_machine_read_no_other() {
    if !may_trace() {
        return;
    }
    let home = home_of_three();
    for args in [
        &["create", "d", "--address", "203.0.113.8"][..],
        &["address", "c", "203.0.113.7"],
        &["env", "c"],
        &["inspect", "c"],
        &["render", "c"],
        &["rm", "-y", "c"],
        &["rm", "-y", "d"],
    ] {
        let trace = home.path().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(&trace).args(["-e", "trace=file,getdents64", "-y"]);
        command.arg(env!("CARGO_BIN_EXE_hostseed")).args(args).env("HOME", home.path());
        run(command.env_remove("MACHINE_STORAGE_PATH"));
        let trace = fs::read_to_string(trace).unwrap();
        for path in ["machines/a", "machines/b", "certs/a", "certs/b"] {
            assert!(!trace.contains(path), "{args:?} looks at {path}:\n{trace}");
        }
        for folder in ["machines", "certs"] {
            let listed = format!("{}>", home.store().join(folder).display());
            let lists = trace.lines().any(|line| line.contains("getdents64") && line.contains(&listed));
            assert!(!lists, "{args:?} lists {folder}:\n{trace}");
        }
    }
}
