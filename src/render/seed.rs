//! The forms of a seed: cloud-config, and the script that serves consoles and image builders.

use anyhow::Result;
use minijinja::{Value, context};

use super::host::{self, Host};
use crate::artifact::Artifact;
use crate::plan::HostRole;
use crate::templates::{self, quote};
use crate::userdata::paths::{self, SETUP};
use crate::userdata::payload::{Payload, PayloadEncoding};

/// User-data that cloud-init reads.
pub fn cloud_config(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    render(host, "seed/cloud-config", "user-data", false, encoding)
}

/// A script that sets up the host on which it is run.
pub fn script(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    render(host, "seed/script", "user-data.sh", false, encoding)
}

/// A script that prepares the image in which it is run.
pub fn bake(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    render(host, "seed/script", "bake.sh", true, encoding)
}

/// It is private where it holds a key.
fn render(
    host: &Host,
    template: &str,
    file: &str,
    image: bool,
    encoding: PayloadEncoding,
) -> Result<Artifact> {
    let payloads = host.payloads()?;
    let setup = Payload::new(host.setup(&payloads, image)?.as_bytes(), encoding);
    let carried: Vec<Value> = payloads
        .iter()
        .map(|file| carry(&Payload::new(&file.bytes, encoding), &paths::staged(&file.path)))
        .collect();
    let values = context! {
        machine => host.name(),
        port => host.plan.port,
        mode => host::mode(image),
        packed => encoding == PayloadEncoding::GzipBase64,
        has_identity => host.machine.is_some(),
        issues => host.role() == Some(HostRole::BootIssuer),
        payloads => carried,
        setup => carry(&setup, SETUP),
        run_setup => format!("echo {} | sha256sum -c && exec {SETUP}", quote::shell(&format!("{}  {SETUP}", setup.sha256))),
    };
    let text = templates::render(template, values)?;
    Ok(host.artifact(file, text))
}

fn carry(payload: &Payload, staged: &str) -> Value {
    let end = match payload.encoding {
        PayloadEncoding::GzipBase64 => "END".to_owned(),
        // No file has a line that names itself.
        PayloadEncoding::Plain => format!("END OF {}", staged.rsplit('/').next().unwrap_or_default()),
    };
    context! {
        staged,
        end,
        sha256 => payload.sha256.as_str(),
        text => payload.text.as_str(),
        lines => payload.lines(),
    }
}
