//! Packer reads the template of `--format packer`. `tests/boot/cases/packer-null-bookworm.sh` tests that it bakes an
//! image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{Home, mode, need, run};

const HOST: &str = "ssh_host=203.0.113.7";

/// The template folders of an image without an identity, and of a machine with each kind of identity.
fn templates(home: &Home) -> Vec<PathBuf> {
    home.ok(&["create", "web1.example.com", "--quiet", "--address", "203.0.113.7"]);
    home.ok(&["create", "fleet", "--quiet"]);
    home.ok(&["bake", "--engine-label", "a=${b} %{c} {{ .Path }}", "--format", "packer", "--out", "image"]);
    for name in ["web1.example.com", "fleet"] {
        home.ok(&["render", name, "--format", "packer", "--out", name]);
    }
    ["image", "web1.example.com", "fleet"].map(|name| home.path().join(name)).to_vec()
}

fn packer(args: &[&str], dir: &Path) -> Output {
    let mut packer = Command::new("packer");
    packer.args(args).arg(dir).current_dir(dir).stdin(Stdio::null()).env("HOME", dir.parent().unwrap());
    packer.env("CHECKPOINT_DISABLE", "1").env("PACKER_NO_COLOR", "1").output().unwrap()
}

fn ok(args: &[&str], dir: &Path) {
    let output = packer(args, dir);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{args:?} {}: {}", dir.display(), String::from_utf8_lossy(&said));
}

/// Runs Packer, which must fail, and returns its output.
fn fails(args: &[&str], dir: &Path) -> String {
    let output = packer(args, dir);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(!output.status.success(), "{args:?} was to fail");
    String::from_utf8(said).unwrap()
}

#[test]
fn packer_accepts_the_template_and_its_formatting() {
    if !need("packer") {
        return;
    }
    let home = Home::new();
    for dir in templates(&home) {
        ok(&["validate", "-var", HOST], &dir);
        ok(&["fmt", "-check", "-diff"], &dir);
    }
}

#[test]
fn only_the_bake_script_is_private() {
    let home = Home::new();
    for (dir, private) in templates(&home).iter().zip([false, true, true]) {
        let files = crate::support::files_below(dir);
        // The record of what hostseed wrote, and for a private key a `.gitignore`.
        assert_eq!(files.len(), if private { 6 } else { 5 }, "{files:?}");
        for file in files {
            let is_private = private && file == Path::new("bake.sh");
            assert_eq!(mode(&dir.join(&file)), if is_private { 0o600 } else { 0o644 }, "{}", file.display());
        }
    }
    let bake = home.ok(&["render", "fleet", "--format", "bake"]);
    assert_eq!(bake, fs::read_to_string(home.path().join("fleet/bake.sh")).unwrap());
}

#[test]
fn wrong_variables_are_refused() {
    if !need("packer") {
        return;
    }
    let home = Home::new();
    let dir = &templates(&home)[0];
    for (variables, why) in [
        (&[][..], "Unset variable \"ssh_host\""),
        (&["ssh_host="], "The ssh_host must be an IP address or a host name"),
        (&["ssh_host=builder@203.0.113.7"], "The ssh_host must be an IP address or a host name"),
        (&[HOST, "ssh_port=0"], "The ssh_port must be a whole number between 1 and 65535"),
        (&[HOST, "ssh_port=22.5"], "The ssh_port must be a whole number between 1 and 65535"),
        (&[HOST, "ssh_username="], "The ssh_username must not be empty"),
        (&[HOST, "ssh_private_key_file=/nowhere"], "ssh_private_key_file is invalid"),
    ] {
        let options: Vec<_> = variables.iter().flat_map(|variable| ["-var", variable]).collect();
        let said = fails(&[&["validate"], &options[..]].concat(), dir);
        assert!(said.contains(why), "{variables:?}: {said}");
    }
    ok(&["validate", "-var", "ssh_host=2001:db8::7", "-var", "ssh_port=65535"], dir);
}

/// Removes the `#` of commented examples. Other comments begin with a capital letter or with `##`.
fn uncommented(text: &str) -> String {
    let line = |line: &str| {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        match code.strip_prefix("# ").or(code.strip_prefix('#')) {
            Some(rest) if !rest.starts_with(char::is_uppercase) => format!("{indent}{rest}\n"),
            _ => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

#[test]
fn the_commented_examples_are_valid() {
    if !need("packer") || !need("ssh-keygen") {
        return;
    }
    let home = Home::new();
    let key = home.path().join("key");
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    for dir in templates(&home) {
        let sources = dir.join("sources.pkr.hcl");
        let examples = uncommented(&fs::read_to_string(&sources).unwrap());
        fs::write(&sources, &examples).unwrap();
        // Packer 1.7 and newer have this block; 1.6 does not.
        ok(&["fmt", "-check", "-diff"], &dir);
        let (before, rest) = examples.split_once("packer {\n").unwrap();
        let (plugins, after) = rest.split_once("\n}\n").unwrap();
        assert!(plugins.contains("required_plugins") && !plugins.contains('#'), "{plugins}");
        // Nothing is downloaded: a file replaces Debian's image.
        let checksum = "\"file:https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS\"";
        assert!(after.contains(checksum));
        let after = after.replace(checksum, "\"none\"");
        fs::write(&sources, before.to_owned() + &after).unwrap();
        fs::create_dir(dir.join("cidata")).unwrap();
        for file in ["meta-data", "user-data"] {
            fs::write(dir.join("cidata").join(file), "#cloud-config\n").unwrap();
        }
        let build = dir.join("hostseed.pkr.hcl");
        let text = fs::read_to_string(&build).unwrap();
        let (head, tail) = text.split_once("\nbuild {\n").unwrap();
        let tail = uncommented(tail).replace("    \"source.null.host\",\n", "");
        assert!(tail.contains("\n  provisioner \"shell\" {\n    only "), "{tail}");
        fs::write(&build, format!("{head}\nbuild {{\n{tail}")).unwrap();
        ok(&["fmt", "-check", "-diff"], &dir);
        let key = format!("ssh_private_key_file={}", key.display());
        let validate = ["validate", "-var", HOST, "-var", &key];
        ok(&validate, &dir);
        // Packer checks each of them.
        for (right, wrong, why) in [
            ("\"8G\"", "\"eight\"", "Invalid disk size"),
            ("\"136693071363\"", "", "owner"),
            ("cidata/user-data", "cidata/nothing", "cidata/nothing"),
        ] {
            fs::write(&sources, (before.to_owned() + &after).replace(right, wrong)).unwrap();
            let said = fails(&validate, &dir);
            assert!(said.contains(why), "{said}");
        }
    }
}
