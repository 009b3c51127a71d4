//! Renders a seed for cloud-init's NoCloud datasource: a folder with the files, or a disk image that contains them.

use anyhow::Result;

use super::host::Host;
use super::rendered::Rendered;
use super::seed;
use crate::disk;
use crate::userdata::nocloud;
use crate::userdata::payload::PayloadEncoding;

/// The medium of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    Folder,
    /// A FAT disk image.
    Fat,
    /// An ISO 9660 CD image.
    Iso,
}

/// Renders the seed.
pub fn render(host: &Host, network_config: Option<&[u8]>, medium: Medium) -> Result<Rendered> {
    let user_data = seed::cloud_config(host, PayloadEncoding::GzipBase64)?;
    let files = nocloud::write(host.name(), user_data, network_config);
    Ok(match medium {
        Medium::Folder => Rendered::folder(files),
        Medium::Fat => Rendered::File(host.artifact("seed.img", disk::fat(&files)?)),
        Medium::Iso => Rendered::File(host.artifact("seed.iso", disk::iso(&files)?)),
    })
}
