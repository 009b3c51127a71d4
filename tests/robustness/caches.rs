//! Tests the caches in the store. However they are damaged, commands give the same results and never hang.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::interruption::{calls, in_namespace, may_mount, may_trace, tamper, unfinished};
use crate::planted::{ends, fifo};
use crate::support::{Home, mode, need_root, run};

/// A store with machines `a` and `c`, and `b`, which `a`'s CA has signed. The lock file contains this.
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

/// Checks that the CA of `a` cannot be removed while the other machine exists, and can be removed afterwards.
fn assert_ca_is_kept(home: &Home, other: &str) {
    assert_ca_is_kept_by(home, &["rm", "-y", "a"], other);
}

fn assert_ca_is_kept_by(home: &Home, command: &[&str], other: &str) {
    let stderr = home.fails(1, command);
    assert!(stderr.contains(&format!("has also signed the certificates of `{other}`")), "{stderr}");
    assert!(home.store().join("certs/a/ca-key.pem").exists());
}

#[test]
fn the_machines_of_a_ca_are_found_with_any_content_of_the_lock_file() {
    let home = home_of_three();
    let good = fs::read(lock(&home)).unwrap();
    assert!(!good.is_empty() && good.len() < 4096, "{good:?}");
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let huge = vec![b'x'; 17 << 20];
    for content in [&good[..], &good[..good.len() - 1], &changed, b"", b"{}", &[0; 200], &huge] {
        fs::write(lock(&home), content).unwrap();
        // Before it asks, too.
        assert_ca_is_kept_by(&home, &["rm", "a"], "b");
        assert_ca_is_kept(&home, "b");
    }
    // The index of another store, which has no such machine.
    let other = Home::new();
    other.ok(&["create", "a", "--quiet"]);
    fs::copy(lock(&other), lock(&home)).unwrap();
    assert_ca_is_kept(&home, "b");
    home.ok(&["rm", "-y", "b"]);
    home.ok(&["rm", "-y", "a"]);
    assert!(!home.store().join("certs/a").exists() && home.machine("c").exists());
}

#[test]
fn machines_added_or_deleted_by_other_programs_are_noticed() {
    let home = home_of_three();
    // `b` is deleted without hostseed.
    fs::rename(home.machine("b"), home.path().join("b")).unwrap();
    home.ok(&["create", "d", "--quiet"]);
    // It comes back under another name.
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
    assert!(
        stderr.starts_with("error[writable-by-others]: ")
            && stderr.contains("hostseed.lock")
            && stderr.contains("chmod go-w"),
        "{stderr}"
    );
}

/// These commands must take the same time however many machines exist.
#[test]
fn commands_on_one_machine_do_not_read_others() {
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
        // Without a terminal to ask on, this checks the machine and deletes nothing.
        &["rm", "c"],
        &["rm", "-y", "c"],
        &["rm", "-y", "d"],
    ] {
        let trace = home.path().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(&trace).args(["-e", "trace=file,getdents64", "-y"]);
        command.arg(env!("CARGO_BIN_EXE_hostseed")).args(args).env("HOME", home.path());
        command.env_remove("MACHINE_STORAGE_PATH");
        if args == ["rm", "c"] {
            let output = command.stdin(Stdio::null()).output().unwrap();
            assert!(!output.status.success() && home.machine("c").exists(), "{output:?}");
        } else {
            run(&mut command);
        }
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

/// More machines than the store needs for an index.
const MANY: usize = 110;
/// Age after which a changed file can be in the index.
const SETTLED: Duration = Duration::from_millis(3200);

fn copy_machine(home: &Home, from: &str, to: &str) {
    fs::create_dir(home.machine(to)).unwrap();
    fs::set_permissions(home.machine(to), PermissionsExt::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(home.machine(from)).unwrap() {
        let file = entry.unwrap().path();
        let copy = home.machine(to).join(file.file_name().unwrap());
        fs::copy(&file, &copy).unwrap();
        if file.ends_with("config.json") {
            fs::write(&copy, fs::read_to_string(&file).unwrap().replace(from, to)).unwrap();
        }
    }
}

/// Many machines. Most are valid, and some are Docker Machine's, damaged, or behind links.
fn home_of_many() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home.ok(&["create", "issuer", "--quiet"]);
    for n in 2..=MANY {
        copy_machine(&home, "web1", &format!("web{n}"));
    }
    fs::remove_file(home.machine("web2").join("machine.yaml")).unwrap();
    fs::write(home.machine("web3").join("config.json"), "no JSON").unwrap();
    fs::write(home.machine("web4").join("server.pem"), "no certificate").unwrap();
    fs::remove_file(home.machine("web5").join("server.pem")).unwrap();
    fs::rename(home.machine("web6"), home.path().join("elsewhere")).unwrap();
    symlink(home.path().join("elsewhere"), home.machine("web6")).unwrap();
    fs::rename(home.machine("web7").join("config.json"), home.path().join("config.json")).unwrap();
    symlink(home.path().join("config.json"), home.machine("web7").join("config.json")).unwrap();
    home
}

fn index(home: &Home) -> PathBuf {
    home.store().join("hostseed.index")
}

/// The output of `ls`, as a table and as JSON.
fn listed(home: &Home) -> [String; 2] {
    [&["ls"][..], &["ls", "--json"]].map(|args| {
        let output = ends(home, args);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    })
}

/// The output of `ls` for the same files without an index.
fn listed_without(home: &Home) -> [String; 2] {
    let kept = home.path().join("kept");
    let had = fs::rename(index(home), &kept).is_ok();
    let listed = listed(home);
    let _ = fs::remove_file(index(home));
    if had {
        fs::rename(&kept, index(home)).unwrap();
    }
    listed
}

/// A store with an index of all machines that an index can contain.
fn home_with_index() -> (Home, [String; 2]) {
    let home = home_of_many();
    sleep(SETTLED);
    let listed = listed(&home);
    assert_eq!(mode(&index(&home)), 0o600);
    (home, listed)
}

/// Decodes the index.
fn content(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(&bytes[65..]).unwrap()
}

/// Makes a valid index with a wrong entry for one machine.
fn forged(bytes: &[u8]) -> Vec<u8> {
    let mut content = content(bytes);
    content["machines"]["web1"]["url"] = "tcp://192.0.2.66:2376".into();
    let json = serde_json::to_vec(&content).unwrap();
    let sum: String = Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect();
    [sum.as_bytes(), b"\n", &json].concat()
}

#[test]
fn a_list_is_the_same_with_and_without_an_index() {
    let home = home_of_many();
    let fresh = listed(&home);
    for machine in ["web3", "web4", "web5"] {
        let row = fresh[0].lines().find(|line| line.split(' ').next() == Some(machine)).unwrap();
        assert!(row.contains("cannot"), "{row}");
    }
    sleep(SETTLED);
    assert_eq!(listed(&home), fresh);
    let bytes = fs::read(index(&home)).unwrap();
    let content = content(&bytes);
    let machines = content["machines"].as_object().unwrap();
    // `issuer`, and files that are read completely and are not links.
    assert_eq!(machines.len(), MANY + 1 - 5);
    assert!(!String::from_utf8(bytes.clone()).unwrap().contains("PRIVATE"));
    assert_eq!(listed(&home), fresh);
    assert_eq!(fs::read(index(&home)).unwrap(), bytes, "written again without need");
    // The index is really read: anyone who can write to the store can also write this file.
    fs::write(index(&home), forged(&bytes)).unwrap();
    assert!(listed(&home).iter().all(|listed| listed.contains("192.0.2.66")));
    fs::remove_file(index(&home)).unwrap();
    assert_eq!(listed(&home), fresh);
}

#[test]
fn a_small_store_has_no_index() {
    let home = home_of_three();
    sleep(SETTLED);
    listed(&home);
    assert!(!index(&home).exists());
}

#[test]
fn changes_by_other_programs_are_listed_at_once() {
    let (home, mut before) = home_with_index();
    let dir = |name: &str| home.machine(name);
    let rewrite = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from) && from.len() == to.len());
        fs::write(path, text.replace(from, to)).unwrap();
    };
    let changes: [(&str, &dyn Fn()); 12] = [
        ("address", &|| drop(home.ok(&["address", "web10", "203.0.113.7", "--quiet", "--force"]))),
        ("address of another", &|| {
            drop(home.ok(&["address", "web11", "203.0.113.99", "--quiet", "--force"]))
        }),
        ("config.json in place", &|| {
            rewrite(&dir("web12").join("config.json"), "203.0.113.7", "203.0.113.8")
        }),
        ("config.json replaced", &|| {
            let new = home.path().join("new");
            fs::copy(dir("web13").join("config.json"), &new).unwrap();
            rewrite(&new, "203.0.113.7", "203.0.113.9");
            // It gets the time of the file that it replaces.
            let time = dir("web13").join("config.json").metadata().unwrap().modified().unwrap();
            fs::File::options().write(true).open(&new).unwrap().set_modified(time).unwrap();
            fs::rename(&new, dir("web13").join("config.json")).unwrap();
        }),
        ("a link's target", &|| rewrite(&home.path().join("config.json"), "203.0.113.7", "203.0.113.6")),
        ("a linked folder", &|| {
            rewrite(&home.path().join("elsewhere/config.json"), "203.0.113.7", "203.0.113.5")
        }),
        ("another certificate", &|| {
            fs::copy(dir("issuer").join("issuer.pem"), dir("web14").join("server.pem")).map(drop).unwrap()
        }),
        ("another role", &|| {
            fs::copy(dir("issuer").join("issuer.pem"), dir("web15").join("issuer.pem")).map(drop).unwrap()
        }),
        ("two machines exchanged", &|| {
            fs::rename(dir("web14"), home.path().join("aside")).unwrap();
            fs::rename(dir("web16"), dir("web14")).unwrap();
            fs::rename(home.path().join("aside"), dir("web16")).unwrap();
        }),
        ("a machine gone", &|| fs::remove_dir_all(dir("web17")).unwrap()),
        ("a machine more", &|| copy_machine(&home, "web1", "new")),
        ("others may write", &|| {
            fs::set_permissions(dir("web18"), PermissionsExt::from_mode(0o777)).unwrap();
        }),
    ];
    for (what, change) in changes {
        change();
        let after = listed(&home);
        if what != "address" {
            assert_ne!(after, before, "{what}");
        }
        assert_eq!(after, listed_without(&home), "{what}");
        before = after;
    }
    sleep(SETTLED);
    assert_eq!(listed(&home), before);
    assert_eq!(listed(&home), before);
}

#[test]
fn an_untrusted_index_is_not_used_and_written_again() {
    let (home, truth) = home_with_index();
    let good = fs::read(index(&home)).unwrap();
    let bad = forged(&good);
    let mut damaged = good.clone();
    damaged[1000] ^= 4;
    let other_version =
        String::from_utf8(good.clone()).unwrap().replacen("\"version\":1", "\"version\":9", 1).into_bytes();
    assert_ne!(other_version, good);
    let put = |bytes: &[u8]| {
        fs::write(index(&home), bytes).unwrap();
        fs::set_permissions(index(&home), PermissionsExt::from_mode(0o600)).unwrap();
    };
    let plants: [(&str, &dyn Fn()); 11] = [
        ("empty", &|| put(b"")),
        ("cut short", &|| put(&good[..good.len() / 2])),
        ("damaged", &|| put(&damaged)),
        ("another version", &|| put(&other_version)),
        ("JSON alone", &|| put(&good[65..])),
        ("binary", &|| put(&[0xff; 5000])),
        ("huge", &|| {
            put(&bad);
            fs::File::options().write(true).open(index(&home)).unwrap().set_len(1 << 40).unwrap();
        }),
        ("a FIFO", &|| fifo(&index(&home))),
        ("a link to a forged one", &|| {
            fs::write(home.path().join("forged"), &bad).unwrap();
            symlink(home.path().join("forged"), index(&home)).unwrap();
        }),
        ("a link to a device", &|| symlink("/dev/zero", index(&home)).unwrap()),
        ("others can write it", &|| {
            put(&bad);
            fs::set_permissions(index(&home), PermissionsExt::from_mode(0o666)).unwrap();
        }),
    ];
    let check = |what: &str| {
        assert_eq!(listed(&home), truth, "{what}");
        let kind = index(&home).symlink_metadata().unwrap().file_type();
        assert!(kind.is_file(), "{what}: {kind:?}");
        assert_eq!(mode(&index(&home)), 0o600, "{what}");
        assert_eq!(content(&fs::read(index(&home)).unwrap()), content(&good), "{what}");
    };
    for (what, plant) in plants {
        fs::remove_file(index(&home)).unwrap();
        plant();
        check(what);
    }
    assert_eq!(fs::read(home.path().join("forged")).unwrap(), bad, "a link was followed");
    if need_root() {
        put(&bad);
        chown(index(&home), Some(12345), Some(12345)).unwrap();
        check("another user's");
    }
    // The index of another store with the same machines, as after a backup was unpacked.
    let (other, _) = home_with_index();
    fs::copy(index(&other), index(&home)).unwrap();
    check("of another store");
    // A folder in its place is not changed.
    fs::remove_file(index(&home)).unwrap();
    fs::create_dir(index(&home)).unwrap();
    fs::write(index(&home).join("notes"), "mine\n").unwrap();
    assert_eq!(listed(&home), truth);
    assert_eq!(fs::read_to_string(index(&home).join("notes")).unwrap(), "mine\n");
    assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new());
}

#[test]
fn a_read_only_store_is_listed_without_an_index() {
    let home = home_of_many();
    if !need_root() || !may_mount(&home) {
        return;
    }
    let truth = listed(&home);
    let _ = fs::remove_file(index(&home));
    sleep(SETTLED);
    let script = r#"
        mount --bind .docker/machine .docker/machine && mount -o remount,bind,ro .docker/machine || exit 90
        touch .docker/machine/x 2>/dev/null && exit 91
        "$1" ls
    "#;
    let mut command = in_namespace(&home, script, &[env!("CARGO_BIN_EXE_hostseed")]);
    let output = run(command.env_remove("HOSTSEED_ALLOW_INSECURE_STORE"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), truth[0]);
    assert!(output.stderr.is_empty() && !index(&home).exists(), "{output:?}");
}

#[test]
fn concurrent_lists_and_changes_are_consistent() {
    let (home, truth) = home_with_index();
    for round in 0..5 {
        let _ = fs::remove_file(index(&home));
        let mut children: Vec<_> = (0..6)
            .map(|n| {
                let name = format!("zz{round}");
                let mut command = match n {
                    5 => home.command(&["create", &name, "--quiet", "--address", "203.0.113.7"]),
                    _ => home.command(&["ls"]),
                };
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                (n, command.spawn().unwrap())
            })
            .collect();
        for (n, child) in children.drain(..) {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{n}");
            let old: String = text
                .lines()
                .filter(|line| !line.starts_with("zz"))
                .fold(String::new(), |all, line| all + line + "\n");
            assert!(n == 5 || old == truth[0], "{text}");
        }
        assert_eq!(listed(&home), listed_without(&home));
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new());
    }
}

#[test]
fn an_unwritable_or_truncated_index_is_not_an_error() {
    if !may_trace() {
        return;
    }
    let (home, truth) = home_with_index();
    fs::remove_file(index(&home)).unwrap();
    let calls: Vec<_> = calls(&home, &["ls"])
        .into_iter()
        .filter(|call| ["/.hostseed-", "/hostseed."].iter().any(|name| call.line.contains(name)))
        .collect();
    assert!(calls.iter().any(|call| call.name.starts_with("rename")), "no index was written");
    for call in calls {
        for how in ["signal=KILL", "error=ENOSPC", "error=EIO"] {
            let _ = fs::remove_file(index(&home));
            let output = tamper(&home, &call, how, &["ls"]);
            let at = format!("{how} at {}: {}", call.line, String::from_utf8_lossy(&output.stderr));
            if how != "signal=KILL" {
                assert!(output.status.success() && output.stdout == truth[0].as_bytes(), "{at}");
                assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
            }
            assert_eq!(listed(&home), truth, "{at}");
            home.ok(&["address", "web20", "203.0.113.7", "--quiet"]);
            assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
        }
    }
}
