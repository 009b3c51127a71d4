//! Client certificates that `client` makes: openssl verifies them, and the docker CLI connects to a real dockerd with them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use time::{Duration, OffsetDateTime};

use crate::dockerd::{Dockerd, at, can_run, machines};
use crate::support::openssl::{
    assert_close, assert_verifies, extension, field, not_after, openssl, public_key_of_certificate,
    public_key_of_key, quick_keys, verifies,
};
use crate::support::{Home, need, run};

/// Runs the docker CLI with the environment of a client's folder, in the shell that reads its `env`.
fn docker(home: &Home, folder: &str) -> Output {
    let script = format!(". {folder}/env && exec docker info --format '{{{{json .Labels}}}}'");
    Command::new("sh")
        .args(["-c", &script])
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_docker_cli_connects_with_a_client_until_it_expires() {
    if !can_run() || !need("docker") || !need("faketime") {
        return;
    }
    let (home, port) = machines(&["other"]);
    // Its CA is valid at the time at which the expired client is made.
    let port_option = port.to_string();
    let create = ["create", "web1", "--address", "127.0.0.1", "--port", &port_option, "--quiet"];
    assert!(at(&home, "-3h", &create).status.success());
    home.ok(&["client", "web1", "--cn", "alice", "--out", "alice", "--quiet"]);
    home.ok(&["client", "other", "--cn", "alice", "--out", "foreign", "--quiet"]);
    let made =
        at(&home, "-2h", &["client", "web1", "--cn", "bob", "--valid-for", "1h", "--out", "bob", "--quiet"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let _running = Dockerd::start(&home, port, Some(("web1", "web1")));
    let works = docker(&home, "alice");
    assert_eq!(String::from_utf8_lossy(&works.stdout).trim(), r#"["role=web"]"#, "{works:?}");
    for refused in ["bob", "foreign"] {
        // In TLS 1.3 the CLI writes its request before it reads the refusal. If dockerd has closed the connection by then,
        // the CLI reports only that, and is asked again.
        let refusal = (0..20).find_map(|_| {
            let output = docker(&home, refused);
            assert!(!output.status.success(), "{refused}: {output:?}");
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let is_reset = told.contains("connection reset by peer") || told.contains("broken pipe");
            (!is_reset).then_some(told)
        });
        let refusal = refusal.unwrap_or_else(|| panic!("{refused}: the connection is reset each time"));
        assert!(refusal.contains("tls: "), "{refused}: {refusal}");
    }
    // Another computer, with nothing but the archive.
    home.ok(&["client", "web1", "--cn", "carol", "--out", "carol.tar", "--quiet"]);
    for args in [&["context", "import", "web1", "carol.tar"][..], &["--context", "web1", "info"]] {
        let mut command = Command::new("docker");
        command.args(args).env("DOCKER_CONFIG", home.path().join("elsewhere")).current_dir(home.path());
        run(command.env_remove("DOCKER_HOST").env_remove("DOCKER_CERT_PATH"));
    }
    let expired = home.ok(&["clients", "web1"]);
    assert!(expired.lines().any(|line| line.starts_with("bob ") && line.contains("expired ")), "{expired}");
    // An expired client is renewed without `--force`, also in its folder.
    home.ok(&["client", "web1", "--cn", "bob", "--out", "bob", "--quiet"]);
    assert!(docker(&home, "bob").status.success());
}

#[test]
fn a_client_certificate_is_only_a_clients() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    let ca = home.machine("web1").join("ca.pem");
    for key in quick_keys() {
        let cn = format!("alice.{key}@example.com");
        let now = OffsetDateTime::now_utc();
        home.ok(&["client", "web1", "--cn", &cn, "--valid-for", "12h", "--key", key, "--quiet"]);
        let dir = home.machine("web1").join("clients").join(&cn);
        let (certificate, private) = (dir.join("cert.pem"), dir.join("key.pem"));
        assert_verifies(&ca, &certificate, &["-purpose", "sslclient"]);
        assert!(!verifies(&ca, &certificate, &["-purpose", "sslserver"]), "{key}");
        assert_eq!(extension(&certificate, "extendedKeyUsage"), "TLS Web Client Authentication");
        assert_eq!(extension(&certificate, "basicConstraints"), "critical CA:FALSE");
        assert_eq!(field(&certificate, "-subject"), format!("CN={cn},O=hostseed client"));
        assert_close(not_after(&certificate), now + Duration::hours(12));
        assert_eq!(public_key_of_certificate(&certificate), public_key_of_key(&private));
    }
}

/// Makes a CA with openssl in the folder `ca`, whose key has a passphrase and which expires in ten days.
fn own_ca(home: &Home, constraint: &str) {
    let dir = home.path().join("ca");
    fs::create_dir(&dir).unwrap();
    let file = |name: &str| dir.join(name).display().to_string();
    openssl(&["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", &file("plain.pem")]);
    let subject = ["-subj", "/O=Example/CN=Example CA", "-days", "10"];
    let usage = ["-addext", "keyUsage=critical,keyCertSign"];
    let constraint = ["-addext", constraint];
    let words = ["req", "-x509", "-new", "-key", &file("plain.pem"), "-out", &file("ca.pem")];
    openssl(&[&words[..], &subject, &usage, &constraint].concat());
    let words = ["pkcs8", "-topk8", "-in", &file("plain.pem"), "-out", &file("ca-key.pem")];
    openssl(&[&words[..], &["-passout", "pass:secret"]].concat());
    fs::remove_file(dir.join("plain.pem")).unwrap();
}

fn with_passphrase(home: &Home, args: &[&str]) -> Output {
    home.command(args).env("HOSTSEED_CA_PASSPHRASE", "secret").output().unwrap()
}

#[test]
fn a_ca_of_the_users_signs_clients_not_longer_than_it_is_valid() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    own_ca(&home, "nameConstraints=permitted;DNS:example.com,permitted;IP:203.0.113.0/255.255.255.0");
    let create = ["create", "web1.example.com", "--ca", "./ca", "--address", "203.0.113.7", "--quiet"];
    let created = with_passphrase(&home, &create);
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let client = ["client", "web1.example.com", "--cn", "alice.example.org", "--valid-for", "1y"];
    let refused = home.fails(2, &client);
    assert!(refused.starts_with("error[ca-passphrase]"), "{refused}");
    let made = with_passphrase(&home, &client);
    let stderr = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success() && stderr.contains("each host of this CA"), "{stderr}");
    assert!(stderr.contains("the certificate expires with its CA"), "{stderr}");
    let certificate = home.machine("web1.example.com").join("clients/alice.example.org/cert.pem");
    let ca: &Path = &home.path().join("ca/ca.pem");
    assert_eq!(not_after(&certificate), not_after(ca));
    // The constraints do not allow this name as a DNS name, so it is no common name.
    assert_eq!(field(&certificate, "-subject"), "OU=alice.example.org,O=hostseed client");
    assert_verifies(ca, &certificate, &["-purpose", "sslclient"]);
    // An exported key keeps its passphrase, and still signs where it is imported.
    let exported = home.run(&["export", "web1.example.com", "--ca-key", "-o", "exported"]);
    let stderr = String::from_utf8_lossy(&exported.stderr);
    assert!(exported.status.success() && stderr.contains("still has its own passphrase"), "{stderr}");
    fs::rename(home.path().join("ca"), home.path().join("moved")).unwrap();
    let imported = home.run(&["--store", "other", "import", "exported"]);
    let stderr = String::from_utf8_lossy(&imported.stderr);
    assert!(imported.status.success() && stderr.contains("signs only for `web1.example.com`"), "{stderr}");
    let signed = with_passphrase(&home, &["--store", "other", "client", "web1.example.com", "--cn", "bob"]);
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
}
