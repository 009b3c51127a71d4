//! Inspects certificates and keys with openssl.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::extent::is_full;
use super::{Home, run};

pub const KEYS: [&str; 5] = ["p256", "p384", "ed25519", "rsa2048", "rsa4096"];
/// Key types that take less than a second to generate. For tests in which the key type matters little.
pub const QUICK_KEYS: [&str; 4] = ["p256", "p384", "ed25519", "rsa2048"];

/// Key types to test: all of them in CI, and one of each family elsewhere.
pub fn keys() -> Vec<&'static str> {
    if is_full() { KEYS.to_vec() } else { vec!["p256", "ed25519", "rsa2048"] }
}

/// Like [`keys`], but only types that take less than a second to generate.
pub fn quick_keys() -> Vec<&'static str> {
    if is_full() { QUICK_KEYS.to_vec() } else { vec!["p256", "rsa2048"] }
}

pub const LEAVES: [&str; 2] = ["server", "cert"];
/// Maximum time that a test may need between reading the clock and making a certificate.
pub const SLACK: Duration = Duration::minutes(2);

pub fn openssl(args: &[&str]) -> String {
    String::from_utf8(run(Command::new("openssl").args(args)).stdout).unwrap()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Creates a machine with every kind of name in its certificate, and returns its folder.
pub fn create(home: &Home, name: &str, options: &[&str]) -> PathBuf {
    let words = ["create", name, "--quiet", "--address", "203.0.113.7", "--address", "docker.example.com"];
    let sans = ["--address", "2001:db8::7", "--tls-san", "*.example.org"];
    home.ok(&[&words[..], &sans, options].concat());
    home.machine(name)
}

/// Whether openssl verifies a certificate with `ca` and without the system's CAs.
pub fn verifies(ca: &Path, certificate: &Path, options: &[&str]) -> bool {
    verify(ca, certificate, options).status.success()
}

pub fn verify(ca: &Path, certificate: &Path, options: &[&str]) -> Output {
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", text(ca)]);
    openssl.args(options).arg(certificate).output().unwrap()
}

pub fn assert_verifies(ca: &Path, certificate: &Path, options: &[&str]) {
    let output = verify(ca, certificate, options);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{} {options:?}: {said}", certificate.display());
}

/// An extension as openssl prints it, including `critical`. Empty if the certificate does not have it.
pub fn extension(certificate: &Path, name: &str) -> String {
    let output = openssl(&["x509", "-noout", "-in", text(certificate), "-ext", name]);
    let lines: Vec<_> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let critical = lines.first().is_some_and(|head| head.ends_with("critical"));
    let value = lines.get(1..).unwrap_or_default().join(" ");
    if critical { format!("critical {value}") } else { value }
}

/// A field that `openssl x509` prints as `name=value`.
pub fn field(certificate: &Path, option: &str) -> String {
    let args = ["x509", "-noout", "-in", text(certificate), "-dateopt", "iso_8601", "-sha256"];
    let output = openssl(&[&args[..], &[option, "-nameopt", "RFC2253"]].concat());
    output.trim().split_once('=').unwrap().1.to_owned()
}

pub fn not_before(certificate: &Path) -> OffsetDateTime {
    OffsetDateTime::parse(&field(certificate, "-startdate").replace(' ', "T"), &Rfc3339).unwrap()
}

pub fn not_after(certificate: &Path) -> OffsetDateTime {
    OffsetDateTime::parse(&field(certificate, "-enddate").replace(' ', "T"), &Rfc3339).unwrap()
}

pub fn public_key_of_certificate(certificate: &Path) -> String {
    openssl(&["x509", "-noout", "-pubkey", "-in", text(certificate)])
}

pub fn public_key_of_key(key: &Path) -> String {
    openssl(&["pkey", "-pubout", "-in", text(key)])
}

pub fn sans(certificate: &Path) -> Vec<String> {
    let names = extension(certificate, "subjectAltName");
    let bare = |name: &str| {
        let (kind, name) = name.trim().split_once(':').unwrap();
        if kind == "IP Address" { name.parse::<IpAddr>().unwrap().to_string() } else { name.to_owned() }
    };
    names.split(',').map(bare).collect()
}

#[track_caller]
pub fn assert_close(time: OffsetDateTime, wanted: OffsetDateTime) {
    assert!((time - wanted).abs() < SLACK, "{time}, wanted about {wanted}");
}
