//! The CAs that a machine's host and its clients trust: one, or two while the CA is replaced.

use super::Certificate;
use super::blocks::Fault;

/// The content of a machine's `ca.pem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle {
    /// The CA that signs.
    pub current: Certificate,
    /// The CA that `current` replaces. Host and clients trust it until the change ends.
    pub old: Option<Certificate>,
}

impl CaBundle {
    /// Reads a PEM text that contains the CA, optionally followed by the CA that it replaces. Text around the blocks is dropped.
    ///
    /// # Errors
    /// Fails as [`Certificate::from_pem`] does. A second certificate must be another CA, and not one above the first: dockerd would accept
    /// the clients of each.
    pub fn from_pem(text: &str) -> Result<Self, Fault> {
        let mut all = Certificate::chain_from_pem(text)?;
        let n = all.len();
        let old = if n == 2 { all.pop() } else { None };
        match (<[Certificate; 1]>::try_from(all), old) {
            (Ok([current]), None) => Ok(Self { current, old: None }),
            (Ok([current]), Some(old)) if replaces(&current, &old) => Ok(Self { current, old: Some(old) }),
            _ => Err(Fault::Certificates(n)),
        }
    }

    /// The certificates in PEM, as in [`Certificate::pem`].
    pub fn pem(&self) -> String {
        self.iter().map(Certificate::pem).collect()
    }

    /// The current CA, then the old one.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.current).chain(&self.old)
    }

    /// Does the same as [`iter`](Self::iter), as a list of trust anchors.
    pub fn anchors(&self) -> Vec<Certificate> {
        self.iter().cloned().collect()
    }

    /// Returns whether both contain the same CA.
    pub fn shares(&self, other: &Self) -> bool {
        self.iter().any(|one| other.iter().any(|another| one == another))
    }
}

impl From<Certificate> for CaBundle {
    fn from(current: Certificate) -> Self {
        Self { current, old: None }
    }
}

/// Returns whether one CA can have replaced another. A chain is refused: whoever pastes one does not mean that its root signs clients.
fn replaces(current: &Certificate, old: &Certificate) -> bool {
    let is_above = |lower: &Certificate, upper: &Certificate| {
        lower.issuer() != lower.subject() && lower.issuer() == upper.subject()
    };
    current != old
        && [current, old].iter().all(|ca| ca.is_authority())
        && !is_above(current, old)
        && !is_above(old, current)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Pair, issue_authority};
    use crate::plan::KeyType;
    use time::OffsetDateTime;

    fn authority(name: &str) -> Pair {
        issue_authority(name, KeyType::P256, true, OffsetDateTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn one_ca_or_the_new_one_before_the_old_one_is_read_and_nothing_else() {
        let [new, old, third] = ["web1", "web1", "other"].map(|name| authority(name).certificate);
        let read =
            |all: &[&Certificate]| CaBundle::from_pem(&all.iter().map(|one| one.pem()).collect::<String>());
        assert_eq!(read(&[&new]), Ok(new.clone().into()));
        let both = read(&[&new, &old]).unwrap();
        assert_eq!((&both.current, both.old.as_ref()), (&new, Some(&old)));
        assert_eq!(both.pem(), format!("{}{}", new.pem(), old.pem()));
        assert!(both.shares(&old.clone().into()) && !both.shares(&third.clone().into()));
        assert_eq!(read(&[&new, &new]), Err(Fault::Certificates(2)));
        assert_eq!(read(&[&new, &old, &third]), Err(Fault::Certificates(3)));
        assert_eq!(read(&[]), Err(Fault::NoCertificate));
        let with_key = format!("{}{}", new.pem(), authority("web1").key.expose());
        assert_eq!(CaBundle::from_pem(&with_key), Err(Fault::PrivateKey));
    }

    #[test]
    fn a_chain_and_a_leaf_are_no_bundle() {
        let root = authority("root");
        let key = rcgen::KeyPair::generate().unwrap();
        let signer = crate::pki::load::key_pair(&root.key).unwrap();
        let signer = rcgen::Issuer::from_ca_cert_der(&root.certificate.der().into(), signer).unwrap();
        let signed = |is_ca| {
            let mut params = rcgen::CertificateParams::default();
            params.is_ca = is_ca;
            let signed = params.signed_by(&key, &signer).unwrap();
            Certificate::from_der(signed.der().to_vec()).unwrap()
        };
        let below = signed(rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
        let (root, other) = (root.certificate, authority("other").certificate);
        for [first, second] in [[&below, &root], [&root, &below], [&other, &signed(rcgen::IsCa::NoCa)]] {
            let both = format!("{}{}", first.pem(), second.pem());
            assert_eq!(CaBundle::from_pem(&both), Err(Fault::Certificates(2)));
        }
        assert!(CaBundle::from_pem(&format!("{}{}", below.pem(), other.pem())).is_ok());
    }
}
