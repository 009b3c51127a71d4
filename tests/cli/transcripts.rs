//! Compares every transcript in `tests/cli/transcripts/` with the current output. A new case needs no Rust code.
//! `BLESS=1 cargo test --test cli` writes the current output.
//!
//! `sh` runs each line `$ COMMAND` in the transcript's own home folder. A line `< FILE` creates a file from the
//! following lines that are indented by four spaces. After each command come its standard output, its standard error with
//! the prefix `! `, and `? N` if the exit status N is not 0. A remark begins with `#` and is only allowed before the
//! first command. Values that differ from run to run are replaced by `[HOME]`, `[TIME]`, `[DATE]`, `[SHA256]`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::Home;
use crate::support::extent::in_parallel;
use crate::support::snapshot::Snapshots;

#[test]
fn each_transcript_equals_the_real_output() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/transcripts");
    let mut snapshots = Snapshots::default();
    let paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(paths.len() >= 5);
    let play = |path: PathBuf| (replay(&fs::read_to_string(&path).unwrap()), path);
    for (seen, path) in in_parallel(paths, 1, play) {
        snapshots.check(&path, seen.as_bytes());
    }
    snapshots.finish("cli");
}

fn replay(transcript: &str) -> String {
    let home = Home::new();
    let mut seen = String::new();
    let mut lines = transcript.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("$ ") {
            writeln!(seen, "{line}\n{}", run(&home, command)).unwrap();
            // Output after the first command is not searched for remarks.
            let seen_before =
                |line: &&str| !(line.is_empty() || line.starts_with("$ ") || line.starts_with("< "));
            while lines.next_if(seen_before).is_some() {}
        } else if let Some(file) = line.strip_prefix("< ") {
            let mut text = String::new();
            writeln!(seen, "{line}").unwrap();
            while let Some(content) = lines.next_if(|line| line.starts_with("    ")) {
                writeln!(seen, "{content}").unwrap();
                writeln!(text, "{}", &content[4..]).unwrap();
            }
            fs::write(home.path().join(file), text).unwrap();
        } else if line.starts_with('#') && !seen.contains("\n$ ") && !seen.starts_with('$') {
            writeln!(seen, "{line}").unwrap();
        }
    }
    seen
}

/// The output of a command, and a blank line.
fn run(home: &Home, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_hostseed")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut sh = Command::new("sh");
    sh.args(["-c", command]).env_clear().env("PATH", path).env("HOME", home.path()).env("LANG", "C.UTF-8");
    let output = sh.current_dir(home.path()).stdin(Stdio::null()).output().unwrap();
    let mut seen = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        writeln!(seen, "{line}").unwrap();
    }
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        writeln!(seen, "! {line}").unwrap();
    }
    if !output.status.success() {
        writeln!(seen, "? {}", output.status.code().unwrap()).unwrap();
    }
    redact(&seen.replace(home.path().to_str().unwrap(), "[HOME]"))
}

/// Replaces times and fingerprints by placeholders.
fn redact(text: &str) -> String {
    let has_shape = |word: &str, shape: &str| {
        word.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).eq(shape.chars())
    };
    let is_fingerprint =
        |word: &str| word.len() == 95 && word.chars().all(|c| c == ':' || c.is_ascii_hexdigit());
    let mut redacted = String::new();
    for piece in text.split_inclusive(['"', ' ', ',', ';', '\n']) {
        let word = piece.trim_end_matches(['"', ' ', ',', ';', ':', '\n']);
        let after = &piece[word.len()..];
        let word = match word {
            word if has_shape(word, "9999-99-99T99:99:99Z") => "[TIME]",
            word if has_shape(word, "9999-99-99") => "[DATE]",
            word if is_fingerprint(word) => "[SHA256]",
            word => word,
        };
        redacted.push_str(word);
        redacted.push_str(after);
    }
    redacted
}
