//! dockerd's options: which flags and which keys of `daemon.json` each version has, and which values they accept.
//!
//! The facts are from moby's sources of the tags v20.10.0 to docker-v29.7.2: `cmd/dockerd/{config,config_unix,options,docker}.go`
//! (since 29.0 `daemon/command/`) for the flags, and `daemon/config/{config,config_linux}.go` for the keys, their types, and the
//! checks (`findConfigurationConflicts`, `Validate`). The deprecation page of docker/cli (`docs/deprecated.md`) confirms the
//! removals.

mod daemon_json;
mod options;
mod values;

use std::fmt;

use values::{Kind, is_exec_option_of_older};

pub use daemon_json::{DaemonJson, check as check_daemon_json, decode as decode_daemon_json};
pub use options::{DaemonOption, by_flag, by_key, by_short, conflicting_key};

use crate::diag::{Code, Diagnostic, Severity};

/// A release of Docker, such as 28.2: options come and go with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u16, pub u16);

impl Release {
    /// Reads the release from Docker's version or a package's: `28.0.4`, `28.0`, `5:28.0.4-1~debian.12~bookworm`. None if it
    /// has no minor version, because then it is open which release is installed.
    pub fn parse(version: &str) -> Option<Self> {
        let version = version.split_once(':').map_or(version, |(_, version)| version);
        let mut numbers = version.split(|c: char| !c.is_ascii_digit());
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The versions of dockerd that may read the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The newest dockerd, or one that is close to it.
    Newest,
    Exactly(Release),
    /// Any dockerd from 20.10 on: an option is accepted if one of them has it.
    Any,
}

/// A problem of an option or a `daemon.json`, in words that follow its name and a colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    pub severity: Severity,
    /// Lower case, without a full stop.
    pub why: String,
    pub hint: Option<String>,
}

impl Fault {
    fn error(code: Code, why: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, why: why.into(), hint: None }
    }

    fn warning(code: Code, why: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, why) }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn maybe_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// Adds what the user can do, if there is no hint yet.
    pub fn or_hint(self, hint: impl fmt::Display) -> Self {
        Self { hint: self.hint.or_else(|| Some(hint.to_string())), ..self }
    }

    /// Makes a diagnostic: `subject` is what the fault is about, with a verb.
    pub fn diagnostic(self, subject: impl fmt::Display) -> Diagnostic {
        let text = format!("{subject}: {}", self.why);
        Diagnostic { severity: self.severity, ..Diagnostic::error(self.code, text) }.maybe_hint(self.hint)
    }

    /// True if the fault is that hostseed does not know the option, or that the version at hand does not have it.
    pub fn is_unknown(&self) -> bool {
        matches!(self.code, Code::UnknownDaemonOption | Code::DaemonOptionVersion)
    }
}

/// Checks one flag as dockerd parses it. `flag` has no hyphens in front; `value` is none for a flag without `=`.
///
/// # Errors
/// Why dockerd would not start with it.
pub fn check_flag(flag: &str, value: Option<&str>, target: Target) -> Result<(), Fault> {
    let Some(option) = by_flag(flag) else {
        return Err(unknown(
            by_key(flag).and_then(|option| option.flag).or_else(|| options::nearest_flag(flag)),
        ));
    };
    if option.exits {
        return Err(Fault::error(
            Code::DaemonOptionValue,
            "with this flag dockerd prints something and exits",
        ));
    }
    option.exists(target, option.flag_since.unwrap_or(option.since))?;
    let Some(value) = value else {
        return match option.kind.is_switch() {
            true => Ok(()),
            false => Err(Fault::error(
                Code::DaemonOptionValue,
                format!("needs a value, {}", option.kind.flag_words()),
            )),
        };
    };
    if option.kind == Kind::ExecOptions {
        check_exec_option(value, target)?;
    }
    option.kind.check_flag(value).map_err(|expected| {
        Fault::error(
            Code::DaemonOptionValue,
            format!("dockerd expects {expected}, got `{}`", value.escape_debug()),
        )
    })
}

/// The first release that refuses exec-opts that it does not know.
const CHECKS_EXEC_OPTIONS: Release = Release(28, 0);

/// Checks the name of an exec-opt.
///
/// # Errors
/// dockerd 28.0 and newer do not start with it, and older ones ignore it.
fn check_exec_option(text: &str, target: Target) -> Result<(), Fault> {
    let is_old = match target {
        Target::Newest => false,
        Target::Exactly(release) => release < CHECKS_EXEC_OPTIONS,
        Target::Any => true,
    };
    if is_old || !is_exec_option_of_older(text) {
        return Ok(());
    }
    let why = format!(
        "dockerd {CHECKS_EXEC_OPTIONS} and newer do not start with the exec-opt `{}`, and older ones ignore it",
        text.escape_debug()
    );
    Err(Fault::error(Code::DaemonOptionVersion, why)
        .hint("the only one is `native.cgroupdriver=systemd` or `native.cgroupdriver=cgroupfs`"))
}

fn unknown(nearest: Option<&str>) -> Fault {
    Fault::error(Code::UnknownDaemonOption, "dockerd 20.10 to 29 does not have this option")
        .maybe_hint(nearest.map(|name| format!("did you mean `{name}`?")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_from_dockers_and_a_packages_version() {
        for (text, release) in [
            ("28.0.4", Some(Release(28, 0))),
            ("28.5", Some(Release(28, 5))),
            ("5:27.5.1-1~debian.12~bookworm", Some(Release(27, 5))),
            ("20.10.24+dfsg1-1+deb12u1+b6", Some(Release(20, 10))),
            ("28", None),
        ] {
            assert_eq!(Release::parse(text), release, "{text}");
        }
    }

    fn why(opt: &str, target: Target) -> (String, Option<String>) {
        let (flag, value) = opt.split_once('=').map_or((opt, None), |(flag, value)| (flag, Some(value)));
        let fault = check_flag(flag, value, target).expect_err(opt);
        (fault.why, fault.hint)
    }

    #[test]
    fn misspelt_flags_have_a_suggestion() {
        for (opt, meant) in [
            ("log-drive=json-file", "log-driver"),
            ("labels=a=b", "label"),
            ("registry-mirrors=https://a", "registry-mirror"),
            ("live_restore", "live-restore"),
            ("dataroot=/a", "data-root"),
            ("insecure-registries=a", "insecure-registry"),
        ] {
            assert_eq!(
                why(opt, Target::Newest).1.as_deref(),
                Some(&*format!("did you mean `{meant}`?")),
                "{opt}"
            );
        }
        assert_eq!(why("xyzzy", Target::Newest).1, None);
    }

    #[test]
    fn flags_are_checked_against_the_version() {
        let on = |major, minor| Target::Exactly(Release(major, minor));
        assert_eq!(why("graph=/a", Target::Newest).0, "dockerd does not have this option since 24.0");
        assert_eq!(why("graph=/a", on(28, 0)).0, "dockerd does not have this option since 24.0");
        assert_eq!(
            why("bip6=fd00::1/64", on(27, 5)).0,
            "dockerd has this option since 28.0, and this is 27.5"
        );
        for (opt, target) in [
            ("graph=/a", on(23, 0)),
            ("graph=/a", Target::Any),
            ("bip6=fd00::1/64", on(28, 0)),
            ("bip6=fd00::1/64", Target::Newest),
            ("bip6=fd00::1/64", Target::Any),
        ] {
            let (flag, value) = opt.split_once('=').unwrap();
            assert_eq!(check_flag(flag, Some(value), target), Ok(()), "{opt} {target:?}");
        }
    }

    #[test]
    fn unknown_exec_opts_are_refused_since_28() {
        let on = |major, minor| Target::Exactly(Release(major, minor));
        for value in ["isolation=process", "native.umask=normal", "io.containerd.x=1", "systemd", "a=", "=b"]
        {
            for target in [Target::Newest, on(28, 0), on(29, 1)] {
                let fault = check_flag("exec-opt", Some(value), target).expect_err(value);
                assert_eq!(fault.code, Code::DaemonOptionVersion, "{value} {target:?}");
            }
            for target in [Target::Any, on(20, 10), on(27, 5)] {
                assert_eq!(check_flag("exec-opt", Some(value), target), Ok(()), "{value} {target:?}");
            }
        }
        for target in [Target::Newest, Target::Any, on(20, 10)] {
            assert_eq!(check_flag("exec-opt", Some(" Native.CgroupDriver = systemd"), target), Ok(()));
            let fault = check_flag("exec-opt", Some("native.cgroupdriver=none"), target).unwrap_err();
            assert_eq!(fault.code, Code::DaemonOptionValue);
        }
    }

    #[test]
    fn values_have_the_types_of_dockerd() {
        for opt in [
            "debug",
            "debug=true",
            "debug=0",
            "mtu=1450",
            "mtu=0x5aa",
            "default-shm-size=64M",
            "default-shm-size=1gb",
            "dns=8.8.8.8",
            "dns=fd00::1",
            "log-opt=max-size=10m",
            "log-level=warn",
            "default-ulimit=nofile=64000:64000",
            "default-ulimit=nofile=-1",
            "add-runtime=crun=/usr/bin/crun",
            "exec-opt=native.cgroupdriver=systemd",
            "default-address-pool=base=10.0.0.0/8,size=24",
            "bip=172.26.0.1/16",
            "feature=containerd-snapshotter",
            "feature=cdi=false",
            "metrics-addr=0.0.0.0:9323",
            "default-network-opt=bridge=com.docker.network.driver.mtu=1400",
            "node-generic-resource=gpu=1",
            "firewall-backend=nftables",
            "ip=0.0.0.0",
            "cgroup-parent=/a",
            "log-driver=loki",
            "log-driver=grafana/loki-docker-driver:latest",
            "log-driver=splunk-log",
            "log-driver=vendor/json-file:1",
            "log-driver=fluentd-async",
            "log-driver=gelf2",
            "log-driver=syslogng",
            "fixed-cidr=10.0.0.0/8",
            "fixed-cidr-v6=fd00::/64",
            "bip6=fd00::1/64",
            "dns-search=example.com",
            "dns-search=.",
            "storage-opt=overlay2.size=10G",
            "host-gateway-ip=10.0.0.1",
            "nri-opts=enable=true",
            "tls=false",
        ] {
            let (flag, value) = opt.split_once('=').map_or((opt, None), |(flag, value)| (flag, Some(value)));
            assert_eq!(check_flag(flag, value, Target::Newest), Ok(()), "{opt}");
        }
        for opt in [
            "debug=yes",
            "live-restore=on",
            "mtu",
            "mtu=large",
            "mtu=-1",
            "default-shm-size=lots",
            "dns=dns.google",
            "log-level=warning",
            "log-format=xml",
            "default-ulimit=nofile",
            "default-ulimit=nofiles=1",
            "add-runtime=crun",
            "add-runtime=runc=/a",
            "default-address-pool=base=10.0.0.0",
            "bip=172.26.0.0/16",
            "bip=172.26.0.1",
            "bip=fd00::1/64",
            "bip6=172.26.0.1/16",
            "fixed-cidr=fd00::/64",
            "fixed-cidr-v6=10.0.0.0/8",
            "fixed-cidr-v6=fd00::",
            "log-driver=jsonfile",
            "log-driver=JSON_file",
            "log-driver=sylog",
            "log-driver=journal",
            "exec-opt=systemd",
            "exec-opt=cgroupdriver=systemd",
            "default-ipc-mode=host",
            "default-cgroupns-mode=hosts",
            "firewall-backend=pf",
            "registry-mirror=mirror.example.com",
            "label=a",
            "node-generic-resource=gpu",
            "max-concurrent-downloads=3.5",
            "network-diagnostic-port=70000",
            "feature=cdi=yes",
            "default-network-opt=bridge=a",
            "version",
            "help",
            "validate",
            "dns-search=1",
            "nri-opts=enabled=true",
            "default-ulimit=nofile=2:1",
        ] {
            let (flag, value) = opt.split_once('=').map_or((opt, None), |(flag, value)| (flag, Some(value)));
            assert!(check_flag(flag, value, Target::Newest).is_err(), "{opt}");
        }
    }
}
