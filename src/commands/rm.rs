//! `rm`: deletes machines with their keys and own CAs.

use std::collections::HashSet;
use std::process::ExitCode;

use anyhow::Result;

use super::{context, machine_name};
use crate::names::MachineName;
use crate::store::Store;
use crate::ui::Ui;

/// Deletes machines after a confirmation: all or none. If the user does not confirm, the exit status is 1.
pub fn rm(store: &Store, ui: Ui, names: &[String], yes: bool) -> Result<ExitCode> {
    let mut machines: Vec<MachineName> = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        let name = machine_name(name)?;
        if seen.insert(name.clone()) {
            machines.push(name);
        }
    }
    if !yes {
        store.check_removal(&machines)?;
        let listed: Vec<_> = machines.iter().map(MachineName::to_string).collect();
        let (keys, runs) = match &listed[..] {
            [name] => (format!("{name}'s keys and CA"), "The VM keeps running"),
            _ => (format!("the keys and CAs of {}", listed.join(", ")), "The VMs keep running"),
        };
        let question = format!("Permanently delete {keys}? {runs}, and you lose access to Docker there.");
        if !ui.confirm(
            question,
            &store.command(["rm", "-y"].into_iter().chain(listed.iter().map(String::as_str))),
        )? {
            ui.note("nothing was deleted");
            return Ok(ExitCode::FAILURE);
        }
    }
    store.remove(&machines)?;
    for name in &machines {
        ui.note(format_args!("deleted `{name}`"));
        context::note_left(store, ui, name);
    }
    ui.note("if there is still a VM, it keeps running: delete it in its cloud");
    Ok(ExitCode::SUCCESS)
}
