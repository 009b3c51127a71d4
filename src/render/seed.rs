//! The forms of a seed: cloud-config, and the script that serves consoles and image builders.

use std::collections::BTreeMap;

use anyhow::Result;
use minijinja::{Value, context};

use super::host::{self, Host};
use crate::artifact::Artifact;
use crate::plan::HostRole;
use crate::templates::{self, quote};
use crate::userdata::manifest::{Entry, Manifest};
use crate::userdata::paths::{self, SETUP};
use crate::userdata::payload::{Payload, PayloadEncoding};

/// User-data that cloud-init reads.
pub fn cloud_config(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    render(host, &CLOUD_CONFIG, encoding)
}

/// A script that sets up the host on which it is run.
pub fn script(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    render(host, &SCRIPT, encoding)
}

/// A script that prepares the image in which it is run.
pub fn bake(host: &Host, encoding: PayloadEncoding) -> Result<Artifact> {
    render(host, &BAKE, encoding)
}

/// What tells the forms apart.
struct Form {
    template: &'static str,
    /// The file's name.
    file: &'static str,
    /// It prepares an image, and starts nothing.
    image: bool,
    is_script: bool,
}

const CLOUD_CONFIG: Form =
    Form { template: "seed/cloud-config", file: "user-data", image: false, is_script: false };
const SCRIPT: Form = Form { template: "seed/script", file: "user-data.sh", image: false, is_script: true };
const BAKE: Form = Form { file: "bake.sh", image: true, ..SCRIPT };

/// As [`bake`], for a component of Image Builder, by the SHA-256 of the script in each of its other phases.
pub fn bake_beside(host: &Host, phases: BTreeMap<String, String>) -> Result<Artifact> {
    render_with(host, &BAKE, PayloadEncoding::GzipBase64, phases)
}

fn render(host: &Host, form: &Form, encoding: PayloadEncoding) -> Result<Artifact> {
    render_with(host, form, encoding, BTreeMap::new())
}

/// The artifact is private where it holds a key.
fn render_with(
    host: &Host,
    form: &Form,
    encoding: PayloadEncoding,
    phases: BTreeMap<String, String>,
) -> Result<Artifact> {
    let payloads = host.payloads()?;
    let setup = Payload::new(host.setup(&payloads, form.image)?.as_bytes(), encoding);
    let carried: Vec<Value> = payloads
        .iter()
        .map(|file| carry(&Payload::new(&file.bytes, encoding), &paths::staged(&file.path)))
        .collect();
    // What is inside `setup` has its SHA-256.
    let own = Entry { sha256: setup.sha256.clone(), mode: 0o755, path: SETUP.to_owned() };
    let mut manifest = Manifest::new(payloads.iter().map(Entry::of).chain([own]).collect());
    manifest.phases = phases;
    // A cloud-config says it for each file, and plain is what nothing is said of.
    manifest.encoding =
        Some(encoding).filter(|encoding| form.is_script && *encoding != PayloadEncoding::Plain);
    let values = context! {

        machine => host.name(),
        port => host.plan.port,
        mode => host::mode(form.image),
        packed => encoding == PayloadEncoding::GzipBase64,
        has_identity => host.machine.is_some(),
        issues => host.role() == Some(HostRole::BootIssuer),
        payloads => carried,
        setup => carry(&setup, SETUP),
        run_setup => format!("echo {} | sha256sum -c && exec {SETUP}", quote::shell(&format!("{}  {SETUP}", setup.sha256))),
    };
    let render = |manifest: &Manifest| {
        let manifest = Value::from_safe_string(manifest.to_line());
        templates::render(form.template, context! { manifest, ..values.clone() })
    };
    // The number of lines is the same whatever the manifest says of it.
    manifest.lines = Some(render(&manifest)?.lines().count());
    let text = render(&manifest)?;
    Ok(host.artifact(form.file, text))
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
