//! CAs from other programs: which ones `--ca` accepts and refuses, and that their files never change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use time::{Duration, OffsetDateTime};

use crate::support::openssl::*;
use crate::support::{Home, files_below, mode, need, run};

/// A CA that openssl made in its own folder.
struct Elsewhere {
    dir: PathBuf,
}

/// Start and end of the validity, relative to now.
type Life = (Duration, Duration);
const USUAL_LIFE: Life = (Duration::minutes(-5), Duration::days(1080));
const DOCKER_MACHINE: &str = "basicConstraints = critical, CA:TRUE\n\
    keyUsage = critical, digitalSignature, keyEncipherment, keyAgreement, keyCertSign\n\
    subjectKeyIdentifier = none\nauthorityKeyIdentifier = none\n";
const CA: &str = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n\
    subjectKeyIdentifier = hash\n";

impl Elsewhere {
    /// Makes a CA. `key` is openssl's command that writes the key to standard output.
    fn new(home: &Home, name: &str, key: &[&str], extensions: &str, life: Life) -> Self {
        let dir = home.path().join(name);
        fs::create_dir(&dir).unwrap();
        let made = Self { dir };
        fs::write(made.key(), openssl(key)).unwrap();
        // hostseed would fix a world-readable mode, with a note.
        fs::set_permissions(made.key(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
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

    /// Makes the certificate with `openssl ca`, because no other command of openssl 3.0 accepts any two dates.
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

/// Each format of a CA's private key from another program: the command that makes it, and its first line.
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
        // The strict check requires key identifiers in the CA certificate, which Docker Machine's CA lacks.
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
fn a_foreign_ca_signs_with_each_key_format_and_is_not_changed() {
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
        // The CA's key is not copied.
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
fn the_ca_of_one_machine_can_sign_for_another() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for key in keys() {
        create(&home, &format!("first-{key}"), &["--key", key]);
        let dir = home.store().join("certs").join(format!("first-{key}"));
        let second = format!("second-{key}");
        create(&home, &second, &["--ca", text(&dir)]);
        assert_signed_by(&home, &second, &dir.join("ca.pem"), true);
    }
}

#[test]
fn a_relative_ca_folder_is_found_from_the_working_directory() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let authority = Elsewhere::new(&home, "authority", FOREIGN_KEYS[5].1, CA, USUAL_LIFE);
    create(&home, "web1", &["--ca", "./authority"]);
    assert_signed_by(&home, "web1", &authority.certificate(), true);
}

/// A store with a CA of Docker Machine: RSA-2048, PKCS#1, and only an organisation in its subject.
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
fn the_ca_of_docker_machine_continues_to_sign() {
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
fn the_first_machine_creates_the_shared_ca_and_the_second_uses_it() {
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
    // Deleting a machine does not delete the shared CA.
    home.ok(&["rm", "-y", "web1"]);
    assert!(kept == ["ca.pem", "ca-key.pem"].map(|file| fs::read(certs.join(file)).unwrap()));
}

#[test]
fn certificates_do_not_outlive_a_short_lived_ca() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let life = (Duration::minutes(-5), Duration::hours(3));
    let authority = Elsewhere::new(&home, "short", FOREIGN_KEYS[5].1, CA, life);
    let output = home.run(&["create", "web1", "--address", "203.0.113.7", "--ca", authority.option()]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("note: ") && said.contains("expire with their CA"), "the user is not told: {said}");
    assert_signed_by(&home, "web1", &authority.certificate(), true);
    for leaf in LEAVES {
        let certificate = home.machine("web1").join(format!("{leaf}.pem"));
        assert_eq!(not_after(&certificate), not_after(&authority.certificate()));
        assert_eq!(not_before(&certificate), not_before(&authority.certificate()));
    }
}

const BELOW_IT: [&str; 2] = ["issuer", "cert"];

#[test]
fn a_boot_issuer_does_not_outlive_a_short_lived_ca() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let life = (Duration::minutes(-5), Duration::hours(3));
    for (name, command, _) in [FOREIGN_KEYS[0], FOREIGN_KEYS[5], FOREIGN_KEYS[8]] {
        let authority = Elsewhere::new(&home, name, command, CA, life);
        let output = home.run(&["create", name, "--boot-issuer", "--ca", authority.option()]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{name}: {said}");
        assert!(said.contains("note: ") && said.contains("expire with their CA"), "{name}: {said}");
        for below in BELOW_IT {
            let certificate = home.machine(name).join(format!("{below}.pem"));
            assert_eq!(not_after(&certificate), not_after(&authority.certificate()), "{name}");
            assert_eq!(not_before(&certificate), not_before(&authority.certificate()), "{name}");
            assert_eq!(field(&certificate, "-issuer"), field(&authority.certificate(), "-subject"), "{name}");
            assert_verifies(&authority.certificate(), &certificate, &[]);
        }
    }
}

#[test]
fn a_ca_with_path_length_0_signs_no_boot_issuer() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let alone = CA.replace("CA:TRUE", "CA:TRUE, pathlen:0");
    let authority = Elsewhere::new(&home, "alone", FOREIGN_KEYS[5].1, &alone, USUAL_LIFE);
    let before = [authority.certificate(), authority.key()].map(|file| fs::read(file).unwrap());
    let words = ["create", "web1", "--ca", authority.option()];
    for options in [&["--boot-issuer"][..], &["--boot-issuer", "--address", "203.0.113.7"]] {
        let stderr = home.fails(2, &[&words, options].concat());
        assert!(stderr.starts_with("error[ca-path-length]: "), "{stderr}");
        assert!(stderr.contains("hint: give the machine an address"), "{stderr}");
        assert_eq!(home.ok(&["ls", "-q"]), "");
        assert_eq!(files_below(&home.store()), Vec::<PathBuf>::new(), "something is left of it");
    }
    assert!(before == [authority.certificate(), authority.key()].map(|file| fs::read(file).unwrap()));
    // It still signs a server certificate.
    home.ok(&[&words[..], &["--quiet", "--address", "203.0.113.7"]].concat());
    assert_signed_by(&home, "web1", &authority.certificate(), true);
}

#[test]
fn a_ca_with_name_constraints_signs_no_boot_issuer() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let limited = format!("{CA}nameConstraints = critical, permitted;DNS:example.com\n");
    let authority = Elsewhere::new(&home, "limited", FOREIGN_KEYS[5].1, &limited, USUAL_LIFE);
    let stderr = home.fails(2, &["create", "web1", "--ca", authority.option(), "--boot-issuer"]);
    assert!(stderr.contains("it has name constraints") && stderr.contains("hint: "), "{stderr}");
    assert_eq!(files_below(&home.store()), Vec::<PathBuf>::new(), "something is left of it");
}

#[test]
fn a_ca_of_several_machines_signs_a_boot_issuer_only_on_request() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let authority = Elsewhere::new(&home, "authority", FOREIGN_KEYS[5].1, CA, USUAL_LIFE);
    for ca in ["shared", authority.option()] {
        for options in [&[][..], &["--tls-san", "web1.example.com"]] {
            let stderr = home.fails(2, &[&["create", "web1", "--ca", ca], options].concat());
            assert!(stderr.contains(&format!("`{ca}`")) && stderr.contains("--boot-issuer"), "{stderr}");
            assert_eq!(files_below(&home.store()), Vec::<PathBuf>::new(), "something is left of it");
        }
    }
    for (name, ca, certificate) in [
        ("web1", "shared", home.store().join("certs/ca.pem")),
        ("web2", authority.option(), authority.certificate()),
    ] {
        home.ok(&["create", name, "--quiet", "--ca", ca, "--boot-issuer"]);
        for below in BELOW_IT {
            assert_verifies(&certificate, &home.machine(name).join(format!("{below}.pem")), &[]);
        }
        // With `false`, the machine gets a server certificate.
        let plain = format!("plain-{name}");
        home.ok(&["create", &plain, "--quiet", "--ca", ca, "--boot-issuer=false"]);
        assert_verifies(
            &certificate,
            &home.machine(&plain).join("server.pem"),
            &["-verify_hostname", &plain],
        );
    }
}

/// Tries to create a machine under an unusable CA. Checks that there is one clear message and that nothing is written.
fn assert_refused(home: &Home, dir: &Path, told: &str) {
    let secrets: Vec<String> = fs::read_to_string(dir.join("ca-key.pem"))
        .map(|key| {
            key.lines().filter(|line| line.len() >= 16 && !line.starts_with('-')).map(str::to_owned).collect()
        })
        .unwrap_or_default();
    let stderr = home.fails(2, &["create", "web1", "--address", "203.0.113.7", "--ca", text(dir)]);
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines[0].starts_with("error"), "{stderr}");
    // A hint, and the commands that it suggests.
    let (hint, commands) = (lines.get(1), lines.get(2..).unwrap_or_default());
    assert!(hint.is_none_or(|hint| hint.starts_with("hint: ")), "{stderr}");
    assert!(commands.iter().all(|command| command.starts_with("  ")), "{stderr}");
    assert!(stderr.contains(text(dir)), "it does not say which authority: {stderr}");
    assert!(stderr.contains(told), "it does not say `{told}`: {stderr}");
    for secret in secrets {
        assert!(!stderr.contains(&secret), "key material is shown: {stderr}");
    }
    assert_eq!(home.ok(&["ls", "-q"]), "");
    assert_eq!(files_below(&home.store()), Vec::<PathBuf>::new(), "something is left of it");
}

#[test]
fn a_ca_that_must_not_sign_is_refused() {
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
    let clients_only = format!("{CA}extendedKeyUsage = clientAuth\n");
    assert_refused(&home, &authority("purpose", &clients_only, USUAL_LIFE), "extended key usage");
}

#[test]
fn a_ca_with_a_repeated_subject_attribute_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for (name, subject) in [("units", "/O=Acme/OU=a/OU=b/CN=root"), ("domain", "/DC=com/DC=example/CN=root")]
    {
        let authority = Elsewhere::new(&home, name, FOREIGN_KEYS[5].1, CA, USUAL_LIFE);
        let ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
        let (key, certificate) = (authority.key(), authority.certificate());
        let request =
            ["req", "-x509", "-new", "-key", text(&key), "-subj", subject, "-out", text(&certificate)];
        openssl(&[&request[..], &ca].concat());
        assert_refused(&home, &authority.dir, "attribute twice");
    }
}

#[test]
fn six_concurrent_first_machines_share_one_ca() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let names: Vec<String> = (0..6).map(|n| format!("web{n}")).collect();
    let spawn = |name: &String| {
        home.command(&["create", name, "--ca", "shared", "--quiet", "--address", "203.0.113.7"])
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = names.iter().map(spawn).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    for name in &names {
        assert_signed_by(&home, name, &home.store().join("certs/ca.pem"), true);
    }
}

#[test]
fn a_ca_with_a_different_key_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    // A key of the same type, and one of another type.
    for (n, (mine, other)) in [(5, 3), (0, 1), (8, 7)].into_iter().enumerate() {
        let authority = Elsewhere::new(&home, &format!("a{n}"), FOREIGN_KEYS[mine].1, CA, USUAL_LIFE);
        fs::write(authority.key(), openssl(FOREIGN_KEYS[other].1)).unwrap();
        assert_refused(&home, &authority.dir, "does not belong");
    }
}

#[test]
fn a_ca_with_an_unsupported_key_is_refused() {
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
    // Keys with a passphrase, in PKCS#8 and in the older format of PKCS#1 and SEC1.
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
fn an_incomplete_or_damaged_ca_is_refused() {
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
                fs::set_permissions(dir.join(file), std::os::unix::fs::PermissionsExt::from_mode(0o600))
                    .unwrap();
            }
        }
        assert_refused(&home, &dir, "");
    }
    assert_refused(&home, &home.path().join("nowhere"), "does not exist");
}

#[test]
fn an_unusable_shared_ca_is_not_changed_and_signs_nothing() {
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
    // If the CA's key is missing, hostseed must not replace the CA.
    fs::remove_file(certs.join("ca-key.pem")).unwrap();
    let before = (files_below(&home.store()), fs::read(certs.join("ca.pem")).unwrap());
    let stderr = home.fails(1, &["create", "web1", "--address", "203.0.113.7", "--ca", "shared"]);
    assert!(stderr.contains("ca-key.pem"), "{stderr}");
    assert_eq!((files_below(&home.store()), fs::read(certs.join("ca.pem")).unwrap()), before);
}
