//! The identity of one machine: keys and certificates, made here or read from elsewhere.

mod certificate;
mod issue;
mod judge;
mod load;
mod profile;
mod stray;

pub use certificate::Certificate;
pub use issue::{certify_authority, certify_host, issue_authority, issue_identity};
pub use judge::{Purpose, Unsound, judge, trial_leaf};
pub use load::{is_another_key, load_authority};
pub use profile::Validity;
pub use stray::StrayKey;

use crate::secret::Secret;

/// A certificate and its private key (PKCS#8 in PEM, or the bytes as they were loaded).
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
            ca: self.authority.certificate.pem().to_owned(),
            certificate: self.host.certificate.pem().to_owned(),
            key: self.host.key.clone(),
        }
    }
}

/// What a host gets to know. It has no place for the authority's key or the client's, so no artifact that is
/// rendered from it can hold one.
#[derive(Debug, Clone)]
pub struct HostIdentity {
    /// The authority's certificate, in PEM: who may be a client.
    pub ca: String,
    /// The server's certificate in PEM, its chain after it; or the boot issuer's.
    pub certificate: String,
    pub key: Secret,
}
