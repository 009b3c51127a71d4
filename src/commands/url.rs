//! `url` and `ip`: where a machine is reached.

use anyhow::Result;

use super::machine_name;
use crate::store::Store;
use crate::ui::Ui;

/// Prints `DOCKER_HOST`.
pub fn url(store: &Store, ui: Ui, name: &str) -> Result<()> {
    let record = store.record(&machine_name(name)?)?;
    ui.out(format!("{}\n", record.url))
}

/// Prints the address alone.
pub fn ip(store: &Store, ui: Ui, name: &str) -> Result<()> {
    let record = store.record(&machine_name(name)?)?;
    ui.out(format!("{}\n", record.host))
}
