//! On a terminal hostseed asks before it deletes, and uses colours unless NO_COLOR is set.

use std::io::Write;
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::support::{Home, need};

/// Runs a command line on a terminal of its own, types `answer`, and returns what the terminal shows.
fn on_a_terminal(home: &Home, line: &str, answer: &str, no_color: bool) -> String {
    let mut script = std::process::Command::new("script");
    script
        .args(["--quiet", "--return", "--command", line, "/dev/null"])
        .env("HOME", home.path())
        .env("TERM", "xterm");
    if no_color {
        script.env("NO_COLOR", "1");
    } else {
        script.env_remove("NO_COLOR");
    }
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

#[test]
fn rm_asks_and_deletes_only_after_yes() {
    if !need("script") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1"]);
    let rm = format!("{} rm web1", env!("CARGO_BIN_EXE_hostseed"));
    let shown = on_a_terminal(&home, &rm, "n\n", true);
    assert!(shown.contains("[y/N]") && shown.contains("nothing was deleted"), "{shown}");
    let status = on_a_terminal(&home, &format!("{rm} || echo status $?"), "n\n", true);
    assert!(status.contains("status 1"), "{status}");
    assert_eq!(home.ok(&["ls", "-q"]), "web1\n");
    on_a_terminal(&home, &rm, "\n", true);
    assert_eq!(home.ok(&["ls", "-q"]), "web1\n");
    let shown = on_a_terminal(&home, &rm, "y\n", true);
    assert!(shown.contains("deleted `web1`"), "{shown}");
    assert_eq!(home.ok(&["ls", "-q"]), "");
}

#[test]
fn binary_output_does_not_go_to_a_terminal() {
    if !need("script") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    for command in ["render web1 --gzip", "context web1 --out -"] {
        let command = format!("{} {command}", env!("CARGO_BIN_EXE_hostseed"));
        let shown = on_a_terminal(&home, &command, "", true);
        assert!(shown.contains("error[binary-to-terminal]: "), "{shown}");
        assert!(!shown.contains("PRIVATE KEY"), "{command}");
    }
}

#[test]
fn the_hint_of_an_export_to_a_terminal_keeps_its_arguments_and_encrypts() {
    if !need("script") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    for (arguments, hint) in [
        ("", "export web1 --passphrase -o web1.hostseed"),
        ("--client alice", "export web1 --client alice --passphrase -o web1-alice.hostseed"),
        ("--client-only", "export web1 --client-only --passphrase -o web1.hostseed"),
        ("--ca-key", "export web1 --ca-key --passphrase -o web1.hostseed"),
    ] {
        let command = format!("{} export web1 {arguments}", env!("CARGO_BIN_EXE_hostseed"));
        let shown = on_a_terminal(&home, &command, "", true);
        assert!(shown.contains("error[binary-to-terminal]: ") && shown.contains(hint), "{shown}");
    }
}

#[test]
fn colours_are_only_for_terminals_that_support_them() {
    if !need("script") {
        return;
    }
    let home = Home::new();
    let url = format!("{} url nobody", env!("CARGO_BIN_EXE_hostseed"));
    assert!(on_a_terminal(&home, &url, "", false).contains("\u{1b}["));
    assert!(!on_a_terminal(&home, &url, "", true).contains("\u{1b}["));
    assert!(!home.fails(1, &["url", "nobody"]).contains("\u{1b}["));
}

#[test]
fn check_prints_each_result_at_once() {
    if !need("script") {
        return;
    }
    let home = Home::new();
    // A host that accepts connections and says nothing, and one that refuses them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (name, port) in [("slow", silent.local_addr().unwrap().port()), ("quick", refused)] {
        home.ok(&["create", name, "--quiet", "--address", "127.0.0.1", "--port", &port.to_string()]);
    }
    thread::spawn(move || {
        let (_stream, _) = silent.accept().unwrap();
        // The other host's answer takes milliseconds, on a busy machine more.
        thread::sleep(Duration::from_secs(3));
    });
    let check = format!("{} check slow quick", env!("CARGO_BIN_EXE_hostseed"));
    let shown = on_a_terminal(&home, &check, "", true);
    let at = |code: &str| shown.find(code).unwrap_or_else(|| panic!("{shown}"));
    assert!(at("error[connection-refused]: `quick`") < at("error[no-answer]: `slow`"), "{shown}");
}
