//! `renew`: makes new certificates for machines that exist.

use std::collections::HashSet;
use std::process::ExitCode;

use anyhow::Result;
use time::OffsetDateTime;

use super::apply_to_host::{apply, ask, refuse_sent};
use super::authority::{renew_authority, tell_replaced};
use super::authority_steps::{answering_hosts, make_again, next_step};
use super::create::about_names;
use super::host_steps::{NewFiles, put_back};
use super::passphrase::Passphrase;
use super::{as_usage, expiry, machine_name};
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::pki::{self, Certificate, Identity, Pair};
use crate::plan::{HostRole, KeyType, Plan, ValidFor};
use crate::render;
use crate::store::{ClientCa, Replaced, Replacement, Store, Stored, identity_files};
use crate::ui::Ui;

/// The arguments of the command.
#[derive(Clone)]
pub struct Request<'a> {
    pub names: &'a [String],
    /// Another validity than the machines have.
    pub valid_for: Option<ValidFor>,
    /// Another type of the keys than the machines have.
    pub key: Option<KeyType>,
    /// Replace the machines' CAs, too.
    pub authority: bool,
    /// Bring the new files to the running host. A machine with previous files, which has new ones already, is not renewed again.
    pub apply: bool,
    /// With `authority` and `apply`: in one switch, which locks out all other clients.
    pub at_once: bool,
    /// Install the units that put the files in place on hosts that lack them. It runs a container as root there.
    pub install_units: bool,
    /// Put the previous files back.
    pub undo: bool,
    /// Print what would be done, and write nothing.
    pub dry_run: bool,
    /// Do not ask for confirmation.
    pub yes: bool,
}

/// Makes new keys and certificates for the host and the client of each machine, signed by the machine's CA, and the user-data with them. It
/// signs for all machines before it changes the first. A machine that fails does not stop the others; then the exit status is 1.
pub fn renew(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<ExitCode> {
    let mut outcome = Outcome { ui, names: unique(request.names)?, status: ExitCode::SUCCESS };
    let names = outcome.names.clone();
    // A name that is wrong is found before anything is changed.
    names.iter().try_for_each(|name| store.require(name))?;
    if request.undo {
        return undo(store, ui, now, &names, request).map(|()| ExitCode::SUCCESS);
    }
    if request.authority && request.apply && is_in_steps(store, &names, request)? {
        return next_step(store, ui, now, &mut outcome, request);
    }
    if request.authority {
        let (mut unproved, mut answering) = (Vec::new(), names.clone());
        for name in &names {
            unproved.extend(store.has_unproved_authority(name)?.then_some(name));
        }
        if request.apply && unproved.len() == names.len() {
            ui.note("the new CA was made before, and no host has presented it yet: it is not replaced again");
        } else {
            if let Some(name) = unproved.first() {
                return Err(unproved_authority(store, name).into());
            }
            if request.apply && request.yes && !request.dry_run {
                answering = answering_hosts(store, ui, now, &names, request)?;
            }
            let status = renew_authority(store, ui, now, &names, request)?;
            if !request.apply || !request.yes || request.dry_run {
                return Ok(status);
            }
        }
        outcome.apply(store, now, &answering, request.install_units)?;
        let done: Vec<_> = names.iter().filter(|name| !store.has_previous(name)).cloned().collect();
        tell_replaced(store, ui, now, &done)?;
        return Ok(if done.len() < names.len() { ExitCode::FAILURE } else { outcome.status });
    }
    let passphrase = Passphrase::asked(ui);
    let sign = |name: &MachineName| Renewal::sign(store, now, name, request, &passphrase);
    let mut signed = Vec::new();
    for name in &names {
        let is_in_step = || -> Result<bool> { Ok(store.ca_change(&store.plan(name)?)?.is_some()) };
        let is_unproved = store.has_unproved_certificate(name) || store.has_previous(name) && is_in_step()?;
        if request.apply && is_unproved {
            ui.note(format_args!(
                "`{name}` has new files that no host is known to have: it is not renewed again"
            ));
        } else {
            // A host that cannot be reached is found before the store is changed.
            let asked = match request.apply && !request.dry_run {
                true => ask(store, now, name, request.install_units),
                false => Ok(()),
            };
            signed.extend(outcome.of(name, asked.and_then(|()| sign(name)))?);
        }
    }
    for renewal in signed {
        let name = renewal.plan().name.clone();
        let finish = || {
            if request.dry_run {
                renewal.note(store, ui);
                return renewal.print(store, ui);
            }
            let renewal = put(store, renewal, || sign(&name))?;
            renewal.note(store, ui);
            if !request.apply {
                renewal.tell(store, ui, now);
            }
            Ok(())
        };
        outcome.of(&name, finish())?;
    }
    if request.dry_run {
        if request.apply {
            ui.note("the running hosts would check the new files, restart Docker with them, and put the old ones back if Docker does not answer");
        }
        ui.note("this is a dry run: nothing was written");
    } else if request.apply {
        outcome.apply(store, now, &names, request.install_units)?;
    }
    Ok(outcome.status)
}

/// Returns whether CAs are replaced in steps: by `--authority --apply`, unless it is `--at-once` and no change is open.
fn is_in_steps(store: &Store, names: &[MachineName], request: &Request) -> Result<bool> {
    let mut is_open = false;
    for name in names {
        is_open |= store.ca_change(&store.plan(name)?)?.is_some();
    }
    Ok(is_open || !request.at_once)
}

/// The error for a machine with a new CA that may be on its host already. A third CA would replace it in the store, and then nobody would have
/// access to the host.
fn unproved_authority(store: &Store, name: &MachineName) -> Diagnostic {
    let text = format!("`{name}` has a new CA that no host has presented yet (nothing was changed)");
    Diagnostic::error(Code::CaUnproved, text)
        .hint("bring it to the running host, or wait for the new VM, or put the old CA back:")
        .run(store.command(["renew", "--apply", name.as_str()]))
        .run(store.command(["wait", name.as_str()]))
        .run(store.command(["renew", "--undo", name.as_str()]))
}

/// The machines of a command line, each once.
fn unique(names: &[String]) -> Result<Vec<MachineName>> {
    let mut seen = HashSet::new();
    let names = names.iter().map(|name| machine_name(name));
    names.filter(|name| name.as_ref().map_or(true, |name| seen.insert(name.clone()))).collect()
}

/// The result of work on several machines.
pub(super) struct Outcome {
    ui: Ui,
    pub names: Vec<MachineName>,
    pub status: ExitCode,
}

impl Outcome {
    /// Returns the result for one machine. Of several machines it prints the error, and the exit status will be 1.
    fn of<T>(&mut self, name: &MachineName, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(error) if self.names.len() == 1 => Err(as_usage(error, &[Code::CaPassphrase])),
            Err(error) => {
                self.ui.error(&error.context(format!("`{name}` was not changed")));
                self.status = ExitCode::FAILURE;
                Ok(None)
            }
        }
    }
}

impl Outcome {
    /// Brings the new files to the hosts of the machines that have some, one after the other.
    pub fn apply(
        &mut self,
        store: &Store,
        now: OffsetDateTime,
        names: &[MachineName],
        installs_units: bool,
    ) -> Result<()> {
        for name in names.iter().filter(|name| store.has_previous(name)) {
            let applied = apply(store, self.ui, now, name, installs_units);
            let undo = store.command(["renew", "--undo", name.as_str()]);
            let says_so = |error| Diagnostic::of(error).is_some_and(|error| error.commands.contains(&undo));
            // A host that may have them must not lose their keys.
            let is_sent = store.sent(name).map_or(true, |sent| !sent.is_empty());
            let may_undo = store.has_previous(name) && !is_sent;
            if applied.as_ref().is_err_and(|error| !says_so(error)) && may_undo {
                self.ui.note_with(
                    format_args!("the new files of `{name}` are in the store, and its host may not have them; to put the old ones back:"),
                    &undo,
                );
            }
            match applied {
                Err(error) if names.len() > 1 => {
                    self.ui.error(&error);
                    self.status = ExitCode::FAILURE;
                }
                done => done?,
            }
        }
        Ok(())
    }
}

/// New certificates of a machine that are not in the store yet.
pub(super) struct Renewal {
    pub replacement: Replacement,
    pub identity: Identity,
}

impl Renewal {
    fn sign(
        store: &Store,
        now: OffsetDateTime,
        name: &MachineName,
        request: &Request,
        passphrase: &Passphrase,
    ) -> Result<Self> {
        let before = store.stored(name)?;
        store.refuse_open_ca_change(&before.plan)?;
        let plan = Self::plan_of(&before.plan, request);
        let authority = store.signing_authority(&plan.name, now, &|key| passphrase.of(key))?;
        Self::issue(before, plan, authority, now)
    }

    /// A machine's plan with the options of the command.
    pub(super) fn plan_of(before: &Plan, request: &Request) -> Plan {
        Plan {
            valid_for: request.valid_for.unwrap_or(before.valid_for),
            key: request.key.unwrap_or(before.key),
            ..before.clone()
        }
    }

    /// Makes the certificates of a machine, signed by `authority`.
    pub(super) fn issue(before: Stored, plan: Plan, authority: Pair, now: OffsetDateTime) -> Result<Self> {
        let identity = pki::issue_identity(&plan, authority, now)?;
        let mut files = identity_files(&plan, &identity);
        files.push(render::render_user_data(&plan, &identity.for_host())?);
        files.push(render::render_machine_yaml(&plan)?);
        Ok(Self { replacement: Replacement { before, plan, files, authority: None }, identity })
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.replacement.plan
    }

    /// Notes what the user should know about the new certificates.
    pub(super) fn note(&self, store: &Store, ui: Ui) {
        let Identity { authority, host, client } = &self.identity;
        if until(host) == until(authority) {
            let text = format!(
                "the new certificates of `{}` expire with their CA, on {}; to replace the CA:",
                self.plan().name,
                until(client)
            );
            ui.note_with(text, &store.command(["renew", "--authority", self.plan().name.as_str()]));
        }
        if let Some(note) = about_names(self.plan(), &self.identity) {
            ui.note(note);
        }
    }

    /// Prints the certificates that would be made, and those that the machine has.
    pub(super) fn print(&self, store: &Store, ui: Ui) -> Result<()> {
        let Plan { name, ca, .. } = self.plan();
        let Identity { authority, host, client } = &self.identity;
        let new = |new: &Pair, old: Result<Certificate>| {
            let old =
                old.map_or_else(|_| "unreadable".into(), |old| old.validity().not_after.date().to_string());
            vec![format!("until {}", until(new)), format!("before: until {old}")]
        };
        let (role, old) = match store.host_certificate(name) {
            Ok((HostRole::Server, old)) => ("server", Ok(old)),
            Ok((HostRole::BootIssuer, old)) => ("boot issuer", Ok(old)),
            Err(error) => ("server", Err(error)),
        };
        ui.details(&[
            ("name", vec![name.to_string()]),
            ("CA", vec![format!("{}, until {}", ca.name(), until(authority))]),
            (role, new(host, old)),
            ("client", new(client, store.certificate(name, "cert"))),
        ])
    }

    /// Prints the next steps.
    fn tell(&self, store: &Store, ui: Ui, now: OffsetDateTime) {
        let name = &self.plan().name;
        let mut lines = vec![
            match self.plan().host_role() {
                HostRole::Server => "The running host keeps its old server certificate until step 1.",
                HostRole::BootIssuer => "The running host keeps its old boot issuer until step 1.",
            }
            .to_owned(),
        ];
        let authority = &self.identity.authority.certificate;
        let is_of_old_ca = store.previous_authority(name).is_ok_and(|previous| previous != *authority);
        lines.push(match self.old_expiry(store) {
            _ if is_of_old_ca => {
                "It trusts only its old CA, so you have no access to it until then.".to_owned()
            }
            Some(old) if old.is_expired(now) => {
                format!("It expired on {}, and docker refuses it.", old.not_after.date())
            }
            Some(old) => format!(
                "Until {}, the new client certificate works with it, because the CA is the same.",
                old.not_after.date()
            ),
            None => "The new client certificate works with it, because the CA is the same.".to_owned(),
        });
        lines.extend(NewFiles::Certificates.bring_to_host(store, name));
        lines.extend(put_back(store, name));
        let until = until(&self.identity.client);
        ui.steps(format_args!("machine `{name}` has new certificates until {until}"), &lines);
    }

    /// The validity of the host's certificate in the previous files.
    fn old_expiry(&self, store: &Store) -> Option<pki::Validity> {
        let name = &self.plan().name;
        Some(store.previous_certificate(name).ok()?.validity())
    }
}

pub(super) fn until(pair: &Pair) -> time::Date {
    pair.certificate.validity().not_after.date()
}

/// Writes new certificates to the store, and makes them again if another command has changed the machine in the meantime.
fn put(store: &Store, mut renewal: Renewal, sign: impl Fn() -> Result<Renewal>) -> Result<Renewal> {
    while store.replace(std::slice::from_ref(&renewal.replacement), None)? == Replaced::ChangedMeanwhile {
        renewal = sign()?;
    }
    Ok(renewal)
}

/// Puts the previous files of machines back: of all or of none, because they can have the same CA. Asks first if they have another CA, because a
/// host with the new one is out of reach then.
fn undo(store: &Store, ui: Ui, now: OffsetDateTime, names: &[MachineName], request: &Request) -> Result<()> {
    let mut of_other_ca = Vec::new();
    for name in names {
        store.previous(name)?;
        // A host that trusts both CAs is not lost.
        let trusts_both = store.ca_bundle(name)?.old.as_ref() == Some(&store.previous_authority(name)?);
        let is_lost = store.has_unproved_authority(name)? && !trusts_both;
        of_other_ca.extend(is_lost.then_some(name.as_str()));
    }
    store.check_restore(names)?;
    if request.dry_run {
        for name in names {
            ui.note(format_args!("the files in {} would be put back", store.previous_dir(name).display()));
        }
        return Ok(());
    }
    if !of_other_ca.is_empty() && !request.yes {
        let question = format!(
            "Put back the previous CA of {}? You lose access to a VM that was created since.",
            of_other_ca.join(", ")
        );
        let words = ["renew", "--undo", "--yes"].into_iter().chain(names.iter().map(MachineName::as_str));
        if !ui.confirm(question, &store.command(words))? {
            ui.note("nothing was changed");
            return Ok(());
        }
    }
    names.iter().try_for_each(|name| refuse_sent(store, now, name))?;
    let mut had_access = Vec::new();
    for name in names {
        had_access.push(store.valid_clients(name, now, &[ClientCa::Current])?);
    }
    store.restore_previous(names)?;
    for (name, had_access) in names.iter().zip(had_access) {
        ui.note(format_args!(
            "`{name}` has the files again that its host had last, and those of all later changes are deleted"
        ));
        expiry::note(store, ui, now, name);
        let lost = had_access.iter().filter(|client| store.is_revoked(name, client));
        let again: Vec<_> = lost.map(|client| make_again(store, name, client).to_string()).collect();
        if !again.is_empty() {
            ui.steps("These clients were made with the CA that is taken back; to make them again:", &again);
        }
    }
    Ok(())
}
