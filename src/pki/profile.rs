//! The contents of hostseed's certificates. Uses no keys, no random numbers and no clock.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use super::Certificate;
use crate::names::{Address, ClientName};
use crate::plan::{Plan, ValidFor};

/// Validity of a CA. It outlasts several generations of leaf certificates.
const AUTHORITY_LIFE: Duration = Duration::days(10 * 365);
/// Validity before the time of issue, because a new VM's clock can be slow until it has found a time server.
const CLOCK_SKEW: Duration = Duration::hours(1);
/// Organisations in the subjects, one for each role. A machine's certificates have the same common name, so the
/// organisation makes their subjects different. A certificate with the same subject as its issuer would be treated as
/// self-signed.
const AUTHORITY: &str = "hostseed authority";
const SERVER: &str = "hostseed server";
const CLIENT: &str = "hostseed client";
const BOOT_ISSUER: &str = "hostseed boot issuer";
const LOOPBACK: &str = "hostseed";
/// Validity of the certificate for a connection within this computer, before and after its issue. It is longer than any run of a program, and
/// any step of the clock.
const LOOPBACK_LIFE: Duration = Duration::days(90);

/// The validity of a certificate. Both times are inclusive (RFC 5280 §4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

/// A certificate that expires within this time gets a warning, and one of less than three times this validity within a third of
/// its validity, as Let's Encrypt recommends it (https://letsencrypt.org/docs/integration-guide/#when-to-renew) and as the host
/// renews its own certificate.
const EXPIRES_SOON: Duration = Duration::days(30);

impl Validity {
    fn new(now: OffsetDateTime, life: Duration) -> Self {
        // X.509 times have whole seconds.
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self { not_before: now - CLOCK_SKEW, not_after: now + life }
    }

    /// The part of `asked` in which this is valid too.
    fn limits(&self, asked: Self) -> Self {
        Self {
            not_before: asked.not_before.max(self.not_before),
            not_after: asked.not_after.min(self.not_after),
        }
    }

    /// Returns whether the last valid second is over.
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        now > self.not_after
    }

    /// Returns whether it expires within 30 days, or within a third of its validity if that is less. True after expiry too.
    pub fn expires_soon(&self, now: OffsetDateTime) -> bool {
        let third: Duration = (self.not_after - self.not_before) / 3;
        self.not_after - now < third.min(EXPIRES_SOON)
    }

    /// Whole days until expiry, rounded down. Negative after expiry.
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_seconds().div_euclid(24 * 60 * 60)
    }
}

/// The profile of a CA called `name`. With `boot_issuers` its path length is 1, so that it can sign a boot issuer (RFC
/// 5280 §4.2.1.9). Otherwise its path length is 0, and certificates that it signs cannot sign others.
pub(super) fn authority(name: &str, boot_issuers: bool, now: OffsetDateTime) -> CertificateParams {
    let mut params = params(name, AUTHORITY, Validity::new(now, AUTHORITY_LIFE));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(u8::from(boot_issuers)));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The profile of a server on this computer that serves one program.
pub(super) fn loopback(now: OffsetDateTime) -> Result<CertificateParams> {
    let validity = Validity { not_before: now - LOOPBACK_LIFE, not_after: now + LOOPBACK_LIFE };
    let mut params = params("localhost", LOOPBACK, validity);
    no_ca(&mut params);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = vec![SanType::DnsName("localhost".try_into()?)];
    Ok(params)
}

/// The profile of dockerd's certificate, with `names` as its SANs.
pub(super) fn server(
    plan: &Plan,
    names: &[Address],
    authority: Validity,
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = leaf(plan, names, SERVER, authority, now);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Some TLS 1.2 clients still negotiate RSA key transport, which needs this usage (RFC 5246 §7.4.2).
    if plan.key.is_rsa() {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.subject_alt_names = names.iter().map(san).collect();
    params
}

/// The profile of the intermediate CA that is sent to the host. It can sign only server certificates, because a purpose
/// that is missing in a CA certificate is missing in all certificates below it (RFC 5280 §4.2.1.12). It cannot sign other
/// CAs.
pub(super) fn boot_issuer(plan: &Plan, authority: Validity, now: OffsetDateTime) -> CertificateParams {
    let mut params = signed_by_ca(plan, BOOT_ISSUER, authority, now);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// The profile of the client certificate, which gives access to dockerd. `names` are the SANs of the server's
/// certificate.
pub(super) fn client(
    plan: &Plan,
    names: &[Address],
    authority: Validity,
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = leaf(plan, names, CLIENT, authority, now);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// The profile of a client certificate besides the machine's own. Its extended key usage allows no servers.
pub(super) fn further_client(
    name: &ClientName,
    valid_for: ValidFor,
    authority: &Certificate,
    now: OffsetDateTime,
) -> CertificateParams {
    let validity = authority.validity().limits(Validity::new(now, valid_for.duration()));
    let mut params = params(name.as_str(), CLIENT, validity);
    params.use_authority_key_identifier_extension = true;
    // OpenSSL would apply the name constraints to it, as in `leaf`.
    if name.as_str().contains('.') && authority.constrains_names() {
        as_unit(&mut params, name.as_str());
    }
    no_ca(&mut params);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn leaf(
    plan: &Plan,
    names: &[Address],
    role: &str,
    authority: Validity,
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = signed_by_ca(plan, role, authority, now);
    // If a certificate has no DNS name among its SANs, OpenSSL applies the name constraints to a common name with a dot.
    // If the CA cannot sign the name, it is stored as the organisational unit instead.
    let name = plan.name.as_str();
    if name.contains('.') && !names.contains(&Address::Dns(name.to_owned())) {
        as_unit(&mut params, name);
    }
    no_ca(&mut params);
    params
}

/// Makes the common name the organisational unit.
fn as_unit(params: &mut CertificateParams, name: &str) {
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationalUnitName, name);
}

/// Makes it the profile of a leaf.
fn no_ca(params: &mut CertificateParams) {
    // Unlike `NoCa`, this writes the basic constraints and the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
}

/// The common part of the profiles of certificates that a CA signs. They are never valid before or after the CA.
fn signed_by_ca(plan: &Plan, role: &str, authority: Validity, now: OffsetDateTime) -> CertificateParams {
    let validity = authority.limits(Validity::new(now, plan.valid_for.duration()));
    let mut params = params(plan.name.as_str(), role, validity);
    params.use_authority_key_identifier_extension = true;
    params
}

fn params(name: &str, role: &str, validity: Validity) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, role);
    subject.push(DnType::CommonName, name);
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params
}

pub(super) fn san(address: &Address) -> SanType {
    match address {
        Address::Ip(ip) => SanType::IpAddress(*ip),
        Address::Dns(name) => SanType::DnsName(name.as_str().try_into().expect("a host name is ASCII")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_expires_soon_after_two_thirds_of_its_validity_and_at_most_30_days_before_its_end() {
        for (hours, soon) in [(12, 4), (7 * 24, 56), (30 * 24, 240), (90 * 24, 720), (730 * 24, 720)] {
            let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
            let validity = Validity { not_before: now, not_after: now + Duration::hours(hours) };
            let before = |time| validity.not_after - time;
            assert!(!validity.expires_soon(now), "{hours} h");
            assert!(!validity.expires_soon(before(Duration::hours(soon))), "{hours} h");
            assert!(validity.expires_soon(before(Duration::hours(soon) - Duration::SECOND)), "{hours} h");
            assert!(validity.expires_soon(validity.not_after + Duration::SECOND), "{hours} h");
        }
    }
}
