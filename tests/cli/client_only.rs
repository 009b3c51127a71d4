//! A machine that was imported with a client certificate only.

use std::fs;

use crate::support::{Home, is_printed, need, run};

/// A computer with a client of `web1`, valid for 20 days.
fn home() -> Home {
    let home = Home::new();
    home.ok(&["--store", "owner", "create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home.ok(&["--store", "owner", "client", "web1", "--cn", "alice", "--valid-for", "20d", "--quiet"]);
    home.ok(&["--store", "owner", "export", "web1", "--client", "alice", "-o", "alice", "--quiet"]);
    home.ok(&["import", "alice", "--quiet"]);
    home
}

#[test]
fn only_the_named_commands_need_the_whole_machine() {
    let home = home();
    let named: [(&str, &[&str]); 6] = [
        ("client", &["client", "web1", "--cn", "bob"]),
        ("external", &["external"]),
        ("render", &["render", "web1"]),
        ("renew", &["renew", "web1"]),
        ("update", &["update", "web1", "--engine-label", "role=web"]),
        ("export", &["export", "web1"]),
    ];
    for (_, args) in named {
        let query = home.path().join("query");
        fs::write(&query, r#"{"name": "web1"}"#).unwrap();
        let output = home.command(args).stdin(fs::File::open(query).unwrap()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(is_printed(&stderr, "error[client-only]"), "{args:?}: {stderr}");
    }
    let [names @ .., last] = named.map(|(name, _)| format!("`{name}`"));
    let list = format!("{} and {last} of the whole machine", names.join(", "));
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let again = home.run(&["import", "alice", "--name", "web9"]).stderr;
    for text in [readme, home.ok(&["import", "--help"]), String::from_utf8(again).unwrap()] {
        assert!(one_line(&text).contains(&list), "{list}: {text}");
    }
    for args in [
        &["ls"][..],
        &["env", "web1"],
        &["config", "web1"],
        &["url", "web1"],
        &["ip", "web1"],
        &["inspect", "web1"],
        &["clients", "web1"],
        &["context", "web1"],
        &["address", "web1", "203.0.113.8"],
        &["export", "web1", "--client-only", "-o", "again"],
        &["export", "web1", "--client", "alice", "-o", "again"],
        &["rename", "web1", "web2"],
        &["rm", "--yes", "web2"],
    ] {
        home.ok(args);
    }
}

#[test]
fn its_client_has_its_own_name_and_nothing_is_reported_as_missing() {
    let home = home();
    let clients = home.ok(&["clients", "web1"]);
    assert!(clients.contains("\nalice (imported) "), "{clients}");
    assert!(home.ok(&["clients", "web1", "--json"]).contains("\"name\": \"alice\""));
    let told = home.ok(&["inspect", "web1"]);
    assert!(told.contains("\nclient        alice\n") && !told.contains("missing"), "{told}");
}

#[test]
fn a_certificate_that_expires_is_renewed_by_the_owner() {
    if !need("faketime") {
        return;
    }
    let home = home();
    for time in ["+15 days", "+21 days"] {
        let mut command = std::process::Command::new("faketime");
        command.args([time, env!("CARGO_BIN_EXE_hostseed"), "env", "web1"]).env("HOME", home.path());
        let output = run(&mut command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("hostseed client web1 --cn alice --force\n"), "{time}: {stderr}");
        assert!(!stderr.contains("renew"), "{time}: {stderr}");
    }
}
