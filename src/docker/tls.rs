//! The client's side of TLS: the machine's client certificate, and the verification of the host's.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use time::OffsetDateTime;

use crate::pki::{CaBundle, Certificate, ClientIdentity, within_validity};

/// A host's last handshake: the certificates that it showed, and the one that it asked for.
#[derive(Debug, Clone)]
pub struct Handshake {
    shown: Arc<Mutex<Shown>>,
    /// The machine's CAs.
    ca: Arc<CaBundle>,
}

#[derive(Debug, Default)]
struct Shown {
    presented: Vec<Certificate>,
    /// The CA that the certificates lead to.
    authority: Option<Certificate>,
    asked: bool,
    /// The subjects of the CAs whose clients the host accepts, in DER.
    accepts: Vec<Vec<u8>>,
}

impl Handshake {
    pub fn new(ca: CaBundle) -> Self {
        Self { shown: Arc::default(), ca: Arc::new(ca) }
    }

    /// The certificates that the host presented: the server's, then those between it and the CA.
    pub fn presented(&self) -> Vec<Certificate> {
        self.shown().presented.clone()
    }

    /// Returns whether the host asked for a client certificate.
    pub fn asked(&self) -> bool {
        self.shown().asked
    }

    /// The subjects of the CAs whose client certificates the host accepts, in DER. Empty if it has not told them.
    pub fn accepts(&self) -> Vec<Vec<u8>> {
        self.shown().accepts.clone()
    }

    /// The CA that the host's certificates lead to, or if they lead to none, the current one.
    pub fn authority(&self) -> Certificate {
        self.shown().authority.clone().unwrap_or_else(|| self.ca.current.clone())
    }

    /// The machine's CAs.
    pub fn ca(&self) -> &CaBundle {
        &self.ca
    }

    /// Forgets the last handshake, before another one.
    pub fn clear(&self) {
        *self.shown() = Shown::default();
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The certificates that lead from the server's towards the CA, without the CA's own. A host can send any others with them.
fn path(mut presented: Vec<Certificate>, ca: &CaBundle) -> Vec<Certificate> {
    let mut path: Vec<Certificate> = presented.drain(..presented.len().min(1)).collect();
    while let Some(issuer) = path.last().map(Certificate::issuer)
        && ca.iter().all(|ca| issuer != ca.subject())
        && let Some(next) = presented.iter().position(|one| one.subject() == issuer && one.is_authority())
    {
        path.push(presented.swap_remove(next));
    }
    path
}

/// The configuration for connections to one host.
///
/// # Errors
/// Fails if the client's key is not that of its certificate, or if rustls cannot use one of them.
pub fn configuration(client: &ClientIdentity, handshake: &Handshake) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = |authority: &Certificate| -> Result<_> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().into()).context("ca.pem cannot be used as a CA")?;
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
        Ok((authority.clone(), verifier))
    };
    let current = verifier(&client.ca.current)?;
    let old = client.ca.old.as_ref().map(verifier).transpose()?;
    let chain = client.chain.iter().map(|certificate| certificate.der().to_vec().into()).collect();
    let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes())
        .ok()
        .context("key.pem is not a private key in PEM")?;
    let key = CertifiedKey::from_der(chain, key, &provider)
        .context("cert.pem and key.pem cannot be used together")?;
    let mut configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { current, old, handshake: handshake.clone() }))
        .with_client_cert_resolver(Arc::new(Client { key: Arc::new(key), handshake: handshake.clone() }));
    // A session that is resumed shows no certificates and asks for none.
    configuration.resumption = Resumption::disabled();
    Ok(configuration)
}

/// Presents the client certificate, and keeps that the host asked for it, and of which CAs.
struct Client {
    key: Arc<CertifiedKey>,
    handshake: Handshake,
}

impl ResolvesClientCert for Client {
    fn resolve(&self, accepts: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut shown = self.handshake.shown();
        shown.asked = true;
        shown.accepts = accepts.iter().map(|subject| subject.to_vec()).collect();
        drop(shown);
        self.key.key.choose_scheme(schemes).map(|_| self.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Verifies the host's certificate as rustls does, apart from its dates: a certificate that has expired proves who the host is, and the
/// host's clock tells why it has. The caller reports dates afterwards, and asks such a host for nothing else.
struct Verifier {
    /// The current CA, with the verifier that trusts only that.
    current: (Certificate, Arc<WebPkiServerVerifier>),
    /// The same for the CA that it replaces.
    old: Option<(Certificate, Arc<WebPkiServerVerifier>)>,
    handshake: Handshake,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = [end_entity].into_iter().chain(intermediates);
        let presented: Result<Vec<_>, _> = all.map(|one| Certificate::from_der(one.to_vec())).collect();
        let presented = presented.map_err(|_| CertificateError::BadEncoding)?;
        let presented = path(presented, self.handshake.ca());
        let seconds = i64::try_from(now.as_secs()).ok();
        let now = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        let at = within_validity(&presented, now.ok_or(CertificateError::BadEncoding)?);
        self.handshake.shown().presented = presented;
        let mut failed = None;
        for (authority, verifier) in std::iter::once(&self.current).chain(&self.old) {
            match verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at) {
                Ok(verified) => {
                    self.handshake.shown().authority = Some(authority.clone());
                    return Ok(verified);
                }
                // The fault under the CA that did sign it tells more.
                Err(error) => match &failed {
                    Some(first) if !is_of_other_authority(first) => {}
                    _ => failed = Some(error),
                },
            }
        }
        Err(failed.unwrap_or(CertificateError::UnknownIssuer.into()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current.1.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current.1.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.1.supported_verify_schemes()
    }
}

/// Returns whether a certificate was refused because another CA has signed it, possibly one of the same name.
fn is_of_other_authority(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)
    )
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}
