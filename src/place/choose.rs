//! Whether a machine's user-data fits a cloud, in which way, and what would make it fit.

use anyhow::Result;
use time::OffsetDateTime;

use super::fit;
use crate::diag::{Code, Diagnostic};
use crate::names::Address;
use crate::pki::{self, HostIdentity, Identity};
use crate::plan::{AuthoritySource, Cloud, Install, KeyType, Limit, Plan, Way};
use crate::render::Form;
use crate::spec::Spec;

/// A cloud, and one way for a machine's user-data to get there.
pub struct Place {
    pub cloud: &'static Cloud,
    pub way: &'static Way,
    /// What the cloud's limit counts of it.
    pub size: usize,
}

/// The plainest way in which a machine's user-data fits a cloud.
///
/// Fails where there is none, with the sizes, and with what of the spec would have to be otherwise.
pub fn require(
    cloud: &'static Cloud,
    spec: &Spec,
    plan: &Plan,
    identity: &Identity,
    now: OffsetDateTime,
) -> Result<Place> {
    let places = places(cloud, plan, &identity.for_host())?;
    let message = format!("{}; nothing was changed", too_large(cloud, &places));
    if let Some(place) = places.into_iter().find(Place::fits) {
        return Ok(place);
    }
    let help = help(cloud, spec, plan, identity, now)?;
    let hint = match help.is_empty() {
        false => help.join("; or "),
        true => format!(
            "nothing that `create` has brings it under that; make it without `--for`, and `hostseed render {} --format bake` puts it into an image that needs no user-data",
            plan.name
        ),
    };
    Err(Diagnostic::error(Code::UserDataTooLarge, message).hint(hint).into())
}

/// All ways to a cloud, whether it fits in them or not.
fn places(cloud: &'static Cloud, plan: &Plan, host: &HostIdentity) -> Result<Vec<Place>> {
    let place = |way: &'static Way| {
        let raw = fit::rendered(plan, host, &Form::CloudConfig, way.gzip)?.bytes.len();
        Ok(Place { cloud, way, size: cloud.measured(raw, way.base64) })
    };
    cloud.ways.iter().map(place).collect()
}

impl Place {
    fn fits(&self) -> bool {
        self.cloud.limit().is_none_or(|limit| self.size <= limit)
    }

    fn sized(&self) -> String {
        if self.way.gzip { format!("{} compressed", self.size) } else { format!("{} bytes", self.size) }
    }
}

/// How large it is in each way, and what would fit.
fn too_large(cloud: &Cloud, places: &[Place]) -> String {
    let sizes: Vec<_> = places.iter().map(Place::sized).collect();
    let counted = if matches!(cloud.limit, Limit::Base64(_)) { " in base64" } else { "" };
    let limit = cloud.limit().map(|limit| limit.to_string()).unwrap_or_default();
    let no_gzip = if places.iter().any(|place| place.way.gzip) { "" } else { " and no gzip" };
    format!("user-data is {}{counted}, {} takes {limit}{no_gzip}", sizes.join(", "), cloud.name)
}

/// One thing that a spec could have otherwise.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    SmallKey,
    Address,
    Image,
}

/// What would make it fit, as little as possible of it at once. Each is tried, with certificates that nobody keeps; what it
/// comes to differs by up to a percent, with RSA by three, from one set of keys to another.
fn help(
    cloud: &'static Cloud,
    spec: &Spec,
    plan: &Plan,
    identity: &Identity,
    now: OffsetDateTime,
) -> Result<Vec<String>> {
    let mut tried: Vec<Vec<Change>> = Vec::new();
    let mut help = Vec::new();
    for changes in combinations(&possible_changes(plan)) {
        if tried.iter().any(|fewer| fewer.iter().all(|change| changes.contains(change))) {
            continue;
        }
        let other = changed(plan, &changes);
        let host = trial(plan, &other, identity, now)?;
        let Some(place) = places(cloud, &other, &host)?.into_iter().find(Place::fits) else { continue };
        let words: Vec<_> = changes.iter().map(|change| change.words(spec, plan)).collect();
        let bring = if words.len() == 1 { "brings" } else { "bring" };
        help.push(format!("{} {bring} it to about {}", words.join(" and "), place.sized()));
        tried.push(changes);
    }
    Ok(help)
}

fn possible_changes(plan: &Plan) -> Vec<Change> {
    let is_rsa = matches!(plan.key, KeyType::Rsa2048 | KeyType::Rsa4096);
    let mut changes = Vec::new();
    changes.extend(is_rsa.then_some(Change::SmallKey));
    changes.extend(plan.boot_issuer.is_some().then_some(Change::Address));
    changes.extend((plan.host.docker.install != Install::None).then_some(Change::Image));
    changes
}

/// All selections of some of them, the smallest first.
fn combinations(all: &[Change]) -> Vec<Vec<Change>> {
    let mut combinations: Vec<Vec<Change>> = (1..1 << all.len())
        .map(|bits: usize| (0..all.len()).filter(|n| bits >> n & 1 == 1).map(|n| all[n]).collect())
        .collect();
    combinations.sort_by_key(Vec::len);
    combinations
}

/// The plan, otherwise.
fn changed(plan: &Plan, changes: &[Change]) -> Plan {
    let mut plan = plan.clone();
    for change in changes {
        match change {
            Change::SmallKey => plan.key = KeyType::P256,
            Change::Image => plan = plan.on_a_finished_image(),
            Change::Address => {
                plan.boot_issuer = None;
                if plan.addresses.is_empty() {
                    // As long as an IPv4 address gets.
                    plan.addresses.push(Address::Ip([203, 0, 113, 255].into()));
                }
            }
        }
    }
    plan
}

/// What the host of such a plan would get. Keys are made only where their kind is another.
fn trial(plan: &Plan, other: &Plan, identity: &Identity, now: OffsetDateTime) -> Result<HostIdentity> {
    let Identity { authority, host, .. } = identity;
    if other.key == plan.key {
        let host = match other.host_role() == plan.host_role() {
            true => host.clone(),
            false => pki::certify_host(other, authority, host.key.clone(), now)?,
        };
        return Ok(Identity { host, ..identity.clone() }.for_host());
    }
    let authority = match plan.ca {
        AuthoritySource::Own => {
            pki::issue_authority(plan.name.as_str(), other.key, other.boot_issuer.is_some(), now)?
        }
        AuthoritySource::Shared | AuthoritySource::Dir(_) => authority.clone(),
    };
    Ok(pki::issue_identity(other, authority, now)?.for_host())
}

impl Change {
    /// How it is asked for, as the spec was given.
    fn words(self, spec: &Spec, plan: &Plan) -> String {
        match self {
            Self::SmallKey => spec.flag("key", "p256"),
            Self::Address if plan.addresses.is_empty() => spec.flag("address", "ADDRESS"),
            Self::Address => format!("no {}", spec.flag("boot-issuer", "true")),
            Self::Image => format!("{} on an image of `hostseed bake`", spec.flag("docker", "none")),
        }
    }
}
