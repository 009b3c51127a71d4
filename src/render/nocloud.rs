//! cloud-init's NoCloud datasource: the files of a seed in a folder, or the disk that has them.

use anyhow::Result;

use super::host::Host;
use super::rendered::Rendered;
use super::seed;
use crate::artifact::Artifact;
use crate::disk;
use crate::userdata::digest::sha256;
use crate::userdata::payload::PayloadEncoding;

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
    let user_data = seed::cloud_config(host, PayloadEncoding::GzipBase64)?;
    let content = [user_data.bytes.as_slice(), network_config.unwrap_or_default()].concat();
    let name = host.name();
    let id = &sha256(&content)[..16];
    let meta_data = format!("instance-id: \"{name}-{id}\"\nlocal-hostname: \"{name}\"\n");
    let mut files = vec![user_data, Artifact::public("meta-data", meta_data)];
    files.extend(network_config.map(|bytes| Artifact::private("network-config", bytes)));
    Ok(match medium {
        Medium::Folder => Rendered::Folder(files),
        Medium::Fat => Rendered::File(host.artifact("seed.img", disk::fat(&files)?)),
        Medium::Iso => Rendered::File(host.artifact("seed.iso", disk::iso(&files)?)),
    })
}
