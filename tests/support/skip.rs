//! The rule for skipped tests, for tests in `tests/` and in the source files.

use std::process::{Command, Stdio};

/// Debian's own Python, which can import Debian's modules. The first Python in the path may not.
pub const PYTHON: &str = "/usr/bin/python3";

/// Whether a program that a test needs is installed. If not, prints a line so that the test can be skipped.
///
/// Panics if the program is missing and `HOSTSEED_REQUIRE_ALL` is set, as it is in CI.
pub fn need(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    dirs.any(|dir| dir.join(program).is_file()) || skip(program)
}

/// Whether a test that needs root can run.
pub fn need_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n") || skip("root")
}

/// Whether Debian's Python has the module.
pub fn need_python_module(module: &str) -> bool {
    let import =
        Command::new(PYTHON).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success()) || skip(&format!("Python's {module}"))
}

/// Prints what is missing and returns false. Panics if `HOSTSEED_REQUIRE_ALL` is set.
pub fn skip(missing: &str) -> bool {
    assert!(
        std::env::var_os("HOSTSEED_REQUIRE_ALL").is_none(),
        "HOSTSEED_REQUIRE_ALL is set, and {missing} is missing"
    );
    eprintln!("skipped: needs {missing}");
    false
}
