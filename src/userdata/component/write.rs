//! Writes an EC2 Image Builder component: a YAML document that builds an image, validates its content, and tests an instance of
//! it.

use anyhow::Result;
use minijinja::context;

use super::MAX_BYTES;
use crate::diag::{Code, Diagnostic};
use crate::digest::sha256;
use crate::templates;
use crate::userdata::contents::Contents;
use crate::userdata::script;

/// Maximum length for `create-component --data`, in characters (EC2 Image Builder API Reference, CreateComponent).
const DATA_MAX: usize = 16_000;

/// Writes the component that installs `contents` into an image. Its comments explain how to upload it to Image Builder, which
/// depends on its length.
///
/// # Errors
/// The document is longer than Image Builder accepts.
pub fn write(contents: &Contents) -> Result<String> {
    let mut text = component(contents, true)?;
    if text.chars().count() > DATA_MAX {
        text = component(contents, false)?;
    }
    if text.len() > MAX_BYTES {
        let message = format!(
            "the component is {} bytes, and the limit of EC2 Image Builder is {MAX_BYTES}",
            text.len()
        );
        return Err(Diagnostic::error(Code::UserDataTooLarge, message)
            .hint("fewer `--engine-label` and `--engine-env` make it smaller")
            .into());
    }
    Ok(text)
}

/// `inline`: the document is short enough for `--data`.
fn component(contents: &Contents, inline: bool) -> Result<String> {
    let (machine, port) = (contents.machine.as_str(), contents.port);
    let values = context! { machine, port, stem => contents.stem() };
    let validate = templates::render("imagebuilder/validate.sh", values.clone())?;
    let test = templates::render("imagebuilder/test.sh", values.clone())?;
    let phases = [("validate", &validate), ("test", &test)];
    let bake = script::write_beside(
        contents,
        phases.into_iter().map(|(phase, text)| (phase.to_owned(), sha256(text.as_bytes()))).collect(),
    )?;
    let document = context! {
        inline,
        name => name(machine),
        description => description(machine, port),
        // Image Builder replaces text between `{{` and `}}`. The payloads are base64, and nothing else in the bake script or the
        // other scripts has two braces in a row.
        build => bake,
        validate,
        test,
        ..values
    };
    templates::render("imagebuilder/component.yaml", document)
}

/// The component's name. It may have letters, digits, `-`, `_` and spaces (EC2 Image Builder API Reference, CreateComponent).
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
