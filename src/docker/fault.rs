//! Why a host does not answer, or not as its machine in the store expects. Each cause is told by a type, never by the text of an error.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};
use time::OffsetDateTime;

use crate::names::Address;
use crate::pki::{Certificate, Validity};

/// A cause, in the order in which a connection can meet them.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The host's name does not resolve to an address.
    Unresolved,
    /// No packet comes back, or no route leads there. The text is the system's.
    Unreachable(String),
    /// The host answers that nothing listens on the port.
    Refused,
    /// The host accepts the connection and says nothing more until the time is over.
    Silent,
    /// The host closes the connection before it has proved who it is.
    Closed,
    /// The answer is not TLS.
    NotTls,
    /// TLS fails for another reason.
    Tls(String),
    /// The machine's CA did not sign the certificate. The certificates are those that the host presents, the server's first.
    OtherAuthority(Vec<Certificate>),
    /// The certificate does not cover the address. The addresses are those that it covers.
    Uncovered(Vec<Address>),
    /// The certificate cannot be used for another reason.
    UnusableCertificate(String),
    /// A certificate of the connection has expired, or is not valid yet.
    Time {
        which: Which,
        validity: Validity,
        /// This computer's clock.
        now: OffsetDateTime,
        /// The host's clock, if it could be asked.
        host: Option<OffsetDateTime>,
    },
    /// The host does not accept the machine's client certificate.
    ClientRefused,
    /// The host speaks TLS, but is not Docker.
    NotDocker,
    /// Docker answers with an error.
    Daemon { status: u16, message: String },
    /// Docker's newest version of the API is older than [`OLDEST`](super::engine::OLDEST).
    TooOld(String),
}

/// A certificate's role in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Server,
    /// A certificate between the server's and the CA's, such as a boot issuer.
    Intermediate,
    Authority,
    Client,
}

impl Which {
    /// The role in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server certificate",
            Self::Intermediate => "boot issuer's certificate",
            Self::Authority => "CA certificate",
            Self::Client => "client certificate",
        }
    }
}

impl Fault {
    /// Returns whether the host can get over it by itself: while a VM boots, its name, its network and Docker come up one after another.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unresolved
            | Self::Unreachable(_)
            | Self::Refused
            | Self::Silent
            | Self::Closed
            | Self::Daemon { .. } => true,
            // A clock that is set after the boot makes a certificate valid.
            Self::Time { validity, now, host, .. } => {
                validity.not_before <= *now && host.is_some_and(|host| host < validity.not_before)
            }
            Self::NotTls
            | Self::Tls(_)
            | Self::OtherAuthority(_)
            | Self::Uncovered(_)
            | Self::UnusableCertificate(_)
            | Self::ClientRefused
            | Self::NotDocker
            | Self::TooOld(_) => false,
        }
    }

    /// The cause of a failed connection, before any byte was exchanged.
    pub(super) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            _ => Self::Unreachable(error.to_string()),
        }
    }

    /// The cause of a failure on an established connection. rustls reports its errors inside [`io::Error`].
    pub(super) fn of_stream(error: &io::Error, presented: &[Certificate]) -> Self {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(error, presented);
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Silent,
            _ => Self::Closed,
        }
    }

    /// The cause of a failure of TLS, with the certificates that the host presented.
    pub(super) fn of_tls(error: &rustls::Error, presented: &[Certificate]) -> Self {
        match error {
            rustls::Error::InvalidMessage(_) if presented.is_empty() => Self::NotTls,
            rustls::Error::AlertReceived(alert) if refuses_client(*alert) => Self::ClientRefused,
            rustls::Error::InvalidCertificate(why) => match why {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Self::OtherAuthority(presented.to_vec())
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::Uncovered(presented.first().map(Certificate::sans).unwrap_or_default())
                }
                // A self-signed certificate. The machine's CA signs only others.
                CertificateError::Other(_) if presented.len() == 1 && presented[0].is_authority() => {
                    Self::OtherAuthority(presented.to_vec())
                }
                other => Self::UnusableCertificate(other.to_string()),
            },
            other => Self::Tls(other.to_string()),
        }
    }
}

/// Returns whether a server sends this alert because of the client certificate (RFC 8446 §6.2).
fn refuses_client(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::CertificateRequired
    )
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved => f.write_str("the name does not resolve to an address"),
            Self::Unreachable(why) => write!(f, "no answer: {why}"),
            Self::Refused => f.write_str("nothing listens on the port"),
            Self::Silent => f.write_str("the host accepts the connection, but says nothing"),
            Self::Closed => f.write_str("the host closes the connection"),
            Self::NotTls => f.write_str("the answer is not TLS"),
            Self::Tls(why) => write!(f, "TLS fails: {why}"),
            Self::OtherAuthority(_) => {
                f.write_str("the host presents a certificate that this machine's CA did not sign")
            }
            Self::Uncovered(_) => f.write_str("the server certificate does not cover the address"),
            Self::UnusableCertificate(why) => write!(f, "the server certificate cannot be used: {why}"),
            Self::Time { which, validity, now, .. } if validity.is_expired(*now) => {
                write!(f, "the {} expired on {}", which.name(), validity.not_after.date())
            }
            Self::Time { which, validity, .. } => {
                write!(f, "the {} is not valid before {}", which.name(), validity.not_before)
            }
            Self::ClientRefused => f.write_str("the host refuses the client certificate"),
            Self::NotDocker => f.write_str("the host speaks TLS, but is not Docker"),
            Self::Daemon { status, message } => write!(f, "Docker answers with status {status}: {message}"),
            Self::TooOld(version) => {
                write!(f, "Docker is too old: its API has version {version}, and 1.24 is necessary")
            }
        }
    }
}

impl std::error::Error for Fault {}
