//! Commands of a fleet: `apply` and `init`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::replace;
use crate::cli::values::names;
use crate::commands::{ApplyRequest, Example};
use crate::store::Replace;

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

    /// Take machines of no fleet into this one, if they are as the file says
    #[arg(long)]
    adopt: bool,

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
        let Self { file, dry_run, prune, adopt, yes, json } = self;
        ApplyRequest { file, dry_run, prune, adopt, yes, json }
    }
}

#[derive(Debug, Args)]
pub struct Init {
    /// `fleet` for a fleet file, `spec` for the spec file of one machine
    #[arg(value_name = "EXAMPLE", default_value = "fleet", value_parser = names(&Example::ALL))]
    example: String,

    /// Write to FILE (`-`: standard output) [default: fleet.yaml or web1.yaml]
    #[arg(short, long, value_name = "FILE", visible_alias = "output", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,

    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

impl Init {
    /// The example, its file and the files that may be replaced.
    pub fn request(self) -> (Example, Option<PathBuf>, Replace) {
        let named = Example::ALL.into_iter().find(|(name, _)| *name == self.example);
        (named.map_or(Example::Fleet, |(_, example)| example), self.out, replace(self.force))
    }
}
