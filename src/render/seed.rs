//! The seeds that bring a host's files: a cloud-config, and the script that serves consoles and image builders. Each is private where
//! it holds a key.

use anyhow::Result;

use super::host::Host;
use crate::artifact::Artifact;
use crate::plan::HostRole;
use crate::userdata::contents::Contents;
use crate::userdata::payload::PayloadEncoding;
use crate::userdata::{cloud_config, script};

/// User-data that cloud-init reads.
pub fn cloud_config(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact("user-data", cloud_config::write(&contents(host, false)?, encoding)?))
}

/// A script that sets up the host on which it is run.
pub fn script(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact("user-data.sh", script::write(&contents(host, false)?, encoding)?))
}

/// A script that prepares the image in which it is run.
pub fn bake(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact("bake.sh", script::write(&contents(host, true)?, encoding)?))
}

/// What the seed of a host brings; of an image where `image` says so.
pub fn contents(host: &Host, image: bool) -> Result<Contents> {
    let payloads = host.payloads()?;
    let setup = host.setup(&payloads, image)?;
    Ok(Contents {
        machine: host.name().to_owned(),
        port: host.plan.port,
        image,
        has_identity: host.machine.is_some(),
        issues: host.role() == Some(HostRole::BootIssuer),
        payloads,
        setup,
    })
}
