//! The keys and certificates of a machine: made here, or read from files.

mod blocks;
mod bundle;
mod certificate;
mod encrypted;
mod issue;
mod judge;
mod load;
mod profile;
mod stray;

pub use bundle::CaBundle;
pub use certificate::{Certificate, Unsupported};
pub use issue::{
    certify_authority, certify_host, check_may_sign, issue_authority, issue_client, issue_host,
    issue_identity, issue_loopback, issue_own_authority, issue_own_identity,
};
pub use judge::{Purpose, Unsound, judge, trial_leaf, within_validity};
pub use load::{AskPassphrase, is_encrypted, is_key_of, load_authority, private_key};
pub use profile::Validity;
pub use stray::StrayKey;

use anyhow::Result;
use time::OffsetDateTime;

use crate::names::Address;
use crate::plan::HostRole;
use crate::secret::Secret;

/// A certificate and its private key. The key is PEM: PKCS#8, or the encoding of the file that it was loaded from.
#[derive(Debug, Clone)]
pub struct Pair {
    pub certificate: Certificate,
    pub key: Secret,
}

/// All keys and certificates of a machine.
#[derive(Debug, Clone)]
pub struct Identity {
    pub authority: Pair,
    /// The server's or the boot issuer's, depending on the plan.
    pub host: Pair,
    pub client: Pair,
}

impl Identity {
    /// The certificates and the key that are sent to the host.
    pub fn for_host(&self) -> HostIdentity {
        HostIdentity::new(self.authority.certificate.clone(), self.host.clone())
    }
}

/// The certificates and the key that are sent to the host. It cannot contain the CA's key, a client's key or text around a certificate,
/// so nothing that is rendered from it can.
#[derive(Debug, Clone)]
pub struct HostIdentity {
    /// The CAs: dockerd accepts clients that they signed.
    pub ca: CaBundle,
    /// The server's or the boot issuer's certificate, followed by its chain; at least one.
    pub chain: Vec<Certificate>,
    /// The key of the first certificate.
    pub key: Secret,
}

/// The certificates and the key with which a client connects to a host.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// The CAs: the client accepts hosts that they signed.
    pub ca: CaBundle,
    /// The client certificate, followed by its chain; at least one.
    pub chain: Vec<Certificate>,
    /// The key of the first certificate.
    pub key: Secret,
}

impl HostIdentity {
    /// The identity of a host with one certificate, signed by a CA itself.
    pub fn new(ca: impl Into<CaBundle>, host: Pair) -> Self {
        Self { ca: ca.into(), chain: vec![host.certificate], key: host.key }
    }

    /// [`chain`](Self::chain) in PEM.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::pem).collect()
    }

    /// Returns whether `authority` has signed the host's certificate.
    ///
    /// # Errors
    /// Fails if the key of a boot issuer cannot sign, so that it cannot be verified.
    pub fn is_of(&self, authority: &Certificate, role: HostRole) -> Result<bool> {
        let trial = match role {
            HostRole::Server => None,
            HostRole::BootIssuer => Some(trial_leaf(&self.chain[0], &self.key)?),
        };
        let (leaf, between) =
            trial.as_ref().map_or((&self.chain[0], &self.chain[1..]), |leaf| (leaf, &self.chain));
        let anchors = std::slice::from_ref(authority);
        let verdict = judge(leaf, between, anchors, Purpose::Server, OffsetDateTime::UNIX_EPOCH);
        Ok(verdict != Err(Unsound::OtherAuthority))
    }

    /// The SANs of the first certificate; empty for a boot issuer.
    pub fn sans(&self) -> Vec<Address> {
        self.chain.first().map(Certificate::sans).unwrap_or_default()
    }
}
