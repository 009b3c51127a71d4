//! `apply`: makes the machines of a fleet file.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::create::ca_failure;
use super::passphrase::Passphrase;
use super::{context, install_url_note, password_notes, read_fleet_file};
use crate::diag::Report;
use crate::fleet::{Actions, Certificates, Fleet, Update, Work, compare};
use crate::names::MachineName;
use crate::pki::AskPassphrase;
use crate::plan::AuthoritySource;
use crate::store::Store;
use crate::ui::Ui;

/// Names of a list that is printed for people. `--json` prints all.
const SHOWN: usize = 8;
/// Names in a command that is printed for pasting.
const MAX_PASTED: usize = 50;
/// The version of the JSON. It rises when a field disappears or gets another meaning.
const VERSION: u32 = 1;

/// The arguments of the command.
pub struct Request {
    pub file: PathBuf,
    /// Print what would be done, and write nothing.
    pub dry_run: bool,
    /// Delete the machines of the fleet that are not in the file.
    pub prune: bool,
    /// Take machines of no fleet that are as the file says into the fleet.
    pub adopt: bool,
    /// Do not ask for confirmation.
    pub yes: bool,
    pub json: bool,
}

/// Creates the machines of a fleet file that are missing, changes those that differ, and, if asked, deletes those that are not in the file. Writes
/// nothing before all of them are checked. If one cannot be made or changed, the exit status is 1.
pub fn apply(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<ExitCode> {
    let fleet = Fleet::check(read_fleet_file(&request.file)?)?;
    let refused = |problems: Report| {
        ui.error(&problems.into());
        ui.note("nothing was changed");
        Ok(ExitCode::FAILURE)
    };
    let mut actions = match compare(store, &fleet, request.adopt)? {
        Ok(actions) => actions,
        Err(problems) => return refused(problems),
    };
    let passphrase = Passphrase::asked(ui);
    let ask = |key: &Path| passphrase.of(key);
    let of_folder = || fleet.members.iter().any(|member| matches!(member.ca, AuthoritySource::Dir(_)));
    let prepare = |actions: &Actions| {
        Work::prepare(store, &fleet, actions, now, &ask).map_err(|failure| ca_failure(failure, of_folder()))
    };
    let mut work = match prepare(&actions)? {
        Ok(work) => work,
        Err(problems) => return refused(problems),
    };
    let names: Vec<&MachineName> = fleet.members.iter().map(|member| &member.name).collect();
    if !request.json {
        print(ui, request, &fleet, &actions, &names)?;
    }
    let removed: &[MachineName] = if request.prune { &actions.remove } else { &[] };
    store.check_removal(removed)?;
    if !request.dry_run {
        if !removed.is_empty() && !request.yes && !confirm(store, ui, request, removed)? {
            ui.note("nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        let is_changed = !actions.create.is_empty() || !actions.update.is_empty();
        while is_changed && !work.put_shared()? {
            // Another command has made the shared CA or its client since: those are used.
            work = prepare(&actions)??;
        }
        let done = Done::default();
        if let Err(failure) = change(ui, &work, &actions, removed, &ask, &done) {
            let failure = ca_failure(failure, of_folder());
            let Some(state) = done.state(&actions, removed) else { return Err(failure) };
            ui.error(&failure);
            ui.note(&state);
            return Ok(ExitCode::from(if failure.is::<Report>() { 2 } else { 1 }));
        }
        // Those that another run of this fleet has made at the same time.
        let made = done.created.into_inner();
        actions.keep.extend(actions.create.extract_if(.., |n| !made.contains(names[*n])));
        actions.keep.sort_unstable();
    }
    tell(store, ui, request, &fleet, &actions);
    if request.json {
        let view = View::new(request, &fleet, &actions, &names);
        ui.json(&view)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How many machines a run has made, changed and deleted so far.
#[derive(Default)]
struct Done {
    created: RefCell<HashSet<MachineName>>,
    changed: Cell<usize>,
    deleted: Cell<usize>,
}

impl Done {
    /// The work of a run that failed, and how many machines are left. None if it has done nothing.
    fn state(&self, actions: &Actions, removed: &[MachineName]) -> Option<String> {
        let done = [
            (self.created.borrow().len(), "created"),
            (self.changed.get(), "changed"),
            (self.deleted.get(), "deleted"),
        ];
        let sum: usize = done.iter().map(|(count, _)| count).sum();
        if sum == 0 {
            return None;
        }
        let left = actions.create.len() + actions.update.len() + removed.len() - sum;
        let done: Vec<_> = (done.iter().filter(|(count, _)| *count > 0))
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        Some(format!(
            "machines before this batch: {}; the batch had no effect, and {left} are left: run the same command again for them",
            done.join(", ")
        ))
    }
}

/// Makes the changes, and counts them in `done`.
fn change(
    ui: Ui,
    work: &Work,
    actions: &Actions,
    removed: &[MachineName],
    ask: AskPassphrase,
    done: &Done,
) -> Result<()> {
    let count = |of: &Cell<usize>, count: usize| of.set(of.get() + count);
    work.adopt(&actions.adopt)?;
    let progress = ui.progress("creating machines", actions.create.len());
    work.create(&actions.create, |made| {
        progress.advance(made.len());
        done.created.borrow_mut().extend(made.iter().cloned());
    })?;
    drop(progress);
    let numbers: Vec<usize> = actions.update.iter().map(|update| update.n).collect();
    let progress = ui.progress("changing machines", numbers.len());
    work.update(&numbers, ask, |made| {
        progress.advance(made);
        count(&done.changed, made);
    })?;
    drop(progress);
    let progress = ui.progress("deleting machines", removed.len());
    work.remove(removed, |made| {
        progress.advance(made);
        count(&done.deleted, made);
    })
}

/// Asks before machines are deleted.
fn confirm(store: &Store, ui: Ui, request: &Request, removed: &[MachineName]) -> Result<bool> {
    let question = format!(
        "Permanently delete the keys and CAs of {}? The VMs keep running, and you lose access to Docker there.",
        listed(removed.iter().map(MachineName::as_str))
    );
    let file = request.file.display().to_string();
    ui.confirm(question, &store.command(["apply", &file, "--prune", "--yes"]))
}

/// Prints the plan: how many machines are created, changed, left alone and deleted, and which. It is the result of a dry run, and otherwise a
/// message.
fn print(ui: Ui, request: &Request, fleet: &Fleet, actions: &Actions, names: &[&MachineName]) -> Result<()> {
    let of = |numbers: &[usize]| listed(numbers.iter().map(|n| names[*n].as_str()));
    let row = |count: usize, text: String| match text.is_empty() {
        true => vec![count.to_string()],
        false => vec![format!("{count}   {text}")],
    };
    let changed = actions.update.iter().map(|update| names[update.n].as_str());
    let mut update = row(actions.update.len(), listed(changed));
    update.extend(actions.update.iter().take(SHOWN).map(|update| in_words(update, names[update.n])));
    let them =
        if actions.remove.len() == 1 { "it with its keys and CA" } else { "them with their keys and CAs" };
    let extra = listed(actions.remove.iter().map(MachineName::as_str));
    let remove = match (actions.remove.len(), request.prune) {
        (0, _) => ("remove", row(0, String::new())),
        (count, true) => ("remove", row(count, format!("{extra}: not in the file"))),
        (count, false) => {
            ("extra", row(count, format!("{extra}: not in the file; `--prune` deletes {them}")))
        }
    };
    let mut rows = vec![("create", row(actions.create.len(), of(&actions.create))), ("update", update)];
    if !actions.adopt.is_empty() {
        rows.push(("adopt", row(actions.adopt.len(), of(&actions.adopt))));
    }
    rows.extend([("keep", row(actions.keep.len(), of(&actions.keep))), remove]);
    if request.dry_run {
        return ui.details(&rows);
    }
    let lines = rows.iter().flat_map(|(label, values)| {
        values
            .iter()
            .enumerate()
            .map(move |(n, value)| format!("{:<9}{value}", if n == 0 { label } else { "" }))
    });
    ui.steps(format_args!("fleet `{}`", fleet.name), &lines.collect::<Vec<_>>());
    Ok(())
}

/// The changes of a machine.
fn in_words(update: &Update, name: &MachineName) -> String {
    let changes = update.differences.iter().map(|difference| {
        format!("{} {} (before: {})", difference.field, difference.after, difference.before)
    });
    let certificates = match update.certificates {
        Certificates::Kept => "",
        Certificates::OfHost => "; a new certificate of the host",
        Certificates::OfClient => "; a new client certificate",
        Certificates::All => "; new certificates",
    };
    format!("{name}: {}{certificates}", changes.collect::<Vec<_>>().join(", "))
}

/// A list of names, of which the first are shown.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Notes what the user should know, and prints the next steps.
fn tell(store: &Store, ui: Ui, request: &Request, fleet: &Fleet, actions: &Actions) {
    let Actions { create, update, adopt, remove, .. } = actions;
    if !create.is_empty() || !update.is_empty() {
        let mut notes = BTreeSet::new();
        for n in fleet.firsts() {
            let spec = fleet.spec(n);
            notes.extend(password_notes(&spec));
            if spec.host.engine_install_url.is_some()
                && let Ok(plan) = fleet.plan(n)
            {
                notes.extend(install_url_note(&spec, &plan.host.docker));
            }
        }
        notes.iter().for_each(|note| ui.note(note));
    }
    if request.dry_run {
        return ui.note("this is a dry run: nothing was written");
    }
    let mut done = vec![format!("{} created", create.len()), format!("{} changed", update.len())];
    if !adopt.is_empty() {
        done.push(format!("{} taken into the fleet", adopt.len()));
    }
    if request.prune {
        done.push(format!("{} deleted", remove.len()));
        remove.iter().for_each(|name| context::note_left(store, ui, name));
        if !remove.is_empty() {
            ui.note(
                "if there are still VMs of deleted machines, they keep running: delete them in their cloud",
            );
        }
    }
    let mut steps = Vec::new();
    let of_host: Vec<&Update> = update.iter().filter(|update| update.is_of_host()).collect();
    if !of_host.is_empty() {
        steps.push("The running hosts are not changed. Replace their VMs with new user-data.".to_owned());
        if of_host.len() <= MAX_PASTED && of_host.iter().all(|update| !update.needs_vm.contains(&true)) {
            let names = of_host.iter().map(|update| fleet.members[update.n].name.as_str());
            steps.push("Or bring the changes to the running hosts:".to_owned());
            steps.push(format!("   {}", store.command(["renew", "--apply"].into_iter().chain(names))));
        }
    }
    let unchanged = actions.keep.len();
    ui.steps(format_args!("fleet `{}`: {}, {unchanged} unchanged", fleet.name, done.join(", ")), &steps);
}

/// The JSON of the command.
#[derive(Serialize)]
struct View<'a> {
    version: u32,
    fleet: &'a str,
    dry_run: bool,
    create: Vec<&'a str>,
    update: Vec<UpdateView<'a>>,
    /// Machines of no fleet that were or would be taken into this one.
    adopt: Vec<&'a str>,
    keep: Vec<&'a str>,
    /// Machines of the fleet that are not in the file.
    remove: Vec<&'a str>,
    /// True if those were or would be deleted.
    prune: bool,
}

#[derive(Serialize)]
struct UpdateView<'a> {
    name: &'a str,
    options: Vec<OptionView<'a>>,
    /// `none`, `host`, `client` or `all`.
    new_certificates: &'static str,
}

#[derive(Serialize)]
struct OptionView<'a> {
    option: &'static str,
    before: &'a [String],
    after: &'a [String],
    needs_vm: bool,
}

impl<'a> View<'a> {
    fn new(request: &Request, fleet: &'a Fleet, actions: &'a Actions, names: &[&'a MachineName]) -> Self {
        let of = |numbers: &[usize]| numbers.iter().map(|n| names[*n].as_str()).collect();
        let option = |(difference, needs_vm): (&'a crate::fleet::Difference, &bool)| OptionView {
            option: difference.field,
            before: &difference.values[0],
            after: &difference.values[1],
            needs_vm: *needs_vm,
        };
        let update = |update: &'a Update| UpdateView {
            name: names[update.n].as_str(),
            options: update.differences.iter().zip(&update.needs_vm).map(option).collect(),
            new_certificates: match update.certificates {
                Certificates::Kept => "none",
                Certificates::OfHost => "host",
                Certificates::OfClient => "client",
                Certificates::All => "all",
            },
        };
        Self {
            version: VERSION,
            fleet: fleet.name.as_str(),
            dry_run: request.dry_run,
            create: of(&actions.create),
            update: actions.update.iter().map(update).collect(),
            adopt: of(&actions.adopt),
            keep: of(&actions.keep),
            remove: actions.remove.iter().map(MachineName::as_str).collect(),
            prune: request.prune,
        }
    }
}
