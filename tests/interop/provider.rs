//! The provider in real Terraforms: the oldest that supports its protocol, and a new one. `HOSTSEED_PROVIDER` names the program, which
//! `cargo build --release --features terraform` makes. No registry is contacted.

mod lifecycle;
mod protocol;
mod stores;
mod values;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::extent::is_full;
use crate::support::{Home, copy_program, need, skip};

/// A Terraform that supports plugin protocol 6, and the first that does.
const OLDEST: &str = "terraform-1.0";
/// A Terraform that has functions of providers and ephemeral resources.
const NEW: &str = "terraform-1.15";

/// The provider; none if it was not built.
fn program() -> Option<PathBuf> {
    let program = std::env::var_os("HOSTSEED_PROVIDER").map(PathBuf::from);
    let found = program.filter(|program| program.is_file());
    if found.is_none() {
        skip("the provider: `cargo build --release --features terraform`, and its path in HOSTSEED_PROVIDER");
    }
    found
}

/// The folder in which `hostseed terraform install` has put the provider, once for all tests.
fn mirror() -> Option<&'static Path> {
    static MIRROR: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        let program = program()?;
        let home = Home::new();
        // The command copies the provider from its own folder.
        let hostseed = home.path().join("hostseed");
        copy_program(env!("CARGO_BIN_EXE_hostseed"), &hostseed);
        copy_program(program, &home.path().join("terraform-provider-hostseed"));
        let mirror = Path::new(env!("CARGO_TARGET_TMPDIR")).join("provider");
        let output = Command::new(hostseed).args(["terraform", "install"]).arg(&mirror).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(mirror)
    };
    MIRROR.get_or_init(install).as_deref()
}

/// A configuration in its own folder, with a Terraform that has the provider.
struct Root {
    home: Home,
    program: &'static str,
}

impl Root {
    /// None if Terraform or the provider is not installed.
    fn new(program: &'static str, text: &str) -> Option<Self> {
        let mirror = mirror()?;
        if !need(program) {
            return None;
        }
        let root = Self { home: Home::new(), program };
        let mirror = mirror.display();
        let rc =
            format!("provider_installation {{\n  filesystem_mirror {{\n    path = \"{mirror}\"\n  }}\n}}\n");
        fs::write(root.path().join("rc"), rc).unwrap();
        root.write(text);
        root.ok(&["init", "-input=false"]);
        Some(root)
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    /// Replaces the configuration.
    fn write(&self, text: &str) {
        const REQUIRED: &str = "terraform {\n  required_providers {\n    hostseed = {\n      source = \"hostseed/hostseed\"\n    }\n  }\n}\n";
        fs::write(self.path().join("main.tf"), format!("{REQUIRED}{text}")).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        self.in_front(&[], args)
    }

    /// Terraform, run by another program.
    fn in_front(&self, front: &[&str], args: &[&str]) -> Command {
        let words: Vec<_> = front.iter().chain([&self.program]).chain(args).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(self.path()).stdin(Stdio::null()).env("HOME", self.path());
        command.env("TF_CLI_CONFIG_FILE", self.path().join("rc"));
        command
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env_remove("MACHINE_STORAGE_PATH");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        succeeded(self.run(args), args)
    }

    fn apply(&self) -> String {
        self.ok(&["apply", "-auto-approve", "-no-color"])
    }

    /// The exit status of `plan`: 0 if nothing is to change, 2 if something is.
    fn plan(&self) -> i32 {
        let output = self.run(&["plan", "-detailed-exitcode", "-no-color"]);
        let status = output.status.code().unwrap();
        assert_ne!(status, 1, "{}", String::from_utf8_lossy(&output.stderr));
        status
    }

    /// The plan in JSON.
    fn planned(&self) -> Value {
        self.ok(&["plan", "-out=plan"]);
        serde_json::from_str(&self.ok(&["show", "-json", "plan"])).unwrap()
    }

    /// The planned change of a resource.
    fn change(&self, address: &str) -> Value {
        let plan = self.planned();
        let changes = plan["resource_changes"].as_array().unwrap();
        changes.iter().find(|change| change["address"] == address).unwrap()["change"].clone()
    }

    /// The values of a resource in the state.
    fn state(&self, address: &str) -> Value {
        let state: Value = serde_json::from_str(&self.ok(&["show", "-json"])).unwrap();
        let resources = state["values"]["root_module"]["resources"].as_array().unwrap().clone();
        resources.iter().find(|resource| resource["address"] == address).unwrap()["values"].clone()
    }

    /// The problems of the configuration: for each the summary, the line, and the whole text.
    fn problems(&self, args: &[&str]) -> Vec<(String, Option<u64>, Value)> {
        let output = self.run(args);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let problems = report["diagnostics"].as_array().unwrap().clone();
        let line = |problem: &Value| problem["range"]["start"]["line"].as_u64();
        problems
            .into_iter()
            .map(|one| (one["summary"].as_str().unwrap().to_owned(), line(&one), one))
            .collect()
    }
}

fn succeeded(output: Output, args: &[&str]) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said));
    String::from_utf8(output.stdout).unwrap()
}

/// The Terraforms for a test that needs no new feature.
fn terraforms() -> Vec<&'static str> {
    if is_full() { vec![OLDEST, NEW] } else { vec![NEW] }
}

fn text<'a>(values: &'a Value, name: &str) -> &'a str {
    values[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

const WEB1: &str =
    "resource \"hostseed_machine\" \"web1\" {\n  name = \"web1\"\n  addresses = [\"203.0.113.7\"]\n}\n";

/// The configuration of one machine, with more attributes.
fn web1(more: &str) -> String {
    WEB1.replace("\n}\n", &format!("\n  {more}\n}}\n"))
}
