//! Private keys found in user-data: identified without being shown.

use std::fmt;

use pem::Pem;
use rcgen::PublicKeyData;
use rsa::pkcs1::RsaPrivateKeyRef;
use rsa::pkcs8::PrivateKeyInfoRef;
use rsa::pkcs8::der::Decode;
use sha2::{Digest, Sha256};

use super::{Certificate, blocks, load};

/// The kind of a private key, as far as its encoding tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// PKCS#8, PKCS#1 or SEC1.
    Plain,
    Encrypted,
    Ssh,
    Pgp,
    /// Labelled a private key but truncated or damaged.
    Broken,
}

/// The kind with its article, for a message.
impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "a private key",
            Self::Encrypted => "an encrypted private key",
            Self::Ssh => "an SSH private key",
            Self::Pgp => "a PGP private key",
            Self::Broken => "a truncated or damaged private key",
        })
    }
}

/// The facts that hostseed knows about a private key. It does not contain the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrayKey {
    pub kind: KeyKind,
    /// The DER of the public key's SubjectPublicKeyInfo (RFC 5280 §4.1.2.7); none if the private key cannot be read.
    public: Option<Vec<u8>>,
    /// SHA-256 of the public key, or of the contents if that is not known.
    digest: [u8; 32],
}

impl StrayKey {
    /// The key in a PEM block; none if it contains no private key.
    pub fn from_pem(block: &Pem) -> Option<Self> {
        let kind = match block.tag() {
            "OPENSSH PRIVATE KEY" => KeyKind::Ssh,
            tag if tag.contains("PRIVATE KEY") && blocks::is_encrypted(block) => KeyKind::Encrypted,
            "PGP PRIVATE KEY BLOCK" => KeyKind::Pgp,
            tag if tag.ends_with("PRIVATE KEY") => KeyKind::Plain,
            _ => return None,
        };
        let public = load::from_block(block).ok().map(|pair| pair.subject_public_key_info());
        Some(Self::new(kind, public, block.contents()))
    }

    /// The key in DER: PKCS#8 (RFC 5208), PKCS#1 (RFC 8017) or SEC1 (RFC 5915); none if it is none of them.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let tag = if PrivateKeyInfoRef::try_from(der).is_ok() {
            "PRIVATE KEY"
        } else if RsaPrivateKeyRef::try_from(der).is_ok() {
            "RSA PRIVATE KEY"
        } else if sec1::EcPrivateKey::from_der(der).is_ok() {
            "EC PRIVATE KEY"
        } else {
            return None;
        };
        Self::from_pem(&Pem::new(tag, der))
    }

    /// Returns whether the key is neither truncated nor damaged.
    pub fn is_whole(&self) -> bool {
        self.kind != KeyKind::Broken
    }

    /// A text that is labelled a private key but cannot be parsed.
    pub fn broken(text: &[u8]) -> Self {
        Self::new(KeyKind::Broken, None, text)
    }

    fn new(kind: KeyKind, public: Option<Vec<u8>>, contents: &[u8]) -> Self {
        let digest = Sha256::digest(public.as_deref().unwrap_or(contents)).into();
        Self { kind, public, digest }
    }

    /// Returns whether the certificate has this key's public key.
    pub fn belongs_to(&self, certificate: &Certificate) -> bool {
        self.public.as_deref().is_some_and(|public| certificate.is_for(public))
    }

    /// Returns whether the key could be read, so that [`belongs_to`](Self::belongs_to) can be true.
    pub fn is_known(&self) -> bool {
        self.public.is_some()
    }

    /// Identifies the key: the same wherever it is found.
    pub fn id(&self) -> &[u8; 32] {
        &self.digest
    }
}
