//! Writes a script that unpacks its files and runs `setup` (`templates/seed/script.j2`).

use std::collections::BTreeMap;

use anyhow::Result;

use crate::userdata::contents::{Contents, Form};
use crate::userdata::payload::PayloadEncoding;

const FORM: Form = Form { template: "seed/script", names_encoding: true, has_lines: true };

/// Writes the script with `contents`.
pub fn write(contents: &Contents, encoding: PayloadEncoding) -> Result<String> {
    contents.render(&FORM, encoding, BTreeMap::new())
}

/// As [`write`], for an Image Builder component. `phases` has the SHA-256 of the script in each other phase.
pub fn write_beside(contents: &Contents, phases: BTreeMap<String, String>) -> Result<String> {
    contents.render(&FORM, PayloadEncoding::GzipBase64, phases)
}
