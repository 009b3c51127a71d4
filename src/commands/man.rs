//! `man`: the manual pages, one for each command.

use std::path::Path;

use anyhow::Result;
use clap_mangen::Man;
use time::OffsetDateTime;

use crate::artifact::Artifact;
use crate::store;
use crate::ui::Ui;

/// Prints the page of `command` itself, also with `-` as the folder, or writes its page and those of its subcommands into `dir`.
pub fn man(ui: Ui, now: OffsetDateTime, dir: Option<&Path>, mut command: clap::Command) -> Result<()> {
    // Subcommands get their names for display, `hostseed-create`.
    command.build();
    let Some(dir) = dir.filter(|dir| *dir != Path::new("-")) else { return ui.out(page(&command)?) };
    let pages: Vec<Artifact> = commands(&command)
        .into_iter()
        .map(|command| {
            let name = command.get_display_name().unwrap_or(command.get_name());
            Ok(Artifact::public(format!("{name}.1"), page(command)?))
        })
        .collect::<Result<_>>()?;
    store::put_pages(dir, pages, now)
}

/// A command and those below it.
fn commands(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
    [command].into_iter().chain(below.flat_map(commands)).collect()
}

/// A page in roff, for section 1.
fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}
