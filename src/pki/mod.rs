//! The identity of one machine: keys and certificates, made here or read from elsewhere.

mod blocks;
mod certificate;
mod issue;
mod judge;
mod load;
mod profile;
mod stray;

pub use certificate::{Certificate, Unsupported};
pub use issue::{certify_authority, certify_host, issue_authority, issue_identity};
pub use judge::{Purpose, Unsound, judge, trial_leaf};
pub use load::{load_authority, private_key};
pub use profile::Validity;
pub use stray::StrayKey;

use crate::names::Address;
use crate::secret::Secret;

/// A certificate and its private key, in PEM as hostseed encodes it: PKCS#8, or the form in which it was loaded.
#[derive(Debug, Clone)]
pub struct Pair {
    pub certificate: Certificate,
    pub key: Secret,
}

/// Everything that is made for a machine.
#[derive(Debug, Clone)]
pub struct Identity {
    pub authority: Pair,
    /// The server's or the boot issuer's, as the plan says.
    pub host: Pair,
    pub client: Pair,
}

impl Identity {
    /// The part that travels.
    pub fn for_host(&self) -> HostIdentity {
        HostIdentity {
            ca: self.authority.certificate.clone(),
            chain: vec![self.host.certificate.clone()],
            key: self.host.key.clone(),
        }
    }
}

/// What a host gets to know. It has no place for the authority's key or the client's, nor for text around a certificate, so no
/// artifact that is rendered from it can hold one.
#[derive(Debug, Clone)]
pub struct HostIdentity {
    /// The authority's certificate: who may be a client.
    pub ca: Certificate,
    /// The server's certificate, or the boot issuer's, and its chain; at least one.
    pub chain: Vec<Certificate>,
    /// The key of the first certificate.
    pub key: Secret,
}

impl HostIdentity {
    /// The server's certificate in PEM, its chain after it; or the boot issuer's.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::pem).collect()
    }

    /// The names of the server's certificate, or none for a boot issuer.
    pub fn sans(&self) -> Vec<Address> {
        self.chain.first().map(Certificate::sans).unwrap_or_default()
    }
}
