//! The values that dockerd's options accept, on the command line and in `daemon.json`.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::Release;

/// The type of an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Switch,
    /// A whole number.
    Integer,
    /// A whole number that is not negative.
    Count,
    Port,
    Text,
    Texts,
    /// One of these texts.
    Choice(&'static [&'static str]),
    LogLevel,
    LogDriver,
    ApiVersion,
    Address,
    Addresses,
    /// A network like `10.0.0.0/8`.
    Network(Family),
    /// An address of the bridge with its prefix length.
    BridgeAddress(Family),
    FirewallMark,
    Size,
    Domains,
    Labels,
    Mirrors,
    Registries,
    Resources,
    ExecOptions,
    /// `KEY=VALUE` on the command line, a map of strings in `daemon.json`.
    Pairs,
    NetworkOptions,
    Ulimits,
    Runtimes,
    AddressPools,
    Features,
    Nri,
    Proxies,
    Builder,
    /// A key that dockerd accepts and ignores.
    Unused(Was),
}

/// A version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// The type of a key before dockerd ignored it, and the first release that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    TextBefore(Release),
    RegistriesBefore(Release),
}

/// The names of ulimits (github.com/docker/go-units, `ulimitNameMapping`).
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl Kind {
    /// True if the flag needs no value.
    pub fn is_switch(self) -> bool {
        self == Self::Switch
    }

    /// The values that the flag expects, for a message.
    pub fn flag_words(self) -> &'static str {
        match self {
            Self::Switch => "`true` or `false`",
            Self::Integer => "a whole number",
            Self::Count => "a whole number that is not negative",
            Self::Port => "a port, 0–65535",
            Self::Text | Self::Texts | Self::Proxies | Self::Builder | Self::Unused(_) => "a text",
            Self::Choice(["host", "private"]) => "`host` or `private`",
            Self::Choice(["shareable", "private"]) => "`shareable` or `private`",
            Self::Choice(["iptables", "nftables"]) => "`iptables` or `nftables`",
            Self::Choice(["text", "json"]) => "`text` or `json`",
            Self::Choice(_) => "one of its names",
            Self::LogLevel => "`debug`, `info`, `warn`, `error` or `fatal`",
            Self::LogDriver => "a log driver like `json-file`, `local` or `journald`",
            Self::ApiVersion => "a version of the API like `1.44`",
            Self::Address | Self::Addresses => "an IP address",
            Self::Network(Family::V4) => "an IPv4 network like `10.0.0.0/8`",
            Self::Network(Family::V6) => "an IPv6 network like `fd00::/64`",
            Self::BridgeAddress(Family::V6) => {
                "the IPv6 address of the bridge with its prefix length, like `fd00::1/64`, and not that of the network"
            }
            Self::BridgeAddress(Family::V4) => {
                "the address of the bridge with its prefix length, like `172.26.0.1/16`, and not that of the network"
            }
            Self::FirewallMark => "a firewall mark like `0x1` or `0x1/0x3`",
            Self::Size => "a size like `64M`",
            Self::Domains => "a domain",
            Self::Labels => "`KEY=VALUE`",
            Self::Mirrors => {
                "a URL that begins with `https://` or `http://`, without user, query and fragment"
            }
            Self::Registries => "a registry like `HOST:PORT` or a network",
            Self::Resources => "`NAME=VALUE`",
            Self::ExecOptions => "`native.cgroupdriver=systemd` or `native.cgroupdriver=cgroupfs`",
            Self::Pairs => "`KEY=VALUE`",
            Self::NetworkOptions => "`DRIVER=OPTION=VALUE`",
            Self::Ulimits => "`NAME=SOFT:HARD` with a name like `nofile`",
            Self::Runtimes => "`NAME=PATH` with another name than `runc`",
            Self::AddressPools => "`base=NETWORK,size=BITS`",
            Self::Features => "`NAME` or `NAME=true` or `NAME=false`",
            Self::Nri => "`enable=true` or a setting of NRI",
        }
    }

    /// Checks the value of a flag.
    ///
    /// # Errors
    /// The expected values, for a message.
    pub fn check_flag(self, value: &str) -> Result<(), String> {
        let valid = match self {
            Self::Pairs => true,
            Self::NetworkOptions => value
                .split_once('=')
                .is_some_and(|(driver, option)| !driver.is_empty() && option.contains('=')),
            Self::Ulimits => is_ulimit(value),
            Self::Runtimes => value.split_once('=').is_some_and(|(name, path)| {
                !["", "runc"].contains(&&*name.trim().to_lowercase()) && !path.trim().is_empty()
            }),
            Self::AddressPools => is_pool_flag(value),
            Self::Features => {
                let (name, on) = value.split_once('=').unwrap_or((value, "true"));
                !name.is_empty() && is_bool(on)
            }
            Self::Nri => value.split(',').all(|field| {
                let (key, value) = field.split_once('=').unwrap_or((field, ""));
                match key {
                    "enable" => value.is_empty() || is_bool(value),
                    _ => ["plugin-path", "plugin-config-path", "socket-path"].contains(&key),
                }
            }),
            Self::Switch => is_bool(value),
            Self::Integer => integer(value).is_some(),
            Self::Count => integer(value).is_some_and(|n| n >= 0),
            Self::Port => integer(value).is_some_and(|n| (0..=65535).contains(&n)),
            _ => self.is_item(value),
        };
        if valid { Ok(()) } else { Err(self.flag_words().to_owned()) }
    }

    /// Checks a text: the value of a flag, or a string, or an item of a list of strings in `daemon.json`.
    fn is_item(self, text: &str) -> bool {
        match self {
            Self::Choice(names) => text.is_empty() || names.contains(&text),
            Self::LogLevel => {
                let levels = ["", "panic", "fatal", "error", "warn", "info", "debug", "trace"];
                levels.contains(&&*text.to_lowercase())
            }
            Self::LogDriver => similar_log_driver(text).is_none(),
            Self::ApiVersion => text.split_once('.').is_some_and(|(major, minor)| {
                major == "1" && minor.parse::<u16>().is_ok_and(|minor| minor >= 24)
            }),
            Self::Address => text.is_empty() || text.parse::<IpAddr>().is_ok(),
            Self::Addresses => text.trim().parse::<IpAddr>().is_ok(),
            Self::Network(family) => text.is_empty() || network_of(family, text).is_some(),
            Self::BridgeAddress(family) => {
                text.is_empty()
                    || network_of(family, text)
                        .is_some_and(|(address, bits)| bits > 126 || !is_network_address(address, bits))
            }
            Self::FirewallMark => {
                text.is_empty()
                    || text.splitn(2, '/').all(|part| integer(part).is_some_and(|n| u32::try_from(n).is_ok()))
            }
            Self::Size => is_size(text),
            Self::Domains => is_domain(text),
            Self::Labels => is_label(text),
            Self::Mirrors => is_mirror(text),
            Self::Registries => !text.starts_with('-') && !text.ends_with('-'),
            Self::Resources => {
                text.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty())
            }
            Self::ExecOptions => exec_option(text).is_none_or(|(name, value)| {
                name != CGROUP_DRIVER || ["systemd", "cgroupfs"].contains(&value)
            }),
            _ => true,
        }
    }

    /// Checks a value of `daemon.json`. dockerd reads `null` as "not set".
    ///
    /// # Errors
    /// The expected values, for a message.
    pub fn check_json(self, value: &Value) -> Result<(), String> {
        if value.is_null() && !matches!(self, Self::Size | Self::Proxies) {
            return Ok(());
        }
        match self {
            Self::Switch => must(value.is_boolean(), "`true` or `false` without quotes"),
            Self::Integer | Self::Count | Self::Port => {
                let number = value.as_i64();
                let in_range = match self {
                    Self::Integer => number.is_some(),
                    Self::Count => number.is_some_and(|n| n >= 0),
                    _ => number.is_some_and(|n| (0..=65535).contains(&n)),
                };
                must(in_range, &format!("{} without quotes", self.flag_words()))
            }
            Self::Text
            | Self::Choice(_)
            | Self::LogLevel
            | Self::LogDriver
            | Self::ApiVersion
            | Self::Address
            | Self::Network(_)
            | Self::BridgeAddress(_)
            | Self::FirewallMark
            | Self::Size => {
                let text = value.as_str().ok_or_else(|| format!("a string: {}", self.flag_words()))?;
                must(self.is_item(text), self.flag_words())
            }
            Self::Texts
            | Self::Addresses
            | Self::Domains
            | Self::Labels
            | Self::Mirrors
            | Self::Registries
            | Self::Resources
            | Self::ExecOptions => self.check_list(value),
            Self::Pairs => strings(value, "a map with strings as values, such as `\"max-file\": \"3\"`"),
            Self::NetworkOptions => {
                let words = "a map of maps with strings as values";
                object(value, words)?.values().try_for_each(|options| strings(options, words))
            }
            Self::Ulimits => check_ulimits(value),
            Self::Runtimes => check_runtimes(value),
            Self::AddressPools => check_pools(value),
            Self::Features => {
                let words = "a map with `true` or `false` as values, without quotes";
                must(object(value, words)?.values().all(|value| value.is_boolean() || value.is_null()), words)
            }
            Self::Nri => {
                let words = "a map with `enable` (`true` or `false`), `plugin-path`, `plugin-config-path` and `socket-path`";
                must(
                    object(value, words)?.iter().all(|(key, value)| match &*key.to_lowercase() {
                        "enable" => value.is_boolean(),
                        "plugin-path" | "plugin-config-path" | "socket-path" => value.is_string(),
                        _ => false,
                    }),
                    words,
                )
            }
            Self::Proxies => {
                strings(value, "a map with the strings `http-proxy`, `https-proxy` and `no-proxy`")
            }
            Self::Builder => check_builder(value),
            Self::Unused(Was::TextBefore(_)) => must(value.is_string(), "a string"),
            Self::Unused(Was::RegistriesBefore(_)) => Self::Registries.check_list(value),
        }
    }

    fn check_list(self, value: &Value) -> Result<(), String> {
        let words = "a list of strings";
        let items = value.as_array().ok_or(words)?;
        for item in items {
            let text = item.as_str().ok_or(words)?;
            must(self.is_item(text), self.flag_words())?;
        }
        Ok(())
    }
}

/// The exec-opt that each dockerd knows.
const CGROUP_DRIVER: &str = "native.cgroupdriver";

/// The name in lower case, and the value. None if the text is not `NAME=VALUE`.
fn exec_option(text: &str) -> Option<(String, &str)> {
    let (name, value) = text.split_once('=')?;
    Some((name.trim().to_lowercase(), value.trim()))
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// Returns whether dockerd before 28.0 ignores an exec-opt, with which newer ones do not start (`validatePlatformExecOpt` of moby's
/// daemon/config/config_linux.go).
pub fn is_exec_option_of_older(text: &str) -> bool {
    exec_option(text).is_none_or(|(name, _)| name != CGROUP_DRIVER)
}

fn must(holds: bool, expected: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(expected.to_owned()) }
}

fn object<'a>(value: &'a Value, expected: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| expected.to_owned())
}

fn strings(value: &Value, expected: &str) -> Result<(), String> {
    must(object(value, expected)?.values().all(|value| value.is_string() || value.is_null()), expected)
}

/// The field of a Go struct, whose name may differ in case.
fn field<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn check_ulimits(value: &Value) -> Result<(), String> {
    let words = "a map like `{\"nofile\": {\"Name\": \"nofile\", \"Hard\": 64000, \"Soft\": 64000}}`";
    for limit in object(value, words)?.values() {
        if limit.is_null() {
            continue;
        }
        let limit = object(limit, words)?;
        let number =
            |name| field(limit, name).is_none_or(|value| value.is_null() || value.as_i64().is_some());
        must(number("Hard") && number("Soft"), words)?;
        must(field(limit, "Name").is_none_or(|name| name.is_string() || name.is_null()), words)?;
    }
    Ok(())
}

fn check_runtimes(value: &Value) -> Result<(), String> {
    let words = "a map like `{\"crun\": {\"path\": \"/usr/bin/crun\"}}`, with another name than `runc`";
    for (name, runtime) in object(value, words)? {
        let runtime = object(runtime, words)?;
        let text = |name| field(runtime, name).is_none_or(|value| value.is_string() || value.is_null());
        let args = field(runtime, "runtimeArgs");
        let texts = |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
        must(name != "runc" && text("path") && text("runtimeType"), words)?;
        must(args.is_none_or(|args| args.is_null() || texts(args)), words)?;
    }
    Ok(())
}

fn check_pools(value: &Value) -> Result<(), String> {
    let words = "a list like `[{\"base\": \"10.0.0.0/8\", \"size\": 24}]`";
    for pool in value.as_array().ok_or(words)? {
        let pool = object(pool, words)?;
        let base = field(pool, "base").and_then(Value::as_str).and_then(network);
        let size = field(pool, "size").and_then(Value::as_i64);
        must(is_pool(base, size), words)?;
    }
    Ok(())
}

fn check_builder(value: &Value) -> Result<(), String> {
    let words = "a map like `{\"gc\": {\"enabled\": true, \"defaultKeepStorage\": \"20GB\"}}`";
    let builder = object(value, words)?;
    if let Some(gc) = field(builder, "gc").filter(|gc| !gc.is_null()) {
        let gc = object(gc, words)?;
        let text = |name| field(gc, name).is_none_or(|value| value.is_string() || value.is_null());
        must(field(gc, "enabled").is_none_or(|on| on.is_boolean() || on.is_null()), words)?;
        must(field(gc, "policy").is_none_or(|all| all.is_array() || all.is_null()), words)?;
        let sizes =
            ["defaultKeepStorage", "defaultReservedSpace", "defaultMaxUsedSpace", "defaultMinFreeSpace"];
        must(sizes.into_iter().all(text), words)?;
    }
    if let Some(all) = field(builder, "entitlements").filter(|all| !all.is_null()) {
        let on = |value: &Value| value.is_boolean() || value.is_null();
        must(object(all, words)?.values().all(on), "a map whose `entitlements` are `true` or `false`")?;
    }
    Ok(())
}

/// As Go's strconv.ParseBool.
fn is_bool(text: &str) -> bool {
    ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"].contains(&text)
}

/// As Go's strconv.ParseInt with base 0, without `_` between digits.
fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let lower = digits.to_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    Some(sign * i64::from_str_radix(digits, radix).ok()?)
}

/// As `RAMInBytes` of github.com/docker/go-units: a number, and a unit like `k`, `MB` or `GiB`.
fn is_size(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[number.len()..].to_lowercase();
    let number = number.strip_suffix(' ').unwrap_or(number);
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let unit = unit.strip_suffix('i').unwrap_or(unit);
    let is_number = number.bytes().all(|b| b.is_ascii_digit() || b == b'.') && number.parse::<f64>().is_ok();
    is_number && ["", "k", "m", "g", "t", "p"].contains(&unit)
}

/// As [`network`], of this version of the Internet Protocol.
fn network_of(family: Family, text: &str) -> Option<(IpAddr, u8)> {
    network(text).filter(|(address, _)| address.is_ipv4() == (family == Family::V4))
}

/// An address and its prefix length.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?);
    let width = if address.is_ipv4() { 32 } else { 128 };
    (bits <= width).then_some((address, bits))
}

/// True if all bits after the prefix are zero. dockerd does not start with such a `bip` ("failed to allocate gateway: Address
/// already in use", moby#27496).
fn is_network_address(address: IpAddr, bits: u8) -> bool {
    match address {
        IpAddr::V4(address) => bits < 31 && u32::from(address).checked_shl(bits.into()).unwrap_or(0) == 0,
        IpAddr::V6(address) => u128::from(address).checked_shl(bits.into()).unwrap_or(0) == 0,
    }
}

fn is_pool(base: Option<(IpAddr, u8)>, size: Option<i64>) -> bool {
    base.is_some_and(|(address, bits)| {
        let width = if address.is_ipv4() { 32 } else { 128 };
        size.is_some_and(|size| (i64::from(bits)..=width).contains(&size))
    })
}

fn is_pool_flag(text: &str) -> bool {
    let (mut base, mut size) = (None, None);
    for part in text.to_lowercase().split(',') {
        match part.split_once('=') {
            Some(("base", value)) => base = network(value),
            Some(("size", value)) => size = value.parse().ok(),
            _ => return false,
        }
    }
    is_pool(base, size)
}

/// As `ParseUlimit` of github.com/docker/go-units.
fn is_ulimit(text: &str) -> bool {
    let Some((name, limits)) = text.split_once('=') else { return false };
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (Ok(soft), Ok(hard)) = (soft.parse::<i64>(), hard.parse::<i64>()) else { return false };
    ULIMITS.contains(&name) && (hard == -1 || (soft != -1 && soft <= hard))
}

/// As `validateDomain` of moby's opts/opts.go; a dot stands for an empty list.
fn is_domain(text: &str) -> bool {
    let text = text.trim_matches(' ');
    let is_label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inner)
    };
    text == "."
        || (text.len() < 255
            && text.contains(|c: char| c.is_ascii_alphabetic())
            && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label))
}

fn is_label(text: &str) -> bool {
    let lower = text.to_lowercase();
    let reserved = ["com.docker.", "io.docker.", "org.dockerproject."];
    text.contains('=') && !reserved.iter().any(|prefix| lower.starts_with(prefix))
}

/// As `ValidateMirror` of moby's registry/config.go.
fn is_mirror(text: &str) -> bool {
    let http = ["http://", "https://"].iter().any(|scheme| text.to_lowercase().starts_with(scheme));
    let parsed = text.parse::<http::Uri>();
    http && !text.contains(['?', '#'])
        && parsed.is_ok_and(|uri| uri.authority().is_some_and(|authority| !authority.as_str().contains('@')))
}

/// The log driver that was probably meant. Other names may be plugins, which have any name.
fn similar_log_driver(text: &str) -> Option<&'static str> {
    const DRIVERS: [&str; 10] = [
        "none",
        "local",
        "json-file",
        "syslog",
        "journald",
        "gelf",
        "fluentd",
        "awslogs",
        "splunk",
        "gcplogs",
    ];
    // The name of a plugin may well begin with that of a driver, like `splunk-log`.
    let is_plugin = text.contains([':', '/']) || DRIVERS.iter().any(|driver| text.starts_with(driver));
    if text.is_empty() || is_plugin || text.len() > 64 {
        return None;
    }
    let bare = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let wanted = bare(text);
    DRIVERS.into_iter().find(|driver| strsim::damerau_levenshtein(&bare(driver), &wanted) <= 1)
}
