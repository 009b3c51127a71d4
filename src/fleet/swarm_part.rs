//! A machine's part in the swarm, from the fleet file's words.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::swarm::MACHINE_LABEL;
use crate::diag::{Code, Diagnostic};
use crate::docker::SwarmRole;
use crate::names::MachineName;
use crate::plan::{Engine, Plan};
use crate::spec::{FleetFile, Spec, SwarmWords, Word};

/// The longest name of a network interface in bytes (Linux, `IFNAMSIZ` without the null byte).
const MAX_INTERFACE: usize = 15;
/// dockerd's option that a swarm does not support.
const LIVE_RESTORE: &str = "live-restore";

/// The role of a machine that has no part in the swarm, although `defaults` gives it one.
const NO_PART: &str = "none";

/// A machine's part in the swarm, as the fleet file asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwarmPart {
    pub role: SwarmRole,
    pub labels: BTreeMap<String, String>,
    /// The address at which the other nodes reach the host, or the network interface that has it. None if Docker chooses.
    pub advertise: Option<String>,
}

impl SwarmPart {
    /// All labels that the node of the machine `name` is to have.
    pub fn node_labels(&self, name: &MachineName) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        labels.insert(MACHINE_LABEL.to_owned(), name.to_string());
        labels
    }

    /// The labels of [`node_labels`](Self::node_labels) that are not in `now`, those that the node has.
    pub fn missing_labels(
        &self,
        name: &MachineName,
        now: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let mut labels = self.node_labels(name);
        labels.retain(|key, value| now.get(key) != Some(value));
        labels
    }

    /// The values of `role`.
    pub const ROLES: [&str; 3] = ["manager", "worker", NO_PART];

    /// Checks a machine's part. None if it has no part.
    ///
    /// # Errors
    /// Returns all problems.
    pub fn of(file: &FleetFile, words: &SwarmWords) -> Result<Option<Self>, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let role = words.role.as_ref().map_or("worker", |word| word.text.as_str());
        let role = match role {
            "manager" => Some(SwarmRole::Manager),
            "worker" => Some(SwarmRole::Worker),
            NO_PART => None,
            other => {
                let problem = Diagnostic::none_of(Self::ROLES, other);
                problems.push(file.about("swarm.role", words.role.as_ref(), problem));
                None
            }
        };
        if let Some(word) = words.advertise.as_ref().filter(|word| !is_advertised(&word.text)) {
            let text = format!(
                "must be an IP address or the name of a network interface, got `{}`",
                word.text.escape_debug()
            );
            let problem = Diagnostic::error(Code::InvalidAddress, text);
            problems.push(file.about("swarm.advertise", Some(word), problem));
        }
        let mut labels = BTreeMap::new();
        for word in &words.labels {
            match word.text.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    labels.insert(key.to_owned(), value.to_owned());
                }
                _ => {
                    let text = format!("must be `KEY=VALUE`, got `{}`", word.text.escape_debug());
                    let problem = Diagnostic::error(Code::InvalidLabel, text);
                    problems.push(file.about("swarm.labels", Some(word), problem));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let advertise = words.advertise.as_ref().map(|word| word.text.clone());
        Ok(role.map(|role| Self { role, labels, advertise }))
    }
}

/// Returns whether Docker accepts a text as an address to advertise, without a port.
fn is_advertised(text: &str) -> bool {
    let is_interface = !text.is_empty()
        && text.len() <= MAX_INTERFACE
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte))
        // `10.0.0` is a mistyped address.
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    text.parse::<IpAddr>().is_ok() || is_interface
}

/// The problem of a machine of a swarm whose Docker would run with `live-restore`.
pub fn live_restore(plan: &Plan) -> Option<Diagnostic> {
    let is_on = sets_live_restore(&plan.host.engine) == Some(true);
    is_on.then(|| {
        Diagnostic::error(
            Code::SwarmLiveRestore,
            "`live-restore` is on, which Docker does not support on a node of a swarm",
        )
        .hint(
            "remove it from `engine-opt` or `daemon-json`, or the machine from the swarm with `swarm: none`",
        )
    })
}

/// Turns off `live-restore` on a host that issues its certificates, where it is on unless the user sets it: without a swarm it keeps
/// containers running when the host gets new certificates.
pub fn without_live_restore(spec: &mut Spec) {
    let Ok(plan) = Plan::from_spec(spec) else { return };
    if plan.boot_issuer.is_some() && sets_live_restore(&plan.host.engine).is_none() {
        let word = Word { text: format!("{LIVE_RESTORE}=false"), position: None };
        spec.host.engine_opts.push(word);
        spec.given
            .extend((!spec.given.iter().any(|field| field == "engine-opt")).then(|| "engine-opt".to_owned()));
    }
}

/// The value of `live-restore` that the user sets, if any.
pub fn sets_live_restore(engine: &Engine) -> Option<bool> {
    let json = || {
        let fields: serde_json::Value = serde_json::from_str(engine.daemon_json.as_deref()?).ok()?;
        fields.get(LIVE_RESTORE)?.as_bool()
    };
    // A flag without a value is on; Go's booleans (strconv.ParseBool).
    let is_on = |value: &str| ["", "1", "t", "T", "true", "TRUE", "True"].contains(&value);
    engine.opt(LIVE_RESTORE).map(is_on).or_else(json)
}
