//! Renders an EC2 Image Builder component.

use anyhow::Result;

use super::host::Host;
use super::seed;
use crate::artifact::Artifact;
use crate::userdata::component;

/// Renders the YAML document.
pub fn render(host: &Host) -> Result<Artifact> {
    Ok(host.artifact("component.yaml", component::write(&seed::contents(host, true)?)?))
}
