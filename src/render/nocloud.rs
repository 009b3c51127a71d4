//! cloud-init's NoCloud datasource: the files of a seed in a folder, or the disk that has them.

use anyhow::Result;

use super::host::Host;
use super::rendered::Rendered;
use super::seed;
use crate::disk;
use crate::userdata::nocloud;
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

/// Renders the seed.
pub fn render(host: &Host, network_config: Option<&[u8]>, medium: Medium) -> Result<Rendered> {
    let user_data = seed::cloud_config(host, PayloadEncoding::GzipBase64)?;
    let files = nocloud::write(host.name(), user_data, network_config);
    Ok(match medium {
        Medium::Folder => Rendered::Folder(files),
        Medium::Fat => Rendered::File(host.artifact("seed.img", disk::fat(&files)?)),
        Medium::Iso => Rendered::File(host.artifact("seed.iso", disk::iso(&files)?)),
    })
}
