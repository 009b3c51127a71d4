//! `rm`: machines and their own authorities, gone for good.

use std::collections::HashSet;

use anyhow::Result;

use super::machine_name;
use crate::names::MachineName;
use crate::store::Store;
use crate::ui::Ui;

/// Removes machines, after asking: all or none.
pub fn rm(store: &Store, ui: Ui, names: &[String], yes: bool) -> Result<()> {
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
        let question =
            format!("remove {}? Client's keys and own authorities go with it, for good.", listed.join(", "));
        if !ui.confirm(question, &store.command(format_args!("rm -y {}", listed.join(" "))))? {
            ui.note("nothing was removed");
            return Ok(());
        }
    }
    store.remove(&machines)?;
    for name in &machines {
        ui.note(format_args!("removed `{name}`"));
    }
    Ok(())
}
