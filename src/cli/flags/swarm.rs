//! Commands of a fleet's swarm.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueHint};

use crate::cli::WAIT;
use crate::commands::{SwarmStatusRequest, SwarmUpRequest, seconds};

#[derive(Debug, Subcommand)]
pub enum Swarm {
    /// Form the swarm of a fleet file, and change what differs; a second run changes nothing
    Up {
        /// The fleet file (`-`: standard input), whose machines have `swarm:`
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,

        /// Wait for machines that are not up yet, at most this time, such as 90s, 10m or 1h
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = WAIT)]
        #[arg(value_parser = seconds)]
        wait: Option<Duration>,

        /// Print what would be done, and change nothing
        #[arg(long)]
        dry_run: bool,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the nodes of the swarm, and what differs from the fleet file
    Status {
        /// The fleet file (`-`: standard input), whose machines have `swarm:`
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The request that the flags make.
pub enum SwarmRequest {
    Up(SwarmUpRequest),
    Status(SwarmStatusRequest),
}

impl Swarm {
    /// The request that the flags make.
    pub fn request(self) -> SwarmRequest {
        match self {
            Self::Up { file, wait, dry_run, json } => {
                SwarmRequest::Up(SwarmUpRequest { file, wait, dry_run, json })
            }
            Self::Status { file, json } => SwarmRequest::Status(SwarmStatusRequest { file, json }),
        }
    }
}
