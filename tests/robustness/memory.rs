//! `verify` needs little memory for any kind of input: less than 64 MiB of addresses for 4 MiB that were made to need much. This is
//! several times the input and what the program needs for itself. The growth of the work is tested in `src/verify/growth.rs`.

use std::fs;
use std::process::Command;

use crate::support::Home;
use crate::support::extent::is_full;

const SIZE: usize = 4 << 20;
const SCRIPT: &str = "#!/bin/sh\n";
const MIME: &str = "MIME-Version: 1.0\n";
const UNIT: &str =
    r#"{"ignition":{"version":"3.4.0"},"systemd":{"units":[{"name":"docker.service","contents":"[Service]\n"#;
const FILE: &str = r#"{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":""#;

/// The beginning, what is repeated, the end, and the limit in MiB.
const KINDS: [(&str, &str, &str, usize); 12] = [
    (SCRIPT, "unpack a b <<'E'\nE\n", "", 64),
    ("#!/bin/sh\nunpack ", "a ", "", 64),
    // Each of the values that JSON can have takes memory.
    ("[", "{\"a\":0},", "0]", 96),
    ("#include\n", "https://a.example/\n", "", 64),
    (MIME, "a:\n", "\n\nx", 64),
    (MIME, "Subject: a\n", "\n\nx", 64),
    ("MIME-Version: 1.0\nX-A: b\n", " a\n", "\n\nx", 64),
    (
        "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n",
        " a=b;\n",
        " boundary=B\n\n--B\n\nx\n--B--\n",
        64,
    ),
    (FILE, "/a", "\"}]}}", 64),
    (UNIT, "ExecStart=a\\n", "\"}]}}", 64),
    (UNIT, "a=\\n", "\"}]}}", 64),
    (
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n",
        "\u{20ac}",
        "\n--B--\n",
        64,
    ),
];

#[test]
fn an_input_of_any_kind_needs_little_memory() {
    let kinds = if is_full() { &KINDS[..] } else { &KINDS[..3] };
    for (begin, word, end, limit) in kinds {
        let home = Home::new();
        let input = format!("{begin}{}{end}", word.repeat(SIZE / word.len()));
        fs::write(home.path().join("input"), input).unwrap();
        let program = home.command(&[]);
        let mut limited = Command::new("sh");
        // With fewer addresses than it needs, the program aborts.
        limited.args(["-c", &format!("ulimit -v {}; exec \"$0\" verify input", limit << 10)]);
        let output = limited.arg(program.get_program()).current_dir(home.path()).output().unwrap();
        let status = output.status.code();
        assert!(matches!(status, Some(0 | 1)), "{begin:?} {word:?}: {status:?}");
    }
}
