//! `verify` accepts each format that hostseed renders, and describes it correctly.

use serde_json::Value;

use crate::support::{Home, need, openssl};
use crate::{base64, home, json, render, rendered_to, verify, verify_bytes, write};

const TEXTS: [&str; 5] = ["cloud-config", "script", "bake", "mime", "ignition"];

#[test]
fn each_text_format_is_valid_plain_compressed_and_in_base64() {
    let home = home();
    for machine in ["web1", "web2"] {
        for form in TEXTS {
            let plain = render(&home, machine, &["--format", form]);
            let said = verify_bytes(&home, &plain, &["--strict"]);
            said.assert_valid();
            let covers = match machine {
                "web1" => "203.0.113.7, web1, localhost, 127.0.0.1",
                _ => "web2, localhost, 127.0.0.1, and the addresses that the host finds at boot",
            };
            assert!(
                said.text.contains(covers) && said.text.contains(&format!("{machine}, port 2376")),
                "{}",
                said.text
            );
            verify_bytes(&home, base64(&plain).as_bytes(), &["--strict"]).assert_valid();
            // Consoles show base64 in indented lines.
            let lines: String = base64(&plain)
                .as_bytes()
                .chunks(64)
                .map(|line| format!("  {}\r\n", String::from_utf8_lossy(line)))
                .collect();
            verify_bytes(&home, lines.as_bytes(), &[]).assert_valid();
            // Ignition does not decompress its config, and a bake script is not user-data.
            if !matches!(form, "ignition" | "bake") {
                let packed = rendered_to(&home, machine, &["--format", form, "--gzip"], "packed");
                verify_bytes(&home, &packed, &["--strict"]).assert_valid();
                let packed = rendered_to(&home, machine, &["--format", form, "--gzip", "--base64"], "packed");
                verify_bytes(&home, &packed, &["--strict"]).assert_valid();
            }
        }
    }
}

#[test]
fn each_kind_of_key_and_ca_is_valid() {
    for key in openssl::quick_keys() {
        let home = Home::new();
        home.ok(&["create", "web1", "--quiet", "--key", key, "--address", "203.0.113.7", "--ca", "shared"]);
        home.ok(&["create", "web2", "--quiet", "--key", key, "--port", "2377", "--engine-label", "a=b c"]);
        home.ok(&["create", "web3", "--quiet", "--key", key, "--docker", "none", "--address", "2001:db8::7"]);
        for machine in ["web1", "web2", "web3"] {
            verify_bytes(&home, &render(&home, machine, &[]), &["--strict"]).assert_valid();
        }
    }
}

#[test]
fn seed_disks_and_folders_are_valid() {
    let home = home();
    write(&home, "net.yaml", "version: 2\nethernets: {}\n");
    for machine in ["web1", "web2"] {
        for out in ["seed", "seed.img", "seed.iso"] {
            let out = format!("{machine}-{out}");
            let options =
                ["render", machine, "--format", "nocloud", "--network-config", "net.yaml", "-o", &out];
            home.ok(&options);
            let said = verify(&home, &[&out, "--strict"]);
            said.assert_valid();
            assert!(said.text.contains("NoCloud › cloud-config"), "{}", said.text);
        }
    }
}

#[test]
fn folders_and_components_are_valid() {
    let home = home();
    for machine in ["web1", "web2"] {
        for (form, what) in [
            ("packer", "script"),
            ("terraform", "gzip › cloud-config"),
            ("imagebuilder", "Image Builder component › script"),
        ] {
            let out = format!("{machine}-{form}");
            home.ok(&["render", machine, "--format", form, "-o", &out]);
            let said = verify(&home, &[&out, "--strict"]);
            said.assert_valid();
            assert!(said.text.contains(what), "{out}: {}", said.text);
        }
    }
    for form in ["packer", "imagebuilder"] {
        home.ok(&["bake", "--format", form, "-o", form]);
        let said = verify(&home, &[form, "--strict"]);
        said.assert_valid();
        assert!(!said.text.contains("keys"), "{}", said.text);
    }
}

#[test]
fn an_archive_with_parts_of_the_user_is_valid() {
    let home = home();
    write(&home, "cloud.yaml", "#cloud-config\npackages: [jq]\nruncmd: [touch /here]\nwrite_files: []\n");
    write(&home, "script.sh", "#!/bin/sh\necho ünicode\n");
    let parts = ["--format", "mime", "--part", "cloud.yaml", "--part", "script.sh"];
    let said = verify_bytes(&home, &render(&home, "web1", &parts), &["--strict"]);
    said.assert_valid();
    assert!(said.text.contains("MIME › cloud-config, script, cloud-config"), "{}", said.text);
}

#[test]
fn an_image_without_an_identity_is_valid_and_contains_no_key() {
    let home = Home::new();
    let bake = home.ok(&["bake"]);
    let said = verify_bytes(&home, bake.as_bytes(), &["--strict"]);
    said.assert_valid();
    assert!(said.text.contains("an image"), "{}", said.text);
    assert!(!said.text.contains("keys"), "{}", said.text);
}

#[test]
fn the_summary_is_correct() {
    let home = home();
    rendered_to(&home, "web1", &[], "user-data");
    let told = json(&home, "user-data");
    assert_eq!(told["valid"], Value::Bool(true));
    assert_eq!(told["problems"], Value::Array(Vec::new()));
    let seed = &told["seeds"][0];
    assert_eq!(seed["host"], "web1");
    assert_eq!(seed["port"], 2376);
    assert_eq!(seed["format"], "cloud-config");
    assert_eq!(seed["bytes"], std::fs::metadata(home.path().join("user-data")).unwrap().len());
    let sans: Vec<&str> = seed["sans"].as_array().unwrap().iter().map(|san| san.as_str().unwrap()).collect();
    assert_eq!(sans, ["203.0.113.7", "web1", "localhost", "127.0.0.1"]);
    let inspected: Value = serde_json::from_str(&home.ok(&["inspect", "web1", "--json"])).unwrap();
    for role in ["authority", "server"] {
        for field in ["fingerprint", "not_before", "not_after"] {
            assert_eq!(seed[role][field], inspected[role][field], "{role} {field}");
        }
    }
    if need("openssl") {
        let fingerprint = openssl::field(&home.machine("web1").join("server.pem"), "-fingerprint");
        assert_eq!(seed["server"]["fingerprint"], fingerprint.as_str());
    }
    let key = &seed["keys"][0];
    assert_eq!(
        (&key["owner"], &key["path"], &key["mode"]),
        (&"server".into(), &"/etc/docker/server-key.pem".into(), &"0600".into())
    );
    assert_eq!(seed["keys"].as_array().unwrap().len(), 1);
    assert_eq!(seed["files"].as_array().unwrap().len(), 4);
}

#[test]
fn json_problems_have_codes() {
    let home = home();
    write(
        &home,
        "bad.yaml",
        "#cloud-config\nwrite_files:\n- {path: /a, permissions: 644, content: x}\nruncmds: []\n",
    );
    let told = json(&home, "bad.yaml");
    let problems: Vec<(&str, &str)> = told["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["severity"].as_str().unwrap(), problem["code"].as_str().unwrap()))
        .collect();
    assert_eq!(problems, [("error", "file-mode"), ("warning", "unknown-key")]);
    for (_, code) in problems {
        home.ok(&["explain", code]);
    }
}

/// The values that `--for` accepts.
pub fn clouds(home: &Home) -> Vec<String> {
    let all: Value = serde_json::from_str(&home.ok(&["clouds", "--json"])).unwrap();
    let names: Vec<String> =
        all.as_array().unwrap().iter().map(|cloud| cloud["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.len() >= 15, "{names:?}");
    names
}

#[test]
fn the_encoding_that_for_chooses_is_valid() {
    let home = home();
    let mut refused = Vec::new();
    for cloud in clouds(&home) {
        for machine in ["web1", "web2"] {
            let file = format!("{machine}-{cloud}");
            let rendered = home.run(&["render", machine, "--for", &cloud, "-o", &file]);
            if rendered.status.success() {
                verify(&home, &[&file, "--for", &cloud, "--strict"]).assert_valid();
            } else {
                let stderr = String::from_utf8_lossy(&rendered.stderr);
                assert!(stderr.starts_with("error[user-data-too-large]: "), "{file}: {stderr}");
                assert!(!home.path().join(&file).exists(), "{file} was refused and written");
                refused.push(file);
            }
        }
    }
    // The user-data is too large, because only `--gzip` compresses it.
    assert_eq!(refused, ["web2-aws", "web2-linode", "web1-tencent", "web2-tencent"]);
}
