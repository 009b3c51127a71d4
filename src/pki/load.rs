//! Reads certificates and keys from PEM files: an authority that somebody else made, and what a stored machine's host gets. Of a
//! file only the certificate or the key is kept. rcgen would sign with anything; here the key must match the certificate, and
//! the certificate must be a CA's that is good now.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use pem::Pem;
use rcgen::{KeyPair, PublicKeyData};
use rsa::pkcs8::der::Decode;
use rsa::pkcs8::der::asn1::{ObjectIdentifier, OctetStringRef};
use rsa::pkcs8::spki::AlgorithmIdentifierRef;
use rsa::pkcs8::{PrivateKeyInfoRef, SecretDocument};
use rustls_pki_types::PrivatePkcs8KeyDer;
use time::OffsetDateTime;

use super::blocks::{self, Fault};
use super::encrypted::{self, Problem};
use super::{CaBundle, Certificate, HostIdentity, Pair};
use crate::diag::{Code, Diagnostic};
use crate::secret::Secret;
use crate::shell::Command;

/// `id-ecPublicKey`, RFC 5480 §2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Asks for the passphrase of a CA's key file. Returns `None` if there is nobody to ask.
pub type AskPassphrase<'a> = &'a dyn Fn(&Path) -> Result<Option<Secret<Vec<u8>>>>;

/// Reads a CA from the texts of its `ca.pem` and `ca-key.pem`, with the key in PKCS#8, PKCS#1 (Docker Machine's) or SEC1. Keeps only the
/// certificate and the key. `place` is the folder, for messages. `ask` is called if the key is encrypted.
///
/// # Errors
/// A file with more than that (a private key or a second certificate in `ca.pem` would be sent to the host), a key that does not belong
/// to the certificate, a missing or wrong passphrase, and a certificate that is not a CA's, must not sign, is not valid at `now`, or is
/// not supported by docker.
pub fn load_authority(
    place: &Path,
    certificate: &str,
    key: &Secret,
    now: OffsetDateTime,
    ask: AskPassphrase,
) -> Result<Pair> {
    let cannot_use = || format!("the CA in `{}` cannot be used", place.display());
    let decrypted = decrypted(&place.join("ca-key.pem"), key, ask).with_context(cannot_use)?;
    let key = private_key(decrypted.as_ref().unwrap_or(key))
        .map_err(|fault| unusable(format!("`{}`: {fault}", place.join("ca-key.pem").display())))
        .with_context(cannot_use)?;
    let certificate =
        Certificate::from_pem(certificate).map_err(|fault| refused(place, certificate, &key, &fault))?;
    check_authority(&certificate, &key, now).with_context(cannot_use)?;
    Ok(Pair { certificate, key })
}

/// The key of a CA without its encryption. Returns `None` if it is not encrypted, or not a readable PEM file.
fn decrypted(path: &Path, key: &Secret, ask: AskPassphrase) -> Result<Option<Secret>> {
    let block = match blocks::maybe_encrypted_key(key.expose()) {
        Ok(block) if blocks::is_encrypted(&block) => block,
        _ => return Ok(None),
    };
    let shown = path.display();
    let fail = |problem| match problem {
        Problem::WrongPassphrase => Diagnostic::error(
            Code::CaPassphrase,
            format!("the passphrase of `{shown}` is wrong, or the file is damaged; nothing was written"),
        )
        .hint("give the passphrase of this key at the prompt or in HOSTSEED_CA_PASSPHRASE"),
        Problem::Unsupported => {
            let other = path.with_extension("pkcs8").display().to_string();
            let file = shown.to_string();
            Diagnostic::error(
                Code::CaPassphrase,
                format!(
                    "`{shown}` is encrypted in a way that hostseed does not support; nothing was written"
                ),
            )
            .hint("convert it; openssl asks for the old passphrase and for a new one:")
            .run(Command::of("openssl", ["pkcs8", "-topk8", "-in", &file, "-out", &other]))
            .run(Command::of("mv", [other, file]))
        }
    };
    encrypted::check(&block).map_err(fail)?;
    let Some(passphrase) = ask(path)? else {
        return Err(Diagnostic::error(
            Code::CaPassphrase,
            format!(
                "`{shown}` is encrypted with a passphrase, and there is no terminal to ask for it; nothing was written"
            ),
        )
        .hint("set HOSTSEED_CA_PASSPHRASE")
        .into());
    };
    Ok(Some(encrypted::decrypt(&block, &passphrase).map_err(fail)?))
}

/// The refusal of a `ca.pem`, with the way to fix it.
fn refused(place: &Path, text: &str, key: &Secret, fault: &Fault) -> anyhow::Error {
    let why = match fault {
        Fault::PrivateKey => "it contains a private key, and ca.pem is sent to the host".to_owned(),
        Fault::Certificates(n) => {
            format!("it contains {n} certificates, and each of them could sign clients")
        }
        other => other.to_string(),
    };
    let message = format!(
        "the CA in `{0}` cannot be used: `{1}`: {why}; nothing was written",
        place.display(),
        place.join("ca.pem").display()
    );
    way_out(Diagnostic::error(Code::CaFileContents, message), place, text, key).into()
}

/// Adds to `refused` how to reduce a `ca.pem` to the certificate of the key.
fn way_out(refused: Diagnostic, place: &Path, text: &str, key: &Secret) -> Diagnostic {
    let all = Certificate::all_from_pem(text).unwrap_or_default();
    let own = key_pair(key).ok().and_then(|key| {
        let public = key.subject_public_key_info();
        all.iter().position(|certificate| certificate.is_for(&public))
    });
    let Some(n) = own else { return refused.hint("keep only the certificate of ca-key.pem in ca.pem") };
    let which = format!("`{}`, SHA-256 {}", all[n].subject(), all[n].fingerprint());
    if n > 0 {
        return refused.hint(format!("keep only the certificate of ca-key.pem in ca.pem: {which}"));
    }
    // openssl writes the first certificate of a file.
    let path = |file: &str| place.join(file).display().to_string();
    let (from, to) = (path("ca.pem"), path("ca-only.pem"));
    refused
        .hint(format!("keep only the certificate of ca-key.pem, {which}:"))
        .run(Command::of("openssl", ["x509", "-in", &from, "-out", &to]))
        .run(Command::of("mv", [to, from]))
}

/// Checks that a certificate is a CA's that can sign for servers and clients at `now`, and that `key` is its key.
fn check_authority(certificate: &Certificate, key: &Secret, now: OffsetDateTime) -> Result<()> {
    let refuse = |why: String| Err(unusable(why).into());
    let parsed = certificate.parsed();
    let is_ca = parsed.basic_constraints().ok().flatten().is_some_and(|bc| bc.value.ca);
    if !is_ca {
        return refuse("its certificate is not a CA's: basicConstraints lacks CA:TRUE".into());
    }
    if let Ok(Some(usage)) = parsed.key_usage()
        && !usage.value.key_cert_sign()
    {
        return refuse("its certificate must not sign others: its key usage lacks keyCertSign".into());
    }
    // rcgen keeps one value for each attribute, and a chain with another name in it does not verify (RFC 5280 §6.1.3).
    let mut attributes = Vec::new();
    for attribute in parsed.subject().iter_attributes() {
        if attributes.contains(&attribute.attr_type()) {
            let subject = parsed.subject();
            return refuse(format!(
                "its subject `{subject}` has an attribute twice, which hostseed cannot repeat as an issuer"
            ));
        }
        attributes.push(attribute.attr_type());
    }
    if let Ok(Some(purpose)) = parsed.extended_key_usage()
        && !(purpose.value.any || (purpose.value.server_auth && purpose.value.client_auth))
    {
        return refuse("its extended key usage does not allow both servers and clients".into());
    }
    if !certificate.is_for(&key_pair(key)?.subject_public_key_info()) {
        return refuse("its private key does not belong to its certificate".into());
    }
    if let Some(unsupported) = certificate.unsupported() {
        let hint = "use a CA without that, or give no CA for a new one";
        return Err(unusable(format!("its certificate has {unsupported}")).hint(hint).into());
    }
    let validity = certificate.validity();
    if now < validity.not_before {
        return refuse(format!("its certificate is not valid before {}", validity.not_before));
    }
    if validity.is_expired(now) {
        return refuse(format!("its certificate expired on {}", validity.not_after.date()));
    }
    Ok(())
}

fn unusable(why: String) -> Diagnostic {
    Diagnostic::error(Code::UnusableCa, why)
}

/// Reads a private key from a PEM text that holds one and nothing else in PEM; only that key is kept.
///
/// # Errors
/// A second key, a certificate, another block, a passphrase, a key that is damaged or of a kind that hostseed does not know.
pub fn private_key(text: &Secret) -> Result<Secret> {
    let block = blocks::private_key(text.expose())?;
    from_block(&block)?;
    Ok(blocks::encode_key(&block))
}

/// Returns whether a private key in PEM is a certificate's.
///
/// # Errors
/// Fails for the reasons of [`private_key`].
pub fn is_key_of(key: &Secret, certificate: &Certificate) -> Result<bool> {
    Ok(certificate.is_for(&key_pair(&private_key(key)?)?.subject_public_key_info()))
}

/// Returns whether an error of [`private_key`] is that the key is encrypted.
pub fn is_encrypted(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Fault>() == Some(&Fault::Encrypted)
}

impl HostIdentity {
    /// Reads what a host gets to know from the texts of its PEM files: the CAs' certificates alone, the host's certificate with
    /// its chain, and its key. Nothing else that is in the files is kept.
    ///
    /// # Errors
    /// Says which of them is at fault: the file as `files` names them.
    pub fn read([ca, certificate, key]: [(&Path, &Secret); 3]) -> Result<Self> {
        let at = |file: &Path, fault: Fault| {
            Diagnostic::error(Code::StoredPem, format!("`{}`: {fault}; nothing was written", file.display()))
        };
        let authority = CaBundle::from_pem(ca.1.expose()).map_err(|fault| match fault {
            Fault::PrivateKey => at(ca.0, fault).hint(
                "the machine's user-data contains that key: replace the CA with `hostseed renew --authority`, and replace the VM",
            ),
            Fault::Certificates(_) => at(ca.0, fault).hint(
                "each of them can sign clients: keep only the CA's certificate in the file",
            ),
            fault => at(ca.0, fault).hint("restore the certificate, or replace the CA with `hostseed renew --authority`"),
        })?;
        let chain = Certificate::chain_from_pem(certificate.1.expose()).map_err(|fault| {
            at(certificate.0, fault).hint("restore the certificate, or make new ones with `hostseed renew`")
        })?;
        let hint = "restore the key, or make new ones with `hostseed renew`";
        let private = private_key(key.1).map_err(|error| {
            Diagnostic::error(Code::StoredPem, format!("`{}`: {error}; nothing was written", key.0.display()))
                .hint(hint)
        })?;
        // The authority's, the client's, another machine's.
        if !chain[0].is_for(&key_pair(&private)?.subject_public_key_info()) {
            let beside = certificate.0.file_name().unwrap_or_default().display();
            let message = format!(
                "`{}` is not the key of {beside}, so it must not be sent to the host",
                key.0.display()
            );
            return Err(Diagnostic::error(Code::KeyMismatch, message).hint(hint).into());
        }
        Ok(Self { ca: authority, chain, key: private })
    }
}

/// A private key of any form that rcgen can sign with: the first in PEM.
pub(super) fn key_pair(key: &Secret) -> Result<KeyPair> {
    let block = pem::parse_many(key.expose())
        .context("its key is not PEM text")?
        .into_iter()
        .find(|block| block.tag().ends_with("PRIVATE KEY"))
        .ok_or_else(|| anyhow!("it contains no private key"))?;
    from_block(&block)
}

pub(super) fn from_block(block: &Pem) -> Result<KeyPair> {
    if blocks::is_encrypted(block) {
        return Err(Fault::Encrypted.into());
    }
    let pkcs8 = match block.tag() {
        "PRIVATE KEY" => SecretDocument::try_from(block.contents()).ok(),
        "RSA PRIVATE KEY" => wrap_pkcs1(block.contents()),
        "EC PRIVATE KEY" => wrap_sec1(block.contents()),
        other => bail!("its private key has an unknown type: `{other}`"),
    };
    let pkcs8 = pkcs8.ok_or_else(|| anyhow!("its private key cannot be read"))?;
    KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8.as_bytes()))
        .map_err(|_| anyhow!("its private key must be RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519"))
}

/// PKCS#1 (RFC 8017 Appendix A.1.2) inside PKCS#8 (RFC 5208 §5).
fn wrap_pkcs1(der: &[u8]) -> Option<SecretDocument> {
    wrap(rsa::pkcs1::ALGORITHM_ID, der)
}

/// SEC1 (RFC 5915 §3) inside PKCS#8; the curve stands where PKCS#8 has it.
fn wrap_sec1(der: &[u8]) -> Option<SecretDocument> {
    let key = sec1::EcPrivateKey::from_der(der).ok()?;
    let curve = key.parameters?.named_curve()?;
    wrap(AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some((&curve).into()) }, der)
}

fn wrap(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Option<SecretDocument> {
    PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(key).ok()?).try_into().ok()
}
