//! `completions`: the completion script for a shell.

use anyhow::Result;

use crate::ui::Ui;

/// Prints the completions of `command` for a shell.
pub fn completions(ui: Ui, shell: clap_complete::Shell, mut command: clap::Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, env!("CARGO_PKG_NAME"), &mut script);
    ui.out(script)
}
