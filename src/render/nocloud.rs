//! cloud-init's NoCloud datasource: the files of a seed in a folder, or the disk that has them.

use anyhow::Result;

use super::form::Rendered;
use super::host::Host;
use super::payload::{self, Carriage};
use super::seed;
use crate::artifact::Artifact;
use crate::disk;

/// What the files are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    Folder,
    /// A disk image, FAT.
    Fat,
    /// The image of a CD, ISO 9660.
    Iso,
}

/// Renders the seed. Its instance-id comes of its content, so that cloud-init applies a new seed as it applies the first
/// (cloud-init, "Instance metadata": user-data runs once for an instance-id).
pub fn render(host: &Host, network_config: Option<&[u8]>, medium: Medium) -> Result<Rendered> {
    let user_data = seed::cloud_config(host, Carriage::Packed)?;
    let content = [user_data.bytes.as_slice(), network_config.unwrap_or_default()].concat();
    let name = host.name();
    let id = &payload::sha256(&content)[..16];
    let meta_data = format!("instance-id: \"{name}-{id}\"\nlocal-hostname: \"{name}\"\n");
    let mut files = vec![user_data, Artifact::public("meta-data", meta_data)];
    files.extend(network_config.map(|bytes| Artifact::private("network-config", bytes)));
    Ok(match medium {
        Medium::Folder => Rendered::Folder(files),
        Medium::Fat => Rendered::File(host.artifact("seed.img", disk::fat(&files)?)),
        Medium::Iso => Rendered::File(host.artifact("seed.iso", disk::iso(&files)?)),
    })
}
