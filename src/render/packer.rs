//! A Packer template: a folder with the bake script, and what runs it as root on the machine that becomes an image.

use anyhow::Result;
use minijinja::context;

use super::host::Host;
use super::seed;
use crate::artifact::Artifact;
use crate::templates;
use crate::userdata::payload::PayloadEncoding;

/// The files beside the bake script.
const FILES: [&str; 3] = ["hostseed.pkr.hcl", "variables.pkr.hcl", "sources.pkr.hcl"];

/// Renders the folder. The script alone holds a key, where there is one.
pub fn render(host: &Host) -> Result<Vec<Artifact>> {
    let values = context! { machine => host.name(), port => host.plan.port, stem => host.stem() };
    let mut files = vec![seed::bake(host, PayloadEncoding::GzipBase64)?];
    for file in FILES {
        let text = templates::render(&format!("packer/{file}"), values.clone())?;
        files.push(Artifact::public(file, text));
    }
    Ok(files)
}
