//! A certificate in PEM, and what it says, for those who ask: SANs, fingerprint, validity.

use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Validity;
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
