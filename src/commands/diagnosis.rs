//! Explains a host's fault to the user: the message with its facts, and the next step.

use std::fmt::Display;
use std::net::IpAddr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::address::cover;
use super::expiry::Remedy;
use crate::diag::{Code, Diagnostic};
use crate::docker::{Fault, Said, Target, Which};
use crate::names::{Address, MachineName};
use crate::pki::{Certificate, Validity};
use crate::plan::HostRole;
use crate::shell::Command;
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
        Fault::Silent | Fault::Stalled | Fault::Closed => {
            "the port is open, waiting for Docker to answer".into()
        }
        Fault::Daemon { .. } => format!("Docker is starting ({fault})"),
        Fault::Uncovered { .. } => "waiting for the host to issue a certificate for the address".into(),
        Fault::ClientRefused { .. } => {
            "the host refuses the client certificate, waiting for it to set its clock".into()
        }
        fault => fault.to_string(),
    }
}

impl Diagnosis<'_> {
    /// The command that gives the machine another address.
    fn update(&self, address: &str) -> Command {
        self.store.command(["update", self.name.as_str(), "--address", address])
    }

    /// The command that makes a new certificate in the place of this one.
    fn renew(&self, which: Which) -> Command {
        let options: &[&str] = match which {
            Which::Authority => &["--authority"],
            // The change of the CA goes on.
            Which::OldAuthority => &["--authority", "--apply"],
            Which::Server | Which::Intermediate | Which::Client => &[],
        };
        self.store.command(["renew"].iter().chain(options).copied().chain([self.name.as_str()]))
    }

    /// Adds how the machine gets a new certificate. Where there is only a client, the one who has the machine makes it.
    fn with_remedy(&self, error: Diagnostic, which: Which, before: &str) -> Diagnostic {
        match Remedy::by_owner(self.store, self.name, which == Which::Authority) {
            Some(Remedy { hint, command }) => error.hint(hint).run(command),
            None => error
                .hint(format!("make new certificates{before}, and replace the VM:"))
                .run(self.renew(which)),
        }
    }

    /// The error for a fault.
    pub fn of(&self, fault: &Fault) -> Diagnostic {
        let (name, url) = (self.name.as_str(), self.url);
        let error = |code, text: &dyn Display| Diagnostic::error(code, format!("`{name}`, {url}: {text}"));
        // While a VM boots, each of these is normal.
        let wait = (!self.waited).then(|| self.store.command(["wait", name]));
        let or_wait = if self.waited { "" } else { "; while the VM boots, wait for it:" };
        let address = |address: &str| self.store.command(["address", name, address]);
        match fault {
            Fault::NoAddress => error(Code::HostUnresolved, fault)
                .hint("record the VM's address:")
                .run(address("ADDRESS")),
            Fault::Local(_) => error(Code::LocalNetwork, fault)
                .hint("see the limits and the network of this computer; the host was not asked"),
            Fault::Unresolved if self.target.issues => error(Code::HostUnresolved, fault)
                .hint("add the name to DNS, or record the VM's IP address:")
                .run(address("IP")),
            Fault::Unresolved => match self.other_address(None) {
                Some(other) => error(Code::HostUnresolved, fault)
                    .hint("add the name to DNS, or record another address that the server certificate covers:")
                    .run(address(&other)),
                None => error(Code::HostUnresolved, fault)
                    .hint("add the name to DNS, or make a server certificate for the VM's IP address and replace the VM:")
                    .run(self.update("IP")),
            },
            Fault::Unreachable(_) if self.waited => error(Code::HostUnreachable, fault)
                .hint(format!(
                    "check the VM's address, and allow TCP port {} in the cloud's firewall; this lists the clouds:",
                    self.target.port
                ))
                .run(self.store.command(["clouds"])),
            Fault::Unreachable(_) => error(Code::HostUnreachable, fault)
                .hint(format!(
                    "check the VM's address, and the cloud's firewall, which has to allow TCP port {}{or_wait}",
                    self.target.port
                ))
                .runs(wait),
            Fault::Refused => error(Code::ConnectionRefused, fault)
                .hint(format!("the VM's console in the cloud has lines of `hostseed` with the step that it is at{or_wait}"))
                .runs(wait),
            Fault::Silent | Fault::Stalled | Fault::Closed => error(Code::NoAnswer, fault)
                .hint(format!("the VM's console in the cloud may tell why, or something on the way answers for it{or_wait}"))
                .runs(wait),
            Fault::NotTls => error(Code::NotTls, fault).hint(
                "another program listens there, or Docker without TLS, with which everyone has root on the host: see the VM's user-data and its console",
            ),
            Fault::Tls(_) => error(Code::TlsFailed, fault)
                .hint("a TLS library or a proxy on the way does not support what Docker needs: TLS 1.2 with client certificates"),
            Fault::OtherAuthority(presented) => {
                let ca: Vec<_> = self.target.client.ca.iter().map(|ca| shown(Some(ca))).collect();
                let text = format!("{fault}: it has {}, and this machine's CA {}", shown(presented.first()), ca.join(" or "));
                let error = error(Code::OtherCa, &text);
                if self.store.previous_certificate(self.name).is_ok_and(|old| presented.contains(&old)) {
                    return error
                        .hint("the host still has its old CA; bring the new one to it, or put the old one back:")
                        .run(self.store.command(["renew", "--apply", self.name.as_str()]))
                        .run(self.store.command(["renew", "--undo", self.name.as_str()]));
                }
                let cause = "another machine has this address now, or the VM boots from other user-data";
                match self.other_address(None) {
                    _ if self.target.issues => error
                        .hint(format!("{cause}; if the machine has a new address, record it:"))
                        .run(address("ADDRESS")),
                    Some(other) => error
                        .hint(format!("{cause}; the server certificate covers another address, which you can record:"))
                        .run(address(&other)),
                    None => error
                        .hint(format!(
                            "{cause}; if the machine has a new address, make a server certificate for it and replace the VM:"
                        ))
                        .run(self.update("ADDRESS")),
                }
            }
            Fault::AuthorityAsServer => error(Code::CertificateChain, fault).hint(
                "the CA's private key is on the host, where it must never be: replace the CA, and the VM:",
            ).run(self.store.command(["renew", "--authority", self.name.as_str()])),
            Fault::Uncovered { sans, issued } => {
                let listed: Vec<String> = sans.iter().map(|san| format!("`{san}`")).collect();
                let listed = if listed.is_empty() { "no address".to_owned() } else { listed.join(", ") };
                let text = format!("{fault} `{}`; it covers {listed}", self.target.address);
                let error = error(Code::AddressNotCovered, &text);
                match self.other_address(Some(sans)) {
                    _ if *issued && !self.waited => error
                        .hint(format!("the host issues its certificate itself, and another one some minutes after its addresses change{or_wait}"))
                        .runs(wait),
                    Some(other) => error.hint("connect to an address that it covers:").run(address(&other)),
                    None if *issued => error.hint(
                        "the host issues its certificate itself, and does not know this address: see the `hostseed` lines on its console, or add the address and replace the VM:",
                    ).run(cover(self.store, self.name, &self.target.address)),
                    None => error
                        .hint("make a server certificate for this address, and replace the VM:")
                        .run(cover(self.store, self.name, &self.target.address)),
                }
            }
            Fault::UnusableCertificate(_) => error(Code::CertificateChain, fault)
                .hint("make new certificates, and replace the VM:")
                .run(self.renew(Which::Server)),
            Fault::Time { which, validity, now, host } => {
                let error = error(Code::CertificateTime, &self.time(*which, *validity, *now, *host));
                match (validity.is_expired(*now), clocks_differ(*now, *host)) {
                    (_, true) => error.hint("the clocks differ: set the wrong one"),
                    (true, false) => self.with_remedy(error, *which, ""),
                    (false, false) => error.hint("set this computer's clock, or wait"),
                }
            }
            Fault::ClientRefused { young } => {
                let text = format!("{fault} {}", shown(self.target.client.chain.first()));
                let error = error(Code::ClientRefused, &text);
                if self.store.has_unproved_client(self.name) {
                    return error
                        .hint("the host does not trust the new CA yet; bring it to the host, or put the old files back:")
                        .run(self.store.command(["renew", "--authority", "--apply", "--yes", self.name.as_str()]))
                        .run(self.store.command(["renew", "--undo", self.name.as_str()]));
                }
                if *young && !self.waited {
                    return error
                        .hint("the VM boots from user-data with another CA, or its clock is wrong; while the VM boots, wait for it:")
                        .runs(wait);
                }
                if let Some(remedy) = Remedy::by_owner(self.store, self.name, false) {
                    let hint = format!("the host has another CA, or its clock is wrong; {}", remedy.hint);
                    return error.hint(hint).run(remedy.command);
                }
                error.hint(
                    "the VM boots from user-data with another CA, or its clock is wrong: see the `hostseed` lines on its console; if not, make new certificates and replace the VM:",
                ).run(self.renew(Which::Client))
            }
            Fault::NotDocker => error(Code::NotDocker, fault)
                .hint("another program listens on the port with a certificate of this machine's CA"),
            Fault::Open => error(Code::OpenDockerPort, fault).hint(
                "everyone who reaches the port is root on the host: close the port, and replace the VM",
            ),
            Fault::Daemon { said: Said::Page, .. } => error(Code::NotDocker, fault)
                .hint(format!("another program answers for Docker{or_wait}"))
                .runs(wait),
            Fault::Daemon { status: ..500, .. } => {
                error(Code::DaemonError, fault).hint("something on the host forbids this request: see Docker's log there")
            }
            Fault::Daemon { said: Said::Nothing, .. } => error(Code::DaemonError, fault)
                .hint(format!("see Docker's log on the host{or_wait}"))
                .runs(wait),
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
                let warning = Diagnostic::warning(Code::CertificateExpiresSoon, text);
                match which {
                    Which::OldAuthority => {
                        warning.hint("finish the change of the CA before that:").run(self.renew(*which))
                    }
                    _ => self.with_remedy(warning, *which, " before that"),
                }
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

    /// Another address at which the machine may be, of those that `presented` covers, else the store's server certificate. `hostseed
    /// address` accepts it.
    fn other_address(&self, presented: Option<&[Address]>) -> Option<String> {
        let stored = match self.store.host_certificate(self.name).ok()? {
            (HostRole::Server, certificate) => Some(certificate),
            (HostRole::BootIssuer, _) => None,
        };
        let sans = match (presented, &stored) {
            (Some(sans), _) => sans.to_vec(),
            (None, Some(stored)) => stored.sans(),
            (None, None) => Vec::new(),
        };
        // The certificates of a renamed machine have the name that it had first.
        let first_name = stored.as_ref().and_then(Certificate::common_name);
        let is_first_name =
            |san: &Address| matches!(san, Address::Dns(name) if Some(name) == first_name.as_ref());
        let other = sans.into_iter().find(|san| {
            *san != self.target.address
                && self.is_public(san)
                && !is_first_name(san)
                && stored.as_ref().is_none_or(|stored| stored.covers(san))
        });
        other.map(|san| san.to_string())
    }

    /// Returns whether a client may reach the host at a SAN. Every host has its name, those of the loopback interface, and Docker's bridge.
    fn is_public(&self, san: &Address) -> bool {
        match san {
            Address::Ip(IpAddr::V4(ip)) => {
                let is_bridge = ip.octets()[..2] == [172, 17];
                !(ip.is_loopback() || ip.is_link_local() || is_bridge)
            }
            Address::Ip(IpAddr::V6(ip)) => !(ip.is_loopback() || ip.is_unicast_link_local()),
            Address::Dns(name) => {
                name != self.name.as_str()
                    && name != "localhost"
                    && !name.starts_with('*')
                    && Address::parse(name).is_ok()
            }
        }
    }
}

fn clocks_differ(now: OffsetDateTime, host: Option<OffsetDateTime>) -> bool {
    host.is_some_and(|host| skew(host, now).abs() > TOLERATED_SKEW)
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
