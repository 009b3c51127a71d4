//! What webpki, rustls' judge, says of a chain.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Judges a leaf for `usage` and `names` under `ca`, with the first certificates of the others as what the peer sent along.
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

/// Judges a server's file under `ca`: its first certificate, with the rest of the file as its chain.
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
