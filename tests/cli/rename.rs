//! `rename`: everything of a machine has the new name, and nothing else changes.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Home, files_below, is_printed, mode};

fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--engine-label", "role=web", "--quiet"]);
    home
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// All files of the store with their contents, except hostseed's own two.
fn store(home: &Home) -> Vec<(String, Vec<u8>)> {
    let files = files_below(&home.store()).into_iter().filter(|file| !file.starts_with("hostseed.lock"));
    files.map(|file| (file.display().to_string(), fs::read(home.store().join(file)).unwrap())).collect()
}

/// Runs `external` with a query.
fn external(home: &Home, query: &Value) -> std::process::Output {
    let mut command = home.command(&["external"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(query.to_string().as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn every_file_has_the_new_name_and_the_keys_stay() {
    let home = home();
    home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    let before = store(&home);
    home.ok(&["rename", "web1", "frontend", "--quiet"]);
    assert!(!home.machine("web1").exists() && !home.store().join("certs/web1").exists());
    assert!(home.machine("frontend").join("clients/alice/key.pem").exists());
    let mut changed = Vec::new();
    for ((old, content), (new, now)) in before.iter().zip(store(&home)) {
        assert_eq!(old.replace("/web1/", "/frontend/"), new);
        if *content != now {
            changed.push(new.rsplit('/').next().unwrap().to_owned());
        }
        let is_private = !new.ends_with(".pem") || new.contains("key");
        assert_eq!(mode(&home.store().join(&new)), if is_private { 0o600 } else { 0o644 }, "{new}");
    }
    assert_eq!(changed, ["config.json", "env", "machine.yaml", "user-data"]);

    // The same machine, created with the new name and these keys, has the same files.
    let record = fs::read_to_string(home.machine("frontend").join("config.json")).unwrap();
    let old = before.iter().find(|(name, _)| name.ends_with("/config.json")).unwrap();
    assert_eq!(record, String::from_utf8(old.1.clone()).unwrap().replace("web1", "frontend"));
    let env = fs::read_to_string(home.machine("frontend").join("env")).unwrap();
    assert!(home.ok(&["env", "frontend", "--shell", "sh"]).starts_with(&env), "{env}");
    let seed = home.ok(&["render", "frontend"]);
    assert_eq!(seed, fs::read_to_string(home.machine("frontend").join("user-data")).unwrap());
    assert!(!seed.contains("web1"), "{seed}");
}

#[test]
fn a_renamed_machine_works_although_its_certificates_have_the_old_name() {
    let home = home();
    home.ok(&["rename", "web1", "frontend", "--quiet"]);
    for args in [
        &["config", "frontend"][..],
        &["url", "frontend"],
        &["inspect", "frontend"],
        &["inspect", "frontend", "--json"],
        &["ls", "--json"],
        &["render", "frontend", "--format", "ignition"],
        &["render", "frontend", "--format", "terraform", "--out", "module"],
        &["address", "frontend", "web1"],
        &["address", "frontend", "203.0.113.7"],
        &["context", "frontend"],
        &["create", "frontend", "--address", "203.0.113.7", "--engine-label", "role=web", "--if-missing"],
    ] {
        home.ok(args);
    }
    fs::write(home.path().join("seed"), home.ok(&["render", "frontend"])).unwrap();
    let checked = home.ok(&["verify", "seed", "--strict"]);
    assert!(checked.contains("host     frontend, port 2376\n") && checked.contains("CN=web1"), "{checked}");
    let query =
        serde_json::json!({ "name": "frontend", "addresses": "203.0.113.7", "engine_label": "role=web" });
    let answer = external(&home, &query);
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    assert_eq!(home.ok(&["ls", "-q"]), "frontend\n");
    home.ok(&["rm", "-y", "frontend"]);
    assert_eq!(store(&home), []);
}

#[test]
fn a_fault_of_a_renamed_host_is_told_without_the_old_name() {
    let home = Home::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    home.ok(&["create", "web1", "--address", "no-such-host.invalid", "--port", &port, "--quiet"]);
    home.ok(&["rename", "web1", "frontend", "--quiet"]);
    let told = String::from_utf8(home.run(&["check", "frontend"]).stdout).unwrap();
    assert!(is_printed(&told, "error[host-unresolved] `frontend`"), "{told}");
    assert!(!told.contains("web1"), "{told}");
    home.ok(&["address", "frontend", "127.0.0.1"]);
    let told = String::from_utf8(home.run(&["check", "frontend"]).stdout).unwrap();
    assert!(is_printed(&told, "error[connection-refused] `frontend`"), "{told}");
}

#[test]
fn a_machine_without_an_address_has_its_new_name_instead() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    home.ok(&["rename", "web1", "web2", "--quiet"]);
    assert_eq!(home.ok(&["url", "web2"]), "tcp://web2:2376\n");
    let env = home.run(&["env", "web2"]);
    assert!(String::from_utf8_lossy(&env.stderr).contains("`web2` has no address yet"));
    home.ok(&["address", "web2", "203.0.113.8"]);
    home.ok(&["rename", "web2", "web3", "--quiet"]);
    assert_eq!(home.ok(&["url", "web3"]), "tcp://203.0.113.8:2376\n");
    // A machine with its name as address keeps it: the certificate covers no other.
    home.ok(&["create", "web4", "--address", "web4", "--quiet"]);
    home.ok(&["rename", "web4", "web5", "--quiet"]);
    assert_eq!(home.ok(&["url", "web5"]), "tcp://web4:2376\n");
}

#[test]
fn machines_with_the_same_ca_still_find_it() {
    let home = home();
    let ca = home.store().join("certs/web1").display().to_string();
    for (name, address) in [("web2", "203.0.113.8"), ("web3", "203.0.113.9")] {
        home.ok(&["create", name, "--address", address, "--ca", &ca, "--quiet"]);
    }
    let renamed = home.run(&["rename", "web1", "first"]);
    let told = String::from_utf8_lossy(&renamed.stderr).into_owned();
    assert!(told.contains("`web2`") && told.contains("`web3`"), "{told}");
    let new = home.store().join("certs/first");
    for name in ["web2", "web3"] {
        let plan = fs::read_to_string(home.machine(name).join("machine.yaml")).unwrap();
        assert!(plan.contains(new.to_str().unwrap()) && !plan.contains("web1"), "{plan}");
        let key =
            &json(&home.machine(name).join("config.json"))["HostOptions"]["AuthOptions"]["CaPrivateKeyPath"];
        assert_eq!(key.as_str(), new.join("ca-key.pem").to_str());
        assert_eq!(
            home.ok(&["render", name]),
            fs::read_to_string(home.machine(name).join("user-data")).unwrap()
        );
    }
    // A plan that cannot be read could name the CA.
    let plan = home.machine("web3").join("machine.yaml");
    let content = fs::read(&plan).unwrap();
    fs::write(&plan, "name: [").unwrap();
    for _ in 0..2 {
        home.fails(1, &["rename", "first", "web1"]);
        fs::remove_file(home.store().join("hostseed.lock")).unwrap();
    }
    fs::write(&plan, content).unwrap();
    for _ in 0..2 {
        let stderr = home.fails(1, &["rm", "-y", "first"]);
        assert!(is_printed(&stderr, "error[ca-in-use] `first`"), "{stderr}");
        // The lock file's note of who uses the CA is read, and then made again.
        fs::remove_file(home.store().join("hostseed.lock")).unwrap();
    }
    home.ok(&["rename", "web3", "third", "--quiet"]);
    home.ok(&["rm", "-y", "web2", "--quiet"]);
    let stderr = home.fails(1, &["rm", "-y", "first"]);
    assert!(is_printed(&stderr, "error[ca-in-use] `third`"), "{stderr}");
    home.ok(&["rm", "-y", "first", "third"]);
    // The shared CA stays where it is.
    home.ok(&["create", "web6", "--address", "203.0.113.6", "--ca", "shared", "--quiet"]);
    home.ok(&["rename", "web6", "web7", "--quiet"]);
    assert!(home.store().join("certs/ca-key.pem").is_file() && !home.store().join("certs/web7").exists());
}

#[test]
fn a_refused_rename_changes_nothing() {
    let home = home();
    home.ok(&["create", "web2", "--address", "203.0.113.8", "--quiet"]);
    home.ok(&["create", "web3", "--address", "203.0.113.8", "--quiet"]);
    fs::rename(home.machine("web3"), home.path().join("web3")).unwrap();
    let before = store(&home);
    for (status, old, new, expected) in [
        (1, "web1", "web2", "error[machine-exists] machine `web2` already exists (nothing was changed)"),
        (
            1,
            "web1",
            "web1",
            "error[machine-exists] machine `web1` has this name already (nothing was changed)",
        ),
        (1, "web1", "web3", "error[ca-folder-exists] certs/web3"),
        (1, "web9", "web4", "error[no-such-machine] there is no machine `web9`"),
        (2, "web1", "localhost", "error[reserved-name] the new name must not be `localhost`"),
        (2, "web1", "web_4", "error[invalid-name] the new name"),
        (2, "web1", "../web4", "error[invalid-name] the new name"),
        (2, "we b1", "web4", "error[invalid-name] `NAME`"),
    ] {
        let stderr = home.fails(status, &["rename", old, new]);
        assert!(is_printed(&stderr, expected), "{old} {new}: {stderr}");
        assert!(store(&home) == before, "{old} {new}");
    }
    // A machine whose files cannot be read or rendered stays.
    for (file, text) in [("config.json", "{"), ("machine.yaml", "name: ["), ("server-key.pem", "nothing")] {
        let path = home.machine("web1").join(file);
        let content = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        let damaged = store(&home);
        home.fails(1, &["rename", "web1", "web4"]);
        assert!(store(&home) == damaged, "{file}");
        fs::write(&path, content).unwrap();
    }
    assert!(store(&home) == before);
}

/// A machine of Docker Machine with the recorded `config.json`.
fn docker_machines_own(home: &Home, name: &str, driver: &str, root: &str) {
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/docker-machine/config/{driver}.json"));
    let text = fs::read_to_string(recorded).unwrap().replace("/home/user/.docker/machine", root);
    fs::create_dir_all(home.machine(name)).unwrap();
    fs::write(home.machine(name).join("config.json"), text).unwrap();
}

#[test]
fn a_machine_of_docker_machine_keeps_its_other_fields() {
    let home = Home::new();
    let root = home.store().display().to_string();
    // The second store was moved here from another computer.
    for (n, recorded) in [root.as_str(), "/home/somebody/.docker/machine"].into_iter().enumerate() {
        for (name, driver) in [("default", "virtualbox"), ("legacy", "none")] {
            let new = format!("{driver}{n}");
            docker_machines_own(&home, name, driver, recorded);
            let folder = |root: &str, name: &str| format!("{root}/machines/{name}");
            let record = fs::read_to_string(home.machine(name).join("config.json")).unwrap();
            let expected = record
                .replace(&folder(recorded, name), &folder(&root, &new))
                .replace(&format!("\"{name}\""), &format!("\"{new}\""));
            let told = String::from_utf8(home.run(&["rename", name, &new]).stderr).unwrap();
            assert!(!told.contains("user-data"), "{told}");
            // Not a byte of the other fields changes.
            assert_eq!(fs::read_to_string(home.machine(&new).join("config.json")).unwrap(), expected);
            assert_eq!(files_below(&home.machine(&new)), [Path::new("config.json")]);
            home.ok(&["url", &new]);
        }
    }
}

#[test]
fn a_machine_whose_vm_is_in_its_folder_is_not_renamed() {
    let home = Home::new();
    docker_machines_own(&home, "default", "virtualbox", &home.store().display().to_string());
    for file in ["disk.vmdk", "boot2docker.iso", "default/default.vbox", "default.qcow2"] {
        let path = home.machine("default").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let stderr = home.fails(1, &["rename", "default", "web1"]);
        assert!(is_printed(&stderr, "error[vm-in-folder] "), "{file}: {stderr}");
        match path.parent() == Some(&home.machine("default")) {
            true => fs::remove_file(&path).unwrap(),
            false => fs::remove_dir_all(path.parent().unwrap()).unwrap(),
        }
    }
    home.ok(&["rename", "default", "web1"]);
}

#[test]
fn a_docker_context_of_the_old_name_is_mentioned() {
    let home = home();
    home.ok(&["context", "web1", "--use", "--quiet"]);
    let told = String::from_utf8(home.run(&["rename", "web1", "frontend"]).stderr).unwrap();
    for command in ["hostseed context frontend --use", "hostseed context web1 --remove"] {
        assert!(told.contains(&format!("\n  {command}\n")), "{told}");
        home.ok(&command.split(' ').skip(1).collect::<Vec<_>>());
    }
    let told = String::from_utf8(home.run(&["rename", "frontend", "web1", "--quiet"]).stderr).unwrap();
    assert_eq!(told, "");
}

/// The largest numbers of JSON and the spaces between its values: a program that reads JSON as values would change them.
#[test]
fn fields_of_other_programs_stay_when_options_change() {
    let home = home();
    let path = home.machine("web1").join("config.json");
    let before = fs::read_to_string(&path).unwrap();
    let with_more = before.replacen('{', "{\"Other\" :  [12345678901234567890123, 1.10],", 1);
    fs::write(&path, &with_more).unwrap();
    home.ok(&["update", "web1", "--engine-label", "role=db", "--quiet"]);
    let after = fs::read_to_string(&path).unwrap();
    assert!(after.contains("\"Other\" :  [12345678901234567890123, 1.10],"), "{after}");
    let labels = json(&path).pointer("/HostOptions/EngineOptions/Labels").cloned();
    assert_eq!(labels, Some(serde_json::json!(["role=db"])));
}

/// On macOS and Windows both names are one folder.
#[test]
fn a_name_that_differs_only_in_case_is_refused() {
    let home = home();
    home.ok(&["create", "db", "--address", "203.0.113.8", "--quiet"]);
    home.ok(&["export", "db", "-o", "db.hostseed", "--quiet"]);
    let before = store(&home);
    for command in [
        &["create", "Web1", "--address", "203.0.113.9"][..],
        &["rename", "db", "WEB1"],
        &["import", "db.hostseed", "--name", "weB1"],
    ] {
        let stderr = home.fails(1, command);
        assert!(stderr.contains("error[machine-exists]: machine `web1` already exists"), "{stderr}");
        assert!(stderr.contains("only in case"), "{stderr}");
        assert_eq!(store(&home), before, "{command:?}");
    }
    home.ok(&["rename", "web1", "Web1"]);
    assert_eq!(home.ok(&["ls", "-q"]), "Web1\ndb\n");
}
