//! `rename`: gives a machine another name.

use anyhow::Result;

use super::{context, machine_name};
use crate::diag::Report;
use crate::names::MachineName;
use crate::shell::Shell;
use crate::store::Store;
use crate::ui::Ui;

/// Renames a machine. The running host and its certificates keep the old name.
pub fn rename(store: &Store, ui: Ui, old: &str, new: &str) -> Result<()> {
    let old = machine_name(old)?;
    let new = MachineName::parse_new(new).map_err(|problem| Report::from(problem.about("the new name")))?;
    let renamed = store.rename(&old, &new)?;
    ui.note(format_args!("`{old}` is `{new}` now"));
    if renamed.is_rendered {
        ui.note(format_args!(
            "the user-data has the new name, so Terraform would replace the VM; a running host keeps the name `{old}` on its console and in its certificates"
        ));
    }
    for user in &renamed.ca_users {
        ui.note(format_args!("`{user}` uses the same CA, and its files have the CA's new path now"));
    }
    context::note_renamed(store, ui, &old, &new);
    let connect = Shell::of_user().connect(&store.command(["env", new.as_str()]));
    ui.steps("Shells with the environment of the old name need the new one:", &connect);
    Ok(())
}
