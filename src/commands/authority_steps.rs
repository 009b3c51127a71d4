//! `renew --authority --apply`: replaces the CA of running hosts in three steps, in which nobody loses access. Each run does the next step.
//!
//! How far a machine is, is told by its files alone: see [`CaChange`].

use std::process::ExitCode;

use anyhow::Result;
use time::OffsetDateTime;

use super::apply_to_host::{ask, refuse_other_host};
use super::as_usage;
use super::authority::{Signed, as_typed, listed, sign, tell_replaced};
use super::authority_view::{print, question, tell};
use super::passphrase::Passphrase;
use super::renew::{Outcome, Renewal, Request};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{ClientName, MachineName};
use crate::pki::{self, CaBundle, HostIdentity, Pair};
use crate::plan::{AuthoritySource, Plan};
use crate::render;
use crate::shell::Command;
use crate::store::{
    CaChange, ClientCa, Pending, Replaced, Replacement, Store, Stored, client_files, host_files,
};
use crate::ui::Ui;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Hosts and clients trust both CAs, and the machine gets a client certificate of the new one.
    TrustBoth,
    /// The host gets a certificate of the new CA.
    NewCertificate,
    /// Hosts and clients trust only the new CA.
    DropOld,
}

impl Step {
    pub const ALL: [Self; 3] = [Self::TrustBoth, Self::NewCertificate, Self::DropOld];

    pub fn number(self) -> usize {
        1 + Self::ALL.iter().take_while(|step| **step < self).count()
    }

    /// The next step of a machine with this state.
    fn after(state: Option<CaChange>) -> Self {
        match state {
            None => Self::TrustBoth,
            Some(CaChange::TrustsBoth) => Self::NewCertificate,
            Some(CaChange::HasNewCertificate) => Self::DropOld,
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            Self::TrustBoth => {
                "host and clients trust both CAs; the machine gets a client certificate of the new CA"
            }
            Self::NewCertificate => "the host gets a certificate of the new CA",
            Self::DropOld => "host and clients trust only the new CA",
        }
    }
}

/// Does the next step for machines, or with `--at-once` all that are left. Without `--yes` it prints how far they are, and asks on a terminal.
pub(super) fn next_step(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    outcome: &mut Outcome,
    request: &Request,
) -> Result<ExitCode> {
    let names = outcome.names.clone();
    let mut pending = Vec::new();
    for name in &names {
        pending.extend(store.pending(&store.plan(name)?)?.map(|change| (name.clone(), change)));
    }
    if !request.at_once {
        refuse_switch(store, now, &pending, request)?;
    }
    let of = |is_wanted: &dyn Fn(Pending) -> bool| -> Vec<MachineName> {
        pending.iter().filter(|(_, change)| is_wanted(*change)).map(|(name, _)| name.clone()).collect()
    };
    let unproved = of(&|_| true);
    let unrelated = of(&|change| change == Pending::Other);
    let (step, machines) = match unproved.is_empty() {
        true => {
            let (step, machines) = begin(store, ui, &names, request)?;
            (Some(step), machines)
        }
        // The next step begins only when each host has the last change.
        false => (None, unproved),
    };
    // Signed before the question, so that the user hears of a fault first.
    let passphrase = Passphrase::asked(ui);
    let sign = |step| signed(store, now, &machines, step, request, &passphrase);
    let mut new = match step {
        Some(step) => Some(sign(step).map_err(|error| as_usage(error, &[Code::CaPassphrase]))?),
        None => None,
    };
    let command = command(store, &names, request);
    if !unrelated.is_empty() {
        ui.note(format_args!(
            "brings the pending change first: the host of {} may not have the last `renew` or `update`, and its CA is replaced after that",
            listed(&unrelated)
        ));
    }
    if request.dry_run || !request.yes {
        let of_ca: Vec<_> = machines.iter().filter(|name| !unrelated.contains(name)).cloned().collect();
        if !of_ca.is_empty() {
            print(store, ui, now, &of_ca, step, request)?;
        }
        if request.dry_run || !ui.can_ask() {
            let what = match unrelated.is_empty() {
                true => "nothing was written; this does the next step:",
                false => "nothing was written; this brings the pending change to the host:",
            };
            ui.note_with(what, &command);
            return Ok(ExitCode::SUCCESS);
        }
        if !ui.confirm(question(step, &machines, request), &command)? {
            ui.note("nothing was changed");
            return Ok(ExitCode::SUCCESS);
        }
    }
    let mut answering = machines.clone();
    if let (Some(step), Some(new)) = (step, &mut new) {
        if step != Step::TrustBoth && !request.at_once {
            refuse_old_clients(store, now, &machines, request)?;
        }
        answering = answering_hosts(store, ui, now, &machines, request)?;
        while store.replace(&new.replacements, new.shared.as_ref())? == Replaced::ChangedMeanwhile {
            *new = sign(step)?;
        }
    } else {
        for name in &machines {
            refuse_other_host(store, now, name)?;
        }
    }
    outcome.apply(store, now, &answering, request.install_units)?;
    if answering.len() < machines.len() {
        outcome.status = ExitCode::FAILURE;
    }
    if outcome.status != ExitCode::SUCCESS {
        if request.at_once {
            let is_done = |name: &&MachineName| !store.has_previous(name) && !unrelated.contains(name);
            let done: Vec<_> = answering.iter().filter(is_done).cloned().collect();
            tell_replaced(store, ui, now, &done)?;
        }
        return Ok(outcome.status);
    }
    if request.at_once && step.is_none() && is_open(store, &names)? {
        // The switch that was asked for, after what was left of an earlier run.
        let confirmed = Request { yes: true, ..request.clone() };
        return next_step(store, ui, now, outcome, &confirmed);
    }
    if !unrelated.is_empty() {
        let first = Request { install_units: false, ..request.clone() };
        ui.note_with(
            format_args!("the CA of {} has not been replaced; this does step 1:", listed(&unrelated)),
            &self::command(store, &names, &first),
        );
    }
    let of_ca: Vec<_> = machines.into_iter().filter(|name| !unrelated.contains(name)).collect();
    if request.at_once && !of_ca.is_empty() {
        tell_replaced(store, ui, now, &of_ca)?;
    } else if !of_ca.is_empty() {
        tell(store, ui, now, &of_ca, request)?;
    }
    Ok(outcome.status)
}

fn is_open(store: &Store, names: &[MachineName]) -> Result<bool> {
    for name in names {
        if store.ca_change(&store.plan(name)?)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses to bring a new CA to a host in one switch: `renew --authority` without `--apply` made it, and it is no step.
fn refuse_switch(
    store: &Store,
    now: OffsetDateTime,
    pending: &[(MachineName, Pending)],
    request: &Request,
) -> Result<()> {
    let switched = pending.iter().filter(|(_, change)| *change == Pending::Switch);
    let names: Vec<MachineName> = switched.map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut clients = vec!["all other clients".to_owned()];
    for name in &names {
        let lost = store.valid_clients(name, now, &[ClientCa::Previous])?;
        clients.extend(lost.iter().map(|client| format!("`{client}` of `{name}`")));
    }
    let text = format!(
        "{} has a new CA that was made for one switch, which locks out {} (nothing was changed)",
        listed(&names),
        clients.join(", ")
    );
    let undo = ["renew", "--undo", "--yes"].into_iter().chain(names.iter().map(MachineName::as_str));
    let at_once = Request { at_once: true, ..request.clone() };
    Err(Diagnostic::error(Code::ClientsOfOldCa, text)
        .hint("put the old CA back and replace it in steps, or lock them out at once:")
        .run(store.command(undo))
        .run(command(store, &names, request))
        .run(command(store, &names, &at_once))
        .into())
}

/// Asks the hosts of machines before their CA is replaced, and returns the machines whose hosts can get the new files now. A host that is down does
/// not keep a leaked key on the others: with `--at-once` they go on without it.
///
/// # Errors
/// Fails if a host does not answer, with `--at-once` if none does, and if one cannot put new files in place, presents another certificate or
/// trusts another CA.
pub(super) fn answering_hosts(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    names: &[MachineName],
    request: &Request,
) -> Result<Vec<MachineName>> {
    let (mut answering, mut down) = (Vec::new(), Vec::new());
    for name in names {
        match ask(store, now, name, request.install_units) {
            Ok(()) => answering.push(name.clone()),
            Err(error) if is_down(&error) && request.at_once => down.push((name, error)),
            Err(error) => return Err(error),
        }
    }
    if answering.is_empty()
        && let Some((_, last)) = down.pop()
    {
        down.iter().for_each(|(_, error)| ui.error(error));
        return Err(last);
    }
    for (name, error) in down {
        ui.error(&error);
        ui.note_with(
            format_args!(
                "the others go on without `{name}`: its host accepts clients of the old CA until it has the new files; when it answers again:"
            ),
            &store.command(["renew", "--apply", name.as_str()]),
        );
    }
    Ok(answering)
}

/// Returns whether a host did not answer, rather than answer that it cannot put new files in place or with something that the store does not have.
fn is_down(error: &anyhow::Error) -> bool {
    let answered = [Code::NoApplyUnits, Code::HostChangedElsewhere];
    Diagnostic::of(error).is_some_and(|error| !answered.contains(&error.code))
}

/// The next step of machines, and those of them that it is for.
///
/// # Errors
/// Fails if it would lock out a client, or a machine whose CA changes with these is not named.
fn begin(
    store: &Store,
    ui: Ui,
    names: &[MachineName],
    request: &Request,
) -> Result<(Step, Vec<MachineName>)> {
    let mut states = Vec::new();
    for name in names {
        states.push((name, store.ca_change(&store.stored(name)?.plan)?));
    }
    // A change that is open goes on. A machine that was created with the new CA has none.
    let is_open = states.iter().any(|(_, state)| state.is_some());
    for (name, _) in states.iter().filter(|(_, state)| is_open && state.is_none()) {
        ui.note(format_args!("`{name}` is not changed: its CA is not being replaced, and that of others is"));
    }
    states.retain(|(_, state)| state.is_some() == is_open);
    let step = states.iter().map(|(_, state)| Step::after(*state)).min().unwrap_or(Step::TrustBoth);
    if is_open {
        refuse_unnamed(store, names, request)?;
    }
    states.retain(|(_, state)| Step::after(*state) == step);
    Ok((step, states.into_iter().map(|(name, _)| name.clone()).collect()))
}

/// Refuses to continue while a machine with the same CA, whose change is open too, is not named.
fn refuse_unnamed(store: &Store, names: &[MachineName], request: &Request) -> Result<()> {
    for name in names {
        let plan = store.plan(name)?;
        if matches!(plan.ca, AuthoritySource::Dir(_)) {
            continue;
        }
        let mut others = store.sharing_authority(&plan, names)?;
        others.retain(|other| store.ca_bundle(other).is_ok_and(|bundle| bundle.old.is_some()));
        if !others.is_empty() {
            let text =
                format!("the CA of `{name}` is also that of {} (nothing was changed)", listed(&others));
            let all: Vec<_> = names.iter().chain(&others).cloned().collect();
            return Err(Diagnostic::error(Code::CaInUse, text)
                .hint("replace it for all of them:")
                .run(as_typed(store, &all, request))
                .into());
        }
    }
    Ok(())
}

/// Refuses a step that locks out clients that `hostseed client` made.
fn refuse_old_clients(
    store: &Store,
    now: OffsetDateTime,
    names: &[MachineName],
    request: &Request,
) -> Result<()> {
    let mut old = Vec::new();
    for name in names {
        old.extend(
            store.valid_clients(name, now, &[ClientCa::Old])?.into_iter().map(|client| (name, client)),
        );
    }
    if old.is_empty() {
        return Ok(());
    }
    let clients: Vec<_> = old.iter().map(|(name, client)| format!("`{client}` of `{name}`")).collect();
    let text = format!("{} would be locked out (nothing was changed)", clients.join(", "));
    let error = Diagnostic::error(Code::ClientsOfOldCa, text).hint(
        "make them again with the new CA and give them the new files, remove those that nobody uses (`hostseed client NAME --cn CN --remove`), or go on without them:",
    );
    let again = old.iter().map(|(name, client)| make_again(store, name, client));
    let at_once = Request { at_once: true, ..request.clone() };
    let error = again.fold(error, Diagnostic::run).run(command(store, names, &at_once));
    Err(error.into())
}

pub(super) fn make_again(store: &Store, name: &MachineName, client: &ClientName) -> Command {
    store.command(["client", name.as_str(), "--cn", client.as_str()])
}

/// The command that does the next step.
pub(super) fn command(store: &Store, names: &[MachineName], request: &Request) -> Command {
    as_typed(store, names, &Request { apply: true, yes: true, dry_run: false, ..request.clone() })
}

/// New files that are not in the store yet.
struct New {
    replacements: Vec<Replacement>,
    /// The new shared CA, if it is made here.
    shared: Option<Pair>,
}

/// Makes what a step needs, and writes nothing.
fn signed(
    store: &Store,
    now: OffsetDateTime,
    names: &[MachineName],
    step: Step,
    request: &Request,
    passphrase: &Passphrase,
) -> Result<New> {
    if step == Step::TrustBoth {
        // Signs for the host, too: a CA that could not do that is refused now.
        let Signed { renewals, shared } = sign(store, now, names, request, passphrase)?;
        let replacements = renewals.into_iter().map(|renewal| trust_both(store, renewal));
        return Ok(New { replacements: replacements.collect::<Result<_>>()?, shared });
    }
    let mut replacements = Vec::new();
    for name in names {
        let before = store.stored(name)?;
        let mut plan = before.plan.clone();
        let mut host = store.host_identity(&plan)?;
        let mut files = Vec::new();
        if step == Step::NewCertificate {
            plan = Renewal::plan_of(&plan, request);
            let authority = store.signing_authority(name, now, &|key| passphrase.of(key))?;
            let new = pki::issue_host(&plan, &authority, now)?;
            files.extend(host_files(plan.host_role(), &new));
            host = HostIdentity::new(host.ca, new);
        }
        if step == Step::DropOld || request.at_once {
            host.ca.old = None;
        }
        replacements.push(replacement(before, plan, &host, files)?);
    }
    Ok(New { replacements, shared: None })
}

/// Leaves the host its certificate, and lets it trust both CAs.
fn trust_both(store: &Store, renewal: Renewal) -> Result<Replacement> {
    let Renewal { replacement: Replacement { before, plan, authority, .. }, identity } = renewal;
    let old = store.host_identity(&before.plan)?;
    let ca = CaBundle { current: identity.authority.certificate, old: Some(old.ca.current) };
    let host = HostIdentity { ca, ..old };
    let client = client_files(&identity.client).to_vec();
    Ok(Replacement { authority, ..replacement(before, plan, &host, client)? })
}

/// The replacement of a machine's files, with the user-data that goes with `host`.
fn replacement(
    before: Stored,
    plan: Plan,
    host: &HostIdentity,
    mut files: Vec<Artifact>,
) -> Result<Replacement> {
    files.push(Artifact::public("ca.pem", host.ca.pem()));
    files.push(render::render_user_data(&plan, host)?);
    files.push(render::render_machine_yaml(&plan)?);
    Ok(Replacement { before, plan, files, authority: None })
}
