//! PEM files with unexpected contents: private keys, further certificates, text. Nothing of them is copied to the
//! machine's folder or to the host. A file that can contain a secret or a second CA is refused before anything is
//! written.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::extent::sample;
use crate::support::seed::on_the_host;
use crate::support::{Home, commands_of_hint, files_below, need, run};

const CREATE: [&str; 4] = ["create", "web1", "--address", "203.0.113.7"];
const FORMATS: [&str; 9] =
    ["cloud-config", "script", "mime", "ignition", "nocloud", "bake", "packer", "imagebuilder", "terraform"];

/// A CA in its own folder, made by hostseed, and the certificate of another CA.
struct Ca {
    dir: PathBuf,
    certificate: String,
    key: String,
    other: String,
}

impl Ca {
    fn new(home: &Home) -> Self {
        let elsewhere = home.path().join("elsewhere");
        for name in ["own", "other"] {
            home.ok(&[
                "--store",
                elsewhere.to_str().unwrap(),
                "create",
                name,
                "--quiet",
                "--address",
                "203.0.113.7",
            ]);
        }
        let read = |file: &str| fs::read_to_string(elsewhere.join("certs").join(file)).unwrap();
        let dir = home.path().join("ca");
        fs::create_dir(&dir).unwrap();
        let ca = Self {
            dir,
            certificate: read("own/ca.pem"),
            key: read("own/ca-key.pem"),
            other: read("other/ca.pem"),
        };
        ca.put(&ca.certificate, &ca.key);
        ca
    }

    fn put(&self, certificate: &str, key: &str) {
        fs::write(self.dir.join("ca.pem"), certificate).unwrap();
        let path = self.dir.join("ca-key.pem");
        fs::write(&path, key).unwrap();
        // With another mode, hostseed would fix it and print a note.
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn option(&self) -> &str {
        self.dir.to_str().unwrap()
    }
}

/// The lines of a PEM text that contain key material.
fn secrets(pem: &str) -> Vec<&str> {
    pem.lines().filter(|line| line.len() >= 16 && !line.contains("-----")).collect()
}

fn relabelled(pem: &str, from: &str, to: &str) -> String {
    pem.replace(&format!("BEGIN {from}-----"), &format!("BEGIN {to}-----"))
        .replace(&format!("END {from}-----"), &format!("END {to}-----"))
}

fn indented(pem: &str, by: &str) -> String {
    pem.lines().map(|line| format!("{by}{line}\n")).collect()
}

/// A private key in each state in which it can be left next to a certificate.
fn keys(key: &str) -> Vec<(&'static str, String)> {
    let begin = "-----BEGIN PRIVATE KEY-----\n";
    let body = key.lines().nth(1).unwrap();
    vec![
        ("as it is", key.to_owned()),
        ("without an end", format!("{begin}{body}\n")),
        ("without a beginning", format!("{body}\n-----END PRIVATE KEY-----\n")),
        ("damaged", format!("{begin}{}!\n-----END PRIVATE KEY-----\n", &body[..40])),
        ("indented", indented(key, "    ")),
        ("commented out", indented(key, "# ")),
        ("with four dashes", key.replace("-----", "----")),
        (
            "in lower case",
            key.replace("BEGIN PRIVATE KEY", "begin private key")
                .replace("END PRIVATE KEY", "end private key"),
        ),
        ("RSA", relabelled(key, "PRIVATE KEY", "RSA PRIVATE KEY")),
        ("EC", relabelled(key, "PRIVATE KEY", "EC PRIVATE KEY")),
        ("encrypted", relabelled(key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        ("of OpenSSH", relabelled(key, "PRIVATE KEY", "OPENSSH PRIVATE KEY")),
        ("of an unknown kind", relabelled(key, "PRIVATE KEY", "SOMETHING PRIVATE KEY")),
        ("of PGP", relabelled(key, "PRIVATE KEY", "PGP PRIVATE KEY BLOCK")),
    ]
}

/// Tries a CA with each option that accepts one. Checks that nothing is written and no part of the key is printed.
/// Returns the messages.
fn assert_refused(home: &Home, ca: &Ca, case: &str) -> String {
    let spec = home.path().join("spec.yaml");
    fs::write(&spec, format!("name: web1\naddress: 203.0.113.7\nca: {}\n", ca.option())).unwrap();
    let before = files_below(home.path());
    let mut said = home.fails(2, &[&CREATE[..], &["--ca", ca.option()]].concat());
    assert!(said.starts_with("error[") && said.contains("\nhint: "), "{case}: {said}");
    assert!(said.contains(ca.option()), "{case}: it does not say which CA: {said}");
    said += &home.fails(2, &["create", "-f", "spec.yaml"]);
    let query = format!(r#"{{"name": "web1", "addresses": "203.0.113.7", "ca": "{}"}}"#, ca.option());
    let output = external(home, &query);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]), "{case}");
    said += &String::from_utf8(output.stderr).unwrap();
    assert_eq!(files_below(home.path()), before, "{case}: something was written");

    let certs = home.store().join("certs");
    fs::create_dir_all(&certs).unwrap();
    for file in ["ca.pem", "ca-key.pem"] {
        fs::copy(ca.dir.join(file), certs.join(file)).unwrap();
    }
    let before = files_below(home.path());
    said += &home.fails(1, &[&CREATE[..], &["--ca", "shared"]].concat());
    assert_eq!(files_below(home.path()), before, "{case}: something was written");
    fs::remove_dir_all(home.store()).unwrap();
    assert!(secrets(&ca.key).iter().all(|secret| !said.contains(secret)), "{case}: the key is shown: {said}");
    said
}

fn external(home: &Home, query: &str) -> std::process::Output {
    let path = home.path().join("query.json");
    fs::write(&path, query).unwrap();
    let output = home.command(&["external"]).stdin(fs::File::open(&path).unwrap()).output().unwrap();
    fs::remove_file(path).unwrap();
    output
}

#[test]
fn a_private_key_in_ca_pem_is_refused_before_anything_is_written() {
    let home = Home::new();
    let ca = Ca::new(&home);
    for (case, key) in keys(&ca.key) {
        for text in [format!("{}{key}", ca.certificate), format!("{key}{}", ca.certificate), key.clone()] {
            ca.put(&text, &ca.key);
            let said = assert_refused(&home, &ca, case);
            assert_eq!(said.matches("private key").count(), 4, "{case}: {said}");
        }
    }
}

#[test]
fn a_second_certificate_in_ca_pem_is_refused_and_the_hint_fixes_it() {
    let home = Home::new();
    let ca = Ca::new(&home);
    for text in [
        format!("{}{}", ca.certificate, ca.other),
        format!("{}{}", ca.other, ca.certificate),
        format!("{}{}", ca.certificate, ca.certificate),
    ] {
        ca.put(&text, &ca.key);
        let said = assert_refused(&home, &ca, "a bundle");
        assert!(
            said.contains("contains 2 certificates") && said.contains("each of them could sign clients"),
            "{said}"
        );
        assert!(
            said.contains("hostseed authority") && said.contains("SHA-256 "),
            "it does not say which: {said}"
        );
    }
    if !need("openssl") {
        return;
    }
    for text in [format!("{}{}", ca.certificate, ca.key), format!("{}{}", ca.certificate, ca.other)] {
        ca.put(&text, &ca.key);
        let said = home.fails(2, &[&CREATE[..], &["--ca", ca.option()]].concat());
        let commands = commands_of_hint(&said);
        assert_eq!(commands.len(), 2, "{said}");
        for command in commands {
            run(Command::new("sh").args(["-c", command]));
        }
        assert_eq!(fs::read_to_string(ca.dir.join("ca.pem")).unwrap(), ca.certificate);
        home.ok(&[&CREATE[..], &["--quiet", "--ca", ca.option()]].concat());
        home.ok(&["rm", "-y", "--quiet", "web1"]);
    }
}

#[test]
fn another_block_in_ca_pem_is_refused() {
    let home = Home::new();
    let ca = Ca::new(&home);
    for label in [
        "TRUSTED CERTIFICATE",
        "X509 CERTIFICATE",
        "CERTIFICATE REQUEST",
        "X509 CRL",
        "DH PARAMETERS",
        "EC PARAMETERS",
        "PUBLIC KEY",
        "PKCS7",
    ] {
        let block = relabelled(&ca.other, "CERTIFICATE", label);
        for text in
            [format!("{}{block}", ca.certificate), format!("{block}{}", ca.certificate), block.clone()]
        {
            ca.put(&text, &ca.key);
            let said = assert_refused(&home, &ca, label);
            assert!(said.contains(&format!("`{label}`")), "{label}: {said}");
        }
    }
    // Incomplete, or with bytes after the certificate.
    let cut: String = ca.other.lines().take(3).map(|line| format!("{line}\n")).collect();
    let block = pem::parse(&ca.certificate).unwrap();
    let longer = pem::encode(&pem::Pem::new("CERTIFICATE", [block.contents(), b"more"].concat()));
    for text in [format!("{}{cut}", ca.certificate), format!("{cut}{}", ca.certificate), longer] {
        ca.put(&text, &ca.key);
        assert_refused(&home, &ca, "damaged");
    }
}

#[test]
fn a_key_file_may_contain_only_one_key_and_its_curve_parameters() {
    let home = Home::new();
    let ca = Ca::new(&home);
    let other = fs::read_to_string(home.path().join("elsewhere/certs/other/ca-key.pem")).unwrap();
    let block = pem::parse(&ca.key).unwrap();
    let longer = pem::encode(&pem::Pem::new("PRIVATE KEY", [block.contents(), b"more"].concat()));
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    for (case, text) in [
        ("twice", ca.key.repeat(2)),
        ("another one's too", format!("{}{other}", ca.key)),
        ("a certificate", format!("{}{}", ca.key, ca.certificate)),
        ("a certificate first", format!("{}{}", ca.certificate, ca.key)),
        ("cut short", format!("{}-----BEGIN PRIVATE KEY-----\n", ca.key)),
        ("parameters of PKCS#8", format!("{parameters}{}", ca.key)),
        ("bytes after it", longer),
    ] {
        ca.put(&ca.certificate, &text);
        let said = home.fails(2, &[&CREATE[..], &["--ca", ca.option()]].concat());
        assert!(said.contains("ca-key.pem"), "{case}: {said}");
        assert_eq!(files_below(&home.store()), Vec::<PathBuf>::new(), "{case}: something was written");
    }
}

/// A text without PEM that contains a marker to search for.
fn around() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[^-]{0,60}".prop_map(|text| format!("{text}\nTRAVELS\n")),
        Just(
            "Bag Attributes\n    friendlyName: TRAVELS\n    localKeyID: 54 69\nsubject=CN = TRAVELS\n"
                .to_owned()
        ),
        Just("Certificate:\n    Data:\n        Version: 3 (0x2)\n        Issuer: O=TRAVELS\n".to_owned()),
        Just("\u{feff}# TRAVELS, password=TRAVELS\r\n".to_owned()),
        Just("-----TRAVELS-----\n---- TRAVELS ----\n".to_owned()),
        Just("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTRAVELS\n".to_owned()),
    ]
}

/// The same block with other line ends, indentation or spaces.
fn otherwise(pem: &str, how: u8) -> String {
    match how {
        0 => pem.replace('\n', "\r\n"),
        1 => indented(pem, "  "),
        2 => pem.lines().map(|line| format!("{line} \t\n")).collect(),
        3 => {
            let lines: Vec<_> = pem.lines().collect();
            let (head, tail) = (lines[0], lines[lines.len() - 1]);
            format!("{head}\n{}\n{tail}\n", lines[1..lines.len() - 1].concat())
        }
        _ => pem.to_owned(),
    }
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn text_around_the_pem_of_a_ca_is_not_sent_to_the_host() {
    let home = Home::new();
    let ca = Ca::new(&home);
    let certs = home.store().join("certs");
    fs::create_dir_all(&certs).unwrap();
    let n = Cell::new(0);
    let strategy = (around(), around(), around(), around(), 0..5u8, 0..5u8, any::<bool>());
    let result = runner(60).run(&strategy, |(a, b, c, d, certificate, key, shared)| {
        n.set(n.get() + 1);
        let name = format!("web{}", n.get());
        ca.put(
            &format!("{a}{}{b}", otherwise(&ca.certificate, certificate)),
            &format!("{c}{}{d}", otherwise(&ca.key, key)),
        );
        let mut option = ca.option();
        if shared {
            option = "shared";
            for file in ["ca.pem", "ca-key.pem"] {
                fs::copy(ca.dir.join(file), certs.join(file)).unwrap();
            }
        }
        home.ok(&["create", &name, "--quiet", "--address", "203.0.113.7", "--ca", option]);
        let dir = home.machine(&name);
        prop_assert_eq!(&fs::read_to_string(dir.join("ca.pem")).unwrap(), &ca.certificate);
        for file in files_below(&dir) {
            let bytes = fs::read(dir.join(&file)).unwrap();
            prop_assert!(!String::from_utf8_lossy(&bytes).contains("TRAVELS"), "{}", file.display());
        }
        let seed = on_the_host(&fs::read(dir.join("user-data")).unwrap());
        let (.., bytes) = seed.iter().find(|(path, ..)| path == "etc/docker/ca.pem").unwrap();
        prop_assert_eq!(bytes, ca.certificate.as_bytes());
        Ok(())
    });
    result.unwrap();
}

#[test]
fn only_a_ca_pem_with_the_single_certificate_of_the_key_is_accepted() {
    let home = Home::new();
    let ca = Ca::new(&home);
    let crl = relabelled(&ca.other, "CERTIFICATE", "X509 CRL");
    let pieces = [&ca.certificate, &ca.other, &ca.key, &crl];
    let n = Cell::new(0);
    let strategy = proptest::collection::vec((0..pieces.len(), around()), 0..4);
    let result = runner(60).run(&strategy, |chosen| {
        n.set(n.get() + 1);
        let name = format!("web{}", n.get());
        let text: String = chosen.iter().map(|(piece, text)| format!("{text}{}", pieces[*piece])).collect();
        ca.put(&text, &ca.key);
        let output = home.run(&["create", &name, "--quiet", "--address", "203.0.113.7", "--ca", ca.option()]);
        let alone = matches!(&chosen[..], [(0, _)]);
        prop_assert_eq!(output.status.success(), alone, "{}", text);
        match alone {
            true => prop_assert_eq!(
                &fs::read_to_string(home.machine(&name).join("ca.pem")).unwrap(),
                &ca.certificate
            ),
            false => prop_assert!(!home.machine(&name).exists()),
        }
        Ok(())
    });
    result.unwrap();
}

/// Creates a machine of each role. Returns their names, each with the file name of the host's certificate without its
/// extension.
fn machines(home: &Home) -> [(&'static str, &'static str); 2] {
    home.ok(&["create", "plain", "--quiet", "--address", "203.0.113.7"]);
    home.ok(&["create", "issues", "--quiet"]);
    [("plain", "server"), ("issues", "issuer")]
}

/// All files that `render` makes in a format.
fn rendered(home: &Home, name: &str, format: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let out = home.path().join("out");
    home.ok(&["render", name, "--format", format, "--out", out.to_str().unwrap()]);
    let files = match out.is_dir() {
        true => files_below(&out)
            .into_iter()
            .map(|file| (file.clone(), fs::read(out.join(file)).unwrap()))
            .collect(),
        false => vec![(PathBuf::new(), fs::read(&out).unwrap())],
    };
    if out.is_dir() {
        fs::remove_dir_all(out).unwrap()
    } else {
        fs::remove_file(out).unwrap()
    }
    files
}

#[test]
fn text_around_stored_pem_files_is_not_rendered_in_any_format() {
    let home = Home::new();
    for (name, stem) in machines(&home) {
        let dir = home.machine(name);
        let clean = FORMATS.map(|format| rendered(&home, name, format));
        let files = ["ca.pem".to_owned(), format!("{stem}.pem"), format!("{stem}-key.pem")];
        let before = files.each_ref().map(|file| fs::read_to_string(dir.join(file)).unwrap());
        let strategy = (0..FORMATS.len(), proptest::array::uniform3((around(), around(), 0..5u8)));
        let result = runner(30).run(&strategy, |(n, texts)| {
            for ((file, text), (a, b, how)) in files.iter().zip(&before).zip(texts) {
                fs::write(dir.join(file), format!("{a}{}{b}", otherwise(text, how))).unwrap();
            }
            prop_assert!(rendered(&home, name, FORMATS[n]) == clean[n], "{}", FORMATS[n]);
            Ok(())
        });
        result.unwrap();
    }
}

fn assert_not_rendered(home: &Home, name: &str, case: &str, told: &str) {
    let before = files_below(home.path());
    for format in sample(FORMATS.to_vec(), 4) {
        let said = home.fails(1, &["render", name, "--format", format, "--out", "out"]);
        assert!(said.starts_with("error[") && said.contains("\nhint: "), "{case}, {format}: {said}");
        assert!(said.contains(told), "{case}, {format}: it does not say `{told}`: {said}");
    }
    assert_eq!(files_below(home.path()), before, "{case}: something was written");
}

#[test]
fn a_stored_machine_with_extra_pem_blocks_is_not_rendered() {
    let home = Home::new();
    for (name, stem) in machines(&home) {
        let dir = home.machine(name);
        let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
        let (own, key) = (format!("{stem}.pem"), format!("{stem}-key.pem"));
        let ca_key = fs::read_to_string(home.store().join("certs").join(name).join("ca-key.pem")).unwrap();
        let (ca, certificate, private, client) = (read("ca.pem"), read(&own), read(&key), read("key.pem"));
        let request = relabelled(&certificate, "CERTIFICATE", "CERTIFICATE REQUEST");
        let with = |file: &str, text: String, case: &str, told: &str| {
            let before = read(file);
            fs::write(dir.join(file), text).unwrap();
            assert_not_rendered(&home, name, case, told);
            fs::write(dir.join(file), before).unwrap();
        };
        for (case, secret) in keys(&ca_key) {
            with("ca.pem", format!("{ca}{secret}"), case, "ca.pem");
            with(&own, format!("{certificate}{secret}"), case, &own);
        }
        with("ca.pem", format!("{ca}{certificate}"), "two in ca.pem", "2 certificates");
        with("ca.pem", format!("{ca}{request}"), "a request in ca.pem", "CERTIFICATE REQUEST");
        with(&own, format!("{certificate}{request}"), "a request in the chain", "CERTIFICATE REQUEST");
        with(&own, "garbage\n".to_owned(), "no certificate", "no certificate");
        with(&key, format!("{private}{ca_key}"), "the CA's key too", "2 private keys");
        with(&key, format!("{private}{certificate}"), "a certificate too", "CERTIFICATE");
        with(&key, client, "the client's key", "is not the key of");
        with(&key, ca_key.clone(), "the CA's key", "is not the key of");
        let garbage = "-----BEGIN PRIVATE KEY-----\nAAAABBBBCCCCDDDD\n-----END PRIVATE KEY-----\n";
        with(&key, garbage.to_owned(), "a key that cannot be read", &key);
        with(&key, private.lines().take(2).collect::<Vec<_>>().join("\n"), "a key that is cut short", &key);
        // The chain after a certificate belongs to it.
        fs::write(dir.join(&own), format!("{certificate}TRAVELS\n{ca}")).unwrap();
        let seed = on_the_host(home.ok(&["render", name]).as_bytes());
        let landed = seed.iter().find(|(path, ..)| Path::new(path).ends_with(&own)).unwrap();
        assert_eq!(String::from_utf8_lossy(&landed.2), format!("{certificate}{ca}"));
    }
}

#[test]
fn every_command_that_reads_a_machines_ca_refuses_a_key_in_it() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let key = fs::read_to_string(home.store().join("certs/web1/ca-key.pem")).unwrap();
    let ca = home.machine("web1").join("ca.pem");
    fs::write(&ca, fs::read_to_string(&ca).unwrap() + &key).unwrap();
    let said = home.fails(1, &["inspect", "web1"]);
    assert!(said.contains(ca.to_str().unwrap()) && said.contains("private key"), "{said}");
    let output = external(&home, r#"{"name": "web1"}"#);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{said}");
    assert!(
        said.contains("private key") && secrets(&key).iter().all(|secret| !said.contains(secret)),
        "{said}"
    );
}
