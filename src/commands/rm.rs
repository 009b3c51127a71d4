//! `rm`: machines and their own authorities, gone for good.

use anyhow::Result;

use super::machine_name;
use crate::names::MachineName;
use crate::store::Store;
use crate::ui::Ui;

/// Removes machines, after asking. None is removed when one of the names is wrong.
pub fn rm(store: &Store, ui: Ui, names: &[String], yes: bool) -> Result<()> {
    let names = names.iter().map(|name| machine_name(name)).collect::<Result<Vec<MachineName>>>()?;
    for name in &names {
        store.require(name)?;
    }
    let listed: Vec<_> = names.iter().map(MachineName::to_string).collect();
    let question = format!(
        "remove {} and its authority? Nobody can command its host with these certificates again.",
        listed.join(", ")
    );
    if !yes && !ui.confirm(question, &store.command(format_args!("rm -y {}", listed.join(" "))))? {
        ui.note("nothing was removed");
        return Ok(());
    }
    for name in &names {
        store.remove(name)?;
        ui.note(format_args!("removed `{name}`"));
    }
    Ok(())
}
