//! `renew --authority`: new CAs for machines, and with them new certificates.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use time::OffsetDateTime;

use super::host_steps::{NewFiles, put_back};
use super::passphrase::Passphrase;
use super::renew::{Renewal, Request, until};
use super::{as_usage, context};
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::pki::{self, Pair};
use crate::plan::{AuthoritySource, Plan};
use crate::shell::Command;
use crate::store::{ClientCa, Replaced, Replacement, SHARED, Store};
use crate::ui::Ui;

/// Replaces the CAs of machines: all or none, because machines can have the same CA. Without `--yes` it only prints what would be done: the
/// running hosts do not trust the new CA.
pub(super) fn renew_authority(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    names: &[MachineName],
    request: &Request,
) -> Result<ExitCode> {
    let passphrase = Passphrase::asked(ui);
    let sign = || sign(store, now, names, request, &passphrase);
    let mut signed = sign().map_err(|error| as_usage(error, &[Code::CaPassphrase]))?;
    if request.dry_run || !request.yes {
        for renewal in &signed.renewals {
            renewal.note(store, ui);
            renewal.print(store, ui)?;
        }
        if !request.apply {
            ui.note("the running hosts trust only their old CA: each of them is out of reach until its VM is replaced");
        }
        let options = [request.apply.then_some("--apply"), request.at_once.then_some("--at-once")];
        let words = ["renew", "--authority", "--yes"]
            .into_iter()
            .chain(options.into_iter().flatten())
            .map(str::to_owned)
            .chain(certificate_options(request))
            .chain(names.iter().map(MachineName::to_string));
        ui.note_with("nothing was written; this replaces the CA:", &store.command(words));
        return Ok(ExitCode::SUCCESS);
    }
    while store.replace(&signed.replacements(), signed.shared.as_ref())? == Replaced::ChangedMeanwhile {
        signed = sign()?;
    }
    for renewal in &signed.renewals {
        renewal.note(store, ui);
        if !request.apply {
            tell(store, ui, renewal);
        }
    }
    // With `--apply`, `tell_replaced` does so in the end.
    if !request.apply {
        note_docker_machine(store, ui, names);
    }
    Ok(ExitCode::SUCCESS)
}

/// New CAs and certificates that are not in the store yet.
pub(super) struct Signed {
    pub renewals: Vec<Renewal>,
    /// The new shared CA, if it is made here.
    pub shared: Option<Pair>,
}

impl Signed {
    pub fn replacements(&self) -> Vec<Replacement> {
        self.renewals.iter().map(|renewal| renewal.replacement.clone()).collect()
    }
}

/// Makes the new CAs of machines and certificates of them for hosts and clients, and writes nothing.
pub(super) fn sign(
    store: &Store,
    now: OffsetDateTime,
    names: &[MachineName],
    request: &Request,
    passphrase: &Passphrase,
) -> Result<Signed> {
    let machines: Vec<_> = names.iter().map(|name| store.stored(name)).collect::<Result<_>>()?;
    for machine in &machines {
        store.refuse_open_ca_change(&machine.plan)?;
        refuse_unnamed(store, &machine.plan, names, request)?;
    }
    let mut new: BTreeMap<PathBuf, Pair> = BTreeMap::new();
    let mut shared = None;
    // The CAs that are made here, before those machines whose CA is in the folder of another machine.
    for machine in &machines {
        let plan = Renewal::plan_of(&machine.plan, request);
        let dir = store.certs_of(&plan);
        let is_known = new.contains_key(&dir);
        match plan.ca {
            AuthoritySource::Own => {
                new.insert(dir, pki::issue_own_authority(&plan, now)?);
            }
            AuthoritySource::Shared if !is_known => {
                let pair = match store.other_shared_authority(&plan, now, &|key| passphrase.of(key))? {
                    // Machines that were not moved to it yet.
                    Some(there) => there,
                    None => shared.insert(pki::issue_authority(SHARED, plan.key, true, now)?).clone(),
                };
                new.insert(dir, pair);
            }
            AuthoritySource::Shared | AuthoritySource::Dir(_) => {}
        }
    }
    let mut renewals = Vec::new();
    for machine in machines {
        let plan = Renewal::plan_of(&machine.plan, request);
        let authority = match new.get(&store.certs_of(&plan)) {
            Some(pair) => pair.clone(),
            None => from_folder(store, &plan, now, passphrase)?,
        };
        let mut renewal = Renewal::issue(machine, plan, authority, now)?;
        if renewal.plan().ca == AuthoritySource::Own {
            renewal.replacement.authority = Some(renewal.identity.authority.clone());
        }
        renewals.push(renewal);
    }
    Ok(Signed { renewals, shared })
}

/// Refuses to replace a CA while machines that are not named use it, too: their certificates could not be renewed.
fn refuse_unnamed(store: &Store, plan: &Plan, names: &[MachineName], request: &Request) -> Result<()> {
    if matches!(plan.ca, AuthoritySource::Dir(_)) {
        return Ok(());
    }
    let others = store.sharing_authority(plan, names)?;
    if others.is_empty() {
        return Ok(());
    }
    let all: Vec<_> = names.iter().chain(&others).cloned().collect();
    let text = format!("the CA of `{}` is also that of {} (nothing was changed)", plan.name, listed(&others));
    Err(Diagnostic::error(Code::CaInUse, text)
        .hint("replace it for all of them:")
        .run(as_typed(store, &all, request))
        .into())
}

/// The command with the options that the user gave, for these machines.
pub(super) fn as_typed(store: &Store, names: &[MachineName], request: &Request) -> Command {
    let options = [
        (request.apply, "--apply"),
        (request.yes, "--yes"),
        (request.at_once, "--at-once"),
        (request.install_units, "--install-units"),
        (request.dry_run, "--dry-run"),
    ];
    let options = options.into_iter().filter_map(|(is_given, option)| is_given.then_some(option));
    let words = ["renew", "--authority"].into_iter().chain(options);
    let words = words.map(str::to_owned).chain(certificate_options(request));
    store.command(words.chain(names.iter().map(MachineName::to_string)))
}

/// The options for new certificates that the user gave.
pub(super) fn certificate_options(request: &Request) -> impl Iterator<Item = String> + use<> {
    let values = [
        request.valid_for.map(|valid_for| format!("--valid-for={valid_for}")),
        request.key.map(|key| format!("--key={}", key.name())),
    ];
    values.into_iter().flatten()
}

/// Names of machines, for a sentence.
pub(super) fn listed(names: &[MachineName]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The new CA of a machine whose CA is in a folder of the user's, who has put it there.
fn from_folder(store: &Store, plan: &Plan, now: OffsetDateTime, passphrase: &Passphrase) -> Result<Pair> {
    store.check_authority(&plan.ca)?;
    let there = store.authority(&plan.ca, now, &|key| passphrase.of(key))?;
    match there.filter(|there| {
        store.certificate(&plan.name, "ca").map_or(true, |current| current != there.certificate)
    }) {
        Some(there) => Ok(there),
        None => Err(Diagnostic::error(
            Code::CaNotReplaced,
            format!(
                "the CA of `{}` is in `{}`, and hostseed makes no CA there (nothing was changed)",
                plan.name,
                plan.ca.name()
            ),
        )
        .hint("put the new CA's ca.pem and ca-key.pem into that folder, then run this command again")
        .into()),
    }
}

/// Notes that `docker-machine` loses access to machines whose shared CA was replaced.
pub(super) fn note_docker_machine(store: &Store, ui: Ui, names: &[MachineName]) {
    let is_shared =
        |name: &MachineName| store.plan(name).is_ok_and(|plan| plan.ca == AuthoritySource::Shared);
    if let Some(path) = store.stale_docker_machine_client().filter(|_| names.iter().any(is_shared)) {
        ui.note(format_args!(
            "`docker-machine` itself connects with `{}`, which is of the old CA: its own commands have no access any more; docker with `hostseed env` does not use it",
            path.display()
        ));
    }
}

/// Tells that the CAs of machines were replaced at once, and who has no access any more.
pub(super) fn tell_replaced(store: &Store, ui: Ui, now: OffsetDateTime, names: &[MachineName]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut lines = vec![
        "Certificates of the old CA have no access any more, also those on other computers with a copy of the machine."
            .to_owned(),
    ];
    let mut again = Vec::new();
    for name in names {
        for client in store.valid_clients(name, now, &[ClientCa::Other])? {
            again.push(format!("   {}", store.command(["client", name.as_str(), "--cn", client.as_str()])));
        }
    }
    if !again.is_empty() {
        lines.push("These clients have lost access; to make them again:".to_owned());
        lines.append(&mut again);
    }
    ui.steps(
        format_args!(
            "{}: the CA was replaced: the hosts and this computer trust only the new CA",
            listed(names)
        ),
        &lines,
    );
    note_docker_machine(store, ui, names);
    names.iter().try_for_each(|name| context::note_stale(store, ui, name))
}

/// Prints the next steps.
fn tell(store: &Store, ui: Ui, renewal: &Renewal) {
    let name = &renewal.plan().name;
    let mut lines =
        vec!["The running host trusts only its old CA, so you have no access to it until step 1.".to_owned()];
    lines.extend(NewFiles::Certificates.bring_to_host(store, name));
    let clients = store.minted_clients(name);
    lines.push(match clients.is_empty() {
        true => "With that, the host refuses all client certificates of the old CA.".to_owned(),
        false => format!(
            "With that, the host refuses all client certificates of the old CA, also those of {}.",
            clients.join(", ")
        ),
    });
    lines.extend(put_back(store, name));
    let authority = until(&renewal.identity.authority);
    ui.steps(format_args!("machine `{name}` has a new CA until {authority}, and new certificates"), &lines);
}
