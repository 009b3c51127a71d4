//! Addresses that clients connect to, and SANs.

use std::fmt;
use std::net::IpAddr;

use super::host_name::{check_host_name, ends_in_number, inet_aton};
use crate::diag::{Code, Diagnostic};

/// An address that a client can connect to: an IP address or a DNS name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    Ip(IpAddr),
    /// An ASCII host name. In a SAN its first label can be `*`.
    Dns(String),
}

impl Address {
    /// Parses an address that a client connects to.
    ///
    /// # Errors
    /// Fails if the text is neither an IP address nor a host name, or if no client can connect to the IP address.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::from([255, 255, 255, 255]) {
                return Err(Diagnostic::error(
                    Code::InvalidAddress,
                    format!("must be an address that a client can dial, `{text}` is not"),
                ));
            }
            return Ok(Self::Ip(ip));
        }
        check_host_name(text, Code::InvalidAddress)?;
        if let Some(address) = inet_aton(text) {
            let complaint = format!(
                "`{text}` is neither an IP address nor a DNS name, and many programs read it as {address}"
            );
            return Err(Diagnostic::error(Code::InvalidAddress, complaint)
                .hint("write an address as four decimal numbers"));
        }
        if ends_in_number(text) {
            return Err(Diagnostic::error(
                Code::InvalidAddress,
                format!("`{text}` is neither an IP address nor a DNS name"),
            ));
        }
        Ok(Self::Dns(text.to_owned()))
    }

    /// Parses a SAN: an address as for [`parse`](Self::parse), or a wildcard such as `*.example.com` (RFC 6125 §6.4.3).
    pub fn parse_san(text: &str) -> Result<Self, Diagnostic> {
        let san = |refused: Diagnostic| Diagnostic { code: Code::InvalidSan, ..refused };
        match text.strip_prefix("*.") {
            Some(rest) if rest.contains('.') => match Self::parse(rest).map_err(san)? {
                Self::Dns(_) => Ok(Self::Dns(text.to_owned())),
                Self::Ip(_) => {
                    Err(Diagnostic::error(Code::InvalidSan, format!("`{text}` is not a DNS name")))
                }
            },
            Some(_) => Err(Diagnostic::error(
                Code::InvalidSan,
                format!("`{text}` is too wide: clients refuse a `*` right below a top-level domain"),
            )),
            None => Self::parse(text).map_err(san),
        }
    }

    /// The address as a URL's host. IPv6 addresses have brackets (RFC 3986 §3.2.2).
    pub fn in_url(&self) -> String {
        match self {
            Self::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
            other => other.to_string(),
        }
    }

    /// Returns whether this SAN matches the address that a client connects to (RFC 6125 §6.4). Names are compared without regard
    /// to case, and `*` matches exactly one label.
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

/// The host of a URL, without the brackets of [`Address::in_url`]. None if it has no host.
pub fn host_of(url: &http::Uri) -> Option<&str> {
    url.host().map(|host| host.trim_matches(['[', ']']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_checked_as_addresses() {
        for good in ["203.0.113.7", "2001:db8::1", "::1", "127.0.0.1", "web1.example.com", "web1"] {
            assert_eq!(Address::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "256.1.1.1",
            "1.2.3",
            "127.1",
            "0x7f.1",
            "0x7f",
            "017700000001",
            "2130706433",
            "web.0x7f",
            "web.1",
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
    fn a_san_covers_the_addresses_that_a_client_accepts() {
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
        fn any_address_is_parsed_from_its_own_text(text in "\\PC{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
            }
        }
    }
}
