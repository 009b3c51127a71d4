//! Compares a fleet with the store: which machines are missing, differ, are right, or are no longer in the file.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use rayon::prelude::*;

use super::check::Findings;
use super::{Certificates, ClientUse, Difference, Fleet, differences, listed, needs_vm};
use crate::diag::{Code, Diagnostic, Report};
use crate::names::MachineName;
use crate::plan::Plan;
use crate::render;
use crate::store::Store;

/// The work that makes the store as the file says. Machines are given by their number in the fleet.
#[derive(Debug, Default)]
pub struct Actions {
    pub create: Vec<usize>,
    pub update: Vec<Update>,
    /// Machines of no fleet that are as the file says, if they are to be taken into this one.
    pub adopt: Vec<usize>,
    pub keep: Vec<usize>,
    /// Machines of the fleet that are not in the file.
    pub remove: Vec<MachineName>,
}

/// A machine that differs from the file.
#[derive(Debug)]
pub struct Update {
    pub n: usize,
    pub differences: Vec<Difference>,
    /// For each difference whether it needs a new VM.
    pub needs_vm: Vec<bool>,
    pub certificates: Certificates,
}

impl Update {
    /// Returns whether the machine gets another client certificate.
    pub fn has_new_client(&self) -> bool {
        matches!(self.certificates, Certificates::OfClient | Certificates::All)
    }

    /// Returns whether the host changes, and not only files of this store.
    pub fn is_of_host(&self) -> bool {
        self.differences.iter().any(|difference| ![CLIENT, USER_DATA].contains(&difference.field))
    }
}

/// The field of a fleet file with the use of clients, which a plan does not have.
pub const CLIENT: &str = "client";
/// A file of a machine that is rendered again if it is missing.
pub const USER_DATA: &str = "user-data";

/// The certificates that a change of a machine of the fleet replaces.
pub(super) fn certificates(store: &Store, fleet: &Fleet, before: &Plan, after: &Plan) -> Certificates {
    let of_change = match Certificates::of_change(before, after) {
        // The client certificate of all machines stays.
        Certificates::All if fleet.client == ClientUse::Shared => Certificates::OfHost,
        certificates => certificates,
    };
    match of_change {
        _ if client_difference(store, fleet, &after.name).is_none() => of_change,
        Certificates::Kept | Certificates::OfClient => Certificates::OfClient,
        Certificates::OfHost | Certificates::All => Certificates::All,
    }
}

/// The difference between the client certificate that a machine has and that of the file.
fn client_difference(store: &Store, fleet: &Fleet, name: &MachineName) -> Option<Difference> {
    let words = |client: ClientUse| listed(&[client.name().to_owned()]);
    let other = match fleet.client {
        ClientUse::Each => ClientUse::Shared,
        ClientUse::Shared => ClientUse::Each,
    };
    let is_shared = store.has_shared_client(name);
    (is_shared != (fleet.client == ClientUse::Shared)).then(|| Difference {
        field: CLIENT,
        before: words(other),
        after: words(fleet.client),
        values: [other, fleet.client].map(|client| vec![client.name().to_owned()]),
    })
}

enum State {
    Missing,
    Differs(Update),
    OfNoFleet,
    Right,
}

/// Compares a fleet with the store. With `adopt`, machines of no fleet that are as the file says can become the fleet's. Writes nothing.
///
/// # Errors
/// The report has all machines of the file that cannot be made or changed. Fails otherwise if the store cannot be read.
pub fn compare(store: &Store, fleet: &Fleet, adopt: bool) -> Result<Result<Actions, Report>> {
    let existing: HashMap<String, MachineName> =
        store.names()?.into_iter().map(|name| (name.as_str().to_ascii_lowercase(), name)).collect();
    let state = |n: usize| state(store, fleet, n, adopt, &existing);
    let states: Vec<Result<State>> = (0..fleet.members.len()).into_par_iter().map(state).collect();
    let (mut actions, mut findings) = (Actions::default(), Findings::default());
    for (n, state) in states.into_iter().enumerate() {
        match state {
            Ok(State::Missing) => actions.create.push(n),
            Ok(State::Differs(update)) => actions.update.push(update),
            Ok(State::OfNoFleet) => actions.adopt.push(n),
            Ok(State::Right) => actions.keep.push(n),
            Err(error) => match Diagnostic::of(&error) {
                Some(problem) => findings.add(fleet.about(n, problem)),
                None => return Err(error),
            },
        }
    }
    let wanted: HashSet<&MachineName> = fleet.members.iter().map(|member| &member.name).collect();
    actions.remove = store.fleet_members(&fleet.name)?;
    actions.remove.retain(|name| !wanted.contains(name));
    Ok(findings.finish().map(|()| actions))
}

/// Compares a machine with the store, whose machines are in `existing` by their names in lower case.
fn state(
    store: &Store,
    fleet: &Fleet,
    n: usize,
    adopt: bool,
    existing: &HashMap<String, MachineName>,
) -> Result<State> {
    let member = &fleet.members[n];
    let name = &member.name;
    if !store.has(name) {
        if let Some(other) = existing.get(&name.as_str().to_ascii_lowercase()) {
            return Err(Store::in_other_case(name, other).into());
        }
        store.refuse_taken_authority(name, &member.ca)?;
        return Ok(State::Missing);
    }
    store.require(name)?;
    match store.fleet_of(name)? {
        Some(of) if of == fleet.name => state_of_member(store, fleet, n),
        None if adopt => match state_of_member(store, fleet, n)? {
            State::Differs(update) => {
                let fields: Vec<_> = update.differences.iter().map(|of| format!("`{}`", of.field)).collect();
                let text = format!(
                    "machine `{name}` cannot be taken into the fleet, because it differs from the file in {}",
                    fields.join(", ")
                );
                let hint = "change the file, or change the machine with `hostseed update` first";
                Err(Diagnostic::error(Code::NotOfThisFleet, text).hint(hint).into())
            }
            _ => Ok(State::OfNoFleet),
        },
        of => Err(store.of_another_fleet(name, of.as_ref()).into()),
    }
}

/// Compares a machine that exists with the file.
fn state_of_member(store: &Store, fleet: &Fleet, n: usize) -> Result<State> {
    let name = &fleet.members[n].name;
    let plan = fleet.plan(n)?;
    if let Some(missing) = store.missing_identity(name) {
        let text = format!("`{}` of machine `{name}` does not exist", missing.display());
        return Err(Diagnostic::error(Code::UnreadableFile, text)
            .hint("restore the file, or make new keys and certificates:")
            .run(store.command(["renew", name.as_str()]))
            .into());
    }
    let is_written = store.has_content(name, &render::render_machine_yaml(&plan)?);
    let of_client = client_difference(store, fleet, name);
    let has_user_data = store.has_file(name, USER_DATA);
    if is_written && of_client.is_none() && has_user_data {
        return Ok(State::Right);
    }
    let before = store.plan(name)?;
    store.refuse_open_ca_change(&before)?;
    let mut differences = differences(&before, &plan);
    differences.extend(of_client);
    differences.extend((!has_user_data).then(|| Difference {
        field: USER_DATA,
        before: listed(&[]),
        after: "rendered again".to_owned(),
        values: [Vec::new(), Vec::new()],
    }));
    if differences.is_empty() {
        return Ok(State::Right);
    }
    if let Some(Difference { before, after, .. }) =
        differences.iter().find(|difference| difference.field == "ca")
    {
        let text = format!("`apply` does not change `ca` to {after}, which is {before} in `{name}`");
        return Err(Diagnostic::error(Code::NotUpdatable, text)
            .hint("a machine with another CA is another machine: delete this one first:")
            .run(store.command(["rm", name.as_str()]))
            .into());
    }
    Ok(State::Differs(Update {
        n,
        needs_vm: differences.iter().map(|difference| needs_vm(difference, &before, &plan)).collect(),
        certificates: certificates(store, fleet, &before, &plan),
        differences,
    }))
}
