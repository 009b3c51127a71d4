//! A certificate, read strictly from PEM, and its fields: SANs, fingerprint, validity, constraints.

use std::fmt;
use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::oid_registry::{
    OID_SIG_ED25519, OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CERTIFICATE_POLICIES,
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS, OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_NAME_CONSTRAINTS, OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate, X509Extension};
use x509_parser::public_key::PublicKey;

use super::blocks::{self, Fault};
use super::{Purpose, Validity};
use crate::names::Address;
use crate::plan::KeyType;

/// One certificate. Only its DER is kept, so that no text around it in a file is copied with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
}

impl Certificate {
    /// Reads a PEM text that contains exactly one certificate. Text around the block is dropped.
    ///
    /// # Errors
    /// Fails with a [`Fault`] if the text contains anything else: a private key, complete or not, a second certificate,
    /// or another block.
    pub fn from_pem(text: &str) -> Result<Self, Fault> {
        let mut all = Self::chain_from_pem(text)?;
        match all.len() {
            1 => Ok(all.remove(0)),
            n => Err(Fault::Certificates(n)),
        }
    }

    /// Reads a PEM text that contains a certificate, optionally followed by its chain.
    ///
    /// # Errors
    /// Fails for the same reasons as [`from_pem`](Self::from_pem), except for further certificates.
    pub fn chain_from_pem(text: &str) -> Result<Vec<Self>, Fault> {
        blocks::certificates(text)?.into_iter().map(Self::from_der).collect()
    }

    /// Reads all certificates of a text from another program, in order. Ignores blocks of other types.
    ///
    /// # Errors
    /// Fails if the text is not PEM, contains no certificate, or contains a certificate that cannot be read.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>> {
        let all = pem::parse_many(text).context("it is not PEM text")?;
        let certificates = all.into_iter().filter(|block| block.tag() == blocks::CERTIFICATE);
        let all: Vec<Self> = certificates
            .map(|block| Self::from_der(block.into_contents()).context("its certificate cannot be read"))
            .collect::<Result<_>>()?;
        match (all.is_empty(), text.contains("-----BEGIN CERTIFICATE-----")) {
            (false, _) => Ok(all),
            (true, true) => bail!("its certificate is truncated or damaged"),
            (true, false) => bail!("it contains no certificate"),
        }
    }

    /// Parses DER. Refuses bytes after the certificate, because they would be copied with it.
    pub fn from_der(der: Vec<u8>) -> Result<Self, Fault> {
        match X509Certificate::from_der(&der) {
            Ok(([], _)) => Ok(Self { der }),
            _ => Err(Fault::Unreadable),
        }
    }

    /// Encodes the certificate as PEM with LF and 64 columns, without text around it.
    pub fn pem(&self) -> String {
        blocks::encode(blocks::CERTIFICATE, &self.der)
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn parsed(&self) -> X509Certificate<'_> {
        X509Certificate::from_der(&self.der).expect("checked when it was read").1
    }

    /// SHA-256 of the certificate's DER, in upper-case hexadecimal with colons, as printed by
    /// `openssl x509 -fingerprint -sha256`.
    pub fn fingerprint(&self) -> String {
        let hex: Vec<String> = Sha256::digest(&self.der).iter().map(|b| format!("{b:02X}")).collect();
        hex.join(":")
    }

    /// Returns whether the certificate contains this public key, in the DER of RFC 5280 §4.1.2.7.
    pub(super) fn is_for(&self, public: &[u8]) -> bool {
        self.parsed().public_key().raw == public
    }

    pub fn validity(&self) -> Validity {
        let validity = self.parsed().validity().clone();
        Validity {
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
        }
    }

    /// Whole days until the certificate expires, rounded down. Negative after it has expired.
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        self.validity().days_left(now)
    }

    /// The subject on one line: organisation, common name and so on.
    pub fn subject(&self) -> String {
        self.parsed().subject().to_string()
    }

    /// The subject in DER, as in the list of CAs that a server asks client certificates of (RFC 8446 §4.2.4).
    pub fn subject_der(&self) -> Vec<u8> {
        self.parsed().subject().as_raw().to_vec()
    }

    /// The subject of the CA that signed it, on one line.
    pub fn issuer(&self) -> String {
        self.parsed().issuer().to_string()
    }

    /// The subject's common name, if it has one.
    pub fn common_name(&self) -> Option<String> {
        self.parsed().subject().iter_common_name().next()?.as_str().ok().map(str::to_owned)
    }

    /// Returns whether it can be a CA. Its basic constraints must say that it is a CA (RFC 5280 §4.2.1.9), and its key usage, if
    /// present, must allow signing certificates (§4.2.1.3).
    pub fn is_authority(&self) -> bool {
        let parsed = self.parsed();
        let is_ca = parsed.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca);
        is_ca && parsed.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()))
    }

    /// Returns whether it, and certificates below it, can be used for `purpose`. Its extended key usage must contain the purpose
    /// or be missing (RFC 5280 §4.2.1.12).
    pub fn allows(&self, purpose: Purpose) -> bool {
        self.parsed().extended_key_usage().is_ok_and(|usage| {
            usage.is_none_or(|usage| match purpose {
                Purpose::Server => usage.value.any || usage.value.server_auth,
                Purpose::Client => usage.value.any || usage.value.client_auth,
            })
        })
    }

    /// Describes why the certificate is too weak for TLS today: an RSA key with less than 2048 bits, or a signature with
    /// SHA-1 or MD5 (NIST SP 800-131A).
    pub fn weakness(&self) -> Option<String> {
        const BROKEN: [(&str, &str); 5] = [
            ("1.2.840.113549.1.1.4", "MD5"),
            ("1.2.840.113549.1.1.5", "SHA-1"),
            ("1.3.14.3.2.29", "SHA-1"),
            ("1.2.840.10045.4.1", "SHA-1"),
            ("1.2.840.10040.4.3", "SHA-1"),
        ];
        let parsed = self.parsed();
        if let Ok(PublicKey::RSA(key)) = parsed.public_key().parsed()
            && key.key_size() < 2048
        {
            return Some(format!(
                "has an RSA key of {} bits, and docker requires at least 2048",
                key.key_size()
            ));
        }
        let algorithm = parsed.signature_algorithm.algorithm.to_id_string();
        let (_, hash) = BROKEN.iter().find(|(oid, _)| *oid == algorithm)?;
        // No client checks the signature of a self-signed CA certificate.
        let own = parsed.issuer().as_raw() == parsed.subject().as_raw();
        (!own).then(|| format!("is signed with {hash}, which docker does not accept"))
    }

    /// The type of its key, or for RSA keys of other sizes the next larger type. `None` if hostseed makes no such keys.
    pub fn key_type(&self) -> Option<KeyType> {
        let parsed = self.parsed();
        match parsed.public_key().parsed() {
            Ok(PublicKey::RSA(key)) if key.key_size() <= 2048 => Some(KeyType::Rsa2048),
            Ok(PublicKey::RSA(_)) => Some(KeyType::Rsa4096),
            Ok(PublicKey::EC(point)) if point.key_size() == 256 => Some(KeyType::P256),
            Ok(PublicKey::EC(point)) if point.key_size() == 384 => Some(KeyType::P384),
            _ if parsed.public_key().algorithm.algorithm == OID_SIG_ED25519 => Some(KeyType::Ed25519),
            _ => None,
        }
    }

    /// Maximum number of intermediate CAs between this certificate and a leaf (RFC 5280 §4.2.1.9). `None` means no limit.
    pub fn path_len(&self) -> Option<u32> {
        self.parsed()
            .basic_constraints()
            .ok()
            .flatten()
            .and_then(|constraints| constraints.value.path_len_constraint)
    }

    /// Returns whether it has name constraints (RFC 5280 §4.2.1.10), even if they cannot be parsed.
    pub fn constrains_names(&self) -> bool {
        self.parsed().extensions().iter().any(|extension| extension.oid == OID_X509_EXT_NAME_CONSTRAINTS)
    }

    /// The reason why Go's crypto/x509, and so docker, refuses every chain below this CA, although webpki accepts it as a
    /// trust anchor. The reasons are a critical extension that Go does not process, a name constraint of an unsupported
    /// kind, and a malformed extension.
    pub fn unsupported(&self) -> Option<Unsupported> {
        let parsed = self.parsed();
        // Go's `ParseCertificate` refuses both.
        if parsed.extensions_map().is_err() {
            return Some(Unsupported::Malformed("an extension twice"));
        }
        if parsed.raw_serial().first().is_some_and(|first| first & 0x80 != 0) {
            return Some(Unsupported::Malformed("a negative serial number"));
        }
        let extensions = parsed.extensions().iter();
        extensions.filter_map(unsupported).next()
    }

    /// The IP addresses and DNS names in its SANs, in order.
    pub fn sans(&self) -> Vec<Address> {
        let parsed = self.parsed();
        let Ok(Some(extension)) = parsed.subject_alternative_name() else {
            return Vec::new();
        };
        let address = |name: &GeneralName| match name {
            GeneralName::DNSName(name) => Some(Address::Dns((*name).to_owned())),
            GeneralName::IPAddress(bytes) => ip(bytes).map(Address::Ip),
            _ => None,
        };
        extension.value.general_names.iter().filter_map(address).collect()
    }

    /// Returns whether one of its SANs matches `address`.
    pub fn covers(&self, address: &Address) -> bool {
        self.sans().iter().any(|san| san.covers(address))
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The reason why docker refuses every chain below a CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsupported {
    /// A critical extension with this object identifier.
    Critical(String),
    /// Name constraints for directory names, or for another unsupported kind of name.
    NameForm(&'static str),
    /// A violation of RFC 5280.
    Malformed(&'static str),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Critical(oid) => write!(f, "a critical extension that docker does not support: `{oid}`"),
            Self::NameForm(form) => write!(f, "name constraints for {form}, which docker does not support"),
            Self::Malformed(what) => write!(f, "{what}, which docker refuses"),
        }
    }
}

/// Critical extensions that Go processes in every release that docker was built with (crypto/x509, `parse.go`). Go
/// supports policy constraints, policy mappings and inhibitAnyPolicy only since Go 1.24, and refuses critical key
/// identifiers and authority information access.
const PROCESSED: [Oid; 7] = [
    OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_SUBJECT_ALT_NAME,
    OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    OID_X509_EXT_CERTIFICATE_POLICIES,
    OID_X509_EXT_EXTENDED_KEY_USAGE,
];

fn unsupported(extension: &X509Extension) -> Option<Unsupported> {
    let critical = || extension.critical.then(|| Unsupported::Critical(extension.oid.to_id_string()));
    match extension.parsed_extension() {
        ParsedExtension::NameConstraints(constraints) => {
            let subtrees = [&constraints.permitted_subtrees, &constraints.excluded_subtrees];
            let mut bases = subtrees.into_iter().flatten().flatten().map(|subtree| &subtree.base).peekable();
            if bases.peek().is_none() {
                return Some(Unsupported::Malformed("empty name constraints"));
            }
            bases.find_map(|base| unsupported_base(base, extension.critical))
        }
        _ if extension.oid == OID_X509_EXT_NAME_CONSTRAINTS => {
            Some(Unsupported::Malformed("name constraints that cannot be read"))
        }
        // Go reads the names that a client can connect to. It treats an extension with only other names as not processed.
        ParsedExtension::SubjectAlternativeName(names) => {
            let known = |name: &GeneralName| {
                matches!(
                    name,
                    GeneralName::DNSName(_)
                        | GeneralName::RFC822Name(_)
                        | GeneralName::IPAddress(_)
                        | GeneralName::URI(_)
                )
            };
            (!names.general_names.iter().any(known)).then(critical).flatten()
        }
        _ if PROCESSED.contains(&extension.oid) => None,
        _ => critical(),
    }
}

/// Checks the base of a name constraint. Directory names are refused because no certificate below such a constraint
/// satisfies all clients: webpki refuses all of them, OpenSSL compares the names, and Go ignores the constraint unless it
/// is critical.
fn unsupported_base(base: &GeneralName, critical: bool) -> Option<Unsupported> {
    match base {
        GeneralName::DNSName(_) | GeneralName::RFC822Name(_) | GeneralName::URI(_) => None,
        GeneralName::IPAddress(range) => (!is_address_range(range))
            .then_some(Unsupported::Malformed("name constraints with an address range that cannot be read")),
        GeneralName::DirectoryName(_) => Some(Unsupported::NameForm("directory names")),
        _ if critical => {
            Some(Unsupported::NameForm("names other than DNS names, addresses, e-mail addresses and URIs"))
        }
        _ => None,
    }
}

/// Returns whether the bytes are an address and a mask of the same length, with the mask's ones before its zeros (RFC 5280
/// §4.2.1.10, RFC 4632).
fn is_address_range(bytes: &[u8]) -> bool {
    let (8 | 32) = bytes.len() else { return false };
    let mask = &bytes[bytes.len() / 2..];
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let leading = mask
        .iter()
        .position(|byte| *byte != 0xff)
        .map_or(mask.len() * 8, |n| n * 8 + mask[n].leading_ones() as usize);
    leading == ones as usize
}
