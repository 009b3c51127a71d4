//! The forms that a seed takes, by the place that it goes to.

use anyhow::Result;

use super::Connection;
use super::host::Host;
use super::ignition;
use super::imagebuilder;
use super::mime;
use super::nocloud::{self, Medium};
use super::packer;
use super::packing::Packing;
use super::rendered::Rendered;
use super::seed;
use super::terraform;
use crate::userdata::ignition::Merged;
use crate::userdata::mime::Part;
use crate::userdata::payload::PayloadEncoding;

/// The name of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    CloudConfig,
    Script,
    Mime,
    Ignition,
    NoCloud,
    Bake,
    Packer,
    ImageBuilder,
    Terraform,
}

impl Format {
    /// As written after `--format`.
    pub const ALL: [(&str, Self); 9] = [
        ("cloud-config", Self::CloudConfig),
        ("script", Self::Script),
        ("mime", Self::Mime),
        ("ignition", Self::Ignition),
        ("nocloud", Self::NoCloud),
        ("bake", Self::Bake),
        ("packer", Self::Packer),
        ("imagebuilder", Self::ImageBuilder),
        ("terraform", Self::Terraform),
    ];

    /// Those that an image without an identity has, as written after `bake --format`.
    pub const OF_IMAGES: [(&str, Self); 3] =
        [("bake", Self::Bake), ("packer", Self::Packer), ("imagebuilder", Self::ImageBuilder)];

    /// The form of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// As written after `--format`.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, format)| *format == self);
        found.map(|(name, _)| *name).expect("the list has every form")
    }

    /// Whether it is what a cloud hands to a new VM.
    pub fn is_user_data(self) -> bool {
        matches!(self, Self::CloudConfig | Self::Script | Self::Mime | Self::Ignition)
    }

    /// Whether it is several files.
    pub fn is_folder(self) -> bool {
        matches!(self, Self::NoCloud | Self::Packer | Self::Terraform)
    }
}

/// A form with what it takes beside the machine.
#[derive(Debug)]
pub enum Form {
    CloudConfig,
    Script,
    /// Ours, and the user's parts.
    Mime(Vec<Part>),
    /// Ours, and the configs that Ignition is to merge into it.
    Ignition(Vec<Merged>),
    NoCloud {
        /// cloud-init's network configuration, as it is.
        network_config: Option<Vec<u8>>,
        medium: Medium,
    },
    Bake,
    Packer,
    ImageBuilder,
    /// How a client reaches the machine.
    Terraform(Connection),
}

/// Renders a form. What is to be compressed as a whole has nothing compressed inside.
pub fn render(host: &Host, form: &Form, packing: Packing) -> Result<Rendered> {
    let encoding = if packing.gzip { PayloadEncoding::Plain } else { PayloadEncoding::GzipBase64 };
    let file = match form {
        Form::CloudConfig => seed::cloud_config(host, encoding)?,
        Form::Script => seed::script(host, encoding)?,
        Form::Mime(parts) => mime::render(host, parts, encoding)?,
        Form::Ignition(merged) => ignition::render(host, merged)?,
        Form::NoCloud { network_config, medium } => {
            return nocloud::render(host, network_config.as_deref(), *medium);
        }
        Form::Bake => seed::bake(host, encoding)?,
        Form::Packer => return packer::render(host).map(Rendered::Folder),
        Form::ImageBuilder => imagebuilder::render(host)?,
        Form::Terraform(connection) => return terraform::render(host, connection).map(Rendered::Folder),
    };
    Ok(Rendered::File(packing.pack(file)))
}
