//! A store that another user owns or can write to is refused, as by ssh(1) and gpg(1), unless the user overrides the
//! check.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::extent::sample;
use crate::support::{Home, is_printed, mode, need_root};

const STRANGER: u32 = 12345;
const OVERRIDE: &str = "--allow-insecure-store";

fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    home
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Each command that uses a machine's files.
const COMMANDS: [&[&str]; 7] = [
    &["env", "web1"],
    &["config", "web1"],
    &["url", "web1"],
    &["render", "web1"],
    &["inspect", "web1"],
    &["address", "web1", "203.0.113.7"],
    &["rm", "-y", "web1"],
];

const WRITABLE: &str = "error[writable-by-others]";
const FOREIGN: &str = "error[foreign-owner]";

/// Checks that all commands refuse the store with this code and name `path`, and that they accept it with the override
/// (`rm` is not tested).
#[track_caller]
fn assert_refused(home: &Home, code: &str, path: &Path, told: &str) {
    let named = format!("{code} `{}`", path.display());
    for args in COMMANDS {
        let stderr = home.fails(1, args);
        assert!(stderr.starts_with(code) && is_printed(&stderr, &named), "{args:?}: {stderr}");
        assert!(stderr.contains(told) && stderr.contains(OVERRIDE), "{args:?}: {stderr}");
        assert!(home.machine("web1").join("config.json").exists());
    }
    for args in COMMANDS.iter().filter(|args| args[0] != "rm") {
        home.ok(&[*args, &[OVERRIDE]].concat());
        let output = home.command(args).env("HOSTSEED_ALLOW_INSECURE_STORE", "1").output().unwrap();
        assert!(output.status.success(), "{args:?}");
    }
}

#[test]
fn a_folder_of_the_store_that_others_can_write_to_is_refused() {
    let folders = ["", "machines", "certs", "machines/web1"];
    let modes = [0o777, 0o770, 0o720, 0o702, 0o1777];
    let pairs = folders.into_iter().flat_map(|folder| modes.map(|open| (folder, open))).collect();
    // One in four still has each folder and each mode.
    for (folder, open) in sample(pairs, 4) {
        let home = home();
        let path = if folder.is_empty() { home.store() } else { home.store().join(folder) };
        set_mode(&path, open);
        // The mode of a folder such as `/tmp` must not be changed.
        let way_out = if open == 0o1777 { "choose a folder" } else { "\n  chmod go-w " };
        assert_refused(&home, WRITABLE, &path, way_out);
        if folder != "machines/web1" {
            assert!(home.fails(1, &["create", "web2"]).contains(way_out));
            assert!(!home.machine("web2").exists());
            assert!(home.fails(1, &["ls"]).contains(way_out));
        }
        // The command in the hint.
        set_mode(&path, open & !0o022);
        home.ok(&["env", "web1"]);
    }
}

#[test]
fn a_folder_above_the_store_that_others_can_write_to_is_refused() {
    let home = home();
    let above = home.path().join(".docker");
    set_mode(&above, 0o777);
    assert_refused(&home, WRITABLE, &above, "\n  chmod go-w ");
    // The user's own group, and a sticky folder, where users cannot rename the files of others.
    for fine in [0o770, 0o775, 0o1777] {
        let owner = fs::metadata(&above).unwrap();
        if fine == 0o1777 || owner.gid() == owner.uid() {
            set_mode(&above, fine);
            home.ok(&["env", "web1"]);
        }
    }
}

#[test]
fn a_store_is_not_created_in_a_folder_where_others_can_replace_it() {
    let home = Home::new();
    let above = home.path().join("open");
    fs::create_dir(&above).unwrap();
    set_mode(&above, 0o777);
    let stderr = home.fails(1, &["--store", "open/new/store", "create", "web1"]);
    assert!(is_printed(&stderr, &format!("{WRITABLE} `{}`", above.display())), "{stderr}");
    assert!(!above.join("new").exists());
}

#[test]
fn a_store_behind_a_link_is_checked_at_its_target() {
    let home = home();
    fs::create_dir(home.path().join("open")).unwrap();
    set_mode(&home.path().join("open"), 0o777);
    fs::rename(home.store(), home.path().join("open/store")).unwrap();
    symlink("../open/store", home.store()).unwrap();
    assert_refused(&home, WRITABLE, &home.path().join(".docker/../open"), "\n  chmod go-w ");
    set_mode(&home.path().join("open"), 0o755);
    home.ok(&["env", "web1"]);
}

#[test]
fn a_folder_with_a_ca_that_others_can_write_to_is_refused() {
    let home = home();
    let ca = home.path().join("ca");
    fs::rename(home.store().join("certs/web1"), &ca).unwrap();
    set_mode(&ca, 0o777);
    let create = ["create", "web2", "--quiet", "--address", "203.0.113.8", "--ca", "./ca"];
    let stderr = home.fails(1, &create);
    assert!(is_printed(&stderr, &format!("{WRITABLE} `{}`", ca.display())), "{stderr}");
    assert!(stderr.contains(&format!("\n  chmod go-w {}\n", ca.display())), "{stderr}");
    assert!(!home.machine("web2").exists());
    set_mode(&ca, 0o755);
    home.ok(&create);
}

#[test]
fn modes_of_key_files_are_fixed_with_a_note() {
    let home = home();
    let keys: Vec<PathBuf> = ["key.pem", "server-key.pem", "user-data", "machine.yaml", "config.json", "env"]
        .map(|file| home.machine("web1").join(file))
        .into();
    for open in [0o666, 0o644, 0o640] {
        for key in &keys {
            set_mode(key, open);
        }
        let output = home.run(&["env", "web1"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        for key in &keys {
            assert!(stderr.contains(&format!("note: `{}` had mode {open:04o}", key.display())), "{stderr}");
            assert_eq!(mode(key), 0o600);
        }
        assert!(!String::from_utf8_lossy(&home.run(&["env", "web1"]).stderr).contains("had mode"));
    }
    // A certificate may be world-readable but not world-writable.
    let certificate = home.machine("web1").join("ca.pem");
    set_mode(&certificate, 0o666);
    let stderr = String::from_utf8(home.run(&["url", "web1"]).stderr).unwrap();
    assert!(stderr.contains("note: ") && mode(&certificate) == 0o644, "{stderr}");
}

#[test]
fn modes_of_ca_keys_are_fixed_with_a_note() {
    let home = home();
    home.ok(&["create", "web2", "--quiet", "--address", "203.0.113.8", "--ca", "shared"]);
    fs::rename(home.store().join("certs/web1"), home.path().join("ca")).unwrap();
    for (key, ca, name) in [
        (home.store().join("certs/ca-key.pem"), "shared", "web3"),
        (home.path().join("ca/ca-key.pem"), "./ca", "web4"),
    ] {
        set_mode(&key, 0o666);
        let output = home.run(&["create", name, "--address", "203.0.113.9", "--ca", ca]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.contains("ca-key.pem` had mode 0666"), "{stderr}");
        assert_eq!(mode(&key), 0o600);
    }
}

#[test]
fn a_store_made_by_docker_machine_is_accepted() {
    let home = home();
    // The modes of Docker Machine: folders 0700, files in them 0600, certificates 0644.
    fs::remove_file(home.store().join("hostseed.lock")).unwrap();
    for file in ["machine.yaml", "env", "user-data"] {
        fs::remove_file(home.machine("web1").join(file)).unwrap();
    }
    for args in [&["env", "web1"][..], &["url", "web1"], &["inspect", "web1"], &["ls"]] {
        let output = home.run(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}");
    }
    // World-readable folders are accepted.
    set_mode(&home.store(), 0o755);
    set_mode(&home.store().join("machines"), 0o755);
    home.ok(&["env", "web1"]);
}

#[test]
fn files_of_another_user_are_refused() {
    if !need_root() {
        return;
    }
    for path in
        ["", "machines", "certs", "machines/web1", "machines/web1/key.pem", "machines/web1/config.json", ".."]
    {
        let home = home();
        let path = match path {
            "" => home.store(),
            ".." => home.path().join(".docker"),
            path => home.store().join(path),
        };
        chown(&path, Some(STRANGER), None).unwrap();
        // The usual reason is sudo: the user's own folders must not become root's.
        let stderr = home.fails(1, &["env", "web1"]);
        assert!(stderr.contains("run hostseed as the user") && !stderr.contains("chown"), "{stderr}");
        assert_refused(&home, FOREIGN, &path, &format!("belongs to user {STRANGER}, and you are user 0"));
        chown(&path, Some(0), None).unwrap();
        home.ok(&["env", "web1"]);
    }
}

#[test]
fn root_refuses_a_ca_of_another_user() {
    if !need_root() {
        return;
    }
    let home = home();
    let ca = home.path().join("ca");
    fs::rename(home.store().join("certs/web1"), &ca).unwrap();
    let create = ["create", "web2", "--quiet", "--address", "203.0.113.8", "--ca", "./ca"];
    for path in [ca.clone(), ca.join("ca-key.pem"), ca.join("ca.pem")] {
        chown(&path, Some(STRANGER), None).unwrap();
        let stderr = home.fails(1, &create);
        let told = format!("{FOREIGN} `{}` belongs to user {STRANGER}", path.display());
        assert!(is_printed(&stderr, &told), "{stderr}");
        assert!(!home.machine("web2").exists());
        chown(&path, Some(0), None).unwrap();
    }
    chown(&ca, Some(STRANGER), None).unwrap();
    home.ok(&[&create[..], &[OVERRIDE]].concat());
}

#[test]
fn a_lock_or_journal_of_another_user_is_refused() {
    if !need_root() {
        return;
    }
    let home = home();
    for file in ["hostseed.lock", ".hostseed.journal"] {
        let path = home.store().join(file);
        fs::write(&path, r#"{"version":1,"renames":[],"delete":[]}"#).unwrap();
        set_mode(&path, 0o600);
        chown(&path, Some(STRANGER), None).unwrap();
        let stderr = home.fails(1, &["address", "web1", "203.0.113.7"]);
        assert!(is_printed(&stderr, &format!("{FOREIGN} `{}` belongs to user", path.display())), "{stderr}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn the_variable_that_accepts_the_risk_is_read_as_yes_or_no() {
    let home = home();
    set_mode(&home.store(), 0o777);
    for (value, status, told) in [
        ("1", 0, ""),
        ("True", 0, ""),
        ("0", 1, "other users can write it"),
        // The same as an unset variable.
        ("", 1, "other users can write it"),
        ("maybe", 2, "HOSTSEED_ALLOW_INSECURE_STORE"),
    ] {
        let output =
            home.command(&["url", "web1"]).env("HOSTSEED_ALLOW_INSECURE_STORE", value).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{value:?}: {stderr}");
        assert!(stderr.contains(told), "{value:?}: {stderr}");
    }
}
