//! Compares what a host shows with what a store has for it.

use super::Answer;
use crate::pki::Certificate;

/// The most CAs that hostseed gives a host: two, during a change. One that trusts more has them from elsewhere, for example from the system.
const MOST_CAS: usize = 2;

/// The certificates of a host that a store has, before a change and after it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The certificates of the host: the server's or the boot issuer's.
    pub certificates: Vec<Certificate>,
    /// The CAs that sign for clients.
    pub cas: Vec<Certificate>,
}

/// Something that a host shows and a store does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The host's certificate.
    Certificate,
    /// A CA whose clients the host accepts.
    Ca,
}

impl Known {
    /// Compares them with a host's answer.
    ///
    /// # Errors
    /// Fails if the host presents another certificate, or accepts clients of another CA.
    pub fn compare(&self, answer: &Answer) -> Result<(), Unknown> {
        if !self.certificates.iter().any(|certificate| answer.presented.contains(certificate)) {
            return Err(Unknown::Certificate);
        }
        let mut cas: Vec<_> = self.cas.iter().collect();
        // Two CAs can have the same subject, so each stands for one.
        let mut is_known = |subject: &Vec<u8>| {
            cas.iter().position(|ca| ca.subject_der() == *subject).map(|n| cas.swap_remove(n)).is_some()
        };
        match answer.accepts.len() <= MOST_CAS && !answer.accepts.iter().all(&mut is_known) {
            true => Err(Unknown::Ca),
            false => Ok(()),
        }
    }
}
