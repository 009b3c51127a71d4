//! The options of dockerd: Docker Machine's `--engine-*`, with dockerd's own checks.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::Field;
use super::check::{self, Check};
use crate::diag::{Code, Diagnostic, Severity};
use crate::dockerd::{self, DaemonJson, Target};
use crate::spec::{Spec, Word};

/// The flags that hostseed sets itself.
const OWN_FLAGS: [&str; 6] = ["host", "tls", "tlsverify", "tlscacert", "tlscert", "tlskey"];

/// The options of dockerd, in the user's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Engine {
    /// `flag=value` or `flag`, without hyphens in front.
    pub opts: Vec<String>,
    /// True if the user allows options that hostseed does not know, and there is one.
    pub allow_unknown_opts: bool,
    /// `key=value`.
    pub labels: Vec<String>,
    pub registry_mirrors: Vec<String>,
    pub insecure_registries: Vec<String>,
    pub storage_driver: Option<String>,
    /// The options for daemon.json, a JSON object on one line.
    pub daemon_json: Option<String>,
    /// The daemon's environment, `NAME=value`.
    pub env: Vec<String>,
}

impl Engine {
    /// The user's value for a flag of dockerd: the last one, empty if the flag has none; none if the user does not set it.
    pub fn opt(&self, flag: &str) -> Option<&str> {
        let opts = self.opts.iter().map(|opt| opt.split_once('=').unwrap_or((opt, "")));
        opts.filter(|(name, _)| *name == flag).map(|(_, value)| value).next_back()
    }

    /// The text value of an option, from the command line or from daemon.json.
    pub fn text(&self, option: &str) -> Option<String> {
        let json = || {
            let fields: Value = serde_json::from_str(self.daemon_json.as_deref()?).ok()?;
            fields.get(option)?.as_str().map(str::to_owned)
        };
        self.opt(option).map(str::to_owned).or_else(json)
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::Many("engine-opt", self.opts.clone()),
            Field::Many("engine-label", self.labels.clone()),
            Field::Many("engine-registry-mirror", self.registry_mirrors.clone()),
            Field::Many("engine-insecure-registry", self.insecure_registries.clone()),
        ];
        fields.extend(
            self.allow_unknown_opts.then(|| Field::One("allow-unknown-engine-opts", true.to_string())),
        );
        fields.extend(self.storage_driver.iter().map(|d| Field::One("engine-storage-driver", d.clone())));
        fields.extend(self.daemon_json.iter().map(|json| Field::One("daemon-json", json.clone())));
        fields.push(Field::Many("engine-env", self.env.clone()));
        fields
    }
}

/// Reads the options. With a `target`, they are checked against what that dockerd has; those of a stored machine are not, because
/// they were accepted when it was created.
pub(super) fn engine(check: &mut Check, spec: &Spec, target: Option<Target>) -> Engine {
    let allowed =
        check.switch("allow-unknown-engine-opts", &spec.host.allow_unknown_engine_opts).unwrap_or(false);
    let opts = check.many("engine-opt", &spec.host.engine_opts, opt);
    let has_unknown = target.is_some_and(|target| check_opts(check, &spec.host.engine_opts, target, allowed));
    let engine = Engine {
        opts,
        allow_unknown_opts: allowed && (has_unknown || target.is_none()),
        labels: check.many("engine-label", &spec.host.engine_labels, label),
        registry_mirrors: check.many(
            "engine-registry-mirror",
            &spec.host.engine_registry_mirrors,
            check::base_url,
        ),
        insecure_registries: check.many(
            "engine-insecure-registry",
            &spec.host.engine_insecure_registries,
            registry,
        ),
        storage_driver: check.one("engine-storage-driver", &spec.host.engine_storage_driver, storage_driver),
        daemon_json: None,
        env: check.many("engine-env", &spec.host.engine_env, variable),
    };
    let engine = with_daemon_json(check, spec, target, allowed, engine);
    refuse_conflicts(check, "engine-label", &spec.host.engine_labels);
    refuse_conflicts(check, "engine-env", &spec.host.engine_env);
    engine
}

/// Refuses options with which this dockerd would not start. Returns whether an unknown one is allowed.
fn check_opts(check: &mut Check, words: &[Word], target: Target, allowed: bool) -> bool {
    let mut has_unknown = false;
    for word in words.iter().filter(|word| opt(&word.text).is_ok()) {
        let (flag, value) =
            word.text.split_once('=').map_or((&*word.text, None), |(flag, value)| (flag, Some(value)));
        let Err(fault) = dockerd::check_flag(flag, value, target) else { continue };
        if allowed && fault.is_unknown() {
            has_unknown = true;
            continue;
        }
        let allow = check.flag("allow-unknown-engine-opts", "true");
        let fault = if fault.is_unknown() { fault.or_hint(format!("accept it with {allow}")) } else { fault };
        check.complain("engine-opt", Some(word), fault.diagnostic(format_args!("cannot set `{flag}`")));
    }
    has_unknown
}

/// Refuses dockerd's options for a machine on a baked image, because the image has them.
pub(super) fn refuse_for_a_finished_image(check: &mut Check, spec: &Spec) {
    let words = [
        ("engine-opt", spec.host.engine_opts.first()),
        ("engine-label", spec.host.engine_labels.first()),
        ("engine-registry-mirror", spec.host.engine_registry_mirrors.first()),
        ("engine-insecure-registry", spec.host.engine_insecure_registries.first()),
        ("engine-storage-driver", spec.host.engine_storage_driver.as_ref()),
        ("engine-env", spec.host.engine_env.first()),
        ("daemon-json", spec.host.daemon_json.as_ref()),
        ("block-metadata", spec.host.block_metadata.as_ref()),
        ("proxy", spec.host.proxy.as_ref()),
    ];
    for (field, word) in words.into_iter().filter(|(_, word)| word.is_some()) {
        let complaint = Diagnostic::error(
            Code::NoEffect,
            "has no effect with `docker: none`: the options of dockerd are in the image",
        );
        check.complain(field, word, complaint.hint("pass it to `hostseed bake`"));
    }
}

/// Reads `daemon-json`. Refuses what dockerd does not accept or ignores, and what is a flag too: dockerd does not start with an
/// option in both places.
fn with_daemon_json(
    check: &mut Check,
    spec: &Spec,
    target: Option<Target>,
    allowed: bool,
    engine: Engine,
) -> Engine {
    let Some(word) = &spec.host.daemon_json else { return engine };
    let DaemonJson { fields, faults } =
        dockerd::check_daemon_json(word.text.as_bytes(), target.unwrap_or(Target::Any));
    let mut has_unknown = false;
    if target.is_some() {
        let allow = check.flag("allow-unknown-engine-opts", "true");
        for (key, fault) in faults {
            match key {
                Some(_) if allowed && fault.is_unknown() => has_unknown = true,
                Some(key) => {
                    let fault = if fault.is_unknown() {
                        fault.or_hint(format!("accept it with {allow}"))
                    } else {
                        fault
                    };
                    let subject = format!("cannot set `{}`", key.escape_debug());
                    let diagnostic = Diagnostic { severity: Severity::Error, ..fault.diagnostic(subject) };
                    check.complain("daemon-json", Some(word), diagnostic);
                }
                // The host gets a file without a byte order mark, and none if it would be empty.
                None if fault.severity == Severity::Warning => {}
                None => check.complain("daemon-json", Some(word), Diagnostic::error(fault.code, fault.why)),
            }
        }
        refuse_flags(check, spec, word, &fields, &engine);
    }
    let json = Value::Object(fields);
    Engine {
        daemon_json: (json != Value::Object(Map::new())).then(|| json.to_string()),
        allow_unknown_opts: engine.allow_unknown_opts || has_unknown,
        ..engine
    }
}

/// Refuses keys of daemon.json that hostseed, or another option of the user, sets as a flag.
fn refuse_flags(check: &mut Check, spec: &Spec, word: &Word, fields: &Map<String, Value>, engine: &Engine) {
    for flag in OWN_FLAGS {
        if let Some(key) = dockerd::conflicting_key(flag, fields) {
            let text = format!(
                "must not set `{key}`: hostseed sets it, and another value would leave the host open or unreachable"
            );
            check.complain("daemon-json", Some(word), Diagnostic::error(Code::ReservedDaemonFlag, text));
        }
    }
    let by_option = [
        ("engine-label", "label", !engine.labels.is_empty()),
        ("engine-registry-mirror", "registry-mirror", !engine.registry_mirrors.is_empty()),
        ("engine-insecure-registry", "insecure-registry", !engine.insecure_registries.is_empty()),
        ("engine-storage-driver", "storage-driver", engine.storage_driver.is_some()),
    ];
    let by_option =
        by_option.into_iter().filter(|(.., given)| *given).map(|(option, flag, _)| (option, flag));
    let names = engine.opts.iter().map(|opt| opt.split_once('=').map_or(&**opt, |(name, _)| name));
    let mut seen = Vec::new();
    for (option, flag) in by_option.chain(names.map(|name| ("engine-opt", name))) {
        let Some(key) = dockerd::conflicting_key(flag, fields).filter(|key| !seen.contains(key)) else {
            continue;
        };
        seen.push(key);
        let other = spec.name_of(option);
        let text = format!("sets `{key}`, which `{other}` sets too: dockerd does not start with both");
        let complaint = Diagnostic::error(Code::DaemonOptionTwice, text)
            .hint(format!("use only one of them for `{key}`"));
        check.complain("daemon-json", Some(word), complaint);
    }
}

/// Refuses a key with two values: dockerd does not start with such labels, and systemd uses only the last of such variables.
fn refuse_conflicts(check: &mut Check, field: &str, words: &[Word]) {
    for (n, word) in words.iter().enumerate() {
        let Some((key, value)) = word.text.split_once('=') else { continue };
        let earlier = words[..n].iter().filter_map(|w| w.text.split_once('='));
        if earlier.into_iter().any(|(k, v)| k == key && v != value) {
            let complaint = Diagnostic::error(
                Code::ConflictingValues,
                format!("has two different values for `{}`", key.escape_debug()),
            );
            check.complain(field, Some(word), complaint);
        }
    }
}

fn opt(text: &str) -> Result<String, Diagnostic> {
    check::printable(text)?;
    let flag = text.split_once('=').map_or(text, |(flag, _)| flag);
    if let Some(bare) = text.strip_prefix('-') {
        return Err(Diagnostic::error(
            Code::InvalidDaemonFlag,
            format!("must not begin with a hyphen, got `{text}`"),
        )
        .hint(format!("`{}`", bare.trim_start_matches('-'))));
    }
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if flag.is_empty() || !flag.bytes().all(legal) {
        return Err(Diagnostic::error(
            Code::InvalidDaemonFlag,
            format!("must be `FLAG=VALUE` or `FLAG`, with a flag of dockerd, got `{text}`"),
        ));
    }
    // These make dockerd listen with TLS only.
    if OWN_FLAGS.contains(&flag) {
        return Err(Diagnostic::error(
            Code::ReservedDaemonFlag,
            format!(
                "must not set `{flag}`: hostseed sets it, and another value would leave the host open or unreachable"
            ),
        ));
    }
    Ok(text.to_owned())
}

/// A label that dockerd accepts: a key without white space and outside of Docker's reserved namespaces, `=`, and any value.
fn label(text: &str) -> Result<String, Diagnostic> {
    const RESERVED: [&str; 3] = ["com.docker.", "io.docker.", "org.dockerproject."];
    check::printable(text)?;
    let Some((key, _)) = text.split_once('=') else {
        return Err(Diagnostic::error(Code::InvalidLabel, format!("must be `KEY=VALUE`, got `{text}`"))
            .hint(format!("`{text}=`")));
    };
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(Diagnostic::error(
            Code::InvalidLabel,
            format!("must have a key without spaces before `=`, got `{text}`"),
        ));
    }
    if let Some(reserved) = RESERVED.iter().find(|r| key.to_lowercase().starts_with(**r)) {
        return Err(Diagnostic::error(
            Code::InvalidLabel,
            format!("must not begin with `{reserved}`, which Docker reserves, got `{text}`"),
        ));
    }
    Ok(text.to_owned())
}

/// A variable that systemd accepts (`Environment=` in systemd.exec(5)): a name of letters, digits and `_`, `=`, and any value.
fn variable(text: &str) -> Result<String, Diagnostic> {
    check::printable(text)?;
    let Some((name, _)) = text.split_once('=') else {
        return Err(Diagnostic::error(Code::InvalidVariable, "must be `NAME=VALUE`"));
    };
    let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if name.is_empty() || !legal || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Diagnostic::error(
            Code::InvalidVariable,
            format!("must have a name of letters, digits and `_` before `=`, got `{name}`"),
        ));
    }
    Ok(text.to_owned())
}

/// A registry that dockerd accepts: `host`, `host:port` or a network in CIDR notation.
fn registry(text: &str) -> Result<String, Diagnostic> {
    check::printable(text)?;
    let refuse = || {
        Diagnostic::error(
            Code::InvalidRegistry,
            format!("must be `HOST`, `HOST:PORT` or a network like `10.0.0.0/8`, got `{text}`"),
        )
    };
    if let Some((_, rest)) = text.split_once("://") {
        return Err(refuse().hint(format!("leave out the scheme: `{rest}`")));
    }
    if let Some((network, bits)) = text.split_once('/') {
        let width = match network.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return Err(refuse()),
        };
        return match bits.parse::<u8>() {
            Ok(bits) if bits <= width => Ok(text.to_owned()),
            _ => Err(refuse()),
        };
    }
    match text.parse::<http::uri::Authority>() {
        Ok(authority) if !authority.host().is_empty() && !text.contains('@') => Ok(text.to_owned()),
        _ => Err(refuse()),
    }
}

fn storage_driver(text: &str) -> Result<String, Diagnostic> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Ok(text.to_owned());
    }
    Err(Diagnostic::error(
        Code::InvalidStorageDriver,
        format!("must be the name of a storage driver like `overlay2`, got `{}`", text.escape_debug()),
    ))
}
