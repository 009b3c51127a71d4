//! The client's side of TLS: the machine's client certificate, and the verification of the host's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use time::OffsetDateTime;

use crate::pki::{Certificate, ClientIdentity, within_validity};

/// The certificates that a host presented in its last handshake, the server's first.
#[derive(Debug, Clone, Default)]
pub struct Presented(Arc<Mutex<Vec<Certificate>>>);

impl Presented {
    pub fn get(&self) -> Vec<Certificate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, certificates: Vec<Certificate>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = certificates;
    }
}

/// The configuration for connections to one host.
///
/// # Errors
/// Fails if the client's key is not that of its certificate, or if rustls cannot use one of them.
pub fn configuration(client: &ClientIdentity, presented: Presented) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(client.ca.der().into()).context("ca.pem cannot be used as a CA")?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let chain = client.chain.iter().map(|certificate| certificate.der().to_vec().into()).collect();
    let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes())
        .ok()
        .context("key.pem is not a private key in PEM")?;
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { verifier, presented }))
        .with_client_auth_cert(chain, key)
        .context("cert.pem and key.pem cannot be used together")
}

/// Verifies the host's certificate as rustls does, apart from its dates: a certificate that has expired proves who the host is, and the
/// host's clock tells why it has. The caller reports dates afterwards, and asks such a host for nothing else.
struct Verifier {
    verifier: Arc<WebPkiServerVerifier>,
    presented: Presented,
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
        let seconds = i64::try_from(now.as_secs()).ok();
        let now = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        let at = within_validity(&presented, now.ok_or(CertificateError::BadEncoding)?);
        self.presented.set(presented);
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
