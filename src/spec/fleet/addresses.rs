//! The addresses of the machines of one entry: a list of addresses and ranges, which the machines get in its order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Word;
use super::yaml;
use crate::diag::{Code, Diagnostic, Position};
use crate::yaml::Node;

/// Addresses in the order in which machines get them.
#[derive(Debug, Clone)]
pub struct Addresses {
    items: Vec<Item>,
    /// False if a part could not be read, so that their number is not known.
    pub is_complete: bool,
}

#[derive(Debug, Clone)]
enum Item {
    /// An address or a DNS name, which is not checked here.
    One(Word),
    /// A part of a network.
    Range { range: Range, position: Option<Position> },
}

/// Successive IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: IpAddr,
    count: u128,
}

impl Addresses {
    /// Reads an address, a range or a list of them. `complain` gets what is wrong, and where.
    pub fn read(value: Node, complain: &mut dyn FnMut(Option<Position>, Diagnostic)) -> Self {
        let mut is_complete = true;
        let words = yaml::words(value, &mut |node, problem| {
            is_complete = false;
            complain(node.start, problem);
        });
        let mut items = Vec::new();
        for word in words {
            if !word.text.contains('/') {
                items.push(Item::One(word));
                continue;
            }
            match Range::parse(&word.text) {
                Ok(range) => items.push(Item::Range { range, position: word.position }),
                Err(problem) => {
                    is_complete = false;
                    complain(word.position, problem);
                }
            }
        }
        Self { items, is_complete }
    }

    /// The number of addresses.
    pub fn len(&self) -> u128 {
        self.items.iter().fold(0u128, |sum, item| sum.saturating_add(item.len()))
    }

    /// Returns whether there is a range, which usually has more addresses than the fleet has machines.
    pub fn has_range(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Range { .. }))
    }

    /// Returns whether there is one template, which makes the addresses of all machines.
    pub fn is_template(&self) -> bool {
        matches!(&self.items[..], [Item::One(word)] if word.text.contains("{{") || word.text.contains("{%"))
    }

    /// The address of the machine `n`, counted from 0.
    pub fn nth(&self, n: usize) -> Option<Word> {
        let mut n = if self.is_template() { 0 } else { n as u128 };
        for item in &self.items {
            match (n.checked_sub(item.len()), item) {
                (Some(rest), _) => n = rest,
                (None, Item::One(word)) => return Some(word.clone()),
                (None, Item::Range { range, position }) => {
                    return Some(Word { text: range.nth(n).to_string(), position: *position });
                }
            }
        }
        None
    }
}

impl Item {
    fn len(&self) -> u128 {
        match self {
            Self::One(_) => 1,
            Self::Range { range, .. } => range.count,
        }
    }
}

impl Range {
    /// Reads a network in CIDR notation. The range has the addresses of its hosts, or, if an address within the network is given, those from
    /// there on. The addresses of the network itself and for all hosts are left out (RFC 919 §7, RFC 4291 §2.6.1), except in networks of
    /// one or two addresses (RFC 3021, RFC 6164).
    fn parse(text: &str) -> Result<Self, Diagnostic> {
        let refuse = |why: &str| {
            let text = text.escape_debug();
            Diagnostic::error(
                Code::InvalidRange,
                format!("must be a range like `10.0.0.0/24`{why}, got `{text}`"),
            )
        };
        let (address, prefix) = text.split_once('/').ok_or_else(|| refuse(""))?;
        let address: IpAddr = address.parse().map_err(|_| refuse(""))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse::<u32>().ok().filter(|prefix| is_number && *prefix <= bits);
        let prefix = prefix.ok_or_else(|| refuse(&format!(", whose prefix is at most {bits}")))?;
        let host_bits = bits - prefix;
        let mask = 1u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
        let given = number(address);
        let network = given & !mask;
        let mut last = network | mask;
        let mut first = given;
        if host_bits > 1 {
            first = first.max(network + 1);
            // IPv6 has no address for all hosts.
            if address.is_ipv4() {
                last -= 1;
            }
        }
        if first > last {
            return Err(refuse(", with an address of a host"));
        }
        Ok(Self { first: with_number(address, first), count: (last - first).saturating_add(1) })
    }

    fn nth(self, n: u128) -> IpAddr {
        with_number(self.first, number(self.first) + n)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address with this number, of the same version as `like`.
fn with_number(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> (String, u128) {
        let range = Range::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        (range.first.to_string(), range.count)
    }

    #[test]
    fn a_range_has_the_addresses_of_hosts() {
        for (text, first, count) in [
            ("10.0.0.0/24", "10.0.0.1", 254),
            ("10.0.0.10/24", "10.0.0.10", 245),
            ("10.0.0.254/24", "10.0.0.254", 1),
            ("10.0.0.0/30", "10.0.0.1", 2),
            ("10.0.0.0/31", "10.0.0.0", 2),
            ("10.0.0.7/32", "10.0.0.7", 1),
            ("0.0.0.0/0", "0.0.0.1", (1 << 32) - 2),
            ("2001:db8::/64", "2001:db8::1", (1 << 64) - 1),
            ("2001:db8::1/128", "2001:db8::1", 1),
            ("::/0", "::1", u128::MAX),
        ] {
            assert_eq!(ends(text), (first.to_owned(), count), "{text}");
        }
        assert_eq!(Range::parse("10.0.0.250/16").unwrap().nth(10).to_string(), "10.0.1.4");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "10.0.0/24",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a/8",
            "::/129",
            "10.0.0.0/-1",
            "10.0.0.255/24",
            "/",
            "10.0.0.0/8/8",
        ] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }
}
