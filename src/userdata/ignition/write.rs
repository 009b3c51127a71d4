//! Writes an Ignition config for Flatcar Container Linux and Fedora CoreOS. They have Docker preinstalled and a read-only `/usr`.
//! The config contains the identity and the drop-in for their Docker unit, and starts Docker at boot instead of at the first use
//! of its socket.

use std::path::Path;

use anyhow::Result;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::fold;
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic, Place};
use crate::digest::sha512;
use crate::shell::Command;
use crate::userdata::budget::{Budget, MAX_INFLATED};
use crate::userdata::encoding::base64;
use crate::userdata::manifest::{Entry, Manifest, PAYLOAD_TYPE};
use crate::userdata::paths::{self, DOCKER_UNIT, DROP_IN, MANIFEST, UNITS};
use crate::userdata::payload::{Payload, PayloadEncoding};
use crate::userdata::problems::Problems;

/// "Configuration Specification v3.4.0", which both distributions support.
const VERSION: &str = "3.4.0";

/// A config of the user's, which Ignition merges into hostseed's: `config.merge`.
#[derive(Debug, Clone)]
pub struct Merged {
    bytes: Vec<u8>,
    json: Value,
}

/// Maximum size of a merged config in bytes. The rendered config contains it as base64, and must be within the limit of `verify`.
const MAX_MERGED: usize = MAX_INFLATED / 2;

impl Merged {
    /// Parses a config.
    ///
    /// # Errors
    /// It is too large, or not a config of Ignition's specification 3, so no host would boot from it.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Diagnostic> {
        if bytes.len() > MAX_MERGED {
            let text = format!("has more than {} MiB", MAX_MERGED >> 20);
            let problem = Diagnostic::error(Code::PartRejected, text);
            return Err(problem.hint("let the host download its files"));
        }
        let is_json = serde_json::from_slice::<IgnoredAny>(&bytes);
        is_json.map_err(|error| {
            Diagnostic::error(Code::PartRejected, format!("is not valid JSON: {error}"))
                .hint("convert YAML to an Ignition config with `butane FILE.bu > FILE.ign`")
        })?;
        let (budget, mut problems) = (Budget::default(), Problems::default());
        let json = fold::read(&bytes, &Place::default(), &budget, &mut problems);
        let json = json.ok_or_else(|| Diagnostic::error(Code::PartRejected, "is too large to check"))?;
        match json.pointer("/ignition/version").and_then(Value::as_str) {
            Some(version) if is_third(version) => Ok(Self { bytes, json }),
            Some(version) => Err(Diagnostic::error(
                Code::PartRejected,
                format!("must have version 3 of Ignition's specification, got `{}`", version.escape_debug()),
            )),
            None => Err(Diagnostic::error(
                Code::PartRejected,
                "is not an Ignition config: it has no `ignition.version`",
            )),
        }
    }

    /// Returns the path or unit of hostseed's that this config would replace. In Ignition, the merged config wins.
    fn conflict(&self, ours: &Config) -> Option<String> {
        let items =
            |pointer: &str| self.json.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        let text =
            |item: &Value, key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        for list in ["files", "links", "directories"] {
            for item in items(&format!("/storage/{list}")) {
                let path = text(&item, "path");
                let own = || ours.files.iter().filter_map(|file| file["path"].as_str()).map(Path::new);
                // A file or link at a parent of hostseed's path would prevent the file: Ignition does not follow links.
                let is_above =
                    list != "directories" && !path.is_empty() && own().any(|own| own.starts_with(&path));
                if is_above || own().any(|own| own == Path::new(&path)) {
                    return Some(path);
                }
            }
        }
        for unit in items("/systemd/units") {
            let name = text(&unit, "name");
            let ours = ours.units.iter().any(|ours| ours["name"] == name.as_str());
            let off = unit.get("enabled") == Some(&Value::Bool(false))
                || unit.get("mask") == Some(&Value::Bool(true));
            let replaces = unit.get("contents").is_some_and(|contents| !contents.is_null());
            if ours && (off || replaces && name != DOCKER_UNIT) {
                return Some(name);
            }
            let dropins = unit.get("dropins").and_then(Value::as_array).cloned().unwrap_or_default();
            if name == DOCKER_UNIT
                && dropins.iter().any(|dropin| text(dropin, "name") == paths::file_name(DROP_IN))
            {
                return Some(paths::relative(DROP_IN).to_owned());
            }
        }
        None
    }
}

/// Returns whether a version is `3.MINOR.PATCH` (Semantic Versioning 2.0.0), with or without `-experimental`.
fn is_third(version: &str) -> bool {
    let numbers: Vec<_> = version.trim_end_matches("-experimental").split('.').collect();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numbers.len() == 3 && numbers[0] == "3" && numbers.iter().all(is_number)
}

struct Config {
    files: Vec<Value>,
    units: Vec<Value>,
}

/// Writes the config with `files` (paths relative to `/`) and the drop-in of Docker's unit. Enables units among the files.
///
/// # Errors
/// A merged config replaces a file or unit of hostseed's.
pub fn write(files: &[Artifact], drop_in: &str, merged: &[Merged]) -> Result<String> {
    let config = config(files, drop_in);
    if let Some(conflict) = merged.iter().find_map(|merged| merged.conflict(&config)) {
        return Err(Diagnostic::error(
            Code::PartRejected,
            format!("the merged config replaces hostseed's `{conflict}`, and the host would not work"),
        )
        .hint("remove it from that config, and use the options for Docker:")
        .run(Command::own(["create", "--help"]))
        .into());
    }
    let merge: Vec<Value> = merged
        .iter()
        .map(|merged| {
            json!({
                "source": data_url("", &base64(&merged.bytes)),
                "verification": { "hash": format!("sha512-{}", sha512(&merged.bytes)) },
            })
        })
        .collect();
    let ignition = match merge.is_empty() {
        true => json!({ "version": VERSION }),
        false => json!({ "version": VERSION, "config": { "merge": merge } }),
    };
    let json = json!({
        "ignition": ignition,
        "storage": { "files": config.files },
        "systemd": { "units": config.units },
    });
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

fn config(payloads: &[Artifact], drop_in: &str) -> Config {
    let (mut files, mut units) = (
        Vec::new(),
        vec![
            json!({
                "name": DOCKER_UNIT,
                // Otherwise Docker starts at the first use of its Unix socket, and the port stays closed until then.
                "enabled": true,
                "dropins": [{ "name": paths::file_name(DROP_IN), "contents": drop_in }],
            }),
            json!({ "name": "docker.socket", "enabled": true }),
        ],
    );
    let unit = Entry::of(&Artifact::public(paths::relative(DROP_IN), drop_in));
    let manifest = Manifest::new(payloads.iter().map(Entry::of).chain([unit]).collect());
    files.push(json_file(&Artifact::public(paths::relative(MANIFEST), manifest.to_json() + "\n")));
    for file in payloads {
        match file.path.strip_prefix(paths::relative(UNITS)).and_then(|name| name.strip_prefix('/')) {
            Some(name) => {
                let contents = String::from_utf8_lossy(&file.bytes);
                let mut unit = json!({ "name": name, "contents": contents });
                // Others are started by a unit that is enabled.
                if contents.contains("[Install]") {
                    unit["enabled"] = true.into();
                }
                units.push(unit);
            }
            None => files.push(json_file(file)),
        }
    }
    Config { files, units }
}

fn json_file(file: &Artifact) -> Value {
    let payload = Payload::new(&file.bytes, PayloadEncoding::GzipBase64);
    json!({
        "path": format!("/{}", file.path),
        // An image may have files of an earlier identity.
        "overwrite": true,
        // Decimal, because JSON has no octal numbers.
        "mode": file.mode,
        "contents": {
            "source": data_url(PAYLOAD_TYPE, payload.text.expose()),
            "compression": "gzip",
            // The checksum of the decompressed content.
            "verification": { "hash": format!("sha256-{}", payload.sha256) },
        },
    })
}

/// Builds a data URL (RFC 2397).
fn data_url(media_type: &str, base64: &str) -> String {
    format!("data:{media_type};base64,{base64}")
}
