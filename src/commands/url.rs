//! `url` and `ip`: a machine's DOCKER_HOST and its address.

use anyhow::Result;

use super::machine_name;
use crate::store::Store;
use crate::ui::Ui;

/// Prints `DOCKER_HOST`.
pub fn url(store: &Store, ui: Ui, name: &str) -> Result<()> {
    let record = store.record(&machine_name(name)?)?;
    ui.out(format!("{}\n", record.url))
}

/// Prints the address.
pub fn ip(store: &Store, ui: Ui, name: &str) -> Result<()> {
    let record = store.record(&machine_name(name)?)?;
    ui.out(format!("{}\n", record.host))
}
