//! A full disk, a Ctrl-C or a kill -9 at any moment: strace fails or kills each system call on the store in its turn,
//! and what is found afterwards is no machine or a whole one.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use support::{Home, files_below, mode, need, run, skip};

const BINARY: &str = env!("CARGO_BIN_EXE_hostseed");
const CREATE: [&str; 5] = ["create", "web1", "--address", "203.0.113.7", "--quiet"];
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
/// What changes a file system, and what a change is made durable and exclusive with.
const CHANGES: &str = "openat,mkdir,mkdirat,write,pwrite64,fsync,fdatasync,fchmod,fchmodat,chmod,flock,\
    rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,ftruncate";

/// Whether strace is there and may trace.
fn may_trace() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    need("strace")
        && (*MAY.get_or_init(|| {
            let traced = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
            traced.is_ok_and(|output| output.status.success())
        }) || skip("the right to trace"))
}

/// A call that the program made: the nth of its kind, from 1.
struct Call {
    name: String,
    nth: usize,
    line: String,
}

fn strace(home: &Home, options: &[&str], args: &[&str]) -> Command {
    let plain = home.command(args);
    // Whoever runs the tests in the background may have them ignore Ctrl-C.
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

/// The calls of a run that succeeds which touch something in `home`, in their order.
fn calls(home: &Home, args: &[&str]) -> Vec<Call> {
    let trace = home.path().join("trace");
    let trace_option = format!("trace={CHANGES}");
    run(&mut strace(home, &["-y", "-s", "0", "-o", trace.to_str().unwrap(), "-e", &trace_option], args));
    let text = fs::read_to_string(&trace).unwrap();
    fs::remove_file(&trace).unwrap();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let (_, call) = line.split_once(' ').unwrap();
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        let nth = seen.entry(name).or_default();
        *nth += 1;
        // strace tells the current folder with each path, the loader's too.
        let call = call.replace(&format!("AT_FDCWD<{}>", home.path().display()), "AT_FDCWD");
        if call.contains(home.path().to_str().unwrap()) {
            calls.push(Call { name: name.to_owned(), nth: *nth, line: call.trim().to_owned() });
        }
    }
    assert!(!calls.is_empty(), "strace shows no call in {}", home.path().display());
    calls
}

/// Runs with one call tampered with.
fn tamper(home: &Home, call: &Call, how: &str, args: &[&str]) -> Output {
    let name = &call.name;
    let inject = format!("inject={name}:{how}:when={}", call.nth);
    strace(home, &["-o", "/dev/null", "-e", &format!("trace={name}"), "-e", &inject], args).output().unwrap()
}

fn unfinished(dir: &Path) -> Vec<PathBuf> {
    let is_unfinished =
        |path: &PathBuf| path.iter().any(|part| part.to_string_lossy().starts_with(".hostseed-"));
    let mut found: Vec<_> = files_below(dir).into_iter().filter(is_unfinished).collect();
    for parent in ["machines", "certs"] {
        for entry in fs::read_dir(dir.join(parent)).into_iter().flatten() {
            let path = Path::new(parent).join(entry.unwrap().file_name());
            if is_unfinished(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Nothing that may hold a key is open to others, wherever it lies.
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

/// Whether the machine is there; if so, it has to be there with everything.
fn is_whole_or_missing(home: &Home, name: &str, at: &str) -> bool {
    let dir = home.machine(name);
    let listed = home.ok(&["ls", "-q"]).lines().any(|line| line == name);
    assert_eq!(listed, dir.symlink_metadata().is_ok(), "{at}: `ls` and the folder disagree");
    if !listed {
        return false;
    }
    let names: Vec<_> = files_below(&dir).iter().map(|file| file.display().to_string()).collect();
    // A machine without an address has a boot issuer in its server's place.
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
    let env = home.ok(&["env", name, "--shell", "sh"]);
    assert!(env.starts_with(&fs::read_to_string(dir.join("env")).unwrap()), "{at}: {env}");
    home.ok(&["inspect", name, "--json"]);
    true
}

/// The authority of a machine is whole and is the one that its certificates name.
fn assert_authority(home: &Home, machine: &str, authority: &str, at: &str) {
    let certs = home.store().join("certs").join(authority);
    let key = fs::read_to_string(certs.join("ca-key.pem"))
        .unwrap_or_else(|error| panic!("{at}: ca-key.pem: {error}"));
    assert!(key.ends_with("-----END PRIVATE KEY-----\n"), "{at}");
    let same =
        fs::read(certs.join("ca.pem")).unwrap() == fs::read(home.machine(machine).join("ca.pem")).unwrap();
    assert!(same, "{at}: certs/{authority}/ca.pem is another authority's");
}

/// How a store looks before the command that is interrupted, and who signs.
#[derive(Clone, Copy)]
struct Start {
    other_machine: bool,
    shared: bool,
}

impl Start {
    const EMPTY: Self = Self { other_machine: false, shared: false };
    const USED: Self = Self { other_machine: true, shared: false };
    const SHARED: Self = Self { other_machine: false, shared: true };

    fn home(self) -> Home {
        let home = Home::new();
        if self.other_machine {
            home.ok(&["create", "other", "--quiet"]);
        }
        home
    }

    fn create(self) -> Vec<&'static str> {
        let ca = if self.shared { "shared" } else { "own" };
        [&CREATE[..], &["--ca", ca]].concat()
    }

    fn authority(self) -> &'static str {
        if self.shared { "" } else { "web1" }
    }

    /// What holds after any interruption, and that the user gets on by doing it again.
    fn check(self, home: &Home, at: &str) {
        assert_private(&home.store(), at);
        if self.other_machine {
            assert!(is_whole_or_missing(home, "other", at), "{at}: another machine is gone");
        }
        if is_whole_or_missing(home, "web1", at) {
            assert_authority(home, "web1", self.authority(), at);
            let stderr = home.fails(1, &self.create());
            assert!(stderr.contains("exists already"), "{at}: {stderr}");
        } else {
            home.ok(&self.create());
            assert!(is_whole_or_missing(home, "web1", at), "{at}: not there after the second try");
            assert_authority(home, "web1", self.authority(), at);
            assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}: leftovers are not swept");
        }
        assert_private(&home.store(), at);
    }
}

/// Fails each call of `create` once.
fn fail_each_call(start: Start, error: &str, told: &str) {
    if !may_trace() {
        return;
    }
    for call in calls(&start.home(), &start.create()) {
        // A broken disk shows where bytes reach it.
        if error == "EIO" && !["write", "fsync"].contains(&call.name.as_str()) {
            continue;
        }
        let home = start.home();
        let output = tamper(&home, &call, &format!("error={error}"), &start.create());
        let stderr = String::from_utf8_lossy(&output.stderr);
        let at = format!("{error} at {} {}: {stderr}", call.name, call.line);
        let there = is_whole_or_missing(&home, "web1", &at);
        match output.status.code() {
            Some(0) => assert!(there, "{at}: success without a machine"),
            // What could not be read back is written all the same.
            Some(1) if there => assert!(!stderr.contains("nothing was changed"), "{at}"),
            Some(1) => {
                assert!(
                    stderr.starts_with("error: cannot ") && stderr.contains("nothing was changed"),
                    "{at}"
                );
                assert!(stderr.contains(home.store().to_str().unwrap()), "{at}: it does not say where");
                assert!(stderr.contains(told), "{at}: it does not say why");
                let certs = home.store().join("certs/web1");
                assert!(!certs.exists(), "{at}: the authority of no machine is left");
            }
            status => panic!("{at}: ended with {status:?}"),
        }
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
        start.check(&home, &at);
    }
}

/// Stops `create` by a signal before each of its calls.
fn stop_before_each_call(start: Start, signal: &str) {
    if !may_trace() {
        return;
    }
    for call in calls(&start.home(), &start.create()) {
        let home = start.home();
        let output = tamper(&home, &call, &format!("signal={signal}"), &start.create());
        let at = format!("{signal} at {}", call.line);
        assert!(!output.status.success(), "{at}: it was not stopped");
        start.check(&home, &at);
    }
}

#[test]
fn a_full_disk_at_any_moment_of_the_first_create_leaves_no_machine_or_a_whole_one() {
    fail_each_call(Start::EMPTY, "ENOSPC", "no space left on device");
}

#[test]
fn a_full_disk_at_any_moment_of_a_later_create_leaves_no_machine_or_a_whole_one() {
    fail_each_call(Start::USED, "ENOSPC", "no space left on device");
}

#[test]
fn a_full_disk_at_any_moment_of_a_create_under_the_shared_authority_leaves_no_half_of_it() {
    fail_each_call(Start::SHARED, "ENOSPC", "no space left on device");
}

#[test]
fn a_broken_disk_at_any_moment_leaves_no_machine_or_a_whole_one() {
    fail_each_call(Start::EMPTY, "EIO", "nput/output error");
}

#[test]
fn kill_9_at_any_moment_of_the_first_create_leaves_no_machine_or_a_whole_one() {
    stop_before_each_call(Start::EMPTY, "KILL");
}

#[test]
fn kill_9_at_any_moment_of_a_later_create_leaves_no_machine_or_a_whole_one() {
    stop_before_each_call(Start::USED, "KILL");
}

#[test]
fn kill_9_at_any_moment_of_a_create_under_the_shared_authority_leaves_no_half_of_it() {
    stop_before_each_call(Start::SHARED, "KILL");
}

#[test]
fn ctrl_c_at_any_moment_leaves_no_machine_or_a_whole_one() {
    stop_before_each_call(Start::EMPTY, "INT");
}

/// Runs a script of `sh` as root of a mount namespace of its own, which an ordinary user may have too.
fn in_namespace(home: &Home, script: &str, args: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).args(args);
    command
        .env("HOME", home.path())
        .env_remove("MACHINE_STORAGE_PATH")
        .current_dir(home.path())
        .stdin(Stdio::null());
    command
}

fn may_mount(home: &Home) -> bool {
    need("unshare")
        && (in_namespace(home, "mount -t tmpfs none .", &[]).output().is_ok_and(|o| o.status.success())
            || skip("a mount namespace"))
}

#[test]
fn a_disk_that_stays_full_takes_no_machine_and_keeps_none_of_its_keys() {
    let home = Home::new();
    if !may_mount(&home) {
        return;
    }
    fs::create_dir(home.path().join("small")).unwrap();
    let script = r#"
        mount -t tmpfs -o "$1" none small || exit 90
        "$2" --store small/store create web1 --quiet 2>small.err; status=$?
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
fn a_read_only_store_is_told_of_and_its_machines_still_work() {
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
        [ "$("$1" --store store ls -q)" = old ] || exit 96
        "$1" --store store create web1 2>>said
    "#;
    let output = in_namespace(&home, script, &[BINARY]).output().unwrap();
    let said = fs::read_to_string(home.path().join("said")).unwrap_or_default();
    assert_eq!(output.status.code(), Some(1), "{}{said}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().count(), 3, "{said}");
    for line in said.lines() {
        assert!(line.starts_with("error: cannot ") && line.contains("/store/"), "{said}");
        assert!(line.contains("ead-only file system") && line.ends_with("(nothing was changed)"), "{said}");
    }
}

#[test]
fn a_store_that_is_a_file_stays_the_file_that_it_is() {
    let home = Home::new();
    fs::write(home.path().join("notes"), "mine\n").unwrap();
    let stderr = home.fails(1, &["--store", "notes", "create", "web1"]);
    assert!(stderr.starts_with("error: cannot ") && stderr.contains("/notes"), "{stderr}");
    for args in [&["ls"][..], &["env", "web1"], &["rm", "-y", "web1"], &["inspect", "web1"]] {
        home.fails(1, &[&["--store", "notes"], args].concat());
    }
    assert_eq!(fs::read_to_string(home.path().join("notes")).unwrap(), "mine\n");
}

#[test]
fn a_store_below_a_file_is_told_of() {
    let home = Home::new();
    fs::write(home.path().join(".docker"), "").unwrap();
    let stderr = home.fails(1, &CREATE);
    assert!(stderr.contains(".docker/machine"), "{stderr}");
}

#[test]
fn without_home_a_named_store_is_enough() {
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
    // Without either it is no crash: the user data base may still know a home, and reading harms nobody.
    let bare = home.command(&["ls", "-q"]).env_remove("HOME").output().unwrap();
    assert!(matches!(bare.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&bare.stderr));
}

/// Everything about the files of a store that a needless write would change.
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
fn a_name_that_is_taken_changes_no_byte() {
    for ca in ["own", "shared"] {
        let home = Home::new();
        home.ok(&["create", "web1", "--address", "203.0.113.7", "--ca", ca]);
        let before = snapshot(&home.store());
        for options in
            [&["--ca", ca][..], &["--ca", "own"], &["--ca", "shared"], &["--key", "p384", "--port", "2377"]]
        {
            let stderr = home.fails(1, &[&CREATE[..], options].concat());
            assert!(stderr.contains("machine `web1` exists already, nothing was changed"), "{stderr}");
            assert!(snapshot(&home.store()) == before, "{ca}: {options:?} changed something");
        }
    }
}

#[test]
fn a_folder_or_link_of_that_name_is_somebodys_and_stays() {
    let home = Home::new();
    fs::create_dir_all(home.machine("web1")).unwrap();
    std::os::unix::fs::symlink("/nowhere", home.machine("web2")).unwrap();
    for name in ["web1", "web2"] {
        let stderr = home.fails(1, &["create", name]);
        assert!(stderr.contains("exists already"), "{stderr}");
    }
    assert_eq!(files_below(&home.machine("web1")), Vec::<PathBuf>::new());
    assert_eq!(fs::read_link(home.machine("web2")).unwrap(), Path::new("/nowhere"));
}

/// Runs several at once and waits for them all.
fn at_once(home: &Home, commands: &[Vec<&str>]) -> Vec<Output> {
    let start =
        |args: &Vec<&str>| home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = commands.iter().map(start).collect();
    children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

#[test]
fn of_two_who_make_the_same_machine_at_once_exactly_one_does() {
    for round in 0..10 {
        let home = Home::new();
        // Different addresses, to see whether the machine is one of the two and no mixture.
        let create = |address| vec!["create", "web1", "--quiet", "--address", address];
        let addresses = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
        let outputs = at_once(&home, &addresses.map(create));
        let winners: Vec<_> = addresses.iter().zip(&outputs).filter(|(_, o)| o.status.success()).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        for loser in outputs.iter().filter(|output| !output.status.success()) {
            let stderr = String::from_utf8_lossy(&loser.stderr);
            assert_eq!(loser.status.code(), Some(1), "{stderr}");
            assert!(stderr.contains("exists already, nothing was changed"), "{stderr}");
        }
        assert!(is_whole_or_missing(&home, "web1", "two at once"));
        assert_authority(&home, "web1", "web1", "two at once");
        assert_eq!(home.ok(&["ip", "web1"]).trim(), *winners[0].0);
        assert!(home.ok(&["inspect", "web1"]).contains(winners[0].0));
        assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new());
    }
}

#[test]
fn eight_machines_made_at_once_are_all_there() {
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
fn machines_made_at_once_under_the_shared_authority_have_one_authority() {
    let home = Home::new();
    let names: Vec<_> = (1..=6).map(|n| format!("web{n}")).collect();
    let commands: Vec<_> = names
        .iter()
        .map(|name| vec!["create", name.as_str(), "--quiet", "--address", "203.0.113.7", "--ca", "shared"])
        .collect();
    for (name, output) in names.iter().zip(at_once(&home, &commands)) {
        if !output.status.success() {
            // Somebody else was first to make the authority: said so, and the second try finds it.
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

#[test]
fn rm_interrupted_at_any_moment_leaves_the_machine_whole_or_gone() {
    if !may_trace() {
        return;
    }
    let start = Start::USED;
    let home = || {
        let home = start.home();
        home.ok(&CREATE);
        home
    };
    let rm = ["rm", "-y", "web1", "--quiet"];
    for call in calls(&home(), &rm) {
        for how in ["signal=KILL", "error=EIO"] {
            let home = home();
            let output = tamper(&home, &call, how, &rm);
            let stderr = String::from_utf8_lossy(&output.stderr);
            let at = format!("rm, {how} at {}: {stderr}", call.line);
            let there = is_whole_or_missing(&home, "web1", &at);
            if there {
                assert_authority(&home, "web1", "web1", &at);
                assert!(!output.status.success(), "{at}: said to be removed");
            }
            if !there && !output.status.success() {
                assert!(!stderr.contains("nothing was changed"), "{at}: but the machine is gone");
            }
            if output.status.success() {
                assert!(
                    !home.store().join("certs/web1").exists(),
                    "{at}: its authority's key is still there"
                );
                assert_eq!(
                    unfinished(&home.store()),
                    Vec::<PathBuf>::new(),
                    "{at}: its keys are still there"
                );
            }
            start.check(&home, &at);
        }
    }
}

#[test]
fn an_address_that_cannot_be_written_leaves_one_that_works() {
    if !may_trace() {
        return;
    }
    let home = || {
        let home = Home::new();
        home.ok(&[&CREATE[..], &["--address", "198.51.100.9"]].concat());
        home
    };
    let address = ["address", "web1", "198.51.100.9", "--quiet"];
    let (old, new) = ("tcp://203.0.113.7:2376", "tcp://198.51.100.9:2376");
    for call in calls(&home(), &address) {
        for how in ["signal=KILL", "error=ENOSPC"] {
            let home = home();
            let output = tamper(&home, &call, how, &address);
            let stderr = String::from_utf8_lossy(&output.stderr);
            let at = format!("address, {how} at {}: {stderr}", call.line);
            let url = home.ok(&["url", "web1"]);
            let env = fs::read_to_string(home.machine("web1").join("env")).unwrap();
            assert!([old, new].contains(&url.trim()), "{at}: {url}");
            assert!(env.lines().count() == 4 && (env.contains(old) || env.contains(new)), "{at}: {env}");
            assert_eq!(mode(&home.machine("web1").join("env")), 0o600, "{at}");
            assert_private(&home.store(), &at);
            if stderr.contains("nothing was changed") {
                assert_eq!(url.trim(), old, "{at}: but config.json was");
                assert!(env.contains(old), "{at}: but env was");
            }
            if output.status.success() {
                assert!(url.trim() == new && env.contains(new), "{at}: said to be recorded");
            }
            // Done again it is done, and nothing of the first try is left.
            home.ok(&address);
            assert_eq!(home.ok(&["url", "web1"]).trim(), new, "{at}");
            assert!(fs::read_to_string(home.machine("web1").join("env")).unwrap().contains(new), "{at}");
            if how != "signal=KILL" {
                assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new(), "{at}");
            }
            assert!(is_whole_or_missing_but_for_leftovers(&home), "{at}");
        }
    }
}

/// As [`is_whole_or_missing`] where a killed `address` may have left an unfinished file in the machine's folder.
fn is_whole_or_missing_but_for_leftovers(home: &Home) -> bool {
    let dir = home.machine("web1");
    for file in unfinished(&dir).iter().chain(&unfinished(&home.store())) {
        for root in [&dir, &home.store()] {
            let _ = fs::remove_file(root.join(file));
        }
    }
    is_whole_or_missing(home, "web1", "after another address")
}

#[test]
fn render_that_cannot_be_written_leaves_the_file_of_before() {
    if !may_trace() {
        return;
    }
    let home = || {
        let home = Home::new();
        home.ok(&CREATE);
        let seed = home.path().join("seed");
        fs::write(&seed, "before\n").unwrap();
        fs::set_permissions(&seed, PermissionsExt::from_mode(0o600)).unwrap();
        home
    };
    let render = ["render", "web1", "-o", "seed"];
    let calls = calls(&home(), &render);
    // Not what is read from the store.
    for call in calls.iter().filter(|call| call.name != "openat" || call.line.contains("O_CREAT")) {
        for how in ["signal=KILL", "error=ENOSPC"] {
            let home = home();
            let output = tamper(&home, call, how, &render);
            let stderr = String::from_utf8_lossy(&output.stderr);
            let at = format!("render, {how} at {}: {stderr}", call.line);
            let seed = fs::read_to_string(home.path().join("seed")).unwrap();
            let whole = fs::read_to_string(home.machine("web1").join("user-data")).unwrap();
            assert!(seed == "before\n" || seed == whole, "{at}: {seed}");
            let leftovers: Vec<_> = fs::read_dir(home.path())
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_file() && !path.ends_with("seed"))
                .collect();
            for leftover in &leftovers {
                assert_eq!(mode(leftover), 0o600, "{at}");
            }
            if how == "error=ENOSPC" {
                assert_eq!(leftovers, Vec::<PathBuf>::new(), "{at}");
                if output.status.code() == Some(1) {
                    assert_eq!(seed, "before\n", "{at}");
                    assert!(stderr.contains("seed") && stderr.contains("nothing was changed"), "{at}");
                } else {
                    assert_eq!(seed, whole, "{at}");
                }
            }
            home.ok(&render);
            assert_eq!(fs::read_to_string(home.path().join("seed")).unwrap(), whole, "{at}");
        }
    }
}

#[test]
fn a_folder_of_which_one_file_cannot_be_replaced_is_as_it_was() {
    if !may_trace() {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let render = ["render", "web1", "--format", "nocloud", "--network-config", "net", "--out", "seed"];
    fs::write(home.path().join("net"), "version: 2\n").unwrap();
    let seed = home.path().join("seed");
    fs::create_dir(&seed).unwrap();
    for (file, text) in [("user-data", "of before"), ("note", "theirs")] {
        fs::write(seed.join(file), text).unwrap();
        fs::set_permissions(seed.join(file), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let before = files_below(&seed);
    let renames =
        calls(&home, &render).into_iter().filter(|call| call.name.starts_with("rename")).collect::<Vec<_>>();
    assert_eq!(renames.len(), 3, "user-data, meta-data and network-config");
    fs::remove_file(seed.join("meta-data")).unwrap();
    fs::remove_file(seed.join("network-config")).unwrap();
    for call in renames {
        fs::write(seed.join("user-data"), "of before").unwrap();
        let output = tamper(&home, &call, "error=EIO", &render);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("(nothing was changed)"), "{said}");
        assert_eq!(files_below(&seed), before, "{said}");
        assert_eq!(fs::read_to_string(seed.join("user-data")).unwrap(), "of before");
    }
}

#[test]
fn a_full_device_as_standard_output_is_an_error_and_the_machine_is_there() {
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
