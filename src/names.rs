//! Names and addresses as types that cannot hold a bad value. Reading one is the only way to get one,
//! and a refusal says what is wrong and what to write instead.

use std::fmt;
use std::net::IpAddr;

use crate::report::Complaint;

/// The longest DNS label, RFC 1035 §2.3.4.
const LABEL_MAX: usize = 63;
/// The longest host name in text form without a final dot, RFC 1035 §2.3.4.
const HOST_NAME_MAX: usize = 253;
/// The longest common name in a certificate, `ub-common-name` of RFC 5280 Appendix A.1. A machine's
/// name goes there.
const COMMON_NAME_MAX: usize = 64;

/// The shared authority's files in `certs/`, where each machine's own authority has a folder of the machine's name.
const SHARED_FILES: [&str; 4] = ["ca.pem", "ca-key.pem", "cert.pem", "key.pem"];

/// The name of a machine: a Docker Machine name (`^[a-zA-Z0-9][a-zA-Z0-9\-\.]*$`) that is also a host
/// name, because it is a folder, a common name and a SAN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MachineName(String);

impl MachineName {
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        check_host_name(text)?;
        if text.len() > COMMON_NAME_MAX {
            return Err(Complaint::new(format!(
                "must have at most {COMMON_NAME_MAX} characters, `{text}` has {}",
                text.len()
            )));
        }
        if SHARED_FILES.iter().any(|file| file.eq_ignore_ascii_case(text)) {
            return Err(Complaint::new(format!("must not be `{text}`: the store has a file of that name")));
        }
        if text.parse::<IpAddr>().is_ok() {
            return Err(Complaint::new(format!("must be a name, `{text}` is an address"))
                .hint(format!("`hostseed create NAME --address {text}`")));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client may dial: an IP address or a DNS name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    Ip(IpAddr),
    /// A host name in ASCII, or (as a SAN only) one with `*` for its first label.
    Dns(String),
}

impl Address {
    /// An address that a client dials.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::from([255, 255, 255, 255]) {
                return Err(Complaint::new(format!(
                    "must be an address that a client can dial, `{text}` is not"
                )));
            }
            return Ok(Self::Ip(ip));
        }
        check_host_name(text)?;
        // A host whose last label is a number is read as IPv4 by URL parsers and resolvers.
        if text.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit())) {
            return Err(Complaint::new(format!("`{text}` is neither an IP address nor a DNS name")));
        }
        Ok(Self::Dns(text.to_owned()))
    }

    /// A name for a certificate: as [`parse`](Self::parse), and `*.example.com` too (RFC 6125 §6.4.3).
    pub fn parse_san(text: &str) -> Result<Self, Complaint> {
        match text.strip_prefix("*.") {
            Some(rest) if rest.contains('.') => match Self::parse(rest)? {
                Self::Dns(_) => Ok(Self::Dns(text.to_owned())),
                Self::Ip(_) => Err(Complaint::new(format!("`{text}` is not a DNS name"))),
            },
            Some(_) => Err(Complaint::new(format!(
                "`{text}` is too wide: clients refuse a `*` right below a top-level domain"
            ))),
            None => Self::parse(text),
        }
    }

    /// As it stands in a URL: IPv6 in brackets (RFC 3986 §3.2.2).
    pub fn in_url(&self) -> String {
        match self {
            Self::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
            other => other.to_string(),
        }
    }

    /// Whether this SAN covers what a client dials, by the rules of RFC 6125 §6.4: names without
    /// regard to case, `*` for exactly one label.
    pub fn covers(&self, dialled: &Address) -> bool {
        match (self, dialled) {
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Dns(san), Self::Dns(name)) => match san.strip_prefix("*.") {
                Some(parent) => {
                    name.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
                }
                None => san.eq_ignore_ascii_case(name),
            },
            _ => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Dns(name) => f.write_str(name),
        }
    }
}

/// Refuses what is no host name: letters, digits and hyphens (RFC 1123 §2.1) in labels of legal length.
fn check_host_name(text: &str) -> Result<(), Complaint> {
    let refuse = |why: String| Err(Complaint::new(why));
    if text.is_empty() {
        return refuse("must not be empty".into());
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return Err(Complaint::new(format!("must be a host alone, `{text}` is a URL"))
            .hint(format!("leave out `{scheme}://`: `{}`", rest.split(['/', ':']).next().unwrap_or(rest))));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
        && !host.contains(':')
    {
        return Err(Complaint::new(format!("must be a host alone, `{text}` has a port"))
            .hint(format!("give the host as `{host}` and the port with `--port {port}`")));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return Err(
            Complaint::new(format!("must be without brackets, got `{text}`")).hint(format!("`{inner}`"))
        );
    }
    if text.contains('%') && text.contains(':') {
        return refuse(format!("`{text}` has a zone, which means nothing to another machine"));
    }
    if let Some(bare) = text.strip_suffix('.') {
        return Err(
            Complaint::new(format!("must be without a final dot, got `{text}`")).hint(format!("`{bare}`"))
        );
    }
    if !text.is_ascii() {
        return Err(Complaint::new(format!("must be in ASCII, got `{text}`"))
            .hint("write an international name in its `xn--` form"));
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.')) {
        return refuse(format!(
            "may have letters, digits, `-` and `.`, got `{}` in `{}`",
            bad.escape_default(),
            text.escape_debug()
        ));
    }
    if text.len() > HOST_NAME_MAX {
        return refuse(format!("must have at most {HOST_NAME_MAX} characters, got {}", text.len()));
    }
    for label in text.split('.') {
        if label.is_empty() {
            return refuse(format!("has an empty label in `{text}`"));
        }
        if label.len() > LABEL_MAX {
            return refuse(format!(
                "may have at most {LABEL_MAX} characters between dots, `{label}` has {}",
                label.len()
            ));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return refuse(format!("must not have a hyphen at the end of a label, got `{text}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn machine_names_are_docker_machine_names_that_are_host_names() {
        for good in ["web1", "a", "A-b.c", "1", "x.example.com", &"a".repeat(63)] {
            assert!(MachineName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "-a",
            "a-",
            "a_b",
            "a..b",
            "a/b",
            "../a",
            "a b",
            "ä",
            "10.0.0.1",
            "a.",
            "a\n",
            "ca.pem",
            "CA-key.pem",
            &"a".repeat(64),
            &"a.".repeat(40),
        ] {
            assert!(MachineName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_are_checked_as_addresses() {
        for good in ["203.0.113.7", "2001:db8::1", "::1", "127.0.0.1", "web1.example.com", "web1"] {
            assert_eq!(Address::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "256.1.1.1",
            "1.2.3",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "ff02::1",
            "fe80::1%eth0",
            "[::1]",
            "1.2.3.4:2376",
            "tcp://1.2.3.4",
            "*.example.com",
            "a..b",
            "bad name",
            "1.2.3.4/24",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Address::parse_san("*.example.com").is_ok());
        assert!(Address::parse_san("*.com").is_err());
        assert!(Address::parse_san("a.*.com").is_err());
    }

    #[test]
    fn a_san_covers_what_a_client_would_accept() {
        let san = |s| Address::parse_san(s).unwrap();
        let dialled = |s| Address::parse(s).unwrap();
        assert!(san("WEB1.example.com").covers(&dialled("web1.Example.com")));
        assert!(san("*.example.com").covers(&dialled("web1.example.com")));
        assert!(!san("*.example.com").covers(&dialled("a.web1.example.com")));
        assert!(!san("*.example.com").covers(&dialled("example.com")));
        assert!(san("::1").covers(&dialled("0:0:0:0:0:0:0:1")));
        assert!(!san("127.0.0.1").covers(&dialled("localhost")));
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_a_plain_word_everywhere(text in ".{0,80}") {
            if let Ok(name) = MachineName::parse(&text) {
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'));
                prop_assert!(!name.as_str().starts_with(['-', '.']));
            }
        }

        #[test]
        fn any_address_reads_back_as_itself(text in "\\PC{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
            }
        }
    }
}
