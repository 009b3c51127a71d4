//! Runs `setup` on each distribution, including error cases. It runs in a root folder of busybox and stubs. Each case's
//! transcript (the console's lines and every command, in order), exit status and files are compared with `expected`.
//! `BLESS=1 cargo test --test host distributions` writes `expected`. Outside CI one case of each subject runs, and with
//! `HOSTSEED_CASES=firewall` those whose names begin with that.
//!
//! A case is a folder, and a new one needs no Rust code:
//! - `spec`: `script`, `bake` or `image` (a bake without identity), then options as for `hostseed create`
//! - `os-release`: the distribution's file
//! - `answers/TOOL`: the answers of that tool, instead of those in `stubs/answers/TOOL`; likewise `packages/NAME`, the
//!   files that the package installs
//! - `absent`: tools that are missing on the host at first
//! - `root/`: files that exist before the run
//! - `before`: a shell script that runs first and can use the functions of `stubs/lib.sh`; `run`: a script that replaces
//!   the single run of the `seed`

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::support::extent::is_full;
use crate::support::snapshot::{Snapshots, is_blessing};
use crate::support::{Home, files_below, mode, need, run};

#[test]
fn each_case_runs_exactly_the_expected_commands() {
    if !(need("busybox") && need("chroot") && need("unshare") && need("hostname")) {
        return;
    }
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/distributions");
    let mut names: Vec<String> = fs::read_dir(&cases)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "stubs")
        .collect();
    names.sort();
    if let Ok(begin) = std::env::var("HOSTSEED_CASES") {
        names.retain(|name| name.starts_with(&begin));
        assert!(!names.is_empty(), "no case begins with {begin}");
    } else if !is_full() && !is_blessing() {
        names = one_of_each_subject(names);
    }
    names.reverse();
    let (queue, played) = (Mutex::new(names), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |n| n.get()) {
            scope.spawn(|| {
                loop {
                    let Some(name) = queue.lock().unwrap().pop() else { break };
                    let case = cases.join(name);
                    let found = play(&cases, &case);
                    played.lock().unwrap().insert(case.join("expected"), found);
                }
            });
        }
    });
    let mut snapshots = Snapshots::default();
    for (expected, found) in played.into_inner().unwrap() {
        snapshots.check(&expected, found.as_bytes());
    }
    snapshots.finish("host");
}

/// The first case of each subject, which is the first word of a case's name: a distribution, `key`, `bake`.
fn one_of_each_subject(names: Vec<String>) -> Vec<String> {
    let subject = |name: &str| name.split('-').next().unwrap().to_owned();
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(subject(name))).collect()
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).stdout == b"0\n"
}

/// Runs a case in its own root folder, and returns its transcript and the resulting files.
fn play(cases: &Path, case: &Path) -> String {
    let home = Home::new();
    let root = home.path().join("root");
    let spec = fs::read_to_string(case.join("spec")).unwrap();
    let words: Vec<&str> = spec.split_whitespace().collect();
    furnish(&root, cases, case, words[0] == "script");
    fs::write(root.join("seed"), rendered(&home, words[0], &words[1..])).unwrap();
    enter(&root, ". /stub/lib.sh; . /stub/before");
    let before = snapshot(&root);
    enter(&root, ". /stub/lib.sh; . /stub/run");
    let after = snapshot(&root);

    let log = fs::read_to_string(root.join("var/log/hostseed.log")).unwrap_or_default();
    assert!(!log.contains("PRIVATE KEY"), "{}: key material in the log", case.display());
    if let Ok(status) = fs::read_to_string(root.join("var/lib/hostseed/status.json")) {
        serde_json::from_str::<serde_json::Value>(&status).unwrap();
    }
    let mut text = fs::read_to_string(root.join("stub/log")).unwrap();
    text += "\nfiles\n";
    for (path, (mode, content)) in &after {
        if before.get(path).is_none_or(|was| was != &(*mode, content.clone())) {
            text += &format!("{mode:04o} /{}\n", path.display());
            text.extend(
                content.lines().filter(|line| worth_showing(path, line)).map(|line| format!("    {line}\n")),
            );
        }
    }
    text.extend(
        before
            .keys()
            .filter(|path| !after.contains_key(*path))
            .map(|path| format!("gone /{}\n", path.display())),
    );
    steady(&text)
}

/// The script that a user gives to the host.
fn rendered(home: &Home, form: &str, options: &[&str]) -> String {
    if form == "image" {
        return home.ok(&[&["bake"], options].concat());
    }
    home.ok(&[&["create", "web1", "--address", "203.0.113.7"], options].concat());
    home.ok(&["render", "web1", "--format", form])
}

/// Creates a root folder with busybox for the shell and coreutils, stubs for all other programs, and the case's files.
fn furnish(root: &Path, cases: &Path, case: &Path, systemd_runs: bool) {
    for dir in
        ["bin", "dev", "etc/ssl/certs", "root", "run", "stub/state", "tmp", "usr/bin", "usr/sbin", "var/log"]
    {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    if systemd_runs {
        fs::create_dir_all(root.join("run/systemd/system")).unwrap();
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find(|path| Path::new(path).exists()).unwrap();
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    let applets = run(Command::new(busybox).arg("--list")).stdout;
    for applet in String::from_utf8(applets).unwrap().lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/ssl/certs/ca-certificates.crt"), "roots\n").unwrap();
    fs::write(root.join("stub/before"), "").unwrap();
    fs::write(root.join("stub/run"), "seed\n").unwrap();
    copy(&cases.join("stubs"), &root.join("stub"));
    for part in ["answers", "packages", "before", "run"] {
        copy(&case.join(part), &root.join("stub").join(part));
    }
    copy(&case.join("root"), root);
    copy(&case.join("os-release"), &root.join("etc/os-release"));
    let absent = fs::read_to_string(case.join("absent")).unwrap_or_default();
    for tool in files_below(&root.join("stub/answers")) {
        let comes_with_docker = tool == Path::new("docker") || tool == Path::new("dockerd");
        if !comes_with_docker && !absent.lines().any(|line| Path::new(line) == tool) {
            symlink("/stub/stub", root.join("usr/bin").join(tool)).unwrap();
        }
    }
}

/// Copies a file, or all files below a folder, and replaces existing files.
fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    for file in files_below(from) {
        fs::create_dir_all(to.join(&file).parent().unwrap()).unwrap();
        fs::copy(from.join(&file), to.join(&file)).unwrap();
    }
}

/// Runs a shell script in the root folder with a separate host name and no network, and adds its output to the
/// transcript. A user other than root becomes root in a user namespace.
fn enter(root: &Path, shell: &str) {
    let null = root.join("dev/null");
    if !null.exists() {
        File::create(&null).unwrap();
        if is_root() {
            fs::remove_file(&null).unwrap();
            run(Command::new("mknod").args(["-m", "666"]).arg(&null).args(["c", "1", "3"]));
        }
    }
    let script = "hostname host1; [ -c \"$1/dev/null\" ] || mount --bind /dev/null \"$1/dev/null\"; exec chroot \"$1\" /bin/sh -c \"$2\"";
    let mut command = Command::new("unshare");
    command.args([if is_root() { "-mnu" } else { "-rmnu" }, "sh"]);
    let transcript = File::options().create(true).append(true).open(root.join("stub/log")).unwrap();
    command.args(["-ec", script, "sh"]).arg(root).arg(shell).stdin(Stdio::null());
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdout(transcript.try_clone().unwrap()).stderr(transcript);
    command.status().unwrap();
}

/// The mode and content of every file that belongs to the host and not to the test.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, (u32, String)> {
    let is_hosts = |path: &PathBuf| {
        !["bin", "dev", "stub", "usr/bin", "usr/lib/systemd"].iter().any(|dir| path.starts_with(dir))
            && !path.starts_with("usr/sbin/dockerd")
    };
    let describe = |path: PathBuf| {
        let file = root.join(&path);
        let link = fs::symlink_metadata(&file).unwrap().is_symlink();
        let content = match fs::read_link(&file) {
            Ok(target) => format!("-> {}\n", target.display()),
            Err(_) => String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned(),
        };
        (path, (if link { 0o777 } else { mode(&file) }, content))
    };
    files_below(root).into_iter().filter(is_hosts).map(describe).collect()
}

/// Returns whether a transcript shows this line of a file: repositories, status, firewall rules, the drop-in's listeners, links.
fn worth_showing(path: &Path, line: &str) -> bool {
    if ["etc/iptables", "etc/sysconfig", "etc/nftables.conf"].iter().any(|rules| path.starts_with(rules)) {
        return true;
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("sources" | "repo" | "json") => true,
        Some("conf") => {
            line.contains("-H ") || ["Condition", "ExecStartPre=nft"].iter().any(|key| line.starts_with(key))
        }
        _ => line.starts_with("-> ") || path.ends_with("machine-id"),
    }
}

/// Replaces parts that differ between runs or computers by names: temporary folders, checksums, times, the architecture, the
/// kernel's release.
/// A repeated group of lines is shown once, with its number of repetitions.
fn steady(text: &str) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let text = text.replace(kernel.trim(), "KERNEL");
    let mut steady = String::new();
    let mut rest = &text[..];
    while let Some(at) = rest.find("/tmp/tmp.") {
        steady += &rest[..at];
        steady += "/tmp/tmp";
        rest = rest[at + "/tmp/tmp.".len()..].trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    }
    steady += rest;
    let is_part_of_word = |c: char| c.is_ascii_alphanumeric() || ":-_".contains(c);
    let name = |word: &str| {
        let bare = word.trim_end_matches(|c| c == ':' || !is_part_of_word(c));
        let is_sum = bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_time = bare.len() == 20 && bare.ends_with('Z') && bare.as_bytes()[10] == b'T'
            || bare.len() == 15 && bare.ends_with('Z') && bare.starts_with("20");
        let named = match bare {
            _ if is_sum => "SHA-256",
            _ if is_time => "TIME",
            _ if bare.starts_with("issued-") => "issued-NEW",
            std::env::consts::ARCH => "ARCH",
            _ => bare,
        };
        named.to_owned() + &word[bare.len()..]
    };
    let steady: String = steady.split_inclusive(|c| !is_part_of_word(c)).map(name).collect();
    let lines: Vec<&str> = steady.lines().collect();
    let (mut folded, mut at) = (String::new(), 0);
    while at < lines.len() {
        let times = |length: usize| {
            lines[at..].chunks(length).take_while(|chunk| *chunk == &lines[at..at + length]).count()
        };
        let block = (1..=4).filter(|length| at + length <= lines.len()).find(|length| times(*length) > 3);
        for line in &lines[at..at + block.unwrap_or(1)] {
            folded += &format!("{line}\n");
        }
        if let Some(length) = block {
            folded += &format!("    … {} times\n", times(length));
        }
        at += block.map_or(1, |length| length * times(length));
    }
    folded
}
