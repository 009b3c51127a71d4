//! `import --docker-machine` takes over machines that Docker Machine created.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::docker_machine::DockerMachine;
use crate::support::openssl::text;
use crate::support::{Home, files_below, is_printed, need};

/// All files below a folder with their contents.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files_below(dir).into_iter().map(|file| (file.clone(), fs::read(dir.join(file)).unwrap())).collect()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn machines_of_the_same_store_get_a_plan_and_keep_everything_else() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let docker_machine = DockerMachine::new(&home.store());
    docker_machine.machine("web1", "amazonec2", "203.0.113.7", 2376);
    docker_machine.machine("vm", "none", "docker.example.org", 2377);
    let before = contents(&home.store());
    let render_fails = home.fails(1, &["render", "web1"]);
    assert!(render_fails.contains("import --docker-machine web1"), "{render_fails}");

    let dry = home.run(&["import", "--docker-machine", "--dry-run"]);
    let said = String::from_utf8(dry.stderr).unwrap();
    assert!(dry.status.success() && said.contains("would import `web1`"), "{said}");
    let unlocked = |mut files: BTreeMap<PathBuf, Vec<u8>>| {
        files.remove(Path::new("hostseed.lock"));
        files
    };
    assert_eq!(unlocked(contents(&home.store())), before);

    let said = home.run(&["import", "--docker-machine"]);
    let stderr = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.success(), "{stderr}");
    assert!(
        is_printed(&stderr, "warning[certificate-purpose] of `web1` is valid for clients too"),
        "{stderr}"
    );
    assert!(!stderr.contains("driver-secret"), "{stderr}");
    let after = unlocked(contents(&home.store()));
    let added: Vec<_> = after.keys().filter(|file| !before.contains_key(*file)).collect();
    let expected = ["vm", "web1"].map(|name| {
        ["env", "machine.yaml", "user-data"].map(|file| Path::new("machines").join(name).join(file))
    });
    assert_eq!(added, expected.iter().flatten().collect::<Vec<_>>());
    assert!(
        before.iter().all(|(file, content)| after[file] == *content),
        "a file of Docker Machine's has changed"
    );

    let inspected: Value = serde_json::from_str(&home.ok(&["inspect", "web1", "--json"])).unwrap();
    assert_eq!(inspected["driver"], "amazonec2");
    assert_eq!(
        inspected["options"],
        json!({
            "address": ["203.0.113.7"], "tls-san": ["docker.example.com", "::1"], "boot-issuer": false, "port": "2376",
            "engine-opt": ["log-level=warn", "max-concurrent-uploads=2"],
            "engine-label": ["role=web", "provider=amazonec2"],
            "engine-registry-mirror": ["https://mirror.example.com"],
            "engine-insecure-registry": ["registry.example.com:5000"],
            "engine-storage-driver": "overlay2", "engine-env": ["FOO=a b"],
            "docker": "auto", "docker-channel": "stable", "docker-mirror": "https://download.docker.com",
            "key": "rsa2048", "valid-for": "1080d", "ca": "shared",
        })
    );
    let inspected: Value = serde_json::from_str(&home.ok(&["inspect", "vm", "--json"])).unwrap();
    assert_eq!(inspected["options"]["engine-label"], json!(["role=web"]));
    assert_eq!(inspected["docker_host"], "tcp://docker.example.org:2377");
    let list = home.ok(&["ls"]);
    assert!(list.contains("tcp://203.0.113.7:2376 ") && !list.contains("cannot be used"), "{list}");
    assert!(home.ok(&["env", "web1", "--shell", "sh"]).contains("tcp://203.0.113.7:2376"));
    assert!(home.ok(&["config", "web1"]).contains("-H=tcp://203.0.113.7:2376"));
    let rendered = home.run(&["render", "web1"]);
    assert!(rendered.stdout.starts_with(b"#cloud-config"));
    assert_eq!(rendered.stdout, after[Path::new("machines/web1/user-data")]);
    let warned = String::from_utf8(rendered.stderr).unwrap();
    assert!(is_printed(&warned, "warning[certificate-purpose] valid for clients too"), "{warned}");

    let query = home.path().join("query");
    fs::write(&query, "{\"name\": \"web1\"}").unwrap();
    let answer = home.command(&["external"]).stdin(fs::File::open(&query).unwrap()).output().unwrap();
    assert!(answer.status.success());
    let warned = String::from_utf8(answer.stderr).unwrap();
    assert!(is_printed(&warned, "warning[certificate-purpose] valid for clients too"), "{warned}");
    fs::remove_file(query).unwrap();

    // The second time nothing changes.
    let again = home.run(&["import", "--docker-machine", "web1", "vm"]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.success() && said.contains("not changed: `vm`, `web1`"), "{said}");
    assert_eq!(unlocked(contents(&home.store())), after);

    // Another address changes only that.
    let record = home.machine("web1").join("config.json");
    let old = fs::read_to_string(&record).unwrap();
    home.ok(&["address", "web1", "203.0.113.8", "--force", "--quiet"]);
    let new = fs::read_to_string(&record).unwrap();
    let moved = old.replacen("\"203.0.113.7\"", "\"203.0.113.8\"", 1).replacen(
        "\"Driver\": {",
        "\"Driver\": {\"URL\":\"tcp://203.0.113.8:2376\",",
        1,
    );
    assert_eq!(new, moved);
    home.ok(&["rm", "-y", "web1"]);
    assert!(home.store().join("certs/ca-key.pem").is_file());
}

#[test]
fn machines_of_another_store_are_copied_without_their_disks() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let other = DockerMachine::new(&home.path().join("other"));
    other.machine("web1", "virtualbox", "203.0.113.7", 2376);
    other.machine("web2", "digitalocean", "203.0.113.8", 2376);
    let before = contents(&other.root);
    let import = |words: &[&str]| {
        let output = home.run(&[&["import", "--docker-machine"], words].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        stderr
    };
    let stderr = import(&["./other", "web1"]);
    assert!(is_printed(&stderr, "warning[not-taken-over] `disk.vmdk`, `web1` stay in"), "{stderr}");
    assert_eq!(contents(&other.root), before);
    assert_eq!(home.ok(&["ls", "-q"]), "web1\n");
    let copied = contents(&home.machine("web1"));
    for (file, content) in &copied {
        match file.to_str().unwrap() {
            "config.json" | "env" | "machine.yaml" | "user-data" => {}
            file => assert_eq!(*content, before[&Path::new("machines/web1").join(file)], "{file}"),
        }
        #[cfg(unix)]
        {
            let is_public = file.extension().is_some_and(|extension| extension == "pub")
                || content.starts_with(b"-----BEGIN CERTIFICATE-----");
            let expected = if is_public { 0o644 } else { 0o600 };
            assert_eq!(
                crate::support::mode(&home.machine("web1").join(file)),
                expected,
                "{}",
                file.display()
            );
        }
    }
    assert_eq!(copied.len(), 11);
    for file in ["ca.pem", "cert.pem"] {
        assert_eq!(
            fs::read(home.store().join("certs").join(file)).unwrap(),
            before[&Path::new("certs").join(file)]
        );
    }
    // Its own commands find everything in the new place.
    let mut record = json_of(&home.machine("web1").join("config.json"));
    let own = text(&home.store()).to_owned();
    let old = other.record("web1", "virtualbox", "203.0.113.7", 2376);
    let auth = record["HostOptions"]["AuthOptions"].as_object_mut().unwrap();
    for (name, value) in auth.iter().filter(|(name, _)| name.contains("Path") && !name.contains("Remote")) {
        let path = value.as_str().unwrap();
        assert!(path.starts_with(&own) && Path::new(path).exists(), "{name}: {path}");
    }
    record["HostOptions"]["AuthOptions"] = old["HostOptions"]["AuthOptions"].clone();
    assert_eq!(record["Driver"]["StorePath"], own);
    assert_eq!(record["Driver"]["SSHKeyPath"], text(&home.machine("web1").join("id_rsa")));
    record["Driver"]["StorePath"] = old["Driver"]["StorePath"].clone();
    record["Driver"]["SSHKeyPath"] = old["Driver"]["SSHKeyPath"].clone();
    assert_eq!(record, old);
    assert!(home.ok(&["env", "web1", "--shell", "sh"]).contains(text(&home.machine("web1"))));

    // The CA is the shared one for the next machine, too; the first is hostseed's already.
    let stderr = import(&["--quiet", "./other"]);
    assert_eq!(stderr, "");
    let of = |name: &str| fs::read_to_string(home.machine(name).join("machine.yaml")).unwrap();
    assert!(of("web1").contains("ca: \"shared\"") && of("web2").contains("ca: \"shared\""));
    let after = contents(&home.store());
    assert!(import(&["./other"]).contains("not changed: `web1`, `web2`"));
    assert_eq!(contents(&home.store()), after);
    home.ok(&["create", "web3", "--ca", "shared", "--quiet", "--address", "203.0.113.9"]);
    home.ok(&["rm", "-y", "web1", "web2"]);
}

#[test]
fn the_ca_of_a_store_with_another_one_becomes_the_machines_own() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "mine", "--ca", "shared", "--quiet", "--address", "203.0.113.7"]);
    let shared = contents(&home.store().join("certs"));
    let other = DockerMachine::new(&home.path().join("other"));
    other.machine("web1", "generic", "203.0.113.7", 2376);
    home.ok(&["import", "--docker-machine=other", "--quiet"]);
    let certs = contents(&home.store().join("certs"));
    assert!(shared.iter().all(|(file, content)| certs[file] == *content));
    assert_eq!(
        certs.keys().filter(|file| !shared.contains_key(*file)).collect::<Vec<_>>(),
        [Path::new("web1/ca-key.pem"), Path::new("web1/ca.pem")]
    );
    assert!(fs::read_to_string(home.machine("web1").join("machine.yaml")).unwrap().contains("ca: \"own\""));
    // The same name in this store is another machine.
    other.machine("mine", "generic", "203.0.113.8", 2376);
    let stderr = home.fails(1, &["import", "--docker-machine=other", "mine"]);
    assert!(is_printed(&stderr, "error[machine-exists] has another machine `mine`"), "{stderr}");
    // So is one that differs only in case.
    other.machine("Mine", "generic", "203.0.113.9", 2376);
    for dry_run in [&[][..], &["--dry-run"]] {
        let words = [&["import", "--docker-machine=other", "Mine"], dry_run].concat();
        assert!(home.fails(1, &words).contains("error[machine-exists]"), "{words:?}");
        assert!(!home.machine("Mine").exists());
    }
    home.ok(&["rm", "-y", "web1"]);
    assert_eq!(contents(&home.store().join("certs")), shared);
}

#[test]
fn a_ca_in_another_folder_stays_there() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let docker_machine = DockerMachine::new(&home.store());
    docker_machine.machine("web1", "generic", "203.0.113.7", 2376);
    docker_machine.machine("lost", "generic", "203.0.113.8", 2376);
    // As with `docker-machine --tls-ca-cert … --tls-ca-key …`.
    let ca = home.path().join("ca");
    fs::rename(home.store().join("certs"), &ca).unwrap();
    let mut record = docker_machine.record("web1", "generic", "203.0.113.7", 2376);
    let auth = &mut record["HostOptions"]["AuthOptions"];
    auth["CaCertPath"] = text(&ca.join("ca.pem")).into();
    auth["CaPrivateKeyPath"] = text(&ca.join("ca-key.pem")).into();
    docker_machine.write("web1", &record);
    let output = home.run(&["import", "--docker-machine"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(is_printed(&stderr, "warning[ca-key-not-found] the CA of `lost` was not found"), "{stderr}");
    assert!(!stderr.contains("the CA of `web1` was not found"), "{stderr}");
    let plan = fs::read_to_string(home.machine("web1").join("machine.yaml")).unwrap();
    assert!(plan.contains(&format!("ca: \"{}\"", ca.display())), "{plan}");
    home.ok(&["rm", "-y", "web1", "lost"]);
}

#[test]
fn a_machine_that_cannot_be_taken_over_hides_no_other() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let docker_machine = DockerMachine::new(&home.store());
    let address = "203.0.113.7";
    docker_machine.machine("good", "generic", address, 2376);
    // The same certificates serve for all: only the records differ.
    let copy = |name: &str, change: &dyn Fn(&mut Value)| {
        fs::create_dir(docker_machine.dir(name)).unwrap();
        for file in ["ca.pem", "cert.pem", "key.pem", "server.pem", "server-key.pem"] {
            fs::copy(docker_machine.dir("good").join(file), docker_machine.dir(name).join(file)).unwrap();
        }
        let mut record = docker_machine.record(name, "generic", address, 2376);
        change(&mut record);
        docker_machine.write(name, &record);
    };
    copy("bad-label", &|record| {
        record["HostOptions"]["EngineOptions"]["Labels"] = json!(["no value", "com.docker.x=1"]);
        record["HostOptions"]["AuthOptions"]["ServerCertSANs"] = json!(["*"]);
    });
    copy("future", &|record| record["ConfigVersion"] = 4.into());
    copy("oldest", &|record| record["ConfigVersion"] = 0.into());
    copy("plain", &|record| record["Driver"]["URL"] = "http://203.0.113.7:2375".into());
    copy("swarm", &|record| record["HostOptions"]["SwarmOptions"]["IsSwarm"] = true.into());
    copy("moved", &|record| record["Driver"]["IPAddress"] = "203.0.113.99".into());
    copy("removed", &|record| record["HostOptions"]["EngineOptions"]["StorageDriver"] = "aufs".into());
    copy("under_score", &|_| ());
    copy("no-record", &|_| ());
    fs::remove_file(docker_machine.dir("no-record").join("config.json")).unwrap();
    copy("not-json", &|_| ());
    fs::write(docker_machine.dir("not-json").join("config.json"), "{\"Driver\": driver-secret").unwrap();
    copy("other-key", &|_| ());
    fs::copy(
        docker_machine.dir("good").join("key.pem"),
        docker_machine.dir("other-key").join("server-key.pem"),
    )
    .unwrap();
    copy("other-client", &|_| ());
    fs::copy(
        docker_machine.dir("good").join("server-key.pem"),
        docker_machine.dir("other-client").join("key.pem"),
    )
    .unwrap();
    fs::create_dir(docker_machine.dir("unfinished")).unwrap();
    docker_machine.write("unfinished", &docker_machine.record("unfinished", "generic", "", 2376));

    let stderr = home.fails(1, &["import", "--docker-machine"]);
    for expected in [
        "error[invalid-label] `engine-label` must be `KEY=VALUE`, got `no value`",
        "error[invalid-label] must not begin with `com.docker.`",
        "error[invalid-san] `tls-san`",
        "error[docker-machine-record] the record of `future` has the format 4",
        "error[docker-machine-record] the record of `oldest` has the format 0",
        "error[docker-machine-record] `plain` is at `http://203.0.113.7:2375`",
        "error[unreadable-file] no-record/config.json",
        "error[stored-record] not-json/config.json",
        "error[key-mismatch] other-key/server-key.pem",
        "error[key-mismatch] other-client/key.pem` is not the key of cert.pem",
        "error[docker-machine-record] `unfinished` lacks an address, `ca.pem`, `server.pem`",
        "error[invalid-name] `under_score`",
        "warning[not-taken-over] `swarm` is in a standalone Swarm",
        "warning[address-not-covered] `moved` does not cover its address 203.0.113.99",
    ] {
        assert!(is_printed(&stderr, expected), "{expected}\n{stderr}");
    }
    assert!(!stderr.contains("driver-secret"), "{stderr}");
    let imported = ["good", "moved", "removed", "swarm"];
    for name in home.ok(&["ls", "-q"]).lines() {
        assert_eq!(home.machine(name).join("machine.yaml").exists(), imported.contains(&name), "{name}");
    }
    for name in imported {
        assert!(home.ok(&["render", name, "--quiet"]).starts_with("#cloud-config"));
    }
    // Named ones are not different.
    let stderr = home.fails(1, &["import", "--docker-machine", "nobody", "plain"]);
    assert!(is_printed(&stderr, "error[no-such-machine] nobody"), "{stderr}");
    assert!(is_printed(&stderr, "error[docker-machine-record] `plain` is at"), "{stderr}");
}

#[test]
fn a_folder_without_machines_is_not_a_store() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let other = ["--store", "elsewhere", "import", "--docker-machine"];
    for dir in ["./missing", ".", ".docker/machine/machines/web1"] {
        let stderr = home.fails(2, &["import", "--docker-machine", dir]);
        assert!(is_printed(&stderr, "error[unreadable-file] is not a store of Docker Machine"), "{stderr}");
    }
    fs::create_dir_all(home.path().join("old/machines")).unwrap();
    let stderr = home.fails(1, &["import", "--docker-machine", "old"]);
    assert!(stderr.contains("hint: a store is written with a slash: `./old`\n"), "{stderr}");
    home.ok(&["import", "--docker-machine", "./old"]);
    // A machine of hostseed's in another store is not Docker Machine's.
    let stderr = home.fails(1, &other);
    assert!(is_printed(&stderr, "error[docker-machine-record] hostseed created `web1`"), "{stderr}");
    // In its own store it needs nothing.
    home.ok(&["import", "--docker-machine"]);
    home.fails(2, &["import"]);
}
