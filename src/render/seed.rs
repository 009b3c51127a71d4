//! The forms of a seed: cloud-config, and the script that serves consoles and image builders.

use anyhow::Result;
use minijinja::{Value, context};

use super::Format;
use super::host::{self, Host, STAGING};
use super::payload::Payload;
use super::{quote, templates};
use crate::artifact::Artifact;
use crate::plan::HostRole;

const SETUP: &str = "/usr/local/lib/hostseed/setup";

/// Renders a seed. It is private where it holds a key.
pub fn render(host: &Host, format: Format) -> Result<Artifact> {
    let image = format == Format::Bake;
    let payloads = host.payloads()?;
    let setup = Payload::new(host.setup(&payloads, image)?.as_bytes());
    let carried: Vec<Value> = payloads
        .iter()
        .map(|file| carry(&Payload::new(&file.bytes), &format!("{STAGING}/{}", file.file_name())))
        .collect();
    let values = context! {
        machine => host.name(),
        port => host.plan.port,
        mode => host::mode(image),
        has_identity => host.machine.is_some(),
        issues => host.role() == Some(HostRole::BootIssuer),
        payloads => carried,
        setup => carry(&setup, SETUP),
        run_setup => format!("echo {} | sha256sum -c && exec {SETUP}", quote::shell(&format!("{}  {SETUP}", setup.sha256))),
    };
    let template = match format {
        Format::CloudConfig => "seed/cloud-config",
        Format::Script | Format::Bake => "seed/script",
    };
    let text = templates::render(template, values)?;
    Ok(match host.machine {
        Some(_) => Artifact::private(format.file_name(), text),
        None => Artifact::public(format.file_name(), text),
    })
}

fn carry(payload: &Payload, staged: &str) -> Value {
    context! {
        staged,
        sha256 => payload.sha256.as_str(),
        base64 => payload.base64.as_str(),
        lines => payload.lines(),
    }
}
