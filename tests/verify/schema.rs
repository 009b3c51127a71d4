//! `verify --schema` runs the real cloud-init, and reports if it is not installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Home, need};
use crate::{gzip, home, json_with, render, rendered_to, verify, verify_bytes, write};

#[test]
fn rendered_user_data_matches_cloud_inits_schema() {
    if !need("cloud-init") {
        return;
    }
    let home = home();
    write(&home, "own.yaml", "#cloud-config\npackages: [jq]\n");
    for machine in ["web1", "web2"] {
        let seed = render(&home, machine, &[]);
        verify_bytes(&home, &seed, &["--schema", "--strict"]).assert_valid();
        verify_bytes(&home, &gzip(&seed), &["--schema", "--strict"]).assert_valid();
        let mime = render(&home, machine, &["--format", "mime", "--part", "own.yaml"]);
        verify_bytes(&home, &mime, &["--schema", "--strict"]).assert_valid();
        let out = format!("{machine}-seed");
        rendered_to(&home, machine, &["--format", "nocloud"], &out);
        verify(&home, &[&out, "--schema", "--strict"]).assert_valid();
    }
}

#[test]
fn a_schema_violation_is_an_error_and_shows_no_key() {
    if !need("cloud-init") {
        return;
    }
    let home = home();
    let verify_schema = |text: &str| {
        write(&home, "c.yaml", text);
        // It is valid without `--schema`.
        verify(&home, &["c.yaml", "--strict"]).assert_valid();
        verify(&home, &["c.yaml", "--schema"])
    };
    let said = verify_schema("#cloud-config\nchpasswd: {expire: 7}\n");
    said.assert_reports("a type", &["error[cloud-init-schema] c.yaml: does not match cloud-init's schema: "]);
    assert!(said.text.contains("chpasswd.expire: 7 is not of type"), "{}", said.text);
    let told = json_with(&home, "c.yaml", &["--schema"]);
    assert_eq!(told["problems"][0]["code"], "cloud-init-schema");

    // A deprecated key is a warning.
    let said = verify_schema("#cloud-config\napt_update: true\n");
    assert_eq!(said.status, 0, "{}", said.text);
    assert!(said.text.contains("warning[cloud-init-schema]"), "{}", said.text);

    let key = fs::read_to_string(home.machine("web1").join("key.pem")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    let bad = format!("#cloud-config\nchef: [{}]\n", serde_json::Value::from(key.as_str()));
    write(&home, "c.yaml", &bad);
    let said = verify(&home, &["c.yaml", "--schema"]);
    said.assert_reports("a key", &["error[cloud-init-schema]"]);
    assert!(!said.text.contains(secret) && !said.text.contains(&secret[..24]), "{}", said.text);
}

#[test]
fn a_missing_cloud_init_is_an_error() {
    let home = home();
    write(&home, "c.yaml", "#cloud-config\npackages: [jq]\n");
    let output =
        home.command(&["verify", "c.yaml", "--schema"]).env("PATH", "/nonexistent").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("error[cloud-init-missing]") && said.contains("apt-get install cloud-init"),
        "{said}"
    );
}

#[test]
fn the_user_data_reaches_cloud_init_only_on_standard_input() {
    let home = home();
    let seed = render(&home, "web1", &["--format", "cloud-config"]);
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let program = bin.join("cloud-init");
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"${0%/*}/arguments\"\ncat >\"${0%/*}/input\"\n";
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    write(&home, "seed", &seed);
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let temporary = home.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = home.command(&["verify", "seed", "--schema", "--strict"]);
    let output = command.env("PATH", path).env("TMPDIR", &temporary).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(bin.join("arguments")).unwrap(), "schema\n--config-file\n/dev/stdin\n");
    assert_eq!(fs::read(bin.join("input")).unwrap(), seed);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

/// The config is larger than a pipe's buffer, and the program does not read it.
#[test]
fn a_program_that_reads_nothing_does_not_hang() {
    let home = Home::new();
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("cloud-init"), "#!/bin/sh\necho refused >&2\nexit 1\n").unwrap();
    fs::set_permissions(bin.join("cloud-init"), fs::Permissions::from_mode(0o755)).unwrap();
    write(&home, "c.yaml", format!("#cloud-config\npackages: [jq]\n{}", "# comment\n".repeat(40_000)));
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let output = home.command(&["verify", "c.yaml", "--schema"]).env("PATH", path).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("does not match cloud-init's schema: refused"), "{said}");
}
