//! Commands with all options of a machine or an image: `create`, `update` and `bake`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::replace;
use crate::cli::values::{cloud, names, option_names};
use crate::clouds::Cloud;
use crate::options::{Host, Identity, Word};
use crate::render::Format;
use crate::spec::Spec;
use crate::store::Replace;

#[derive(Debug, Args)]
pub struct Create {
    /// The machine's name: a host name of letters, digits, `-` and `.`
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,

    /// Read all options from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", value_hint = ValueHint::FilePath, conflicts_with_all = ["name", "identity", "host"])]
    pub file: Option<PathBuf>,

    /// Target cloud: enforce its size limit and print its instructions; `hostseed clouds` lists the names
    #[arg(long = "for", value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
    pub cloud: Option<&'static Cloud>,

    /// Accept an existing machine with the same settings, and print its next steps
    #[arg(long)]
    pub if_missing: bool,

    /// Print what would be created, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print the machine as JSON: paths, addresses, fingerprints, expiry dates and options
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub identity: Identity,

    #[command(flatten)]
    pub host: Host,
}

impl Create {
    /// The spec that the flags make.
    pub fn spec(self) -> Spec {
        spec(self.name, self.identity, self.host)
    }
}

#[derive(Debug, Args)]
pub struct Update {
    /// The machine
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,

    /// Read all options from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["name", "unset", "identity", "host"])]
    pub file: Option<PathBuf>,

    /// Remove the values of an option, or set its default; repeatable
    #[arg(long, value_name = "OPTION", value_parser = option_names(), hide_possible_values = true)]
    pub unset: Vec<String>,

    /// Print what would be changed, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub identity: Identity,

    #[command(flatten)]
    pub host: Host,
}

impl Update {
    /// The spec that the flags make.
    pub fn spec(self) -> Spec {
        spec(self.name, self.identity, self.host)
    }
}

#[derive(Debug, Args)]
pub struct Bake {
    /// Read all options from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", value_hint = ValueHint::FilePath, conflicts_with = "host")]
    pub file: Option<PathBuf>,

    /// The format, for the image builder
    #[arg(long, default_value = "bake", value_parser = names(&Format::OF_IMAGES))]
    format: String,

    /// Write to PATH instead of standard output: a folder for the format packer
    #[arg(short, long, value_name = "PATH", visible_alias = "output", value_hint = ValueHint::AnyPath)]
    pub out: Option<PathBuf>,

    /// Replace existing files, also those that hostseed did not write or that have changed since
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    pub host: Host,
}

impl Bake {
    /// The format of `--format`.
    pub fn format(&self) -> Format {
        Format::named(&self.format).unwrap_or(Format::Bake)
    }

    /// The existing files that may be replaced.
    pub fn replace(&self) -> Replace {
        replace(self.force)
    }
}

fn spec(name: Option<String>, identity: Identity, host: Host) -> Spec {
    let given = [identity.given(), host.given()].concat().into_iter().map(str::to_owned).collect();
    Spec { name: name.map(Word::from), identity, given, ..Spec::of_image(host) }
}
