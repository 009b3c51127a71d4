//! A private key on standard output: the user's own file becomes private before the first byte, and says so.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::interruption::may_trace;
use crate::planted::fifo;
use crate::support::{Home, is_printed, mode, need_root, run};

const RENDER: [&str; 2] = ["render", "web1"];

fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home
}

/// A file `out` with some content.
fn file(home: &Home, mode: u32) -> PathBuf {
    let path = home.path().join("out");
    fs::write(&path, "before\n").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

/// Runs a command that appends to the file, and returns its result and its messages.
fn append(path: &PathBuf, command: &mut Command) -> (Output, String) {
    let output = command.stdout(File::options().append(true).open(path).unwrap()).output().unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stderr)
}

#[test]
fn the_users_own_file_becomes_private_with_a_note() {
    let home = home();
    let user_data = home.ok(&RENDER);
    for before in [0o644, 0o666, 0o640, 0o604, 0o755] {
        let path = file(&home, before);
        let (output, stderr) = append(&path, &mut home.command(&RENDER));
        assert!(output.status.success(), "{stderr}");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(stderr.matches("note: ").count(), 1, "{stderr}");
        assert!(stderr.contains("mode 0600") && stderr.contains(&format!("{before:04o}")), "{stderr}");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("before\n{user_data}"));
    }
    // A file that is private already keeps its mode, and a script without a key, too.
    for (args, kept) in [(&RENDER[..], 0o400), (&RENDER, 0o600), (&["bake"], 0o644), (&["ls"], 0o666)] {
        let path = home.path().join("out");
        let out = File::create(&path).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(kept)).unwrap();
        let output = home.command(args).stdout(out).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}");
        assert_eq!(mode(&path), kept, "{args:?}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn every_command_that_prints_a_key_makes_the_file_private() {
    let home = home();
    let external = || {
        let mut command = home.command(&["external"]);
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(br#"{"name": "web1"}"#).unwrap();
        command.stdin(reader);
        command
    };
    let commands = [
        home.command(&["render", "web1", "--gzip"]),
        home.command(&["render", "web1", "--format", "script", "--base64"]),
        home.command(&["render", "web1", "--format", "bake"]),
        home.command(&["render", "web1", "--format", "ignition", "-o", "-"]),
        external(),
    ];
    for mut command in commands {
        let path = file(&home, 0o644);
        let (output, stderr) = append(&path, &mut command);
        assert!(output.status.success(), "{stderr}");
        assert_eq!(mode(&path), 0o600, "{command:?}");
    }
}

#[test]
fn a_note_does_not_become_a_part_of_the_output() {
    let home = home();
    let path = file(&home, 0o644);
    let out = File::create(&path).unwrap();
    let status = home.command(&RENDER).stdout(out.try_clone().unwrap()).stderr(out).status().unwrap();
    assert!(status.success());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_to_string(&path).unwrap(), home.ok(&RENDER));
}

#[test]
fn a_pipe_with_a_name_becomes_private_and_one_without_is_left_alone() {
    let home = home();
    let path = home.path().join("pipe");
    fifo(&path);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let pipe = File::options().read(true).write(true).open(&path).unwrap();
    let output = home.command(&RENDER).stdout(pipe).output().unwrap();
    assert!(output.status.success());
    assert_eq!(mode(&path), 0o600);
    let piped = home.command(&RENDER).stdout(Stdio::piped()).output().unwrap();
    assert!(piped.status.success() && piped.stderr.is_empty());
}

#[test]
fn the_mode_changes_before_the_first_byte_and_a_mode_that_stays_is_a_warning() {
    if !may_trace() {
        return;
    }
    let home = home();
    let trace = home.path().join("trace");
    let strace = |options: &[&str], path: &PathBuf| {
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-qq",
            "-y",
            "-s",
            "0",
            "-o",
            trace.to_str().unwrap(),
            "-e",
            "trace=fchmod,write",
        ]);
        command.args(options).arg(env!("CARGO_BIN_EXE_hostseed")).args(RENDER).env("HOME", home.path());
        append(path, &mut command)
    };
    let path = file(&home, 0o644);
    let (output, stderr) = strace(&[], &path);
    assert!(output.status.success(), "{stderr}");
    let traced = fs::read_to_string(&trace).unwrap();
    let at = |call: &str| {
        traced.lines().position(|line| line.contains(call) && line.contains("/out>")).expect(&traced)
    };
    assert!(at("fchmod(") < at("write("), "{traced}");

    // An error, and a file system that ignores the change.
    for how in ["error=EPERM", "retval=0"] {
        let path = file(&home, 0o644);
        let (output, stderr) = strace(&["-e", &format!("inject=fchmod:{how}")], &path);
        assert!(output.status.success(), "{stderr}");
        assert!(is_printed(&stderr, "warning[exposed-output] other users can read"), "{how}: {stderr}");
        assert!(stderr.contains("hint: ") && stderr.contains("0644"), "{stderr}");
        assert_eq!(mode(&path), 0o644);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("before\n{}", home.ok(&RENDER)));
    }
}

#[test]
fn under_sudo_the_file_of_the_calling_user_becomes_private() {
    const CALLER: u32 = 12345;
    if !need_root() {
        return;
    }
    let home = home();
    for (caller, is_accepted) in [(CALLER.to_string(), true), ("1".into(), false), (String::new(), false)] {
        let path = file(&home, 0o644);
        run(Command::new("chown").arg(CALLER.to_string()).arg(&path));
        let (output, stderr) = append(&path, home.command(&RENDER).env("SUDO_UID", &caller));
        assert_eq!(output.status.success(), is_accepted, "{caller}: {stderr}");
        assert_eq!(mode(&path), if is_accepted { 0o600 } else { 0o644 }, "{caller}");
        if !is_accepted {
            assert!(is_printed(&stderr, "error[exposed-output] of user 12345"), "{stderr}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
        }
        fs::remove_file(&path).unwrap();
    }
}
