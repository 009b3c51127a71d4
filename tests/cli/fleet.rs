//! `apply`: idempotence, what belongs to a fleet, and stores that change meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Home, PYTHON, files_below, is_printed, mode, need_python_module, run};

/// A fleet of five machines.
const FLEET: &str = "fleet: ci\nmachines:\n- {name: 'ci-{{ index }}', count: 4, addresses: 10.0.0.0/24}\n- {name: db, address: db.example.com}\n";

fn home(fleet: &str) -> Home {
    let home = Home::new();
    write(&home, fleet);
    home
}

fn write(home: &Home, fleet: &str) {
    fs::write(home.path().join("fleet.yaml"), fleet).unwrap();
}

/// Applies the fleet file with further arguments, and returns the JSON.
fn apply(home: &Home, more: &[&str]) -> Value {
    let words = [&["apply", "fleet.yaml", "--json", "--quiet"], more].concat();
    serde_json::from_str(&home.ok(&words)).unwrap()
}

/// The numbers of machines that are created, changed, left alone, and not in the file.
fn counts(json: &Value) -> [usize; 4] {
    ["create", "update", "keep", "remove"].map(|list| json[list].as_array().unwrap().len())
}

/// Every file of the store with its content, inode number and times. The lock and its state are not part of a machine.
fn snapshot(home: &Home) -> BTreeMap<PathBuf, (Vec<u8>, u64, i64, i64)> {
    let files = files_below(&home.store()).into_iter().filter(|file| file != Path::new("hostseed.lock"));
    files
        .map(|file| {
            let path = home.store().join(&file);
            let metadata = fs::metadata(&path).unwrap();
            (file, (fs::read(&path).unwrap(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
        })
        .collect()
}

#[test]
fn a_second_apply_changes_nothing() {
    let home = home(FLEET);
    assert_eq!(counts(&apply(&home, &[])), [5, 0, 0, 0]);
    let before = snapshot(&home);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 5, 0]);
    assert_eq!(counts(&apply(&home, &["--prune", "--yes"])), [0, 0, 5, 0]);
    // Another order of labels, and other words for the same.
    write(&home, &FLEET.replace("count: 4,", "count: '4', port: 2376, engine-label: [],"));
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 5, 0]);
    assert!(before == snapshot(&home));
}

#[test]
fn machines_of_a_fleet_are_whole_machines() {
    let home = home(FLEET);
    apply(&home, &[]);
    let user_data = fs::read_to_string(home.machine("ci-4").join("user-data")).unwrap();
    assert_eq!(home.ok(&["render", "ci-4"]), user_data);
    assert!(home.ok(&["env", "ci-4", "--shell", "sh"]).contains("tcp://10.0.0.4:2376"));
    assert_eq!(mode(&home.machine("ci-4").join("fleet")), 0o600);
    // Each has its own CA and client.
    let authorities = |file: &str| fs::read(home.machine(file).join("ca.pem")).unwrap();
    assert_ne!(authorities("ci-1"), authorities("ci-2"));
    home.ok(&["renew", "ci-4", "--quiet"]);
    home.ok(&["rename", "ci-3", "ci-9", "--quiet"]);
    // The renamed machine is still the fleet's, and no longer in the file.
    assert_eq!(counts(&apply(&home, &[])), [1, 0, 4, 1]);
    home.ok(&["rm", "--yes", "ci-9", "--quiet"]);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 5, 0]);
}

#[test]
fn a_change_keeps_all_certificates_that_it_does_not_need() {
    let home = home(FLEET);
    apply(&home, &[]);
    let pems = |name: &str| {
        let files = ["ca.pem", "cert.pem", "server.pem", "server-key.pem"];
        files.map(|file| fs::read(home.machine(name).join(file)).unwrap())
    };
    let before = pems("db");
    write(&home, &FLEET.replace("address: db.example.com", "address: db.example.com, engine-label: a=b"));
    let json = apply(&home, &[]);
    assert_eq!(counts(&json), [0, 1, 4, 0]);
    assert_eq!(json["update"][0]["new_certificates"], "none");
    assert_eq!(pems("db"), before);
    write(&home, &FLEET.replace("db.example.com", "db2.example.com"));
    assert_eq!(apply(&home, &[])["update"][0]["new_certificates"], "host");
    assert_eq!(pems("db")[..2], before[..2]);
    assert_ne!(pems("db")[2..], before[2..]);
    write(&home, &FLEET.replace("db.example.com", "db2.example.com, valid-for: 90d"));
    assert_eq!(apply(&home, &[])["update"][0]["new_certificates"], "all");
    assert_eq!(pems("db")[0], before[0]);
    assert_ne!(pems("db")[1], before[1]);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 5, 0]);
    assert_eq!(home.ok(&["render", "db"]), fs::read_to_string(home.machine("db").join("user-data")).unwrap());
}

#[test]
fn a_machine_that_cannot_be_changed_stops_everything() {
    let home = home(FLEET);
    apply(&home, &[]);
    fs::remove_file(home.store().join("certs/ci-2/ca-key.pem")).unwrap();
    fs::remove_file(home.store().join("certs/ci-3/ca-key.pem")).unwrap();
    let before = snapshot(&home);
    write(
        &home,
        "fleet: ci\nmachines:\n- {name: 'ci-{{ index }}', count: 6, addresses: 10.0.1.0/24}\n- {name: db, address: db.example.com, engine-label: a=b}\n",
    );
    for more in [&["--dry-run"][..], &[]] {
        let stderr = home.fails(1, &[&["apply", "fleet.yaml"], more].concat());
        assert!(is_printed(&stderr, "error[no-ca-key] `ci-2`:"), "{stderr}");
        assert!(stderr.contains("(and 1 more machine)") && stderr.contains("fleet.yaml:3:10"), "{stderr}");
        assert!(before == snapshot(&home));
    }
}

#[test]
fn the_file_of_another_command_gets_a_hint() {
    let home = home(FLEET);
    let stderr = home.fails(2, &["create", "-f", "fleet.yaml"]);
    assert!(stderr.contains("hostseed apply FILE"), "{stderr}");
    write(&home, "name: web1\naddress: 10.0.0.1\n");
    let stderr = home.fails(2, &["apply", "fleet.yaml"]);
    assert!(stderr.contains("hostseed create -f FILE"), "{stderr}");
}

#[test]
fn a_key_that_is_missing_is_an_error() {
    let home = home(FLEET);
    apply(&home, &[]);
    fs::remove_file(home.machine("db").join("server-key.pem")).unwrap();
    fs::remove_file(home.machine("ci-3").join("key.pem")).unwrap();
    let stderr = home.fails(1, &["apply", "fleet.yaml", "--dry-run"]);
    assert!(stderr.contains("machines/db/server-key.pem` of machine `db` does not exist"), "{stderr}");
    assert!(stderr.contains("hostseed renew ci-3"), "{stderr}");
    home.ok(&["renew", "db", "ci-3", "--quiet"]);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 5, 0]);
}

#[test]
fn a_name_that_differs_only_in_case_from_a_machine_is_refused() {
    let home = home("fleet: ci\nmachines: {Web: {address: 10.0.0.1}}\n");
    home.ok(&["create", "web", "--address", "10.0.0.2", "--quiet"]);
    let stderr = home.fails(1, &["apply", "fleet.yaml"]);
    let refused =
        "error[machine-exists] machine `web` already exists, and `Web` differs from it only in case";
    assert!(is_printed(&stderr, refused), "{stderr}");
}

#[test]
fn a_problem_of_several_machines_names_the_first_and_counts_the_others() {
    let home = home("fleet: ci\nclient: shared\nmachines: [{name: 'ci-{{ index }}', count: 3}]\n");
    let stderr = home.fails(2, &["apply", "fleet.yaml"]);
    assert!(is_printed(&stderr, "error[shared-boot-issuer] `ci-1`: `ca`"), "{stderr}");
    assert!(stderr.contains("(and 2 more machines)"), "{stderr}");
}

#[test]
fn templates_make_booleans_and_addresses_and_need_quotes() {
    let home = home(
        "fleet: ci\nmachines: [{name: 'ci-{{ index }}', count: 2, addresses: '{{ name }}.example.com', boot-issuer: '{{ index == 1 }}'}]\n",
    );
    apply(&home, &[]);
    assert_eq!(home.ok(&["url", "ci-2"]), "tcp://ci-2.example.com:2376\n");
    let has = |name: &str| home.machine(name).join("issuer.pem").exists();
    assert_eq!(["ci-1", "ci-2"].map(has), [true, false]);
    for machine in ["name: {{ index }}", "name: {{ index }}-a", "name: a{{ index }}: b"] {
        write(&home, &format!("fleet: ci\nmachines:\n- {machine}\n  count: 2\n"));
        let stderr = home.fails(2, &["apply", "fleet.yaml"]);
        assert!(stderr.contains("hint: put a text with a template in quotes"), "{machine}: {stderr}");
        assert!(!stderr.contains("templatefile"), "{machine}: {stderr}");
    }
}

#[test]
fn a_ca_that_must_not_sign_for_a_change_stops_everything() {
    let home = home("fleet: ci\nmachines:\n- {name: 'ci-{{ index }}', count: 3, addresses: 10.0.0.0/24}\n");
    apply(&home, &[]);
    let before = snapshot(&home);
    write(&home, "fleet: ci\nmachines:\n- {name: 'ci-{{ index }}', count: 4}\n");
    for more in [&["--dry-run"][..], &[]] {
        let stderr = home.fails(1, &[&["apply", "fleet.yaml"], more].concat());
        assert!(is_printed(&stderr, "error[ca-path-length] `ci-1`:"), "{stderr}");
        assert!(stderr.contains("(and 2 more machines)") && !stderr.contains("--address"), "{stderr}");
        assert!(before == snapshot(&home));
    }
}

#[test]
fn only_machines_of_the_fleet_are_pruned() {
    let home = home(FLEET);
    apply(&home, &[]);
    home.ok(&["create", "mine", "--address", "10.9.0.1", "--quiet"]);
    write(&home, "fleet: other\nmachines: {o1: {address: 10.8.0.1}}\n");
    assert_eq!(counts(&apply(&home, &["--prune", "--yes"])), [1, 0, 0, 0]);
    write(&home, "fleet: ci\nmachines: []\n");
    assert_eq!(counts(&apply(&home, &["--dry-run", "--prune"])), [0, 0, 0, 5]);
    let stderr = home.fails(2, &["apply", "fleet.yaml", "--prune"]);
    assert!(is_printed(&stderr, "error[no-terminal]"), "{stderr}");
    assert_eq!(counts(&apply(&home, &["--prune", "--yes"])), [0, 0, 0, 5]);
    assert_eq!(home.ok(&["ls", "-q"]), "mine\no1\n");
    assert_eq!(files_below(&home.store().join("certs")).len(), 4);
}

#[test]
fn a_machine_with_other_files_stops_the_prune_before_anything_is_written() {
    let home = home(FLEET);
    apply(&home, &[]);
    fs::write(home.machine("db").join("notes.txt"), "mine").unwrap();
    write(&home, "fleet: ci\nmachines: {new: {address: 10.7.0.1}}\n");
    let stderr = home.fails(1, &["apply", "fleet.yaml", "--prune", "--yes"]);
    assert!(is_printed(&stderr, "error[foreign-files]"), "{stderr}");
    assert!(!home.machine("new").exists() && home.machine("ci-1").exists());
}

#[test]
fn a_machine_of_another_origin_stops_everything() {
    let home = home(FLEET);
    home.ok(&["create", "ci-2", "--address", "10.9.0.1", "--quiet"]);
    home.ok(&["create", "ci-3", "--address", "10.9.0.2", "--quiet"]);
    let before = snapshot(&home);
    let stderr = home.fails(1, &["apply", "fleet.yaml"]);
    assert!(
        is_printed(&stderr, "error[not-of-this-fleet] `ci-2` already exists, and belongs to no fleet"),
        "{stderr}"
    );
    assert!(stderr.contains("(and 1 more machine)") && stderr.contains("fleet.yaml:3:10"), "{stderr}");
    assert!(before == snapshot(&home));
}

#[test]
fn a_machine_that_was_removed_by_hand_is_made_again() {
    let home = home(FLEET);
    apply(&home, &[]);
    fs::remove_dir_all(home.machine("ci-2")).unwrap();
    // Its CA is left, and never replaced.
    let stderr = home.fails(1, &["apply", "fleet.yaml"]);
    assert!(is_printed(&stderr, "error[ca-folder-exists]") && stderr.contains("fleet.yaml:3:10"), "{stderr}");
    fs::remove_dir_all(home.store().join("certs/ci-2")).unwrap();
    assert_eq!(counts(&apply(&home, &[])), [1, 0, 4, 0]);
}

#[test]
fn a_fleet_without_machines_is_a_fleet() {
    for machines in ["{}", "[]", "[{name: 'a{{ index }}', count: 0}]", "[{name: a, count: 0, addresses: []}]"]
    {
        let home = home(&format!("fleet: ci\nmachines: {machines}\n"));
        assert_eq!(counts(&apply(&home, &[])), [0; 4], "{machines}");
        assert!(!home.store().exists(), "{machines}");
    }
}

#[test]
fn a_ca_that_cannot_be_read_stops_everything() {
    let home = home(FLEET);
    apply(&home, &[]);
    let before = snapshot(&home);
    write(&home, &format!("{FLEET}- {{name: new, address: 10.7.0.1, ca: /nowhere/ca}}\n"));
    let stderr = home.fails(2, &["apply", "fleet.yaml"]);
    assert!(is_printed(&stderr, "error[unreadable-file]"), "{stderr}");
    assert!(before == snapshot(&home));
}

#[test]
fn two_runs_at_once_make_one_fleet() {
    let home = home(&FLEET.replace("count: 4", "count: 80"));
    let run = || {
        let mut command = home.command(&["apply", "fleet.yaml", "--json", "--quiet"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let runs = [run(), run()];
    let made = runs.map(|run| {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        counts(&serde_json::from_slice(&output.stdout).unwrap())
    });
    // Each counts only what it has made itself.
    assert_eq!(made[0][0] + made[1][0], 81, "{made:?}");
    assert_eq!(made.map(|[create, _, keep, _]| create + keep), [81, 81]);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 81, 0]);
    assert_eq!(home.ok(&["ls", "-q"]).lines().count(), 81);
}

#[test]
fn machines_with_the_shared_ca_have_one_client() {
    let home = home(
        "fleet: pool\nclient: shared\nmachines:\n- {name: 'p{{ index }}', count: 3, addresses: 10.0.0.0/24}\n",
    );
    apply(&home, &[]);
    let certs = home.store().join("certs");
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        let shared = fs::read(certs.join(file)).unwrap();
        for name in ["p1", "p2", "p3"] {
            assert_eq!(fs::read(home.machine(name).join(file)).unwrap(), shared, "{name} {file}");
        }
    }
    assert_eq!(mode(&certs.join("key.pem")), 0o600);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 3, 0]);
    // A machine that is added later gets the same client.
    write(
        &home,
        "fleet: pool\nclient: shared\nmachines:\n- {name: 'p{{ index }}', count: 4, addresses: 10.0.0.0/24}\n",
    );
    assert_eq!(counts(&apply(&home, &[])), [1, 0, 3, 0]);
    assert_eq!(
        fs::read(home.machine("p4").join("key.pem")).unwrap(),
        fs::read(certs.join("key.pem")).unwrap()
    );
}

#[test]
fn fleets_with_the_shared_client_share_it_in_a_new_store() {
    let home = Home::new();
    let names = ["a1", "a2", "b1", "b2", "c1", "c2"];
    for fleet in ["a", "b", "c"] {
        write(
            &home,
            &format!(
                "fleet: {fleet}\nclient: shared\nmachines: [{{name: '{fleet}{{{{ index }}}}', count: 2, addresses: 10.0.0.0/24}}]\n"
            ),
        );
        assert_eq!(counts(&apply(&home, &[])), [2, 0, 0, 0], "{fleet}");
        assert_eq!(counts(&apply(&home, &[])), [0, 0, 2, 0], "{fleet}");
    }
    assert_eq!(home.ok(&["ls", "-q"]).lines().collect::<Vec<_>>(), names);
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        let shared = fs::read(home.store().join("certs").join(file)).unwrap();
        for name in names {
            assert_eq!(fs::read(home.machine(name).join(file)).unwrap(), shared, "{name} {file}");
        }
    }
    let hosts: BTreeSet<_> =
        names.iter().map(|name| fs::read(home.machine(name).join("server-key.pem")).unwrap()).collect();
    assert_eq!(hosts.len(), names.len());
}

#[test]
fn a_machine_gets_the_client_that_the_file_says() {
    let fleet = "fleet: pool\ndefaults: {ca: shared}\nmachines:\n- {name: 'p{{ index }}', count: 3, addresses: 10.0.0.0/24}\n";
    let shared = fleet.replace("defaults", "client: shared\ndefaults");
    let home = home(fleet);
    apply(&home, &[]);
    let certs = home.store().join("certs");
    let has_shared = |name: &str| {
        ["cert.pem", "key.pem"]
            .map(|file| fs::read(home.machine(name).join(file)).ok() == fs::read(certs.join(file)).ok())
    };
    let hosts = || ["p1", "p2", "p3"].map(|name| fs::read(home.machine(name).join("server.pem")).unwrap());
    let before = hosts();
    // Each to shared.
    write(&home, &shared);
    assert_eq!(counts(&apply(&home, &["--dry-run"])), [0, 3, 0, 0]);
    let json = apply(&home, &[]);
    assert_eq!(json["update"][0]["new_certificates"], "client");
    assert_eq!(json["update"][0]["options"][0]["option"], "client");
    assert_eq!(["p1", "p2", "p3"].map(has_shared), [[true; 2]; 3]);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 3, 0]);
    // A machine that `renew` gave a client of its own, and new keys for all hosts.
    home.ok(&["renew", "p2", "--quiet"]);
    assert_eq!(has_shared("p2"), [false; 2]);
    assert_eq!(apply(&home, &[])["update"][0]["name"], "p2");
    assert_eq!(has_shared("p2"), [true; 2]);
    write(&home, &shared.replace("{ca: shared}", "{key: p384}"));
    assert_eq!(apply(&home, &[])["update"][0]["new_certificates"], "host");
    assert_ne!(hosts(), before);
    write(&home, &shared);
    apply(&home, &[]);
    // The shared client is lost.
    fs::remove_file(certs.join("cert.pem")).unwrap();
    fs::remove_file(certs.join("key.pem")).unwrap();
    assert_eq!(counts(&apply(&home, &[])), [0, 3, 0, 0]);
    assert_eq!(["p1", "p2", "p3"].map(has_shared), [[true; 2]; 3]);
    // Shared to each.
    let before = hosts();
    write(&home, fleet);
    assert_eq!(counts(&apply(&home, &[])), [0, 3, 0, 0]);
    assert_eq!(["p1", "p2", "p3"].map(has_shared), [[false; 2]; 3]);
    assert_eq!(hosts(), before);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 3, 0]);
}

#[test]
fn machines_of_no_fleet_are_adopted_if_they_are_as_the_file_says() {
    let home = home(FLEET);
    home.ok(&["create", "ci-2", "--address", "10.0.0.2", "--quiet"]);
    home.ok(&["create", "db", "--address", "db2.example.com", "--quiet"]);
    let stderr = home.fails(1, &["apply", "fleet.yaml"]);
    assert!(stderr.contains("apply --adopt"), "{stderr}");
    let before = snapshot(&home);
    let stderr = home.fails(1, &["apply", "fleet.yaml", "--adopt"]);
    let refused = "error[not-of-this-fleet] machine `db` cannot be taken into the fleet, because it differs from the file in `address`";
    assert!(is_printed(&stderr, refused), "{stderr}");
    assert!(before == snapshot(&home));
    home.ok(&["rm", "--yes", "db", "--quiet"]);
    let before = snapshot(&home);
    let json = apply(&home, &["--adopt"]);
    assert_eq!((counts(&json), &json["adopt"]), ([4, 0, 0, 0], &serde_json::json!(["ci-2"])));
    let after = snapshot(&home);
    assert!(before.iter().all(|(file, content)| file.ends_with(".cache") || after[file] == *content));
    assert_eq!(mode(&home.machine("ci-2").join("fleet")), 0o600);
    assert_eq!(counts(&apply(&home, &["--adopt"])), [0, 0, 5, 0]);
    // A machine of another fleet is never adopted.
    write(&home, "fleet: other\nmachines: {db: {address: db.example.com}}\n");
    let stderr = home.fails(1, &["apply", "fleet.yaml", "--adopt"]);
    assert!(stderr.contains("belongs to the fleet `ci`") && !stderr.contains("--adopt"), "{stderr}");
}

#[test]
fn a_fleet_moves_to_another_store() {
    let home = home(FLEET);
    apply(&home, &[]);
    for name in ["ci-1", "ci-2", "ci-3", "ci-4", "db"] {
        home.ok(&["export", name, "-o", name, "--quiet"]);
        home.ok(&["--store", "other", "import", name, "--quiet"]);
    }
    let json: Value =
        serde_json::from_str(&home.ok(&["--store", "other", "apply", "fleet.yaml", "--json", "--quiet"]))
            .unwrap();
    assert_eq!(counts(&json), [0, 0, 5, 0]);
    assert_eq!(mode(&home.path().join("other/machines/db/fleet")), 0o600);
}

#[test]
fn user_data_that_is_missing_is_rendered_again() {
    let home = home(FLEET);
    apply(&home, &[]);
    let before = snapshot(&home);
    fs::remove_file(home.machine("db").join("user-data")).unwrap();
    let json = apply(&home, &[]);
    assert_eq!(counts(&json), [0, 1, 4, 0]);
    assert_eq!(json["update"][0]["options"][0]["option"], "user-data");
    let user_data = home.machine("db").join("user-data");
    let path = user_data.strip_prefix(home.store()).unwrap();
    assert_eq!(fs::read(&user_data).unwrap(), before[path].0);
    assert_eq!(counts(&apply(&home, &[])), [0, 0, 5, 0]);
}

#[test]
fn the_ca_in_a_folder_is_found_from_the_file() {
    let home = Home::new();
    home.ok(&["--store", "st", "create", "x", "--ca", "shared", "--address", "10.0.0.9", "--quiet"]);
    fs::create_dir(home.path().join("conf")).unwrap();
    fs::rename(home.path().join("st/certs"), home.path().join("conf/ca")).unwrap();
    let fleet = "fleet: ci\ndefaults: {ca: ./ca}\nmachines:\n- {name: 'c{{ index }}', count: 2, addresses: 10.0.0.0/24}\n";
    fs::write(home.path().join("conf/fleet.yaml"), fleet).unwrap();
    home.ok(&["apply", "conf/fleet.yaml", "--quiet"]);
    let authority = fs::read(home.path().join("conf/ca/ca.pem")).unwrap();
    assert_eq!(fs::read(home.machine("c2").join("ca.pem")).unwrap(), authority);
    home.ok(&["apply", "conf/fleet.yaml", "--quiet"]);
}

#[test]
fn a_large_fleet_says_how_far_it_is() {
    let home = home(&FLEET.replace("count: 4", "count: 150"));
    let output = home.run(&["apply", "fleet.yaml"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    // How many machines the next batch has depends on the time that the first one took.
    assert!(stderr.contains("note: creating machines: 64 of 151 (40 %)\n"), "{stderr}");
}

#[test]
fn the_examples_of_init_are_accepted_as_they_are() {
    let home = Home::new();
    home.ok(&["init", "--quiet"]);
    assert_eq!(counts(&apply(&home, &["--dry-run"])), [4, 0, 0, 0]);
    home.ok(&["init", "spec", "--quiet"]);
    home.ok(&["create", "-f", "web1.yaml", "--dry-run", "--quiet"]);
    assert!(!home.store().exists());
    fs::write(home.path().join("fleet.yaml"), "mine").unwrap();
    home.fails(1, &["init"]);
    assert_eq!(fs::read_to_string(home.path().join("fleet.yaml")).unwrap(), "mine");
    home.ok(&["init", "--force", "--quiet"]);
    assert_eq!(fs::read_to_string(home.path().join("fleet.yaml")).unwrap(), home.ok(&["init", "-o", "-"]));
}

#[test]
fn a_fleet_is_exported_as_a_map() {
    let home = home(FLEET);
    let stderr = home.fails(1, &["export", "ci", "--format", "json"]);
    assert!(is_printed(&stderr, "error[no-such-fleet]"), "{stderr}");
    let stderr = home.fails(2, &["export", "fleet.yaml", "--format", "json"]);
    assert!(is_printed(&stderr, "error[no-such-machine]"), "{stderr}");
    apply(&home, &[]);
    let by_name: Value = serde_json::from_str(&home.ok(&["export", "ci", "--format", "json"])).unwrap();
    let by_file: Value =
        serde_json::from_str(&home.ok(&["export", "./fleet.yaml", "--format", "json"])).unwrap();
    assert_eq!(by_name, by_file);
    assert_eq!(by_name["ci-2"]["user_data"], home.ok(&["render", "ci-2"]));
    assert_eq!(by_name["ci-2"]["address"], "10.0.0.2");
    // The file decides which machines are in the map.
    write(&home, "fleet: ci\nmachines: {db: {address: db.example.com}}\n");
    home.ok(&["export", "fleet.yaml", "--format", "csv", "-o", "ci.csv"]);
    assert_eq!(mode(&home.path().join("ci.csv")), 0o600);
    let csv = fs::read_to_string(home.path().join("ci.csv")).unwrap();
    assert!(
        csv.starts_with("name,address,")
            && csv.contains("\r\n\"db\",\"db.example.com\",\"tcp://db.example.com:2376\",")
    );
    fs::write(home.path().join("ci.csv"), "mine").unwrap();
    let stderr = home.fails(1, &["export", "fleet.yaml", "--format", "csv", "-o", "ci.csv"]);
    assert!(stderr.contains("ci.csv"), "{stderr}");
    home.fails(2, &["export", "ci", "--format", "csv", "--base64"]);
}

/// Fleets that `apply` accepts, and with `false` those whose structure it refuses.
const FLEETS: &[(&str, bool)] = &[
    (FLEET, true),
    ("fleet: 7\nmachines: {}\n", true),
    ("fleet: ci\nclient: shared\ndefaults:\nmachines: {a: {address: 10.0.0.1}}\n", true),
    (
        "fleet: ci\nmachines:\n  a:\n  b: {key: '{{ \"p384\" }}', docker: distro, block-metadata: '{{ \"true\" }}'}\n",
        true,
    ),
    (
        "fleet: ci\nmachines: [{name: 'a{{ index }}', count: '2', addresses: [10.0.0.1, a.example.com], engine-label: [a=b], daemon-json: {debug: true}}]\n",
        true,
    ),
    (
        "fleet: ci\nmachines: [{name: a, address: [10.0.0.1, '{{ name }}.example.com'], engine-env: {A: 1}, port: 2377}]\n",
        true,
    ),
    (
        "fleet: ci\nmachines: [{name: a, port: '{{ 2376 + index }}'}, {name: 'b{{ index }}', port: '2378'}]\n",
        true,
    ),
    ("fleet: ci\nmachines: [{name: a_b}]\n", false),
    ("fleet: ci\nmachines: {a: {port: 65536}}\n", false),
    ("fleet: CI\nmachines: {}\n", false),
    ("machines: {}\n", false),
    ("fleet: ci\n", false),
    ("fleet: ci\nclient: one\nmachines: {}\n", false),
    ("fleet: ci\nport: 2376\nmachines: {}\n", false),
    ("fleet: ci\ndefaults: {name: a}\nmachines: {}\n", false),
    ("fleet: ci\ndefaults: {count: 2}\nmachines: {}\n", false),
    ("fleet: ci\nmachines: {a: {prot: 1}}\n", false),
    ("fleet: ci\nmachines: {a: {name: b}}\n", false),
    ("fleet: ci\nmachines: {a: x}\n", false),
    ("fleet: ci\nmachines: [{address: 10.0.0.1}]\n", false),
    ("fleet: ci\nmachines: {[a]: {}}\n", false),
    ("fleet: ci\nmachines: [{name: [a]}]\n", false),
    ("fleet: ci\nmachines: [{name: a, count: -1}]\n", false),
    ("fleet: ci\nmachines: [{name: a, count: 100001}]\n", false),
    ("fleet: ci\nmachines: [{name: a, addresses: [10.0.0.1], address: 10.0.0.1}]\n", false),
    ("fleet: ci\nmachines: [{name: a, key: dsa}]\n", false),
    ("fleet: ci\nmachines: [{name: a, engine-label: [{}]}]\n", false),
    ("fleet: ci\nmachines: a\n", false),
    (
        "fleet: ci\ndefaults: {swarm: worker}\nmachines: {a: {swarm: manager}, b: {swarm: none}, c: {}}\n",
        true,
    ),
    (
        "fleet: ci\nmachines: {a: {swarm: {role: manager, advertise: eth1, labels: {zone: a, rack: 1}}}}\n",
        true,
    ),
    ("fleet: ci\nmachines: {a: {swarm: {advertise: '10.0.0.{{ index }}', labels: [zone=a]}}}\n", true),
    ("fleet: ci\nmachines: {a: {swarm: boss}}\n", false),
    ("fleet: ci\nmachines: {a: {swarm: [manager]}}\n", false),
    ("fleet: ci\nmachines: {a: {swarm: {rol: manager}}}\n", false),
    ("fleet: ci\nmachines: {a: {swarm: {labels: [zone]}}}\n", false),
];

#[test]
fn the_schema_accepts_what_apply_accepts() {
    if !need_python_module("yaml") || !need_python_module("jsonschema") {
        return;
    }
    let home = Home::new();
    fs::write(home.path().join("schema.json"), home.ok(&["schema", "fleet"])).unwrap();
    let fleets = FLEETS.iter().map(|(text, is_good)| (*text, *is_good));
    let example = home.ok(&["init", "-o", "-"]);
    let all: Vec<(&str, bool)> = fleets.chain([(example.as_str(), true)]).collect();
    for (text, is_good) in &all {
        write(&home, text);
        let status = home.run(&["apply", "fleet.yaml", "--dry-run"]).status.code();
        assert_eq!(status, Some(if *is_good { 0 } else { 2 }), "{text}");
    }
    let texts: Vec<&str> = all.iter().map(|(text, _)| *text).collect();
    fs::write(home.path().join("fleets.json"), serde_json::to_string(&texts).unwrap()).unwrap();
    let script = "import json, yaml, jsonschema\n\
        check = jsonschema.Draft7Validator(json.load(open('schema.json'))).is_valid\n\
        def valid(text):\n  try: return check(yaml.safe_load(text))\n  except yaml.YAMLError: return False\n\
        print(json.dumps([valid(text) for text in json.load(open('fleets.json'))]))";
    let output = run(std::process::Command::new(PYTHON).args(["-c", script]).current_dir(home.path()));
    let valid: Vec<bool> = serde_json::from_slice(&output.stdout).unwrap();
    for ((text, is_good), valid) in all.iter().zip(valid) {
        assert_eq!(valid, *is_good, "{text}");
    }
}

#[test]
fn slips_in_a_fleet_file_and_around_it_have_a_hint() {
    let home = Home::new();
    let write = |text: &str| fs::write(home.path().join("fleet.yaml"), text).unwrap();
    let apply = ["apply", "fleet.yaml", "--dry-run"];
    write("fleet: ci\nmachines: [{name: a, <<: {port: 2377}}]\n");
    assert!(home.fails(2, &apply).contains("hint: hostseed does not merge maps"));
    for value in ["{{ fleet }}", "{pool: {{ fleet }}}"] {
        write(&format!("fleet: ci\nmachines: [{{name: a, engine-label: {value}}}]\n"));
        let stderr = home.fails(2, &apply);
        assert_eq!(stderr.matches("error[field-type]").count(), 1, "{stderr}");
        assert!(stderr.contains("hint: put a text with a template in quotes"), "{stderr}");
    }
    let stderr = home.fails(1, &["export", "fleet.yaml"]);
    assert!(stderr.contains("export fleet.yaml --format terraform-json"), "{stderr}");
    let stderr = home.fails(2, &["init", "fleet.yaml"]);
    assert!(stderr.contains("`--out FILE`"), "{stderr}");
}

#[test]
fn a_wrong_default_is_an_error_also_if_no_machine_uses_it() {
    let home = Home::new();
    let apply = ["apply", "fleet.yaml", "--dry-run"];
    let machines = "machines: {a: {port: 2377, key: p256, engine-label: [], address: 10.0.0.1}}";
    for (default, code) in [
        ("port: '0'", "invalid-port"),
        ("key: p255", "invalid-choice"),
        ("engine-label: [==]", "invalid-label"),
        ("port: '{{ nothing }}'", "fleet-template"),
    ] {
        write(&home, &format!("fleet: ci\ndefaults:\n  {default}\n{machines}\n"));
        let stderr = home.fails(2, &apply);
        assert!(stderr.contains(&format!("error[{code}]")) && stderr.contains("fleet.yaml:3:"), "{stderr}");
        assert_eq!(stderr.matches("error[").count(), 1, "{stderr}");
    }
    // These need other fields, which a machine would have.
    for default in ["no-proxy: [example.com]", "ca: shared", "public-address-url: https://a.example"] {
        let field = default.split(':').next().unwrap();
        let own = match field {
            "no-proxy" => "proxy: 'http://proxy.example', no-proxy: [b.example]",
            "ca" => "ca: own",
            _ => "boot-issuer: true, public-address-url: 'https://b.example'",
        };
        write(
            &home,
            &format!("fleet: ci\ndefaults: {{{default}}}\nmachines: {{a: {{address: 10.0.0.1, {own}}}}}\n"),
        );
        home.ok(&apply);
    }
}

#[test]
fn a_node_of_a_swarm_that_issues_its_certificates_runs_without_live_restore() {
    let home = Home::new();
    write(
        &home,
        "fleet: ci\ndefaults: {swarm: worker}\nmachines:\n  a: {swarm: manager}\n  b: {address: 203.0.113.2}\n  c: {swarm: none}\n",
    );
    home.ok(&["apply", "fleet.yaml", "--quiet"]);
    let has_option = |name: &str| {
        fs::read_to_string(home.machine(name).join("machine.yaml")).unwrap().contains("live-restore=false")
    };
    assert_eq!(["a", "b", "c"].map(has_option), [true, false, false]);
    // A second run has nothing to change.
    let json: Value = serde_json::from_str(&home.ok(&["apply", "fleet.yaml", "--json"])).unwrap();
    assert_eq!(json["keep"].as_array().map(Vec::len), Some(3), "{json}");
}

#[test]
fn problems_of_a_machines_part_in_the_swarm_are_reported_at_once() {
    let home = Home::new();
    let fleet = |swarm: &str| {
        let text = format!(
            "fleet: ci\nmachines: [{{name: 'm{{{{ index }}}}', count: 2, addresses: 203.0.113.1/24, swarm: {swarm}}}]\n"
        );
        write(&home, &text);
        home.fails(2, &["apply", "fleet.yaml"])
    };
    let stderr = fleet("{role: manager, advertise: '{{ nam }}'}");
    assert!(stderr.contains("`swarm.advertise` uses `nam`"), "{stderr}");
    let stderr = fleet("{role: boss, advertise: 10.0.0, labels: [x]}");
    for problem in ["`swarm.role` must be", "`swarm.advertise` must be", "`swarm.labels` must be"] {
        assert!(stderr.contains(problem), "{problem}: {stderr}");
    }
}
