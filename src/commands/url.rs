//! `url` and `ip`: the DOCKER_HOST and the address of machines.

use anyhow::Result;

use super::machine_name;
use crate::store::{Record, Store};
use crate::ui::Ui;

/// Prints `DOCKER_HOST`, a line for each machine.
pub fn url(store: &Store, ui: Ui, names: &[String]) -> Result<()> {
    print(store, ui, names, |record| record.url)
}

/// Prints the address, a line for each machine.
pub fn ip(store: &Store, ui: Ui, names: &[String]) -> Result<()> {
    print(store, ui, names, |record| record.host)
}

/// Prints nothing if one of the machines cannot be read.
fn print(store: &Store, ui: Ui, names: &[String], field: impl Fn(Record) -> String) -> Result<()> {
    let line = |name: &String| Ok(field(store.record(&machine_name(name)?)?) + "\n");
    ui.out(names.iter().map(line).collect::<Result<String>>()?)
}
