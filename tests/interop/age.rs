//! Exported machines and the program `age`: each decrypts what the other encrypted. `age` asks for a passphrase only on a terminal.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::support::{Home, need};

const PASSPHRASE: &str = "correct horse ü";

/// Runs `age` in the home folder, on a terminal of its own, and answers each of its questions with the passphrase.
fn age(home: &Home, args: &str, questions: usize) {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &format!("age {args}"), "/dev/null"]);
    command.current_dir(home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    for asked in 1..=questions {
        while shown.iter().filter(|byte| **byte == b':').count() < asked {
            let mut byte = [0];
            assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
            shown.extend(byte);
        }
        writeln!(input, "{PASSPHRASE}").unwrap();
    }
    output.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&shown));
}

#[test]
fn age_decrypts_an_exported_machine_and_its_file_is_imported() {
    if !need("age") || !need("script") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    fs::write(home.path().join("passphrase"), PASSPHRASE).unwrap();
    let passphrase = ["--passphrase-file", "passphrase", "--quiet"];
    home.ok(&["export", "web1", "--out", "plain", "--quiet"]);
    home.ok(&[&["export", "web1", "--out", "web1.age"], &passphrase[..]].concat());
    age(&home, "--decrypt --output decrypted web1.age", 1);
    let file = |name: &str| fs::read(home.path().join(name)).unwrap();
    assert!(file("decrypted") == file("plain"));

    // hostseed's own files are text; this one is not.
    age(&home, "--passphrase --output by-age plain", 2);
    home.ok(&["rm", "-y", "web1", "--quiet"]);
    home.ok(&[&["import", "by-age"], &passphrase[..]].concat());
    home.ok(&["export", "web1", "--out", "again", "--quiet"]);
    assert!(file("again") == file("plain"));
}
