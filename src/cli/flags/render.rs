//! `render`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::replace;
use crate::cli::values::{cloud, names};
use crate::clouds::Cloud;
use crate::commands::render::Request;
use crate::render::{Format, Packing};

#[derive(Debug, Args)]
pub struct Render {
    /// The machine
    name: String,

    /// The format [default: cloud-config]
    #[arg(long, value_parser = names(&Format::ALL))]
    format: Option<String>,

    /// Target cloud: use its encoding and enforce its size limit; `hostseed clouds` lists the names
    #[arg(long = "for", value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
    cloud: Option<&'static Cloud>,

    /// Compress the user-data
    #[arg(long)]
    gzip: bool,

    /// Encode the user-data in base64, after compression
    #[arg(long)]
    base64: bool,

    /// For the format mime: add user-data of your own; its type comes from its first line if you give none; repeatable
    #[arg(long = "part", value_name = "FILE[:TYPE]", value_hint = ValueHint::FilePath)]
    parts: Vec<String>,

    /// For the format ignition: merge a config of your own; repeatable
    #[arg(long = "merge", value_name = "FILE", value_hint = ValueHint::FilePath)]
    merged: Vec<PathBuf>,

    /// For the format nocloud: add cloud-init's network configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    network_config: Option<PathBuf>,

    /// Write to PATH, with mode 0600, instead of standard output: a folder for formats of several files; for nocloud
    /// FILE.img or FILE.iso is a disk
    #[arg(short, long, value_name = "PATH", visible_alias = "output", value_hint = ValueHint::AnyPath)]
    out: Option<PathBuf>,

    /// Copy to the clipboard instead of printing; over SSH to that of your terminal
    #[arg(long, conflicts_with = "out")]
    copy: bool,

    /// Replace existing files, also those that hostseed did not write or that have changed since
    #[arg(long)]
    force: bool,

    /// Render even if a certificate of the machine has expired
    #[arg(long)]
    allow_expired: bool,
}

impl Render {
    /// The request that the flags make.
    pub fn request(self) -> Request {
        Request {
            name: self.name,
            format: self.format.as_deref().and_then(Format::named),
            cloud: self.cloud,
            packing: Packing { gzip: self.gzip, base64: self.base64 },
            parts: self.parts,
            merged: self.merged,
            network_config: self.network_config,
            out: self.out,
            copy: self.copy,
            replace: replace(self.force),
            allow_expired: self.allow_expired,
        }
    }
}
