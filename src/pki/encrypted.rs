//! Decrypts a CA's private key that has a passphrase: PKCS#8's `ENCRYPTED PRIVATE KEY` (RFC 5958 §3) with PBES2 (RFC 8018 §6.2).
//! The key is derived with PBKDF2 (HMAC with SHA-2) or scrypt, and the cipher is AES-CBC or AES-GCM. That is what openssl writes since
//! version 1.1.0.

use pem::Pem;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};

use super::blocks;
use crate::secret::Secret;

/// The label of an encrypted key, RFC 7468 §11.
const LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// Why a key cannot be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The passphrase is wrong, or the encrypted bytes are damaged: both look the same.
    WrongPassphrase,
    /// The key is in OpenSSL's older format (RFC 1421 §4.6.1.1), or encrypted with another algorithm.
    Unsupported,
}

/// Returns whether the key is in a format that [`decrypt`] reads.
///
/// # Errors
/// Fails with [`Problem::Unsupported`] for another format or algorithm, so that nobody is asked for a passphrase in vain.
pub fn check(block: &Pem) -> Result<(), Problem> {
    read(block).map(|_| ())
}

/// Decrypts a key, and returns it as a PEM text without encryption.
///
/// # Errors
/// See [`Problem`].
pub fn decrypt(block: &Pem, passphrase: &Secret<Vec<u8>>) -> Result<Secret, Problem> {
    use pkcs8::pkcs5::Error::{AlgorithmParametersInvalid, NoPbes1CryptSupport, UnsupportedAlgorithm};
    let key = read(block)?.decrypt(passphrase.expose()).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            AlgorithmParametersInvalid { .. } | NoPbes1CryptSupport | UnsupportedAlgorithm { .. },
        ) => Problem::Unsupported,
        // A wrong passphrase gives bytes with wrong padding, or, one time in 256, bytes that are no key.
        _ => Problem::WrongPassphrase,
    })?;
    match PrivateKeyInfoRef::try_from(key.as_bytes()) {
        Ok(_) => Ok(Secret::new(blocks::encode("PRIVATE KEY", key.as_bytes()))),
        Err(_) => Err(Problem::WrongPassphrase),
    }
}

fn read(block: &Pem) -> Result<EncryptedPrivateKeyInfoRef<'_>, Problem> {
    if block.tag() != LABEL {
        return Err(Problem::Unsupported);
    }
    let info = EncryptedPrivateKeyInfoRef::try_from(block.contents()).map_err(|_| Problem::Unsupported)?;
    match info.encryption_algorithm.pbes2() {
        Some(_) => Ok(info),
        None => Err(Problem::Unsupported),
    }
}
