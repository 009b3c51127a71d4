//! Which options make user-data fit a cloud. Each combination is tried, the smallest first.

use anyhow::Result;
use time::OffsetDateTime;

use super::user_data;
use crate::clouds::{Cloud, Delivery};
use crate::names::Address;
use crate::pki::{self, HostIdentity, Identity};
use crate::plan::{AuthoritySource, Install, KeyType, Plan};
use crate::render::Form;
use crate::spec::Spec;

/// How a front end spells the options that reduce the size.
pub struct SizeHints {
    /// None if the user cannot choose the compression.
    pub gzip: Option<String>,
    pub small_key: String,
    /// None for a stored machine, whose CA is not at hand to try it.
    pub address: Option<String>,
    pub image: String,
}

impl SizeHints {
    /// The spelling for `create`, which chooses the compression itself: flags or fields, depending on the source of the spec.
    pub(super) fn of_spec(spec: &Spec, plan: &Plan) -> Self {
        Self {
            gzip: None,
            small_key: spec.flag("key", "p256"),
            address: Some(match plan.addresses.is_empty() {
                true => spec.flag("address", "ADDRESS"),
                false => format!("no {}", spec.flag("boot-issuer", "true")),
            }),
            image: spec.flag("docker", "none"),
        }
    }
}

/// User-data that does not fit.
pub(super) struct Subject<'a> {
    pub plan: &'a Plan,
    pub host: &'a HostIdentity,
    pub form: &'a Form,
    /// The deliveries that the user has not ruled out.
    pub deliveries: &'a [Delivery],
    /// The machine's CA and the time, with which other keys and addresses can be tried. A stored machine has none here: its CA's key
    /// stays closed.
    pub signer: Option<(&'a Identity, OffsetDateTime)>,
}

/// One option that the user can change.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Gzip,
    SmallKey,
    Address,
    Image,
}

/// The smallest combinations of changes with which `subject` fits `cloud`, each with the size that it gives. The sizes are of
/// certificates made for the trial: those of other keys differ by up to a percent, with RSA by three.
pub(super) fn advice(cloud: &Cloud, subject: &Subject, hints: &SizeHints) -> Result<Vec<String>> {
    let mut found: Vec<Vec<Change>> = Vec::new();
    let mut advice = Vec::new();
    for changes in combinations(&possible_changes(cloud, subject, hints)) {
        if found.iter().any(|fewer| fewer.iter().all(|change| changes.contains(change))) {
            continue;
        }
        let Some(size) = trial(cloud, subject, &changes)? else { continue };
        let spelled: Vec<_> = changes.iter().map(|change| change.spelled(hints)).collect();
        let bring = if spelled.len() == 1 { "brings" } else { "bring" };
        advice.push(format!("{} {bring} it to about {size}", spelled.join(" and ")));
        found.push(changes);
    }
    Ok(advice)
}

/// A size for a message.
pub(super) fn sized(size: usize, gzip: bool) -> String {
    if gzip { format!("{size} bytes compressed") } else { format!("{size} bytes") }
}

fn possible_changes(cloud: &Cloud, subject: &Subject, hints: &SizeHints) -> Vec<Change> {
    let Subject { plan, form, deliveries, .. } = subject;
    let can_sign = subject.signer.is_some();
    let can_compress = hints.gzip.is_some()
        && !matches!(form, Form::Ignition(_))
        && cloud.delivery(true).is_some()
        && deliveries.iter().all(|delivery| !delivery.gzip);
    [
        (Change::Gzip, can_compress),
        (Change::SmallKey, can_sign && plan.key.is_rsa()),
        (Change::Address, can_sign && hints.address.is_some() && plan.boot_issuer.is_some()),
        (Change::Image, plan.host.docker.install != Install::None),
    ]
    .into_iter()
    .filter_map(|(change, is_possible)| is_possible.then_some(change))
    .collect()
}

/// All selections of `all`, the smallest first.
fn combinations(all: &[Change]) -> Vec<Vec<Change>> {
    let mut combinations: Vec<Vec<Change>> = (1..1 << all.len())
        .map(|bits: usize| (0..all.len()).filter(|n| bits >> n & 1 == 1).map(|n| all[n]).collect())
        .collect();
    combinations.sort_by_key(Vec::len);
    combinations
}

/// The size with these changes, in the simplest delivery that fits; none if none fits.
fn trial(cloud: &Cloud, subject: &Subject, changes: &[Change]) -> Result<Option<String>> {
    let plan = changed(subject.plan, changes);
    let host = match subject.signer {
        Some((identity, now)) => signed(subject.plan, &plan, identity, now)?,
        None => subject.host.clone(),
    };
    let compressed = cloud.delivery(true).filter(|_| changes.contains(&Change::Gzip));
    let deliveries = compressed.map_or(subject.deliveries, std::slice::from_ref);
    for delivery in deliveries {
        let raw = user_data::rendered(&plan, &host, subject.form, delivery.gzip)?.bytes.len();
        if cloud.fits(raw, delivery.base64) {
            return Ok(Some(sized(cloud.charged(raw, delivery.base64), delivery.gzip)));
        }
    }
    Ok(None)
}

/// The plan with these changes.
fn changed(plan: &Plan, changes: &[Change]) -> Plan {
    let mut plan = plan.clone();
    for change in changes {
        match change {
            Change::Gzip => {}
            Change::SmallKey => plan.key = KeyType::P256,
            Change::Image => plan = plan.on_a_finished_image(),
            Change::Address => {
                plan.boot_issuer = None;
                if plan.addresses.is_empty() {
                    // The longest IPv4 address.
                    plan.addresses.push(Address::Ip([203, 0, 113, 255].into()));
                }
            }
        }
    }
    plan
}

/// The host's certificates for the plan `other`. Makes new keys only if their type differs.
fn signed(plan: &Plan, other: &Plan, identity: &Identity, now: OffsetDateTime) -> Result<HostIdentity> {
    let Identity { authority, host, .. } = identity;
    if other.key == plan.key {
        let host = match other.host_role() == plan.host_role() {
            true => host.clone(),
            false => pki::certify_host(other, authority, host.key.clone(), now)?,
        };
        return Ok(Identity { host, ..identity.clone() }.for_host());
    }
    let authority = match plan.ca {
        AuthoritySource::Own => pki::issue_own_authority(other, now)?,
        AuthoritySource::Shared | AuthoritySource::Dir(_) => authority.clone(),
    };
    Ok(pki::issue_identity(other, authority, now)?.for_host())
}

impl Change {
    /// The option as the user writes it.
    fn spelled(self, hints: &SizeHints) -> String {
        match self {
            Self::Gzip => hints.gzip.clone().unwrap_or_default(),
            Self::SmallKey => hints.small_key.clone(),
            Self::Address => hints.address.clone().unwrap_or_default(),
            Self::Image => format!("{} with an image of `hostseed bake`", hints.image),
        }
    }
}
