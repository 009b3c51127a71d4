//! A certificate in PEM, and what it says, for those who ask: SANs, fingerprint, validity.

use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{Purpose, Validity};
use crate::names::Address;

/// The first certificate of a PEM text, checked to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pem: String,
    der: Vec<u8>,
}

impl Certificate {
    /// Reads PEM. The text is kept as it is; what follows the first certificate is its chain.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let block = pem::parse(pem).context("it is no PEM text")?;
        if block.tag() != "CERTIFICATE" {
            bail!("it holds a {}, not a certificate", block.tag().to_lowercase());
        }
        let certificate = Self { pem: pem.to_owned(), der: block.into_contents() };
        X509Certificate::from_der(&certificate.der).context("its certificate cannot be read")?;
        Ok(certificate)
    }

    /// All certificates of a PEM text, in its order. Fails where one of them cannot be read, or where there is none.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>> {
        let blocks = pem::parse_many(text).context("it is no PEM text")?;
        let certificates = blocks.iter().filter(|block| block.tag() == "CERTIFICATE");
        let all: Vec<Self> =
            certificates.map(|block| Self::from_pem(&pem::encode(block))).collect::<Result<_>>()?;
        match (all.is_empty(), text.contains("-----BEGIN CERTIFICATE-----")) {
            (false, _) => Ok(all),
            (true, true) => bail!("its certificate is cut short or damaged"),
            (true, false) => bail!("it holds no certificate"),
        }
    }

    pub fn pem(&self) -> &str {
        &self.pem
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
        let left = self.validity().not_after - now;
        left.whole_seconds().div_euclid(24 * 60 * 60)
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
                "has an RSA key of {} bits, and docker takes none below 2048",
                key.key_size()
            ));
        }
        let algorithm = parsed.signature_algorithm.algorithm.to_id_string();
        let (_, hash) = BROKEN.iter().find(|(oid, _)| *oid == algorithm)?;
        // What signs an authority's own certificate is asked by nobody.
        let own = parsed.issuer().as_raw() == parsed.subject().as_raw();
        (!own).then(|| format!("is signed over {hash}, which docker does not take"))
    }

    /// How many authorities may stand between this one and a leaf (RFC 5280 §4.2.1.9); any number where nothing is said.
    pub fn path_len(&self) -> Option<u32> {
        self.parsed()
            .basic_constraints()
            .ok()
            .flatten()
            .and_then(|constraints| constraints.value.path_len_constraint)
    }

    /// Whether it limits the names below it (RFC 5280 §4.2.1.10).
    pub fn constrains_names(&self) -> bool {
        self.parsed().name_constraints().is_ok_and(|constraints| constraints.is_some())
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
