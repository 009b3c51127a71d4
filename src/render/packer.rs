//! Renders a Packer template: a folder with the bake script and the files that make Packer run it as root in the image.

use anyhow::Result;
use minijinja::context;

use super::host::Host;
use super::seed;
use crate::artifact::Artifact;
use crate::templates;
use crate::userdata::payload::PayloadEncoding;

/// The files other than the bake script.
const FILES: [&str; 3] = ["hostseed.pkr.hcl", "variables.pkr.hcl", "sources.pkr.hcl"];

/// Renders the folder. Only the script contains a private key, if there is one.
pub fn render(host: &Host) -> Result<Vec<Artifact>> {
    let values = context! { machine => host.name(), port => host.plan.port, stem => host.stem() };
    let mut files = vec![seed::bake(host, PayloadEncoding::GzipBase64)?];
    for file in FILES {
        let text = templates::render(&format!("packer/{file}"), values.clone())?;
        files.push(Artifact::public(file, text));
    }
    Ok(files)
}
