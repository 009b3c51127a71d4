//! Verifies certificate chains with webpki, as TLS clients and dockerd do.

use std::cell::Cell;
use std::fmt;

use anyhow::{Context, Result, anyhow};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use time::{Duration, OffsetDateTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use super::{Certificate, Unsupported, load, profile};
use crate::diag::{Code, Diagnostic};
use crate::names::Address;
use crate::secret::Secret;

/// The use of a certificate in a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// dockerd presents it to clients.
    Server,
    /// A client presents it to dockerd.
    Client,
}

/// Verifies a leaf for `purpose` with the CAs in `anchors` and the intermediate certificates in `chain`.
///
/// Verifies at a time when the leaf and `chain` are all valid, if there is one, and otherwise at `now`. Expiry is
/// reported separately.
///
/// # Errors
/// Fails with the reason why the chain does not verify.
pub fn judge(
    leaf: &Certificate,
    chain: &[Certificate],
    anchors: &[Certificate],
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<(), Unsound> {
    let at = within_validity([leaf].into_iter().chain(chain), now);
    let leaf = CertificateDer::from(leaf.der());
    let ders: Vec<CertificateDer> = anchors.iter().map(|anchor| anchor.der().into()).collect();
    let trusted: Result<Vec<TrustAnchor>, Error> = ders.iter().map(anchor_from_trusted_cert).collect();
    let trusted = trusted?;
    let chain: Vec<CertificateDer> = chain.iter().map(|certificate| certificate.der().into()).collect();
    let usage = match purpose {
        Purpose::Server => KeyUsage::server_auth(),
        Purpose::Client => KeyUsage::client_auth(),
    };
    // webpki uses only the name, the key and the name constraints of a trust anchor. Go, and so docker, also checks its
    // path length, its purposes and its critical extensions.
    let limited = Cell::new(None);
    let check_anchor = |path: &VerifiedPath| {
        let anchor = trusted.iter().position(|anchor| anchor == path.anchor()).map(|n| &anchors[n]);
        let between = u32::try_from(path.intermediate_certificates().count()).unwrap_or(u32::MAX);
        let fault = anchor.and_then(|anchor| match anchor.path_len() {
            Some(allowed) if allowed < between => Some(Unsound::PathLength),
            _ if !anchor.allows(purpose) => Some(Unsound::Purpose),
            _ => anchor.unsupported().map(Unsound::Unsupported),
        });
        match fault {
            None => Ok(()),
            fault => {
                limited.set(fault);
                Err(Error::UnknownIssuer)
            }
        }
    };
    let leaf = EndEntityCert::try_from(&leaf)?;
    let verdict =
        leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &trusted, &chain, at, usage, None, Some(&check_anchor));
    verdict.map(drop).map_err(|error| limited.take().unwrap_or(error.into()))
}

/// The time at which to verify a chain apart from its dates: a time when all of `certificates` are valid, the nearest to `now`. It is
/// `now` if there is none.
pub fn within_validity<'a>(
    certificates: impl IntoIterator<Item = &'a Certificate>,
    now: OffsetDateTime,
) -> UnixTime {
    let (mut begin, mut end) = (OffsetDateTime::UNIX_EPOCH, None::<OffsetDateTime>);
    for validity in certificates.into_iter().map(Certificate::validity) {
        begin = begin.max(validity.not_before);
        end = Some(end.map_or(validity.not_after, |end| end.min(validity.not_after)));
    }
    let at = match end {
        Some(end) if begin <= end => now.clamp(begin, end),
        _ => now,
    };
    let since_epoch = u64::try_from(at.unix_timestamp()).unwrap_or_default();
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(since_epoch))
}

/// The reason why a chain does not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsound {
    /// No CA in the anchors has signed it, or a different CA of the same name has.
    OtherAuthority,
    /// It, or a CA above it, is not for this purpose.
    Purpose,
    /// The path length of a CA above it does not allow this many intermediate CAs.
    PathLength,
    /// The name constraints of a CA above it do not allow one of its names.
    Names,
    /// The leaf is a CA certificate.
    Authority,
    /// A certificate above it is not a CA certificate.
    NoAuthority,
    /// The CA has something that docker does not support.
    Unsupported(Unsupported),
    /// Its signature algorithm is not supported here.
    Unchecked,
    Other(String),
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherAuthority => f.write_str("it is not signed by this CA"),
            Self::Purpose => f.write_str("the extended key usage does not allow it"),
            Self::PathLength => f.write_str("there are more CAs above it than the path length allows"),
            Self::Names => f.write_str("the name constraints do not allow its names"),
            Self::Authority => f.write_str("it is a CA's certificate"),
            Self::NoAuthority => f.write_str("what signed it is not a CA"),
            Self::Unsupported(unsupported) => write!(f, "the CA has {unsupported}"),
            Self::Unchecked => f.write_str("it is signed in a way that hostseed does not check"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<Error> for Unsound {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => Self::OtherAuthority,
            Error::RequiredEkuNotFoundContext(_) => Self::Purpose,
            Error::PathLenConstraintViolated => Self::PathLength,
            Error::NameConstraintViolation => Self::Names,
            Error::CaUsedAsEndEntity => Self::Authority,
            Error::EndEntityUsedAsCa => Self::NoAuthority,
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
            | Error::UnsupportedCertVersion => Self::Unchecked,
            other => Self::Other(format!("{other:?}")),
        }
    }
}

/// Returns the `names` that a CA's name constraints exclude (RFC 5280 §4.2.1.10).
///
/// Each name is tested in a separate certificate below a temporary CA with the same constraints, so that the real CA
/// signs no test certificate.
///
/// # Errors
/// Fails if the name constraints cannot be read.
pub(super) fn forbidden_names(authority: &Certificate, names: &[Address]) -> Result<Vec<Address>> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let stand_in = params.self_signed(&key)?;
    let signer = Issuer::new(params, &key);
    let own = CertificateDer::from(authority.der());
    let mut anchor = anchor_from_trusted_cert(stand_in.der())?;
    anchor.name_constraints = anchor_from_trusted_cert(&own)?.name_constraints;
    let mut forbidden = Vec::new();
    for name in names {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![profile::san(name)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &signer)?;
        let leaf = EndEntityCert::try_from(leaf.der())?;
        let verdict = leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            std::slice::from_ref(&anchor),
            &[],
            // A time within the validity of the temporary CA, which has rcgen's default dates.
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(1 << 30)),
            KeyUsage::server_auth(),
            None,
            None,
        );
        match verdict {
            Ok(_) => {}
            Err(Error::NameConstraintViolation) => forbidden.push(name.clone()),
            Err(error) => {
                let message =
                    format!("the CA's name constraints cannot be read: {error:?}; nothing was written");
                return Err(Diagnostic::error(Code::UnusableCa, message)
                    .hint("use another CA, or give no CA for a new one")
                    .into());
            }
        }
    }
    Ok(forbidden)
}

/// Makes a test certificate below a boot issuer, for servers and clients. webpki verifies only leaves, so this
/// certificate is verified in place of the issuer. It uses the issuer's own key and is never saved.
pub fn trial_leaf(issuer: &Certificate, key: &Secret) -> Result<Certificate> {
    let key = load::key_pair(key)?;
    let validity = issuer.validity();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.not_before = validity.not_before;
    params.not_after = validity.not_after.max(validity.not_before + Duration::seconds(1));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let signer = Issuer::from_ca_cert_der(&issuer.der().into(), &key)
        .map_err(|_| anyhow!("its subject has a form that hostseed cannot repeat as an issuer"))?;
    let leaf = params.signed_by(&key, &signer).context("it cannot sign")?;
    Ok(Certificate::from_der(leaf.der().to_vec())?)
}
