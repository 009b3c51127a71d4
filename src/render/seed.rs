//! Renders the seeds with a host's files: a cloud-config, and the script for consoles and image builders. A seed that contains a
//! private key is readable only by its owner.

use anyhow::Result;

use super::host::Host;
use crate::artifact::Artifact;
use crate::plan::HostRole;
use crate::secret::Secret;
use crate::userdata::contents::Contents;
use crate::userdata::payload::PayloadEncoding;
use crate::userdata::{cloud_config, script};

/// Renders user-data for cloud-init.
pub fn cloud_config(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact("user-data", cloud_config::write(&contents(host, false)?, encoding)?))
}

/// Renders a script that sets up the host on which it runs.
pub fn script(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact("user-data.sh", script::write(&contents(host, false)?, encoding)?))
}

/// Renders a script that prepares the image in which it runs.
pub fn bake(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact("bake.sh", script::write(&contents(host, true)?, encoding)?))
}

/// Returns the contents of a host's seed. `image` selects the contents for an image.
pub fn contents(host: &Host, image: bool) -> Result<Contents> {
    let payloads = host.payloads()?;
    let settings = Secret::new(host.settings(&payloads, image)?);
    Ok(Contents {
        machine: host.name().to_owned(),
        port: host.plan.port,
        image,
        has_identity: host.machine.is_some(),
        issues: host.role() == Some(HostRole::BootIssuer),
        payloads,
        setup: host.setup(image),
        settings,
    })
}
