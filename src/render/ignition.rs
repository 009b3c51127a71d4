//! Ignition's config for Flatcar Container Linux and Fedora CoreOS, where Docker is there already and `/usr` cannot be written:
//! the identity, the drop-in for their unit, and Docker started at boot instead of at its socket's first use.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::host::Host;
use crate::artifact::Artifact;
use crate::report::{Complaint, Failure};
use crate::userdata::digest::sha512;
use crate::userdata::encoding::base64;
use crate::userdata::manifest::{Entry, Manifest, PAYLOAD_TYPE};
use crate::userdata::paths::{self, DOCKER_UNIT, DROP_IN, MANIFEST, OPT, UNITS};
use crate::userdata::payload::{Payload, PayloadEncoding};

/// "Configuration Specification v3.4.0": what both distributions take.
const VERSION: &str = "3.4.0";

/// A config of the user's, which Ignition merges into ours: `config.merge`.
#[derive(Debug, Clone)]
pub struct Merged {
    bytes: Vec<u8>,
    json: Value,
}

impl Merged {
    /// Refuses what is no config of Ignition's third major version: no host would boot from it.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Complaint> {
        let json: Value = serde_json::from_slice(&bytes).map_err(|error| {
            Complaint::new(format!("is no JSON: {error}"))
                .hint("butane makes an Ignition config of YAML: `butane FILE.bu > FILE.ign`")
        })?;
        match json.pointer("/ignition/version").and_then(Value::as_str) {
            Some(version) if is_third(version) => Ok(Self { bytes, json }),
            Some(version) => {
                Err(Complaint::new(format!("must be of Ignition's spec 3, got `{}`", version.escape_debug())))
            }
            None => Err(Complaint::new("is no Ignition config: it has no `ignition.version`")),
        }
    }

    /// What it has of ours, and would take the place of: Ignition takes the merged config's word.
    fn taken(&self, ours: &Config) -> Option<String> {
        let items =
            |pointer: &str| self.json.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        let text =
            |item: &Value, key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        for list in ["files", "links", "directories"] {
            for item in items(&format!("/storage/{list}")) {
                let path = text(&item, "path");
                let own = || ours.files.iter().filter_map(|file| file["path"].as_str()).map(Path::new);
                // What is no folder cannot have ours in it: Ignition follows no link.
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

/// `3.MINOR.PATCH` (Semantic Versioning 2.0.0), with or without `-experimental`.
fn is_third(version: &str) -> bool {
    let numbers: Vec<_> = version.trim_end_matches("-experimental").split('.').collect();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numbers.len() == 3 && numbers[0] == "3" && numbers.iter().all(is_number)
}

struct Config {
    files: Vec<Value>,
    units: Vec<Value>,
}

/// Renders the config.
pub fn render(host: &Host, merged: &[Merged]) -> Result<Artifact> {
    refuse_choices(host)?;
    let config = config(host)?;
    if let Some(taken) = merged.iter().find_map(|merged| merged.taken(&config)) {
        return Err(Failure::new(format!("the config to be merged takes the place of hostseed's `{taken}`, and the host would not be reached as it should"))
            .hint("take it out there; `hostseed create --help` has what may be said of Docker")
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
    Ok(host.artifact("config.ign", serde_json::to_string_pretty(&json)? + "\n"))
}

fn config(host: &Host) -> Result<Config> {
    let drop_in = host.drop_in(OPT)?;
    let (mut files, mut units) = (
        Vec::new(),
        vec![
            json!({
                "name": DOCKER_UNIT,
                // Else it starts at the first use of the unix socket, and the port stays closed until then.
                "enabled": true,
                "dropins": [{ "name": paths::file_name(DROP_IN), "contents": drop_in }],
            }),
            json!({ "name": "docker.socket", "enabled": true }),
        ],
    );
    let payloads: Vec<Artifact> = host.identity().into_iter().chain(host.attachments(OPT)?).collect();
    let unit = Entry::of(&Artifact::public(paths::relative(DROP_IN), drop_in.as_str()));
    let manifest = Manifest::new(payloads.iter().map(Entry::of).chain([unit]).collect());
    files.push(json_file(&Artifact::public(paths::relative(MANIFEST), manifest.to_json() + "\n")));
    for file in &payloads {
        match file.path.strip_prefix(paths::relative(UNITS)).and_then(|name| name.strip_prefix('/')) {
            Some(name) => units.push(json!({
                "name": name,
                "enabled": true,
                "contents": String::from_utf8_lossy(&file.bytes),
            })),
            None => files.push(json_file(file)),
        }
    }
    Ok(Config { files, units })
}

fn json_file(file: &Artifact) -> Value {
    let payload = Payload::new(&file.bytes, PayloadEncoding::GzipBase64);
    json!({
        "path": format!("/{}", file.path),
        // An image may have files of an earlier identity.
        "overwrite": true,
        // In decimal, since JSON has no other.
        "mode": file.mode,
        "contents": {
            "source": data_url(PAYLOAD_TYPE, &payload.text),
            "compression": "gzip",
            // Of what is there after unpacking.
            "verification": { "hash": format!("sha256-{}", payload.sha256) },
        },
    })
}

/// RFC 2397.
fn data_url(media_type: &str, base64: &str) -> String {
    format!("data:{media_type};base64,{base64}")
}

/// Their Docker is part of the system: which one, and whose, is decided with the image.
fn refuse_choices(host: &Host) -> Result<()> {
    let choices = host.plan.docker.choices();
    if choices.is_empty() {
        return Ok(());
    }
    let listed: Vec<_> = choices.iter().map(|field| format!("`{field}`")).collect();
    let failure = Failure::new(format!(
        "{} has no effect with Ignition: Flatcar and Fedora CoreOS come with their Docker",
        listed.join(", ")
    ));
    Err(failure.hint("make the machine without it, and choose the image's release instead").into())
}
