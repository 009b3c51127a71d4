//! What the tests share: a home of their own, the program under test, and the rule for skipping.

#![allow(dead_code)] // Each test uses a part of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Whether a program that a test needs is there. Where it is not, a line says so and the test is skipped, or fails
/// when `HOSTSEED_REQUIRE_ALL` is set, as it is in CI.
pub fn need(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|dir| dir.join(program).is_file());
    found || skip(program)
}

/// Whether a test that needs root may run.
pub fn need_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n") || skip("root")
}

/// Whether Python has the module.
pub fn need_python_module(module: &str) -> bool {
    let import = Command::new(PYTHON).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success()) || skip(&format!("Python's {module}"))
}

/// Debian's own Python, which has Debian's modules, rather than the first in the path.
pub const PYTHON: &str = "/usr/bin/python3";

/// Says what is missing; always false.
pub fn skip(missing: &str) -> bool {
    assert!(std::env::var_os("HOSTSEED_REQUIRE_ALL").is_none(), "HOSTSEED_REQUIRE_ALL is set, and {missing} is missing");
    eprintln!("skipped: needs {missing}");
    false
}

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
        for variable in ["MACHINE_STORAGE_PATH", "SHELL", "NO_PROXY", "no_proxy", "NO_COLOR", "CLICOLOR_FORCE"] {
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
