//! The formats of a seed, one for each way to deliver it.

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

/// The name of a format.
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
    /// The values of `--format`.
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

    /// The formats for an image without an identity: the values of `bake --format`.
    pub const OF_IMAGES: [(&str, Self); 3] =
        [("bake", Self::Bake), ("packer", Self::Packer), ("imagebuilder", Self::ImageBuilder)];

    /// Finds a format by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// The value of `--format` for this format.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, format)| *format == self);
        found.map(|(name, _)| *name).expect("the list has every form")
    }

    /// Returns whether a cloud can give this format to a new VM as user-data.
    pub fn is_user_data(self) -> bool {
        matches!(self, Self::CloudConfig | Self::Script | Self::Mime | Self::Ignition)
    }

    /// The usual endings of a file of this format. Empty for a folder.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::CloudConfig => &["yaml", "yml", "txt", "user-data"],
            Self::Mime => &["mime", "txt", "user-data"],
            Self::Script | Self::Bake => &["sh"],
            Self::Ignition => &["ign", "json"],
            Self::ImageBuilder => &["yaml", "yml"],
            Self::NoCloud | Self::Packer | Self::Terraform => &[],
        }
    }

    /// The usual end of a file name after the machine's name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::CloudConfig | Self::Mime | Self::NoCloud | Self::Packer | Self::Terraform => "user-data",
            Self::Script => "user-data.sh",
            Self::Bake => "bake.sh",
            Self::Ignition => "ign",
            Self::ImageBuilder => "yaml",
        }
    }

    /// Returns whether the format consists of several files.
    pub fn is_folder(self) -> bool {
        matches!(self, Self::NoCloud | Self::Packer | Self::Terraform)
    }
}

/// A format with its parameters.
#[derive(Debug)]
pub enum Form {
    CloudConfig,
    Script,
    /// hostseed's cloud-config, and the user's parts.
    Mime(Vec<Part>),
    /// hostseed's config, and the configs that Ignition merges into it.
    Ignition(Vec<Merged>),
    NoCloud {
        /// cloud-init's network configuration, copied unchanged.
        network_config: Option<Vec<u8>>,
        medium: Medium,
    },
    Bake,
    Packer,
    ImageBuilder,
    /// The connection of a client to the machine.
    Terraform(Connection),
}

/// Renders a format. If the whole is compressed, the files inside are not.
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
        Form::Packer => return packer::render(host).map(Rendered::folder),
        Form::ImageBuilder => imagebuilder::render(host)?,
        Form::Terraform(connection) => return terraform::render(host, connection).map(Rendered::folder),
    };
    Ok(Rendered::File(packing.pack(file)))
}
