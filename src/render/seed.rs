//! Renders the seeds with a host's files: a cloud-config, and the script for consoles and image builders. A seed that contains a
//! private key is readable only by its owner.

use anyhow::Result;

use super::host::Host;
use super::packing::is_just_above_limit;
use crate::artifact::Artifact;
use crate::plan::HostRole;
use crate::userdata::contents::Contents;
use crate::userdata::payload::PayloadEncoding;
use crate::userdata::{cloud_config, script};

/// Renders user-data for cloud-init.
pub fn cloud_config(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact(
        "user-data",
        below_limit(contents(host, false)?, |contents| cloud_config::write(contents, encoding))?,
    ))
}

/// Renders a script that sets up the host on which it runs.
pub fn script(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact(
        "user-data.sh",
        below_limit(contents(host, false)?, |contents| script::write(contents, encoding))?,
    ))
}

/// Renders user-data. Uses the slower compression if it may bring the size below the limit of every cloud.
pub fn below_limit<T: AsRef<[u8]>>(
    mut contents: Contents,
    write: impl Fn(&Contents) -> Result<T>,
) -> Result<T> {
    let text = write(&contents)?;
    if !is_just_above_limit(text.as_ref().len()) {
        return Ok(text);
    }
    contents.smallest = true;
    write(&contents)
}

/// Renders a script that prepares the image in which it runs.
pub fn bake(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    Ok(host.artifact("bake.sh", script::write(&contents(host, true)?, encoding)?))
}

/// Returns the contents of a host's seed. `image` selects the contents for an image.
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
        // A component of Image Builder has a limit, and contains the same script as `bake`.
        smallest: image,
    })
}
