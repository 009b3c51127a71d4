//! Shared test helpers: a temporary home folder, the program under test, and the rule for skipped tests.

#![allow(dead_code)] // Each test uses a part of it.

pub mod cloud_init;
pub mod docker_machine;
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

/// A temporary home folder for one test. It is removed when dropped.
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

    /// The program under test, with this home folder and without the environment variables that would affect it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostseed"));
        // As if the shell found it, because printed commands call the program as it was called.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "hostseed");
        command.args(args).env("HOME", self.path()).current_dir(self.path()).stdin(Stdio::null());
        for variable in [
            "MACHINE_STORAGE_PATH",
            "HOSTSEED_ALLOW_INSECURE_STORE",
            "SHELL",
            "NO_PROXY",
            "no_proxy",
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "DISPLAY",
            "SSH_CONNECTION",
            "SSH_TTY",
            "TMUX",
            "STY",
            "DOCKER_HOST",
            "DOCKER_CERT_PATH",
            "DOCKER_CONFIG",
            "DOCKER_CONTEXT",
        ] {
            command.env_remove(variable);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs the program, which must succeed, and returns its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program, which must fail with `status`, and returns its standard error.
    pub fn fails(&self, status: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
        stderr
    }
}

/// Copies a program that a test runs. Another process writes the copy: a process that another thread starts meanwhile would inherit the open
/// file from this one, and a program that is open for writing cannot be run (execve(2), ETXTBSY).
pub fn copy_program(from: impl AsRef<Path>, to: &Path) {
    let status = Command::new("cp").arg(from.as_ref()).arg(to).status().unwrap();
    assert!(status.success(), "{}", to.display());
}

/// Whether a printed text contains a diagnostic with this severity, code and message: `error[CODE] WORDS` or
/// `warning[CODE] WORDS`. Without words, only the severity and code are compared.
pub fn is_printed(text: &str, expected: &str) -> bool {
    let (head, words) = expected.split_once(']').unwrap_or_else(|| panic!("no code in {expected:?}"));
    let words = words.trim_start();
    let message =
        |line: &str| line.strip_prefix(head)?.strip_prefix("]: ").map(|message| message.contains(words));
    text.lines().any(|line| message(line) == Some(true))
}

/// The commands that the hint of an error suggests: the indented lines below it.
pub fn commands_of_hint(text: &str) -> Vec<&str> {
    let below = text.lines().skip_while(|line| !line.starts_with("hint: ")).skip(1);
    below.map_while(|line| line.strip_prefix("  ")).collect()
}

/// All files below a folder, as sorted paths relative to it.
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

/// Runs another program, which must succeed.
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
