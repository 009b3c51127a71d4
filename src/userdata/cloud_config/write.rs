//! Writes a cloud-config (`templates/seed/cloud-config.j2`).

use anyhow::Result;

use crate::userdata::contents::{Contents, Form};
use crate::userdata::payload::PayloadEncoding;

/// Writes the cloud-config with `contents`.
pub fn write(contents: &Contents, encoding: PayloadEncoding) -> Result<String> {
    // Each file has its own `encoding` field, so the manifest needs none.
    let form = Form { template: "seed/cloud-config", names_encoding: false, has_lines: false };
    contents.render(&form, encoding, Default::default())
}
