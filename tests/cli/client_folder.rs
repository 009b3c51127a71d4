//! `client --out`: the folder that another person gets.

use std::fs;
use std::process::Command;

use crate::support::{Home, need};

fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home
}

/// The value of DOCKER_CERT_PATH in a shell after it has read `env`, or its error.
fn cert_path(home: &Home, shell: &str, folder: &str, env: &str) -> Result<String, String> {
    let script =
        format!(". {env} && echo \"$DOCKER_CERT_PATH $DOCKER_HOST $DOCKER_TLS_VERIFY $DOCKER_MACHINE_NAME\"");
    let folder = home.path().join(folder);
    let output = Command::new(shell).args(["-uc", &script]).current_dir(folder).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap().trim_end().to_owned()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[test]
fn the_environment_finds_the_certificates_where_the_folder_is_moved_to() {
    let home = home();
    home.ok(&["client", "web1", "--cn", "alice", "--out", "a folder", "--quiet"]);
    let there = |folder: &str| {
        let folder = home.path().join(folder).canonicalize().unwrap();
        Ok(format!("{} tcp://203.0.113.7:2376 1 web1", folder.display()))
    };
    for shell in ["bash", "zsh", "dash"].into_iter().filter(|shell| need(shell)) {
        assert_eq!(cert_path(&home, shell, ".", "'a folder/env'"), there("a folder"), "{shell}");
    }
    fs::create_dir(home.path().join("sub")).unwrap();
    fs::rename(home.path().join("a folder"), home.path().join("sub/it's $moved")).unwrap();
    let moved = "sub/it's $moved";
    for shell in ["bash", "zsh", "dash"].into_iter().filter(|shell| need(shell)) {
        assert_eq!(cert_path(&home, shell, moved, "./env"), there(moved), "{shell}");
        let elsewhere = cert_path(&home, shell, "sub", "\"it's \\$moved/env\"");
        match shell {
            "dash" => assert!(elsewhere.unwrap_err().contains("run `. ./env` in the folder"), "{shell}"),
            _ => assert_eq!(elsewhere, there(moved), "{shell}"),
        }
    }
}

#[test]
fn the_client_of_another_is_replaced_only_with_force() {
    let home = home();
    home.ok(&["client", "web1", "--cn", "alice", "--out", "folder", "--quiet"]);
    let read = || fs::read(home.path().join("folder/key.pem")).unwrap();
    let of_alice = read();
    let refused = home.fails(1, &["client", "web1", "--cn", "bob", "--out", "folder"]);
    assert!(
        refused.starts_with("error[would-overwrite]: `folder` has the files of the client `alice` of `web1`"),
        "{refused}"
    );
    assert_eq!(read(), of_alice);
    assert!(!home.machine("web1").join("clients/bob").exists());
    home.ok(&["client", "web1", "--cn", "alice", "--out", "folder", "--quiet", "--force"]);
    assert_ne!(read(), of_alice);
    home.ok(&["client", "web1", "--cn", "bob", "--out", "folder", "--quiet", "--force"]);
    home.fails(1, &["client", "web1", "--cn", "carol", "--out", "folder", "--quiet"]);
}

#[test]
fn the_next_step_is_for_the_users_shell() {
    let home = home();
    for (shell, line) in [
        ("/bin/zsh", "  . bob/env && docker info"),
        ("/usr/bin/fish", "  set -gx DOCKER_HOST \"tcp://203.0.113.7:2376\";"),
        ("/bin/tcsh", "  setenv DOCKER_HOST \"tcp://203.0.113.7:2376\";"),
        ("pwsh", "  $Env:DOCKER_HOST = \"tcp://203.0.113.7:2376\""),
        ("nu", "  load-env {DOCKER_TLS_VERIFY: \"1\", DOCKER_HOST: \"tcp://203.0.113.7:2376\","),
    ] {
        let output = home
            .command(&["client", "web1", "--cn", "bob", "--out", "bob", "--force"])
            .env("SHELL", shell)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.lines().any(|told| told.starts_with(line)), "{shell}: {stderr}");
    }
}
