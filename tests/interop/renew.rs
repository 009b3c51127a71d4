//! Checks with openssl what `renew` makes.

use std::fs;
use std::path::Path;

use crate::support::openssl::*;
use crate::support::{Home, files_below, need};

/// The bytes of a file of a machine.
fn read(dir: &Path, file: &str) -> Vec<u8> {
    fs::read(dir.join(file)).unwrap()
}

#[test]
fn new_certificates_verify_with_the_same_ca_and_have_new_keys() {
    if !need("openssl") {
        return;
    }
    for key in keys() {
        for ca in ["own", "shared"] {
            let home = Home::new();
            let dir = create(&home, "web1", &["--key", key, "--ca", ca]);
            let before: Vec<_> = files_below(&dir)
                .into_iter()
                .map(|file| (file.clone(), fs::read(dir.join(file)).unwrap()))
                .collect();
            let sans = extension(&dir.join("server.pem"), "subjectAltName");
            home.ok(&["renew", "web1", "--quiet", "--valid-for", "90d"]);
            for (file, before) in before {
                let file = file.to_str().unwrap();
                let stays = ["ca.pem", "config.json", "env"].contains(&file);
                assert_eq!(read(&dir, file) == before, stays, "{key} {ca}: {file}");
                assert!(
                    stays && file != "ca.pem" || read(&dir.join("previous"), file) == before,
                    "{key} {ca}: {file}"
                );
            }
            let anchor = dir.join("ca.pem");
            assert_verifies(
                &anchor,
                &dir.join("server.pem"),
                &["-purpose", "sslserver", "-verify_ip", "203.0.113.7"],
            );
            assert_verifies(&anchor, &dir.join("cert.pem"), &["-purpose", "sslclient"]);
            assert_eq!(extension(&dir.join("server.pem"), "subjectAltName"), sans, "{key} {ca}");
            for (certificate, key) in [("server.pem", "server-key.pem"), ("cert.pem", "key.pem")] {
                let public = openssl(&["x509", "-noout", "-pubkey", "-in", text(&dir.join(certificate))]);
                assert_eq!(openssl(&["pkey", "-pubout", "-in", text(&dir.join(key))]), public);
            }
            let days = not_after(&dir.join("server.pem")) - not_before(&dir.join("server.pem"));
            assert_eq!(days.whole_days(), 90, "{key} {ca}");
        }
    }
}

#[test]
fn a_new_boot_issuer_verifies_and_can_sign() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    let dir = home.machine("web1");
    let before = read(&dir, "issuer.pem");
    home.ok(&["renew", "web1", "--quiet", "--key", "p384"]);
    assert_ne!(read(&dir, "issuer.pem"), before);
    assert_verifies(&dir.join("ca.pem"), &dir.join("issuer.pem"), &[]);
    assert!(extension(&dir.join("issuer.pem"), "basicConstraints").contains("CA:TRUE, pathlen:0"));
    let rendered = home.ok(&["render", "web1"]);
    assert_eq!(rendered.as_bytes(), read(&dir, "user-data"));
}

#[test]
fn with_a_new_ca_neither_side_accepts_certificates_of_the_old_one() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let dir = create(&home, "web1", &[]);
    home.ok(&["renew", "web1", "--authority", "--yes", "--quiet"]);
    let old = dir.join("previous");
    for (purpose, file) in [("sslserver", "server.pem"), ("sslclient", "cert.pem")] {
        assert_verifies(&dir.join("ca.pem"), &dir.join(file), &["-purpose", purpose]);
        assert!(!verifies(&dir.join("ca.pem"), &old.join(file), &["-purpose", purpose]), "{file}");
        assert!(!verifies(&old.join("ca.pem"), &dir.join(file), &["-purpose", purpose]), "{file}");
    }
}
