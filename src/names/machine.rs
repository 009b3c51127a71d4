//! Names of machines.

use std::fmt;
use std::net::IpAddr;

use super::host_name::{check_host_name, ends_in_number, inet_aton};
use super::{COMMON_NAME_MAX, is_device};
use crate::diag::{Code, Diagnostic};
use crate::shell::Command;

/// The name that always resolves to the computer itself (RFC 6761 §6.3).
const LOOPBACK: &str = "localhost";

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

    proptest! {
        #[test]
        fn an_accepted_name_needs_no_quoting(text in ".{0,80}") {
            if let Ok(name) = MachineName::parse(&text) {
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'));
                prop_assert!(!name.as_str().starts_with(['-', '.']));
            }
        }
    }
}
