//! Makes private keys and certificates, with random keys and serial numbers.

use anyhow::{Context, Result};
use rcgen::{CertificateParams, Issuer, KeyPair, SerialNumber};
use ring::rand::{SecureRandom, SystemRandom};
use rsa::pkcs8::der::pem::PemLabel;
use rsa::pkcs8::{EncodePrivateKey, LineEnding, PrivateKeyInfoRef, SecretDocument};
use rustls_pki_types::PrivatePkcs8KeyDer;
use time::OffsetDateTime;

use super::judge::forbidden_names;
use super::{Certificate, Identity, Pair, Purpose, Unsound, judge, load, profile, trial_leaf};
use crate::diag::{Code, Diagnostic};
use crate::names::{Address, ClientName};
use crate::plan::{HostRole, KeyType, Plan, ValidFor};
use crate::secret::Secret;

/// Makes a CA called `name`, valid from one hour before `now` for ten years. It can sign boot issuers only if
/// `boot_issuers` is set.
pub fn issue_authority(name: &str, key: KeyType, boot_issuers: bool, now: OffsetDateTime) -> Result<Pair> {
    let key = generate(key)?;
    let certificate = with_serial(profile::authority(name, boot_issuers, now))?.self_signed(&key)?;
    pair(&certificate, &key)
}

/// Makes a machine's own CA. It can sign a boot issuer only if the plan has one.
pub fn issue_own_authority(plan: &Plan, now: OffsetDateTime) -> Result<Pair> {
    issue_authority(plan.name.as_str(), plan.key, plan.boot_issuer.is_some(), now)
}

/// Makes a self-signed certificate of `localhost` for a connection between two programs of this computer.
pub fn issue_loopback(now: OffsetDateTime) -> Result<Pair> {
    let key = generate(KeyType::P256)?;
    pair(&with_serial(profile::loopback(now)?)?.self_signed(&key)?, &key)
}

/// Makes the certificate of a shared CA for an existing key. The CA can sign boot issuers.
pub fn certify_authority(name: &str, key: Secret, now: OffsetDateTime) -> Result<Pair> {
    let certificate =
        with_serial(profile::authority(name, true, now))?.self_signed(&load::key_pair(&key)?)?;
    Ok(Pair { certificate: Certificate::from_der(certificate.der().to_vec())?, key })
}

/// Makes the keys and certificates of a machine's host and client, signed by `authority`. The plan says whether the host
/// gets a server certificate or a boot issuer.
///
/// No certificate is valid longer than the CA. If the CA has name constraints, the server certificate contains all
/// names that the plan asks for, and those default names that the CA may sign.
///
/// # Errors
/// Fails if the plan needs a boot issuer and the CA may not sign one, if the CA may not sign a name that the plan asks
/// for, or if a TLS client or dockerd would not accept the result.
pub fn issue_identity(plan: &Plan, authority: Pair, now: OffsetDateTime) -> Result<Identity> {
    let issuer = issuer(&authority)?;
    let names = server_names(plan, &authority.certificate)?;
    let host = sign(host_profile(plan, &names, &authority.certificate, now)?, plan.key, &issuer)?;
    let client = profile::client(plan, &names, authority.certificate.validity(), now);
    let client = sign(client, plan.key, &issuer)?;
    check_issuer(&host, &authority)?;
    let identity = Identity { authority, host, client };
    check_accepted(plan, &identity, now)?;
    Ok(identity)
}

/// Makes a machine's own CA, and the keys and certificates that it signs, as [`issue_identity`] does. It does not ask whether docker and dockerd
/// accept the result: everything in these certificates is hostseed's, and nothing is of a CA that somebody else made.
pub fn issue_own_identity(plan: &Plan, now: OffsetDateTime) -> Result<Identity> {
    let key = generate(plan.key)?;
    let params = with_serial(profile::authority(plan.name.as_str(), plan.boot_issuer.is_some(), now))?;
    let authority = pair(&params.self_signed(&key)?, &key)?;
    let issuer = Issuer::new(params, key);
    let names = plan.sans();
    let host = sign(host_profile(plan, &names, &authority.certificate, now)?, plan.key, &issuer)?;
    let client = profile::client(plan, &names, authority.certificate.validity(), now);
    let client = sign(client, plan.key, &issuer)?;
    Ok(Identity { authority, host, client })
}

/// Makes a client certificate besides the machine's own, signed by `authority`, and its key. It is not valid longer than the CA.
///
/// # Errors
/// Fails if dockerd would not accept the result.
pub fn issue_client(
    name: &ClientName,
    key: KeyType,
    valid_for: ValidFor,
    authority: &Pair,
    now: OffsetDateTime,
) -> Result<Pair> {
    let issuer = issuer(authority)?;
    let client = sign(profile::further_client(name, valid_for, &authority.certificate, now), key, &issuer)?;
    check_issuer(&client, authority)?;
    let anchors = std::slice::from_ref(&authority.certificate);
    judge(&client.certificate, &[], anchors, Purpose::Client, now)
        .map_err(|why| rejected("client", "dockerd", why))?;
    Ok(client)
}

fn issuer(authority: &Pair) -> Result<Issuer<'static, KeyPair>> {
    let key = load::key_pair(&authority.key)?;
    Ok(Issuer::from_ca_cert_der(&authority.certificate.der().into(), key)
        .map_err(|_| subject_not_repeatable())?)
}

/// Checks that a certificate repeats the name of its CA byte for byte (RFC 5280 §6.1.3).
fn check_issuer(signed: &Pair, authority: &Pair) -> Result<()> {
    let repeats =
        signed.certificate.parsed().issuer().as_raw() == authority.certificate.parsed().subject().as_raw();
    if repeats { Ok(()) } else { Err(subject_not_repeatable().into()) }
}

/// The error for a CA whose subject hostseed cannot copy.
fn subject_not_repeatable() -> Diagnostic {
    Diagnostic::error(
        Code::UnusableCa,
        "the CA's subject is encoded in a way that hostseed cannot repeat as an issuer",
    )
}

/// Verifies the server certificate as the docker CLI does, and the client's as dockerd does.
fn check_accepted(plan: &Plan, identity: &Identity, now: OffsetDateTime) -> Result<()> {
    let Identity { authority, host, client } = identity;
    check_host(plan, authority, host, now)?;
    let anchors = std::slice::from_ref(&authority.certificate);
    judge(&client.certificate, &[], anchors, Purpose::Client, now)
        .map_err(|why| rejected("client", "dockerd", why))?;
    Ok(())
}

/// Verifies the certificate of a host as the docker CLI does.
fn check_host(plan: &Plan, authority: &Pair, host: &Pair, now: OffsetDateTime) -> Result<()> {
    let anchors = std::slice::from_ref(&authority.certificate);
    let server = match plan.host_role() {
        HostRole::Server => judge(&host.certificate, &[], anchors, Purpose::Server, now),
        HostRole::BootIssuer => {
            let leaf = trial_leaf(&host.certificate, &host.key)?;
            judge(&leaf, std::slice::from_ref(&host.certificate), anchors, Purpose::Server, now)
        }
    };
    Ok(server.map_err(|why| rejected("server", "docker", why))?)
}

/// The error for a certificate that docker or dockerd would refuse because of its CA.
fn rejected(what: &str, by: &str, why: Unsound) -> Diagnostic {
    Diagnostic::error(
        Code::CaRejected,
        format!("{by} would not accept the {what} certificate under this CA: {why}; nothing was written"),
    )
    .hint("use another CA, or give no CA for a new one")
}

/// The SANs of the server certificate: the plan's names, without the default ones that the CA's name constraints
/// exclude.
fn server_names(plan: &Plan, authority: &Certificate) -> Result<Vec<Address>> {
    let mut names = plan.sans();
    // A CA with name constraints cannot sign a boot issuer, which `host_profile` refuses.
    if !authority.constrains_names() || plan.host_role() == HostRole::BootIssuer {
        return Ok(names);
    }
    let forbidden = forbidden_names(authority, &names)?;
    let asked: Vec<_> =
        forbidden.iter().filter(|name| plan.asks_for(name)).map(|name| format!("`{name}`")).collect();
    if !asked.is_empty() {
        return Err(Diagnostic::error(
            Code::CaNameConstraints,
            format!(
                "the CA must not sign for {}: its name constraints do not allow that; nothing was written",
                asked.join(", ")
            ),
        )
        .hint("leave that name out, use another CA, or give no CA for a new one")
        .into());
    }
    names.retain(|name| !forbidden.contains(name));
    Ok(names)
}

/// Checks that a CA may sign what a plan asks for. Needs no key.
///
/// # Errors
/// Fails if the plan needs a boot issuer and the CA may not sign one, or if the CA may not sign a name that the plan asks for.
pub fn check_may_sign(plan: &Plan, authority: &Certificate, now: OffsetDateTime) -> Result<()> {
    let names = server_names(plan, authority)?;
    host_profile(plan, &names, authority, now).map(|_| ())
}

/// Signs the host's certificate for an existing key, as [`issue_identity`] does for a new key.
pub fn certify_host(plan: &Plan, authority: &Pair, key: Secret, now: OffsetDateTime) -> Result<Pair> {
    let issuer =
        Issuer::from_ca_cert_der(&authority.certificate.der().into(), load::key_pair(&authority.key)?)?;
    let names = server_names(plan, &authority.certificate)?;
    let params = with_serial(host_profile(plan, &names, &authority.certificate, now)?)?;
    let certificate = params.signed_by(&load::key_pair(&key)?, &issuer)?;
    Ok(Pair { certificate: Certificate::from_der(certificate.der().to_vec())?, key })
}

/// Makes a new key and certificate for a machine's host, as [`issue_identity`] does.
///
/// # Errors
/// Fails as [`issue_identity`] does.
pub fn issue_host(plan: &Plan, authority: &Pair, now: OffsetDateTime) -> Result<Pair> {
    let issuer =
        Issuer::from_ca_cert_der(&authority.certificate.der().into(), load::key_pair(&authority.key)?)
            .map_err(|_| subject_not_repeatable())?;
    let names = server_names(plan, &authority.certificate)?;
    let host = sign(host_profile(plan, &names, &authority.certificate, now)?, plan.key, &issuer)?;
    check_host(plan, authority, &host, now)?;
    Ok(host)
}

/// The profile of the host's certificate.
fn host_profile(
    plan: &Plan,
    names: &[Address],
    authority: &Certificate,
    now: OffsetDateTime,
) -> Result<CertificateParams> {
    let validity = authority.validity();
    Ok(match plan.host_role() {
        HostRole::Server => profile::server(plan, names, validity, now),
        HostRole::BootIssuer if authority.path_len() == Some(0) => {
            return Err(Diagnostic::error(
                Code::CaPathLength,
                "the CA must not sign a boot issuer: its certificate has path length 0",
            )
            .hint(
                "give the machine an address, so that the CA signs the server certificate itself, or use the shared CA",
            )
            .into());
        }
        // Without this check the error would first appear at boot, because the host's certificate always contains
        // `localhost`.
        HostRole::BootIssuer if authority.constrains_names() => {
            return Err(Diagnostic::error(Code::CaNameConstraints, "the CA must not sign a boot issuer: it has name constraints, and the host's names are not known before boot",
            )
            .hint("give the machine an address, so that the CA signs the server certificate itself")
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

/// Encodes a private key as PKCS#8 version 1 (RFC 5208). ring writes Ed25519 keys as version 2 (RFC 5958) with the public
/// key appended, which OpenSSL 3.0 cannot read.
fn private_pem(key: &KeyPair) -> Result<Secret> {
    let mut info = PrivateKeyInfoRef::try_from(key.serialized_der()).ok().context("cannot read a new key")?;
    info.public_key = None;
    let document = SecretDocument::try_from(info).ok().context("cannot encode a new key")?;
    let pem = document
        .to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)
        .ok()
        .context("cannot encode a new key")?;
    Ok(Secret::from(pem))
}

/// Sets a random serial number of 128 bits. The CA/Browser Forum requires 64 bits, and RFC 5280 §4.1.2.2 allows 20 bytes.
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

/// Generates an RSA key with the `rsa` crate, because ring cannot generate RSA keys.
fn generate_rsa(bits: usize) -> Result<KeyPair> {
    let key = rsa::PrivateKey::new(&mut getrandom::SysRng, bits).context("cannot make an RSA key")?;
    let der = key.to_pkcs8_der().context("cannot encode an RSA key")?;
    let der = PrivatePkcs8KeyDer::from(der.as_bytes());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    /// A machine's own CA is not verified when it is made.
    #[test]
    fn docker_and_dockerd_accept_what_an_own_ca_signs() {
        let now = OffsetDateTime::now_utc();
        for key in ["p256", "p384", "ed25519", "rsa2048"] {
            for address in [&["203.0.113.7", "web1.example.com", "2001:db8::7"][..], &[]] {
                let mut spec = Spec::default();
                spec.set("name", ["web1".to_owned()]);
                spec.set("key", [key.to_owned()]);
                spec.set("address", address.iter().map(|text| (*text).to_owned()));
                let plan = Plan::from_spec(&spec).unwrap();
                let identity = issue_own_identity(&plan, now).unwrap();
                check_accepted(&plan, &identity, now).unwrap();
                let other = issue_own_identity(&plan, now).unwrap();
                let mixed = Identity { host: other.host, ..identity.clone() };
                assert!(check_accepted(&plan, &mixed, now).is_err());
                let mixed = Identity { client: other.client, ..identity.clone() };
                assert!(check_accepted(&plan, &mixed, now).is_err());
                check_issuer(&identity.host, &identity.authority).unwrap();
                let names = if address.is_empty() { 0 } else { plan.sans().len() };
                assert_eq!(identity.host.certificate.sans().len(), names);
            }
        }
    }
}
