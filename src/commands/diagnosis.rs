//! What a host's fault means for the user: the message with its facts, and the next step.

use std::fmt::Display;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::diag::{Code, Diagnostic};
use crate::docker::{Fault, Target, Which};
use crate::names::MachineName;
use crate::pki::{Certificate, Validity};
use crate::store::Store;

/// A difference between two clocks that certificates and registries tolerate, in seconds.
const TOLERATED_SKEW: i64 = 60;

/// A machine, for messages about it.
pub struct Diagnosis<'a> {
    pub store: &'a Store,
    pub name: &'a MachineName,
    /// `DOCKER_HOST`.
    pub url: &'a str,
    pub target: &'a Target,
    /// True if the command has waited for the machine.
    pub waited: bool,
}

/// The phase of a boot in which a host has this fault, for a line that changes.
pub fn passing(fault: &Fault) -> String {
    match fault {
        Fault::Unresolved => "waiting for its name to resolve".into(),
        Fault::Unreachable(_) => {
            "waiting for the VM to answer (it boots, or a firewall drops the packets)".into()
        }
        Fault::Refused => "the VM is up, waiting for Docker to be installed and to listen".into(),
        Fault::Silent | Fault::Closed => "the port is open, waiting for Docker to answer".into(),
        Fault::Daemon { .. } => format!("Docker is starting ({fault})"),
        fault => fault.to_string(),
    }
}

impl Diagnosis<'_> {
    /// The error for a fault.
    pub fn of(&self, fault: &Fault) -> Diagnostic {
        let (name, url) = (self.name.as_str(), self.url);
        let error = |code, text: &dyn Display| Diagnostic::error(code, format!("`{name}`, {url}: {text}"));
        // While a VM boots, each of these is normal.
        let wait = (!self.waited).then(|| self.store.command(["wait", name]));
        let or_wait = if self.waited { "" } else { "; while the VM boots, wait for it:" };
        let address = |address: &str| self.store.command(["address", name, address]);
        match fault {
            Fault::Unresolved => error(Code::HostUnresolved, fault)
                .hint("add the name to DNS, or record the VM's IP address:")
                .run(address("IP")),
            Fault::Unreachable(_) if self.waited => error(Code::HostUnreachable, fault)
                .hint(format!(
                    "check the VM's address, and allow TCP port {} in the cloud's firewall, as this shows:",
                    self.target.port
                ))
                .run(self.store.command(["clouds", "CLOUD"])),
            Fault::Unreachable(_) => error(Code::HostUnreachable, fault)
                .hint(format!(
                    "check the VM's address, and the cloud's firewall, which has to allow TCP port {}{or_wait}",
                    self.target.port
                ))
                .runs(wait),
            Fault::Refused => error(Code::ConnectionRefused, fault)
                .hint(format!("the VM's console in the cloud has lines of `hostseed` with the step that it is at{or_wait}"))
                .runs(wait),
            Fault::Silent | Fault::Closed => error(Code::NoAnswer, fault)
                .hint(format!("the VM's console in the cloud may tell why, or something on the way answers for it{or_wait}"))
                .runs(wait),
            Fault::NotTls => error(Code::NotTls, fault).hint(
                "another program listens there, or Docker without TLS, with which everyone has root on the host: see the VM's user-data and its console",
            ),
            Fault::Tls(_) => error(Code::NotTls, fault)
                .hint("a TLS library or a proxy on the way does not support what Docker needs: TLS 1.2 with client certificates"),
            Fault::OtherAuthority(presented) => {
                let ca = &self.target.client.ca;
                let text = format!("{fault}: it has {}, and this machine's CA {}", shown(presented.first()), shown(Some(ca)));
                error(Code::OtherCa, &text)
                    .hint("another machine has this address now, or the VM boots from other user-data; if the machine has a new address, record it:")
                    .run(address("ADDRESS"))
            }
            Fault::Uncovered(sans) => {
                let listed: Vec<String> = sans.iter().map(|san| format!("`{san}`")).collect();
                let text = format!("{fault} `{}`; it covers {}", self.target.address, listed.join(", "));
                let error = error(Code::AddressNotCovered, &text);
                let other = sans.iter().find(|san| !self.is_the_hosts_own(&san.to_string()));
                match other {
                    Some(san) => error
                        .hint("connect to an address that it covers, or create the machine again with this one:")
                        .run(address(&san.to_string())),
                    None => error.hint("create the machine again with this address, and replace the VM"),
                }
            }
            Fault::UnusableCertificate(_) => error(Code::CertificateChain, fault)
                .hint("create the machine again, and replace the VM"),
            Fault::Time { which, validity, now, host } => {
                error(Code::CertificateTime, &self.time(*which, *validity, *now, *host)).hint(time_hint(*validity, *now, *host))
            }
            Fault::ClientRefused => {
                let text = format!("{fault} {}", shown(self.target.client.chain.first()));
                error(Code::ClientRefused, &text).hint(
                    "the VM boots from user-data with another CA, or its clock is wrong: see the `hostseed` lines on its console; if not, create the machine again and replace the VM",
                )
            }
            Fault::NotDocker => error(Code::NotDocker, fault)
                .hint("another program listens on the port with a certificate of this machine's CA"),
            Fault::Daemon { .. } => error(Code::DaemonError, fault)
                .hint(format!("the message is Docker's own{or_wait}"))
                .runs(wait),
            Fault::TooOld(_) => error(Code::DaemonTooOld, fault)
                .hint("use a newer image, or `--docker-version` at `create`, and replace the VM"),
        }
    }

    /// The warnings about a host that is up.
    pub fn warnings(
        &self,
        certificates: &[(Which, &Certificate)],
        skew: Option<i64>,
        now: OffsetDateTime,
    ) -> Vec<Diagnostic> {
        let expiring =
            certificates.iter().filter(|(_, certificate)| certificate.validity().expires_soon(now));
        let mut warnings: Vec<Diagnostic> = expiring
            .map(|(which, certificate)| {
                let date = certificate.validity().not_after.date();
                let text = format!("`{}`: the {} expires on {date}", self.name, which.name());
                Diagnostic::warning(Code::CertificateExpiresSoon, text)
                    .hint("create the machine again before that, and replace the VM")
            })
            .collect();
        if let Some(skew) = skew.filter(|skew| skew.abs() > TOLERATED_SKEW) {
            let text =
                format!("`{}`: the host's clock is {} this computer's", self.name, skew_in_words(skew));
            warnings
                .push(Diagnostic::warning(Code::ClockSkew, text).hint(
                    "set the wrong one: certificates are refused if a clock is outside of their dates",
                ));
        }
        warnings
    }

    fn time(
        &self,
        which: Which,
        validity: Validity,
        now: OffsetDateTime,
        host: Option<OffsetDateTime>,
    ) -> String {
        let date = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_else(|_| at.to_string());
        let fault = Fault::Time { which, validity, now, host };
        let seconds = now.replace_nanosecond(0).unwrap_or(now);
        let clocks = match host {
            Some(host) => format!("this computer's clock shows {}, the host's {}", date(seconds), date(host)),
            None => format!("this computer's clock shows {}", date(seconds)),
        };
        format!("{fault}; {clocks}")
    }

    /// Returns whether a SAN is one that every machine has: its name and those of the loopback interface.
    fn is_the_hosts_own(&self, san: &str) -> bool {
        san == self.name.as_str() || san == "localhost" || san == "127.0.0.1"
    }
}

/// The next step for a certificate that is not valid now.
fn time_hint(validity: Validity, now: OffsetDateTime, host: Option<OffsetDateTime>) -> &'static str {
    let differs = host.is_some_and(|host| (host - now).whole_seconds().abs() > TOLERATED_SKEW);
    match (validity.is_expired(now), differs) {
        (_, true) => "the clocks differ: set the wrong one",
        (true, false) => "create the machine again, and replace the VM",
        (false, false) => "set this computer's clock, or wait",
    }
}

/// The difference between the host's clock and this computer's, in seconds.
pub fn skew(host: OffsetDateTime, now: OffsetDateTime) -> i64 {
    (host - now).whole_seconds()
}

fn skew_in_words(skew: i64) -> String {
    let amount = match skew.abs() {
        seconds @ ..120 => format!("{seconds} seconds"),
        seconds @ ..7200 => format!("{} minutes", seconds / 60),
        seconds @ ..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    };
    format!("{amount} {}", if skew < 0 { "behind" } else { "ahead of" })
}

/// A certificate by its subject and its fingerprint.
fn shown(certificate: Option<&Certificate>) -> String {
    certificate.map_or_else(String::new, |certificate| {
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let signed = if subject == issuer { String::new() } else { format!(" signed by `{issuer}`") };
        format!("`{subject}`{signed} (SHA-256 {})", certificate.fingerprint())
    })
}
