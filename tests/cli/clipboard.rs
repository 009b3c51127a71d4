//! `render --copy` fills the clipboard of the desktop, or that of the terminal over SSH.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::environment::program;
use crate::support::extent::is_full;
use crate::support::{Home, is_printed, need, run};

#[test]
fn the_terminal_gets_the_user_data_over_ssh() {
    if !need("script") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    for (variable, value) in [("SSH_CONNECTION", "198.51.100.1 50000 203.0.113.7 22"), ("DISPLAY", "")] {
        let mut command =
            program(&home, "script", &["-qec", "hostseed render web1 --copy >out", "typescript"]);
        run(command.env("DISPLAY", ":0").env(variable, value));
        let typed = fs::read_to_string(home.path().join("typescript")).unwrap();
        let copied = typed.split("\u{1b}]52;c;").nth(1).and_then(|rest| rest.split('\u{7}').next());
        let copied = STANDARD.decode(copied.unwrap_or_else(|| panic!("{typed}"))).unwrap();
        assert_eq!(String::from_utf8(copied).unwrap(), home.ok(&["render", "web1"]));
        assert!(typed.contains("OSC 52"), "{typed}");
        assert_eq!(fs::read(home.path().join("out")).unwrap(), b"", "nothing is printed");
    }
}

#[test]
fn the_desktop_keeps_the_user_data_after_the_command() {
    if !(need("xvfb-run") && need("xclip")) {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    let script = "hostseed render web1 --copy --base64 2>said\n\
        xclip -o -selection clipboard >copied\n\
        cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >arguments\n\
        echo other | xclip -i -selection clipboard\n\
        for try in 1 2 3 4 5 6 7 8 9; do pgrep -f '[h]ostseed keep-clipboard' || exit 0; sleep 0.3; done\n\
        echo 'the keeper stays' >&2; exit 1";
    run(&mut program(&home, "xvfb-run", &["-a", "sh", "-euc", script]));
    let read = |file: &str| fs::read_to_string(home.path().join(file)).unwrap();
    assert_eq!(read("copied"), home.ok(&["render", "web1", "--base64"]));
    assert!(read("said").contains("`web1` is in the clipboard"), "{}", read("said"));
    assert!(!read("arguments").contains(&read("copied")[..60]));
}

#[test]
fn the_terminal_gets_the_user_data_if_the_desktop_is_gone() {
    if !need("script") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    let mut command = program(&home, "script", &["-qec", "hostseed render web1 --copy >out", "typescript"]);
    run(command.env("DISPLAY", ":987"));
    let typed = fs::read_to_string(home.path().join("typescript")).unwrap();
    assert!(typed.contains("\u{1b}]52;c;") && typed.contains("sent to your terminal"), "{typed}");
}

#[test]
fn tmux_gets_the_user_data() {
    if !need("tmux") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    fs::write(home.path().join("conf"), "set -g set-clipboard on\n").unwrap();
    let script = "export TMUX_TMPDIR=$HOME\n\
        tmux -f conf new-session -d 'hostseed render web1 --copy; : >done; sleep 30'\n\
        for try in $(seq 100); do [ -e done ] && tmux show-buffer >copied 2>/dev/null && break; sleep 0.1; done\n\
        tmux kill-server";
    run(program(&home, "sh", &["-euc", script]).env("TERM", "xterm"));
    assert_eq!(fs::read_to_string(home.path().join("copied")).unwrap(), home.ok(&["render", "web1"]));
}

#[test]
fn without_a_clipboard_nothing_is_copied() {
    if !need("setsid") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    // The last one never answers, so it takes 5 seconds.
    let displays = ["", ":987", "203.0.113.7:0"];
    for display in &displays[..if is_full() { 3 } else { 2 }] {
        // `setsid` takes away the terminal in which the tests run.
        let mut command = program(&home, "setsid", &["--wait", "hostseed", "render", "web1", "--copy"]);
        let output = command.env("DISPLAY", display).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{stderr}");
        assert!(is_printed(&stderr, "error[no-clipboard]"), "{stderr}");
    }
    let stderr = home.fails(1, &["render", "web1", "--copy", "--gzip"]);
    assert!(stderr.contains("error[binary-to-terminal]"), "{stderr}");
    let stderr = home.fails(2, &["render", "web1", "--copy", "--format", "terraform"]);
    assert!(stderr.contains("error[format-option]"), "{stderr}");
    home.fails(2, &["render", "web1", "--copy", "-o", "FILE"]);
}
