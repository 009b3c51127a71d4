//! `create`: creates a machine.

use anyhow::Result;
use time::OffsetDateTime;

use super::machine_view::{DeliveryView, MachineView};
use super::passphrase::Passphrase;
use super::{as_usage, difference, dry_run, expiry, note_install_url, note_passwords};
use crate::clouds::Cloud;
use crate::delivery::{self, Choice};
use crate::diag::Code;
use crate::pki::{self, Identity, Pair};
use crate::plan::{AuthoritySource, HostRole, Plan};
use crate::render;
use crate::spec::Spec;
use crate::store::{Creation, NewMachine, SHARED, Store};
use crate::ui::Ui;

/// The arguments of the command.
pub struct Request {
    pub spec: Spec,
    pub cloud: Option<&'static Cloud>,
    /// Accept a machine that exists with the same settings.
    pub if_missing: bool,
    /// Print what would be created, and write nothing.
    pub dry_run: bool,
    pub json: bool,
}

/// Creates a machine and prints the next steps.
///
/// With a cloud it writes nothing if the user-data exceeds the cloud's limit.
pub fn create(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<()> {
    let Request { spec, cloud, if_missing, dry_run, json } = request;
    let plan = plan(spec)?;
    if *if_missing && store.has(&plan.name) {
        return found(store, ui, now, request, &plan);
    }
    let choose = |identity: &Identity| {
        let signer = Some((identity, now));
        let choose = |cloud| delivery::require(cloud, spec, &plan, &identity.for_host(), signer);
        cloud.map(choose).transpose()
    };
    let passphrase = Passphrase::asked(ui);
    if *dry_run {
        let identity = issue(store, &plan, now, &passphrase)?;
        let choice = choose(&identity)?;
        note(ui, request, &plan, &identity);
        ui.note("this is a dry run: nothing was written");
        let delivery = choice.as_ref().map(DeliveryView::new);
        let view = MachineView { delivery, ..MachineView::planned(store, &plan, &identity)? };
        return if *json { ui.json(&view) } else { dry_run::print(store, ui, &plan, &identity, &view) };
    }
    let (identity, choice) = match make(store, &plan, now, &passphrase, choose) {
        // Another command may have created it in the meantime.
        Err(_) if *if_missing && store.has(&plan.name) => return found(store, ui, now, request, &plan),
        made => made?,
    };
    note(ui, request, &plan, &identity);
    tell(store, ui, now, request, &plan, choice.as_ref())
}

/// Prints the next steps of a machine that exists already.
///
/// # Errors
/// Fails if the machine differs from what is asked for.
fn found(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request, asked: &Plan) -> Result<()> {
    let Request { spec, cloud, .. } = request;
    let plan = store.plan(&asked.name)?;
    difference::refuse(store, spec, asked, &plan)?;
    let host = store.host_identity(&plan)?;
    let choice = cloud.map(|cloud| delivery::require(cloud, spec, &plan, &host, None)).transpose()?;
    let dry = if request.dry_run { " (this is a dry run)" } else { "" };
    ui.note(format_args!("`{}` already exists; nothing was changed{dry}", plan.name));
    expiry::note(store, ui, now, &plan.name);
    cloud.iter().flat_map(|cloud| cloud.notes).for_each(|note| ui.note(note));
    tell(store, ui, now, request, &plan, choice.as_ref())
}

/// Prints the next steps and, if asked, the machine as JSON.
fn tell(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    request: &Request,
    plan: &Plan,
    choice: Option<&Choice>,
) -> Result<()> {
    let steps = delivery::steps(store, plan, choice, ui.columns());
    ui.steps(format_args!("machine `{}` is in {}", plan.name, store.machine_path(&plan.name)?), &steps);
    if !request.json {
        return Ok(());
    }
    let view = MachineView::read(store, &plan.name, now)?;
    ui.json(&MachineView { delivery: choice.map(DeliveryView::new), ..view })
}

/// Notes what the user should know about a new machine.
fn note(ui: Ui, request: &Request, plan: &Plan, identity: &Identity) {
    let until = |pair: &Pair| pair.certificate.validity().not_after;
    if until(&identity.host) == until(&identity.authority) {
        ui.note(format_args!("the certificates expire with their CA, on {}", until(&identity.client).date()));
    }
    if let Some(note) = about_names(plan, identity) {
        ui.note(note);
    }
    if plan.host_role() == HostRole::BootIssuer {
        about_boot_issuer(plan, identity).iter().for_each(|note| ui.note(note));
    }
    note_install_url(ui, &request.spec, &plan.host.docker);
    note_passwords(ui, &request.spec);
    request.cloud.iter().flat_map(|cloud| cloud.notes).for_each(|note| ui.note(note));
}

/// The plan of a spec, with absolute paths.
pub(super) fn plan(spec: &Spec) -> Result<Plan> {
    absolute(Plan::from_spec(spec)?)
}

/// Makes the paths of a plan absolute, so that it stays valid in other folders.
pub(super) fn absolute(mut plan: Plan) -> Result<Plan> {
    if let AuthoritySource::Dir(dir) = &mut plan.ca {
        *dir = std::path::absolute(&dir)?;
    }
    Ok(plan)
}

/// Creates a machine and returns what `check` returned. Writes nothing if `check` fails or the name exists.
pub(super) fn make<T>(
    store: &Store,
    plan: &Plan,
    now: OffsetDateTime,
    passphrase: &Passphrase,
    check: impl Fn(&Identity) -> Result<T>,
) -> Result<(Identity, T)> {
    loop {
        let identity = issue(store, plan, now, passphrase)?;
        let found = check(&identity)?;
        let seed =
            vec![render::render_user_data(plan, &identity.for_host())?, render::render_machine_yaml(plan)?];
        let machine = NewMachine { plan: plan.clone(), identity, seed, fleet: None };
        match store.put_machine(&machine)? {
            Creation::Created => return Ok((machine.identity, found)),
            // Another command has just made the shared CA: it signs in the next round.
            Creation::SharedCaAppeared => {}
        }
    }
}

/// The problems of a folder of `--ca`, except that other users can write to it.
const WRONG_CA: [Code; 7] = [
    Code::UnreadableFile,
    Code::NotRegularFile,
    Code::UnusableCa,
    Code::CaFileContents,
    Code::CaNameConstraints,
    Code::CaPathLength,
    Code::CaRejected,
];

/// Issues the certificates of a new machine. Writes nothing.
///
/// # Errors
/// Fails if the name exists or the CA cannot be used. A passphrase that is missing or wrong, and a folder of `--ca` without a CA that can
/// sign, is wrong usage.
fn issue(store: &Store, plan: &Plan, now: OffsetDateTime, passphrase: &Passphrase) -> Result<Identity> {
    store.refuse_taken(&plan.name, &plan.ca)?;
    store.refuse_capitals_of(&plan.name)?;
    let of_folder = matches!(plan.ca, AuthoritySource::Dir(_));
    signed(store, plan, now, passphrase).map_err(|failure| ca_failure(failure, of_folder))
}

/// Makes a failure with a CA wrong usage: with a passphrase, or with the folder of `--ca`, if `of_folder` is set.
pub(super) fn ca_failure(failure: anyhow::Error, of_folder: bool) -> anyhow::Error {
    let of_folder = of_folder.then_some(WRONG_CA);
    let usage: Vec<Code> = of_folder.into_iter().flatten().chain([Code::CaPassphrase]).collect();
    as_usage(failure, &usage)
}

fn signed(store: &Store, plan: &Plan, now: OffsetDateTime, passphrase: &Passphrase) -> Result<Identity> {
    store.check_authority(&plan.ca)?;
    let authority = match store.authority(&plan.ca, now, &|key| passphrase.of(key))? {
        Some(authority) => authority,
        None if plan.ca == AuthoritySource::Own => return pki::issue_own_identity(plan, now),
        // A later machine with the shared CA may have a boot issuer.
        None => pki::issue_authority(SHARED, plan.key, true, now)?,
    };
    pki::issue_identity(plan, authority, now)
}

/// A note about the usual names that the server certificate lacks because of the CA's name constraints.
pub(super) fn about_names(plan: &Plan, identity: &Identity) -> Option<String> {
    if plan.host_role() == HostRole::BootIssuer {
        return None;
    }
    let covered = identity.host.certificate.sans();
    let lacking = plan.sans().into_iter().filter(|name| !covered.contains(name));
    let lacking: Vec<_> = lacking.map(|name| format!("`{name}`")).collect();
    (!lacking.is_empty()).then(|| {
        format!(
            "the server certificate does not cover {}: the CA's name constraints do not allow that",
            lacking.join(", ")
        )
    })
}

/// Notes about a boot issuer: until when it works, and the risk.
fn about_boot_issuer(plan: &Plan, identity: &Identity) -> [String; 2] {
    let name = &plan.name;
    let until = identity.host.certificate.validity().not_after.date();
    let which =
        if plan.addresses.is_empty() { "all its addresses" } else { "these and all its other addresses" };
    let whom = match plan.ca {
        AuthoritySource::Own => format!("`{name}`"),
        _ => "any machine of this CA".into(),
    };
    [
        format!(
            "the host issues its own certificate for {which}, until {until}; before then, run `hostseed renew {name}`"
        ),
        format!(
            "keep the user-data secret: anyone who has it can impersonate {whom} at any address until {until}; it gives no control over Docker"
        ),
    ]
}
