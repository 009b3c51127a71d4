//! Commands of a fleet: `apply`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::commands::ApplyRequest;

#[derive(Debug, Args)]
pub struct Apply {
    /// The fleet file (`-`: standard input); `hostseed init` writes an example
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Print what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Delete the machines of the fleet that are not in the file, with their keys and CAs
    #[arg(long)]
    prune: bool,

    /// With `--prune`: do not ask for confirmation
    #[arg(short, long)]
    yes: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Apply {
    /// The request that the flags make.
    pub fn request(self) -> ApplyRequest {
        let Self { file, dry_run, prune, yes, json } = self;
        ApplyRequest { file, dry_run, prune, yes, json }
    }
}
