//! Verifies chains with webpki, the verifier of rustls.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Verifies a leaf for `usage` and `names` with the CA in `ca`. The first certificate of each file in `sent` is an
/// intermediate that the peer sent.
pub fn judge(
    ca: &Path,
    leaf: &Path,
    sent: &[&Path],
    usage: KeyUsage,
    names: &[&str],
) -> Result<(), webpki::Error> {
    let read = |path: &Path| CertificateDer::from_pem_file(path).unwrap();
    let (ca, leaf) = (read(ca), read(leaf));
    let anchors = [anchor_from_trusted_cert(&ca).unwrap()];
    let sent: Vec<_> = sent.iter().map(|path| read(path)).collect();
    judge_der(&anchors, &leaf, &sent, usage, names)
}

/// Verifies a server's file with the CA in `ca`: its first certificate, with the rest of the file as its chain.
pub fn judge_server(ca: &Path, server: &Path, names: &[&str]) -> Result<(), webpki::Error> {
    let ca = CertificateDer::from_pem_file(ca).unwrap();
    let anchors = [anchor_from_trusted_cert(&ca).unwrap()];
    let chain: Vec<_> = CertificateDer::pem_file_iter(server).unwrap().map(|block| block.unwrap()).collect();
    judge_der(&anchors, &chain[0], &chain[1..], KeyUsage::server_auth(), names)
}

fn judge_der(
    anchors: &[rustls_pki_types::TrustAnchor],
    leaf: &CertificateDer,
    sent: &[CertificateDer],
    usage: KeyUsage,
    names: &[&str],
) -> Result<(), webpki::Error> {
    let leaf = EndEntityCert::try_from(leaf)?;
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, anchors, sent, UnixTime::now(), usage, None, None)?;
    let server_name = |name| ServerName::try_from(name).unwrap();
    names.iter().try_for_each(|name| leaf.verify_is_valid_for_subject_name(&server_name(*name)))
}
