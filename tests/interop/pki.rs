//! Checks the certificates and keys of `create` with openssl: names, times, purposes, keys, and TLS connections between
//! server and client.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use time::{Duration, OffsetDateTime};
use webpki::KeyUsage;

use crate::support::openssl::*;
use crate::support::rustls::judge;
use crate::support::{Home, files_below, mode, need, run};

#[test]
fn exactly_the_requested_names_are_covered() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in keys() {
        let dir = create(&home, &format!("web-{key}"), &["--key", key]);
        let (ca, server) = (dir.join("ca.pem"), dir.join("server.pem"));
        let sslserver = |kind, name| verifies(&ca, &server, &["-purpose", "sslserver", kind, name]);
        assert_verifies(&ca, &server, &["-purpose", "sslserver"]);
        for ip in ["203.0.113.7", "2001:db8::7", "127.0.0.1"] {
            assert!(sslserver("-verify_ip", ip), "{key}: {ip}");
        }
        let machine = format!("web-{key}");
        for name in ["docker.example.com", "a.example.org", "localhost", &machine] {
            assert!(sslserver("-verify_hostname", name), "{key}: {name}");
        }
        for ip in ["203.0.113.8", "2001:db8::8", "::1", "0.0.0.0"] {
            assert!(!sslserver("-verify_ip", ip), "{key}: {ip}");
        }
        for name in
            ["example.com", "evil.example", "a.b.example.org", "example.org", "web-p25", "203.0.113.7"]
        {
            assert!(!sslserver("-verify_hostname", name), "{key}: {name}");
        }
    }
}

#[test]
fn a_server_key_cannot_act_as_a_client_nor_a_client_key_as_a_server() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in keys() {
        let dir = create(&home, &format!("web-{key}"), &["--key", key]);
        let ca = dir.join("ca.pem");
        assert_verifies(&ca, &dir.join("cert.pem"), &["-purpose", "sslclient"]);
        assert_verifies(&ca, &dir.join("server.pem"), &["-purpose", "sslserver"]);
        assert!(!verifies(&ca, &dir.join("cert.pem"), &["-purpose", "sslserver"]), "{key}");
        assert!(!verifies(&ca, &dir.join("server.pem"), &["-purpose", "sslclient"]), "{key}");
    }
}

#[test]
fn a_certificate_of_another_machine_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let (web1, web2) = (create(&home, "web1", &[]), create(&home, "web2", &[]));
    for leaf in LEAVES.map(|leaf| format!("{leaf}.pem")) {
        assert!(verifies(&web1.join("ca.pem"), &web1.join(&leaf), &[]));
        assert!(!verifies(&web1.join("ca.pem"), &web2.join(&leaf), &[]));
        assert!(!verifies(&web2.join("ca.pem"), &web1.join(&leaf), &[]));
    }
}

#[test]
fn a_certificate_is_valid_exactly_from_its_first_to_its_last_second() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in quick_keys() {
        let dir = create(&home, &format!("web-{key}"), &["--key", key, "--valid-for", "90d"]);
        for leaf in LEAVES {
            let certificate = dir.join(format!("{leaf}.pem"));
            let at = |time: OffsetDateTime| {
                let at = time.unix_timestamp().to_string();
                verifies(&dir.join("ca.pem"), &certificate, &["-attime", &at])
            };
            let (first, last) = (not_before(&certificate), not_after(&certificate));
            assert!(at(first + Duration::SECOND) && at(last - Duration::SECOND), "{key}: inside");
            assert!(!at(first - Duration::SECOND), "{key}: before");
            assert!(!at(last + Duration::SECOND), "{key}: after");
        }
    }
}

#[test]
fn a_host_with_a_clock_an_hour_behind_accepts_the_certificates() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let now = OffsetDateTime::now_utc();
    let dir = create(&home, "web1", &[]);
    for file in ["ca.pem", "server.pem", "cert.pem"] {
        assert_close(not_before(&dir.join(file)), now - Duration::HOUR);
    }
}

#[test]
fn certificates_are_valid_as_long_as_requested_and_the_ca_for_ten_years() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let cases = [("", 730 * 24), ("90d", 90 * 24), ("12h", 12), ("2y", 2 * 365 * 24)];
    for (n, (valid_for, hours)) in cases.into_iter().enumerate() {
        let now = OffsetDateTime::now_utc();
        let options: &[&str] = if valid_for.is_empty() { &[] } else { &["--valid-for", valid_for] };
        let dir = create(&home, &format!("web{n}"), options);
        assert_close(not_after(&dir.join("ca.pem")), now + Duration::days(3650));
        for leaf in LEAVES {
            assert_close(not_after(&dir.join(format!("{leaf}.pem"))), now + Duration::hours(hours));
        }
    }
    // A certificate expires with its CA at the latest.
    let dir = create(&home, "long", &["--valid-for", "50y"]);
    for leaf in LEAVES {
        assert_eq!(not_after(&dir.join(format!("{leaf}.pem"))), not_after(&dir.join("ca.pem")));
    }
}

#[test]
fn a_ca_certificate_can_only_sign() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in quick_keys() {
        let ca = create(&home, &format!("web-{key}"), &["--key", key]).join("ca.pem");
        assert_eq!(extension(&ca, "basicConstraints"), "critical CA:TRUE, pathlen:0", "{key}");
        assert_eq!(extension(&ca, "keyUsage"), "critical Certificate Sign, CRL Sign", "{key}");
        assert_eq!(extension(&ca, "extendedKeyUsage"), "", "{key}");
    }
}

#[test]
fn a_leaf_has_one_purpose_and_cannot_sign() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in keys() {
        let dir = create(&home, &format!("web-{key}"), &["--key", key]);
        let (server, client) = (dir.join("server.pem"), dir.join("cert.pem"));
        assert_eq!(extension(&server, "extendedKeyUsage"), "TLS Web Server Authentication", "{key}");
        assert_eq!(extension(&client, "extendedKeyUsage"), "TLS Web Client Authentication", "{key}");
        let usage = match key.starts_with("rsa") {
            true => "critical Digital Signature, Key Encipherment",
            false => "critical Digital Signature",
        };
        assert_eq!(extension(&server, "keyUsage"), usage, "{key}");
        assert_eq!(extension(&client, "keyUsage"), "critical Digital Signature", "{key}");
        for leaf in [server, client] {
            assert_eq!(extension(&leaf, "basicConstraints"), "critical CA:FALSE", "{key}");
        }
    }
}

#[test]
fn a_chain_is_found_by_its_key_identifiers() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in quick_keys() {
        let dir = create(&home, &format!("web-{key}"), &["--key", key]);
        let subject = |file: &str| extension(&dir.join(file), "subjectKeyIdentifier");
        let authority = subject("ca.pem");
        assert!(authority.len() > 20, "{key}: {authority:?}");
        for leaf in ["server.pem", "cert.pem"] {
            let issuer = extension(&dir.join(leaf), "authorityKeyIdentifier");
            assert_eq!(issuer.trim_start_matches("keyid:"), authority, "{key}: {leaf}");
            assert!(subject(leaf).len() > 20 && subject(leaf) != authority, "{key}: {leaf}");
        }
        assert_ne!(subject("server.pem"), subject("cert.pem"), "{key}");
    }
}

#[test]
fn no_two_certificates_share_a_serial_and_none_is_short_or_negative() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let mut serials = BTreeSet::new();
    let machines = 16;
    for n in 0..machines {
        let dir = create(&home, &format!("web{n}"), &["--key", "ed25519"]);
        for file in ["ca.pem", "server.pem", "cert.pem"] {
            let serial = field(&dir.join(file), "-serial");
            assert!(serial.bytes().all(|b| b.is_ascii_hexdigit()), "{serial}");
            // 16 random bytes; openssl leaves out zeros in front.
            assert!((24..=32).contains(&serial.len()), "{serial}");
            serials.insert(serial);
        }
    }
    assert_eq!(serials.len(), 3 * machines);
    // Half of them have the highest bit set, and must still be positive.
    assert!(serials.iter().any(|serial| serial.len() == 32 && serial.as_bytes()[0] >= b'8'));
}

#[test]
fn the_three_certificates_of_a_machine_have_different_subjects() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let dir = create(&home, "web1", &[]);
    let subjects: BTreeSet<_> =
        ["ca.pem", "server.pem", "cert.pem"].iter().map(|file| field(&dir.join(file), "-subject")).collect();
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    for subject in &subjects {
        let part =
            |name: &str| subject.split(',').any(|part| part.len() > name.len() && part.starts_with(name));
        assert!(part("O=") && part("CN="), "{subject}");
    }
    for leaf in ["server.pem", "cert.pem"] {
        assert_eq!(field(&dir.join(leaf), "-issuer"), field(&dir.join("ca.pem"), "-subject"));
    }
}

#[test]
fn no_two_machines_share_a_key() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in quick_keys() {
        let mut keys = BTreeSet::new();
        for name in ["web1", "web2"].map(|name| format!("{name}-{key}")) {
            let dir = create(&home, &name, &["--key", key]);
            keys.extend(
                ["ca", "server", "cert"]
                    .map(|file| public_key_of_certificate(&dir.join(format!("{file}.pem")))),
            );
        }
        assert_eq!(keys.len(), 6, "{key}");
    }
}

#[test]
fn openssl_reads_every_key_and_each_belongs_to_its_certificate() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for kind in keys() {
        let name = format!("web-{kind}");
        let dir = create(&home, &name, &["--key", kind]);
        let own = home.store().join("certs").join(&name);
        let pairs = [
            (dir.join("server.pem"), dir.join("server-key.pem")),
            (dir.join("cert.pem"), dir.join("key.pem")),
            (own.join("ca.pem"), own.join("ca-key.pem")),
        ];
        for (certificate, key) in pairs {
            let pem = fs::read_to_string(&key).unwrap();
            assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{}", key.display());
            assert!(pem.ends_with("-----END PRIVATE KEY-----\n"), "{}", key.display());
            assert!(!pem.contains('\r'), "{}", key.display());
            openssl(&["pkey", "-check", "-noout", "-in", text(&key)]);
            assert_eq!(public_key_of_key(&key), public_key_of_certificate(&certificate), "{}", key.display());
            assert_eq!(mode(&key), 0o600, "{}", key.display());
        }
        assert_eq!(fs::read(own.join("ca.pem")).unwrap(), fs::read(dir.join("ca.pem")).unwrap());
        let wanted = match kind {
            "p256" => "prime256v1",
            "p384" => "secp384r1",
            "ed25519" => "ED25519 Public-Key",
            "rsa2048" => "(2048 bit)",
            _ => "(4096 bit)",
        };
        let said = openssl(&["x509", "-noout", "-text", "-in", text(&dir.join("server.pem"))]);
        assert!(said.contains(wanted), "{kind}: {said}");
    }
}

#[test]
fn create_and_inspect_print_the_values_that_openssl_prints() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let created: Value = serde_json::from_str(&home.ok(&[
        "create",
        "web1",
        "--json",
        "--address",
        "203.0.113.7",
        "--address",
        "2001:DB8::0007",
        "--tls-san",
        "*.example.org",
    ]))
    .unwrap();
    let inspected: Value = serde_json::from_str(&home.ok(&["inspect", "web1", "--json"])).unwrap();
    let dir = home.machine("web1");
    for (file, role) in [("ca.pem", "authority"), ("server.pem", "server"), ("cert.pem", "client")] {
        let certificate = dir.join(file);
        for view in [&created[role], &inspected[role]] {
            assert_eq!(view["fingerprint"], field(&certificate, "-fingerprint"));
            assert_eq!(view["not_before"], field(&certificate, "-startdate").replace(' ', "T"));
            assert_eq!(view["not_after"], field(&certificate, "-enddate").replace(' ', "T"));
            let left = (not_after(&certificate) - OffsetDateTime::now_utc()).whole_days();
            assert!((view["days_left"].as_i64().unwrap() - left).abs() <= 1, "{view}");
        }
    }
    let covered = sans(&dir.join("server.pem"));
    assert_eq!(covered, ["203.0.113.7", "2001:db8::7", "*.example.org", "web1", "localhost", "127.0.0.1"]);
    for view in [&created, &inspected] {
        assert_eq!(view["sans"], Value::from(covered.clone()));
    }
}

/// Creates a machine whose host issues its own certificate, and returns its folder.
fn create_issuer(home: &Home, name: &str, options: &[&str]) -> PathBuf {
    home.ok(&[&["create", name, "--quiet"], options].concat());
    home.machine(name)
}

#[test]
fn a_boot_issuer_can_only_sign_server_certificates() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in keys() {
        let dir = create_issuer(&home, &format!("web-{key}"), &["--key", key]);
        let (issuer, ca) = (dir.join("issuer.pem"), dir.join("ca.pem"));
        assert_eq!(extension(&issuer, "basicConstraints"), "critical CA:TRUE, pathlen:0", "{key}");
        assert_eq!(extension(&issuer, "keyUsage"), "critical Certificate Sign", "{key}");
        assert_eq!(extension(&issuer, "extendedKeyUsage"), "TLS Web Server Authentication", "{key}");
        let said = openssl(&["x509", "-noout", "-text", "-in", text(&issuer)]);
        let extensions = said.lines().filter(|line| line.contains("X509v3 ") && !line.contains("extensions"));
        assert_eq!(extensions.count(), 5, "{key}: more than these and the key identifiers: {said}");
        let subject = extension(&ca, "subjectKeyIdentifier");
        let of_issuer = extension(&issuer, "authorityKeyIdentifier");
        assert_eq!(of_issuer.trim_start_matches("keyid:"), subject, "{key}");
        assert_verifies(&ca, &issuer, &[]);

        let subjects: BTreeSet<_> = ["ca.pem", "issuer.pem", "cert.pem"]
            .iter()
            .map(|file| field(&dir.join(file), "-subject"))
            .collect();
        assert_eq!(subjects.len(), 3, "{key}: {subjects:?}");
        let serial = field(&issuer, "-serial");
        assert!((24..=32).contains(&serial.len()), "{key}: {serial}");
        assert_ne!(serial, field(&dir.join("cert.pem"), "-serial"), "{key}");
    }
}

#[test]
fn a_machine_with_a_boot_issuer_has_no_server_certificate() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let by_key = KEYS.map(|key| create_issuer(&home, &format!("web-{key}"), &["--key", key]));
    let asked = create_issuer(&home, "web1", &["--boot-issuer", "--address", "203.0.113.7"]);
    for dir in by_key.into_iter().chain([asked]) {
        let (certificate, key) = (dir.join("issuer.pem"), dir.join("issuer-key.pem"));
        assert_eq!((mode(&certificate), mode(&key)), (0o644, 0o600), "{}", dir.display());
        assert!(fs::read_to_string(&key).unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        openssl(&["pkey", "-check", "-noout", "-in", text(&key)]);
        assert_eq!(public_key_of_key(&key), public_key_of_certificate(&certificate), "{}", dir.display());
        let server: Vec<_> =
            files_below(&dir).into_iter().filter(|file| text(file).contains("server")).collect();
        assert!(server.is_empty(), "{}: {server:?}", dir.display());
        assert_verifies(&dir.join("ca.pem"), &dir.join("cert.pem"), &["-purpose", "sslclient"]);
    }
}

#[test]
fn a_boot_issuer_is_valid_for_two_years_or_as_requested_and_not_longer_than_its_ca() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for (n, (valid_for, hours)) in [("", 2 * 365 * 24), ("90d", 90 * 24), ("12h", 12)].into_iter().enumerate()
    {
        let now = OffsetDateTime::now_utc();
        let options: &[&str] = if valid_for.is_empty() { &[] } else { &["--valid-for", valid_for] };
        let issuer = create_issuer(&home, &format!("web{n}"), options).join("issuer.pem");
        assert_close(not_before(&issuer), now - Duration::HOUR);
        assert_close(not_after(&issuer), now + Duration::hours(hours));
    }
    let dir = create_issuer(&home, "long", &["--valid-for", "50y"]);
    assert_eq!(not_after(&dir.join("issuer.pem")), not_after(&dir.join("ca.pem")));
}

const SERVERS: &str = "serverAuth";
const CLIENTS: &str = "clientAuth";

/// A certificate below `issuer`, as the thief of a boot issuer's key could make it. Its files are called `name`.
fn signed_below(dir: &Path, name: &str, issuer: &str, extensions: &str) -> PathBuf {
    let file = |name: &str, suffix: &str| dir.join(format!("{name}{suffix}"));
    let (key, request, wording) = (file(name, "-key.pem"), file(name, ".request"), file(name, ".extensions"));
    let certificate = file(name, ".pem");
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", text(&key)]);
    let subject = format!("/O=thief/CN={name}");
    openssl(&["req", "-new", "-key", text(&key), "-subj", &subject, "-out", text(&request)]);
    let identifiers = "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n";
    fs::write(&wording, format!("{identifiers}{extensions}")).unwrap();
    let (ca, ca_key) = (file(issuer, ".pem"), file(issuer, "-key.pem"));
    run(Command::new("openssl")
        .args([
            "x509",
            "-req",
            "-days",
            "30",
            "-set_serial",
            "7",
            "-in",
            text(&request),
            "-out",
            text(&certificate),
        ])
        .args(["-CA", text(&ca), "-CAkey", text(&ca_key), "-extfile", text(&wording)]));
    certificate
}

/// The extensions of a leaf certificate for these purposes.
fn leaf_for(purposes: &str) -> String {
    format!(
        "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
         extendedKeyUsage = {purposes}\nsubjectAltName = IP:203.0.113.7, IP:2001:db8::7, DNS:web1.example.com\n"
    )
}

#[test]
fn a_server_below_a_boot_issuer_is_accepted_for_its_names() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in keys() {
        let dir = create_issuer(&home, &format!("web-{key}"), &["--key", key]);
        let (ca, issuer) = (dir.join("ca.pem"), dir.join("issuer.pem"));
        let server = signed_below(&dir, "leaf", "issuer", &leaf_for(SERVERS));
        let sslserver = ["-untrusted", text(&issuer), "-purpose", "sslserver"];
        for name in [
            ["-verify_ip", "203.0.113.7"],
            ["-verify_ip", "2001:db8::7"],
            ["-verify_hostname", "web1.example.com"],
        ] {
            assert_verifies(&ca, &server, &[&sslserver[..], &name].concat());
        }
        let webpki =
            |sent: &[&Path], names: &[&str]| judge(&ca, &server, sent, KeyUsage::server_auth(), names);
        assert_eq!(webpki(&[&issuer], &["203.0.113.7", "2001:db8::7", "web1.example.com"]), Ok(()), "{key}");
        // It does not verify without the issuer or for another name.
        assert!(!verifies(&ca, &server, &["-purpose", "sslserver"]), "{key}");
        assert!(webpki(&[], &[]).is_err(), "{key}");
        assert!(!verifies(&ca, &server, &[&sslserver[..], &["-verify_ip", "203.0.113.8"]].concat()), "{key}");
        assert!(webpki(&[&issuer], &["203.0.113.8"]).is_err(), "{key}");
    }
}

#[test]
fn a_stolen_boot_issuer_cannot_issue_client_certificates() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in keys() {
        let dir = create_issuer(&home, &format!("web-{key}"), &["--key", key]);
        let (ca, issuer) = (dir.join("ca.pem"), dir.join("issuer.pem"));
        let both = format!("{CLIENTS}, {SERVERS}");
        for (name, purposes) in [("client", CLIENTS), ("both", &both), ("any", "anyExtendedKeyUsage")] {
            let leaf = signed_below(&dir, name, "issuer", &leaf_for(purposes));
            let output = verify(&ca, &leaf, &["-untrusted", text(&issuer), "-purpose", "sslclient"]);
            let said = String::from_utf8_lossy(&output.stderr);
            // Depth 1 is the issuer, which is refused for any leaf.
            let refused = said.lines().any(|line| line.contains("at 1 depth") && line.contains("purpose"));
            assert!(!output.status.success() && refused, "{key}: {purposes}: {said}");
            let webpki = judge(&ca, &leaf, &[&issuer], KeyUsage::client_auth(), &[]);
            assert!(
                matches!(webpki, Err(webpki::Error::RequiredEkuNotFoundContext(_))),
                "{key}: {purposes}: {webpki:?}"
            );
        }
        // A leaf without a purpose is valid for any, but the issuer's purpose still applies.
        let wording = "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n";
        let leaf = signed_below(&dir, "none", "issuer", wording);
        assert!(!verifies(&ca, &leaf, &["-untrusted", text(&issuer), "-purpose", "sslclient"]), "{key}");
        let webpki = judge(&ca, &leaf, &[&issuer], KeyUsage::client_auth(), &[]);
        assert!(webpki.is_err(), "{key}: {webpki:?}");
        // It is not a client certificate itself.
        assert!(!verifies(&ca, &issuer, &["-purpose", "sslclient"]), "{key}");
        assert!(judge(&ca, &issuer, &[], KeyUsage::client_auth(), &[]).is_err(), "{key}");
    }
}

#[test]
fn a_stolen_boot_issuer_cannot_issue_another_issuer() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in keys() {
        let dir = create_issuer(&home, &format!("web-{key}"), &["--key", key]);
        let (ca, issuer) = (dir.join("ca.pem"), dir.join("issuer.pem"));
        for purpose in ["", "extendedKeyUsage = serverAuth\n", "extendedKeyUsage = clientAuth\n"] {
            let wording =
                format!("basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n{purpose}");
            let further = signed_below(&dir, "further", "issuer", &wording);
            for (leaf_purpose, openssl_purpose, usage) in [
                (SERVERS, "sslserver", KeyUsage::server_auth()),
                (CLIENTS, "sslclient", KeyUsage::client_auth()),
            ] {
                let leaf = signed_below(&dir, "leaf", "further", &leaf_for(leaf_purpose));
                let chain = ["-untrusted", text(&further), "-untrusted", text(&issuer)];
                assert!(
                    !verifies(&ca, &leaf, &[&chain[..], &["-purpose", openssl_purpose]].concat()),
                    "{key}"
                );
                let output = verify(&ca, &leaf, &chain);
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(said.contains("path length constraint exceeded"), "{key}: {said}");
                let webpki = judge(&ca, &leaf, &[&further, &issuer], usage, &[]);
                assert!(webpki.is_err(), "{key}: {leaf_purpose}: {webpki:?}");
                if leaf_purpose == SERVERS && !purpose.contains(CLIENTS) {
                    assert_eq!(webpki, Err(webpki::Error::PathLenConstraintViolated), "{key}");
                }
            }
        }
    }
}

/// A TLS server that requires a client certificate and sends back each line reversed.
struct Server {
    process: Child,
    port: String,
}

impl Server {
    fn start(dir: &Path, protocol: &str) -> Self {
        let mut process = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-rev",
                "-Verify",
                "1",
                "-verify_return_error",
                protocol,
            ])
            .args([
                "-no-CApath",
                "-no-CAstore",
                "-CAfile",
                "ca.pem",
                "-cert",
                "server.pem",
                "-key",
                "server-key.pem",
            ])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let accepting = lines.find_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(str::to_owned));
        let accepting =
            accepting.unwrap_or_else(|| panic!("openssl cannot serve with the pair in {}", dir.display()));
        let port = accepting.rsplit(':').next().unwrap().to_owned();
        // The rest of its output must be read, or it would block.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port }
    }

    /// Whether a client that trusts `ca` gets an answer. `pair` is its client certificate and key, if it has one.
    fn answers(&self, ca: &Path, pair: Option<(PathBuf, PathBuf)>, protocol: &str) -> bool {
        let mut command = Command::new("openssl");
        command
            .args([
                "s_client",
                "-connect",
                &format!("127.0.0.1:{}", self.port),
                "-quiet",
                "-no_ign_eof",
                protocol,
            ])
            .args(["-verify_return_error", "-verify_ip", "127.0.0.1", "-no-CApath", "-no-CAstore", "-CAfile"])
            .arg(ca);
        if let Some((certificate, key)) = pair {
            command.arg("-cert").arg(certificate).arg("-key").arg(key);
        }
        let mut client =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = client.stdin.take().unwrap();
        // A refused client can close the connection before it reads this.
        let _ = stdin.write_all(b"deestsoh\n").and_then(|()| stdin.flush());
        let mut stdout = BufReader::new(client.stdout.take().unwrap());
        let mut line = String::new();
        let _ = stdout.read_line(&mut line);
        drop(stdin);
        let _ = stdout.read_to_string(&mut String::new());
        client.wait().unwrap();
        line == "hostseed\n"
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn only_the_certificates_of_the_machine_can_connect() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in quick_keys() {
        let mine = create(&home, &format!("mine-{key}"), &["--key", key]);
        let other = create(&home, &format!("other-{key}"), &["--key", key]);
        let client = |dir: &Path| Some((dir.join("cert.pem"), dir.join("key.pem")));
        let server = |dir: &Path| Some((dir.join("server.pem"), dir.join("server-key.pem")));
        for protocol in ["-tls1_2", "-tls1_3"] {
            let daemon = Server::start(&mine, protocol);
            let ca = mine.join("ca.pem");
            assert!(
                daemon.answers(&ca, client(&mine), protocol),
                "{key} {protocol}: the machine's own client"
            );
            assert!(!daemon.answers(&ca, None, protocol), "{key} {protocol}: no client certificate");
            assert!(
                !daemon.answers(&ca, client(&other), protocol),
                "{key} {protocol}: another machine's client"
            );
            assert!(!daemon.answers(&ca, server(&mine), protocol), "{key} {protocol}: the server's own pair");
            let others = other.join("ca.pem");
            assert!(
                !daemon.answers(&others, client(&mine), protocol),
                "{key} {protocol}: another machine's server"
            );
            assert!(daemon.answers(&ca, client(&mine), protocol), "{key} {protocol}: the server is gone");
        }
    }
}
