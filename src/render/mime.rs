//! Renders a multipart archive with the user's own user-data and hostseed's cloud-config.

use anyhow::Result;

use super::host::Host;
use super::seed;
use crate::artifact::Artifact;
use crate::userdata::mime::{self, Part};
use crate::userdata::payload::PayloadEncoding;

/// Renders the archive.
pub fn render(host: &Host, parts: &[Part], encoding: PayloadEncoding) -> Result<Artifact> {
    let ours = seed::cloud_config(host, encoding)?;
    Ok(host.artifact("user-data", mime::write(parts, &ours.bytes)))
}
