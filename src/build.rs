//! Build script: renders and compresses the host's `setup`, and sets `HOSTSEED_VERSION`, the version that `--version` prints. A release
//! build adds the commit: from the file that `cargo package` writes, or from git. A debug build has none, so that a commit does not build
//! everything again.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

#[path = "userdata/smallest.rs"]
mod smallest;
#[expect(dead_code, reason = "the program uses more of it")]
mod templates;

/// The number of hex digits of the commit.
const DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let version = env!("CARGO_PKG_VERSION");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = if is_release { packaged().or_else(checked_out) } else { None };
    let version = commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=HOSTSEED_VERSION={version}");
    write_setup();
}

/// Writes each `setup` and the same compressed, for `userdata/setup.rs`. Compression at the best level takes many times as long as
/// everything else that `create` does.
fn write_setup() {
    for path in ["src/templates", "src/userdata/smallest.rs", "templates/host"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    for mode in ["host", "image"] {
        for issues in [false, true] {
            let lib = minijinja::Value::from_safe_string("/usr/local/lib/hostseed".to_owned());
            let values = minijinja::context! { mode, issues, lib, setup => true };
            let text = templates::render("host/setup", values).expect("the template has these values");
            let name = format!("setup-{mode}{}", if issues { "-issues" } else { "" });
            let file = Path::new(&out).join(name);
            fs::write(&file, &text).expect("cargo's folder for output can be written");
            let gzip = smallest::gzip_smallest(text.as_bytes());
            fs::write(file.with_extension("gz"), gzip).expect("cargo's folder for output can be written");
        }
    }
}

/// The commit in `.cargo_vcs_info.json`, which each package has (Cargo, "cargo package").
fn packaged() -> Option<String> {
    let info: Value = serde_json::from_str(&fs::read_to_string(".cargo_vcs_info.json").ok()?).ok()?;
    let modified = if info["git"]["dirty"] == true { "-modified" } else { "" };
    Some(format!("{}{modified}", info["git"]["sha1"].as_str()?.get(..DIGITS)?))
}

/// The commit of the working tree, with `-modified` if files differ from it. None without git or outside of a repository of its own.
fn checked_out() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // In a vendored copy, git would describe the repository around it.
    let prefix = git(&["rev-parse", "--show-prefix"])?;
    if !prefix.is_empty() {
        return None;
    }
    let head = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    for path in [&head, "src", "templates", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let abbreviation = format!("--abbrev={DIGITS}");
    git(&["describe", "--always", &abbreviation, "--exclude=*", "--dirty=-modified"])
}
