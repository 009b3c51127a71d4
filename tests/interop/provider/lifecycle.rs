//! Machines, CAs and clients from creation to destruction.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::need;
use crate::support::openssl::openssl;

use super::*;

/// The attributes that change from one state to the other.
fn changed(before: &Value, after: &Value) -> Vec<String> {
    let names = before.as_object().unwrap().keys();
    names.filter(|name| before[name.as_str()] != after[name.as_str()]).cloned().collect()
}

const USER_DATA: [&str; 3] = ["user_data", "user_data_base64", "user_data_gzip_base64"];
const HOST: [&str; 3] = ["fingerprint_host", "host_cert_pem", "host_key_pem"];
const CLIENT: [&str; 3] = ["client_cert_pem", "client_key_pem", "fingerprint_client"];

/// Those names, sorted.
fn all(groups: &[&[&str]]) -> Vec<String> {
    let mut names: Vec<_> = groups.concat().into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn a_machine_keeps_its_identity_when_its_options_change() {
    for program in terraforms() {
        let Some(root) = Root::new(program, WEB1) else { return };
        root.ok(&["validate"]);
        root.apply();
        assert_eq!(root.plan(), 0, "{program}");
        root.ok(&["apply", "-refresh-only", "-auto-approve"]);
        let made = root.state("hostseed_machine.web1");
        assert_eq!(text(&made, "docker_host"), "tcp://203.0.113.7:2376");

        // A label: the plan knows the new user-data.
        root.write(&web1("engine_labels = { role = \"web\" }"));
        let change = root.change("hostseed_machine.web1");
        assert_eq!(change["actions"], serde_json::json!(["update"]));
        assert!(change["after_unknown"].as_object().unwrap().values().all(|unknown| *unknown != true));
        root.apply();
        assert_eq!(root.plan(), 0);
        let labelled = root.state("hostseed_machine.web1");
        assert_eq!(changed(&made, &labelled), all(&[&["engine_labels"], &USER_DATA]));
        assert_eq!(change["after"]["user_data"], labelled["user_data"]);

        // An address: another server certificate.
        root.write(&web1("tls_sans = [\"docker.example.com\"]"));
        root.apply();
        assert_eq!(root.plan(), 0);
        let named = root.state("hostseed_machine.web1");
        let expected = all(&[&["engine_labels", "tls_sans"], &USER_DATA, &HOST]);
        let without_time =
            |names: Vec<String>| names.into_iter().filter(|name| name != "expires").collect::<Vec<_>>();
        assert_eq!(without_time(changed(&labelled, &named)), expected);

        // Another type of keys: the CA stays.
        root.write(&web1("key = \"ed25519\""));
        root.apply();
        let keyed = root.state("hostseed_machine.web1");
        let expected = all(&[&["key", "tls_sans"], &USER_DATA, &HOST, &CLIENT]);
        assert_eq!(without_time(changed(&named, &keyed)), expected);

        // Another name is another machine. So is one that is tainted.
        root.write(&WEB1.replace("name = \"web1\"", "name = \"web2\""));
        assert_eq!(root.change("hostseed_machine.web1")["actions"], serde_json::json!(["delete", "create"]));
        root.write(&web1("key = \"ed25519\""));
        root.ok(&["taint", "hostseed_machine.web1"]);
        root.apply();
        assert_ne!(root.state("hostseed_machine.web1")["ca_pem"], keyed["ca_pem"]);
        root.ok(&["destroy", "-auto-approve"]);
        assert_eq!(root.plan(), 2);
    }
}

#[test]
fn another_version_of_hostseed_keeps_the_user_data_until_an_option_changes() {
    let Some(root) = Root::new(NEW, WEB1) else { return };
    root.apply();
    let made = root.state("hostseed_machine.web1");
    // As if an earlier version had rendered it.
    let path = root.path().join("terraform.tfstate");
    let state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut earlier = state.clone();
    earlier["resources"][0]["instances"][0]["attributes"]["user_data"] = "#cloud-config\n".into();
    fs::write(&path, earlier.to_string()).unwrap();
    assert_eq!(root.plan(), 0);
    root.write(&web1("engine_labels = { role = \"web\" }"));
    root.apply();
    let after = root.state("hostseed_machine.web1");
    assert!(text(&after, "user_data").len() > 1000);
    assert_eq!(made["host_key_pem"], after["host_key_pem"]);
}

#[test]
fn a_machine_whose_ca_is_taken_away_gets_its_own() {
    let team = "resource \"hostseed_ca\" \"team\" {\n  name = \"team\"\n}\n";
    let Some(root) = Root::new(NEW, &format!("{team}{}", web1("ca = hostseed_ca.team"))) else { return };
    root.apply();
    let before = root.state("hostseed_machine.web1");
    root.write(&format!("{team}{WEB1}"));
    root.apply();
    assert_eq!(root.plan(), 0);
    let after = root.state("hostseed_machine.web1");
    assert_ne!(before["ca_pem"], after["ca_pem"]);
    assert!(text(&after, "ca_key_pem").contains("PRIVATE KEY"));
}

#[test]
fn a_machine_without_an_address_gets_a_boot_issuer_and_another_ca_where_its_own_cannot_sign_one() {
    let Some(root) = Root::new(NEW, WEB1) else { return };
    root.apply();
    let issuer = "resource \"hostseed_machine\" \"web1\" {\n  name = \"web1\"\n}\n";
    root.write(issuer);
    let change = root.change("hostseed_machine.web1");
    assert_eq!(change["actions"], serde_json::json!(["delete", "create"]));
    assert_eq!(change["replace_paths"], serde_json::json!([["addresses"]]));
    root.apply();
    assert_eq!(root.plan(), 0);
    let made = root.state("hostseed_machine.web1");
    assert_eq!(text(&made, "docker_host"), "tcp://web1:2376");
    // That CA can sign both.
    root.write(WEB1);
    root.apply();
    assert_eq!(root.state("hostseed_machine.web1")["ca_pem"], made["ca_pem"]);
}

#[test]
fn openssl_and_hostseed_accept_the_certificates_and_the_user_data() {
    let text_of_root = "
        resource \"hostseed_ca\" \"team\" {\n name = \"team\"\n}
        resource \"hostseed_machine\" \"own\" {\n name = \"own\"\n addresses = [\"203.0.113.7\"]\n}
        resource \"hostseed_machine\" \"of_team\" {\n name = \"of-team\"\n addresses = [\"2001:db8::7\"]\n ca = hostseed_ca.team\n}
        resource \"hostseed_client\" \"alice\" {\n cn = \"alice\"\n ca = hostseed_machine.own\n valid_for = \"7d\"\n}
        resource \"hostseed_client\" \"ci\" {\n cn = \"ci\"\n ca = hostseed_ca.team\n}
    ";
    for program in terraforms() {
        let Some(root) = Root::new(program, text_of_root) else { return };
        root.apply();
        assert_eq!(root.plan(), 0);
        let file = |values: &Value, name: &str, to: &str| {
            fs::write(root.path().join(to), text(values, name)).unwrap();
            root.path().join(to).display().to_string()
        };
        let team = root.state("hostseed_ca.team");
        for machine in ["own", "of_team"] {
            let state = root.state(&format!("hostseed_machine.{machine}"));
            let ca = file(&state, "ca_pem", "ca.pem");
            let host = file(&state, "host_cert_pem", "host.pem");
            let client = file(&state, "client_cert_pem", "client.pem");
            openssl(&["verify", "-x509_strict", "-CAfile", &ca, "-purpose", "sslserver", &host]);
            openssl(&["verify", "-x509_strict", "-CAfile", &ca, "-purpose", "sslclient", &client]);
            assert_eq!(state["ca_key_pem"].is_null(), machine == "of_team");
            assert_eq!(state["ca_pem"] == team["ca_pem"], machine == "of_team");
            let further =
                root.state(if machine == "own" { "hostseed_client.alice" } else { "hostseed_client.ci" });
            let further = file(&further, "cert_pem", "further.pem");
            openssl(&["verify", "-x509_strict", "-CAfile", &ca, "-purpose", "sslclient", &further]);
            let user_data = file(&state, "user_data", "user-data");
            root.home.ok(&["verify", &user_data, "--strict"]);
            assert!(text(&state, "user_data").contains(text(&state, "host_key_pem").lines().nth(1).unwrap()));
        }
        // A client of another CA is made anew, and so is all of a machine that gets a CA.
        let before = root.state("hostseed_machine.own");
        root.write(
            &text_of_root
                .replace("ca = hostseed_machine.own", "ca = hostseed_ca.team")
                .replace("name = \"own\"\n", "name = \"own\"\n ca = hostseed_ca.team\n"),
        );
        root.apply();
        assert_eq!(root.plan(), 0);
        let after = root.state("hostseed_machine.own");
        assert_eq!(after["ca_pem"], team["ca_pem"]);
        assert_ne!(before["client_cert_pem"], after["client_cert_pem"]);
        assert!(after["ca_key_pem"].is_null());
        assert_eq!(root.state("hostseed_client.alice")["ca_pem"], team["ca_pem"]);
    }
}

#[test]
fn certificates_are_renewed_in_place_before_they_expire() {
    let machine = web1("valid_for = \"3d\"\n  early_renewal_days = 2");
    let client = "resource \"hostseed_client\" \"a\" {\n  cn = \"a\"\n  ca = hostseed_machine.web1\n  valid_for = \"3d\"\n  early_renewal_days = 2\n}\n";
    if !need("faketime") {
        return;
    }
    let Some(root) = Root::new(NEW, &format!("{machine}{client}")) else { return };
    root.apply();
    assert_eq!(root.plan(), 0);
    let before = root.state("hostseed_machine.web1");
    let later = ["faketime", "-f", "+25h"];
    let args = ["apply", "-auto-approve"];
    succeeded(root.in_front(&later, &args).output().unwrap(), &args);
    let after = root.state("hostseed_machine.web1");
    assert_eq!(changed(&before, &after), all(&[&["expires"], &USER_DATA, &HOST, &CLIENT]));
    let again = ["plan", "-detailed-exitcode"];
    assert_eq!(root.in_front(&later, &again).output().unwrap().status.code(), Some(0));

    // Without the attribute, a plan warns.
    root.write(&web1("valid_for = \"3d\""));
    root.apply();
    let late = root.in_front(&["faketime", "-f", "+95h"], &["plan", "-no-color"]).output().unwrap();
    let said = String::from_utf8(late.stdout).unwrap();
    assert!(said.contains("Warning: the certificates of web1 expire"), "{said}");
}

#[test]
fn many_machines_are_made_at_once() {
    let number = if crate::support::extent::is_full() { 200 } else { 10 };
    let text = format!(
        "resource \"hostseed_machine\" \"ci\" {{\n  for_each = toset([for n in range({number}) : \"ci-${{n}}\"])\n  name = each.key\n  addresses = [\"10.0.0.1\"]\n}}\n"
    );
    let Some(root) = Root::new(NEW, &text) else { return };
    root.apply();
    assert_eq!(root.plan(), 0);
    let state: Value = serde_json::from_str(&root.ok(&["show", "-json"])).unwrap();
    assert_eq!(state["values"]["root_module"]["resources"].as_array().unwrap().len(), number);
}

/// The processes of the providers that were started in a configuration's folder.
fn providers(root: &Root) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_provider = |process: &PathBuf| {
        let is_named =
            fs::read_to_string(process.join("comm")).is_ok_and(|name| name.starts_with("terraform-prov"));
        is_named && fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == root.path())
    };
    let id = |process: PathBuf| process.file_name().unwrap().to_string_lossy().into_owned();
    processes.filter(is_provider).map(id).collect()
}

#[test]
fn two_runs_at_once_and_a_killed_provider_leave_a_state_that_goes_on() {
    let slow = "resource \"hostseed_machine\" \"slow\" {\n  count = 40\n  name = \"slow-${count.index}\"\n  key = \"rsa4096\"\n  addresses = [\"10.0.0.1\"]\n}\n";
    let Some(root) = Root::new(NEW, slow) else { return };
    let args = ["apply", "-auto-approve", "-no-color"];
    let mut first = root.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    // Terraform has planned, and its provider makes the keys.
    assert!(lines.any(|line| line.unwrap().contains(": Creating...")));
    assert!(!root.run(&args).status.success());
    for pid in providers(&root) {
        Command::new("kill").args(["-9", &pid]).status().unwrap();
    }
    lines.for_each(drop);
    assert!(!first.wait().unwrap().success());
    root.write(&slow.replace("rsa4096", "p256"));
    root.apply();
    assert_eq!(root.plan(), 0);
    assert_eq!(providers(&root), Vec::<String>::new());
}
