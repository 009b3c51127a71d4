//! Private keys that are found somewhere: whose they are can be told, what they are is kept from everybody.

use pem::Pem;
use rcgen::PublicKeyData;
use rsa::pkcs1::RsaPrivateKeyRef;
use rsa::pkcs8::PrivateKeyInfoRef;
use rsa::pkcs8::der::Decode;
use sha2::{Digest, Sha256};

use super::{Certificate, blocks, load};

const BROKEN: &str = "a private key that is cut short or damaged";

/// What is known of a private key. It has no place for the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrayKey {
    /// `a private key`, `an SSH private key` and the like.
    pub kind: &'static str,
    /// The public key as certificates have it (RFC 5280 §4.1.2.7); none where the private one cannot be read.
    public: Option<Vec<u8>>,
    /// Tells one key from another.
    digest: [u8; 32],
}

impl StrayKey {
    /// Of a PEM block; none where that holds no private key.
    pub fn from_pem(block: &Pem) -> Option<Self> {
        let kind = match block.tag() {
            "OPENSSH PRIVATE KEY" => "an SSH private key",
            tag if tag.contains("PRIVATE KEY") && blocks::is_encrypted(block) => "an encrypted private key",
            "PGP PRIVATE KEY BLOCK" => "a PGP private key",
            tag if tag.ends_with("PRIVATE KEY") => "a private key",
            _ => return None,
        };
        let public = load::from_block(block).ok().map(|pair| pair.subject_public_key_info());
        Some(Self::new(kind, public, block.contents()))
    }

    /// Of DER as PKCS#8 (RFC 5208), PKCS#1 (RFC 8017) or SEC1 (RFC 5915) has it; none where this is none of them.
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

    /// Whether all of it is there.
    pub fn is_whole(&self) -> bool {
        self.kind != BROKEN
    }

    /// One that says that it is a key and cannot be read.
    pub fn broken(text: &[u8]) -> Self {
        Self::new(BROKEN, None, text)
    }

    fn new(kind: &'static str, public: Option<Vec<u8>>, contents: &[u8]) -> Self {
        let digest = Sha256::digest(public.as_deref().unwrap_or(contents)).into();
        Self { kind, public, digest }
    }

    /// Whether a certificate is for this key.
    pub fn belongs_to(&self, certificate: &Certificate) -> bool {
        self.public.as_deref().is_some_and(|public| certificate.is_for(public))
    }

    /// Whether it could be read, so that [`belongs_to`](Self::belongs_to) says something.
    pub fn is_known(&self) -> bool {
        self.public.is_some()
    }

    /// Tells one key from another: the same for the same key, wherever it stands.
    pub fn id(&self) -> &[u8; 32] {
        &self.digest
    }
}
