//! Reads PEM files (RFC 7468) strictly. Every block must be complete and of a known type. Only the decoded bytes of a
//! block are kept, so text around the blocks cannot reach another file.

use std::fmt;

use pem::{EncodeConfig, LineEnding, Pem};

use crate::secret::Secret;

/// The label of a certificate, RFC 7468 §5.1.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of a block with the curve's name, which `openssl ecparam -genkey` writes before the key.
pub const EC_PARAMETERS: &str = "EC PARAMETERS";
/// The label of an EC key in the older format, RFC 5915 §4.
pub const EC_PRIVATE_KEY: &str = "EC PRIVATE KEY";
/// The end of every label of a private key, including encrypted ones.
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// A problem with the contents of a PEM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A private key, complete or not, in a file that must not contain one.
    PrivateKey,
    /// A block that is incomplete or not valid base64.
    Damaged,
    /// A block with an unexpected label.
    Label(String),
    /// The file contains no certificate.
    NoCertificate,
    /// The file contains no private key.
    NoPrivateKey,
    /// The file contains this number of certificates instead of one.
    Certificates(usize),
    /// The file contains this number of private keys instead of one.
    PrivateKeys(usize),
    /// The private key is protected by a passphrase.
    Encrypted,
    /// The contents of a block do not match its label, or are followed by more bytes.
    Unreadable,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrivateKey => f.write_str("it contains a private key, which does not belong there"),
            Self::Damaged => f.write_str("it contains a truncated or damaged PEM block"),
            Self::Label(label) => write!(f, "it contains a block `{label}`, which does not belong there"),
            Self::NoCertificate => f.write_str("it contains no certificate"),
            Self::NoPrivateKey => f.write_str("it contains no private key"),
            Self::Certificates(n) => write!(f, "it contains {n} certificates instead of one"),
            Self::PrivateKeys(n) => write!(f, "it contains {n} private keys instead of one"),
            Self::Encrypted => {
                f.write_str("its private key is encrypted, and only a CA's key may have a passphrase")
            }
            Self::Unreadable => f.write_str("it cannot be read"),
        }
    }
}

impl std::error::Error for Fault {}

/// Reads the certificates of a PEM file as DER.
///
/// # Errors
/// Fails if the file contains no certificate or a PEM block of another type.
pub fn certificates(text: &str) -> Result<Vec<Vec<u8>>, Fault> {
    if mentions_private_key(text) {
        return Err(Fault::PrivateKey);
    }
    let blocks = blocks(text)?;
    if let Some(other) = blocks.iter().find(|block| block.tag() != CERTIFICATE) {
        return Err(Fault::Label(printable(other.tag())));
    }
    if blocks.is_empty() {
        return Err(Fault::NoCertificate);
    }
    Ok(blocks.into_iter().map(Pem::into_contents).collect())
}

/// Reads the private key of a PEM file.
///
/// # Errors
/// Fails if the file does not contain exactly one private key, if the key is encrypted, or if the file contains a block
/// of another type. The parameters of an EC key are allowed.
pub fn private_key(text: &str) -> Result<Pem, Fault> {
    match maybe_encrypted_key(text)? {
        key if is_encrypted(&key) => Err(Fault::Encrypted),
        key => Ok(key),
    }
}

/// Reads the private key of a PEM file, as [`private_key`], but also one that is encrypted.
///
/// # Errors
/// Fails for the other reasons of [`private_key`].
pub fn maybe_encrypted_key(text: &str) -> Result<Pem, Fault> {
    let blocks = blocks(text)?;
    let (keys, others): (Vec<Pem>, Vec<Pem>) =
        blocks.into_iter().partition(|block| block.tag().ends_with(PRIVATE_KEY));
    let has_parameters = keys.iter().any(|key| key.tag() == EC_PRIVATE_KEY);
    if let Some(other) = others.iter().find(|block| !(has_parameters && block.tag() == EC_PARAMETERS)) {
        return Err(Fault::Label(printable(other.tag())));
    }
    match <[Pem; 1]>::try_from(keys) {
        Ok([key]) => Ok(key),
        Err(keys) if keys.is_empty() => Err(Fault::NoPrivateKey),
        Err(keys) => Err(Fault::PrivateKeys(keys.len())),
    }
}

/// Returns whether a private key is protected by a passphrase.
pub fn is_encrypted(block: &Pem) -> bool {
    // OpenSSL's older formats mark an encrypted key with this header, RFC 1421 §4.6.1.1.
    let older = block.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED"));
    older || block.tag() == "ENCRYPTED PRIVATE KEY"
}

/// Encodes one PEM block with LF and 64 columns, as OpenSSL, Go and RFC 7468 §3 do.
pub fn encode(label: &str, der: &[u8]) -> String {
    pem::encode_config(&Pem::new(label, der), EncodeConfig::new().set_line_ending(LineEnding::LF))
}

/// Encodes a private key as PEM, without text around it.
pub fn encode_key(key: &Pem) -> Secret {
    Secret::new(encode(key.tag(), key.contents()))
}

/// Reads every block of a text. Fails if one is incomplete.
fn blocks(text: &str) -> Result<Vec<Pem>, Fault> {
    let blocks = pem::parse_many(text).map_err(|_| Fault::Damaged)?;
    // The parser stops without an error at a block that has no end.
    let marks = |mark: &str| text.matches(mark).count();
    if marks("-----BEGIN ") != blocks.len() || marks("-----END ") != blocks.len() {
        return Err(Fault::Damaged);
    }
    Ok(blocks)
}

/// Returns whether a line looks like the beginning or the end of a private key. Also finds lines that a parser does not accept:
/// indented, commented out, with another number of dashes, or without an end.
fn mentions_private_key(text: &str) -> bool {
    text.lines()
        .map(str::to_ascii_uppercase)
        .any(|line| (line.contains("BEGIN ") || line.contains("END ")) && line.contains(PRIVATE_KEY))
}

/// Replaces unsafe characters of a label and limits its length, because it comes from the file and is shown in a message.
fn printable(label: &str) -> String {
    label.chars().take(40).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Text without dashes, so that it contains no PEM marker.
    fn text_without_pem() -> impl Strategy<Value = String> {
        "[^-]{0,200}"
    }

    proptest! {
        #[test]
        fn text_around_a_certificate_is_dropped(before in text_without_pem(), after in text_without_pem(), der in proptest::collection::vec(any::<u8>(), 1..300)) {
            let clean = encode(CERTIFICATE, &der);
            let read = certificates(&format!("{before}\n{clean}{after}")).unwrap();
            prop_assert_eq!(read.iter().map(|der| encode(CERTIFICATE, der)).collect::<String>(), clean);
        }

        #[test]
        fn text_around_a_key_is_dropped(before in text_without_pem(), after in text_without_pem(), der in proptest::collection::vec(any::<u8>(), 1..300)) {
            let clean = encode("RSA PRIVATE KEY", &der);
            let read = private_key(&format!("{before}\n{clean}{after}")).unwrap();
            prop_assert!(encode_key(&read) == Secret::new(clean));
        }

        #[test]
        fn certificates_with_a_private_key_are_refused(
            before in ".{0,40}", label in "([A-Z]{1,9} ){0,2}PRIVATE KEY", indent in "[ \t>#]{0,4}", body in "[A-Za-z0-9+/=\n]{0,80}", end in any::<bool>(), first in any::<bool>(),
        ) {
            let certificate = encode(CERTIFICATE, b"der");
            let tail = if end { format!("\n{indent}-----END {label}-----\n") } else { String::new() };
            let key = format!("{before}\n{indent}-----BEGIN {label}-----\n{body}{tail}\n");
            let text = if first { key + &certificate } else { certificate + &key };
            prop_assert_eq!(certificates(&text), Err(Fault::PrivateKey));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(.|\n|-----BEGIN |-----END |CERTIFICATE|EC PARAMETERS|PRIVATE KEY|-----){0,40}") {
            let _ = certificates(&text).map(|all| assert!(!all.is_empty()));
            let _ = private_key(&text);
        }
    }

    #[test]
    fn ec_parameters_are_only_allowed_with_an_ec_key() {
        let block = |label| encode(label, b"der");
        let ec = block(EC_PARAMETERS) + &block(EC_PRIVATE_KEY);
        assert_eq!(encode_key(&private_key(&ec).unwrap()).expose(), block(EC_PRIVATE_KEY));
        let other = block(EC_PARAMETERS) + &block("RSA PRIVATE KEY");
        assert_eq!(private_key(&other), Err(Fault::Label(EC_PARAMETERS.to_owned())));
        assert_eq!(
            certificates(&(block(EC_PARAMETERS) + &block(CERTIFICATE))),
            Err(Fault::Label(EC_PARAMETERS.to_owned()))
        );
    }
}
