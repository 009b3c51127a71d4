//! Runs cloud-init's own schema check for `verify --schema`, because only the installed cloud-init knows the schema of its version.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use crate::diag::{Code, Diagnostic, Place};
use crate::shell;
use crate::verify::Shared;

/// Maximum number of cloud-configs of one input that are checked. Each takes about a second.
const MOST: usize = 32;
/// Maximum length of a quoted text in a message. A longer one may be the content of a file.
const LONGEST_QUOTED: usize = 24;
/// Maximum length of a run of base64 letters in a message. A longer one may be part of a key.
const LONGEST_RUN: usize = 20;

/// Runs `cloud-init schema` on each cloud-config and returns its findings. It passes them on standard input, so that no file and no
/// argument contains a key.
pub fn check_schema(cloud_configs: &[(Place, Shared)]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (place, text) in cloud_configs.iter().take(MOST) {
        match ask(text) {
            Ok(found) => problems.extend(found.into_iter().map(|problem| problem.at(place.clone()))),
            Err(problem) => return vec![problem],
        }
    }
    if cloud_configs.len() > MOST {
        let text = format!("has more than {MOST} cloud-configs; the schema of the others was not checked");
        problems.push(Diagnostic::warning(Code::NotChecked, text).at(cloud_configs[MOST].0.outermost()));
    }
    problems
}

fn ask(text: &[u8]) -> Result<Vec<Diagnostic>, Diagnostic> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            Diagnostic::error(Code::CloudInitMissing, "cloud-init is not installed, and `--schema` needs it")
                .hint("leave out `--schema`, or install it, for example:")
                .run(shell::Command::of("sudo", ["apt-get", "install", "cloud-init"]))
        }
        _ => Diagnostic::error(Code::CloudInitMissing, format!("cannot run cloud-init: {error}")),
    };
    let mut child = Command::new("cloud-init")
        .args(["schema", "--config-file", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = std::thread::scope(|scope| {
        // cloud-init may exit before it has read everything. Then writing fails, which is no error.
        scope.spawn(move || drop(stdin.write_all(text)));
        child.wait_with_output()
    });
    let output = output.map_err(failed)?;
    // Errors are on standard error. Standard output has deprecations, and the file's name if the config is valid. cloud-init has
    // no output for programs, so the lines are told apart by the file's name and by the colon of a heading.
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let mut found = Vec::new();
    if !output.status.success() {
        let said = lines(&output.stderr).join(" ");
        found.push(Diagnostic::error(
            Code::CloudInitSchema,
            format!("does not match cloud-init's schema: {}", masked(&said)),
        ));
    }
    let notes = lines(&output.stdout).into_iter().filter(|line| !line.contains("/dev/stdin"));
    // A heading has no finding of its own.
    for note in notes.filter(|line| !line.ends_with(':')) {
        let text = format!("has a warning from cloud-init's schema: {}", masked(&note));
        found.push(Diagnostic::warning(Code::CloudInitSchema, text));
    }
    Ok(found)
}

/// Removes possible secrets from a message of cloud-init, which repeats values of the config.
fn masked(message: &str) -> String {
    const NOT_SHOWN: &str = "the message is not shown, because it repeats a private key";
    if message.contains("PRIVATE KEY") || message.contains("-----BEGIN") {
        return NOT_SHOWN.to_owned();
    }
    let (mut shown, mut rest) = (String::new(), message);
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = &rest[start..=start];
        shown.push_str(&rest[..start]);
        let body = &rest[start + 1..];
        let Some(end) = body.find(quote) else {
            rest = "";
            shown.push('…');
            break;
        };
        let body_shown = if body[..end].chars().count() > LONGEST_QUOTED { "…" } else { &body[..end] };
        shown.extend([quote, body_shown, quote]);
        rest = &body[end + 1..];
    }
    shown.push_str(rest);
    without_runs(&shown)
}

fn without_runs(text: &str) -> String {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut shown = String::new();
    for piece in text.split_inclusive(|c| !is_letter(c)) {
        let letters = piece.trim_end_matches(|c| !is_letter(c));
        if letters.len() > LONGEST_RUN {
            shown.push('…');
            shown.push_str(&piece[letters.len()..]);
        } else {
            shown.push_str(piece);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_repeats_no_long_value_and_no_key() {
        for (message, expected) in [
            ("runcmd: {'a': 1} is not of type 'array'", "runcmd: {'a': 1} is not of type 'array'"),
            ("a: 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg' is bad", "a: '…' is bad"),
            ("a: MIGHAgEAMBMGByqGSM49AgEG is bad", "a: … is bad"),
            (
                "k: ['-----BEGIN PRIVATE KEY-----\\nMIG'] is bad",
                "the message is not shown, because it repeats a private key",
            ),
        ] {
            let shown = masked(message);
            assert_eq!(shown, expected);
        }
    }
}
