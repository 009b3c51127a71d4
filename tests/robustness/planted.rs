//! Files that were planted where hostseed writes: FIFOs, devices, links, and files and folders of other users.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Home, commands_of_hint, files_below, is_printed, mode, need_root, run};

/// Longer than any of these commands takes on any computer. A command that runs longer hangs.
const FOR_EVER: Duration = Duration::from_secs(60);
const STRANGER: u32 = 12345;

pub fn fifo(path: &Path) {
    run(Command::new("mkfifo").arg(path));
}

/// Runs a command and checks that it does not hang.
pub fn ends(home: &Home, args: &[&str]) -> Output {
    let mut child = home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > FOR_EVER {
            child.kill().unwrap();
            panic!("{args:?} waits for ever");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Checks that a command fails and prints `told`, in the format of [`is_printed`], and a hint.
#[track_caller]
fn refused(home: &Home, args: &[&str], told: &str) -> String {
    let output = ends(home, args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
    assert!(stderr.starts_with("error[") && is_printed(&stderr, told), "{args:?}: {stderr}");
    assert!(stderr.contains("hint: "), "{args:?}: {stderr}");
    stderr
}

fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home
}

const RENDER: [&str; 4] = ["render", "web1", "-o", "seed"];

#[test]
fn a_fifo_as_output_receives_nothing() {
    let home = home();
    fifo(&home.path().join("seed"));
    // The FIFO has a reader, so that opening it for writing would succeed.
    let reader = fs::File::options().read(true).write(true).open(home.path().join("seed")).unwrap();
    for args in [&RENDER[..], &["bake", "-o", "seed"]] {
        let stderr = refused(&home, args, "error[not-regular-file] `seed` is a FIFO, not a regular file");
        assert!(stderr.contains("`-o -`"), "{stderr}");
    }
    assert!(home.path().join("seed").metadata().unwrap().file_type().is_fifo());
    let mut peek = [0_u8; 1];
    let read = read_without_waiting(&reader, &mut peek);
    assert_eq!(read, 0, "a byte of it was in the FIFO");
}

/// Reads the bytes that are in a FIFO now.
fn read_without_waiting(reader: &fs::File, bytes: &mut [u8]) -> usize {
    use std::io::Read;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(reader));
    // O_NONBLOCK of open(2) on Linux.
    let mut options = fs::File::options();
    std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), 0o4000);
    options.open(path).unwrap().read(bytes).unwrap_or(0)
}

#[test]
fn devices_sockets_and_folders_are_refused_as_output() {
    let home = home();
    let _socket = std::os::unix::net::UnixListener::bind(home.path().join("socket")).unwrap();
    fs::create_dir(home.path().join("folder")).unwrap();
    for (path, kind) in [
        ("/dev/null", "a device"),
        ("/dev/full", "a device"),
        ("/dev/stdout", "a FIFO"),
        ("socket", "a socket"),
        ("folder", "a folder"),
    ] {
        refused(
            &home,
            &["render", "web1", "-o", path],
            &format!("error[not-regular-file] `{path}` is {kind}, not a regular file"),
        );
        refused(
            &home,
            &["bake", "-o", path],
            &format!("error[not-regular-file] `{path}` is {kind}, not a regular file"),
        );
    }
    let piped = home.ok(&["render", "web1", "-o", "-"]);
    assert!(piped.starts_with("#cloud-config"));
}

#[test]
fn a_link_in_a_world_writable_folder_is_not_followed() {
    let home = home();
    let open = home.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::create_dir(home.path().join("mine")).unwrap();
    fs::write(home.path().join("mine/precious"), "precious\n").unwrap();
    fs::set_permissions(home.path().join("mine/precious"), PermissionsExt::from_mode(0o600)).unwrap();
    for mode in [0o777, 0o1777] {
        fs::set_permissions(&open, PermissionsExt::from_mode(mode)).unwrap();
        let _ = fs::remove_file(open.join("seed"));
        let _ = fs::remove_file(open.join("dir"));
        symlink("../mine/precious", open.join("seed")).unwrap();
        symlink("../mine", open.join("dir")).unwrap();
        for out in ["open/seed", "open/dir/precious", "./open/../open/dir/new"] {
            refused(
                &home,
                &["render", "web1", "-o", out],
                "error[planted-link] is a link in a world-writable folder",
            );
        }
        for out in ["open/dir", "open/dir/out"] {
            let args = ["render", "web1", "--format", "terraform", "--out", out];
            refused(&home, &args, "error[planted-link] is a link in a world-writable folder");
        }
    }
    assert_eq!(fs::read_to_string(home.path().join("mine/precious")).unwrap(), "precious\n");
    assert_eq!(files_below(&home.path().join("mine")).len(), 1);
    // A new file there is allowed, and so is a link in the user's own folder.
    home.ok(&["render", "web1", "-o", "open/new"]);
    assert_eq!(mode(&open.join("new")), 0o600);
    symlink("nowhere", home.path().join("dangling")).unwrap();
    let told = "error[dangling-link] `dangling` is a link whose target does not exist";
    refused(&home, &["render", "web1", "-o", "dangling"], told);
    assert!(!home.path().join("nowhere").exists());
    symlink("mine/precious", home.path().join("link")).unwrap();
    home.ok(&["render", "web1", "-o", "link", "--force"]);
    assert!(home.path().join("link").is_symlink());
    assert!(fs::read_to_string(home.path().join("mine/precious")).unwrap().starts_with("#cloud-config"));
}

#[test]
fn a_file_or_folder_of_another_user_is_not_written_to() {
    if !need_root() {
        return;
    }
    let home = home();
    let theirs = home.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::write(home.path().join("seed"), "").unwrap();
    fs::write(home.path().join("out"), "").unwrap();
    for path in [&theirs, &home.path().join("seed")] {
        std::os::unix::fs::chown(path, Some(STRANGER), None).unwrap();
    }
    refused(&home, &RENDER, "error[foreign-owner] `seed` belongs to another user");
    refused(&home, &["bake", "-o", "seed"], "error[foreign-owner] `seed` belongs to another user");
    let terraform = |out| ["render", "web1", "--format", "terraform", "--out", out];
    refused(&home, &terraform("theirs"), "error[foreign-owner] `theirs` belongs to another user");
    assert_eq!(files_below(&theirs).len(), 0);
    // A file of another user in the user's own folder.
    home.ok(&terraform("module"));
    std::os::unix::fs::chown(home.path().join("module/main.tf"), Some(STRANGER), None).unwrap();
    refused(&home, &terraform("module"), "error[foreign-owner] `module/main.tf` belongs to another user");
}

#[test]
fn fifos_and_links_in_an_output_folder_receive_nothing() {
    let home = home();
    let args = ["render", "web1", "--format", "terraform", "--out", "out"];
    home.ok(&args);
    let file = home.path().join("out/main.tf");
    let before = files_below(&home.path().join("out"));
    fs::remove_file(&file).unwrap();
    fifo(&file);
    refused(&home, &args, "error[not-regular-file] `out/main.tf` is a FIFO");
    fs::remove_file(&file).unwrap();
    fs::write(home.path().join("precious"), "precious\n").unwrap();
    symlink("../precious", &file).unwrap();
    refused(&home, &args, "error[not-regular-file] `out/main.tf` is a link");
    assert_eq!(fs::read_to_string(home.path().join("precious")).unwrap(), "precious\n");
    fs::remove_file(&file).unwrap();
    for (name, code) in
        [(".hostseed.lock", "error[not-regular-file]"), (".hostseed.journal", "error[unusable-journal]")]
    {
        fifo(&home.path().join("out").join(name));
        refused(&home, &args, &format!("{code} `out/{name}`"));
        fs::remove_file(home.path().join("out").join(name)).unwrap();
    }
    home.ok(&args);
    assert_eq!(files_below(&home.path().join("out")), before);
}

/// A journal in hostseed's format for the folder with inode number `folder`.
fn journal(folder: u64, renames: &serde_json::Value, delete: &[&str]) -> String {
    serde_json::json!({ "version": 1, "folder": folder, "renames": renames, "delete": delete }).to_string()
}

/// A rename of the file with inode number `what`.
fn rename(what: u64, from: &str, to: &str, kind: &str) -> serde_json::Value {
    serde_json::json!({ "what": what, "from": from, "to": to, "kind": kind })
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

fn plant(journal: &str, path: &Path, mode: u32) {
    fs::write(path, journal).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

const TEMPORARY: &str = ".hostseed-0123456789abcdef";
const OTHER_TEMPORARY: &str = ".hostseed-fedcba9876543210";

#[test]
fn a_planted_journal_does_not_move_or_delete_the_users_files() {
    let home = home();
    let args = ["render", "web1", "--format", "terraform", "--out", "out"];
    home.ok(&args);
    let out = home.path().join("out");
    fs::write(home.path().join("precious"), "precious\n").unwrap();
    fs::write(out.join("mine"), "mine\n").unwrap();
    fs::create_dir(out.join(TEMPORARY)).unwrap();
    symlink(home.path(), out.join("way")).unwrap();
    fs::write(home.path().join(OTHER_TEMPORARY), "precious\n").unwrap();
    // Even if the attacker knew the inode numbers.
    let [folder, mine, temporary] = [&out, &out.join("mine"), &out.join(TEMPORARY)].map(|path| inode(path));
    let precious = inode(&home.path().join("precious"));
    let one = |what, from: &str, to: &str, kind| serde_json::json!([rename(what, from, to, kind)]);
    let none = serde_json::json!([]);
    let within = |name: &str| format!("{TEMPORARY}/{name}");
    for journal in [
        journal(folder, &one(mine, "mine", &within("mine"), "remove"), &[TEMPORARY]),
        journal(folder, &one(precious, "way/precious", &within("precious"), "remove"), &[TEMPORARY]),
        journal(folder, &one(temporary, TEMPORARY, "way/precious", "replace"), &[]),
        journal(folder, &none, &["mine"]),
        journal(folder, &none, &["../precious"]),
        journal(folder, &none, &[&format!("../{OTHER_TEMPORARY}")]),
        journal(folder, &none, &[&format!("way/{OTHER_TEMPORARY}")]),
        journal(folder, &one(mine, "mine", "main.tf", "replace"), &[]),
        journal(folder, &one(mine, "mine", "yours", "move"), &[]),
        journal(folder, &one(mine, "way/precious", "way/gone", "move"), &[]),
        journal(folder, &one(temporary, TEMPORARY, "/etc/x", "new"), &[]),
        // The journal as it was unpacked in another folder.
        journal(folder + 1, &none, &[]),
        r#"{"version":9,"folder":1,"renames":[],"delete":[]}"#.to_owned(),
        r#"{"version":1,"renames":[],"delete":[]}"#.to_owned(),
        "not a journal".to_owned(),
    ] {
        let path = out.join(".hostseed.journal");
        plant(&journal, &path, 0o600);
        refused(&home, &args, "error[unusable-journal] `out/.hostseed.journal` ");
        let kept = [home.path().join("precious"), home.path().join(OTHER_TEMPORARY), out.join("mine")];
        assert!(kept.iter().all(|path| path.exists()), "{journal}");
        // A world-writable journal is not read.
        plant(&journal, &path, 0o666);
        refused(&home, &args, "error[writable-by-others] other users can write it");
        // A journal with the mode of files from version control or archives is not read either.
        plant(&journal, &path, 0o644);
        refused(&home, &args, "error[unusable-journal] can be read by other users");
        fs::remove_file(&path).unwrap();
    }
}

/// If the old name of a rename is missing, the rename looks complete. Undoing it must not move a different file that has
/// the new name.
#[test]
fn a_planted_journal_does_not_undo_changes() {
    for numbers_are_known in [false, true] {
        let home = home();
        let args = ["render", "web1", "--format", "terraform", "--out", "out"];
        let out = home.path().join("out");
        fs::create_dir_all(out.join("src")).unwrap();
        fs::write(out.join("src/precious"), "precious\n").unwrap();
        fs::write(out.join("notes"), "mine\n").unwrap();
        fs::write(out.join(OTHER_TEMPORARY), "planted\n").unwrap();
        let folder = if numbers_are_known { inode(&out) } else { 1 };
        let renames = serde_json::json!([
            rename(1, TEMPORARY, "src", "new"),
            // This one fails, so that the first is undone.
            rename(inode(&out.join(OTHER_TEMPORARY)), OTHER_TEMPORARY, "notes", "new"),
        ]);
        plant(&journal(folder, &renames, &[]), &out.join(".hostseed.journal"), 0o600);
        let output = ends(&home, &args);
        assert_eq!(output.status.success(), numbers_are_known, "{output:?}");
        assert_eq!(fs::read_to_string(out.join("src/precious")).unwrap(), "precious\n");
        assert_eq!(fs::read_to_string(out.join("notes")).unwrap(), "mine\n");
    }
}

#[test]
fn a_planted_journal_in_the_docker_clis_folder_changes_only_contexts() {
    let home = home();
    let docker = home.path().join(".docker");
    fs::write(docker.join("config.json"), "{}").unwrap();
    fs::create_dir(docker.join(TEMPORARY)).unwrap();
    let [folder, settings, store] =
        [&docker, &docker.join("config.json"), &docker.join("machine")].map(|path| inode(path));
    let key = inode(&home.machine("web1").join("key.pem"));
    let one = |what, from: &str, to: &str, kind| serde_json::json!([rename(what, from, to, kind)]);
    let within = |name: &str| format!("{TEMPORARY}/{name}");
    for journal in [
        journal(folder, &one(settings, "config.json", &within("config.json"), "remove"), &[TEMPORARY]),
        journal(folder, &one(store, "machine", &within("machine"), "remove"), &[TEMPORARY]),
        journal(folder, &one(store, "machine", "gone", "move"), &[]),
        journal(folder, &one(key, "machine/machines/web1/key.pem", "contexts/key", "new"), &[]),
        journal(folder, &serde_json::json!([]), &["machine"]),
        journal(folder, &serde_json::json!([]), &[&format!("machine/{TEMPORARY}")]),
    ] {
        let path = docker.join(".hostseed.journal");
        plant(&journal, &path, 0o600);
        refused(&home, &["context", "web1"], "error[unusable-journal] is not a journal of this version");
        assert!(docker.join("config.json").is_file() && home.machine("web1").join("key.pem").is_file());
        fs::remove_file(&path).unwrap();
    }
}

/// A store from an archive, which contains a journal and a link.
#[test]
fn an_unpacked_store_with_a_journal_deletes_nothing_elsewhere() {
    let home = home();
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join(TEMPORARY), "precious\n").unwrap();
    symlink(&elsewhere, home.store().join("way")).unwrap();
    let delete = format!("way/{TEMPORARY}");
    plant(
        &journal(inode(&home.store()) + 1, &serde_json::json!([]), &[&delete]),
        &home.store().join(".hostseed.journal"),
        0o600,
    );
    refused(&home, &["ls"], "error[unusable-journal] was written for another folder");
    assert!(elsewhere.join(TEMPORARY).exists());
}

#[test]
fn only_leftovers_of_hostseed_are_deleted() {
    let home = home();
    let out = home.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(home.path().join("precious"), "precious\n").unwrap();
    let abandoned = ".hostseed-0123456789abcdef";
    let kept = [".hostseed-notes1", ".hostseed-0123456789ABCDEF", ".hostseed-fedcba9876543210", ".hostseed-"];
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    for dir in [home.path(), &out] {
        for name in [abandoned].iter().chain(&kept) {
            fs::write(dir.join(name), "key").unwrap();
            if *name != kept[2] {
                fs::File::options().write(true).open(dir.join(name)).unwrap().set_modified(hour_ago).unwrap();
            }
        }
        symlink(home.path().join("precious"), dir.join(".hostseed-00000000000000aa")).unwrap();
    }
    home.ok(&RENDER);
    home.ok(&["bake", "--format", "packer", "--out", "out"]);
    for dir in [home.path(), &out] {
        assert!(!dir.join(abandoned).exists(), "what a killed command left is still there");
        assert!(kept.iter().all(|name| dir.join(name).exists()), "{:?}", files_below(dir));
        assert!(dir.join(".hostseed-00000000000000aa").is_symlink());
    }
    // In the store, the lock shows that no command is running, so the age does not matter, only the name.
    for folder in ["machines", "certs"] {
        fs::write(home.store().join(folder).join(abandoned), "key").unwrap();
        fs::write(home.store().join(folder).join(".hostseed-notes1"), "mine").unwrap();
    }
    home.ok(&["address", "web1", "203.0.113.7"]);
    for folder in ["machines", "certs"] {
        assert!(!home.store().join(folder).join(abandoned).exists());
        assert!(home.store().join(folder).join(".hostseed-notes1").exists());
    }
}

#[test]
fn a_file_or_fifo_of_another_user_as_standard_output_receives_no_key() {
    if !need_root() {
        return;
    }
    let home = home();
    let file = home.path().join("file");
    let pipe = home.path().join("pipe");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    fifo(&pipe);
    for path in [&file, &pipe] {
        std::os::unix::fs::chown(path, Some(STRANGER), None).unwrap();
        let out = fs::File::options().read(true).write(true).open(path).unwrap();
        let output = home.command(&["render", "web1"]).stdout(out).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {stderr}", path.display());
        assert!(is_printed(&stderr, &format!("error[exposed-output] of user {STRANGER}")), "{stderr}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn a_fifo_in_the_store_fails_at_once() {
    let home = home();
    let machine = home.machine("web1");
    for file in ["config.json", "machine.yaml", "ca.pem", "server-key.pem", "cert.pem"] {
        let path = machine.join(file);
        let before = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fifo(&path);
        for args in [
            &["env", "web1"][..],
            &["render", "web1"],
            &["inspect", "web1"],
            &["rm", "-y", "web1"],
            &["address", "web1", "203.0.113.7"],
        ] {
            let output = ends(&home, args);
            assert_eq!(output.status.code(), Some(1), "{file}: {args:?}");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(is_printed(&stderr, "error[not-regular-file] is a FIFO"), "{file}: {args:?}: {stderr}");
        }
        assert_eq!(ends(&home, &["ls"]).status.code(), Some(0));
        fs::remove_file(&path).unwrap();
        fs::write(&path, before).unwrap();
    }
    let lock = home.store().join("hostseed.lock");
    fs::remove_file(&lock).unwrap();
    fifo(&lock);
    for args in [&["create", "web2"][..], &["rm", "-y", "web1"], &["address", "web1", "203.0.113.7"]] {
        refused(&home, args, "error[not-regular-file] hostseed.lock` is a FIFO, not a regular file");
    }
    fs::remove_file(&lock).unwrap();
    symlink("elsewhere", &lock).unwrap();
    refused(
        &home,
        &["create", "web2"],
        "error[not-regular-file] hostseed.lock` is a link, not a regular file",
    );
    assert!(!home.store().join("elsewhere").exists());
}

#[test]
fn a_fifo_in_place_of_a_ca_fails_at_once() {
    let home = home();
    fs::rename(home.store().join("certs/web1"), home.path().join("ca")).unwrap();
    for file in ["ca.pem", "ca-key.pem"] {
        let path = home.path().join("ca").join(file);
        fs::rename(&path, home.path().join("kept")).unwrap();
        fifo(&path);
        let output = ends(&home, &["create", "web2", "--address", "203.0.113.8", "--ca", "./ca"]);
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(is_printed(&stderr, "error[not-regular-file] is a FIFO"), "{stderr}");
        fs::rename(home.path().join("kept"), &path).unwrap();
    }
}

#[test]
fn a_store_path_that_is_not_utf_8_is_refused() {
    let home = Home::new();
    let store = home.path().join(std::ffi::OsStr::from_bytes(b"store-\xff"));
    let run = |args: &[&str]| home.command(args).env("MACHINE_STORAGE_PATH", &store).output().unwrap();
    let output = run(&["create", "web1", "--address", "203.0.113.7"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        is_printed(&stderr, "error[path-not-utf-8] is not UTF-8") && stderr.contains("hint: "),
        "{stderr}"
    );
    assert!(!store.exists());
    // A folder that was renamed to this name.
    home.ok(&["create", "web1", "--address", "203.0.113.7"]);
    fs::rename(home.store(), &store).unwrap();
    for args in [
        &["env", "web1"][..],
        &["config", "web1"],
        &["inspect", "web1"],
        &["address", "web1", "203.0.113.7"],
        &["render", "web1", "--format", "terraform", "--out", "out"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(is_printed(&stderr, "error[path-not-utf-8] is not UTF-8"), "{args:?}: {stderr}");
    }
    assert!(run(&["render", "web1"]).status.success() && run(&["url", "web1"]).status.success());
    assert!(run(&["rm", "-y", "web1"]).status.success());
}

#[test]
fn create_does_not_replace_an_existing_ca_folder() {
    let home = Home::new();
    let create = |name, more: &[&str]| {
        home.ok(&[&["create", name, "--quiet", "--address", "203.0.113.7"], more].concat())
    };
    create("web2", &[]);
    let ca = home.store().join("certs/web2");
    create("web3", &["--ca", ca.to_str().unwrap()]);
    fs::remove_dir_all(home.machine("web2")).unwrap();
    fs::write(ca.join("notes"), "mine\n").unwrap();
    let key = fs::read(ca.join("ca-key.pem")).unwrap();
    let stderr =
        refused(&home, &["create", "web2", "--quiet"], "error[ca-in-use] certs/web2` exists already");
    // Moving it would remove the CA of that machine.
    assert!(stderr.contains("contains the CA of `web3`") && !stderr.contains("mv "), "{stderr}");
    assert_eq!(fs::read(ca.join("ca-key.pem")).unwrap(), key);
    assert_eq!(fs::read_to_string(ca.join("notes")).unwrap(), "mine\n");
    assert!(!home.machine("web2").exists());
    home.ok(&["rm", "-y", "web3"]);
    let stderr =
        refused(&home, &["create", "web2", "--quiet"], "error[ca-folder-exists] certs/web2` exists already");
    assert!(!home.machine("web2").exists());
    // The command in the hint.
    let [command] = commands_of_hint(&stderr)[..] else { panic!("{stderr}") };
    run(Command::new("sh").args(["-c", command]));
    create("web2", &[]);
    assert_eq!(fs::read(home.store().join("certs/web2.old1/ca-key.pem")).unwrap(), key);
}

#[test]
fn rm_deletes_no_unknown_file() {
    let home = home();
    let notes = home.machine("web1").join("my notes");
    let backup = home.store().join("certs/web1/backup");
    fs::write(&notes, "mine\n").unwrap();
    fs::create_dir(&backup).unwrap();
    let stderr = refused(&home, &["rm", "-y", "web1"], "error[foreign-files] nothing was removed");
    for path in [&notes, &backup] {
        assert!(stderr.contains(&format!("`{}`", path.display())), "{stderr}");
        assert!(path.exists());
    }
    let [command] = commands_of_hint(&stderr)[..] else { panic!("{stderr}") };
    run(Command::new("sh").args(["-c", command]).current_dir(home.path()));
    assert_eq!(fs::read_to_string(home.path().join("my notes")).unwrap(), "mine\n");
    home.ok(&["rm", "-y", "web1"]);
    assert!(!home.machine("web1").exists() && !home.store().join("certs/web1").exists());
}

#[test]
fn rm_deletes_a_ca_only_with_its_machine() {
    let home = home();
    home.ok(&["create", "web2", "--quiet", "--address", "203.0.113.8"]);
    let (one, two) = (home.store().join("certs/web1"), home.store().join("certs/web2"));
    fs::remove_dir_all(&one).unwrap();
    fs::rename(&two, &one).unwrap();
    refused(&home, &["rm", "-y", "web1"], "error[foreign-files] certs/web1`");
    assert!(one.join("ca-key.pem").exists());
}

#[test]
fn rm_deletes_a_machine_of_a_docker_machine_driver_with_its_disks() {
    let home = home();
    let dir = home.machine("web1");
    let config = fs::read_to_string(dir.join("config.json")).unwrap();
    fs::write(
        dir.join("config.json"),
        config.replace(r#""DriverName": "none""#, r#""DriverName": "virtualbox""#),
    )
    .unwrap();
    fs::remove_file(dir.join("machine.yaml")).unwrap();
    for file in ["id_rsa", "id_rsa.pub", "boot2docker.iso", "disk.vmdk"] {
        fs::write(dir.join(file), "").unwrap();
        fs::set_permissions(dir.join(file), PermissionsExt::from_mode(0o600)).unwrap();
    }
    fs::create_dir(dir.join("web1")).unwrap();
    fs::write(dir.join("web1/web1.vbox"), "").unwrap();
    fs::write(dir.join("error[foreign-files] thesis.tex"), "").unwrap();
    let stderr = refused(&home, &["rm", "-y", "web1"], "error[foreign-files] thesis.tex");
    assert!(!stderr.contains("disk.vmdk") && !stderr.contains("id_rsa"), "{stderr}");
    fs::remove_file(dir.join("error[foreign-files] thesis.tex")).unwrap();
    home.ok(&["rm", "-y", "web1"]);
    assert!(!dir.exists());
}
