//! Renders a Terraform module: a folder with the seed, and outputs to boot a VM from it and to connect to its Docker.

use anyhow::Result;
use minijinja::context;

use super::host::Host;
use super::packing::Packing;
use super::{Connection, seed};
use crate::artifact::Artifact;
use crate::plan::HostRole;
use crate::templates;
use crate::userdata::payload::PayloadEncoding;

/// The files other than the seed.
const FILES: [&str; 5] = ["main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"];

/// Renders the folder. Only the seed contains a private key: `user-data` and the compressed `user-data.gz`.
pub fn render(host: &Host, connection: &Connection) -> Result<Vec<Artifact>> {
    let user_data = seed::cloud_config(host, PayloadEncoding::GzipBase64)?;
    let gzip = Packing { gzip: true, base64: false };
    let compressed = gzip.pack(seed::cloud_config(host, PayloadEncoding::Plain)?);
    let values = context! {
        machine => host.name(),
        label => label(host.name()),
        port => host.plan.port,
        stem => host.stem(),
        url => connection.url.as_str(),
        cert_path => connection.cert_path.as_str(),
        sans => sans(host),
        size => user_data.bytes.len(),
        compressed_size => compressed.bytes.len(),
    };
    let mut files = vec![user_data, Artifact { path: "user-data.gz".into(), ..compressed }];
    for file in FILES {
        let text = templates::render(&format!("terraform/{file}"), values.clone())?;
        files.push(Artifact::public(file, text));
    }
    Ok(files)
}

/// The names in the server certificate, in lower case. Empty if the host issues its own.
fn sans(host: &Host) -> Vec<String> {
    match host.machine {
        Some((plan, identity)) if plan.host_role() == HostRole::Server => {
            identity.sans().iter().map(|san| san.to_string().to_ascii_lowercase()).collect()
        }
        _ => Vec::new(),
    }
}

/// The machine's name as an identifier (HCL Native Syntax Specification, "Identifiers"), which has no dots and does not begin
/// with a digit.
fn label(name: &str) -> String {
    let label = name.replace('.', "-");
    if label.starts_with(|c: char| c.is_ascii_digit()) { format!("host-{label}") } else { label }
}
