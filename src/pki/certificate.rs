//! A certificate, read strictly from PEM, and what it says: SANs, fingerprint, validity, constraints.

use std::fmt;
use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CERTIFICATE_POLICIES, OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate, X509Extension};
use x509_parser::public_key::PublicKey;

use super::blocks::{self, Fault};
use super::{Purpose, Validity};
use crate::names::Address;

/// One certificate: its DER and nothing else, so that no text around it in a file can travel with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
}

impl Certificate {
    /// Reads a PEM text that holds one certificate and nothing else in PEM. Text around it is dropped.
    ///
    /// # Errors
    /// A [`Fault`] where there is anything else: a private key whatever its state, a second certificate, another block.
    pub fn from_pem(text: &str) -> Result<Self, Fault> {
        let mut all = Self::chain_from_pem(text)?;
        match all.len() {
            1 => Ok(all.remove(0)),
            n => Err(Fault::Certificates(n)),
        }
    }

    /// Reads a PEM text that holds a certificate, perhaps its chain after it, and nothing else in PEM.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), without a limit on certificates.
    pub fn chain_from_pem(text: &str) -> Result<Vec<Self>, Fault> {
        blocks::certificates(text)?.into_iter().map(Self::from_der).collect()
    }

    /// All certificates of somebody else's text, in its order, whatever else is in there. Fails where one of them cannot be
    /// read, or where there is none.
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

    /// Reads DER. Bytes after the certificate are refused: they would travel with it.
    pub(super) fn from_der(der: Vec<u8>) -> Result<Self, Fault> {
        match X509Certificate::from_der(&der) {
            Ok(([], _)) => Ok(Self { der }),
            _ => Err(Fault::Unreadable),
        }
    }

    /// The certificate in PEM, encoded anew: LF, 64 columns, nothing around it.
    pub fn pem(&self) -> String {
        blocks::encode(blocks::CERTIFICATE, &self.der)
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn parsed(&self) -> X509Certificate<'_> {
        X509Certificate::from_der(&self.der).expect("checked when it was read").1
    }

    /// SHA-256 of the certificate's DER, upper-case hex with colons, as `openssl x509 -fingerprint -sha256`.
    pub fn fingerprint(&self) -> String {
        let hex: Vec<String> = Sha256::digest(&self.der).iter().map(|b| format!("{b:02X}")).collect();
        hex.join(":")
    }

    /// Whether it is for a public key, which is DER as certificates have it (RFC 5280 §4.1.2.7).
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

    /// Whole days until the certificate ends; negative when it has.
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        self.validity().days_left(now)
    }

    /// Organisation and common name and so on, as it is written in a line.
    pub fn subject(&self) -> String {
        self.parsed().subject().to_string()
    }

    /// Its common name, where it has one.
    pub fn common_name(&self) -> Option<String> {
        self.parsed().subject().iter_common_name().next()?.as_str().ok().map(str::to_owned)
    }

    /// Whether it may be above others: its basic constraints say CA (RFC 5280 §4.2.1.9), and its key usage, where there is
    /// one, that it signs certificates (§4.2.1.3).
    pub fn is_authority(&self) -> bool {
        let parsed = self.parsed();
        let is_ca = parsed.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca);
        is_ca && parsed.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()))
    }

    /// Whether it, and what is below it, may be used for this: it says so, or says nothing (RFC 5280 §4.2.1.12).
    pub fn allows(&self, purpose: Purpose) -> bool {
        self.parsed().extended_key_usage().is_ok_and(|usage| {
            usage.is_none_or(|usage| match purpose {
                Purpose::Server => usage.value.any || usage.value.server_auth,
                Purpose::Client => usage.value.any || usage.value.client_auth,
            })
        })
    }

    /// What about it is too weak for TLS today: RSA below 2048 bits, signatures over SHA-1 or MD5 (NIST SP 800-131A).
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
        // What signs an authority's own certificate is asked by nobody.
        let own = parsed.issuer().as_raw() == parsed.subject().as_raw();
        (!own).then(|| format!("is signed with {hash}, which docker does not accept"))
    }

    /// How many authorities may stand between this one and a leaf (RFC 5280 §4.2.1.9); any number where nothing is said.
    pub fn path_len(&self) -> Option<u32> {
        self.parsed()
            .basic_constraints()
            .ok()
            .flatten()
            .and_then(|constraints| constraints.value.path_len_constraint)
    }

    /// Whether it limits the names below it (RFC 5280 §4.2.1.10), also where it cannot be read how.
    pub fn constrains_names(&self) -> bool {
        self.parsed().extensions().iter().any(|extension| extension.oid == OID_X509_EXT_NAME_CONSTRAINTS)
    }

    /// What about it makes Go's crypto/x509, and so docker, refuse every chain below it, although webpki takes it for a trust
    /// anchor: a critical extension that is not processed, a name constraint of a kind that is not, a malformed extension.
    pub fn unsupported(&self) -> Option<Unsupported> {
        let parsed = self.parsed();
        // `ParseCertificate` refuses both.
        if parsed.extensions_map().is_err() {
            return Some(Unsupported::Malformed("an extension twice"));
        }
        if parsed.raw_serial().first().is_some_and(|first| first & 0x80 != 0) {
            return Some(Unsupported::Malformed("a negative serial number"));
        }
        let extensions = parsed.extensions().iter();
        extensions.filter_map(unsupported).next()
    }

    /// The addresses and DNS names that it is for, in its order.
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

    /// Whether a client that dials `address` accepts this certificate for it.
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

/// Why docker refuses every chain below an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsupported {
    /// A critical extension with this object identifier.
    Critical(String),
    /// Name constraints for directory names, or for another kind of name that is not processed.
    NameForm(&'static str),
    /// Something that RFC 5280 forbids.
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

/// Go processes these when they are critical, in every release that docker was built with (crypto/x509, `parse.go`). It learned
/// policy constraints, policy mappings and inhibitAnyPolicy only in Go 1.24, and refuses critical key identifiers and
/// authority information access.
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
        // Go reads the names that a client can dial, and counts others as not processed.
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

/// webpki refuses every certificate below a constraint of directory names, OpenSSL compares them, and Go passes over them unless
/// they are critical: no certificate below it is good for all of them.
fn unsupported_base(base: &GeneralName, critical: bool) -> Option<Unsupported> {
    match base {
        GeneralName::DNSName(_) | GeneralName::RFC822Name(_) | GeneralName::URI(_) => None,
        GeneralName::IPAddress(range) => (!is_range(range))
            .then_some(Unsupported::Malformed("name constraints with an address range that cannot be read")),
        GeneralName::DirectoryName(_) => Some(Unsupported::NameForm("directory names")),
        _ if critical => {
            Some(Unsupported::NameForm("names other than DNS names, addresses, e-mail addresses and URIs"))
        }
        _ => None,
    }
}

/// An address and a mask of the same length, the mask's ones before its zeros (RFC 5280 §4.2.1.10, RFC 4632).
fn is_range(bytes: &[u8]) -> bool {
    let (8 | 32) = bytes.len() else { return false };
    let mask = &bytes[bytes.len() / 2..];
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let leading = mask
        .iter()
        .position(|byte| *byte != 0xff)
        .map_or(mask.len() * 8, |n| n * 8 + mask[n].leading_ones() as usize);
    leading == ones as usize
}
