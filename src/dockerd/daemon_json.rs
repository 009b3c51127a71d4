//! Checks a `daemon.json` as dockerd reads it (`getConflictFreeConfiguration` and `findConfigurationConflicts` of moby's
//! daemon/config/config.go).

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::options::{HOST_GATEWAY_IPS, by_flag, by_key, nearest_key};
use super::values::{Kind, Was};
use super::{Fault, Release, Target, check_exec_option};
use crate::diag::Code;

/// The settings of a `daemon.json`, and what is wrong with it. A fault of one setting has its key.
#[derive(Debug, Default)]
pub struct DaemonJson {
    pub fields: Map<String, Value>,
    pub faults: Vec<(Option<String>, Fault)>,
}

/// The most faults of a file. A reader does not need more, and a suggestion for each unknown key takes time.
const MAX_FAULTS: usize = 100;
/// Maximum size of a file in bytes. A value needs up to 70 times as much memory as its text.
const MAX_BYTES: usize = 1 << 20;
/// The first release that accepts an empty file and one with a byte order mark.
const ACCEPTS_EMPTY: Release = Release(23, 0);
/// The keys of the map `proxies`, which are flags of the same name.
const PROXIES: [&str; 3] = ["http-proxy", "https-proxy", "no-proxy"];

/// Reads and checks the file.
pub fn check(bytes: &[u8], target: Target) -> DaemonJson {
    let mut json = DaemonJson::default();
    if bytes.len() > MAX_BYTES {
        let why = format!("has more than {} MiB, and is not checked", MAX_BYTES >> 20);
        json.faults.push((None, Fault::error(Code::VerifyLimit, why)));
        return json;
    }
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(fault) => {
            json.faults.push((None, fault));
            return json;
        }
    };
    if !std::ptr::eq(text.as_bytes(), bytes) && !bytes.is_empty() {
        json.before_23(target, "begins with a byte order mark");
    }
    let text = text.trim();
    if text.is_empty() {
        json.before_23(target, "is empty");
        return json;
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => json.fields = fields,
        // As Go reads it: a map that is not there.
        Ok(Value::Null) => {}
        Ok(_) => json
            .faults
            .push((None, Fault::error(Code::DaemonJson, "is not a JSON object, so dockerd does not start"))),
        Err(error) => {
            let why = format!("is not valid JSON, so dockerd does not start: {error}");
            json.faults.push((None, Fault::error(Code::DaemonJson, why)));
        }
    }
    let faults: Vec<_> = json
        .fields
        .iter()
        .flat_map(|(key, value)| {
            check_field(key, value, target).into_iter().map(|fault| (Some(key.clone()), fault))
        })
        .take(MAX_FAULTS)
        .collect();
    json.faults.extend(faults);
    json.check_labels();
    json.check_gateways(target);
    json
}

impl DaemonJson {
    /// Reports what only dockerd 20.10 refuses.
    fn before_23(&mut self, target: Target, what: &str) {
        let why = format!("{what}, and dockerd before {ACCEPTS_EMPTY} does not start with it");
        let fault = match target {
            Target::Exactly(release) if release >= ACCEPTS_EMPTY => return,
            Target::Exactly(_) => Fault::error(Code::DaemonJson, why),
            Target::Newest | Target::Any => Fault::warning(Code::DaemonJson, why),
        };
        self.faults.push((None, fault));
    }

    /// Reports two keys for the gateway of the host, and two addresses of one version of the Internet Protocol in one of them
    /// (`findConfigurationConflicts`, `ValidateHostGatewayIPs`).
    fn check_gateways(&mut self, target: Target) {
        let is_older = matches!(target, Target::Exactly(release) if release < Release(28, 0));
        let Some(several) = self.fields.get(HOST_GATEWAY_IPS).filter(|_| !is_older) else { return };
        if self.fields.contains_key("host-gateway-ip") {
            let why = "dockerd does not start if `host-gateway-ip` is set too";
            let fault = Fault::error(Code::DaemonOptionTwice, why).hint("remove one of the two");
            self.faults.push((Some(HOST_GATEWAY_IPS.into()), fault));
        }
        let addresses = several.as_array().into_iter().flatten().filter_map(Value::as_str);
        let (v4, v6): (Vec<_>, Vec<_>) = addresses
            .filter_map(|address| address.trim().parse::<IpAddr>().ok())
            .partition(|address| address.is_ipv4());
        if v4.len() > 1 || v6.len() > 1 {
            let why = "dockerd expects at most one IPv4 and one IPv6 address";
            self.faults.push((Some(HOST_GATEWAY_IPS.into()), Fault::error(Code::DaemonOptionValue, why)));
        }
    }

    /// Reports a label with two values, with which dockerd does not start.
    fn check_labels(&mut self) {
        let labels = self.fields.get("labels").and_then(Value::as_array).into_iter().flatten();
        let mut seen = std::collections::HashMap::new();
        for (key, value) in labels.filter_map(Value::as_str).filter_map(|label| label.split_once('=')) {
            if *seen.entry(key).or_insert(value) != value {
                let why = format!("has two different values for the label `{}`", key.escape_debug());
                self.faults.push((Some("labels".into()), Fault::error(Code::DaemonOptionValue, why)));
                return;
            }
        }
    }
}

/// Decodes UTF-8 and UTF-16 as dockerd does, without the byte order mark.
///
/// # Errors
/// The bytes are neither.
pub fn decode(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, Fault> {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        String::from_utf16_lossy(
            &bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect::<Vec<_>>(),
        )
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => Ok(utf16(rest, u16::from_le_bytes).into()),
        [0xfe, 0xff, rest @ ..] => Ok(utf16(rest, u16::from_be_bytes).into()),
        _ => {
            let rest = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
            let text = std::str::from_utf8(rest);
            text.map(Into::into)
                .map_err(|_| Fault::error(Code::DaemonJson, "is not UTF-8, so dockerd does not start"))
        }
    }
}

fn check_field(key: &str, value: &Value, target: Target) -> Vec<Fault> {
    let Some(option) = by_key(key) else { return check_unknown(key, value, target) };
    if let Err(fault) = option.exists(target, option.since) {
        return vec![fault];
    }
    let exec_options = value.as_array().filter(|_| option.kind == Kind::ExecOptions).into_iter().flatten();
    if let Some(fault) =
        exec_options.filter_map(Value::as_str).find_map(|text| check_exec_option(text, target).err())
    {
        return vec![fault];
    }
    if let Err(expected) = option.kind.check_json(value) {
        if let Kind::Unused(Was::TextBefore(release) | Was::RegistriesBefore(release)) = option.kind {
            return of_older(release, &expected, target).into_iter().collect();
        }
        let why = format!("dockerd expects {expected}");
        return vec![match option.kind {
            // dockerd starts, but no container does.
            Kind::LogDriver if value.is_string() => Fault::warning(
                Code::DaemonOptionValue,
                format!("{why}; no container starts with an unknown one"),
            ),
            _ => Fault::error(Code::DaemonOptionValue, why),
        }];
    }
    match value.as_object() {
        // The keys of this map count as options.
        Some(inner) if option.kind == Kind::Proxies => inner
            .keys()
            .filter(|inner| !PROXIES.contains(&inner.as_str()))
            .map(|inner| unknown_key(inner, "in `proxies` "))
            .collect(),
        _ => Vec::new(),
    }
}

/// The fault of a value that only dockerd before `release` reads, which expects another one.
fn of_older(release: Release, expected: &str, target: Target) -> Option<Fault> {
    let why =
        format!("dockerd before {release} expects {expected}, and does not start; newer ones ignore it");
    match target {
        Target::Exactly(at_hand) if at_hand >= release => None,
        Target::Exactly(_) => Some(Fault::error(Code::DaemonOptionValue, why)),
        Target::Newest | Target::Any => Some(Fault::warning(Code::DaemonOptionValue, why).hint("remove it")),
    }
}

/// Checks a key that no option has. dockerd ignores the key if it is the name of a flag. In a map it looks for the keys of options
/// (`configValuesSet` of moby's daemon/config/config.go), and ignores their values.
fn check_unknown(key: &str, value: &Value, target: Target) -> Vec<Fault> {
    if let Some(inner) = value.as_object() {
        let known = |inner: &&String| by_key(inner).is_some() || by_flag(inner).is_some();
        return match inner.keys().find(|inner| !known(inner)) {
            Some(unknown) => vec![unknown_key(unknown, "in it ")],
            None => vec![
                Fault::warning(Code::DaemonOptionIgnored, "dockerd ignores this map and what is in it")
                    .hint("put its settings outside of it"),
            ],
        };
    }
    let Some(option) = by_flag(key) else { return vec![unknown_key(key, "")] };
    if let Err(fault) = option.exists(target, option.since) {
        return vec![fault];
    }
    let fault = Fault::warning(Code::DaemonOptionIgnored, "dockerd ignores this key");
    vec![match option.key {
        Some(right) => fault.hint(format!("the key is `{right}`")),
        None if PROXIES.contains(&key) => {
            fault.hint(format!("put it into `proxies`: `{{\"proxies\": {{\"{key}\": …}}}}`"))
        }
        None => fault.hint("it is only a flag: set it on the command line of dockerd"),
    }]
}

fn unknown_key(key: &str, place: &str) -> Fault {
    let why = format!("dockerd 20.10 to 29 does not know `{}` {place}and does not start", key.escape_debug());
    let nearest = nearest_key(key).map(|name| format!("did you mean `{name}`?"));
    Fault::error(Code::UnknownDaemonOption, why).maybe_hint(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Severity;

    fn faults(text: &str, target: Target) -> Vec<(Severity, String)> {
        let faults = check(text.as_bytes(), target).faults;
        faults
            .into_iter()
            .map(|(key, fault)| (fault.severity, format!("{}: {}", key.unwrap_or_default(), fault.why)))
            .collect()
    }

    #[test]
    fn what_every_dockerd_accepts_has_no_faults() {
        for text in [
            "null",
            "{}",
            r#"{"debug": true, "mtu": 1450, "dns": ["8.8.8.8"], "labels": ["a=b"]}"#,
            r#"{"log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "3"}}"#,
            r#"{"features": {"buildkit": true}, "builder": {"gc": {"enabled": true, "defaultKeepStorage": "20GB"}}}"#,
            r#"{"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}, "default-runtime": "nvidia"}"#,
            r#"{"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}}}"#,
            r#"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}"#,
            r#"{"bip": "172.26.0.1/16", "hosts": [], "default-shm-size": "64M", "debug": null}"#,
            r#"{"data-root": "/a", "data-root": "/b"}"#,
        ] {
            assert_eq!(faults(text, Target::Exactly(Release(20, 10))), [], "{text}");
            assert_eq!(faults(text, Target::Newest), [], "{text}");
        }
    }

    /// The worst severity on the newest dockerd, and on 20.10. The installed dockerd 20.10 and 26.1 agree (`dockerd --validate`), except
    /// for what they find only when they start: a `bip` that is the network's address (moby#27496), a mirror without a scheme, a pool
    /// without its size in bits, and the level `warning`, which only 20.10 accepts.
    #[test]
    fn faults_are_those_of_dockerd() {
        let cases = [
            ("[]\n", "E", "E"),
            (r#"{"bip": "172.17.0.0/16"}"#, "E", "E"),
            ("\u{feff}{\"debug\": true}", "W", "E"),
            (r#"{"debug": "true"}"#, "E", "E"),
            ("{\n // comment\n \"debug\": true}\n", "E", "E"),
            (r#"{"dns": "8.8.8.8"}"#, "E", "E"),
            (r#"{"data-root": "/data", "data-root": "/x"}"#, "-", "-"),
            ("\n", "W", "E"),
            (r#"{"exec-opts": ["isolation=process"]}"#, "E", "-"),
            (r#"{"exec-opts": ["native.umask=normal", "native.cgroupdriver=systemd"]}"#, "E", "-"),
            (r#"{"exec-opts": ["native.cgroupdriver=none"]}"#, "E", "E"),
            (r#"{"exec-opts": ["native.cgroupdriver=systemd"]}"#, "-", "-"),
            (r#"{"log-driver": "splunk-log"}"#, "-", "-"),
            (r#"{"log-driver": "vendor/plugin:tag"}"#, "-", "-"),
            (r#"{"fixed-cidr": "fd00::/64"}"#, "E", "E"),
            (r#"{"fixed-cidr-v6": "10.0.0.0/8"}"#, "E", "E"),
            (r#"{"fixed-cidr": "10.0.0.0/8", "fixed-cidr-v6": "fd00::/64"}"#, "-", "-"),
            (r#"{"bip": "fd00::1/64"}"#, "E", "E"),
            (r#"{"allow-nondistributable-artifacts": true}"#, "W", "E"),
            (r#"{"allow-nondistributable-artifacts": ["r.example.com"]}"#, "-", "-"),
            (r#"{"deprecated-key-path": 1}"#, "W", "E"),
            (r#"{"deprecated-key-path": "/etc/docker/key.json"}"#, "-", "-"),
            (r#"{"host-gateway-ips": ["10.0.0.1", "fd00::1"]}"#, "-", "E"),
            (r#"{"host-gateway-ips": ["10.0.0.1", "10.0.0.2"]}"#, "E", "E"),
            (r#"{"host-gateway-ips": ["10.0.0.1"], "host-gateway-ip": "10.0.0.1"}"#, "E", "E"),
            (r#"{"exec-opts": "native.cgroupdriver=systemd"}"#, "E", "E"),
            (r#"{"features": {"containerd-snapshotter": true}}"#, "-", "-"),
            (r#"{"features": {"buildkit": "true"}}"#, "E", "E"),
            (r#"{"graph": "/data"}"#, "E", "-"),
            (r#"{"hosts": []}"#, "-", "-"),
            (r#"{"insecure-registries": "r.local:5000"}"#, "E", "E"),
            (r#"{"labels": ["a"]}"#, "E", "E"),
            (r#"{"log-level": "warning"}"#, "E", "E"),
            (r#"{"log-driver": "jsonfile"}"#, "W", "W"),
            (r#"{"log-opts": {"max-file": 3}}"#, "E", "E"),
            (r#"{"log-opts": {"max-size": "10m", "max-file": "3"}}"#, "-", "-"),
            (r#"{"live-restore": "true"}"#, "E", "E"),
            (r#"{"min-api-version": "1.24"}"#, "-", "E"),
            (r#"{"mtu": "1450"}"#, "E", "E"),
            (r#"{"registry-mirrors": ["mirror.example.com"]}"#, "E", "E"),
            (r#"{"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}}"#, "-", "-"),
            (r#"{"default-address-pools": [{"base":"10.0.0.0/8","size":24}]}"#, "-", "-"),
            (r#"{"default-address-pools": [{"base":"10.0.0.0","size":24}]}"#, "E", "E"),
            (r#"{"proxies": {"http-proxy": "http://p:1"}}"#, "-", "E"),
            (r#"{"proxies": {"default": {"httpProxy": "http://p:1"}}}"#, "E", "E"),
            (r#"{"registry-mirror": ["https://m.example.com"]}"#, "W", "W"),
            (r#"{"storage-opts": {"a":"b"}}"#, "E", "E"),
            (r#"{"debug": true,}"#, "E", "E"),
        ];
        for (text, newest, oldest) in cases {
            for (target, expected) in [(Target::Newest, newest), (Target::Exactly(Release(20, 10)), oldest)] {
                let worst = faults(text, target).into_iter().map(|(severity, _)| severity).min();
                let found = worst.map_or("-", |severity| if severity == Severity::Error { "E" } else { "W" });
                assert_eq!(found, expected, "{text} {target:?}");
            }
        }
    }

    #[test]
    fn a_large_file_is_not_checked() {
        let text = format!("{{\"labels\": [{}\"a=b\"]}}", " ".repeat(MAX_BYTES));
        let DaemonJson { fields, faults } = check(text.as_bytes(), Target::Newest);
        assert!(fields.is_empty());
        assert_eq!(faults[0].1.code, Code::VerifyLimit);
    }

    #[test]
    fn keys_with_another_spelling_have_a_suggestion() {
        for (key, hint) in [
            ("registry-mirror", "the key is `registry-mirrors`"),
            ("label", "the key is `labels`"),
            ("log-driverr", "did you mean `log-driver`?"),
            ("Debug", "did you mean `debug`?"),
            ("data_root", "did you mean `data-root`?"),
            ("http-proxy", "put it into `proxies`: `{\"proxies\": {\"http-proxy\": …}}`"),
        ] {
            let text = format!("{{\"{key}\": \"a\"}}");
            let faults = check(text.as_bytes(), Target::Newest).faults;
            assert_eq!(faults[0].1.hint.as_deref(), Some(hint), "{key}");
        }
    }

    #[test]
    fn utf16_is_read_as_dockerd_does() {
        let utf16: Vec<u8> = "\u{feff}{\"debug\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let json = check(&utf16, Target::Exactly(Release(28, 0)));
        assert_eq!(json.fields.len(), 1);
        assert_eq!(json.faults.len(), 1, "{:?}", json.faults);
    }
}
