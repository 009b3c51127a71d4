//! The identity, judged by openssl: what `create` makes, what `--ca` takes and refuses, and TLS between the pairs.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use support::{Home, files_below, mode, need, run};

const KEYS: [&str; 5] = ["p256", "p384", "ed25519", "rsa2048", "rsa4096"];
/// Those that take no second to make, where the kind of key matters little.
const QUICK_KEYS: [&str; 4] = ["p256", "p384", "ed25519", "rsa2048"];
const LEAVES: [&str; 2] = ["server", "cert"];
/// How long a test may have taken between looking at the clock and the certificate's time.
const SLACK: Duration = Duration::minutes(2);

fn openssl(args: &[&str]) -> String {
    String::from_utf8(run(Command::new("openssl").args(args)).stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Makes a machine with every kind of name in its certificate and returns its folder.
fn create(home: &Home, name: &str, options: &[&str]) -> PathBuf {
    let words = ["create", name, "--quiet", "--address", "203.0.113.7", "--address", "docker.example.com"];
    let sans = ["--address", "2001:db8::7", "--tls-san", "*.example.org"];
    home.ok(&[&words[..], &sans, options].concat());
    home.machine(name)
}

/// Whether openssl takes a certificate under `ca`, with nothing of the system's in its trust.
fn verifies(ca: &Path, certificate: &Path, options: &[&str]) -> bool {
    verify(ca, certificate, options).status.success()
}

fn verify(ca: &Path, certificate: &Path, options: &[&str]) -> Output {
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", text(ca)]);
    openssl.args(options).arg(certificate).output().unwrap()
}

fn assert_verifies(ca: &Path, certificate: &Path, options: &[&str]) {
    let output = verify(ca, certificate, options);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{} {options:?}: {said}", certificate.display());
}

/// What openssl says of an extension, `critical` included; empty where there is none.
fn extension(certificate: &Path, name: &str) -> String {
    let output = openssl(&["x509", "-noout", "-in", text(certificate), "-ext", name]);
    let lines: Vec<_> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let critical = lines.first().is_some_and(|head| head.ends_with("critical"));
    let value = lines.get(1..).unwrap_or_default().join(" ");
    if critical { format!("critical {value}") } else { value }
}

/// One of the fields that `openssl x509` prints as `name=value`.
fn field(certificate: &Path, option: &str) -> String {
    let args = ["x509", "-noout", "-in", text(certificate), "-dateopt", "iso_8601", "-sha256"];
    let output = openssl(&[&args[..], &[option, "-nameopt", "RFC2253"]].concat());
    output.trim().split_once('=').unwrap().1.to_owned()
}

fn not_before(certificate: &Path) -> OffsetDateTime {
    OffsetDateTime::parse(&field(certificate, "-startdate").replace(' ', "T"), &Rfc3339).unwrap()
}

fn not_after(certificate: &Path) -> OffsetDateTime {
    OffsetDateTime::parse(&field(certificate, "-enddate").replace(' ', "T"), &Rfc3339).unwrap()
}

fn public_key_of_certificate(certificate: &Path) -> String {
    openssl(&["x509", "-noout", "-pubkey", "-in", text(certificate)])
}

fn public_key_of_key(key: &Path) -> String {
    openssl(&["pkey", "-pubout", "-in", text(key)])
}

fn sans(certificate: &Path) -> Vec<String> {
    let names = extension(certificate, "subjectAltName");
    let bare = |name: &str| {
        let (kind, name) = name.trim().split_once(':').unwrap();
        if kind == "IP Address" { name.parse::<IpAddr>().unwrap().to_string() } else { name.to_owned() }
    };
    names.split(',').map(bare).collect()
}

#[track_caller]
fn assert_close(time: OffsetDateTime, wanted: OffsetDateTime) {
    assert!((time - wanted).abs() < SLACK, "{time}, wanted about {wanted}");
}

#[test]
fn every_name_that_was_asked_for_is_covered_and_no_other() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in KEYS {
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
fn a_stolen_server_key_makes_no_client_and_a_client_poses_as_no_server() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in KEYS {
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
fn a_certificate_is_good_from_its_first_second_to_its_last_and_at_no_other_time() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in QUICK_KEYS {
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
fn a_new_host_whose_clock_lags_an_hour_is_not_locked_out() {
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
fn certificates_live_as_long_as_was_asked_and_the_authority_ten_years() {
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
    // Longer than the authority: the authority's end is the end.
    let dir = create(&home, "long", &["--valid-for", "50y"]);
    for leaf in LEAVES {
        assert_eq!(not_after(&dir.join(format!("{leaf}.pem"))), not_after(&dir.join("ca.pem")));
    }
}

#[test]
fn an_authority_signs_and_does_nothing_else() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in QUICK_KEYS {
        let ca = create(&home, &format!("web-{key}"), &["--key", key]).join("ca.pem");
        assert_eq!(extension(&ca, "basicConstraints"), "critical CA:TRUE, pathlen:1", "{key}");
        assert_eq!(extension(&ca, "keyUsage"), "critical Certificate Sign, CRL Sign", "{key}");
        assert_eq!(extension(&ca, "extendedKeyUsage"), "", "{key}");
    }
}

#[test]
fn a_leaf_has_one_purpose_and_signs_nothing() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in KEYS {
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
    for key in QUICK_KEYS {
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
    // Half of them have their highest bit set, and are positive all the same.
    assert!(serials.iter().any(|serial| serial.len() == 32 && serial.as_bytes()[0] >= b'8'));
}

#[test]
fn the_three_certificates_of_a_machine_are_told_apart_by_their_subjects() {
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
    for key in QUICK_KEYS {
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
    for kind in KEYS {
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
fn what_create_and_inspect_print_of_certificates_is_what_openssl_prints() {
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
        for view in [&created["certificates"][role], &inspected[role]] {
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

/// An authority made by openssl in a folder of its own.
struct Elsewhere {
    dir: PathBuf,
}

/// When it is good, from now.
type Life = (Duration, Duration);
const USUAL_LIFE: Life = (Duration::minutes(-5), Duration::days(1080));
const DOCKER_MACHINE: &str = "basicConstraints = critical, CA:TRUE\n\
    keyUsage = critical, digitalSignature, keyEncipherment, keyAgreement, keyCertSign\n\
    subjectKeyIdentifier = none\nauthorityKeyIdentifier = none\n";
const CA: &str = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n\
    subjectKeyIdentifier = hash\n";

impl Elsewhere {
    /// `key` is openssl's command that writes the key to standard output.
    fn new(home: &Home, name: &str, key: &[&str], extensions: &str, life: Life) -> Self {
        let dir = home.path().join(name);
        fs::create_dir(&dir).unwrap();
        let made = Self { dir };
        fs::write(made.key(), openssl(key)).unwrap();
        made.certify(extensions, life);
        made
    }

    fn key(&self) -> PathBuf {
        self.dir.join("ca-key.pem")
    }

    fn certificate(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    fn option(&self) -> &str {
        text(&self.dir)
    }

    /// `openssl ca`, since nothing else of openssl 3.0 takes any two dates.
    fn certify(&self, extensions: &str, (from, until): Life) {
        let work = self.dir.with_extension("work");
        fs::create_dir(&work).unwrap();
        fs::write(work.join("index"), "").unwrap();
        let config = work.join("openssl.cnf");
        let wording = format!(
            "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nO = somebody\n\
             [ca]\ndefault_ca = own\n[own]\ndatabase = {0}/index\nnew_certs_dir = {0}\nrand_serial = yes\n\
             default_md = sha256\npolicy = any\nunique_subject = no\n[any]\norganizationName = supplied\n[extensions]\n{1}",
            work.display(),
            extensions
        );
        fs::write(&config, wording).unwrap();
        let (config, request, key) = (text(&config), work.join("request"), self.key());
        openssl(&["req", "-new", "-config", config, "-key", text(&key), "-out", text(&request)]);
        let date = |offset: Duration| {
            let t = OffsetDateTime::now_utc() + offset;
            let (h, m, s) = t.to_hms();
            format!("{:04}{:02}{:02}{h:02}{m:02}{s:02}Z", t.year(), u8::from(t.month()), t.day())
        };
        let sign = ["ca", "-batch", "-selfsign", "-notext", "-config", config, "-extensions", "extensions"];
        let files = ["-keyfile", text(&key), "-in", text(&request), "-out", text(&self.certificate())]
            .map(str::to_owned);
        let dates = ["-startdate".to_owned(), date(from), "-enddate".to_owned(), date(until)];
        run(Command::new("openssl").args(sign).args(files).args(dates));
        fs::remove_dir_all(&work).unwrap();
    }
}

/// Each form of key that an authority made elsewhere may have, with the command that makes it and its first line.
const FOREIGN_KEYS: [(&str, &[&str], &str); 9] = [
    ("rsa-pkcs1", &["genrsa", "-traditional", "2048"], "-----BEGIN RSA PRIVATE KEY-----"),
    (
        "rsa-pkcs8",
        &["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "-----BEGIN PRIVATE KEY-----",
    ),
    ("rsa-3072", &["genrsa", "-traditional", "3072"], "-----BEGIN RSA PRIVATE KEY-----"),
    ("p256-sec1", &["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "-----BEGIN EC PRIVATE KEY-----"),
    ("p256-parameters", &["ecparam", "-name", "prime256v1", "-genkey"], "-----BEGIN EC PARAMETERS-----"),
    (
        "p256-pkcs8",
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "-----BEGIN PRIVATE KEY-----",
    ),
    ("p384-sec1", &["ecparam", "-name", "secp384r1", "-genkey"], "-----BEGIN EC PARAMETERS-----"),
    (
        "p384-pkcs8",
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "-----BEGIN PRIVATE KEY-----",
    ),
    ("ed25519", &["genpkey", "-algorithm", "ED25519"], "-----BEGIN PRIVATE KEY-----"),
];

/// Checks the certificates of a machine that `authority` has signed.
fn assert_signed_by(home: &Home, name: &str, authority: &Path, strict: bool) {
    let dir = home.machine(name);
    assert_eq!(fs::read(dir.join("ca.pem")).unwrap(), fs::read(authority).unwrap(), "{name}: ca.pem");
    let check = |file: &str, purpose: &str, names: &[&str]| {
        // Strict rules want key identifiers in the authority too, which Docker Machine's has not.
        let strict: &[&str] = if strict { &["-x509_strict"] } else { &[] };
        let fixed = ["verify", "-no-CApath", "-no-CAstore", "-CAfile", text(authority), "-purpose", purpose];
        run(Command::new("openssl").args(fixed).args(strict).args(names).arg(dir.join(file)));
    };
    check("server.pem", "sslserver", &["-verify_ip", "203.0.113.7"]);
    check("cert.pem", "sslclient", &[]);
    for leaf in LEAVES.map(|leaf| dir.join(format!("{leaf}.pem"))) {
        assert_eq!(field(&leaf, "-issuer"), field(authority, "-subject"), "{name}");
        assert!(not_before(&leaf) >= not_before(authority), "{name}: begins before its authority");
        assert!(not_after(&leaf) <= not_after(authority), "{name}: outlives its authority");
    }
}

#[test]
fn an_authority_made_elsewhere_signs_whatever_its_keys_form_and_stays_as_it_is() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for (name, command, first_line) in FOREIGN_KEYS {
        let authority = Elsewhere::new(&home, name, command, CA, USUAL_LIFE);
        let before = [authority.certificate(), authority.key()].map(|file| fs::read(file).unwrap());
        assert!(before[1].starts_with(first_line.as_bytes()), "{name}");
        create(&home, name, &["--ca", authority.option()]);
        assert_signed_by(&home, name, &authority.certificate(), true);
        let after = [authority.certificate(), authority.key()].map(|file| fs::read(file).unwrap());
        assert!(before == after, "{name}: the authority's files were changed");
        assert_eq!(files_below(&authority.dir).len(), 2, "{name}");
        // Its key stays where it is.
        assert!(!home.store().join("certs").join(name).exists(), "{name}");
    }
    let key_of = |name: &str| fs::read_to_string(home.path().join(name).join("ca-key.pem")).unwrap();
    for (name, ..) in FOREIGN_KEYS {
        let key = key_of(name);
        let secret = key.lines().filter(|line| !line.contains('-')).max_by_key(|line| line.len()).unwrap();
        for file in files_below(&home.store()) {
            let bytes = fs::read(home.store().join(&file)).unwrap();
            assert!(
                !String::from_utf8_lossy(&bytes).contains(secret),
                "{name}'s key is in {}",
                file.display()
            );
        }
    }
}

#[test]
fn a_machines_own_authority_signs_for_another_machine() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in KEYS {
        create(&home, &format!("first-{key}"), &["--key", key]);
        let dir = home.store().join("certs").join(format!("first-{key}"));
        let second = format!("second-{key}");
        create(&home, &second, &["--ca", text(&dir)]);
        assert_signed_by(&home, &second, &dir.join("ca.pem"), true);
    }
}

#[test]
fn a_relative_folder_is_found_from_where_the_user_stands() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let authority = Elsewhere::new(&home, "authority", FOREIGN_KEYS[5].1, CA, USUAL_LIFE);
    create(&home, "web1", &["--ca", "./authority"]);
    assert_signed_by(&home, "web1", &authority.certificate(), true);
}

/// A store with Docker Machine's own authority in it: RSA-2048, PKCS#1, an organisation for a subject.
fn docker_machines_store(home: &Home) -> PathBuf {
    let authority = Elsewhere::new(home, "dm", FOREIGN_KEYS[0].1, DOCKER_MACHINE, USUAL_LIFE);
    let certs = home.store().join("certs");
    fs::create_dir_all(&certs).unwrap();
    for (file, mode) in [("ca.pem", 0o644), ("ca-key.pem", 0o600)] {
        fs::copy(authority.dir.join(file), certs.join(file)).unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(certs.join(file), permissions).unwrap();
    }
    certs
}

#[test]
fn docker_machines_own_authority_goes_on_signing() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let certs = docker_machines_store(&home);
    assert_eq!(field(&certs.join("ca.pem"), "-subject"), "O=somebody");
    assert_eq!(extension(&certs.join("ca.pem"), "subjectKeyIdentifier"), "");
    let before = ["ca.pem", "ca-key.pem"].map(|file| fs::read(certs.join(file)).unwrap());
    for (name, key) in [("web1", "p256"), ("web2", "rsa2048")] {
        create(&home, name, &["--ca", "shared", "--key", key]);
        assert_signed_by(&home, name, &certs.join("ca.pem"), false);
        assert!(!certs.join(name).exists());
    }
    let after = ["ca.pem", "ca-key.pem"].map(|file| fs::read(certs.join(file)).unwrap());
    assert!(before == after, "the authority's files were changed");
    assert_eq!(files_below(&certs).len(), 2);
}

#[test]
fn the_first_machine_of_an_empty_store_makes_the_shared_authority_and_the_second_uses_it() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let certs = home.store().join("certs");
    create(&home, "web1", &["--ca", "shared"]);
    let made = ["ca.pem", "ca-key.pem"].map(|file| fs::read(certs.join(file)).unwrap());
    create(&home, "web2", &["--ca", "shared", "--key", "p384"]);
    let kept = ["ca.pem", "ca-key.pem"].map(|file| fs::read(certs.join(file)).unwrap());
    assert!(made == kept, "the shared authority was made again");
    for name in ["web1", "web2"] {
        assert_signed_by(&home, name, &certs.join("ca.pem"), true);
    }
    assert_eq!(mode(&certs.join("ca-key.pem")), 0o600);
    assert_eq!(
        public_key_of_key(&certs.join("ca-key.pem")),
        public_key_of_certificate(&certs.join("ca.pem"))
    );
    // Removing a machine leaves it for the others.
    home.ok(&["rm", "-y", "web1"]);
    assert!(kept == ["ca.pem", "ca-key.pem"].map(|file| fs::read(certs.join(file)).unwrap()));
}

#[test]
fn nothing_outlives_a_short_lived_authority() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let life = (Duration::minutes(-5), Duration::hours(3));
    let authority = Elsewhere::new(&home, "short", FOREIGN_KEYS[5].1, CA, life);
    let output = home.run(&["create", "web1", "--address", "203.0.113.7", "--ca", authority.option()]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("note: ") && said.contains("authority"), "the user is not told: {said}");
    assert_signed_by(&home, "web1", &authority.certificate(), true);
    for leaf in LEAVES {
        let certificate = home.machine("web1").join(format!("{leaf}.pem"));
        assert_eq!(not_after(&certificate), not_after(&authority.certificate()));
        assert_eq!(not_before(&certificate), not_before(&authority.certificate()));
    }
}

/// Tries to make a machine under an authority that is no good: one clear message, and no trace of the try.
fn assert_refused(home: &Home, dir: &Path, told: &str) {
    let secrets: Vec<String> = fs::read_to_string(dir.join("ca-key.pem"))
        .map(|key| {
            key.lines().filter(|line| line.len() >= 16 && !line.starts_with('-')).map(str::to_owned).collect()
        })
        .unwrap_or_default();
    let stderr = home.fails(1, &["create", "web1", "--address", "203.0.113.7", "--ca", text(dir)]);
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert_eq!(stderr.matches("error: ").count(), 1, "{stderr}");
    assert!(stderr.lines().all(|line| line.starts_with("error: ") || line.starts_with("hint: ")), "{stderr}");
    assert!(stderr.contains(text(dir)), "it does not say which authority: {stderr}");
    assert!(stderr.contains(told), "it does not say `{told}`: {stderr}");
    for secret in secrets {
        assert!(!stderr.contains(&secret), "key material is shown: {stderr}");
    }
    assert_eq!(home.ok(&["ls", "-q"]), "");
    assert_eq!(files_below(&home.store()), Vec::<PathBuf>::new(), "something is left of it");
}

#[test]
fn an_authority_that_must_not_sign_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let p256 = FOREIGN_KEYS[5].1;
    let authority =
        |name: &str, extensions: &str, life: Life| Elsewhere::new(&home, name, p256, extensions, life).dir;
    let day = Duration::DAY;
    assert_refused(&home, &authority("expired", CA, (-2 * day, -Duration::HOUR)), "expired");
    assert_refused(&home, &authority("early", CA, (Duration::HOUR, day)), "not valid before");
    assert_refused(&home, &authority("leaf", "basicConstraints = critical, CA:FALSE\n", USUAL_LIFE), "CA");
    assert_refused(&home, &authority("plain", "subjectKeyIdentifier = hash\n", USUAL_LIFE), "CA");
    let no_signing = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, digitalSignature, cRLSign\n";
    assert_refused(&home, &authority("usage", no_signing, USUAL_LIFE), "keyCertSign");
}

#[test]
fn an_authority_whose_key_is_another_ones_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    // Of the same kind, and of another.
    for (n, (mine, other)) in [(5, 3), (0, 1), (8, 7)].into_iter().enumerate() {
        let authority = Elsewhere::new(&home, &format!("a{n}"), FOREIGN_KEYS[mine].1, CA, USUAL_LIFE);
        fs::write(authority.key(), openssl(FOREIGN_KEYS[other].1)).unwrap();
        assert_refused(&home, &authority.dir, "does not belong");
    }
}

#[test]
fn an_authority_whose_key_cannot_be_used_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let keys: [(&str, &[&str], &str); 4] = [
        ("rsa1024", &["genrsa", "-traditional", "1024"], "2048"),
        ("p521", &["ecparam", "-name", "secp521r1", "-genkey"], "P-384"),
        ("p521-pkcs8", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "P-384"),
        ("secp256k1", &["ecparam", "-name", "secp256k1", "-genkey", "-noout"], "P-256"),
    ];
    for (name, command, told) in keys {
        assert_refused(&home, &Elsewhere::new(&home, name, command, CA, USUAL_LIFE).dir, told);
    }
    // With a passphrase: PKCS#8's way, and the older one of PKCS#1 and SEC1.
    let encrypted: [(&str, &[&str]); 3] = [
        ("pkcs8", &["pkcs8", "-topk8", "-passout", "pass:secret"]),
        ("pkcs1", &["rsa", "-traditional", "-aes128", "-passout", "pass:secret"]),
        ("sec1", &["ec", "-aes128", "-passout", "pass:secret"]),
    ];
    for (name, command) in encrypted {
        let key = if name == "pkcs1" { FOREIGN_KEYS[0].1 } else { FOREIGN_KEYS[3].1 };
        let authority = Elsewhere::new(&home, name, key, CA, USUAL_LIFE);
        let key = authority.key();
        let locked = openssl(&[command, &["-in", text(&key)]].concat());
        assert!(locked.contains("ENCRYPTED"), "{locked}");
        fs::write(&key, locked).unwrap();
        assert_refused(&home, &authority.dir, "encrypted");
    }
}

#[test]
fn an_authority_that_is_incomplete_or_garbage_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let good = Elsewhere::new(&home, "good", FOREIGN_KEYS[5].1, CA, USUAL_LIFE);
    let (certificate, key) = (fs::read(good.certificate()).unwrap(), fs::read(good.key()).unwrap());
    let armoured = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
    };
    type Bytes = Option<Vec<u8>>;
    let cases: [(&str, Bytes, Bytes); 10] = [
        ("no-certificate", None, Some(key.clone())),
        ("no-key", Some(certificate.clone()), None),
        ("empty", Some(Vec::new()), Some(Vec::new())),
        ("swapped", Some(key.clone()), Some(certificate.clone())),
        ("two-keys", Some(key.clone()), Some(key.clone())),
        ("garbage-certificate", Some(armoured("CERTIFICATE", "AAAABBBBCCCCDDDD")), Some(key.clone())),
        ("garbage-key", Some(certificate.clone()), Some(armoured("PRIVATE KEY", "AAAABBBBCCCCDDDDEEEE"))),
        ("no-base64", Some(certificate.clone()), Some(armoured("EC PRIVATE KEY", "AAAABBBB!CCCCDDDDEEEE"))),
        ("cut", Some(certificate[..certificate.len() / 2].to_vec()), Some(key.clone())),
        ("binary", Some(vec![0xff; 64]), Some(vec![0xfe; 64])),
    ];
    for (name, certificate, key) in cases {
        let dir = home.path().join(name);
        fs::create_dir(&dir).unwrap();
        for (file, bytes) in [("ca.pem", certificate), ("ca-key.pem", key)] {
            if let Some(bytes) = bytes {
                fs::write(dir.join(file), bytes).unwrap();
            }
        }
        assert_refused(&home, &dir, "");
    }
    assert_refused(&home, &home.path().join("nowhere"), "not there");
}

#[test]
fn a_shared_authority_that_is_no_good_stays_as_it_is_and_signs_nothing() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let certs = docker_machines_store(&home);
    fs::write(certs.join("ca-key.pem"), openssl(FOREIGN_KEYS[0].1)).unwrap();
    let before = files_below(&home.store());
    let stderr = home.fails(1, &["create", "web1", "--address", "203.0.113.7", "--ca", "shared"]);
    assert!(stderr.contains("does not belong"), "{stderr}");
    assert_eq!(files_below(&home.store()), before);
    // A certificate whose key is gone is no reason to make another authority in its place.
    fs::remove_file(certs.join("ca-key.pem")).unwrap();
    let before = (files_below(&home.store()), fs::read(certs.join("ca.pem")).unwrap());
    let stderr = home.fails(1, &["create", "web1", "--address", "203.0.113.7", "--ca", "shared"]);
    assert!(stderr.contains("ca-key.pem"), "{stderr}");
    assert_eq!((files_below(&home.store()), fs::read(certs.join("ca.pem")).unwrap()), before);
}

/// A TLS server that wants a client's certificate and sends back each line reversed.
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
        // Whatever else it says has to be read, or it would stop.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port }
    }

    /// Whether a client that trusts `ca`, with or without the pair of files, gets an answer.
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
        // A client that was refused is gone before it has read this.
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
fn the_pairs_talk_tls_and_nobody_elses_do() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in QUICK_KEYS {
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
