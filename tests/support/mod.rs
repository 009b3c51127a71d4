//! What the tests share: a home of their own, the program under test, and the rule for skipping.

#![allow(dead_code)] // Each test uses a part of it.

pub mod cloud_init;
pub mod extent;
pub mod openssl;
pub mod rustls;
pub mod seed;
mod skip;
pub mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[allow(unused_imports)]
pub use skip::{PYTHON, need, need_python_module, need_root, skip};

/// A home folder of the test's own, gone with it.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("hostseed-test-").tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn store(&self) -> PathBuf {
        self.path().join(".docker/machine")
    }

    pub fn machine(&self, name: &str) -> PathBuf {
        self.store().join("machines").join(name)
    }

    /// The program under test, in this home and with nothing else of the caller's environment that it looks at.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostseed"));
        command.args(args).env("HOME", self.path()).current_dir(self.path()).stdin(Stdio::null());
        for variable in [
            "MACHINE_STORAGE_PATH",
            "HOSTSEED_ALLOW_INSECURE_STORE",
            "SHELL",
            "NO_PROXY",
            "no_proxy",
            "NO_COLOR",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(variable);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it and returns its standard output; it has to succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it and returns its standard error; it has to fail with that status.
    pub fn fails(&self, status: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
        stderr
    }
}

/// Whether a text that was printed has a diagnostic of this severity, with this code and these words: `error[CODE] WORDS` or
/// `warning[CODE] WORDS`, or only the code.
pub fn is_printed(text: &str, expected: &str) -> bool {
    let (head, words) = expected.split_once(']').unwrap_or_else(|| panic!("no code in {expected:?}"));
    let words = words.trim_start();
    let message =
        |line: &str| line.strip_prefix(head)?.strip_prefix("]: ").map(|message| message.contains(words));
    text.lines().any(|line| message(line) == Some(true))
}

/// All files below a folder, paths relative to it, sorted.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    fn walk(dir: &Path, root: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, files);
            } else {
                files.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    let mut files = Vec::new();
    if dir.exists() {
        walk(dir, dir, &mut files);
    }
    files.sort();
    files
}

/// Runs another program; it has to succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The permission bits of a file.
#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
