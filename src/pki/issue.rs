//! Makes keys and certificates. The only randomness in hostseed is here.

use anyhow::{Context, Result, bail};
use rcgen::{CertificateParams, Issuer, KeyPair, SerialNumber};
use ring::rand::{SecureRandom, SystemRandom};
use rsa::pkcs8::der::pem::PemLabel;
use rsa::pkcs8::{EncodePrivateKey, LineEnding, PrivateKeyInfoRef, SecretDocument};
use rustls_pki_types::PrivatePkcs8KeyDer;
use time::OffsetDateTime;

use super::{Certificate, Identity, Pair, load, profile};
use crate::plan::{HostRole, KeyType, Plan};
use crate::report::Failure;
use crate::secret::Secret;

/// Makes an authority called `name`, good from an hour before `now` for ten years.
pub fn issue_authority(name: &str, key: KeyType, now: OffsetDateTime) -> Result<Pair> {
    let key = generate(key)?;
    let certificate = with_serial(profile::authority(name, now))?.self_signed(&key)?;
    pair(&certificate, &key)
}

/// Makes the certificate of an authority whose key is there already.
pub fn certify_authority(name: &str, key: Secret, now: OffsetDateTime) -> Result<Pair> {
    let certificate = with_serial(profile::authority(name, now))?.self_signed(&load::key_pair(&key)?)?;
    Ok(Pair { certificate: Certificate::from_der(certificate.der().to_vec())?, key })
}

/// Makes the keys and certificates of a machine's host and client, signed by `authority`. The host's is the server's, or
/// the boot issuer's, as the plan says.
///
/// No certificate outlives the authority. Fails where the authority may have no boot issuer below it.
pub fn issue_identity(plan: &Plan, authority: Pair, now: OffsetDateTime) -> Result<Identity> {
    let issuer =
        Issuer::from_ca_cert_der(&authority.certificate.der().into(), load::key_pair(&authority.key)?)
            .context("the authority's subject has a form that hostseed cannot repeat as an issuer")?;
    let host = sign(host_profile(plan, &authority, now)?, plan.key, &issuer)?;
    let client = sign(profile::client(plan, authority.certificate.validity(), now), plan.key, &issuer)?;
    if host.certificate.parsed().issuer().as_raw() != authority.certificate.parsed().subject().as_raw() {
        bail!("the authority's subject has a form that hostseed cannot repeat as an issuer");
    }
    Ok(Identity { authority, host, client })
}

/// Makes the certificate of a host whose key is there already, as [`issue_identity`] does.
pub fn certify_host(plan: &Plan, authority: &Pair, key: Secret, now: OffsetDateTime) -> Result<Pair> {
    let issuer =
        Issuer::from_ca_cert_der(&authority.certificate.der().into(), load::key_pair(&authority.key)?)?;
    let params = with_serial(host_profile(plan, authority, now)?)?;
    let certificate = params.signed_by(&load::key_pair(&key)?, &issuer)?;
    Ok(Pair { certificate: Certificate::from_der(certificate.der().to_vec())?, key })
}

/// What the certificate of a machine's host says.
fn host_profile(plan: &Plan, authority: &Pair, now: OffsetDateTime) -> Result<CertificateParams> {
    let validity = authority.certificate.validity();
    Ok(match plan.host_role() {
        HostRole::Server => profile::server(plan, validity, now),
        HostRole::BootIssuer if authority.certificate.path_len() == Some(0) => {
            return Err(Failure::new(
                "the authority may sign no boot issuer: its certificate allows none (path length 0)",
            )
            .hint("give `--address`, and it signs the server's certificate itself")
            .into());
        }
        // The host would find out at boot, by `localhost` if not before.
        HostRole::BootIssuer if authority.certificate.constrains_names() => {
            return Err(Failure::new(
                "the authority may sign no boot issuer: its certificate limits names, and the host's are not known",
            )
            .hint("give `--address`, and it signs the server's certificate itself")
            .into());
        }
        HostRole::BootIssuer => profile::boot_issuer(plan, validity, now),
    })
}

fn sign(params: CertificateParams, key: KeyType, issuer: &Issuer<KeyPair>) -> Result<Pair> {
    let key = generate(key)?;
    pair(&with_serial(params)?.signed_by(&key, issuer)?, &key)
}

fn pair(certificate: &rcgen::Certificate, key: &KeyPair) -> Result<Pair> {
    let certificate = Certificate::from_der(certificate.der().to_vec())?;
    Ok(Pair { certificate, key: private_pem(key)? })
}

/// PKCS#8 in its first version (RFC 5208). ring writes Ed25519 keys in the second (RFC 5958), with the public key behind the
/// private one, and OpenSSL 3.0 reads no such thing.
fn private_pem(key: &KeyPair) -> Result<Secret> {
    let mut info = PrivateKeyInfoRef::try_from(key.serialized_der()).ok().context("cannot read a new key")?;
    info.public_key = None;
    let document = SecretDocument::try_from(info).ok().context("cannot encode a new key")?;
    let pem = document
        .to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)
        .ok()
        .context("cannot encode a new key")?;
    Ok(Secret::new(pem))
}

/// 128 bits, more than the 64 that the CA/Browser Forum asks for, and within the 20 octets of RFC 5280 §4.1.2.2.
fn with_serial(mut params: CertificateParams) -> Result<CertificateParams> {
    let mut serial = [0; 16];
    SystemRandom::new().fill(&mut serial).ok().context("the system has no random numbers")?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn generate(key: KeyType) -> Result<KeyPair> {
    Ok(match key {
        KeyType::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?,
        KeyType::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?,
        KeyType::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519)?,
        KeyType::Rsa2048 => generate_rsa(2048)?,
        KeyType::Rsa4096 => generate_rsa(4096)?,
    })
}

/// ring signs with RSA keys but makes none.
fn generate_rsa(bits: usize) -> Result<KeyPair> {
    let key = rsa::PrivateKey::new(&mut getrandom::SysRng, bits).context("cannot make an RSA key")?;
    let der = key.to_pkcs8_der().context("cannot encode an RSA key")?;
    let der = PrivatePkcs8KeyDer::from(der.as_bytes());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256)?)
}
