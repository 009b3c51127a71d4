//! `renew`.

use clap::Args;

use crate::cli::values::{duration, key_type};
use crate::commands::RenewRequest;
use crate::plan::{KeyType, ValidFor};

#[derive(Debug, Args)]
pub struct Renew {
    /// The machines
    #[arg(required = true)]
    names: Vec<String>,

    /// Validity of the new certificates, such as 720h, 90d or 2y, now and at later renewals [default: as before]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "undo")]
    valid_for: Option<ValidFor>,

    /// Type of the new keys, now and at later renewals: p256, p384, ed25519, rsa2048 or rsa4096 [default: as before]
    #[arg(long, value_name = "KIND", value_parser = key_type(), hide_possible_values = true, conflicts_with = "undo")]
    key: Option<KeyType>,

    /// Replace the CA, too, which revokes all client certificates; with --apply in three steps, each run with --yes does the next one
    #[arg(long, conflicts_with = "undo")]
    authority: bool,

    /// Bring the new files to the running host through Docker's API, and restart Docker there
    #[arg(long, conflicts_with = "undo")]
    apply: bool,

    /// With --authority --apply: replace the CA in one switch instead of three steps, which locks out all other clients at once
    #[arg(long, requires_all = ["authority", "apply"])]
    at_once: bool,

    /// Install the units for --apply on a host that lacks them: a container runs systemctl there as root
    #[arg(long, requires = "apply")]
    install_units: bool,

    /// Put the files from before the last change back, as long as no host is known to have the new ones
    #[arg(long)]
    undo: bool,

    /// Print what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

impl Renew {
    /// The request that the flags make.
    pub fn request(&self) -> RenewRequest<'_> {
        RenewRequest {
            names: &self.names,
            valid_for: self.valid_for,
            key: self.key,
            authority: self.authority,
            apply: self.apply,
            at_once: self.at_once,
            install_units: self.install_units,
            undo: self.undo,
            dry_run: self.dry_run,
            yes: self.yes,
        }
    }
}
