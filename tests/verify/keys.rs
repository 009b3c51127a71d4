//! A private key that must not be in a seed is found in each format of the key and in each place, and is never
//! printed.

use std::fs;

use serde_json::json;

use crate::support::extent::sample;
use crate::support::{Home, PYTHON, is_printed, need_python_module, run};
use crate::{Outcome, base64, gzip, home, render, verify, verify_bytes, write};

struct Stray {
    name: &'static str,
    pem: String,
    /// The matching certificate if the seed contains it, otherwise empty.
    certificate: String,
    /// The expected words of the message.
    words: &'static str,
}

fn strays(home: &Home) -> Vec<Stray> {
    let read = |path: std::path::PathBuf| fs::read_to_string(path).unwrap();
    let (machine, authority) = (home.machine("web1"), home.store().join("certs/web1"));
    let unknown = home.machine("web2").join("key.pem");
    let unknown = read(unknown);
    vec![
        Stray {
            name: "authority",
            pem: read(authority.join("ca-key.pem")),
            certificate: String::new(),
            words: "error[ca-key-in-seed] contains the CA's private key",
        },
        Stray {
            name: "client",
            pem: read(machine.join("key.pem")),
            certificate: read(machine.join("cert.pem")),
            words: "error[client-key-in-seed] contains a client's private key",
        },
        Stray {
            name: "unknown",
            pem: unknown.clone(),
            certificate: String::new(),
            words: "error[stray-key] contains a private key, which belongs to no certificate in the user-data",
        },
        Stray {
            name: "encrypted",
            pem: unknown.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            certificate: String::new(),
            words: "error[stray-key] contains an encrypted private key",
        },
        Stray {
            name: "error[user-data-damaged] cut short",
            pem: unknown[..unknown.len() - 40].to_owned(),
            certificate: String::new(),
            words: "error[stray-key] contains a truncated or damaged private key",
        },
    ]
}

#[track_caller]
fn found(case: &str, said: &Outcome, stray: &Stray) {
    said.assert_reports(case, &[stray.words]);
    let body: String = stray.pem.lines().filter(|line| !line.starts_with("-----")).collect();
    for piece in body.as_bytes().chunks(12).filter(|piece| piece.len() == 12) {
        let piece = String::from_utf8_lossy(piece);
        assert!(!said.text.contains(&*piece), "{case}: shows a part of the key");
    }
}

fn indented(text: &str, by: &str) -> String {
    text.lines().map(|line| format!("{by}{line}\n")).collect()
}

#[test]
fn a_stray_key_is_found_anywhere_in_a_cloud_config() {
    let home = home();
    let seed = String::from_utf8(render(&home, "web1", &[])).unwrap();
    for stray in strays(&home) {
        let both = format!("{}{}", stray.pem, stray.certificate);
        let file =
            |content: &str| format!("- path: /etc/docker/extra.pem\n  permissions: \"0600\"\n{content}");
        let with_file = |content: &str| seed.replace("runcmd:\n", &format!("{}runcmd:\n", file(content)));
        let with_command = |command: &str| format!("{seed}- {command}\n");
        let cases = [
            ("a block", with_file(&format!("  content: |\n{}", indented(&both, "    ")))),
            ("quotes", with_file(&format!("  content: {}\n", json!(both)))),
            ("base64", with_file(&format!("  encoding: b64\n  content: {}\n", base64(both.as_bytes())))),
            (
                "gzip",
                with_file(&format!("  encoding: gz+b64\n  content: {}\n", base64(&gzip(both.as_bytes())))),
            ),
            (
                "base64 in a script",
                with_file(&format!(
                    "  content: {}\n",
                    json!(format!("#!/bin/sh\necho {} | base64 -d\n", base64(both.as_bytes())))
                )),
            ),
            ("a command", with_command(&json!(format!("cat >/k <<'E'\n{both}E")).to_string())),
            ("words of a command", with_command(&json!(["sh", "-c", format!("echo '{both}'")]).to_string())),
            (
                "escapes in a command",
                with_command(&json!(format!("printf '{}'", both.replace('\n', "\\n"))).to_string()),
            ),
            (
                "base64 in a command",
                with_command(&json!(format!("echo {} | base64 -d >/k", base64(both.as_bytes()))).to_string()),
            ),
            (
                "gzip in a command",
                with_command(
                    &json!(format!("echo {} | base64 -d | gunzip", base64(&gzip(both.as_bytes()))))
                        .to_string(),
                ),
            ),
            ("a comment", format!("{seed}{}", indented(&both, "# "))),
            ("a field of its own", format!("{seed}custom:\n  deep: [{}]\n", json!(both))),
        ];
        for (place, text) in cases {
            // This includes keys that are cut short and commented out.
            found(&format!("{} in {place}", stray.name), &verify_bytes(&home, text.as_bytes(), &[]), &stray);
        }
    }
}

#[test]
fn a_stray_key_is_found_in_each_format() {
    let home = home();
    for stray in sample(strays(&home), 2) {
        let both = format!("{}{}", stray.pem, stray.certificate);
        let part = format!(
            "#cloud-config\nwrite_files:\n- {}\n",
            json!({"path": "/k", "permissions": "0600", "content": both})
        );
        write(&home, "part.yaml", &part);
        write(&home, "script.sh", format!("#!/bin/sh\ncat >/k <<'E'\n{both}E\n"));
        let merged = json!({"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/k", "mode": 384, "contents": {"source": format!("data:;base64,{}", base64(both.as_bytes()))}}]}});
        write(&home, "merged.ign", merged.to_string());
        let script = |form: &str| {
            let text = String::from_utf8(render(&home, "web1", &["--format", form])).unwrap();
            text.replace("set -eu\n", &format!("set -eu\ncat >/k <<'E'\n{both}E\n")).into_bytes()
        };
        let mime = render(&home, "web1", &["--format", "mime", "--part", "part.yaml"]);
        let component = format!(
            "schemaVersion: 1.0\nphases:\n- name: build\n  steps:\n  - name: B\n    inputs: {{commands: [{}]}}\n",
            json!(String::from_utf8(script("bake")).unwrap())
        );
        let forms = [
            ("script", script("script")),
            ("bake", script("bake")),
            ("mime", mime.clone()),
            (
                "mime, before the parts",
                [
                    &b"X-Note: "[..],
                    base64(both.as_bytes()).as_bytes(),
                    b"\n",
                    &render(&home, "web1", &["--format", "mime"]),
                ]
                .concat(),
            ),
            (
                "mime, a part of no use",
                String::from_utf8(mime.clone())
                    .unwrap()
                    .replacen("text/cloud-config", "text/html", 1)
                    .into_bytes(),
            ),
            (
                "component, a comment",
                format!("# {}\n{component}", base64(both.as_bytes()))
                    .replace(&stray.pem.replace('\n', "\\n"), "")
                    .into_bytes(),
            ),
            ("mime with a script", render(&home, "web1", &["--format", "mime", "--part", "script.sh"])),
            ("ignition", render(&home, "web1", &["--format", "ignition", "--merge", "merged.ign"])),
            ("gzip", gzip(&mime)),
            ("base64", base64(&gzip(&mime)).into_bytes()),
            ("json", json!({"UserData": {"Value": base64(&mime)}}).to_string().into_bytes()),
            ("component", component.into_bytes()),
        ];
        for (form, bytes) in forms {
            found(&format!("{} in {form}", stray.name), &verify_bytes(&home, &bytes, &[]), &stray);
        }
        for (form, file) in [("packer", "bake.sh"), ("terraform", "user-data"), ("terraform", "README.md")] {
            let folder = format!("{form}-folder");
            home.ok(&["render", "web1", "--format", form, "-o", &folder, "--force"]);
            let path = home.path().join(&folder).join(file);
            let with = fs::read_to_string(&path).unwrap() + &indented(&both, "# ");
            fs::write(path, with).unwrap();
            found(&format!("{} in {folder}/{file}", stray.name), &verify(&home, &[&folder]), &stray);
        }
        for disk in ["seed", "seed.img", "seed.iso"] {
            write(&home, "net.yaml", format!("version: 2\n# {}\n", base64(both.as_bytes())));
            let nocloud =
                ["render", "web1", "--format", "nocloud", "--network-config", "net.yaml", "--force"];
            home.ok(&[&nocloud[..], &["-o", disk]].concat());
            found(&format!("{} in {disk}", stray.name), &verify(&home, &[disk]), &stray);
        }
    }
}

#[test]
fn the_hosts_key_must_be_accessible_only_to_root() {
    let home = home();
    let seed = String::from_utf8(render(&home, "web1", &[])).unwrap();
    let at = seed.find("seed/server-key.pem").unwrap();
    let open = format!("{}{}", &seed[..at], seed[at..].replacen("\"0600\"", "\"0644\"", 1));
    verify_bytes(&home, open.as_bytes(), &[]).assert_reports(
        "staged",
        &["error[readable-key] `/var/lib/hostseed/seed/server-key.pem` contains a private key and is accessible to other users"],
    );
    let foreign =
        format!("{}{}", &seed[..at], seed[at..].replacen("  content:", "  owner: ops:ops\n  content:", 1));
    verify_bytes(&home, foreign.as_bytes(), &["--strict"])
        .assert_reports("owner", &["warning[key-owner] belongs to `ops`, not to root"]);
    let ignition = String::from_utf8(render(&home, "web1", &["--format", "ignition"])).unwrap();
    let open = ignition.replace("\"mode\": 384", "\"mode\": 420");
    verify_bytes(&home, open.as_bytes(), &[]).assert_reports(
        "ignition",
        &["error[readable-key] `/etc/docker/server-key.pem` contains a private key and is accessible to other users than root (mode 0644)"],
    );
    let open = ignition.replace("\"mode\": 420", "\"mode\": 438");
    verify_bytes(&home, open.as_bytes(), &[])
        .assert_reports("a certificate", &["error[writable-certificate] `/etc/docker/ca.pem`"]);
    let decimal = ignition.replace("\"mode\": 384", "\"mode\": 600");
    verify_bytes(&home, decimal.as_bytes(), &[])
        .assert_reports("decimal", &["error[file-mode] `mode` is decimal, and 600 is mode 1130"]);
}

#[test]
fn too_many_keys_are_an_error() {
    let home = Home::new();
    let keys: String = (0..65).map(|_| rcgen::KeyPair::generate().unwrap().serialize_pem()).collect();
    let script = format!("#!/bin/sh\ncat >/keys <<'E'\n{keys}E\n");
    verify_bytes(&home, script.as_bytes(), &[])
        .assert_reports("65 keys", &["error[verify-limit] has more than 64 private keys"]);
}

#[test]
fn a_key_in_der_is_found() {
    if !need_python_module("cryptography") {
        return;
    }
    let home = home();
    let program = "import sys\nfrom cryptography.hazmat.primitives.serialization import *\nkey = load_pem_private_key(open(sys.argv[1], 'rb').read(), None)\nfor f in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):\n open(sys.argv[2] + f.name, 'wb').write(key.private_bytes(Encoding.DER, f, NoEncryption()))";
    let seed = String::from_utf8(render(&home, "web1", &[])).unwrap();
    let key = home.store().join("certs/web1/ca-key.pem");
    run(std::process::Command::new(PYTHON).args(["-c", program]).arg(key).arg(home.path().join("der.")));
    for form in ["PKCS8", "TraditionalOpenSSL"] {
        let der = fs::read(home.path().join(format!("der.{form}"))).unwrap();
        let with = format!("{seed}- echo {} | base64 -d\n", base64(&der));
        verify_bytes(&home, with.as_bytes(), &[])
            .assert_reports(form, &["error[ca-key-in-seed] `runcmd` contains the CA's private key"]);
    }
}

#[test]
fn ssh_keys_are_a_warning_where_they_belong_and_an_error_elsewhere() {
    let home = Home::new();
    let key = &pem::encode(&pem::Pem::new("OPENSSH PRIVATE KEY", b"openssh-key-v1\0 and so on".repeat(5)))
        .replace('\r', "");
    let host = format!("#cloud-config\nssh_keys:\n  ed25519_private: |\n{}", indented(key, "    "));
    let said = verify_bytes(&home, host.as_bytes(), &[]);
    assert_eq!(said.status, 0, "{}", said.text);
    let expected = "warning[ssh-host-key] `ssh_keys.ed25519_private` contains the host's SSH key";
    assert!(is_printed(&said.text, expected), "{}", said.text);
    let file = format!(
        "#cloud-config\nwrite_files:\n- path: /root/.ssh/id_ed25519\n  content: |\n{}",
        indented(key, "    ")
    );
    let said = verify_bytes(&home, file.as_bytes(), &[]);
    said.assert_reports(
        "its mode",
        &["error[readable-key] is accessible to other users than root (mode 0644)"],
    );
    let safe = file.replace("  content", "  permissions: \"0600\"\n  content");
    let said = verify_bytes(&home, safe.as_bytes(), &[]);
    assert_eq!(said.status, 0, "{}", said.text);
    let expected = "warning[stray-key] contains an SSH private key, which belongs to no certificate";
    assert!(is_printed(&said.text, expected), "{}", said.text);
    let elsewhere = safe.replace("/root/.ssh/id_ed25519", "/etc/docker/key");
    verify_bytes(&home, elsewhere.as_bytes(), &[]).assert_reports(
        "elsewhere",
        &["error[stray-key] contains an SSH private key, which belongs to no certificate"],
    );
}
