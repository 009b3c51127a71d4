//! Validated names and addresses. Values can only be made by parsing, so they are always valid. An error says what is
//! wrong with the text and suggests another one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::diag::{Code, Diagnostic};
use crate::shell::Command;

/// Maximum length of a DNS label in bytes, RFC 1035 §2.3.4.
const LABEL_MAX: usize = 63;
/// Maximum length of a host name in text form, without a final dot, in bytes, RFC 1035 §2.3.4.
const HOST_NAME_MAX: usize = 253;
/// Maximum length of a common name in a certificate, `ub-common-name` of RFC 5280 Appendix A.1. A machine's name is the
/// common name of its certificates.
const COMMON_NAME_MAX: usize = 64;

/// The name that always resolves to the computer itself (RFC 6761 §6.3).
const LOOPBACK: &str = "localhost";

/// Device names of Windows, with or without an extension (Microsoft, "Naming Files, Paths, and Namespaces"). `CONIN$`,
/// `CONOUT$` and `CLOCK$` are missing because `$` is not valid in a host name.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
/// Device names that are followed by one digit.
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

/// File names of the shared CA in `certs/`. They are reserved because the folder of a machine's own CA is `certs/` and
/// the machine's name.
const SHARED_FILES: [&str; 4] = ["ca.pem", "ca-key.pem", "cert.pem", "key.pem"];

/// The name of a machine. It is valid for Docker Machine (`^[a-zA-Z0-9][a-zA-Z0-9\-\.]*$`) and is also a host name,
/// because it is used as a folder name, a common name and a SAN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MachineName(String);

impl MachineName {
    /// Parses the name of a new machine. Refuses the same names as [`parse`](Self::parse), and names with a special
    /// meaning to other programs: numbers that are read as an address, `localhost`, and devices of Windows.
    pub fn parse_new(text: &str) -> Result<Self, Diagnostic> {
        let name = Self::parse(text)?;
        let instead = || format!("for example `host-{}`", text.replace('.', "-"));
        if let Some(address) = inet_aton(text) {
            return Err(Diagnostic::error(
                Code::ReservedName,
                format!("must not be `{text}`: many programs read it as the IP address {address}"),
            )
            .hint(instead()));
        }
        if ends_in_number(text) {
            return Err(Diagnostic::error(Code::ReservedName, format!(
                "must not end in a number after a dot, `{text}` does: many programs take it for a broken IP address"
            ))
            .hint(instead()));
        }
        if text.eq_ignore_ascii_case(LOOPBACK) {
            return Err(Diagnostic::error(
                Code::ReservedName,
                format!("must not be `{text}`: each machine calls itself that"),
            )
            .hint(instead()));
        }
        if is_device(text) {
            return Err(Diagnostic::error(
                Code::ReservedName,
                format!("must not be `{text}`: Windows has a device of that name"),
            )
            .hint(instead()));
        }
        Ok(name)
    }

    /// Parses the name of a machine that can exist already.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        check_host_name(text, Code::InvalidName)?;
        if text.len() > COMMON_NAME_MAX {
            return Err(Diagnostic::error(
                Code::InvalidName,
                format!("must have at most {COMMON_NAME_MAX} characters, `{text}` has {}", text.len()),
            ));
        }
        if SHARED_FILES.iter().any(|file| file.eq_ignore_ascii_case(text)) {
            return Err(Diagnostic::error(
                Code::ReservedName,
                format!("must not be `{text}`: the store has a file of that name"),
            ));
        }
        if text.parse::<IpAddr>().is_ok() {
            return Err(Diagnostic::error(
                Code::InvalidName,
                format!("must be a name, `{text}` is an address"),
            )
            .hint("give it as the address:")
            .run(Command::own(["create", "NAME", "--address", text])));
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

/// The name of a docker context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextName(String);

impl ContextName {
    /// The context that the docker CLI has without any file (docker/cli, `cli/command/defaultcontextstore.go`).
    const DEFAULT: &str = "default";

    /// Parses a name by the docker CLI's rule, `^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$` (docker/cli, `cli/context/store/store.go`).
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        let refused = |why: String| Err(Diagnostic::error(Code::InvalidContextName, why));
        match text.chars().next() {
            _ if text == Self::DEFAULT => {
                refused(format!("must not be `{text}`: docker has a context of its own with that name"))
            }
            _ if text.len() < 2 => refused(format!("must have at least 2 characters, got `{text}`")),
            Some(first) if !first.is_ascii_alphanumeric() => {
                refused(format!("must begin with a letter or a digit, got `{text}`"))
            }
            _ => match text.chars().find(|c| !is_inner(*c)) {
                Some(wrong) => refused(format!(
                    "must have only letters, digits, `-`, `_`, `.` and `+`; `{text}` has `{wrong}`"
                )),
                None => Ok(Self(text.to_owned())),
            },
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a client certificate besides the machine's own: a person, an e-mail address or a program, such as `alice`,
/// `alice@example.com` or `ci`. It is the common name of the certificate and the name of its folder in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientName(String);

impl ClientName {
    /// Parses a name. It has only characters that need no quoting in a shell, and is no path and no device on any system.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let refuse = |why: String| Err(Diagnostic::error(Code::InvalidClientName, why));
        if text.is_empty() {
            return refuse("must not be empty".into());
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._@+".contains(c);
        if let Some(bad) = text.chars().find(|c| !is_allowed(*c)) {
            return refuse(format!(
                "may have letters, digits and `-._@+`, got `{}` in `{}`",
                bad.escape_default(),
                text.escape_debug()
            ));
        }
        if text.len() > COMMON_NAME_MAX {
            return refuse(format!("must have at most {COMMON_NAME_MAX} characters, got {}", text.len()));
        }
        // `.` and `..` are folders, and `-x` looks like an option to other programs. Windows drops a final dot.
        if text.starts_with(['.', '-']) || text.ends_with('.') {
            return refuse(format!("must not begin with `.` or `-` or end with `.`, got `{text}`"));
        }
        if is_device(text) {
            return refuse(format!("must not be `{text}`: Windows has a device of that name"));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a fleet: small letters, digits and hyphens. So it is neither a path nor different only in case, and programs for which it becomes an
/// identifier accept it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FleetName(String);

impl FleetName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let has_hyphen_at_end = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > LABEL_MAX || has_hyphen_at_end || !text.chars().all(is_legal) {
            let text = text.escape_debug();
            return Err(Diagnostic::error(
                Code::InvalidFleetName,
                format!(
                    "must have small letters, digits and `-`, at most {LABEL_MAX}, and no `-` at the ends, got `{text}`"
                ),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FleetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

/// Parses an address as inet_aton(3) does: one to four decimal, octal or hexadecimal numbers separated by dots, where the
/// last one fills the remaining bytes. Also accepts `0x` without digits and octal numbers with an 8 or a 9, as only some
/// systems do.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| {
        if let Some(hex) = strip_hex(part) {
            return if hex.is_empty() { Some(0) } else { u32::from_str_radix(hex, 16).ok() };
        }
        let octal = part.strip_prefix('0').and_then(|octal| u32::from_str_radix(octal, 8).ok());
        octal.or_else(|| part.parse().ok())
    };
    let parts: Vec<&str> = text.split('.').collect();
    if !parts.iter().all(|part| is_number(part)) {
        return None;
    }
    let numbers: Vec<u32> = parts.into_iter().map(number).collect::<Option<_>>()?;
    let (last, bytes) = numbers.split_last().filter(|(_, bytes)| bytes.len() < 4)?;
    let rest = 8 * (4 - bytes.len());
    if bytes.iter().any(|byte| *byte > 0xff) || u64::from(*last) >> rest != 0 {
        return None;
    }
    let high = bytes.iter().enumerate().map(|(n, byte)| byte << (24 - 8 * n)).sum::<u32>();
    Some(Ipv4Addr::from_bits(high | last))
}

/// The host of a URL, without the brackets of [`Address::in_url`]. None if it has no host.
pub fn host_of(url: &http::Uri) -> Option<&str> {
    url.host().map(|host| host.trim_matches(['[', ']']))
}

/// Returns whether URL parsers and resolvers read a host as IPv4, because its last label is a number (URL Standard, "ends in a
/// number").
fn ends_in_number(text: &str) -> bool {
    text.rsplit('.').next().is_some_and(is_number)
}

/// Returns whether a label is a decimal, octal or hexadecimal number in C's notation.
fn is_number(label: &str) -> bool {
    match strip_hex(label) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()),
    }
}

fn strip_hex(number: &str) -> Option<&str> {
    number.strip_prefix("0x").or_else(|| number.strip_prefix("0X"))
}

/// Returns whether Windows opens a device by this name in every folder.
fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.into_iter().any(numbered)
}

/// The host in the part of a URL after the scheme, without a user, a password, a port or a path.
fn host_part(rest: &str) -> &str {
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    host.split(':').next().unwrap_or(host)
}

/// Checks that a text is a host name: labels of 1 to 63 letters, digits and hyphens (RFC 1123 §2.1).
fn check_host_name(text: &str, code: Code) -> Result<(), Diagnostic> {
    let refuse = |why: String| Err(Diagnostic::error(code, why));
    if text.is_empty() {
        return refuse("must not be empty".into());
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return Err(Diagnostic::error(code, format!("must be only a host, but `{text}` is a URL"))
            .hint(format!("leave out `{scheme}://`: `{}`", host_part(rest))));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
        && !host.contains(':')
    {
        return Err(Diagnostic::error(code, format!("must be only a host, but `{text}` has a port"))
            .hint(format!("give the host as `{host}` and the port with `--port {port}`")));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return Err(Diagnostic::error(code, format!("must be without brackets, got `{text}`"))
            .hint(format!("`{inner}`")));
    }
    if text.contains('%') && text.contains(':') {
        return refuse(format!("`{text}` has a zone, which means nothing to another machine"));
    }
    if let Some(bare) = text.strip_suffix('.') {
        return Err(Diagnostic::error(code, format!("must be without a final dot, got `{text}`"))
            .hint(format!("`{bare}`")));
    }
    if !text.is_ascii() {
        return Err(Diagnostic::error(code, format!("must be in ASCII, got `{text}`"))
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
    fn a_new_machine_name_has_no_special_meaning_to_other_programs() {
        for good in
            ["web1", "a1", "1a", "0xfg", "1.a", "localhost1", "console", "com10", "nul1", "con-1", "web.con"]
        {
            assert!(MachineName::parse_new(good).is_ok(), "{good}");
        }
        for (address, read) in [
            ("1", "0.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0x7f", "0.0.0.127"),
            ("0x7f.1", "127.0.0.1"),
            ("0X7F.0x1", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("0177.1", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("4294967295", "255.255.255.255"),
            ("10.0.513", "10.0.2.1"),
            ("10.0x20001", "10.2.0.1"),
            ("0", "0.0.0.0"),
            ("0x", "0.0.0.0"),
            ("08", "0.0.0.8"),
            ("010", "0.0.0.8"),
        ] {
            assert_eq!(
                inet_aton(address).map(|address| address.to_string()).as_deref(),
                Some(read),
                "{address}"
            );
            let complaint = MachineName::parse_new(address).unwrap_err();
            assert!(complaint.message.contains(read) && complaint.hint.is_some(), "{complaint}");
            // An existing machine with such a name can still be listed and removed.
            assert!(MachineName::parse(address).is_ok(), "{address}");
        }
        for broken in ["256.1", "1.2.3.4.5", "4294967296", "0x100000000", "1.2.3.256", "web.1", "web.0x7f"] {
            let complaint = MachineName::parse_new(broken).unwrap_err();
            assert!(complaint.message.contains("IP address") && complaint.hint.is_some(), "{complaint}");
            assert!(MachineName::parse(broken).is_ok(), "{broken}");
        }
        // The name that each hint suggests is valid.
        for refused in ["127.1", "1.2.3.4.5", "localhost", "NUL.txt", "7"] {
            let hint = MachineName::parse_new(refused).unwrap_err().hint.unwrap();
            let instead = hint.split('`').nth(1).unwrap();
            assert!(MachineName::parse_new(instead).is_ok(), "{hint}");
        }
        for own in ["localhost", "LocalHost"] {
            assert!(MachineName::parse_new(own).unwrap_err().hint.is_some(), "{own}");
        }
        for device in ["CON", "prn", "Aux", "nul", "NUL.txt", "nul.tar.gz", "com1", "COM9.x", "lpt0", "LPT1"]
        {
            let complaint = MachineName::parse_new(device).unwrap_err();
            assert!(complaint.message.contains("Windows") && complaint.hint.is_some(), "{complaint}");
            assert!(MachineName::parse(device).is_ok(), "{device}");
        }
        for other in ["CONIN$", "CONOUT$", "CLOCK$"] {
            assert!(MachineName::parse_new(other).is_err(), "{other}");
        }
    }

    #[test]
    fn client_names_are_folder_names_on_every_system() {
        for good in ["alice", "alice@example.com", "ci+web1", "A_b-c.d", "7", "web1.con", &"a".repeat(64)] {
            assert_eq!(ClientName::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a.",
            "-a",
            "a/b",
            "a\\b",
            "a b",
            "a\n",
            "a:b",
            "ä",
            "$x",
            "*",
            "a\u{202e}b",
            "nul",
            "com1.x",
            &"a".repeat(65),
        ] {
            assert!(ClientName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn fleet_names_are_no_paths() {
        for good in ["ci", "a", "7", "ci-2", &"a".repeat(63)] {
            assert_eq!(FleetName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "..", "a b", "ä", "a_b", "a\n", &"a".repeat(64)] {
            assert!(FleetName::parse(bad).is_err(), "{bad:?}");
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
        fn an_accepted_name_needs_no_quoting(text in ".{0,80}") {
            if let Ok(name) = MachineName::parse(&text) {
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'));
                prop_assert!(!name.as_str().starts_with(['-', '.']));
            }
        }

        #[test]
        fn any_address_is_parsed_from_its_own_text(text in "\\PC{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
            }
        }
    }
}
