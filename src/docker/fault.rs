//! Why a host does not answer, or not as its machine in the store expects. Each cause is told by a type, never by the text of an error.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use time::OffsetDateTime;

use super::engine::OLDEST;
use super::tls::Handshake;
use crate::names::Address;
use crate::pki::{CaBundle, Certificate, Validity};

/// The longest message of an error that is shown, in characters.
const MAX_MESSAGE: usize = 300;

/// A cause, in the order in which a connection can meet them.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The host's name does not resolve to an address.
    Unresolved,
    /// The same, and no address of the machine is recorded.
    NoAddress,
    /// This computer cannot make a connection. The text is the system's.
    Local(String),
    /// No packet comes back, or no route leads there. The text is the system's.
    Unreachable(String),
    /// The host answers that nothing listens on the port.
    Refused,
    /// The host accepts the connection and says nothing more until the time is over.
    Silent,
    /// The host has begun to answer, and does not end before the time is over.
    Stalled,
    /// The host closes the connection.
    Closed,
    /// The answer is not TLS.
    NotTls,
    /// TLS fails for another reason.
    Tls(String),
    /// The server certificate is the CA's own.
    AuthorityAsServer,
    /// The machine's CA did not sign the certificate. The certificates are those that the host presents, the server's first.
    OtherAuthority(Vec<Certificate>),
    /// The certificate does not cover the address.
    Uncovered {
        /// The addresses that it covers.
        sans: Vec<Address>,
        /// True if the host has issued it, and issues another one when its addresses change.
        issued: bool,
    },
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
    ClientRefused {
        /// True if the certificate is so new that the clock of a booting host may be before it.
        young: bool,
    },
    /// The host speaks TLS, but is not Docker.
    NotDocker,
    /// Docker does not ask clients for a certificate.
    Open,
    /// Docker answers with an error.
    Daemon { status: u16, said: Said },
    /// Docker's newest version of the API is older than [`OLDEST`].
    TooOld(String),
}

/// The body that comes with the status of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Message(String),
    Nothing,
    /// Something that Docker does not say.
    Page,
}

impl Said {
    /// Docker's reason, shortened.
    pub(super) fn of(message: &str) -> Self {
        match message.trim() {
            "" => Self::Nothing,
            message => Self::Message(message.chars().take(MAX_MESSAGE).collect()),
        }
    }
}

/// A certificate's role in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Server,
    /// A certificate between the server's and the CA's, such as a boot issuer.
    Intermediate,
    Authority,
    /// The CA that the machine's CA replaces.
    OldAuthority,
    Client,
}

impl Which {
    /// The certificates that a host presents with their roles: the server's is the first.
    pub fn roles<T>(presented: impl IntoIterator<Item = T>) -> impl Iterator<Item = (Self, T)> {
        std::iter::once(Self::Server).chain(std::iter::repeat(Self::Intermediate)).zip(presented)
    }

    /// The role in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server certificate",
            Self::Intermediate => "boot issuer's certificate",
            Self::Authority => "CA certificate",
            Self::OldAuthority => "old CA's certificate",
            Self::Client => "client certificate",
        }
    }
}

/// How much a fault tells about the host, if a name has several addresses with different faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// This computer has no network of the address's kind.
    Local,
    NoAnswer,
    Refused,
    /// Something accepts the connection, and says nothing that helps.
    Accepted,
    /// It is not TLS as Docker has it.
    NotTls,
    /// A certificate.
    Certificate,
}

impl Fault {
    /// How much it tells about the host.
    pub(super) fn rank(&self) -> Rank {
        match self {
            Self::NoAddress | Self::Local(_) | Self::Unresolved => Rank::Local,
            Self::Unreachable(_) => Rank::NoAnswer,
            Self::Refused => Rank::Refused,
            Self::Silent | Self::Stalled | Self::Closed => Rank::Accepted,
            Self::NotTls
            | Self::Tls(_)
            | Self::NotDocker
            | Self::Open
            | Self::Daemon { .. }
            | Self::TooOld(_) => Rank::NotTls,
            Self::AuthorityAsServer
            | Self::OtherAuthority(_)
            | Self::Uncovered { .. }
            | Self::UnusableCertificate(_)
            | Self::Time { .. }
            | Self::ClientRefused { .. } => Rank::Certificate,
        }
    }

    /// Returns whether the host can get over it by itself: while a VM boots, its name, its network and Docker come up one after another.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unresolved
            | Self::Unreachable(_)
            | Self::Refused
            | Self::Silent
            | Self::Stalled
            | Self::Closed => true,
            Self::Uncovered { issued, .. } => *issued,
            // The host's clock is set after the boot.
            Self::ClientRefused { young } => *young,
            Self::Daemon { status, .. } => *status >= 500,
            Self::NoAddress
            | Self::Local(_)
            | Self::NotTls
            | Self::Tls(_)
            | Self::AuthorityAsServer
            | Self::OtherAuthority(_)
            | Self::UnusableCertificate(_)
            | Self::Time { .. }
            | Self::NotDocker
            | Self::Open
            | Self::TooOld(_) => false,
        }
    }

    /// The cause of a name that does not resolve. Only a failure of the system's own has its error number.
    pub(super) fn of_resolve(error: &ureq::Error) -> Self {
        match error {
            ureq::Error::Io(error) if error.raw_os_error().is_some() => match Self::of_connect(error) {
                local @ Self::Local(_) => local,
                _ => Self::Unresolved,
            },
            _ => Self::Unresolved,
        }
    }

    /// The cause of a failed connection, before any byte was exchanged.
    pub(super) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => Self::Unreachable(error.to_string()),
            _ => Self::Local(error.to_string()),
        }
    }

    /// The cause of a failure on an established connection. rustls reports its errors inside [`io::Error`].
    pub(super) fn of_stream(error: &io::Error, handshake: &Handshake) -> Self {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(error, handshake);
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Silent,
            _ => Self::Closed,
        }
    }

    /// The cause of a failure of TLS.
    pub(super) fn of_tls(error: &rustls::Error, handshake: &Handshake) -> Self {
        let presented = handshake.presented();
        match error {
            rustls::Error::InvalidMessage(_) if presented.is_empty() => Self::NotTls,
            // A server asks for the client certificate after it has presented its own.
            rustls::Error::AlertReceived(alert) if !presented.is_empty() && refuses_client(*alert) => {
                Self::ClientRefused { young: false }
            }
            rustls::Error::InvalidCertificate(why) => Self::of_certificate(why, presented, handshake.ca()),
            other => Self::Tls(in_words(other)),
        }
    }

    fn of_certificate(why: &CertificateError, presented: Vec<Certificate>, ca: &CaBundle) -> Self {
        let (Some(server), Some(last)) = (presented.first(), presented.last()) else {
            return Self::UnusableCertificate("it cannot be read".to_owned());
        };
        match why {
            _ if ca.iter().any(|ca| server == ca) => Self::AuthorityAsServer,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::OtherAuthority(presented)
            }
            // No other fault of a stranger's certificate matters.
            _ if ca.iter().all(|ca| last.issuer() != ca.subject()) => Self::OtherAuthority(presented),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::Uncovered { sans: server.sans(), issued: presented.len() > 1 }
            }
            other => Self::UnusableCertificate(unusable(other).to_owned()),
        }
    }
}

/// Why a certificate cannot be used.
fn unusable(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::BadEncoding => "it cannot be read",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for servers"
        }
        CertificateError::UnhandledCriticalExtension => "it has a critical extension of an unknown kind",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its kind of signature is not supported"
        }
        _ => "its form is not supported",
    }
}

/// Why TLS fails.
fn in_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the host does not support TLS 1.2 or newer".to_owned()
        }
        rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
        )
        | rustls::Error::PeerIncompatible(_) => {
            "the host and hostseed support no common kind of encryption".to_owned()
        }
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the host does not know the address as one of its names".to_owned()
        }
        rustls::Error::AlertReceived(alert) => {
            format!("the host ends the connection with alert {} of TLS", u8::from(*alert))
        }
        _ => "what the host sends is not valid".to_owned(),
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
            Self::NoAddress => {
                f.write_str("the machine has no address yet, and its name does not resolve to one")
            }
            Self::Local(why) => write!(f, "this computer cannot connect: {why}"),
            Self::Unresolved => f.write_str("the name does not resolve to an address"),
            Self::Unreachable(why) => write!(f, "no answer: {why}"),
            Self::Refused => f.write_str("nothing listens on the port"),
            Self::Silent => f.write_str("the host accepts the connection, but says nothing"),
            Self::Stalled => f.write_str("the host did not answer in time"),
            Self::Closed => f.write_str("the host closes the connection"),
            Self::NotTls => f.write_str("the answer is not TLS"),
            Self::Tls(why) => write!(f, "TLS fails: {why}"),
            Self::AuthorityAsServer => {
                f.write_str("the host uses the CA certificate as its server certificate")
            }
            Self::OtherAuthority(_) => {
                f.write_str("the host presents a certificate that this machine's CA did not sign")
            }
            Self::Uncovered { .. } => f.write_str("the server certificate does not cover the address"),
            Self::UnusableCertificate(why) => write!(f, "the server certificate cannot be used: {why}"),
            Self::Time { which, validity, now, .. } if validity.is_expired(*now) => {
                write!(f, "the {} expired on {}", which.name(), validity.not_after.date())
            }
            Self::Time { which, validity, .. } => {
                write!(f, "the {} is not valid before {}", which.name(), validity.not_before)
            }
            Self::ClientRefused { .. } => f.write_str("the host refuses the client certificate"),
            Self::NotDocker => f.write_str("the host speaks TLS, but is not Docker"),
            Self::Open => f.write_str("Docker does not ask clients for a certificate"),
            Self::Daemon { status, said: Said::Message(message) } => {
                write!(f, "Docker answers with status {status}: {message}")
            }
            Self::Daemon { status, said: Said::Nothing } => {
                write!(f, "Docker answers with status {status}, without a message")
            }
            Self::Daemon { status, said: Said::Page } => {
                write!(f, "the answer has status {status} and is not Docker's")
            }
            Self::TooOld(version) => {
                let (major, minor) = OLDEST;
                write!(
                    f,
                    "Docker is too old: its API has version {version}, and {major}.{minor} is necessary"
                )
            }
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// A CA of that name, and a server certificate that it signed.
    fn authority(name: &str) -> (Certificate, Certificate) {
        let params = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let read =
            |certificate: &rcgen::Certificate| Certificate::from_der(certificate.der().to_vec()).unwrap();
        let (key, mut ca) = (KeyPair::generate().unwrap(), params(name));
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = read(&ca.self_signed(&key).unwrap());
        let issuer = Issuer::new(ca, key);
        let server = params("server").signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        (own, read(&server))
    }

    #[test]
    fn what_is_wrong_with_a_strangers_certificate_does_not_matter() {
        let ((own, server), (_, stranger)) = (authority("own"), authority("stranger"));
        let why = CertificateError::UnhandledCriticalExtension;
        let of = |one: &Certificate| Fault::of_certificate(&why, vec![one.clone()], &own.clone().into());
        assert!(matches!(of(&stranger), Fault::OtherAuthority(_)));
        assert!(matches!(of(&server), Fault::UnusableCertificate(why) if why.contains("critical extension")));
        assert!(matches!(of(&own), Fault::AuthorityAsServer));
    }

    #[test]
    fn causes_on_this_computer_are_not_the_hosts() {
        let of = |kind: io::ErrorKind| Fault::of_connect(&kind.into());
        assert!(matches!(of(io::ErrorKind::TimedOut), Fault::Unreachable(_)));
        assert!(matches!(of(io::ErrorKind::NetworkUnreachable), Fault::Unreachable(_)));
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput, io::ErrorKind::Other] {
            assert!(matches!(of(kind), Fault::Local(_)), "{kind}");
        }
        let of = |error: io::Error| Fault::of_resolve(&ureq::Error::Io(error));
        // EMFILE, and an answer of the resolver's.
        assert!(matches!(of(io::Error::from_raw_os_error(24)), Fault::Local(_)));
        assert!(matches!(of(io::Error::other("no such name")), Fault::Unresolved));
    }

    #[test]
    fn waiting_helps_only_against_what_a_boot_mends() {
        let daemon = |status| Fault::Daemon { status, said: Said::Nothing };
        assert!(daemon(503).is_passing() && !daemon(403).is_passing());
        let uncovered = |issued| Fault::Uncovered { sans: Vec::new(), issued };
        assert!(uncovered(true).is_passing() && !uncovered(false).is_passing());
        let refused = |young| Fault::ClientRefused { young };
        assert!(refused(true).is_passing() && !refused(false).is_passing());
    }
}
