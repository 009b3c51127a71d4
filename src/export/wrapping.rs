//! The wrapping of an archive: a passphrase or base64, recognised by the content.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Fault, archive, encryption};
use crate::secret::Secret;

/// The content, after base64 was decoded.
#[derive(Debug)]
pub enum Wrapped {
    /// An archive.
    Plain(Secret<Vec<u8>>),
    /// An archive that a passphrase encrypts.
    Encrypted(Secret<Vec<u8>>),
}

/// Recognises an archive, one with a passphrase, and base64 of both. Space around a text is ignored, also between the lines of base64.
///
/// # Errors
/// Fails if it is none of them.
pub fn unwrap(bytes: Secret<Vec<u8>>) -> Result<Wrapped, Fault> {
    if let Some(wrapped) = recognise(&bytes) {
        return Ok(wrapped);
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Fault::Empty);
    }
    // Reserved at once, because a vector that grows leaves copies in memory.
    let mut text = Secret::new(Vec::with_capacity(bytes.len()));
    text.expose_mut().extend(bytes.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let decoded = BASE64_STANDARD.decode(&text[..]).map(Secret::new);
    decoded.ok().and_then(|decoded| recognise(&decoded)).ok_or(Fault::Unknown)
}

fn recognise(bytes: &[u8]) -> Option<Wrapped> {
    if archive::is_archive(bytes) {
        return Some(Wrapped::Plain(Secret::from(bytes)));
    }
    let text = bytes.trim_ascii_start();
    encryption::is_encrypted(text).then(|| Wrapped::Encrypted(Secret::from(text)))
}
