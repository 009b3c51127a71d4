//! Simulates a full disk, Ctrl-C and kill -9 at any moment. For each command that writes, strace fails or kills each
//! system call in turn. Afterwards the change must be complete or have no effect.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::support::docker_machine::DockerMachine;
use crate::support::extent::{sample, sample_in_full};
use crate::support::{Home, files_below, is_printed, mode, need, run, skip};

const BINARY: &str = env!("CARGO_BIN_EXE_hostseed");
const CREATE: [&str; 5] = ["create", "web1", "--address", "203.0.113.7", "--quiet"];
/// Creates a machine that must stay as it is. Its server certificate takes a fraction of the time that user-data with a boot issuer
/// takes, which is compressed more.
const OTHER: [&str; 5] = ["create", "other", "--address", "203.0.113.9", "--quiet"];
const FILES: [(&str, u32); 9] = [
    ("ca.pem", 0o644),
    ("cert.pem", 0o644),
    ("config.json", 0o600),
    ("env", 0o600),
    ("key.pem", 0o600),
    ("machine.yaml", 0o600),
    ("server-key.pem", 0o600),
    ("server.pem", 0o644),
    ("user-data", 0o600),
];
/// Outside CI only one of this many system calls is tested. The number has no common factor with the number of calls that
/// write a file.
const ONE_IN: usize = 29;
/// System calls that change files, sync them or lock them.
const CHANGES: &str = "openat,mkdir,mkdirat,write,pwrite64,fsync,fdatasync,syncfs,fchmod,fchmodat,chmod,flock,\
    rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,ftruncate";

/// A home folder that is as it was before each interruption. A copy takes a fraction of the time of the commands that made it.
pub struct Beginning {
    home: Home,
    copy: tempfile::TempDir,
}

impl Beginning {
    pub fn new(home: Home) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_all(home.path(), copy.path());
        Self { home, copy }
    }

    /// The home folder, put back.
    pub fn again(&self) -> &Home {
        for entry in fs::read_dir(self.home.path()).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => fs::remove_dir_all(entry.path()).unwrap(),
                false => fs::remove_file(entry.path()).unwrap(),
            }
        }
        copy_all(self.copy.path(), self.home.path());
        &self.home
    }

    /// Checks that all files of a machine and of its CA are as they were.
    fn assert_untouched(&self, name: &str, at: &str) {
        for folder in ["machines", "certs"] {
            let folder = Path::new(".docker/machine").join(folder).join(name);
            let [now, before] = [self.home.path(), self.copy.path()].map(|home| state(&home.join(&folder)));
            assert!(now == before && !now.is_empty(), "{at}: {} has changed", folder.display());
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from.join(".")).arg(to));
}

/// The content and mode of each file below a folder.
fn state(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let state = |file: PathBuf| {
        let path = dir.join(&file);
        (file, (fs::read(&path).unwrap(), mode(&path)))
    };
    files_below(dir).into_iter().map(state).collect()
}

/// Returns whether strace is installed and allowed.
pub fn may_trace() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    need("strace")
        && (*MAY.get_or_init(|| {
            let traced = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
            traced.is_ok_and(|output| output.status.success())
        }) || skip("the right to trace"))
}

/// A system call of the program. `nth` counts calls of the same name and thread from 1.
pub struct Call {
    pub name: String,
    nth: usize,
    pub line: String,
}

fn strace(home: &Home, options: &[&str], args: &[&str]) -> Command {
    let plain = home.command(args);
    // Tests that run in the background may ignore Ctrl-C.
    let mut command = Command::new("env");
    command
        .args(["--default-signal=INT", "strace", "-f", "-qq"])
        .args(options)
        .arg("--")
        .arg(BINARY)
        .args(args)
        .stdin(Stdio::null());
    command.current_dir(home.path());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// The system calls of a successful run that use files in `home`, in order.
pub fn calls(home: &Home, args: &[&str]) -> Vec<Call> {
    let trace = home.path().join("trace");
    let trace_option = format!("trace={CHANGES}");
    run(&mut strace(home, &["-y", "-s", "0", "-o", trace.to_str().unwrap(), "-e", &trace_option], args));
    let text = fs::read_to_string(&trace).unwrap();
    fs::remove_file(&trace).unwrap();
    // strace counts the calls of each thread.
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        let nth = seen.entry((thread, name)).or_default();
        *nth += 1;
        // strace prints the current folder with each path, also with the loader's.
        let call = call.replace(&format!("AT_FDCWD<{}>", home.path().display()), "AT_FDCWD");
        if call.contains(home.path().to_str().unwrap()) {
            calls.push(Call { name: name.to_owned(), nth: *nth, line: call.trim().to_owned() });
        }
    }
    assert!(!calls.is_empty(), "strace shows no call in {}", home.path().display());
    calls
}

/// Runs the program and injects a fault into one system call.
pub fn tamper(home: &Home, call: &Call, how: &str, args: &[&str]) -> Output {
    let name = &call.name;
    let inject = format!("inject={name}:{how}:when={}", call.nth);
    strace(home, &["-o", "/dev/null", "-e", &format!("trace={name}"), "-e", &inject], args).output().unwrap()
}

/// Temporary files and folders, journals, and output lock files below `dir`, which must not be left.
pub fn unfinished(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if name.starts_with(".hostseed") && name != ".hostseed.sha256" {
            found.push(path);
        } else if path.is_dir() && !path.is_symlink() {
            found.extend(unfinished(&path));
        }
    }
    found.sort();
    found
}

/// Checks that other users cannot read any file that can contain a private key.
fn assert_private(store: &Path, at: &str) {
    for file in files_below(store) {
        let path = store.join(&file);
        let text = fs::read_to_string(&path).unwrap();
        let public = text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY")
            || text.is_empty()
                && ["ca.pem", "cert.pem", "issuer.pem", "server.pem"].iter().any(|name| file.ends_with(name));
        assert!(public || mode(&path) & 0o077 == 0, "{at}: {} is {:04o}", file.display(), mode(&path));
        for parent in path.ancestors().skip(1).take_while(|dir| dir.starts_with(store)) {
            assert_eq!(mode(parent), 0o700, "{at}: {}", parent.display());
        }
    }
}

/// Returns whether the machine exists. If it does, checks that it is complete, and that the commands that read it agree.
fn is_whole_or_missing(home: &Home, name: &str, at: &str) -> bool {
    let dir = home.machine(name);
    let listed = home.ok(&["ls", "-q"]).lines().any(|line| line == name);
    assert_eq!(listed, dir.symlink_metadata().is_ok(), "{at}: `ls` and the folder disagree");
    if !listed {
        return false;
    }
    assert_complete(home, name, at);
    let env = home.ok(&["env", name, "--shell", "sh"]);
    assert!(env.starts_with(&fs::read_to_string(dir.join("env")).unwrap()), "{at}: {env}");
    home.ok(&["inspect", name, "--json"]);
    true
}

/// Checks that a machine has all its files, and that its user-data is the one that its identity makes.
fn assert_complete(home: &Home, name: &str, at: &str) {
    let dir = home.machine(name);
    let mut names: Vec<_> = files_below(&dir).iter().map(|file| file.display().to_string()).collect();
    names.retain(|name| !name.starts_with("previous/"));
    // A machine without an address has a boot issuer instead of a server certificate.
    let issues = names.iter().any(|name| name == "issuer.pem");
    let mut wanted: Vec<_> =
        FILES.map(|(file, _)| if issues { file.replace("server", "issuer") } else { file.into() }).into();
    wanted.sort();
    assert_eq!(names, wanted, "{at}");
    for (file, wanted) in FILES {
        let file = if issues { &file.replace("server", "issuer") } else { file };
        let path = dir.join(file);
        assert_eq!(mode(&path), wanted, "{at}: {file}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'), "{at}: {file} is cut off");
        if file.ends_with(".pem") {
            assert!(text.starts_with("-----BEGIN ") && text.trim_end().ends_with("-----"), "{at}: {file}");
        }
    }
    assert_eq!(mode(&dir), 0o700, "{at}");
    let render = home.ok(&["render", name]);
    assert_eq!(
        render,
        fs::read_to_string(dir.join("user-data")).unwrap(),
        "{at}: another seed than it was made with"
    );
}

/// Checks that a machine's CA is complete and is the one that signed its certificates.
fn assert_authority(home: &Home, machine: &str, authority: &str, at: &str) {
    let certs = home.store().join("certs").join(authority);
    let key = fs::read_to_string(certs.join("ca-key.pem"))
        .unwrap_or_else(|error| panic!("{at}: ca-key.pem: {error}"));
    assert!(key.ends_with("-----END PRIVATE KEY-----\n"), "{at}");
    let same =
        fs::read(certs.join("ca.pem")).unwrap() == fs::read(home.machine(machine).join("ca.pem")).unwrap();
    assert!(same, "{at}: certs/{authority}/ca.pem is another authority's");
}

/// The store before the interrupted command, and the CA of the new machine.
#[derive(Clone, Copy)]
struct Start {
    other_machine: bool,
    shared: bool,
}

impl Start {
    const EMPTY: Self = Self { other_machine: false, shared: false };
    const USED: Self = Self { other_machine: true, shared: false };
    const SHARED: Self = Self { other_machine: false, shared: true };

    fn prepare(self) -> Beginning {
        let home = Home::new();
        if self.other_machine {
            home.ok(&OTHER);
        }
        Beginning::new(home)
    }

    fn create(self) -> Vec<&'static str> {
        let ca = if self.shared { "shared" } else { "own" };
        [&CREATE[..], &["--ca", ca]].concat()
    }

    fn authority(self) -> &'static str {
        if self.shared { "" } else { "web1" }
    }

    /// Checks that the store is valid after an interruption, and that the command succeeds when it is repeated.
    fn check(self, beginning: &Beginning, at: &str) {
        let home = &beginning.home;
        assert_private(&home.store(), at);
        if self.other_machine {
            beginning.assert_untouched("other", at);
        }
        if is_whole_or_missing(home, "web1", at) {
            assert_authority(home, "web1", self.authority(), at);
            let stderr = home.fails(1, &self.create());
            assert!(is_printed(&stderr, "error[machine-exists] already exists"), "{at}: {stderr}");
        } else {
            home.ok(&self.create());
            assert_complete(home, "web1", at);
            assert_authority(home, "web1", self.authority(), at);
            assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}: leftovers are not swept");
        }
        assert_private(&home.store(), at);
    }
}

/// Fails each system call of `create` once.
fn fail_each_call(start: Start, error: &str, told: &str) {
    if !may_trace() {
        return;
    }
    let beginning = start.prepare();
    let calls = sample(calls(beginning.again(), &start.create()), ONE_IN);
    eprintln!("create, {error}: {} points", calls.len());
    for call in calls {
        // An I/O error occurs when bytes reach the disk.
        if error == "EIO" && !["write", "fsync"].contains(&call.name.as_str()) {
            continue;
        }
        let home = beginning.again();
        let output = tamper(home, &call, &format!("error={error}"), &start.create());
        let stderr = String::from_utf8_lossy(&output.stderr);
        let at = format!("{error} at {} {}: {stderr}", call.name, call.line);
        let there = is_whole_or_missing(home, "web1", &at);
        match output.status.code() {
            Some(0) => assert!(there, "{at}: success without a machine"),
            // The machine exists if only reading it back failed.
            Some(1) if there => assert!(!stderr.contains("nothing was changed"), "{at}"),
            Some(1) => {
                assert!(
                    stderr.starts_with("error[unreadable-file]: cannot read ")
                        || stderr.starts_with("error[write-failed]: cannot ")
                            && stderr.contains("nothing was changed"),
                    "{at}"
                );
                assert!(stderr.contains(home.path().to_str().unwrap()), "{at}: it does not say where");
                assert!(stderr.contains(told), "{at}: it does not say why");
                let certs = home.store().join("certs/web1");
                assert!(!certs.exists(), "{at}: the authority of no machine is left");
            }
            status => panic!("{at}: ended with {status:?}"),
        }
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
        start.check(&beginning, &at);
    }
}

/// Stops `create` with a signal before each of its system calls.
fn stop_before_each_call(start: Start, signal: &str) {
    if !may_trace() {
        return;
    }
    let beginning = start.prepare();
    let calls = sample(calls(beginning.again(), &start.create()), ONE_IN);
    eprintln!("create, {signal}: {} points", calls.len());
    for call in calls {
        let output = tamper(beginning.again(), &call, &format!("signal={signal}"), &start.create());
        let at = format!("{signal} at {}", call.line);
        assert!(!output.status.success(), "{at}: it was not stopped");
        start.check(&beginning, &at);
    }
}

#[test]
fn a_full_disk_at_any_moment_of_the_first_create_leaves_no_machine_or_a_complete_one() {
    fail_each_call(Start::EMPTY, "ENOSPC", "no space left on device");
}

#[test]
fn a_full_disk_at_any_moment_of_a_later_create_leaves_no_machine_or_a_complete_one() {
    fail_each_call(Start::USED, "ENOSPC", "no space left on device");
}

#[test]
fn a_full_disk_at_any_moment_of_a_create_with_the_shared_ca_leaves_all_or_nothing() {
    fail_each_call(Start::SHARED, "ENOSPC", "no space left on device");
}

#[test]
fn an_io_error_at_any_moment_leaves_no_machine_or_a_complete_one() {
    fail_each_call(Start::EMPTY, "EIO", "nput/output error");
}

#[test]
fn kill_9_at_any_moment_of_the_first_create_leaves_no_machine_or_a_complete_one() {
    stop_before_each_call(Start::EMPTY, "KILL");
}

#[test]
fn kill_9_at_any_moment_of_a_later_create_leaves_no_machine_or_a_complete_one() {
    stop_before_each_call(Start::USED, "KILL");
}

#[test]
fn kill_9_at_any_moment_of_a_create_with_the_shared_ca_leaves_all_or_nothing() {
    stop_before_each_call(Start::SHARED, "KILL");
}

#[test]
fn ctrl_c_at_any_moment_leaves_no_machine_or_a_complete_one() {
    stop_before_each_call(Start::EMPTY, "INT");
}

/// Kills a command that changes `web1` before each of its system calls. Afterwards all of its files must be those of before, or all new
/// with the old ones in `previous`.
fn kill_before_each_call(create: &[&str], command: &[&str]) {
    if !may_trace() {
        return;
    }
    let home = Home::new();
    home.ok(create);
    let beginning = Beginning::new(home);
    let pem = |dir: PathBuf| -> Vec<Vec<u8>> {
        let files = ["cert.pem", "key.pem", "server.pem", "server-key.pem"];
        files.iter().map(|file| fs::read(dir.join(file)).unwrap()).collect()
    };
    let (mut old, mut new) = (0, 0);
    let calls = points(calls(beginning.again(), command));
    for call in calls {
        let home = beginning.again();
        let before = pem(home.machine("web1"));
        let output = tamper(home, &call, "signal=KILL", command);
        let at = format!("{command:?} at {}", call.line);
        assert!(!output.status.success(), "{at}: it was not stopped");
        assert_private(&home.store(), &at);
        assert!(is_whole_or_missing(home, "web1", &at), "{at}: the machine is gone");
        let (after, previous) = (pem(home.machine("web1")), home.machine("web1").join("previous"));
        if after == before {
            old += 1;
            assert!(!previous.exists(), "{at}");
        } else {
            new += 1;
            assert!(after.iter().zip(&before).all(|(after, before)| after != before), "{at}: a mixture");
            assert!(pem(previous) == before, "{at}");
        }
        // A new CA that no host has presented is not replaced.
        if after == before || !command.contains(&"--authority") {
            home.ok(command);
            assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}: leftovers are not swept");
        }
        home.ok(&["renew", "--undo", "--yes", "web1"]);
        assert!(pem(home.machine("web1")) == before, "{at}");
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
    }
    eprintln!("{command:?}: {old} before, {new} after the change");
    assert!(old > 0 && new > 0, "{command:?}: {old}, {new}");
}

#[test]
fn kill_9_at_any_moment_of_renew_leaves_all_old_or_all_new_files() {
    kill_before_each_call(&CREATE, &["renew", "web1", "--quiet"]);
}

#[test]
fn kill_9_at_any_moment_of_a_new_ca_leaves_all_old_or_all_new_files() {
    kill_before_each_call(&CREATE, &["renew", "--authority", "--yes", "web1", "--quiet"]);
}

/// A command that runs a `sh` script as root in a separate mount namespace, which an ordinary user can also create.
pub fn in_namespace(home: &Home, script: &str, args: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).args(args);
    command
        .env("HOME", home.path())
        .env_remove("MACHINE_STORAGE_PATH")
        // In a namespace of an ordinary user, `/` belongs to a user that is not known there.
        .env("HOSTSEED_ALLOW_INSECURE_STORE", "1")
        .current_dir(home.path())
        .stdin(Stdio::null());
    command
}

pub fn may_mount(home: &Home) -> bool {
    need("unshare")
        && (in_namespace(home, "mount -t tmpfs none .", &[]).output().is_ok_and(|o| o.status.success())
            || skip("a mount namespace"))
}

#[test]
fn a_full_disk_keeps_no_machine_and_no_keys() {
    let home = Home::new();
    if !may_mount(&home) {
        return;
    }
    fs::create_dir(home.path().join("small")).unwrap();
    let script = r#"
        mount -t tmpfs -o "$1" none small || exit 90
        "$2" --store small/store create web1 --address 203.0.113.7 --quiet 2>small.err; status=$?
        if [ $status = 0 ]; then
            "$2" --store small/store render web1 | cmp -s - small/store/machines/web1/user-data || exit 91
            exit 0
        fi
        [ -z "$("$2" --store small/store ls -q)" ] || exit 92
        [ -z "$(find small -name '*.pem' -o -name user-data -o -name '.hostseed-*')" ] || exit 93
        exit $status
    "#;
    let blocks = (1..24).map(|n| format!("size={}k", n * 4));
    let inodes = (2..24).map(|n| format!("nr_inodes={n}"));
    let mut statuses = Vec::new();
    for limit in blocks.chain(inodes) {
        let output = in_namespace(&home, script, &[&limit, BINARY]).output().unwrap();
        let stderr = fs::read_to_string(home.path().join("small.err")).unwrap();
        let status = output.status.code().unwrap();
        match status {
            0 => {}
            1 => {
                assert!(stderr.contains("no space left on device (nothing was changed)"), "{limit}: {stderr}")
            }
            status => panic!("{limit}: {status}: {stderr}"),
        }
        statuses.push(status);
    }
    assert!(statuses.contains(&0) && statuses.contains(&1), "{statuses:?}");
}

#[test]
fn a_read_only_store_is_reported_and_its_machines_still_work() {
    let home = Home::new();
    if !may_mount(&home) {
        return;
    }
    fs::create_dir(home.path().join("store")).unwrap();
    let script = r#"
        mount -t tmpfs none store || exit 90
        "$1" --store store create old --quiet || exit 91
        mount -o remount,bind,ro store || exit 92
        for command in 'ls -q' 'env old' 'render old' 'config old' 'inspect old' 'url old' 'ip old'; do
            "$1" --store store $command >/dev/null || exit 93
        done
        "$1" --store store address old localhost 2>>said && exit 94
        "$1" --store store rm -y old 2>>said && exit 95
        "$1" --store store renew old 2>>said && exit 97
        [ "$("$1" --store store ls -q)" = old ] || exit 96
        "$1" --store store create web1 2>>said
    "#;
    let output = in_namespace(&home, script, &[BINARY]).output().unwrap();
    let said = fs::read_to_string(home.path().join("said")).unwrap_or_default();
    assert_eq!(output.status.code(), Some(1), "{}{said}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().count(), 4, "{said}");
    for line in said.lines() {
        assert!(line.starts_with("error[write-failed]: cannot ") && line.contains("/store/"), "{said}");
        assert!(line.contains("ead-only file system") && line.ends_with("(nothing was changed)"), "{said}");
    }
}

#[test]
fn a_file_in_place_of_the_store_is_not_changed() {
    let home = Home::new();
    fs::write(home.path().join("notes"), "mine\n").unwrap();
    let stderr = home.fails(2, &["--store", "notes", "create", "web1"]);
    assert!(stderr.starts_with("error[unreadable-file]: cannot ") && stderr.contains("/notes"), "{stderr}");
    for args in [&["ls"][..], &["env", "web1"], &["rm", "-y", "web1"], &["inspect", "web1"]] {
        home.fails(2, &[&["--store", "notes"], args].concat());
    }
    assert_eq!(fs::read_to_string(home.path().join("notes")).unwrap(), "mine\n");
}

#[test]
fn a_store_below_a_file_is_reported() {
    let home = Home::new();
    fs::write(home.path().join(".docker"), "").unwrap();
    let stderr = home.fails(1, &CREATE);
    assert!(
        stderr.contains("/.docker`") && stderr.contains("a file exists where a folder is needed"),
        "{stderr}"
    );
}

#[test]
fn without_home_the_store_option_is_enough() {
    let home = Home::new();
    let store = home.path().join("elsewhere");
    let run = |by_option: bool, args: &[&str]| {
        let named = if by_option { vec!["--store", store.to_str().unwrap()] } else { Vec::new() };
        let mut command = home.command(&[&named[..], args].concat());
        command.env_remove("HOME");
        if !by_option {
            command.env("MACHINE_STORAGE_PATH", &store);
        }
        command.output().unwrap()
    };
    assert!(run(true, &CREATE).status.success());
    assert_eq!(run(false, &["ls", "-q"]).stdout, b"web1\n");
    assert!(run(false, &["create", "web2"]).status.success());
    assert_eq!(run(true, &["ls", "-q"]).stdout, b"web1\nweb2\n");
    assert!(!home.path().join(".docker").exists());
    // Without both variables, the user database may still have a home folder. The command must not crash.
    let bare = home.command(&["ls", "-q"]).env_remove("HOME").output().unwrap();
    assert!(matches!(bare.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&bare.stderr));
}

/// Contents and metadata of a store's files, which show whether a file was written.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32, i64, i64, u64)> {
    let mut paths = files_below(dir);
    let parents: Vec<_> =
        paths.iter().flat_map(|file| file.ancestors().skip(1).map(Path::to_owned)).collect();
    paths.extend(parents);
    let state = |path: PathBuf| {
        let full = dir.join(&path);
        let meta = fs::metadata(&full).unwrap();
        let bytes = if meta.is_file() { fs::read(&full).unwrap() } else { Vec::new() };
        (path, (bytes, meta.permissions().mode(), meta.mtime(), meta.mtime_nsec(), meta.ino()))
    };
    paths.into_iter().map(state).collect()
}

#[test]
fn an_existing_name_changes_nothing() {
    for ca in ["own", "shared"] {
        let home = Home::new();
        home.ok(&["create", "web1", "--address", "203.0.113.7", "--ca", ca]);
        let before = snapshot(&home.store());
        for options in
            [&["--ca", ca][..], &["--ca", "own"], &["--ca", "shared"], &["--key", "p384", "--port", "2377"]]
        {
            let stderr = home.fails(1, &[&CREATE[..], options].concat());
            let expected = "error[machine-exists] machine `web1` already exists (nothing was changed)";
            assert!(is_printed(&stderr, expected), "{stderr}");
            assert!(snapshot(&home.store()) == before, "{ca}: {options:?} changed something");
        }
    }
}

#[test]
fn an_existing_folder_or_link_of_that_name_is_not_changed() {
    let home = Home::new();
    fs::create_dir_all(home.machine("web1")).unwrap();
    std::os::unix::fs::symlink("/nowhere", home.machine("web2")).unwrap();
    for name in ["web1", "web2"] {
        let stderr = home.fails(1, &["create", name]);
        assert!(is_printed(&stderr, "error[machine-exists] already exists"), "{stderr}");
    }
    assert_eq!(files_below(&home.machine("web1")), Vec::<PathBuf>::new());
    assert_eq!(fs::read_link(home.machine("web2")).unwrap(), Path::new("/nowhere"));
}

/// Runs several commands at once and waits for all of them.
fn at_once(home: &Home, commands: &[Vec<&str>]) -> Vec<Output> {
    let start =
        |args: &Vec<&str>| home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = commands.iter().map(start).collect();
    children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

#[test]
fn of_two_concurrent_creates_of_one_machine_exactly_one_succeeds() {
    for round in 0..10 {
        let home = Home::new();
        // The addresses differ, so that a mixture of both machines would be noticed.
        let create = |address| vec!["create", "web1", "--quiet", "--address", address];
        let addresses = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
        let outputs = at_once(&home, &addresses.map(create));
        let winners: Vec<_> = addresses.iter().zip(&outputs).filter(|(_, o)| o.status.success()).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        for loser in outputs.iter().filter(|output| !output.status.success()) {
            let stderr = String::from_utf8_lossy(&loser.stderr);
            assert_eq!(loser.status.code(), Some(1), "{stderr}");
            let expected = "error[machine-exists] already exists (nothing was changed)";
            assert!(is_printed(&stderr, expected), "{stderr}");
        }
        assert!(is_whole_or_missing(&home, "web1", "two at once"));
        assert_authority(&home, "web1", "web1", "two at once");
        assert_eq!(home.ok(&["ip", "web1"]).trim(), *winners[0].0);
        assert!(home.ok(&["inspect", "web1"]).contains(winners[0].0));
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new());
    }
}

#[test]
fn eight_concurrent_creates_make_eight_machines() {
    let home = Home::new();
    let names: Vec<_> = (1..=8).map(|n| format!("web{n}")).collect();
    let commands: Vec<_> = names.iter().map(|name| vec!["create", name.as_str(), "--quiet"]).collect();
    for output in at_once(&home, &commands) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(home.ok(&["ls", "-q"]).lines().collect::<Vec<_>>(), names);
    for name in &names {
        assert!(is_whole_or_missing(&home, name, "eight at once"));
        assert_authority(&home, name, name, "eight at once");
    }
}

#[test]
fn concurrent_creates_with_the_shared_ca_use_one_ca() {
    let home = Home::new();
    let names: Vec<_> = (1..=6).map(|n| format!("web{n}")).collect();
    let commands: Vec<_> = names
        .iter()
        .map(|name| vec!["create", name.as_str(), "--quiet", "--address", "203.0.113.7", "--ca", "shared"])
        .collect();
    for (name, output) in names.iter().zip(at_once(&home, &commands)) {
        if !output.status.success() {
            // Another command made the CA first. The error says so, and the second try uses that CA.
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(
                stderr.contains("nothing was changed") && stderr.contains("hint: run this again"),
                "{stderr}"
            );
            home.ok(&["create", name, "--quiet", "--address", "203.0.113.7", "--ca", "shared"]);
        }
    }
    for name in &names {
        assert!(is_whole_or_missing(&home, name, "shared at once"));
        assert_authority(&home, name, "", "shared at once");
    }
}

/// The calls at which a command is interrupted that changes the store as `create` does, which is interrupted at each call: one in three
/// in CI.
pub fn points(calls: Vec<Call>) -> Vec<Call> {
    sample(sample_in_full(calls, 3), ONE_IN)
}

/// Interrupts a command at its system calls, in each way, and calls `check` for the result.
fn interrupt_each_call(
    prepare: impl Fn(&Home),
    args: &[&str],
    ways: &[&str],
    check: impl Fn(&Beginning, &Output, &str),
) {
    if !may_trace() {
        return;
    }
    let home = Home::new();
    prepare(&home);
    let beginning = Beginning::new(home);
    let calls = points(calls(beginning.again(), args));
    eprintln!("{args:?}: {} points", calls.len() * ways.len());
    for call in &calls {
        for how in ways {
            let output = tamper(beginning.again(), call, how, args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            let at = format!("{args:?}, {how} at {} {}: {stderr}", call.name, call.line);
            assert!(!stderr.contains("panicked"), "{at}");
            check(&beginning, &output, &at);
        }
    }
}

const KILL: &str = "signal=KILL";

fn create_both(home: &Home) {
    home.ok(&CREATE);
    home.ok(&["create", "web2", "--address", "203.0.113.8", "--quiet"]);
}

/// Checks that every private key in a store belongs to a machine that `ls` lists.
fn assert_no_stray_key(home: &Home, at: &str) {
    let listed = home.ok(&["ls", "-q"]);
    for file in files_below(&home.store()) {
        let text = fs::read_to_string(home.store().join(&file)).unwrap();
        let machine = file.iter().nth(1).unwrap_or_default().to_string_lossy().into_owned();
        assert!(
            !text.contains("PRIVATE KEY") || listed.lines().any(|name| name == machine),
            "{at}: {} is of no machine",
            file.display()
        );
    }
}

fn rm_leaves_all_or_none(names: &[&str], ways: &[&str]) {
    let prepare = |home: &Home| {
        home.ok(&OTHER);
        create_both(home);
    };
    let args = [&["rm", "-y", "--quiet"], names].concat();
    interrupt_each_call(prepare, &args, ways, |beginning, output, at| {
        let home = &beginning.home;
        // The next command only reads.
        let there: Vec<_> = names.iter().map(|name| is_whole_or_missing(home, name, at)).collect();
        assert!(there.iter().all(|other| *other == there[0]), "{at}: one of two is gone: {there:?}");
        for name in ["other", "web1", "web2"].iter().filter(|name| there[0] || !names.contains(name)) {
            beginning.assert_untouched(name, at);
        }
        if output.status.success() {
            assert!(!there[0], "{at}: said to be removed");
        } else if output.status.code() == Some(1) && !there[0] {
            assert!(!String::from_utf8_lossy(&output.stderr).contains("nothing was changed"), "{at}");
        }
        assert_private(&home.store(), at);
        if !there[0] && output.status.code() != Some(1) {
            assert_no_stray_key(home, at);
        }
        // The next command that writes deletes the leftovers of this one.
        home.ok(&["address", "--force", "other", "198.51.100.7"]);
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
        assert_no_stray_key(home, at);
        if there[0] {
            home.ok(&[&["rm", "-y"], names].concat());
        }
        create_again(home, names, at);
    });
}

fn create_again(home: &Home, names: &[&str], at: &str) {
    for name in names {
        home.ok(&["create", name, "--address", "203.0.113.8", "--quiet"]);
        assert_authority(home, name, name, at);
    }
}

#[test]
fn rm_killed_at_any_moment_leaves_the_machine_complete_or_deleted() {
    rm_leaves_all_or_none(&["web1"], &[KILL]);
}

#[test]
fn rm_with_an_io_error_leaves_the_machine_complete_or_deleted() {
    rm_leaves_all_or_none(&["web1"], &["error=EIO"]);
}

#[test]
fn rm_of_several_killed_at_any_moment_leaves_all_or_none() {
    rm_leaves_all_or_none(&["web1", "web2"], &[KILL]);
}

#[test]
fn rm_of_several_with_an_io_error_leaves_all_or_none() {
    rm_leaves_all_or_none(&["web1", "web2"], &["error=EIO"]);
}

#[test]
fn create_with_a_foreign_ca_interrupted_at_any_moment_leaves_all_or_nothing() {
    let prepare = |home: &Home| {
        home.ok(&["create", "signs", "--address", "203.0.113.9", "--quiet"]);
        fs::rename(home.store().join("certs/signs"), home.path().join("ca")).unwrap();
    };
    let args = [&CREATE[..], &["--ca", "./ca"]].concat();
    interrupt_each_call(prepare, &args, &[KILL, "error=ENOSPC"], |beginning, output, at| {
        let home = &beginning.home;
        let there = is_whole_or_missing(home, "web1", at);
        assert!(there || !output.status.success(), "{at}: success without a machine");
        assert_private(&home.store(), at);
        if output.status.code() == Some(1) {
            assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
        }
        if !there {
            home.ok(&args);
        } else {
            home.ok(&["address", "--force", "signs", "198.51.100.7"]);
        }
        assert_complete(home, "web1", at);
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
        assert_eq!(files_below(&home.path().join("ca")).len(), 2, "{at}");
    });
}

#[test]
fn rename_interrupted_at_any_moment_leaves_the_machine_under_one_name() {
    let prepare = |home: &Home| {
        home.ok(&CREATE);
        let ca = home.store().join("certs/web1");
        home.ok(&["create", "other", "--address", "203.0.113.8", "--ca", ca.to_str().unwrap(), "--quiet"]);
    };
    let args = ["rename", "web1", "web9", "--quiet"];
    let ways = [KILL, "error=ENOSPC"];
    let names = ["web1", "web9"];
    interrupt_each_call(prepare, &args, &ways, |beginning, output, at| {
        let home = &beginning.home;
        // The next command only reads.
        let there: Vec<_> = names.into_iter().filter(|name| is_whole_or_missing(home, name, at)).collect();
        let [name] = there[..] else { panic!("{at}: {there:?}") };
        assert_authority(home, name, name, at);
        let record = fs::read_to_string(home.machine(name).join("config.json")).unwrap();
        let other = names.into_iter().find(|other| *other != name).unwrap();
        assert!(!record.contains(other), "{at}: {record}");
        assert!(is_whole_or_missing(home, "other", at), "{at}: the machine with the same CA is gone");
        for file in ["config.json", "machine.yaml"] {
            let text = fs::read_to_string(home.machine("other").join(file)).unwrap();
            assert!(text.contains(&format!("certs/{name}")), "{at}: {text}");
        }
        match output.status.code() {
            Some(0) => assert_eq!(name, "web9", "{at}"),
            Some(_) if at.contains("nothing was changed") => assert_eq!(name, "web1", "{at}"),
            _ => {}
        }
        assert_private(&home.store(), at);
        let stderr = home.fails(1, &["rm", "-y", name]);
        assert!(is_printed(&stderr, "error[ca-in-use] "), "{at}: {stderr}");
        if name == "web1" {
            home.ok(&args);
        } else {
            home.ok(&["address", "other", "203.0.113.8"]);
        }
        assert_complete(home, "web9", at);
        assert_authority(home, "web9", "web9", at);
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
    });
}

#[test]
fn address_interrupted_at_any_moment_changes_both_files_or_none() {
    let prepare = |home: &Home| {
        home.ok(&[&CREATE[..], &["--address", "198.51.100.9"]].concat());
    };
    let args = ["address", "web1", "198.51.100.9", "--quiet"];
    let (old, new) = ("tcp://203.0.113.7:2376", "tcp://198.51.100.9:2376");
    interrupt_each_call(prepare, &args, &[KILL, "error=ENOSPC"], |beginning, output, at| {
        let home = &beginning.home;
        let stderr = String::from_utf8_lossy(&output.stderr);
        // The next command only reads.
        let url = home.ok(&["url", "web1"]);
        let env = fs::read_to_string(home.machine("web1").join("env")).unwrap();
        assert!([old, new].contains(&url.trim()), "{at}: {url}");
        assert!(env.lines().count() == 4 && env.contains(url.trim()), "{at}: config.json has {url}: {env}");
        if stderr.contains("nothing was changed") {
            assert_eq!(url.trim(), old, "{at}");
        }
        assert!(!output.status.success() || url.trim() == new, "{at}: said to be recorded");
        assert!(is_whole_or_missing(home, "web1", at), "{at}");
        assert_private(&home.store(), at);
        // The second try succeeds, and no leftovers of the first one remain.
        home.ok(&args);
        assert_eq!(home.ok(&["url", "web1"]).trim(), new, "{at}");
        assert!(fs::read_to_string(home.machine("web1").join("env")).unwrap().contains(new), "{at}");
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
    });
}

#[test]
fn import_from_docker_machine_interrupted_at_any_moment_takes_over_all_or_nothing() {
    if !need("openssl") {
        return;
    }
    let original = tempfile::tempdir().unwrap();
    let docker_machine = DockerMachine::new(&original.path().join("machine"));
    docker_machine.machine("web1", "generic", "203.0.113.7", 2376);
    run(Command::new("chmod").args(["-R", "go=", original.path().to_str().unwrap()]));
    let before = contents(&docker_machine.root);
    for (folder, words) in [(".docker/machine", &["web1"][..]), ("other", &["./other", "web1"])] {
        let prepare = |home: &Home| {
            let to = home.path().join(folder);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            run(Command::new("cp").arg("-a").args([&docker_machine.root, &to]));
        };
        let args = [&["import", "--docker-machine", "--quiet"], words].concat();
        interrupt_each_call(prepare, &args, &[KILL, "error=ENOSPC"], |beginning, output, at| {
            let home = &beginning.home;
            let listed = home.ok(&["ls", "-q"]) == "web1\n";
            let made =
                ["machine.yaml", "user-data", "env"].map(|file| home.machine("web1").join(file).exists());
            assert!(made == [true; 3] || made == [false; 3], "{at}: {made:?}");
            assert!(!output.status.success() || made[0], "{at}: said to be taken over");
            let after = contents(&home.path().join(folder));
            assert!(before.iter().all(|(file, content)| after[file] == *content), "{at}: a file has changed");
            assert!(folder == ".docker/machine" || listed == made[0], "{at}: a part of the machine is there");
            home.ok(&args);
            assert!(home.ok(&["render", "web1", "--quiet"]).starts_with("#cloud-config"), "{at}");
            // A machine that was there before the second try left nothing for it to sweep.
            home.ok(&["address", "web1", "203.0.113.7", "--quiet"]);
            assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
        });
    }
}

/// The contents of a folder's files, without temporary files, and without the record and the `.gitignore`, to which a command
/// adds lines.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(dir).into_iter();
    let hidden = [".hostseed", ".gitignore"];
    let is_hidden =
        |part: &std::ffi::OsStr| hidden.iter().any(|name| part.to_string_lossy().starts_with(name));
    let named = files.filter(|file| !file.iter().any(is_hidden));
    named.map(|file| (file.clone(), fs::read(dir.join(file)).unwrap())).collect()
}

/// Makes a file that an interrupted command left look one hour old.
fn age(path: &Path) {
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::open(path).unwrap().set_modified(hour_ago).unwrap();
}

/// Makes hostseed take all files of an output folder for its own.
fn record(dir: &Path) {
    let line = |(file, bytes): (PathBuf, Vec<u8>)| {
        format!("{}  {}\n", hostseed::digest::sha256(&bytes), file.display())
    };
    let lines: String = contents(dir).into_iter().map(line).collect();
    let comment = "# The files that hostseed wrote here. It replaces a file that has changed since only with `--force`.\n\
        # To see which have changed: sha256sum --check .hostseed.sha256\n";
    fs::write(dir.join(".hostseed.sha256"), comment.to_owned() + &lines).unwrap();
}

/// Interrupts a command that writes `out`, a file or a folder, in the home folder. If `exists` is set, `out` contains old
/// files first.
fn output_is_old_or_new(exists: bool, args: &[&str], out: &str) {
    if !may_trace() {
        return;
    }
    let home = Home::new();
    home.ok(&CREATE);
    let path = home.path().join(out);
    let state = || match path.is_file() {
        true => BTreeMap::from([(PathBuf::new(), fs::read(&path).unwrap())]),
        false => contents(&path),
    };
    home.ok(args);
    let new = state();
    let at = |file: &PathBuf| if file == Path::new("") { path.clone() } else { path.join(file) };
    let private: Vec<_> =
        new.iter().filter(|(file, _)| mode(&at(file)) == 0o600).map(|(_, bytes)| bytes).collect();
    if exists {
        for file in new.keys() {
            let file = at(file);
            fs::write(&file, format!("old {}\n", file.display())).unwrap();
        }
        if path.is_dir() {
            record(&path);
        }
    } else if path.is_dir() {
        fs::remove_dir_all(&path).unwrap();
    } else {
        fs::remove_file(&path).unwrap();
    }
    let old = state();
    assert_eq!(old.len(), if exists { new.len() } else { 0 });
    let beginning = Beginning::new(home);
    let calls = calls(beginning.again(), args);
    // Calls that only read the store are left out.
    let calls: Vec<_> =
        calls.into_iter().filter(|c| c.name != "openat" || !c.line.contains("/.docker/")).collect();
    // A script for an image is compressed for a third of a second each time. Its files are written as those of the others are.
    let calls = if args.contains(&"packer") { sample_in_full(calls, 5) } else { calls };
    let calls = sample(calls, ONE_IN);
    let ways = [KILL, "error=ENOSPC"];
    eprintln!("{args:?}: {} points", calls.len() * ways.len());
    for call in &calls {
        for how in ways {
            let home = beginning.again();
            let output = tamper(home, call, how, args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            let at = format!("{args:?}, {how} at {} {}: {stderr}", call.name, call.line);
            assert!(!stderr.contains("panicked"), "{at}");
            let found = state();
            let journal = path.join(".hostseed.journal");
            match output.status.code() {
                Some(0) => assert_eq!(found, new, "{at}"),
                Some(_) if stderr.contains("nothing was changed") => {
                    assert!(found == old, "{at}: changed");
                    // Without the lock, another command may hold it.
                    let lock = (call.name == "flock").then(|| path.join(".hostseed.lock"));
                    assert_eq!(unfinished(home.path()), Vec::from_iter(lock), "{at}");
                }
                Some(_) if stderr.contains("the change is made") => assert!(found == new, "{at}: not made"),
                Some(_) => assert!(found == old || found == new, "{at}: a mixture"),
                None if journal.exists() => {
                    // Another command on the folder finishes this one before it does anything else.
                    let other = if args.contains(&"packer") { "nocloud" } else { "packer" };
                    home.ok(&["render", "web1", "--format", other, "--out", out]);
                    let mut finished = state();
                    finished.retain(|file, _| new.contains_key(file));
                    assert!(finished == new, "{at}: not finished");
                    assert!(!journal.exists(), "{at}");
                }
                None => assert!(found == old || found == new, "{at}: a mixture"),
            }
            for left in unfinished(home.path()) {
                let below = if left.is_dir() { files_below(&left) } else { Vec::new() };
                for file in below.iter().map(|file| left.join(file)).chain([left.clone()]) {
                    let bytes = fs::read(&file).unwrap_or_default();
                    let is_private = !bytes.is_empty() && private.iter().any(|all| all.starts_with(&bytes));
                    assert!(!is_private || mode(&file) & 0o077 == 0, "{at}: {}", file.display());
                }
                age(&left);
            }
            // The command that has finished `bake` has left a machine's files there.
            let force: &[_] = if args[0] == "bake" { &["--force"] } else { &[] };
            home.ok(&[args, force].concat());
            assert_eq!(unfinished(home.path()), Vec::<PathBuf>::new(), "{at}: leftovers");
            let mut after = state();
            after.retain(|file, _| new.contains_key(file));
            assert!(after == new, "{at}: not there after the second try");
        }
    }
}

const TERRAFORM: [&str; 6] = ["render", "web1", "--format", "terraform", "--out", "out"];
const PACKER: [&str; 6] = ["render", "web1", "--format", "packer", "--out", "out"];
const NOCLOUD: [&str; 6] = ["render", "web1", "--format", "nocloud", "--out", "out"];
const BAKE: [&str; 5] = ["bake", "--format", "packer", "--out", "out"];

#[test]
fn a_rendered_file_is_the_old_or_the_new_one() {
    for exists in [false, true] {
        output_is_old_or_new(exists, &["render", "web1", "-o", "seed", "--force"], "seed");
    }
}

#[test]
fn a_new_folder_is_complete_or_missing() {
    for args in [&TERRAFORM[..], &PACKER, &NOCLOUD, &BAKE] {
        output_is_old_or_new(false, args, "out");
    }
}

#[test]
fn terraform_into_an_existing_folder_leaves_no_mixture() {
    output_is_old_or_new(true, &TERRAFORM, "out");
}

#[test]
fn packer_into_an_existing_folder_leaves_no_mixture() {
    output_is_old_or_new(true, &PACKER, "out");
}

#[test]
fn nocloud_into_an_existing_folder_leaves_no_mixture() {
    output_is_old_or_new(true, &NOCLOUD, "out");
}

#[test]
fn bake_into_an_existing_folder_leaves_no_mixture() {
    output_is_old_or_new(true, &BAKE, "out");
}

#[test]
fn two_concurrent_writes_to_one_folder_leave_no_mixture() {
    let home = Home::new();
    create_both(&home);
    let render = |name| vec!["render", name, "--format", "terraform", "--out", "out", "--force"];
    home.ok(&render("web1"));
    for _ in 0..10 {
        for output in at_once(&home, &[render("web1"), render("web2"), render("web1"), render("web2")]) {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let found = contents(&home.path().join("out"));
        let each = ["web1", "web2"].map(|name| {
            home.ok(&["render", name, "--format", "terraform", "--out", name]);
            contents(&home.path().join(name))
        });
        assert!(each.contains(&found), "a mixture");
        assert_eq!(unfinished(home.path()), Vec::<PathBuf>::new());
    }
}

/// After the nth rename all renames fail, so the change can be neither completed nor undone. The next command finishes
/// it.
#[test]
fn a_change_that_can_be_neither_finished_nor_undone_is_finished_by_the_next_command() {
    if !may_trace() {
        return;
    }
    let home = Home::new();
    create_both(&home);
    home.ok(&TERRAFORM);
    fs::write(home.path().join("out/main.tf"), "old\n").unwrap();
    fs::write(home.path().join("out/README.md"), "old\n").unwrap();
    record(&home.path().join("out"));
    let beginning = Beginning::new(home);
    let mut unfinished_changes = 0;
    for args in [&["rm", "-y", "web1", "web2"][..], &["address", "web1", "203.0.113.7"], &TERRAFORM] {
        for nth in 1..6 {
            let home = beginning.again();
            let new = contents(&home.path().join("out")).len();
            let inject = format!("inject=rename,renameat,renameat2:error=EIO:when={nth}+");
            let options = ["-o", "/dev/null", "-e", "trace=rename,renameat,renameat2", "-e", &inject];
            let output = strace(home, &options, args).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            let at = format!("{args:?} from rename {nth} on: {stderr}");
            assert_eq!(contents(&home.path().join("out")).len(), new, "{at}");
            let there = ["web1", "web2"].map(|name| is_whole_or_missing(home, name, &at));
            assert_eq!(there[0], there[1], "{at}");
            if is_printed(&stderr, "error[unfinished-change] ") {
                unfinished_changes += 1;
                assert!(stderr.contains("the next command on this folder finishes it"), "{at}");
                assert!(!stderr.contains("nothing was changed"), "{at}");
                assert!(!there[0] || args[0] != "rm", "{at}: not finished");
            } else if output.status.code() == Some(1) {
                assert!(stderr.contains("nothing was changed") && there[0], "{at}");
            }
            home.ok(&["create", "web3", "--address", "203.0.113.9", "--quiet"]);
            assert_no_stray_key(home, &at);
            assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
            if args == TERRAFORM {
                home.ok(&TERRAFORM);
            }
            assert_eq!(unfinished(&home.path().join("out")), Vec::<PathBuf>::new(), "{at}");
        }
    }
    assert!(unfinished_changes >= 3, "{unfinished_changes}");
}

#[test]
fn each_file_that_cannot_be_deleted_is_reported() {
    if !may_trace() {
        return;
    }
    let home = Home::new();
    home.ok(&CREATE);
    // Every unlink fails from now on.
    let options = [
        "-o",
        "/dev/null",
        "-e",
        "trace=unlinkat,unlink,rmdir",
        "-e",
        "inject=unlinkat,unlink,rmdir:error=EIO",
    ];
    let output = strace(&home, &options, &["rm", "-y", "web1"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error[left-behind]: "), "{stderr}");
    let left: Vec<_> = files_below(&home.store())
        .into_iter()
        .filter(|file| fs::read_to_string(home.store().join(file)).unwrap().contains("PRIVATE KEY"))
        .collect();
    assert!(left.len() >= 3, "{left:?}");
    for file in left {
        let expected = format!("error[left-behind] `{}`", home.store().join(&file).display());
        assert!(is_printed(&stderr, &expected), "{}: {stderr}", file.display());
    }
    home.fails(1, &["url", "web1"]);
    assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new());
    assert_no_stray_key(&home, "after the next command");
}

#[test]
fn a_mode_that_exposes_a_key_and_cannot_be_changed_is_an_error() {
    if !may_trace() {
        return;
    }
    let home = Home::new();
    home.ok(&CREATE);
    let key = home.machine("web1").join("key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let options =
        ["-o", "/dev/null", "-e", "trace=fchmod,fchmodat", "-e", "inject=fchmod,fchmodat:error=EROFS"];
    let output = strace(&home, &options, &["env", "web1"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let expected = format!("error[mode-not-changed] `{}` has mode 0644", key.display());
    assert!(is_printed(&stderr, &expected) && output.stdout.is_empty(), "{stderr}");
    home.ok(&["env", "web1"]);
}

#[test]
fn a_full_standard_output_is_an_error_and_the_machine_exists() {
    let home = Home::new();
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = home.command(&[&CREATE[..], &["--json"]].concat()).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(is_whole_or_missing(&home, "web1", "/dev/full"));
    for args in [["render", "web1"], ["env", "web1"], ["inspect", "web1"]] {
        let output = home.command(&args).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "), "{args:?}");
    }
}
