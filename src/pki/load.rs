//! Reads an authority that somebody else made. rcgen would sign with anything; here the key must match the
//! certificate, and the certificate must be a CA's that is good now.

use anyhow::{Context, Result, anyhow, bail};
use pem::Pem;
use rcgen::{KeyPair, PublicKeyData};
use rsa::pkcs8::der::Decode;
use rsa::pkcs8::der::asn1::{ObjectIdentifier, OctetStringRef};
use rsa::pkcs8::spki::AlgorithmIdentifierRef;
use rsa::pkcs8::{PrivateKeyInfoRef, SecretDocument};
use rustls_pki_types::PrivatePkcs8KeyDer;
use time::OffsetDateTime;

use super::{Certificate, Pair};
use crate::secret::Secret;

/// `id-ecPublicKey`, RFC 5480 §2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Reads an authority's certificate and key, PEM both, the key in PKCS#8, PKCS#1 (Docker Machine's) or SEC1.
///
/// Refuses a key that does not match, a certificate that is no CA's, may not sign, or is not good at `now`.
pub fn load_authority(certificate: &str, key: Secret, now: OffsetDateTime) -> Result<Pair> {
    let certificate = Certificate::from_pem(certificate)?;
    let key_pair = key_pair(&key)?;
    {
        let parsed = certificate.parsed();
        let is_ca = parsed.basic_constraints().ok().flatten().is_some_and(|bc| bc.value.ca);
        if !is_ca {
            bail!("its certificate is no authority's: it says it is not a CA");
        }
        if let Ok(Some(usage)) = parsed.key_usage()
            && !usage.value.key_cert_sign()
        {
            bail!("its certificate may not sign others: its key usage lacks keyCertSign");
        }
        // rcgen keeps one value for each attribute, and a chain with another name in it does not verify (RFC 5280 §6.1.3).
        let mut attributes = Vec::new();
        for attribute in parsed.subject().iter_attributes() {
            if attributes.contains(&attribute.attr_type()) {
                bail!(
                    "its subject `{}` has an attribute twice, which hostseed cannot repeat as an issuer",
                    parsed.subject()
                );
            }
            attributes.push(attribute.attr_type());
        }
        if let Ok(Some(purpose)) = parsed.extended_key_usage()
            && !(purpose.value.any || (purpose.value.server_auth && purpose.value.client_auth))
        {
            bail!(
                "its certificate does not sign for servers and clients both: its extended key usage forbids it"
            );
        }
        if !certificate.is_for(&key_pair.subject_public_key_info()) {
            bail!("its key does not belong to its certificate");
        }
    }
    let validity = certificate.validity();
    if now < validity.not_before {
        bail!("its certificate is not valid before {}", validity.not_before);
    }
    if now > validity.not_after {
        bail!("its certificate expired on {}", validity.not_after.date());
    }
    Ok(Pair { certificate, key })
}

/// Whether a key, PEM both, is of another pair than a certificate. What cannot be read is no key, and no other.
pub fn is_another_key(key: &Secret, certificate: &str) -> bool {
    match (key_pair(key), Certificate::from_pem(certificate)) {
        (Ok(key), Ok(certificate)) => !certificate.is_for(&key.subject_public_key_info()),
        _ => false,
    }
}

/// A private key of any form that rcgen can sign with.
pub(super) fn key_pair(key: &Secret) -> Result<KeyPair> {
    let block = pem::parse_many(key.expose())
        .context("its key is no PEM text")?
        .into_iter()
        // `openssl ecparam -genkey` writes the curve in a block of its own before the key.
        .find(|block| block.tag().ends_with("PRIVATE KEY"))
        .ok_or_else(|| anyhow!("it holds no private key"))?;
    from_block(&block)
}

pub(super) fn from_block(block: &Pem) -> Result<KeyPair> {
    if is_encrypted(block) {
        bail!("its key is encrypted, hostseed reads none with a passphrase");
    }
    let pkcs8 = match block.tag() {
        "PRIVATE KEY" => SecretDocument::try_from(block.contents()).ok(),
        "RSA PRIVATE KEY" => wrap_pkcs1(block.contents()),
        "EC PRIVATE KEY" => wrap_sec1(block.contents()),
        other => bail!("its key is of a kind that hostseed does not know: `{other}`"),
    };
    let pkcs8 = pkcs8.ok_or_else(|| anyhow!("its key cannot be read"))?;
    KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8.as_bytes()))
        .map_err(|_| anyhow!("its key is of a kind that cannot sign here: it must be RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519"))
}

pub(super) fn is_encrypted(block: &Pem) -> bool {
    // RFC 1421 §4.6.1.1: so OpenSSL's older forms say that there is a passphrase.
    let older = block.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED"));
    older || block.tag() == "ENCRYPTED PRIVATE KEY"
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
