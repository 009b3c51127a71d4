//! The connection with Terraform: TLS 1.3 with certificates of both sides that are made for one run. Each side accepts exactly the
//! certificate of the other.

use std::sync::Arc;

use anyhow::{Context, Result};
use p521::ecdsa::signature::Verifier;
use p521::ecdsa::{Signature, VerifyingKey};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig,
    SignatureScheme,
};

use crate::pki::{Certificate, Pair};

/// The configuration of a server that presents `own` and accepts only the client with the certificate `client`.
pub fn config(own: &Pair, client: &Certificate) -> Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let only = Arc::new(OnlyClient { certificate: client.der().to_vec(), provider: provider.clone() });
    let key = PrivateKeyDer::try_from(pem::parse(own.key.expose())?.into_contents())
        .ok()
        .context("the provider's key cannot be read")?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(only)
        .with_single_cert(vec![own.certificate.der().to_vec().into()], key)?;
    // RFC 9113 §3.3.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Accepts one certificate, whatever it says: go-plugin's is self-signed, for P-521, which ring does not verify.
#[derive(Debug)]
struct OnlyClient {
    certificate: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for OnlyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        presented: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match presented.as_ref() == self.certificate {
            true => Ok(ClientCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != SignatureScheme::ECDSA_NISTP521_SHA512 {
            let algorithms = &self.provider.signature_verification_algorithms;
            return verify_tls13_signature(message, certificate, signed, algorithms);
        }
        let bad = || Error::from(CertificateError::BadSignature);
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).map_err(|_| bad())?;
        let key = certificate.public_key().subject_public_key.as_ref();
        let key = VerifyingKey::from_sec1_bytes(key).map_err(|_| bad())?;
        let signature = Signature::from_der(signed.signature()).map_err(|_| bad())?;
        key.verify(message, &signature).map_err(|_| bad())?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.provider.signature_verification_algorithms.supported_schemes();
        schemes.push(SignatureScheme::ECDSA_NISTP521_SHA512);
        schemes
    }
}
