//! go-plugin's handshake: Terraform starts the provider with variables in its environment, and the provider prints one line that says where
//! it listens (go-plugin's repository, `docs/guide-plugin-write-non-go.md` and "Client.Start").

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::diag::{Code, Diagnostic};
use crate::pki::Certificate;

/// The variable and the value with which Terraform starts its plugins, so that nobody takes one for a program to run (Terraform's
/// repository, `internal/plugin6`, "Handshake").
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");
/// The versions of the plugin protocol that Terraform supports, separated by commas.
const VERSIONS: &str = "PLUGIN_PROTOCOL_VERSIONS";
/// The certificate in PEM with which Terraform connects.
const CLIENT: &str = "PLUGIN_CLIENT_CERT";

/// The version of go-plugin's own protocol.
const CORE_VERSION: u8 = 1;
/// The version of Terraform's plugin protocol that the provider speaks.
const VERSION: &str = "6";

/// Reads the certificate of the client from the environment. `variable` returns a variable's value.
///
/// # Errors
/// Fails if the program was not started by Terraform, or by one that does not support the protocol's version 6 (before 1.0).
pub fn client(variable: impl Fn(&str) -> Option<String>) -> Result<Certificate, Diagnostic> {
    let fail =
        |message: &str, hint: &str| Err(Diagnostic::error(Code::NotStartedByTerraform, message).hint(hint));
    if variable(COOKIE.0).as_deref() != Some(COOKIE.1) {
        return fail(
            "this program is a provider for Terraform, which starts it",
            "put it where Terraform finds it with `hostseed terraform install`",
        );
    }
    let versions = variable(VERSIONS).unwrap_or_default();
    if !versions.split(',').any(|version| version == VERSION) {
        return fail("this Terraform does not support plugin protocol 6", "use Terraform 1.0 or later");
    }
    match Certificate::from_pem(&variable(CLIENT).unwrap_or_default()) {
        Ok(certificate) => Ok(certificate),
        Err(_) => fail(
            "this Terraform gave the provider no certificate, so nothing would protect the connection",
            "use Terraform 1.0 or later",
        ),
    }
}

/// The line that says where the provider listens, and with which certificate.
pub fn line(address: SocketAddr, certificate: &Certificate) -> String {
    let certificate = STANDARD_NO_PAD.encode(certificate.der());
    format!("{CORE_VERSION}|{VERSION}|tcp|{address}|grpc|{certificate}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki;

    #[test]
    fn a_handshake_needs_the_cookie_the_version_and_a_certificate() {
        let certificate = pki::issue_loopback(time::OffsetDateTime::now_utc()).unwrap().certificate;
        let pem = certificate.pem();
        let with = |cookie: &'static str, versions: &'static str, pem: &str| {
            let pem = pem.to_owned();
            client(move |name| match name {
                "TF_PLUGIN_MAGIC_COOKIE" => Some(cookie.to_owned()),
                "PLUGIN_PROTOCOL_VERSIONS" => Some(versions.to_owned()),
                _ => Some(pem.clone()),
            })
        };
        assert_eq!(with(COOKIE.1, "5,6", &pem), Ok(certificate.clone()));
        for (cookie, versions, pem) in
            [("", "5,6", &*pem), (COOKIE.1, "5", &pem), (COOKIE.1, "16", &pem), (COOKIE.1, "6", "")]
        {
            assert_eq!(with(cookie, versions, pem).unwrap_err().code, Code::NotStartedByTerraform);
        }
        let line = line(([127, 0, 0, 1], 7).into(), &certificate);
        assert!(line.starts_with("1|6|tcp|127.0.0.1:7|grpc|MI") && !line.ends_with('='), "{line}");
    }
}
