//! Tests of `hostseed verify`. It accepts rendered user-data in every format and from every source. It reports user-data
//! that is damaged, incomplete, too large or in the wrong place. It gives correct results for other people's
//! cloud-configs.

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod damage;
mod foreign;
mod forms;
mod keys;
mod own_seed;
mod schema;
mod sources;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use support::{Home, is_printed};

/// The result of `verify`.
pub struct Outcome {
    pub status: i32,
    pub text: String,
}

impl Outcome {
    /// Checks that it succeeded and reported nothing.
    #[track_caller]
    pub fn assert_valid(&self) {
        assert_eq!(self.status, 0, "{}", self.text);
        assert!(!self.text.contains("warning[") && !self.text.contains("error["), "{}", self.text);
    }

    /// Checks that it failed and printed one of these, in the format of [`is_printed`].
    #[track_caller]
    pub fn assert_reports(&self, case: &str, one_of: &[&str]) {
        assert_eq!(self.status, 1, "{case}: {}", self.text);
        assert!(
            one_of.iter().any(|expected| is_printed(&self.text, expected)),
            "{case}: none of {one_of:?} in\n{}",
            self.text
        );
        assert!(!self.text.contains("panicked"), "{case}: {}", self.text);
    }
}

/// Verifies a file in the home folder.
pub fn verify(home: &Home, args: &[&str]) -> Outcome {
    let output = home.run(&[&["verify"], args].concat());
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Outcome { status: output.status.code().expect("no signal"), text }
}

/// Verifies bytes on standard input.
pub fn verify_bytes(home: &Home, bytes: &[u8], args: &[&str]) -> Outcome {
    outcome_of(home.command(&[&["verify", "-"], args].concat()), bytes)
}

/// Runs a command with these bytes on its standard input.
pub fn outcome_of(mut command: Command, bytes: &[u8]) -> Outcome {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program can exit before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(bytes);
    let output = child.wait_with_output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Outcome { status: output.status.code().expect("no signal"), text }
}

/// The JSON output of `verify` for a file.
pub fn json(home: &Home, file: &str) -> Value {
    json_with(home, file, &[])
}

/// Does the same as [`json`], with further options.
pub fn json_with(home: &Home, file: &str, options: &[&str]) -> Value {
    let output = home.run(&[&["verify", file, "--json"], options].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A home folder with `web1`, which has a server certificate, and `web2`, which has a boot issuer.
pub fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    home.ok(&["create", "web2", "--quiet"]);
    home
}

pub fn render(home: &Home, machine: &str, options: &[&str]) -> Vec<u8> {
    home.ok(&[&["render", machine], options].concat()).into_bytes()
}

pub fn rendered_to(home: &Home, machine: &str, options: &[&str], file: &str) -> Vec<u8> {
    home.ok(&[&["render", machine], options, &["-o", file, "--force"]].concat());
    std::fs::read(home.path().join(file)).unwrap_or_default()
}

pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

pub fn write(home: &Home, file: &str, bytes: impl AsRef<[u8]>) {
    let path = home.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
    std::fs::write(path, bytes).unwrap();
}
