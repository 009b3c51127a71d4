//! Renders a multipart archive with the user's own user-data and hostseed's cloud-config.

use anyhow::Result;

use super::host::Host;
use super::seed;
use crate::artifact::Artifact;
use crate::userdata::cloud_config;
use crate::userdata::mime::{self, Part};
use crate::userdata::payload::PayloadEncoding;

/// Renders the archive.
pub fn render(host: &Host, parts: &[Part], encoding: PayloadEncoding) -> Result<Artifact> {
    let config = cloud_config::write(&seed::contents(host, false)?, encoding)?;
    Ok(host.artifact("user-data", mime::write(parts, config.as_bytes())))
}
