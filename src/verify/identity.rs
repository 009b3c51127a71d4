//! Rules for the certificates of a seed: the chain verifies, the key matches, the names are present, and the validity includes
//! the current time.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::daemon::Daemon;
use super::keys::Owners;
use super::search::{Everything, Found};
use crate::diag::{Code, Diagnostic};
use crate::names::Address;
use crate::pki::{self, Certificate, Purpose, StrayKey, Unsound};
use crate::secret::Secret;
use crate::shell::Command;
use crate::userdata::host_state::{File, HostState};
use crate::userdata::paths::{CA, ISSUER, ISSUER_KEY, SERVER, SERVER_KEY};
use crate::userdata::problems::Problems;

/// The certificates that identify the host.
#[derive(Default)]
pub struct Identity {
    /// All certificates in the file of the CA. dockerd accepts clients of each.
    pub authorities: Vec<Certificate>,
    pub server: Option<Certificate>,
    pub issuer: Option<Certificate>,
    pub sans: Vec<Address>,
    pub owners: Owners,
}

/// Reads the certificates of the host and checks them.
pub fn judge(
    found: &Everything,
    host: &HostState,
    daemon: &Daemon,
    now: OffsetDateTime,
    problems: &mut Problems,
) -> Identity {
    let path =
        |configured: &Option<String>, default: &str| configured.clone().unwrap_or_else(|| default.to_owned());
    let ca_file = host.file(&path(&daemon.tlscacert, CA));
    let server_file = host.file(&path(&daemon.tlscert, SERVER));
    let key_file = host.file(&path(&daemon.tlskey, SERVER_KEY));
    let issuer_file = host.file(ISSUER);
    let mut read =
        |file: Option<&File>| file.map(|file| certificates(file, now, problems)).unwrap_or_default();
    let (authority, server, issuer) = (read(ca_file), read(server_file), read(issuer_file));

    let mut judge = Judge { authority: &authority, ca_file, now, problems };
    if let Some(file) = ca_file {
        judge.authorities(file);
    }
    if let Some((file, (leaf, chain))) = server_file.zip(server.split_first()) {
        judge.server(file, leaf, chain);
        judge.key(file, leaf, key_file);
    }
    if let Some((file, (certificate, chain))) = issuer_file.zip(issuer.split_first()) {
        let key_file = host.file(ISSUER_KEY);
        judge.key(file, certificate, key_file);
        judge.issuer(file, certificate, chain, key_file);
    }
    let mut identity = Identity {
        authorities: authority.clone(),
        server: server.first().cloned(),
        issuer: issuer.first().cloned(),
        sans: server.first().map(Certificate::sans).unwrap_or_default(),
        owners: Owners::default(),
    };
    identity.owners = owners(found, authority, server, issuer);
    identity
}

/// Collects all certificates by their roles.
fn owners(
    found: &Everything,
    authority: Vec<Certificate>,
    server: Vec<Certificate>,
    issuer: Vec<Certificate>,
) -> Owners {
    let first = |certificates: Vec<Certificate>| certificates.into_iter().take(1).collect::<Vec<_>>();
    let everywhere = [&found.files, &found.inline, &found.parts].into_iter().flatten();
    let mut others: Vec<Certificate> = Vec::new();
    let mut known = HashSet::new();
    let certificates = everywhere.flat_map(|Found { certificates, .. }| certificates);
    others.extend(certificates.filter(|certificate| known.insert(certificate.pem())).cloned());
    Owners { server: first(server), issuer: first(issuer), authority, others }
}

/// Reads the certificates of a file. Checks the file's mode, and the validity and strength of each certificate.
fn certificates(file: &File, now: OffsetDateTime, problems: &mut Problems) -> Vec<Certificate> {
    let path = &file.path;
    if file.mode & 0o002 != 0 {
        let text = format!("`{path}` is world-writable (mode {:04o})", file.mode);
        problems.add(&file.place, Diagnostic::error(Code::WritableCertificate, text).hint("set mode 0644"));
    }
    let certificates = match Certificate::all_from_pem(&file.text()) {
        Ok(certificates) => certificates,
        Err(error) => {
            problems.add(
                &file.place,
                Diagnostic::error(
                    Code::CertificateUnreadable,
                    format!("`{path}` cannot be read as a certificate: {error}"),
                )
                .hint("replace it with a certificate in PEM"),
            );
            return Vec::new();
        }
    };
    for (n, certificate) in certificates.iter().enumerate() {
        let which = if n == 0 { format!("`{path}`") } else { format!("certificate {} of `{path}`", n + 1) };
        let validity = certificate.validity();
        if validity.is_expired(now) {
            let text = format!("{which} expired on {}", validity.not_after.date());
            problems.add(
                &file.place,
                Diagnostic::error(Code::CertificateTime, text)
                    .hint("make new certificates; for a machine of hostseed with `hostseed renew`"),
            );
        } else if now < validity.not_before {
            let text = format!("{which} is not valid before {}", moment(validity.not_before));
            problems.add(
                &file.place,
                Diagnostic::error(Code::CertificateTime, text)
                    .hint("wait until then, or correct this computer's clock"),
            );
        } else if validity.expires_soon(now) {
            let text = format!("{which} expires on {}", validity.not_after.date());
            problems.add(
                &file.place,
                Diagnostic::warning(Code::CertificateExpiresSoon, text).hint(
                    "make new certificates before that date; for a machine of hostseed with `hostseed renew`",
                ),
            );
        }
        if let Some(weakness) = certificate.weakness() {
            problems.add(
                &file.place,
                Diagnostic::error(Code::WeakCertificate, format!("{which} {weakness}"))
                    .hint("issue it again with a P-256 key and SHA-256"),
            );
        }
    }
    certificates
}

fn moment(time: OffsetDateTime) -> String {
    time.format(&time::format_description::well_known::Rfc3339).unwrap_or_else(|_| time.to_string())
}

struct Judge<'a> {
    authority: &'a [Certificate],
    ca_file: Option<&'a File>,
    now: OffsetDateTime,
    problems: &'a mut Problems,
}

impl Judge<'_> {
    fn error(&mut self, file: &File, code: Code, text: String, hint: &str) {
        self.problems.add(&file.place, Diagnostic::error(code, text).hint(hint));
    }

    fn authorities(&mut self, file: &File) {
        if self.authority.len() > 1 {
            let subjects: Vec<_> = self.authority.iter().map(|ca| format!("`{}`", ca.subject())).collect();
            let text = format!(
                "`{}` contains {} certificates, and each of them can sign clients that control Docker: {}",
                file.path,
                subjects.len(),
                subjects.join(", ")
            );
            let warning = Diagnostic::warning(Code::SeveralCas, text);
            self.problems.add(
                &file.place,
                warning.hint(match self.authority.len() {
                    2 => "keep only the CA certificate that signs the client certificates; two are right while `hostseed renew --authority` replaces the CA",
                    _ => "keep only the CA certificate that signs the client certificates",
                }),
            );
        }
        for certificate in self.authority.iter().filter(|certificate| !certificate.is_authority()) {
            let text = format!(
                "`{}` contains a certificate that is not a CA's: `{}`",
                file.path,
                certificate.subject()
            );
            self.error(
                file,
                Code::CertificatePurpose,
                text,
                "replace it with the CA certificate that signs the client certificates",
            );
        }
    }

    fn server(&mut self, file: &File, leaf: &Certificate, chain: &[Certificate]) {
        let path = &file.path;
        if leaf.sans().is_empty() {
            let text =
                format!("`{path}` has no subject alternative name, so docker accepts it for no address");
            self.error(file, Code::CertificateNames, text, "issue it with `subjectAltName`");
        }
        let Some(ca) = self.ca_file.filter(|_| !self.authority.is_empty()) else { return };
        if let Err(unsound) = pki::judge(leaf, chain, self.authority, Purpose::Server, self.now) {
            let ca = &ca.path;
            let code = match unsound {
                Unsound::Purpose | Unsound::Authority => Code::CertificatePurpose,
                Unsound::OtherAuthority if leaf.is_authority() => Code::CertificatePurpose,
                _ => Code::CertificateChain,
            };
            let (text, hint) = match unsound {
                Unsound::OtherAuthority if leaf.is_authority() => (
                    format!("`{path}` is a CA certificate, not a server certificate"),
                    "replace it with the server certificate",
                ),
                Unsound::OtherAuthority => (
                    format!("`{path}` is not signed by the CA in `{ca}`"),
                    "use the certificates of one machine, and put intermediate certificates after the server certificate",
                ),
                Unsound::Authority => (
                    format!("`{path}` is a CA certificate, not a server certificate"),
                    "replace it with the server certificate",
                ),
                Unsound::Purpose => (
                    format!(
                        "`{path}` is not a server certificate: its extended key usage, or its issuer's, lacks serverAuth"
                    ),
                    "replace it with the server certificate",
                ),
                Unsound::PathLength => (
                    format!("`{path}` has more CAs above it than their path length allows"),
                    "sign it with the CA in `ca.pem` itself",
                ),
                Unsound::Names => (
                    format!("`{path}` has a name that the name constraints of the CA in `{ca}` do not allow"),
                    "issue it for other names",
                ),
                Unsound::Unsupported(what) => {
                    (format!("the CA's certificate in `{ca}` has {what}"), "use a CA without it")
                }
                Unsound::NoAuthority => (
                    format!("`{path}` is signed by a certificate that is not a CA's"),
                    "sign it with the CA's key",
                ),
                Unsound::Unchecked => {
                    let text = format!("`{path}` has a signature that hostseed cannot check");
                    return self.problems.add(
                        &file.place,
                        Diagnostic::warning(Code::CertificateChain, text)
                            .hint("check it with openssl:")
                            .run(Command::of("openssl", ["verify", "-CAfile", "ca.pem", "server.pem"])),
                    );
                }
                Unsound::Other(why) => (
                    format!("`{path}` does not verify with `{ca}`: {why}"),
                    "`openssl verify -CAfile ca.pem server.pem` shows more",
                ),
            };
            return self.error(file, code, text, hint);
        }
        // The server key is in the user-data, and every process on the host can read the user-data.
        if pki::judge(leaf, chain, self.authority, Purpose::Client, self.now).is_ok() {
            let text = format!(
                "`{path}` is valid for clients too: anyone who has the user-data can control Docker with its private key"
            );
            self.error(
                file,
                Code::CertificatePurpose,
                text,
                "issue it with only serverAuth as extended key usage",
            );
        }
    }

    /// Checks that the certificate's private key is present and matches.
    fn key(&mut self, file: &File, certificate: &Certificate, key_file: Option<&File>) {
        let Some(key_file) = key_file else {
            let text = format!("`{}` is in the user-data without its private key", file.path);
            return self.error(file, Code::MissingKey, text, "add the private key, with mode 0600");
        };
        match self.only_key(key_file) {
            Some(key) if key.belongs_to(certificate) || !key.is_known() => {}
            Some(_) => {
                let text = format!("`{}` is not the private key of `{}`", key_file.path, file.path);
                self.error(
                    key_file,
                    Code::KeyMismatch,
                    text,
                    "use the certificate and the private key of one machine",
                );
            }
            None => {
                let text = format!("`{}` contains no private key", key_file.path);
                self.error(key_file, Code::MissingKey, text, "put the private key there, in PEM");
            }
        }
    }

    fn only_key(&self, file: &File) -> Option<StrayKey> {
        let blocks = pem::parse_many(&*file.bytes).unwrap_or_default();
        let broken = || file.text().contains("PRIVATE KEY-----").then(|| StrayKey::broken(&file.bytes));
        blocks.iter().find_map(StrayKey::from_pem).or_else(broken)
    }

    /// Checks that a boot issuer can sign server certificates one level below the CA, and no client certificates. Verifies a
    /// trial certificate with the properties of those that the boot issuer would sign.
    fn issuer(&mut self, file: &File, issuer: &Certificate, chain: &[Certificate], key_file: Option<&File>) {
        let path = &file.path;
        if !issuer.is_authority() {
            let text = format!("`{path}` is not a CA certificate, so it cannot issue certificates");
            return self.error(
                file,
                Code::CertificatePurpose,
                text,
                "issue it with `basicConstraints=CA:TRUE` and the key usage keyCertSign",
            );
        }
        let key = key_file.map(|file| Secret::new(file.text().into_owned()));
        let Some(Ok(leaf)) = key.map(|key| pki::trial_leaf(issuer, &key)) else { return };
        let above: Vec<Certificate> = [issuer].into_iter().chain(chain).cloned().collect();
        let Some(ca) = self.ca_file.filter(|_| !self.authority.is_empty()) else { return };
        if let Err(unsound) = pki::judge(&leaf, &above, self.authority, Purpose::Server, self.now) {
            let ca = &ca.path;
            let code = match unsound {
                Unsound::Purpose => Code::CertificatePurpose,
                _ => Code::CertificateChain,
            };
            let text = match unsound {
                Unsound::OtherAuthority => format!("`{path}` is not signed by the CA in `{ca}`"),
                Unsound::Purpose => {
                    format!(
                        "`{path}` cannot issue server certificates: its extended key usage lacks serverAuth"
                    )
                }
                Unsound::PathLength => {
                    format!("`{path}` has more CAs above it than the path length of `{ca}` allows")
                }
                Unsound::Names => format!(
                    "the CA in `{ca}` has name constraints, and the names that `{path}` will issue for are not known yet"
                ),
                Unsound::Unchecked => format!("`{path}` has a signature that hostseed cannot check"),
                other => format!("certificates that `{path}` issues do not verify with `{ca}`: {other}"),
            };
            return self.error(
                file,
                code,
                text,
                "`hostseed create NAME` without `--address` makes a valid boot issuer",
            );
        }
        if pki::judge(&leaf, &above, self.authority, Purpose::Client, self.now).is_ok() {
            let text = format!(
                "`{path}` can issue client certificates too: anyone who has the user-data can control every host of the CA with its private key"
            );
            self.error(
                file,
                Code::CertificatePurpose,
                text,
                "issue it with only serverAuth as extended key usage",
            );
        }
    }
}
