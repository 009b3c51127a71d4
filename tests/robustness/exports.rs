//! `import` killed at any moment leaves a whole machine or none, and `export` writes keys only where others cannot read them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::interruption::{calls, may_trace, tamper, unfinished};
use crate::support::extent::sample;
use crate::support::{Home, files_below, is_printed, mode};

const IMPORT: [&str; 5] = ["--store", "other", "import", "web1.hostseed", "--quiet"];
/// Outside CI only one of this many system calls is tested.
const ONE_IN: usize = 43;

fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    home.ok(&["export", "web1", "-o", "web1.hostseed", "--quiet"]);
    home
}

/// The files of a store with their modes, without the lock.
fn files(store: &Path) -> Vec<(PathBuf, u32)> {
    let files = files_below(store).into_iter().filter(|file| !file.starts_with("hostseed.lock"));
    files.map(|file| (file.clone(), mode(&store.join(&file)))).collect()
}

#[test]
fn an_import_interrupted_at_any_moment_is_whole_or_missing() {
    if !may_trace() {
        return;
    }
    let traced = home();
    let other = traced.path().join("other");
    let all = calls(&traced, &IMPORT);
    let whole = files(&other);
    assert_eq!(whole, files(&traced.store()));
    for (n, call) in sample(all, ONE_IN).iter().enumerate() {
        let how = ["signal=KILL", "error=ENOSPC"][n % 2];
        fs::remove_dir_all(&other).unwrap();
        let output = tamper(&traced, call, how, &IMPORT);
        let at = format!("{how} at {}: {}", call.line, String::from_utf8_lossy(&output.stderr));
        let listed = traced.ok(&["--store", "other", "ls", "-q"]);
        // Another change sweeps what was prepared.
        traced.ok(&["--store", "other", "create", "web2", "--quiet"]);
        traced.ok(&["--store", "other", "rm", "-y", "web2", "--quiet"]);
        let found = files(&other);
        assert_eq!(found, if listed.is_empty() { Vec::new() } else { whole.clone() }, "{at}");
        assert!(!output.status.success() || !listed.is_empty(), "{at}");
        assert_eq!(unfinished(&other), Vec::<PathBuf>::new(), "{at}");
    }
}

#[test]
fn a_replacing_import_interrupted_at_any_moment_leaves_the_client_or_the_whole_machine() {
    if !may_trace() {
        return;
    }
    const REPLACE: [&str; 6] = ["--store", "other", "import", "web1.hostseed", "--force", "--quiet"];
    let traced = home();
    traced.ok(&["export", "web1", "--client", "alice", "-o", "alice", "--quiet"]);
    let other = traced.path().join("other");
    let client_only = || {
        let _ = fs::remove_dir_all(&other);
        traced.ok(&["--store", "other", "import", "alice", "--quiet"]);
        files(&other)
    };
    let before = client_only();
    let all = calls(&traced, &REPLACE);
    let whole = files(&other);
    assert_eq!(whole, files(&traced.store()));
    for (n, call) in sample(all, ONE_IN).iter().enumerate() {
        let how = ["signal=KILL", "error=ENOSPC"][n % 2];
        client_only();
        let output = tamper(&traced, call, how, &REPLACE);
        let at = format!("{how} at {}: {}", call.line, String::from_utf8_lossy(&output.stderr));
        traced.ok(&["--store", "other", "create", "web2", "--quiet"]);
        traced.ok(&["--store", "other", "rm", "-y", "web2", "--quiet"]);
        let found = files(&other);
        assert!(found == whole || found == before && !output.status.success(), "{at}: {found:?}");
        assert_eq!(unfinished(&other), Vec::<PathBuf>::new(), "{at}");
    }
}

#[test]
fn an_export_is_private() {
    let home = home();
    assert_eq!(mode(&home.path().join("web1.hostseed")), 0o600);
    let open = home.path().join("open");
    fs::write(&open, "x").unwrap();
    let stderr = home.fails(1, &["export", "web1", "-o", "open"]);
    assert!(is_printed(&stderr, "error[would-overwrite]"), "{stderr}");
    home.ok(&["export", "web1", "-o", "open", "--force", "--quiet"]);
    assert_eq!(mode(&open), 0o600);
    // The same machine gives the same bytes.
    assert_eq!(fs::read(&open).unwrap(), fs::read(home.path().join("web1.hostseed")).unwrap());
    let printed = fs::File::create(home.path().join("printed")).unwrap();
    let mut command = home.command(&["export", "web1", "--base64"]);
    assert!(command.stdout(printed).stderr(std::process::Stdio::null()).status().unwrap().success());
    assert_eq!(mode(&home.path().join("printed")), 0o600);
}
