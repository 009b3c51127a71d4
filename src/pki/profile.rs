//! What hostseed's certificates say, all of it. Pure: no keys, no randomness, no clock.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use crate::names::Address;
use crate::plan::{KeyType, Plan};

/// An authority outlives several generations of leaves.
const AUTHORITY_LIFE: Duration = Duration::days(10 * 365);
/// A new VM's clock may lag until it has found a time server.
const CLOCK_SKEW: Duration = Duration::hours(1);
/// The organisation in each subject names the role, so the three subjects of a machine differ
/// although its name is each one's common name; a chain of equal names is taken for self-signed.
const AUTHORITY: &str = "hostseed authority";
const SERVER: &str = "hostseed server";
const CLIENT: &str = "hostseed client";
const BOOT_ISSUER: &str = "hostseed boot issuer";

/// From when until when a certificate is good, both inclusive (RFC 5280 §4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

impl Validity {
    fn new(now: OffsetDateTime, life: Duration) -> Self {
        // X.509 has whole seconds.
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self { not_before: now - CLOCK_SKEW, not_after: now + life }
    }

    /// Whole days until the end; negative when it has passed.
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_seconds().div_euclid(24 * 60 * 60)
    }
}

/// An authority called `name`. `boot_issuers` leaves room for a boot issuer between it and a server's certificate (RFC 5280
/// §4.2.1.9); without, its path length is 0, and nothing that it signs can sign anything.
pub(super) fn authority(name: &str, boot_issuers: bool, now: OffsetDateTime) -> CertificateParams {
    let mut params = params(name, AUTHORITY, Validity::new(now, AUTHORITY_LIFE));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(u8::from(boot_issuers)));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The daemon's certificate, for `names`.
pub(super) fn server(
    plan: &Plan,
    names: &[Address],
    authority: Validity,
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = leaf(plan, names, SERVER, authority, now);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // RSA key transport is still negotiated by some TLS 1.2 clients (RFC 5246 §7.4.2).
    if matches!(plan.key, KeyType::Rsa2048 | KeyType::Rsa4096) {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.subject_alt_names = names.iter().map(san).collect();
    params
}

/// The delegated authority that goes along: it signs servers and nothing else (RFC 5280 §4.2.1.12: a purpose that an
/// authority's certificate lacks is lacking in all below it), and no further authority.
pub(super) fn boot_issuer(plan: &Plan, authority: Validity, now: OffsetDateTime) -> CertificateParams {
    let mut params = below(plan, BOOT_ISSUER, authority, now);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// The certificate of those who may command the daemon, beside a server's for `names`.
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

fn leaf(
    plan: &Plan,
    names: &[Address],
    role: &str,
    authority: Validity,
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = below(plan, role, authority, now);
    // OpenSSL holds a common name with a dot to an authority's name constraints too, where no DNS name is among the SANs. One that
    // the authority may not sign stands elsewhere in the subject.
    let name = plan.name.as_str();
    if name.contains('.') && !names.contains(&Address::Dns(name.to_owned())) {
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::OrganizationalUnitName, name);
    }
    // Unlike `NoCa`, this writes the basic constraints and the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

/// What an authority signs: never valid outside its own time.
fn below(plan: &Plan, role: &str, authority: Validity, now: OffsetDateTime) -> CertificateParams {
    let asked = Validity::new(now, plan.valid_for.duration());
    let validity = Validity {
        not_before: asked.not_before.max(authority.not_before),
        not_after: asked.not_after.min(authority.not_after),
    };
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
