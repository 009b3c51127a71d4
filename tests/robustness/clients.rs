//! The folders of further clients: all or nothing at any interruption, checked owners and modes, and two commands at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::interruption::{Beginning, calls, may_trace, points, tamper, unfinished};
use crate::support::extent::is_full;
use crate::support::{Home, files_below, is_printed, mode, run};

const MINT: [&str; 5] = ["client", "web1", "--cn", "alice", "--quiet"];
fn home(has_client: bool) -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    if has_client {
        home.ok(&MINT);
    }
    home
}

fn files(home: &Home) -> Vec<Vec<u8>> {
    let dir = home.machine("web1").join("clients/alice");
    files_below(&dir).iter().map(|file| fs::read(dir.join(file)).unwrap()).collect()
}

/// Checks that the client's key belongs to its certificate: hostseed would refuse another as a machine's.
fn assert_pair(home: &Home, at: &str) {
    let dir = home.machine("web1").join("clients/alice");
    let public = |args: &[&str]| run(std::process::Command::new("openssl").args(args)).stdout;
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let certificate = public(&["x509", "-noout", "-pubkey", "-in", certificate.to_str().unwrap()]);
    assert_eq!(certificate, public(&["pkey", "-pubout", "-in", key.to_str().unwrap()]), "{at}");
    assert_eq!(mode(&key), 0o600, "{at}");
}

#[test]
fn a_client_interrupted_at_any_moment_is_the_old_or_the_new_one() {
    if !may_trace() || !crate::support::need("openssl") {
        return;
    }
    for has_client in [false, true] {
        let args = [&MINT[..], &["--force"]].concat();
        let beginning = Beginning::new(home(has_client));
        for (n, call) in points(calls(beginning.again(), &args)).iter().enumerate() {
            // In CI each call fails in both ways.
            let ways = if is_full() { 0..2 } else { n % 2..n % 2 + 1 };
            for how in &["signal=KILL", "error=EIO"][ways] {
                let home = beginning.again();
                let before = files(home);
                let output = tamper(home, call, how, &args);
                let at = format!("{how} at {}: {}", call.line, String::from_utf8_lossy(&output.stderr));
                // The next command finishes the change.
                home.ok(&["client", "web1", "--cn", "other", "--quiet"]);
                let after = files(home);
                if output.status.success() {
                    assert_ne!(after, before, "{at}");
                }
                if !after.is_empty() {
                    assert_pair(home, &at);
                }
                assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
                home.ok(&["rm", "-y", "web1"]);
                assert!(!home.machine("web1").exists(), "{at}");
            }
        }
    }
}

#[test]
fn modes_of_client_keys_are_fixed_and_open_folders_are_refused() {
    let home = home(true);
    let dir = home.machine("web1").join("clients/alice");
    fs::set_permissions(dir.join("key.pem"), PermissionsExt::from_mode(0o644)).unwrap();
    let output = home.run(&["clients", "web1"]);
    assert!(output.status.success() && mode(&dir.join("key.pem")) == 0o600);
    assert!(String::from_utf8_lossy(&output.stderr).contains("alice/key.pem"));
    for folder in [dir.clone(), home.machine("web1").join("clients")] {
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
        let stderr = home.fails(1, &["clients", "web1"]);
        assert!(is_printed(&stderr, "error[writable-by-others]"), "{stderr}");
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    }
}

#[test]
fn of_two_commands_at_once_one_makes_the_client() {
    let home = home(false);
    let children: Vec<_> =
        (0..4).map(|_| home.command(&MINT).stderr(std::process::Stdio::piped()).spawn().unwrap()).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert_eq!(outputs.iter().filter(|output| output.status.success()).count(), 1, "{outputs:?}");
    for output in outputs.iter().filter(|output| !output.status.success()) {
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error[client-exists]"), "{output:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_leaves_no_client() {
    let home = home(false);
    fs::create_dir(home.path().join("out")).unwrap();
    fs::write(home.path().join("out/key.pem"), "mine\n").unwrap();
    let stderr = home.fails(1, &[&MINT[..], &["--out", "out"]].concat());
    assert!(is_printed(&stderr, "error[would-overwrite]"), "{stderr}");
    let stderr = home.fails(1, &[&MINT[..], &["--out", "missing/out"]].concat());
    assert!(is_printed(&stderr, "error[write-failed]"), "{stderr}");
    assert_eq!(files(&home).len(), 0);
    assert_eq!(fs::read(home.path().join("out/key.pem")).unwrap(), b"mine\n");
}
