//! Every private key of a seed is found, wherever it stands and whatever is around it, and has to have business there.
//! What a key is never gets into a message.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::finding::{Place, Problems};
use super::landing::{File, Landing};
use super::packing::{self, Budget};
use super::seed::Part;
use crate::pki::{self, Certificate, Purpose, StrayKey};
use crate::report::Complaint;

/// Shorter base64 holds no private key: Ed25519's in PKCS#8 is 64 letters.
const SHORTEST: usize = 60;
/// Base64 in gzip in base64 and so on.
const DEEPEST: usize = 4;

/// Padding or not: this only looks whether there is something.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The certificates that a key may belong to, by what they are to the host.
#[derive(Default)]
pub struct Owners {
    pub server: Vec<Certificate>,
    pub issuer: Vec<Certificate>,
    pub authority: Vec<Certificate>,
    /// All others that are somewhere in the seed.
    pub others: Vec<Certificate>,
}

/// A key that may be there.
pub struct Held {
    /// `the server's`, `the boot issuer's`, …
    pub whose: &'static str,
    pub path: Option<String>,
    pub mode: Option<u32>,
}

/// Whether a text is worth looking through: it says that it has a key, or has base64 in which one may be.
pub fn is_worth_a_look(text: &str) -> bool {
    text.contains("PRIVATE KEY") || runs(text).any(|run| run.len() >= SHORTEST)
}

/// What there is in some bytes, whatever is around it.
#[derive(Default)]
pub struct Found {
    pub keys: Vec<StrayKey>,
    pub certificates: Vec<Certificate>,
}

/// All private keys and certificates in there.
pub fn find(bytes: &[u8], budget: &Budget) -> Found {
    let mut found = Found::default();
    look(bytes, budget, 0, &mut found);
    found
}

fn look(bytes: &[u8], budget: &Budget, depth: usize, found: &mut Found) {
    if depth > DEEPEST {
        return;
    }
    if bytes.starts_with(&packing::GZIP) {
        // What is wrong with it is told by those who unpack it as the host does.
        return if let Ok(plain) = packing::gunzip(bytes, budget) {
            look(&plain, budget, depth + 1, found);
        };
    }
    if bytes.first() == Some(&0x30)
        && let Some(key) = StrayKey::from_der(bytes)
    {
        return found.add(key);
    }
    let text = String::from_utf8_lossy(bytes);
    if text.contains("-----BEGIN ") {
        // In JSON, and in texts in quotes, a line break is two letters.
        let text = Zeroizing::new(text.replace("\\r", "").replace("\\n", "\n"));
        blocks(&text, found);
    }
    for run in runs(&text).filter(|run| run.len() >= SHORTEST) {
        if let Ok(decoded) = LENIENT.decode(run.as_bytes()).map(Zeroizing::new) {
            look(&decoded, budget, depth + 1, found);
        }
    }
}

impl Found {
    fn add(&mut self, key: StrayKey) {
        if !self.keys.iter().any(|known| known.same_as(&key)) {
            self.keys.push(key);
        }
    }
}

/// Keys and certificates in PEM, indented, commented out, or not.
fn blocks(text: &str, found: &mut Found) {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    for (start, begin) in text.match_indices("-----BEGIN ") {
        let Some((label, body)) = text[start + begin.len()..].split_once("-----") else { continue };
        let (is_key, is_certificate) = (label.contains("PRIVATE KEY"), label == "CERTIFICATE");
        if label.len() > 40 || !(is_key || is_certificate) {
            continue;
        }
        let Some(end) = body.find(&format!("-----END {label}-----")) else {
            if is_key {
                found.add(StrayKey::broken(label.as_bytes()));
            }
            continue;
        };
        let lines: Vec<&str> = body[..end].lines().map(|line| line.trim_matches(|c| !letter(c))).collect();
        let block = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n").trim());
        let block = Zeroizing::new(block);
        if is_certificate {
            found.certificates.extend(Certificate::from_pem(&block));
        } else {
            let key = pem::parse(block.as_bytes()).ok().as_ref().and_then(StrayKey::from_pem);
            found.add(key.unwrap_or_else(|| StrayKey::broken(block.as_bytes())));
        }
    }
}

/// What is base64 by its letters: lines of one length, and the shorter one after them, are one.
fn runs(text: &str) -> impl Iterator<Item = String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut found: Vec<String> = Vec::new();
    let mut width = None;
    for line in text.lines().map(str::trim) {
        let whole = !line.is_empty() && line.chars().all(letters);
        match (whole, width, found.last_mut()) {
            (true, Some(wide), Some(last)) if line.len() <= wide => {
                last.push_str(line);
                width = (line.len() == wide).then_some(wide);
            }
            (true, ..) => {
                found.push(line.to_owned());
                width = Some(line.len());
            }
            _ => {
                width = None;
                found.extend(
                    line.split(|c| !letters(c)).filter(|run| run.len() >= SHORTEST).map(str::to_owned),
                );
            }
        }
    }
    found.into_iter()
}

/// Judges every key of a seed, and returns those that may be there.
pub fn judge(
    parts: &[Part],
    landing: &Landing,
    owners: &Owners,
    now: OffsetDateTime,
    budget: &Budget,
    problems: &mut Problems,
) -> Vec<Held> {
    let mut judge = Judge { owners, now, problems, told: Vec::new(), held: Vec::new() };
    for file in &landing.files {
        for key in find(&file.bytes, budget).keys {
            judge.in_file(key, file);
        }
    }
    for loose in &landing.loose {
        for key in find(loose.text.as_bytes(), budget).keys {
            judge.elsewhere(key, &loose.place, Some(&loose.name));
        }
    }
    // And what no reader has made anything of: comments, scripts, parts of unknown kinds.
    for part in parts {
        for key in find(&part.bytes, budget).keys {
            judge.elsewhere(key, &part.place, None);
        }
    }
    judge.held
}

struct Judge<'a> {
    owners: &'a Owners,
    now: OffsetDateTime,
    problems: &'a mut Problems,
    told: Vec<StrayKey>,
    held: Vec<Held>,
}

impl Judge<'_> {
    fn in_file(&mut self, key: StrayKey, file: &File) {
        let path = &file.path;
        if file.is_shared() {
            let text = format!(
                "`{path}` holds {} and can be read by others than root (mode {:04o})",
                key.kind, file.mode
            );
            self.problems.error(&file.place, Complaint::new(text).hint("give it mode 0600"));
        }
        if let Some(owner) = file.foreign_owner() {
            let text =
                format!("`{path}` holds {} and belongs to `{}`, not to root", key.kind, owner.escape_debug());
            self.problems.warning(
                &file.place,
                Complaint::new(text).hint("leave out the owner, or make it `root:root`"),
            );
        }
        match self.whose(&key) {
            Ok(whose) => self.held.push(Held { whose, path: Some(path.clone()), mode: Some(file.mode) }),
            Err(complaint) => {
                let text = format!("`{path}` {}", complaint.text);
                self.problems
                    .error(&file.place, Complaint { text: by_its_name(text, file.name()), ..complaint });
            }
        }
        self.told.push(key);
    }

    fn elsewhere(&mut self, key: StrayKey, place: &Place, name: Option<&str>) {
        if self.told.iter().any(|told| told.same_as(&key)) {
            return;
        }
        // cloud-init's own field for a host's keys: at least it is meant so.
        if let Some(name) = name.filter(|name| name.starts_with("ssh_keys.")) {
            let text = format!(
                "`{name}` is the host's SSH key: whoever reads the user-data can pose as this host to `ssh`"
            );
            self.problems
                .warning(place, Complaint::new(text).hint("leave it out, and the host makes its own"));
        } else {
            match self.whose(&key) {
                Ok(whose) => self.held.push(Held { whose, path: None, mode: None }),
                Err(complaint) => {
                    let text =
                        name.map_or(complaint.text.clone(), |name| format!("`{name}` {}", complaint.text));
                    self.problems.error(place, Complaint { text, ..complaint });
                }
            }
        }
        self.told.push(key);
    }

    /// Whose a key is, if it may be here.
    fn whose(&self, key: &StrayKey) -> Result<&'static str, Complaint> {
        let of =
            |certificates: &[Certificate]| certificates.iter().any(|certificate| key.belongs_to(certificate));
        let Owners { server, issuer, authority, others } = self.owners;
        let stays =
            "it stays on your machine; make the seed without it, and a new one, since this one has been seen";
        let of_authority = || {
            let text =
                "holds the authority's key: whoever reads it makes clients, and commands every host of it";
            Err(Complaint::new(text).hint(stays))
        };
        if of(authority) {
            return of_authority();
        }
        if of(issuer) {
            return Ok("the boot issuer's");
        }
        if of(server) {
            return Ok("the server's");
        }
        match others.iter().find(|other| key.belongs_to(other)) {
            Some(other) if pki::judge(other, others, authority, Purpose::Client, self.now).is_ok() => {
                let text = "holds a client's key: whoever reads it commands the host, as root";
                Err(Complaint::new(text).hint(stays))
            }
            Some(other) if other.is_authority() => of_authority(),
            Some(_) => Ok("another certificate's"),
            None => {
                let tail = if key.is_whole() { ", which belongs to no certificate in the seed" } else { "" };
                let text = format!("holds {}{tail}", key.kind);
                let hint = match key.is_known() {
                    true => {
                        "leave it out: a host needs the key of its server's certificate, or of its boot issuer's, and no other"
                    }
                    false => {
                        "hostseed reads RSA of 2048 to 4096 bits, P-256, P-384 and Ed25519, without a passphrase"
                    }
                };
                Err(Complaint::new(text).hint(hint))
            }
        }
    }
}

/// What a file of that name is in Docker's and Docker Machine's folders.
fn by_its_name(text: String, name: &str) -> String {
    match name {
        _ if text.contains("authority's") || text.contains("client's") => text,
        "ca-key.pem" => format!("{text} (by its name the authority's)"),
        "key.pem" | "client-key.pem" => format!("{text} (by its name a client's)"),
        _ => text,
    }
}
