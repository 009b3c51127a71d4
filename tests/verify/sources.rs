//! User-data in the output of other programs: in responses of clouds, in Terraform's state and output, in a component of
//! Image Builder, and in a folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Home, need, run};
use crate::{base64, gzip, home, render, rendered_to, verify, verify_bytes, write};

#[test]
fn user_data_is_found_in_responses_of_clouds() {
    let home = home();
    let seed = render(&home, "web1", &[]);
    let text = String::from_utf8(seed.clone()).unwrap();
    let answers = [
        // aws ec2 describe-instance-attribute --attribute userData
        (json!({"InstanceId": "i-0abc", "UserData": {"Value": base64(&seed)}}), ".UserData.Value"),
        // gcloud compute instances describe --format json
        (
            json!({"metadata": {"items": [{"key": "enable-oslogin", "value": "TRUE"}, {"key": "user-data", "value": text}]}}),
            ".metadata.items[1].value",
        ),
        // az vm show --include-user-data
        (json!({"name": "web1", "userData": base64(&gzip(&seed))}), ".userData"),
        // openstack server show
        (
            json!([{"OS-EXT-SRV-ATTR:user_data": base64(&seed), "id": "x"}]),
            ".[\"OS-EXT-SRV-ATTR:user_data\"]",
        ),
        // oci compute instance get
        (
            json!({"data": {"metadata": {"user_data": base64(&seed), "ssh_authorized_keys": "ssh-ed25519 AAAA x"}}}),
            ".data.metadata.user_data",
        ),
    ];
    for (answer, path) in answers {
        let said = verify_bytes(&home, answer.to_string().as_bytes(), &["--strict"]);
        said.assert_valid();
        assert!(said.text.contains("keys     server, 0600"), "{path}: {}", said.text);
        let broken = answer
            .to_string()
            .replace("I2Ns", "I2*s")
            .replace("H4sI", "H4*I")
            .replace("#cloud-config", "#cloud-confi");
        verify_bytes(&home, broken.as_bytes(), &[]).assert_reports(
            path,
            &[&format!("error[first-line] {path}"), &format!("error[user-data-damaged] {path}")],
        );
    }
}

#[test]
fn json_without_user_data_is_an_error() {
    let home = Home::new();
    let cases = [
        ("{\"UserData\": {}}", "error[no-user-data] contains no user-data"),
        ("[]", "error[no-user-data] contains no user-data"),
        (
            "{\"UserData\": {\"Value\": \"SGVsbG8gd29ybGQgYW5kIGFsbA==\"}}",
            "error[first-line] does not begin like any format of user-data",
        ),
        ("{\"a\": ", "error[json-syntax] is not valid JSON"),
        (
            "{\"user_data\": \"d3e3c2d0b2bb6d56f6ac7b8dd0fdd8b2b6cba7a1\"}",
            "warning[hidden-user-data] is only the SHA-1 of the user-data",
        ),
    ];
    for (text, words) in cases {
        let said = verify_bytes(&home, text.as_bytes(), &["--strict"]);
        said.assert_reports(text, &[words]);
    }
}

/// A state that the real Terraform made, with the contents that providers would add.
fn terraform(home: &Home) -> Option<impl Fn(&[&str]) -> String> {
    if !need("terraform") {
        return None;
    }
    let dir = home.path().join("tf");
    write(home, "tf/user-data", render(home, "web1", &[]));
    write(home, "tf/packed", gzip(&render(home, "web2", &[])));
    write(
        home,
        "tf/main.tf",
        r##"
resource "terraform_data" "web1" { input = { user_data = file("user-data"), ami = "ami-1" } }
resource "terraform_data" "web2" { input = { user_data_base64 = filebase64("packed") } }
resource "terraform_data" "script" { input = { startup = "#!/bin/sh\necho \"$${HOME}\"\n" } }
output "user_data" { value = file("user-data") }
"##,
    );
    let terraform = move |args: &[&str]| {
        let mut command = Command::new("terraform");
        command
            .args(args)
            .current_dir(&dir)
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .env("CHECKPOINT_DISABLE", "1");
        String::from_utf8(run(&mut command).stdout).unwrap()
    };
    terraform(&["init"]);
    terraform(&["apply", "-auto-approve"]);
    Some(terraform)
}

#[test]
fn json_of_terraform_show_is_valid() {
    let home = home();
    let Some(terraform) = terraform(&home) else { return };
    let shown = [
        ("show -json", terraform(&["show", "-json"])),
        ("state", fs::read_to_string(home.path().join("tf/terraform.tfstate")).unwrap()),
    ];
    for (name, text) in &shown {
        let said = verify_bytes(&home, text.as_bytes(), &["--strict"]);
        said.assert_valid();
        assert_eq!(said.text.matches("\nformat ").count(), 3, "{name}: {}", said.text);
        assert!(said.text.contains("gzip › cloud-config"), "{name}: {}", said.text);
        assert!(
            said.text.contains("keys     server, 0600") && said.text.contains("boot issuer, 0600"),
            "{name}: {}",
            said.text
        );
    }
    verify_bytes(&home, terraform(&["output", "-raw", "user_data"]).as_bytes(), &["--strict"]).assert_valid();
    // Human-readable output is refused with a hint.
    for args in
        [&["show"][..], &["show", "-no-color"], &["output", "-no-color"], &["plan", "-destroy", "-no-color"]]
    {
        let said = verify_bytes(&home, terraform(args).as_bytes(), &[]);
        said.assert_reports(&args.join(" "), &["error[hcl-not-read]"]);
        assert!(said.text.contains("\n  terraform show -json | hostseed verify -\n"), "{}", said.text);
    }
}

#[test]
fn hcl_is_refused_with_a_hint() {
    let home = home();
    let module = "resource \"aws_instance\" \"web\" {\n  user_data = file(\"user-data\")\n}\n";
    for name in ["main.tf", "image.pkr.hcl", "text", "module/main.tf"] {
        write(&home, name, module);
    }
    for name in ["main.tf", "image.pkr.hcl", "text", "module"] {
        verify(&home, &[name]).assert_reports(name, &["error[hcl-not-read]"]);
    }
    // The user-data in a folder is verified, and its HCL files are searched for keys.
    home.ok(&["render", "web1", "--format", "terraform", "-o", "whole"]);
    verify(&home, &["whole", "--strict"]).assert_valid();
    let key = fs::read_to_string(home.machine("web1").join("key.pem")).unwrap();
    write(&home, "whole/more.tf", format!("locals {{\n  key = <<EOT\n{key}EOT\n}}\n"));
    verify(&home, &["whole"]).assert_reports("a key", &["error[stray-key]", "error[client-key-in-seed]"]);
}

#[test]
fn a_digest_instead_of_user_data_is_reported() {
    let home = Home::new();
    let digest = "{\"user_data\": \"d3e3c2d0b2bb6d56f6ac7b8dd0fdd8b2b6cba7a1\"}";
    verify_bytes(&home, digest.as_bytes(), &["--strict"])
        .assert_reports("digest", &["warning[hidden-user-data] only the SHA-1 of the user-data"]);
}

#[test]
fn an_image_builder_component_is_checked() {
    let home = home();
    let bake = String::from_utf8(render(&home, "web1", &["--format", "bake"])).unwrap();
    let component = |command: &str| {
        format!(
            "name: x\nschemaVersion: 1.0\nphases:\n- name: build\n  steps:\n  - name: Bake\n    action: ExecuteBash\n    inputs:\n      commands:\n      - {}\n",
            json!(command)
        )
    };
    let said = verify_bytes(&home, component(&bake).as_bytes(), &["--strict"]);
    said.assert_valid();
    assert!(said.text.contains("Image Builder component › script"), "{}", said.text);
    let at = bake.find("seed/ca.pem' <<").unwrap();
    let damaged = format!("{}{}", &bake[..at], bake[at..].replacen("H4sI", "H4s*", 1));
    verify_bytes(&home, component(&damaged).as_bytes(), &[]).assert_reports(
        "damaged",
        &["error[user-data-damaged] the content of `/var/lib/hostseed/seed/ca.pem` is base64 with the invalid character `*`"],
    );
    verify_bytes(&home, b"schemaVersion: 1.0\nphases: []\n", &[])
        .assert_reports("empty", &["error[imagebuilder-component] without `phases`"]);
}

#[test]
fn all_files_of_a_folder_are_checked() {
    let home = home();
    rendered_to(&home, "web1", &["--format", "bake"], "bake.sh");
    fs::create_dir(home.path().join("packer")).unwrap();
    fs::rename(home.path().join("bake.sh"), home.path().join("packer/bake.sh")).unwrap();
    write(&home, "packer/hostseed.pkr.hcl", "build {\n  provisioner \"shell\" { script = \"bake.sh\" }\n}\n");
    verify(&home, &["packer", "--strict"]).assert_valid();
    // A user copied more files of the machine into the folder.
    fs::copy(home.machine("web1").join("key.pem"), home.path().join("packer/key.pem")).unwrap();
    fs::copy(home.machine("web1").join("cert.pem"), home.path().join("packer/cert.pem")).unwrap();
    verify(&home, &["packer"]).assert_reports(
        "a client's key",
        &["error[client-key-in-seed] packer/key.pem:1:1: contains a client's private key"],
    );
}

#[test]
fn missing_and_invalid_files_of_a_seed_folder_are_reported() {
    let home = home();
    rendered_to(&home, "web1", &["--format", "nocloud"], "seed");
    let case = |name: &str, change: &dyn Fn(&Path), words: &str| {
        let dir = home.path().join(name);
        run(Command::new("cp").arg("-r").arg(home.path().join("seed")).arg(&dir));
        change(&dir);
        verify(&home, &[name, "--strict"]).assert_reports(name, &[words]);
    };
    case(
        "no-user-data",
        &|dir| fs::remove_file(dir.join("user-data")).unwrap(),
        "error[nocloud-files] has no `user-data`",
    );
    case(
        "no-id",
        &|dir| fs::write(dir.join("meta-data"), "local-hostname: web1\n").unwrap(),
        "warning[nocloud-files] has no `instance-id`",
    );
    case(
        "bad-name",
        &|dir| fs::write(dir.join("meta-data"), "{instance-id: a, local-hostname: a_b}").unwrap(),
        "warning[invalid-name] `local-hostname` may have",
    );
    case(
        "id-number",
        &|dir| fs::write(dir.join("meta-data"), "instance-id: 0123\n").unwrap(),
        "error[yaml-type] meta-data:1:14: `instance-id` must be a string",
    );
    case(
        "bad-yaml",
        &|dir| fs::write(dir.join("meta-data"), "instance-id: [\n").unwrap(),
        "error[yaml-syntax] meta-data:2:1: is not valid YAML",
    );
    case(
        "bad-network",
        &|dir| fs::write(dir.join("network-config"), "ethernets: {}\n").unwrap(),
        "error[nocloud-files] neither `version` nor `network`",
    );
    case(
        "encoded",
        &|dir| fs::write(dir.join("user-data"), base64(&fs::read(dir.join("user-data")).unwrap())).unwrap(),
        "error[wrong-layer] which cloud-init does not decode in a NoCloud seed",
    );
}

#[test]
fn wrong_usage_has_exit_status_2() {
    let home = Home::new();
    assert!(home.fails(2, &["verify", "nowhere"]).contains("cannot read `nowhere`"));
    assert!(home.fails(2, &["verify"]).contains("FILE"));
    assert!(home.fails(2, &["verify", "x", "--for", "moon"]).contains("moon"));
}
