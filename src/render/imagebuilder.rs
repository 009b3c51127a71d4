//! A component of EC2 Image Builder: a YAML document that bakes an image, looks at what is in it, and asks an instance of it.

use anyhow::Result;
use minijinja::context;

use super::host::Host;
use super::seed;
use crate::artifact::Artifact;
use crate::report::Failure;
use crate::templates;
use crate::userdata::digest::sha256;

/// Characters that `create-component --data` takes (EC2 Image Builder API Reference, CreateComponent).
const DATA_MAX: usize = 16_000;
/// Bytes of a component, also of one from S3 (AWS General Reference, "EC2 Image Builder endpoints and quotas": 64 KB).
const COMPONENT_MAX: usize = 64 * 1024;

/// Renders the document. It tells how to give it to Image Builder, which depends on its length.
pub fn render(host: &Host) -> Result<Artifact> {
    let mut text = component(host, true)?;
    if text.chars().count() > DATA_MAX {
        text = component(host, false)?;
    }
    if text.len() > COMPONENT_MAX {
        let message =
            format!("the component is {} bytes, EC2 Image Builder takes {COMPONENT_MAX}", text.len());
        return Err(Failure::new(message)
            .hint("fewer `--engine-label` and `--engine-env` make it smaller")
            .into());
    }
    Ok(host.artifact("component.yaml", text))
}

/// `inline`: it is short enough to be given as `--data`.
fn component(host: &Host, inline: bool) -> Result<String> {
    let (machine, port) = (host.name(), host.plan.port);
    let values = context! { machine, port, stem => host.stem() };
    let validate = templates::render("imagebuilder/validate.sh", values.clone())?;
    let test = templates::render("imagebuilder/test.sh", values.clone())?;
    let phases = [("validate", &validate), ("test", &test)];
    let bake = seed::bake_beside(
        host,
        phases.into_iter().map(|(phase, text)| (phase.to_owned(), sha256(text.as_bytes()))).collect(),
    )?;
    let document = context! {
        inline,
        name => name(machine),
        description => description(machine, port),
        // Image Builder takes what is between `{{` and `}}` for its own. The payloads are base64, and nothing else in the bake
        // or the scripts has two braces in a row.
        build => String::from_utf8_lossy(&bake.bytes),
        validate,
        test,
        ..values
    };
    templates::render("imagebuilder/component.yaml", document)
}

/// A component's name has letters, digits, `-`, `_` and spaces (EC2 Image Builder API Reference, CreateComponent).
fn name(machine: &str) -> String {
    match machine {
        "" => "hostseed".into(),
        machine => format!("hostseed-{}", machine.replace('.', "-")),
    }
}

fn description(machine: &str, port: u16) -> String {
    match machine {
        "" => format!("Docker under mutual TLS on port {port}, without an identity"),
        machine => {
            format!("Docker host {machine}: Docker under mutual TLS on port {port}, with its identity")
        }
    }
}
