//! Tests the configs with Ignition itself. Its validator must find no problem, and its `files` stage must create the
//! files of the case's golden tree.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Home, files_below, mode, need, need_root, run, skip, snapshot};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Debian's Ignition, which is only packaged for dracut.
const IGNITION: &str = "/usr/lib/dracut/modules.d/30ignition/ignition";
/// The name of specification 3.4.0 in Ignition before its release 2.14. The fields that hostseed uses are the same in
/// both.
const EXPERIMENTAL: &str = "3.4.0-experimental";

/// The golden cases that contain a config.
fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let cases = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<_> = cases.filter(|case| case.join("config.ign").exists()).collect();
    assert!(cases.len() >= 2);
    cases
}

/// Adapts a config to the installed version of Ignition.
fn for_this_ignition(config: &str, dir: &Path) -> PathBuf {
    let mut json: Value = serde_json::from_str(config).unwrap();
    assert_eq!(json["ignition"]["version"], "3.4.0");
    json["ignition"]["version"] = EXPERIMENTAL.into();
    let path = dir.join("config.ign");
    fs::write(&path, json.to_string()).unwrap();
    path
}

/// Applies a config to an empty root folder and returns the folder.
fn apply(config: &Path, dir: &Path) -> PathBuf {
    let root = dir.join("root");
    // Debian's Ignition sets SELinux labels, which this system does not have.
    fs::create_dir_all(root.join("etc/selinux")).unwrap();
    fs::write(root.join("etc/selinux/config"), "SELINUXTYPE=none\n").unwrap();
    fs::write(dir.join("setfiles"), "#!/bin/sh\ncat >/dev/null\n").unwrap();
    fs::set_permissions(dir.join("setfiles"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    for stage in ["fetch", "files"] {
        let mut ignition = Command::new(IGNITION);
        ignition.args(["--platform=file", "--log-to-stdout"]).arg(format!("--stage={stage}"));
        ignition.arg(format!("--root={}", root.display()));
        for (option, file) in
            [("config-cache", "cache.json"), ("neednet", "neednet"), ("state-file", "state")]
        {
            ignition.arg(format!("--{option}={}", dir.join(file).display()));
        }
        run(ignition.env("IGNITION_CONFIG_FILE", config).env("PATH", &path));
    }
    root
}

fn has_ignition() -> bool {
    (Path::new(IGNITION).exists() || skip("Ignition")) && need_root()
}

#[test]
fn ignition_validate_accepts_the_config() {
    if !need("ignition-validate") {
        return;
    }
    for case in cases() {
        let dir = tempfile::tempdir().unwrap();
        let config = fs::read_to_string(case.join("config.ign")).unwrap();
        run(Command::new("ignition-validate").arg(for_this_ignition(&config, dir.path())));
    }
}

#[test]
fn ignition_writes_the_files_of_the_golden_tree() {
    if !has_ignition() {
        return;
    }
    for case in cases() {
        let dir = tempfile::tempdir().unwrap();
        let config = fs::read_to_string(case.join("config.ign")).unwrap();
        // SSH keys need a root folder with users.
        let merges = config.contains("\"merge\"");
        let config = if merges { without_merged(&config) } else { config };
        let root = apply(&for_this_ignition(&config, dir.path()), dir.path());
        let golden = case.join("host");
        let files = files_below(&golden).into_iter().map(|kept| snapshot::file_of(&kept));
        for file in files {
            let got = root.join(&file);
            assert_eq!(fs::read(&got).unwrap(), snapshot::read(&golden.join(&file)), "{}", got.display());
            let modes = fs::read_to_string(case.join("modes")).unwrap();
            let line = format!("{:04o} host/{}\n", mode(&got), file.display());
            assert!(modes.contains(&line), "{line}");
        }
        let preset = fs::read_to_string(root.join("etc/systemd/system-preset/20-ignition.preset")).unwrap();
        for unit in ["docker.service", "docker.socket"] {
            assert!(preset.contains(&format!("enable {unit}\n")), "{preset}");
        }
    }
}

fn without_merged(config: &str) -> String {
    let mut json: Value = serde_json::from_str(config).unwrap();
    json["ignition"].as_object_mut().unwrap().remove("config");
    json.to_string()
}

#[test]
fn a_config_of_the_user_is_merged_byte_for_byte() {
    if !has_ignition() {
        return;
    }
    let home = Home::new();
    let theirs = r#"{"ignition": {"version": "3.3.0"},
  "storage": {"files": [{"path": "/etc/motd", "mode": 420, "contents": {"source": "data:,hello%20there"}}]},
  "systemd": {"units": [{"name": "docker.service", "dropins": [{"name": "05-theirs.conf", "contents": "[Service]\nNice=5\n"}]}]}}"#;
    fs::write(home.path().join("theirs.ign"), theirs).unwrap();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let config = home.ok(&["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
    let root = apply(&for_this_ignition(&config, home.path()), home.path());
    assert_eq!(fs::read_to_string(root.join("etc/motd")).unwrap(), "hello there");
    let drop_ins = files_below(&root.join("etc/systemd/system/docker.service.d"));
    assert_eq!(drop_ins, ["05-theirs.conf", "10-machine.conf"].map(PathBuf::from));
    assert_eq!(
        fs::read(root.join("etc/docker/server-key.pem")).unwrap(),
        fs::read(home.machine("web1").join("server-key.pem")).unwrap()
    );
}

#[test]
fn a_config_that_replaces_hostseeds_files_is_refused() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let config = |rest: &str| format!(r#"{{"ignition": {{"version": "3.4.0"}}, {rest}}}"#);
    let unit = |unit: &str| config(&format!(r#""systemd": {{"units": [{unit}]}}"#));
    for (theirs, named) in [
        (config(r#""storage": {"files": [{"path": "/etc/docker/ca.pem"}]}"#), "/etc/docker/ca.pem"),
        (
            config(r#""storage": {"links": [{"path": "/etc/docker/server.pem", "target": "x"}]}"#),
            "/etc/docker/server.pem",
        ),
        (config(r#""storage": {"links": [{"path": "/etc/docker", "target": "/srv"}]}"#), "/etc/docker"),
        (config(r#""storage": {"files": [{"path": "/etc//docker/ca.pem"}]}"#), "/etc//docker/ca.pem"),
        (unit(r#"{"name": "docker.service", "enabled": false}"#), "docker.service"),
        (unit(r#"{"name": "docker.socket", "mask": true}"#), "docker.socket"),
        (
            unit(r#"{"name": "docker.service", "dropins": [{"name": "10-machine.conf", "contents": ""}]}"#),
            "10-machine.conf",
        ),
    ] {
        fs::write(home.path().join("theirs.ign"), &theirs).unwrap();
        let error = home.fails(1, &["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
        assert!(error.contains(named), "{theirs}: {error}");
    }
    for (theirs, named) in [
        ("", "error[part-rejected]: `--merge theirs.ign` is not valid JSON"),
        (r#"{"ignition": {"version": "3.x"}}"#, "must have version 3 of Ignition's specification, got `3.x`"),
        ("{}", "no `ignition.version`"),
        (
            r#"{"ignition": {"version": "2.3.0"}}"#,
            "must have version 3 of Ignition's specification, got `2.3.0`",
        ),
        ("variant: flatcar\nversion: 1.0.0\n", "butane"),
    ] {
        fs::write(home.path().join("theirs.ign"), theirs).unwrap();
        let error = home.fails(2, &["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
        assert!(error.contains(named), "{theirs}: {error}");
    }
}

#[test]
fn only_a_config_that_breaks_the_host_is_refused() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let config = |rest: String| format!(r#"{{"ignition": {{"version": "3.4.0"}}, {rest}}}"#);
    let drop_in = |unit: &str, name: &str, contents: &str| {
        let drop_in = format!(r#"{{"name": "{name}", "contents": "{contents}"}}"#);
        config(format!(r#""systemd": {{"units": [{{"name": "{unit}", "dropins": [{drop_in}]}}]}}"#))
    };
    let file = |path: &str, contents: &str| {
        let source = format!(r#"{{"source": "data:;base64,{}"}}"#, STANDARD.encode(contents));
        config(format!(r#""storage": {{"files": [{{"path": "{path}", "contents": {source}}}]}}"#))
    };
    let exec = "[Service]\nExecStart=\nExecStart=dockerd -H fd://\n";
    for (theirs, named) in [
        (
            drop_in("docker.service", "20-x.conf", r"[Service]\nExecStart =\nExecStart = dockerd -H fd://\n"),
            "ExecStart",
        ),
        (file("/etc/systemd/system/docker.service.d/zz.conf", exec), "ExecStart"),
        (file("/etc/docker/daemon.json", r#"{"hosts": ["fd://"]}"#), "`hosts`"),
    ] {
        fs::write(home.path().join("theirs.ign"), &theirs).unwrap();
        let error = home.fails(2, &["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
        assert!(error.contains(named), "{theirs}: {error}");
    }
    for theirs in [
        drop_in("docker.service", "20-x.conf", r"[Service]\n# ExecStart=dockerd\nNice=5\n"),
        drop_in("docker.socket", "10-machine.conf", r"[Socket]\nSocketMode=0666\n"),
        config(r#""storage": {"directories": [{"path": "/etc/docker", "mode": 493}]}"#.into()),
    ] {
        fs::write(home.path().join("theirs.ign"), &theirs).unwrap();
        home.ok(&["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
    }
}

#[test]
fn options_that_ignition_does_not_support_are_refused() {
    let home = Home::new();
    for (n, options) in [
        &["--docker", "official"][..],
        &["--docker-version", "28.0.4"],
        &["--docker-channel", "test"],
        &["--engine-install-url", "https://example.com/install"],
    ]
    .iter()
    .enumerate()
    {
        let name = format!("web{n}");
        home.ok(&[&["create", &name, "--quiet", "--address", "203.0.113.7"], *options].concat());
        let error = home.fails(1, &["render", &name, "--format", "ignition"]);
        let field = options[0].trim_start_matches('-');
        assert!(error.contains(&format!("`{field}` has no effect with Ignition")), "{error}");
    }
}
