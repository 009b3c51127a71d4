//! The table of dockerd's options.

use super::values::{Family, Kind, Was};
use super::{Fault, Release, Target};
use crate::diag::Code;

/// One option of dockerd.
#[derive(Debug, Clone, Copy)]
pub struct DaemonOption {
    /// The flag without its hyphens; none for an option that only `daemon.json` has.
    pub flag: Option<&'static str>,
    /// The letter of its short form.
    pub short: Option<char>,
    /// The key of `daemon.json`; none for an option that is only a flag.
    pub key: Option<&'static str>,
    pub kind: Kind,
    pub since: Release,
    /// The release that has the flag first, where `daemon.json` had the key before.
    pub flag_since: Option<Release>,
    /// The first release without the option.
    pub removed: Option<Release>,
    /// The replacement since then.
    pub instead: Option<&'static str>,
    /// True if dockerd prints something and exits.
    pub exits: bool,
}

/// The oldest release of the table.
const OLDEST: Release = Release(20, 10);

impl DaemonOption {
    const fn new(flag: Option<&'static str>, key: Option<&'static str>, kind: Kind) -> Self {
        Self {
            flag,
            short: None,
            key,
            kind,
            since: OLDEST,
            flag_since: None,
            removed: None,
            instead: None,
            exits: false,
        }
    }

    const fn short(self, letter: char) -> Self {
        Self { short: Some(letter), ..self }
    }

    const fn since(self, major: u16, minor: u16) -> Self {
        Self { since: Release(major, minor), ..self }
    }

    const fn removed(self, major: u16, minor: u16) -> Self {
        Self { removed: Some(Release(major, minor)), ..self }
    }

    const fn instead(self, instead: &'static str) -> Self {
        Self { instead: Some(instead), ..self }
    }

    const fn exits(self) -> Self {
        Self { exits: true, ..self }
    }

    /// Checks that the dockerd at hand has the option, which is there since `since`.
    pub(super) fn exists(&self, target: Target, since: Release) -> Result<(), Fault> {
        let gone = match (target, self.removed) {
            (Target::Newest, Some(removed)) => Some(removed),
            (Target::Exactly(release), Some(removed)) if release >= removed => Some(removed),
            _ => None,
        };
        if let Some(removed) = gone {
            let why = format!("dockerd does not have this option since {removed}");
            let hint = self.instead.map(|instead| format!("use {instead}"));
            return Err(Fault::error(Code::DaemonOptionVersion, why).maybe_hint(hint));
        }
        match target {
            Target::Exactly(release) if release < since => {
                let why = format!("dockerd has this option since {since}, and this is {release}");
                Err(Fault::error(Code::DaemonOptionVersion, why))
            }
            _ => Ok(()),
        }
    }
}

/// A flag and the same key.
const fn both(name: &'static str, kind: Kind) -> DaemonOption {
    DaemonOption::new(Some(name), Some(name), kind)
}

/// A flag and its key, which is the plural.
const fn plural(flag: &'static str, key: &'static str, kind: Kind) -> DaemonOption {
    DaemonOption::new(Some(flag), Some(key), kind)
}

const fn flag_only(flag: &'static str, kind: Kind) -> DaemonOption {
    DaemonOption::new(Some(flag), None, kind)
}

const fn key_only(key: &'static str, kind: Kind) -> DaemonOption {
    DaemonOption::new(None, Some(key), kind)
}

/// All options of dockerd on Linux, 20.10 to 29.7.
pub(super) const OPTIONS: &[DaemonOption] = &[
    plural("add-runtime", "runtimes", Kind::Runtimes),
    both("allow-direct-routing", Kind::Switch).since(28, 2),
    flag_only("allow-nondistributable-artifacts", Kind::Registries).removed(29, 0),
    // dockerd 28.1 and newer ignore the key.
    key_only("allow-nondistributable-artifacts", Kind::Unused(Was::RegistriesBefore(Release(28, 1)))),
    both("api-cors-header", Kind::Text).removed(29, 0).instead("a reverse proxy"),
    plural("authorization-plugin", "authorization-plugins", Kind::Texts),
    both("bip", Kind::BridgeAddress(Family::V4)),
    both("bip6", Kind::BridgeAddress(Family::V6)).since(28, 0),
    both("bridge", Kind::Text).short('b'),
    both("bridge-accept-fwmark", Kind::FirewallMark).since(29, 0),
    key_only("builder", Kind::Builder),
    plural("cdi-spec-dir", "cdi-spec-dirs", Kind::Texts).since(25, 0),
    both("cgroup-parent", Kind::Text),
    both("cluster-advertise", Kind::Text).removed(24, 0),
    both("cluster-store", Kind::Text).removed(24, 0),
    plural("cluster-store-opt", "cluster-store-opts", Kind::Pairs).removed(24, 0),
    flag_only("config-file", Kind::Text),
    both("containerd", Kind::Text),
    both("containerd-namespace", Kind::Text),
    // The field of daemon.json is `containerd-plugin-namespace`, and dockerd refuses it as unknown.
    flag_only("containerd-plugins-namespace", Kind::Text),
    both("cpu-rt-period", Kind::Integer),
    both("cpu-rt-runtime", Kind::Integer),
    both("cri-containerd", Kind::Switch),
    both("data-root", Kind::Text),
    both("debug", Kind::Switch).short('D'),
    plural("default-address-pool", "default-address-pools", Kind::AddressPools),
    both("default-cgroupns-mode", Kind::Choice(&["host", "private"])),
    both("default-gateway", Kind::Address),
    both("default-gateway-v6", Kind::Address),
    both("default-ipc-mode", Kind::Choice(&["shareable", "private"])),
    plural("default-network-opt", "default-network-opts", Kind::NetworkOptions).since(24, 0),
    both("default-runtime", Kind::Text),
    both("default-shm-size", Kind::Size),
    both("default-stop-timeout", Kind::Count).since(29, 7),
    plural("default-ulimit", "default-ulimits", Kind::Ulimits),
    key_only("deprecated-key-path", Kind::Unused(Was::TextBefore(Release(24, 0)))),
    both("dns", Kind::Addresses),
    plural("dns-opt", "dns-opts", Kind::Texts),
    both("dns-search", Kind::Domains),
    plural("exec-opt", "exec-opts", Kind::ExecOptions),
    both("exec-root", Kind::Text),
    both("experimental", Kind::Switch),
    DaemonOption { flag_since: Some(Release(27, 3)), ..plural("feature", "features", Kind::Features) },
    both("firewall-backend", Kind::Choice(&["iptables", "nftables"])).since(29, 0),
    both("fixed-cidr", Kind::Network(Family::V4)),
    both("fixed-cidr-v6", Kind::Network(Family::V6)),
    both("graph", Kind::Text).short('g').removed(24, 0).instead("`data-root`"),
    both("group", Kind::Text).short('G'),
    flag_only("help", Kind::Switch).short('h').exits(),
    plural("host", "hosts", Kind::Texts).short('H'),
    both("host-gateway-ip", Kind::Address),
    key_only("host-gateway-ips", Kind::Addresses).since(28, 0),
    // In daemon.json the three are in the map `proxies`.
    flag_only("http-proxy", Kind::Text).since(23, 0),
    flag_only("https-proxy", Kind::Text).since(23, 0),
    both("icc", Kind::Switch),
    flag_only("identity", Kind::Text).short('i').removed(23, 0),
    both("init", Kind::Switch),
    both("init-path", Kind::Text),
    plural("insecure-registry", "insecure-registries", Kind::Registries),
    both("ip", Kind::Address),
    both("ip-forward", Kind::Switch),
    both("ip-forward-no-drop", Kind::Switch).since(28, 0),
    both("ip-masq", Kind::Switch),
    both("ip6tables", Kind::Switch),
    both("iptables", Kind::Switch),
    both("ipv6", Kind::Switch),
    plural("label", "labels", Kind::Labels),
    both("live-restore", Kind::Switch),
    both("log-driver", Kind::LogDriver),
    both("log-format", Kind::Choice(&["text", "json"])).since(25, 0),
    both("log-level", Kind::LogLevel).short('l'),
    plural("log-opt", "log-opts", Kind::Pairs),
    both("max-concurrent-downloads", Kind::Count),
    both("max-concurrent-uploads", Kind::Count),
    both("max-download-attempts", Kind::Count),
    both("metrics-addr", Kind::Text),
    key_only("min-api-version", Kind::ApiVersion).since(29, 0),
    both("mtu", Kind::Count),
    both("network-control-plane-mtu", Kind::Integer),
    both("network-diagnostic-port", Kind::Port),
    flag_only("no-proxy", Kind::Text).since(23, 0),
    both("no-new-privileges", Kind::Switch),
    plural("node-generic-resource", "node-generic-resources", Kind::Resources),
    both("nri-opts", Kind::Nri).since(29, 2),
    both("oom-score-adjust", Kind::Integer)
        .removed(26, 0)
        .instead("`OOMScoreAdjust` in a drop-in of docker.service"),
    both("pidfile", Kind::Text).short('p'),
    key_only("proxies", Kind::Proxies).since(23, 0),
    both("raw-logs", Kind::Switch),
    plural("registry-mirror", "registry-mirrors", Kind::Mirrors),
    flag_only("restart", Kind::Switch).short('r'),
    both("rootless", Kind::Switch),
    both("seccomp-profile", Kind::Text),
    both("selinux-enabled", Kind::Switch),
    both("shutdown-timeout", Kind::Integer),
    both("storage-driver", Kind::Text).short('s'),
    plural("storage-opt", "storage-opts", Kind::Texts),
    both("swarm-default-advertise-addr", Kind::Text),
    both("tls", Kind::Switch),
    both("tlscacert", Kind::Text),
    both("tlscert", Kind::Text),
    both("tlskey", Kind::Text),
    both("tlsverify", Kind::Switch),
    both("userland-proxy", Kind::Switch),
    both("userland-proxy-path", Kind::Text),
    both("userns-remap", Kind::Text),
    flag_only("validate", Kind::Switch).since(23, 0).exits(),
    flag_only("version", Kind::Switch).short('v').exits(),
];

/// The option with this flag, which has no hyphens in front.
pub fn by_flag(flag: &str) -> Option<&'static DaemonOption> {
    OPTIONS.iter().find(|option| option.flag == Some(flag))
}

/// The option with this key of `daemon.json`.
pub fn by_key(key: &str) -> Option<&'static DaemonOption> {
    OPTIONS.iter().find(|option| option.key == Some(key))
}

/// The option with this short flag.
pub fn by_short(letter: char) -> Option<&'static DaemonOption> {
    OPTIONS.iter().find(|option| option.short == Some(letter))
}

/// The key for all addresses of the host's gateway. `host-gateway-ip` is for one.
pub(super) const HOST_GATEWAY_IPS: &str = "host-gateway-ips";

/// The key of `daemon.json` that must not be set together with the flag: dockerd does not start, even if the values are equal. `runtimes`
/// is the only option that may be in both places (`skipDuplicates` of moby's daemon/config/config.go).
pub fn conflicting_key<'a>(
    flag: &'a str,
    fields: &'a serde_json::Map<String, serde_json::Value>,
) -> Option<&'a str> {
    let key = by_flag(flag).map_or(Some(flag), |option| option.key.or(option.flag))?;
    let proxies = fields.get("proxies").and_then(serde_json::Value::as_object);
    let has =
        |key: &str| fields.contains_key(key) || proxies.is_some_and(|proxies| proxies.contains_key(key));
    // The flag has this key since 28.0, and the one with its own name still (`migratedNamedConfig`).
    let newer = (key == "host-gateway-ip").then_some(HOST_GATEWAY_IPS);
    [Some(key), newer].into_iter().flatten().find(|key| *key != "runtimes" && has(key))
}

/// The flag with the most similar name, if one is similar enough.
pub(super) fn nearest_flag(name: &str) -> Option<&'static str> {
    nearest(name, OPTIONS.iter().filter(|option| option.removed.is_none()).filter_map(|option| option.flag))
}

/// The key with the most similar name, if one is similar enough.
pub(super) fn nearest_key(name: &str) -> Option<&'static str> {
    nearest(name, OPTIONS.iter().filter(|option| option.removed.is_none()).filter_map(|option| option.key))
}

fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    // A name as long as no option has is not a misspelling, and comparing it takes time.
    if name.len() > 64 {
        return None;
    }
    let wanted = name.to_lowercase().replace('_', "-");
    known
        .map(|known| (strsim::jaro_winkler(known, &wanted), known))
        .filter(|(likeness, _)| *likeness > 0.88)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_order() {
        for names in [
            OPTIONS.iter().filter_map(|option| option.flag).map(str::to_owned).collect::<Vec<_>>(),
            OPTIONS.iter().filter_map(|option| option.key).map(str::to_owned).collect(),
            OPTIONS.iter().filter_map(|option| option.short).map(String::from).collect(),
        ] {
            let mut sorted = names.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), names.len());
        }
        assert!(OPTIONS.iter().all(|option| option.flag.is_some() || option.key.is_some()));
    }
}
