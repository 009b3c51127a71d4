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

use crate::pki::{Certificate, ClientIdentity, within_validity};

/// A host's last handshake: the certificates that it showed, and the one that it asked for.
#[derive(Debug, Clone)]
pub struct Handshake {
    shown: Arc<Mutex<Shown>>,
    /// The machine's CA.
    authority: Arc<Certificate>,
}

#[derive(Debug, Default)]
struct Shown {
    presented: Vec<Certificate>,
    asked: bool,
}

impl Handshake {
    pub fn new(authority: Certificate) -> Self {
        Self { shown: Arc::default(), authority: Arc::new(authority) }
    }

    /// The certificates that the host presented: the server's, then those between it and the CA.
    pub fn presented(&self) -> Vec<Certificate> {
        self.shown().presented.clone()
    }

    /// Returns whether the host asked for a client certificate.
    pub fn asked(&self) -> bool {
        self.shown().asked
    }

    pub fn authority(&self) -> &Certificate {
        &self.authority
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
fn path(mut presented: Vec<Certificate>, authority: &Certificate) -> Vec<Certificate> {
    let mut path: Vec<Certificate> = presented.drain(..presented.len().min(1)).collect();
    while let Some(issuer) = path.last().map(Certificate::issuer)
        && issuer != authority.subject()
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
    let mut roots = RootCertStore::empty();
    roots.add(client.ca.der().into()).context("ca.pem cannot be used as a CA")?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let chain = client.chain.iter().map(|certificate| certificate.der().to_vec().into()).collect();
    let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes())
        .ok()
        .context("key.pem is not a private key in PEM")?;
    let key = CertifiedKey::from_der(chain, key, &provider)
        .context("cert.pem and key.pem cannot be used together")?;
    let mut configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { verifier, handshake: handshake.clone() }))
        .with_client_cert_resolver(Arc::new(Client { key: Arc::new(key), handshake: handshake.clone() }));
    // A session that is resumed shows no certificates and asks for none.
    configuration.resumption = Resumption::disabled();
    Ok(configuration)
}

/// Presents the client certificate, and keeps that the host asked for it.
struct Client {
    key: Arc<CertifiedKey>,
    handshake: Handshake,
}

impl ResolvesClientCert for Client {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.handshake.shown().asked = true;
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
    verifier: Arc<WebPkiServerVerifier>,
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
        let presented = path(presented, self.handshake.authority());
        let seconds = i64::try_from(now.as_secs()).ok();
        let now = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        let at = within_validity(&presented, now.ok_or(CertificateError::BadEncoding)?);
        self.handshake.shown().presented = presented;
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}
