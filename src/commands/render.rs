//! `render`: the seed of a stored machine, always the same bytes.

use std::path::Path;

use anyhow::{Context, Result};

use super::machine_name;
use crate::render::{self, Format};
use crate::store::{self, Store};
use crate::ui::Ui;

/// Prints a seed, or writes it to `output`. Never to a file that others can read.
pub fn render(store: &Store, ui: Ui, name: &str, format: &str, output: Option<&Path>) -> Result<()> {
    let name = machine_name(name)?;
    let form = Format::named(format).with_context(|| format!("there is no format `{format}`"))?;
    let plan = store.plan(&name)?;
    let identity = store.host_identity(&plan)?;
    let seed = render::render_seed(&plan, &identity, form)?;
    match output.filter(|path| *path != Path::new("-")) {
        Some(path) => store::put_artifact(path, &seed),
        None => {
            let option =
                if form == Format::CloudConfig { String::new() } else { format!(" --format {format}") };
            ui.artifact(&seed, &store.command(format_args!("render {name}{option} -o FILE")))
        }
    }
}
