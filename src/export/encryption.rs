//! Encryption with a passphrase in the format of age (C2SP, age-encryption.org/v1), which `age --decrypt` reads too.

use std::io::{self, Read, Write};
use std::iter;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use anyhow::Result;

use super::{Fault, MAX_WRAPPED};
use crate::secret::Secret;

/// The logarithm of scrypt's work factor, as in age's own program: about a second and 256 MiB.
const WORK_FACTOR: u8 = 18;
/// The largest work factor that is accepted. A larger one would take minutes and gigabytes.
const MAX_WORK_FACTOR: u8 = 20;

/// Encrypts bytes with a passphrase: as text if `text` is set, else in binary.
///
/// # Errors
/// Fails if the system has no random numbers.
pub fn encrypt(bytes: &[u8], passphrase: &Secret, text: bool) -> Result<Vec<u8>> {
    encrypt_with(bytes, passphrase, text, WORK_FACTOR)
}

fn encrypt_with(bytes: &[u8], passphrase: &Secret, text: bool, work_factor: u8) -> Result<Vec<u8>> {
    let mut recipient = scrypt::Recipient::new(secret(passphrase));
    recipient.set_work_factor(work_factor);
    let encryptor = Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient))?;
    let format = if text { Format::AsciiArmor } else { Format::Binary };
    let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(Vec::new(), format)?)?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?.finish()?)
}

/// Returns whether the bytes are encrypted, in binary or as text.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

/// Decrypts what [`encrypt`] made.
///
/// # Errors
/// Fails if the passphrase is wrong, if the bytes are damaged, or if they are encrypted to a key.
pub fn decrypt(bytes: &[u8], passphrase: &Secret) -> Result<Secret<Vec<u8>>, Fault> {
    let decryptor = Decryptor::new(ArmoredReader::new(bytes)).map_err(|_| Fault::CutOff)?;
    if !decryptor.is_scrypt() {
        return Err(Fault::EncryptedToKey);
    }
    let mut identity = scrypt::Identity::new(secret(passphrase));
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    let mut reader =
        decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
            DecryptError::DecryptionFailed
            | DecryptError::KeyDecryptionFailed
            | DecryptError::NoMatchingKeys => Fault::WrongPassphrase,
            DecryptError::ExcessiveWork { .. } => Fault::Costly,
            _ => Fault::CutOff,
        })?;
    // Reserves the full size first, because a vector that grows leaves copies in memory.
    let mut content = Secret::new(Vec::with_capacity(bytes.len().min(MAX_WRAPPED) + 1));
    let read = reader.by_ref().take(MAX_WRAPPED as u64).read_to_end(content.expose_mut());
    // Nothing may follow.
    read.and_then(|_| io::copy(&mut reader, &mut io::sink())).map_err(|_| Fault::CutOff)?;
    Ok(content)
}

fn secret(passphrase: &Secret) -> SecretString {
    SecretString::from(passphrase.expose().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_passphrase_decrypts_and_damage_is_told() {
        let passphrase = Secret::new("correct horse".to_owned());
        for text in [true, false] {
            let bytes = encrypt_with(b"content", &passphrase, text, 4).unwrap();
            assert!(is_encrypted(&bytes) && bytes.is_ascii() == text);
            assert_eq!(decrypt(&bytes, &passphrase).unwrap()[..], b"content"[..]);
            let wrong = decrypt(&bytes, &Secret::new("x".to_owned())).unwrap_err();
            assert_eq!(wrong, Fault::WrongPassphrase);
            for end in 0..bytes.len() - 1 {
                assert_eq!(decrypt(&bytes[..end], &passphrase).unwrap_err(), Fault::CutOff, "{end}");
            }
            let longer = [&bytes[..], b"x"].concat();
            assert_eq!(decrypt(&longer, &passphrase).unwrap_err(), Fault::CutOff);
        }
        let costly = encrypt_with(b"content", &passphrase, true, 5).unwrap();
        let costly = String::from_utf8(costly).unwrap();
        assert!(decrypt(costly.as_bytes(), &passphrase).is_ok());
    }

    #[test]
    fn a_work_factor_that_would_take_minutes_is_refused() {
        let passphrase = Secret::new("x".to_owned());
        let bytes = encrypt_with(b"content", &passphrase, false, 9).unwrap();
        // The work factor is at the end of the first stanza's line.
        let line = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0;
        let costly = [&bytes[..line - 1], b"30", &bytes[line..]].concat();
        assert_eq!(decrypt(&costly, &passphrase).unwrap_err(), Fault::Costly);
    }
}
