//! Rule: a seed contains only private keys that the host needs. No message shows a key itself.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::search::{Everything, MAX_CERTIFICATES, MAX_KEYS};
use crate::diag::{Code, Diagnostic, Place, Severity};
use crate::pki::{self, Certificate, Purpose, StrayKey};
use crate::userdata::budget::Budget;
use crate::userdata::host_state::{File, HostState};
use crate::userdata::problems::{Lines, Problems};
use crate::userdata::seed::Part;

/// The certificates that a private key can belong to, by their role for the host.
#[derive(Default)]
pub struct Owners {
    pub server: Vec<Certificate>,
    pub issuer: Vec<Certificate>,
    pub authority: Vec<Certificate>,
    /// All other certificates anywhere in the seed.
    pub others: Vec<Certificate>,
}

/// A private key that may be in the seed.
pub struct Held {
    /// The certificate that the key belongs to: `server`, `boot issuer`, …
    pub owner: &'static str,
    pub path: Option<String>,
    pub mode: Option<u32>,
}

/// Maximum number of intermediates that are tried. No real seed has more.
const MAX_INTERMEDIATES: usize = 16;

/// Checks every private key of a seed, and returns the keys that may be there.
pub fn judge(
    parts: &[Part],
    host: &HostState,
    found: Everything,
    owners: &Owners,
    now: OffsetDateTime,
    budget: &Budget,
    problems: &mut Problems,
) -> Vec<Held> {
    let authorities = owners.others.iter().filter(|other| other.is_authority());
    let intermediates = authorities.take(MAX_INTERMEDIATES).cloned().collect();
    let mut judge = Judge { owners, intermediates, now, problems, seen: HashSet::new(), held: Vec::new() };
    for (file, found) in host.files().iter().zip(found.files) {
        for (key, _) in found.keys {
            judge.check_in_file(key, file);
        }
    }
    for (inline, found) in host.inline.iter().zip(found.inline) {
        for (key, _) in found.keys {
            judge.check_elsewhere(key, &inline.place, Some(&inline.name));
        }
    }
    // Then the parts as a whole, for text that no reader interprets: comments, scripts, parts of unknown kinds.
    for (part, found) in parts.iter().zip(found.parts) {
        let lines = Lines::new(&part.bytes);
        for (key, at) in found.keys {
            judge.check_elsewhere(key, &part.place.at(lines.position_within(at, budget)), None);
        }
    }
    judge.held
}

/// Reports that there were too many private keys or certificates to check all of them.
pub fn check_number(found: &Everything, place: &Place, problems: &mut Problems) {
    if found.too_many_keys {
        let problem = Diagnostic::error(
            Code::VerifyLimit,
            format!("has more than {MAX_KEYS} private keys, and the others were not checked"),
        );
        problems
            .add(place, problem.hint("remove the private keys that the host does not need: it needs one"));
    }
    if found.too_many_certificates {
        let problem = Diagnostic::warning(
            Code::NotChecked,
            format!("has more than {MAX_CERTIFICATES} certificates, and the others were not checked"),
        );
        problems.add(place, problem.hint("verify its parts one by one"));
    }
}

struct Judge<'a> {
    owners: &'a Owners,
    /// CA certificates that can be between the CA and a leaf certificate.
    intermediates: Vec<Certificate>,
    now: OffsetDateTime,
    problems: &'a mut Problems,
    /// Identifiers of the keys that were reported or accepted before.
    seen: HashSet<[u8; 32]>,
    held: Vec<Held>,
}

impl Judge<'_> {
    fn check_in_file(&mut self, key: StrayKey, file: &File) {
        let path = &file.path;
        if file.is_shared() {
            let text = format!(
                "`{path}` contains {} and is accessible to other users than root (mode {:04o})",
                key.kind, file.mode
            );
            self.problems.add(&file.place, Diagnostic::error(Code::ReadableKey, text).hint("set mode 0600"));
        }
        if let Some(owner) = file.foreign_owner() {
            let text = format!(
                "`{path}` contains {} and belongs to `{}`, not to root",
                key.kind,
                owner.escape_debug()
            );
            self.problems.add(
                &file.place,
                Diagnostic::warning(Code::KeyOwner, text).hint("remove the owner, or set it to `root:root`"),
            );
        }
        match self.owner(&key) {
            Ok(owner) => self.held.push(Held { owner, path: Some(path.clone()), mode: Some(file.mode) }),
            Err(problem) => {
                let problem = by_its_name(problem.about(format_args!("`{path}`")), file.name());
                let problem = if is_folder_for_keys(path) { intended(problem) } else { problem };
                self.problems.add(&file.place, problem);
            }
        }
        self.seen.insert(*key.id());
    }

    fn check_elsewhere(&mut self, key: StrayKey, place: &Place, name: Option<&str>) {
        if self.seen.contains(key.id()) {
            return;
        }
        // cloud-init's own field for the host's SSH keys, so the key is there on purpose.
        if let Some(name) = name.filter(|name| name.starts_with("ssh_keys.")) {
            let text = format!(
                "`{name}` contains the host's SSH key: anyone who has the user-data can impersonate the host to `ssh`"
            );
            self.problems.add(
                place,
                Diagnostic::warning(Code::SshHostKey, text)
                    .hint("remove it: the host then makes its own key"),
            );
        } else {
            match self.owner(&key) {
                Ok(owner) => self.held.push(Held { owner, path: None, mode: None }),
                Err(problem) => {
                    let problem = match name {
                        Some(name) if is_field_for_keys(name) => {
                            intended(problem.about(format_args!("`{name}`")))
                        }
                        Some(name) => problem.about(format_args!("`{name}`")),
                        None => problem,
                    };
                    self.problems.add(place, problem);
                }
            }
        }
        self.seen.insert(*key.id());
    }

    /// Returns the owner of a key, or the problem if the key must not be in the seed.
    fn owner(&self, key: &StrayKey) -> Result<&'static str, Diagnostic> {
        let of =
            |certificates: &[Certificate]| certificates.iter().any(|certificate| key.belongs_to(certificate));
        let Owners { server, issuer, authority, others } = self.owners;
        let stays = "remove it from the user-data, and make a new key: others may have read this one";
        let of_authority = || {
            let text = "contains the CA's private key: anyone who has it can make client certificates and control every host of the CA";
            Err(Diagnostic::error(Code::CaKeyInSeed, text).hint(stays))
        };
        if of(authority) {
            return of_authority();
        }
        if of(issuer) {
            return Ok("boot issuer");
        }
        if of(server) {
            return Ok("server");
        }
        match others.iter().find(|other| key.belongs_to(other)) {
            Some(other)
                if pki::judge(other, &self.intermediates, authority, Purpose::Client, self.now).is_ok() =>
            {
                let text = "contains a client's private key: anyone who has it can control the host as root";
                Err(Diagnostic::error(Code::ClientKeyInSeed, text).hint(stays))
            }
            Some(other) if other.is_authority() => of_authority(),
            Some(_) => Ok("another certificate"),
            None => {
                let tail =
                    if key.is_whole() { ", which belongs to no certificate in the user-data" } else { "" };
                let text = format!("contains {}{tail}", key.kind);
                let hint = match key.is_known() {
                    true => {
                        "remove it: a host needs only the private key of its server certificate or of its boot issuer"
                    }
                    false => {
                        "hostseed supports RSA keys of 2048 to 4096 bits, P-256, P-384 and Ed25519, without a passphrase"
                    }
                };
                Err(Diagnostic::error(Code::StrayKey, text).hint(hint))
            }
        }
    }
}

/// Returns whether a file is in a folder where programs other than Docker expect private keys.
fn is_folder_for_keys(path: &str) -> bool {
    const FOLDERS: [&str; 20] = [
        "/etc/apache2/",
        "/etc/chef/",
        "/etc/haproxy/",
        "/etc/httpd/",
        "/etc/ipsec.d/",
        "/etc/kubernetes/",
        "/etc/letsencrypt/",
        "/etc/nginx/",
        "/etc/openvpn/",
        "/etc/pki/",
        "/etc/postfix/",
        "/etc/puppet/",
        "/etc/puppetlabs/",
        "/etc/rancher/",
        "/etc/salt/",
        "/etc/ssh/",
        "/etc/ssl/",
        "/etc/swanctl/",
        "/etc/vault.d/",
        "/etc/wireguard/",
    ];
    path.contains("/.ssh/") || FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// Returns whether a field of a cloud-config is there for a private key.
fn is_field_for_keys(name: &str) -> bool {
    ["salt_minion.", "chef.", "mcollective.", "puppet.", "wireguard.", "ca_certs.", "ca-certs."]
        .iter()
        .any(|module| name.starts_with(module))
}

/// Makes a key that the host does not need for Docker a warning, where it is put on purpose.
fn intended(problem: Diagnostic) -> Diagnostic {
    match problem.code {
        Code::StrayKey => Diagnostic {
            severity: Severity::Warning,
            hint: Some(
                "every process on the host can read user-data, so let the host fetch the key from elsewhere, or accept the risk"
                    .to_owned(),
            ),
            ..problem
        },
        _ => problem,
    }
}

/// Adds the owner that the file name suggests in Docker's and Docker Machine's folders, if nothing else identifies the key's
/// owner.
fn by_its_name(problem: Diagnostic, name: &str) -> Diagnostic {
    let owner = match name {
        "ca-key.pem" => "the CA's",
        "key.pem" | "client-key.pem" => "a client's",
        _ => return problem,
    };
    match problem.code {
        Code::StrayKey => {
            Diagnostic { message: format!("{} (by its file name {owner})", problem.message), ..problem }
        }
        _ => problem,
    }
}
