//! Runs the README's commands in order in an empty home folder. All of them must succeed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::Home;

/// Commands that need a VM, a network or a build. They are replaced by stubs that succeed.
const STUBS: [&str; 4] = ["cargo", "docker", "packer", "terraform"];

/// The commands in the README's `console` blocks, in order.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = readme.split("\n```console\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let commands = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("$ "));
    commands.map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_readme_work_in_order() {
    let home = Home::new();
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for stub in STUBS {
        fs::write(bin.join(stub), "#!/bin/sh\nexit 0\n").unwrap();
        fs::set_permissions(bin.join(stub), fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Replaces `cargo run` in the first command.
    let hostseed = Path::new(env!("CARGO_BIN_EXE_hostseed"));
    let cargo = "#!/bin/sh\n[ \"$1\" != run ] || { shift 3 && exec hostseed \"$@\"; }\n";
    fs::write(bin.join("cargo"), cargo).unwrap();
    let path = format!(
        "{}:{}:{}",
        bin.display(),
        hostseed.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let commands = commands();
    assert!(commands.len() >= 25, "{commands:#?}");
    // No VM boots here.
    let asks_a_host = |command: &&String| {
        let begins = ["wait ", "swarm ", "renew --apply ", "renew --authority --apply --yes "];
        command
            .strip_prefix("hostseed ")
            .is_some_and(|words| begins.iter().any(|begin| words.starts_with(begin)))
    };
    assert_eq!(commands.iter().filter(asks_a_host).count(), 6);
    let mut secret = String::new();
    fs::write(home.path().join("passphrase"), "correct horse battery staple\n").unwrap();
    for command in commands.iter().filter(|command| !asks_a_host(command)) {
        // No terminal is here to type it.
        let command = command.replace("--passphrase ", "--passphrase-file passphrase ");
        let command = command.replace("import web1", "import --passphrase-file passphrase web1");
        // A file is imported on another computer.
        let other = Home::new();
        let is_there = command.contains("hostseed import ") && !command.contains("--docker-machine");
        let user = if is_there { other.path() } else { home.path() };
        let output = Command::new("bash")
            .args(["-euc", &command])
            .current_dir(home.path())
            .env_clear()
            .env("HOME", user)
            .env("PATH", &path)
            .env("HOSTSEED_WEB1", &secret)
            .env("SHELL", "/bin/bash")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "$ {command}\n{said}");
        if command.contains("--base64") {
            secret = String::from_utf8(output.stdout).unwrap();
        }
    }
}
