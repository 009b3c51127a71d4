//! Wrong values, values that are known only later, functions and ephemeral resources.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

#[test]
fn a_wrong_value_is_reported_at_its_attribute() {
    let wrong = "resource \"hostseed_machine\" \"bad\" {
  name = \"-x\"
  addresses = [\"a b\"]
  port = 70000
  key = \"dsa\"
  cloud = \"nimbus\"
  format = \"mime\"
  early_renewal_days = 0
  no_proxy = [\"x\"]
  engine_opts = [\"nosuch=1\"]
}
resource \"hostseed_client\" \"bad\" {
  cn = \"a b\"
  valid_for = \"1w\"
  ca = { ca_pem = \"x\", ca_key_pem = \"y\" }
}
resource \"hostseed_ca\" \"bad\" {
  name = \"..\"
}
";
    for program in terraforms() {
        let Some(root) = Root::new(program, "") else { return };
        root.write(wrong);
        let problems = root.problems(&["validate", "-json"]);
        let first = fs::read_to_string(root.path().join("main.tf")).unwrap();
        let at =
            |line: &Option<u64>| first.lines().nth(line.unwrap() as usize - 1).unwrap().trim().to_owned();
        let mut lines: Vec<_> = problems.iter().map(|(_, line, _)| at(line)).collect();
        lines.sort();
        let mut expected: Vec<_> = wrong.lines().map(str::trim).filter(|line| line.contains(" = ")).collect();
        expected.retain(|line| !line.starts_with("ca = "));
        expected.sort_unstable();
        assert_eq!(lines, expected, "{program}");
        assert!(problems.iter().all(|(_, _, one)| text(one, "detail").contains("hostseed explain ")));
    }
    // A CA is checked when it is known, before anything is made.
    let Some(root) = Root::new(NEW, WEB1) else { return };
    root.apply();
    let key = root.state("hostseed_machine.web1")["ca_key_pem"].clone();
    let other = "resource \"hostseed_ca\" \"other\" {\n  name = \"other\"\n}\n";
    root.write(&format!("{WEB1}{other}"));
    root.apply();
    let mixed = "ca = { ca_pem = hostseed_ca.other.ca_pem, ca_key_pem = hostseed_machine.web1.ca_key_pem }";
    root.write(&format!(
        "{WEB1}{other}resource \"hostseed_machine\" \"m\" {{\n  name = \"m\"\n  {mixed}\n}}\n"
    ));
    let output = root.run(&["plan", "-no-color"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("hostseed explain unusable-ca"), "{said}");
    assert!(!said.contains(key.as_str().unwrap().lines().nth(1).unwrap()));
}

#[test]
fn user_data_above_the_limit_of_the_cloud_is_an_error_of_the_plan() {
    let labels: String =
        (0..1500).map(|n| format!("    \"label-{n}-{}\" = \"{}\"\n", n * 7919, n * 104_729)).collect();
    let large = web1(&format!("cloud = \"aws\"\n  engine_labels = {{\n{labels}  }}"));
    let Some(root) = Root::new(NEW, &large) else { return };
    let output = root.run(&["plan", "-no-color"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("hostseed explain user-data-too-large"), "{said}");
    // 16 384 bytes are enough for less, in one of the encodings.
    for cloud in ["aws", "digitalocean", "hetzner", "gce"] {
        root.write(&web1(&format!("cloud = \"{cloud}\"\n  block_metadata = true")));
        root.apply();
        let state = root.state("hostseed_machine.web1");
        let texts = ["user_data", "user_data_base64", "user_data_gzip_base64"].map(|name| text(&state, name));
        assert!(texts.contains(&text(&state, "user_data_for_cloud")), "{cloud}");
        assert_eq!(STANDARD.decode(texts[1]).unwrap(), texts[0].as_bytes());
    }
    for format in ["script", "ignition"] {
        root.write(&web1(&format!("format = \"{format}\"")));
        root.apply();
        let state = root.state("hostseed_machine.web1");
        assert_eq!(state["user_data_gzip_base64"].is_null(), format == "ignition");
        assert!(text(&state, "user_data").starts_with(if format == "script" { "#!" } else { "{" }));
    }
}

#[test]
fn values_that_are_known_only_later_are_planned_as_such() {
    // Terraform knows the output of `terraform_data` only after it is applied.
    let text_of = |address: &str| {
        format!(
            "resource \"terraform_data\" \"ip\" {{\n  input = \"{address}\"\n}}\nresource \"hostseed_machine\" \"web1\" {{\n  name = \"web1\"\n  addresses = [terraform_data.ip.output]\n  no_proxy = [\"10.0.0.0/8\"]\n  proxy = \"http://${{terraform_data.ip.output}}:3128\"\n}}\n"
        )
    };
    let Some(root) = Root::new(NEW, &text_of("203.0.113.7")) else { return };
    let change = root.change("hostseed_machine.web1");
    assert_eq!(change["after_unknown"]["docker_host"], true);
    root.apply();
    assert_eq!(root.plan(), 0);
    let before = root.state("hostseed_machine.web1");
    assert_eq!(text(&before, "docker_host"), "tcp://203.0.113.7:2376");
    root.write(&text_of("203.0.113.8"));
    let unknown = root.change("hostseed_machine.web1")["after_unknown"].clone();
    for (name, is_unknown) in [
        ("docker_host", true),
        ("host_cert_pem", true),
        ("user_data", true),
        ("ca_pem", false),
        ("client_key_pem", false),
    ] {
        assert_eq!(unknown[name] == true, is_unknown, "{name}");
    }
    root.apply();
    assert_eq!(root.plan(), 0);
    let after = root.state("hostseed_machine.web1");
    assert_eq!(text(&after, "docker_host"), "tcp://203.0.113.8:2376");
    assert_eq!(before["client_cert_pem"], after["client_cert_pem"]);
    assert_ne!(before["host_cert_pem"], after["host_cert_pem"]);
}

#[test]
fn functions_check_user_data_and_return_the_environment() {
    let outputs = "
        output \"problems\" {\n  value = provider::hostseed::verify(nonsensitive(hostseed_machine.web1.user_data_base64), \"aws\")\n}
        output \"found\" {\n  value = provider::hostseed::verify(\"#cloud-config\\nruncmd: 7\\n\", null)\n}
        output \"env\" {\n  value = nonsensitive(provider::hostseed::env(hostseed_machine.web1))\n}
    ";
    let Some(root) = Root::new(NEW, &format!("{WEB1}{outputs}")) else { return };
    root.apply();
    let outputs: Value = serde_json::from_str(&root.ok(&["output", "-json"])).unwrap();
    assert_eq!(outputs["problems"]["value"], serde_json::json!([]));
    let found = outputs["found"]["value"].as_array().unwrap().clone();
    assert_eq!((text(&found[0], "severity"), text(&found[0], "code").is_empty()), ("error", false));
    assert!(text(&found[0], "place").starts_with("user_data"));
    let expected = serde_json::json!({
        "DOCKER_HOST": "tcp://203.0.113.7:2376", "DOCKER_MACHINE_NAME": "web1", "DOCKER_TLS_VERIFY": "1",
    });
    assert_eq!(outputs["env"]["value"], expected);
    for wrong in ["verify(\"x\", \"nimbus\")", "env({ a = 1 })", "env(\"web1\")"] {
        root.write(&format!("output \"x\" {{\n  value = provider::hostseed::{wrong}\n}}\n"));
        let output = root.run(&["plan", "-no-color"]);
        assert!(!output.status.success(), "{wrong}");
    }
}

#[test]
fn an_ephemeral_client_is_not_in_the_state() {
    let text_of_root = "
        resource \"hostseed_ca\" \"team\" {\n  name = \"team\"\n}
        ephemeral \"hostseed_client\" \"ci\" {\n  cn = \"ci\"\n  ca = hostseed_ca.team\n  valid_for = \"1h\"\n}
        resource \"terraform_data\" \"use\" {
          provisioner \"local-exec\" {
            command     = \"printf %s \\\"$KEY\\\" > key.pem; printf %s \\\"$CERT\\\" > cert.pem\"
            environment = {\n KEY = ephemeral.hostseed_client.ci.key_pem\n CERT = ephemeral.hostseed_client.ci.cert_pem\n}
          }
        }
    ";
    let Some(root) = Root::new(NEW, text_of_root) else { return };
    root.apply();
    assert_eq!(root.plan(), 0);
    let key = fs::read_to_string(root.path().join("key.pem")).unwrap();
    let line = key.lines().nth(1).unwrap();
    for entry in fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().path()) {
        let is_state = entry.file_name().unwrap().to_string_lossy().contains("tfstate");
        assert!(!is_state || !fs::read_to_string(&entry).unwrap().contains(line), "{}", entry.display());
    }
    let team = root.state("hostseed_ca.team");
    fs::write(root.path().join("ca.pem"), text(&team, "ca_pem")).unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    let verified = Command::new("openssl")
        .args([
            "verify",
            "-x509_strict",
            "-purpose",
            "sslclient",
            "-CAfile",
            &path("ca.pem"),
            &path("cert.pem"),
        ])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
