//! The texts of `renew --authority --apply`: how far machines are, and what to do before the next step.

use anyhow::Result;
use time::OffsetDateTime;

use super::authority::{listed, note_docker_machine};
use super::authority_steps::{Step, command, make_again};
use super::context;
use super::renew::Request;
use crate::names::MachineName;
use crate::shell::Command;
use crate::store::{CaChange, ClientCa, Store};
use crate::ui::Ui;

/// The CAs whose clients a host accepts.
const ACCEPTED: [ClientCa; 2] = [ClientCa::Current, ClientCa::Old];

/// Prints how far machines are, and who is left to get new files. `step` is None if the last step is not on each host.
pub(super) fn print(
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
            Some(Step::TrustBoth) => store.valid_clients(name, now, &ACCEPTED)?,
            _ => store.valid_clients(name, now, &[ClientCa::Old])?,
        };
        clients.extend(old.into_iter().map(|client| format!("{client} of {name}")));
    }
    if !clients.is_empty() {
        rows.push(("clients", clients));
        rows.push(("", vec!["they need new files after step 1, before step 2".to_owned()]));
    }
    ui.details(&rows)
}

pub(super) fn question(step: Option<Step>, names: &[MachineName], request: &Request) -> String {
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
pub(super) fn tell(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    names: &[MachineName],
    request: &Request,
) -> Result<()> {
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
                for client in store.valid_clients(name, now, &ACCEPTED)? {
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
    for client in store.valid_clients(name, now, &[ClientCa::Old])? {
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
