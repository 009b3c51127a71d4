//! `renew --authority --apply`: replaces the CA of running hosts in three steps, in which nobody loses access. Each run does the next step.
//!
//! How far a machine is, is told by its files alone: see [`CaChange`].

use std::process::ExitCode;

use anyhow::Result;
use time::OffsetDateTime;

use super::apply_to_host::{ask, presents_another};
use super::authority::{Signed, as_typed, listed, note_docker_machine, sign, tell_replaced};
use super::passphrase::Passphrase;
use super::renew::{Outcome, Renewal, Request};
use super::{as_usage, context};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{ClientName, MachineName};
use crate::pki::{self, CaBundle, HostIdentity, Pair};
use crate::plan::{AuthoritySource, Plan};
use crate::render;
use crate::shell::Command;
use crate::store::{CaChange, Pending, Replaced, Replacement, Store, Stored, client_files, host_files};
use crate::ui::Ui;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Hosts and clients trust both CAs, and the machine gets a client certificate of the new one.
    TrustBoth,
    /// The host gets a certificate of the new CA.
    NewCertificate,
    /// Hosts and clients trust only the new CA.
    DropOld,
}

impl Step {
    const ALL: [Self; 3] = [Self::TrustBoth, Self::NewCertificate, Self::DropOld];

    fn number(self) -> usize {
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

    fn in_words(self) -> &'static str {
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
    if let (Some(step), Some(new)) = (step, &mut new) {
        if step != Step::TrustBoth && !request.at_once {
            refuse_old_clients(store, now, &machines, request)?;
        }
        machines.iter().try_for_each(|name| ask(store, now, name, request.install_units))?;
        machines.iter().try_for_each(|name| refuse_other_host(store, now, name))?;
        while store.replace(&new.replacements, new.shared.as_ref())? == Replaced::ChangedMeanwhile {
            *new = sign(step)?;
        }
    } else {
        machines.iter().try_for_each(|name| refuse_other_host(store, now, name))?;
    }
    outcome.apply(store, now, &machines, request.install_units)?;
    if outcome.status != ExitCode::SUCCESS {
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
        let lost = store.clients(name)?.into_iter().filter(|(client, read)| {
            let is_valid = read.as_ref().is_ok_and(|certificate| !certificate.validity().is_expired(now));
            is_valid && store.is_revoked(name, client)
        });
        clients.extend(lost.map(|(client, _)| format!("`{client}` of `{name}`")));
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

/// Refuses to change a host that presents another certificate than this store has: another computer has gone on with the change, and what
/// this store has is of an earlier step.
fn refuse_other_host(store: &Store, now: OffsetDateTime, name: &MachineName) -> Result<()> {
    if !presents_another(store, now, name)? {
        return Ok(());
    }
    let text = format!(
        "the host of `{name}` presents a certificate that is not in this store: another computer has changed the host (nothing was changed)"
    );
    let file = format!("{name}.hostseed");
    Err(Diagnostic::error(Code::HostChangedElsewhere, text)
        .hint("export the machine on that computer, and replace it here by that file:")
        .run(store.command(["export", name.as_str(), "--passphrase", "-o", &file]))
        .run(store.command(["rm", name.as_str()]))
        .run(store.command(["import", &file]))
        .into())
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
        old.extend(store.clients_of_old_ca(name, now)?.into_iter().map(|client| (name, client)));
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

fn make_again(store: &Store, name: &MachineName, client: &ClientName) -> Command {
    store.command(["client", name.as_str(), "--cn", client.as_str()])
}

/// The command that does the next step.
fn command(store: &Store, names: &[MachineName], request: &Request) -> Command {
    let options =
        [request.at_once.then_some("--at-once"), request.install_units.then_some("--install-units")];
    let words = ["renew", "--authority", "--apply", "--yes"].into_iter();
    store.command(words.chain(options.into_iter().flatten()).chain(names.iter().map(MachineName::as_str)))
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
            host = HostIdentity { ca: host.ca, chain: vec![new.certificate], key: new.key };
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

/// Prints how far machines are, and who is left to get new files. `step` is None if the last step is not on each host.
fn print(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    names: &[MachineName],
    step: Option<Step>,
    request: &Request,
) -> Result<()> {
    let mut rows = vec![("machines", names.iter().map(MachineName::to_string).collect())];
    // Unproved, the files are already those of the step that is brought to the host.
    let state = names.iter().filter_map(|name| store.ca_change(&store.plan(name).ok()?).ok()?).min();
    let next = step.unwrap_or(match state {
        None => Step::DropOld,
        Some(CaChange::TrustsBoth) => Step::TrustBoth,
        Some(CaChange::HasNewCertificate) => Step::NewCertificate,
    });
    for (one, title) in Step::ALL.into_iter().zip(["step 1", "step 2", "step 3"]) {
        let state = match one.cmp(&next) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal if step.is_none() => "in the store, and its host may not have it",
            std::cmp::Ordering::Equal => "next",
            std::cmp::Ordering::Greater if request.at_once => "next, at once",
            std::cmp::Ordering::Greater => "later",
        };
        rows.push((title, vec![one.in_words().to_owned(), state.to_owned()]));
    }
    let mut clients = Vec::new();
    for name in names {
        let old = match step {
            Some(Step::TrustBoth) => valid_clients(store, name, now)?,
            _ => store.clients_of_old_ca(name, now)?,
        };
        clients.extend(old.into_iter().map(|client| format!("{client} of {name}")));
    }
    if !clients.is_empty() {
        rows.push(("clients", clients));
        rows.push(("", vec!["they need new files after step 1, before step 2".to_owned()]));
    }
    ui.details(&rows)
}

/// The clients that `hostseed client` made, and that have not expired.
fn valid_clients(store: &Store, name: &MachineName, now: OffsetDateTime) -> Result<Vec<ClientName>> {
    let clients = store.clients(name)?.into_iter();
    let is_valid = |(client, read): (ClientName, Result<pki::Certificate>)| {
        let is_accepted = !store.is_revoked(name, &client);
        read.is_ok_and(|certificate| is_accepted && !certificate.validity().is_expired(now)).then_some(client)
    };
    Ok(clients.filter_map(is_valid).collect())
}

fn question(step: Option<Step>, names: &[MachineName], request: &Request) -> String {
    let listed = listed(names);
    match step {
        None => format!(
            "Bring the files of {listed} that are in the store to the running hosts? Docker restarts there."
        ),
        Some(step) if request.at_once => {
            format!(
                "Do all steps from {} for {listed} at once? Docker restarts there, and other clients lose access.",
                step.number()
            )
        }
        Some(step) => format!("Do step {} for {listed} now? Docker restarts there.", step.number()),
    }
}

/// Prints which step is done, what to do before the next one, and its command.
fn tell(store: &Store, ui: Ui, now: OffsetDateTime, names: &[MachineName], request: &Request) -> Result<()> {
    let all = listed(names);
    let states: Vec<_> =
        names.iter().map(|name| store.ca_change(&store.plan(name)?)).collect::<Result<_>>()?;
    let next = command(store, names, &Request { at_once: false, install_units: false, ..request.clone() });
    let mut lines = Vec::new();
    let heading = match states.into_iter().flatten().min() {
        None => {
            lines.push("Certificates of an old CA have no access any more.".to_owned());
            lines.push(
                "Clients that got files before this step still trust the old CA. Give each of them new files:"
                    .to_owned(),
            );
            for name in names {
                for client in valid_clients(store, name, now)? {
                    let file = format!("{name}-{client}.hostseed");
                    let words =
                        ["export", name.as_str(), "--client", client.as_str(), "--passphrase", "-o", &file];
                    lines.push(format!("   {}", store.command(words)));
                }
            }
            lines.push(format!("   {WHOLE}"));
            for name in names {
                lines.push(format!("   {}", export_whole(store, name)));
            }
            format!("{all}: step 3 of 3 is done: the hosts and this computer trust only the new CA")
        }
        Some(CaChange::TrustsBoth) => {
            lines.push("1. Give each other client its new files. They work from now on. With the old ones no client can connect after step 2.".to_owned());
            for name in names {
                lines.extend(new_files(store, name, now)?.iter().map(|line| format!("   {line}")));
            }
            lines.push(format!("   {WHOLE}"));
            lines.extend(names.iter().map(|name| format!("   {}", export_whole(store, name))));
            lines.push("2. Then give the hosts certificates of the new CA, which is step 2:".to_owned());
            lines.push(format!("   {next}"));
            format!("{all}: step 1 of 3 is done: hosts and clients trust both CAs")
        }
        Some(CaChange::HasNewCertificate) => {
            lines.push(
                "The host still trusts the old CA, too. If each other client connects with its new files, drop the old CA, which is step 3:"
                    .to_owned(),
            );
            lines.push(format!("   {next}"));
            format!("{all}: step 2 of 3 is done: the hosts have certificates of the new CA")
        }
    };
    ui.steps(heading, &lines);
    note_docker_machine(store, ui, names);
    names.iter().try_for_each(|name| context::note_stale(store, ui, name))
}

/// The commands that make new files for those who have copies of a machine's files.
fn new_files(store: &Store, name: &MachineName, now: OffsetDateTime) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for client in store.clients_of_old_ca(name, now)? {
        let file = format!("{name}-{client}.hostseed");
        lines.push(make_again(store, name, &client).to_string());
        let export = ["export", name.as_str(), "--client", client.as_str(), "--passphrase", "-o", &file];
        lines.push(store.command(export).to_string());
    }
    Ok(lines)
}

/// Introduces the commands of [`export_whole`].
const WHOLE: &str = "For another computer with the whole machine (there first `hostseed rm`, then `import`):";

fn export_whole(store: &Store, name: &MachineName) -> Command {
    let file = format!("{name}.hostseed");
    store.command(["export", name.as_str(), "--passphrase", "-o", &file])
}
