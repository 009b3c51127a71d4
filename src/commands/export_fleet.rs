//! `export --format`: the machines of a fleet as one map, for Terraform and other programs that create VMs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{expiry, read_fleet_file};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic, Report};
use crate::fleet::Fleet;
use crate::names::{FleetName, MachineName};
use crate::render;
use crate::secret::Secret;
use crate::store::{self, Replace, Store};
use crate::ui::Ui;

/// The format of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetFormat {
    /// Terraform's JSON syntax: a file `….tf.json` that defines `local.hostseed_FLEET`.
    TerraformJson,
    Csv,
    Json,
}

impl FleetFormat {
    /// All formats by name.
    pub const ALL: [(&str, Self); 3] =
        [("terraform-json", Self::TerraformJson), ("csv", Self::Csv), ("json", Self::Json)];

    /// The end of a file's name.
    fn extension(self) -> &'static str {
        match self {
            Self::TerraformJson => "tf.json",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// The arguments of the command.
pub struct Request {
    /// The name of a fleet, or its file.
    pub fleet: String,
    pub format: FleetFormat,
    /// None for standard output.
    pub out: Option<PathBuf>,
    pub replace: Replace,
}

/// The facts with which a program creates a machine's VM and connects to it.
#[derive(Serialize)]
struct Member {
    user_data: String,
    /// Null if it is not known before boot.
    address: Option<String>,
    docker_host: String,
    cert_path: String,
    user_data_file: String,
}

/// Prints or writes the map from the names of machines to what their VMs need.
pub fn export_fleet(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<()> {
    let (fleet, names) = machines(store, &request.fleet)?;
    for name in &names {
        expiry::check(store, ui, now, name, false, "`hostseed render --allow-expired`")?;
    }
    let read: Result<Vec<(&MachineName, Member)>> =
        names.par_iter().map(|name| Ok((name, member(store, name)?))).collect();
    let text = format(&fleet, request.format, &read?)?;
    let file = format!("{fleet}.{}", request.format.extension());
    let artifact = Artifact::private(file.as_str(), text.into_bytes());
    match request.out.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => {
            store.refuse_output(path)?;
            store::put_artifact(path, &artifact, request.replace, now)?;
        }
        None => {
            let (name, _) = (FleetFormat::ALL.iter().find(|(_, format)| *format == request.format))
                .expect("each format has a name");
            let words = ["export", &request.fleet, "--format", name, "-o", &file];
            ui.artifact(&artifact, &store.command(words))?;
        }
    }
    if !names.is_empty() {
        ui.note("the file has the private keys of the hosts: anyone who has it can impersonate them, and gets no control over Docker");
    }
    Ok(())
}

/// The fleet, and its machines: those of the store, sorted, if it is named; those of the file, in its order, if it is a file. A name of a fleet
/// has neither a dot nor a slash, so it is no path of a fleet file.
///
/// # Errors
/// Fails if the store has no machine of a fleet that is named, or lacks a machine of the file.
fn machines(store: &Store, fleet: &str) -> Result<(FleetName, Vec<MachineName>)> {
    if let Ok(name) = FleetName::parse(fleet) {
        let members = store.fleet_members(&name)?;
        if members.is_empty() {
            let text = format!("there is no machine of the fleet `{name}` in `{}`", store.path().display());
            return Err(Diagnostic::error(Code::NoSuchFleet, text)
                .hint("make its machines from a fleet file:")
                .run(store.command(["apply", "fleet.yaml"]))
                .into());
        }
        members.iter().try_for_each(|name| store.require(name))?;
        return Ok((name, members));
    }
    let file = Fleet::check(read_fleet_file(Path::new(fleet))?)?;
    let mut problems = Vec::new();
    for (n, member) in file.members.iter().enumerate() {
        if !store.has(&member.name) || store.fleet_of(&member.name)?.as_ref() != Some(&file.name) {
            let text = format!("the fleet has no machine `{}` in the store yet", member.name);
            let problem = Diagnostic::error(Code::NoSuchMachine, text).hint("make it:");
            problems.push(file.about(n, problem.run(store.command(["apply", fleet]))));
        } else {
            store.require(&member.name)?;
        }
    }
    // One stands for all: they have the same remedy.
    problems.truncate(1);
    Report::check(problems)?;
    let names = file.members.into_iter().map(|member| member.name).collect();
    Ok((file.name, names))
}

fn member(store: &Store, name: &MachineName) -> Result<Member> {
    let (plan, record) = (store.plan(name)?, store.record(name)?);
    let user_data = render::render_user_data(&plan, &store.host_identity(&plan)?)?;
    let is_known = !plan.addresses.is_empty() || record.host != name.as_str();
    Ok(Member {
        user_data: String::from_utf8(user_data.bytes.to_vec())?,
        address: is_known.then_some(record.host),
        docker_host: record.url,
        cert_path: store.machine_path(name)?,
        user_data_file: store.machine_dir(name).join("user-data").display().to_string(),
    })
}

fn format(fleet: &FleetName, format: FleetFormat, members: &[(&MachineName, Member)]) -> Result<Secret> {
    if format == FleetFormat::Csv {
        return Ok(csv(members));
    }
    let map: Map<String, Value> = members
        .iter()
        .map(|(name, member)| Ok((name.to_string(), serde_json::to_value(member)?)))
        .collect::<Result<_>>()?;
    let mut value = Value::from(map);
    if format == FleetFormat::TerraformJson {
        escape_templates(&mut value);
        let local = format!("hostseed_{}", fleet.as_str().replace('-', "_"));
        value = serde_json::json!({ "locals": { local: value } });
    }
    Ok(Secret::new(serde_json::to_string_pretty(&value)? + "\n"))
}

/// Escapes the texts of a value for Terraform's JSON syntax, where they are templates (Terraform, "JSON Configuration Syntax", Expressions).
fn escape_templates(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace("${", "$${").replace("%{", "%%{"),
        Value::Array(items) => items.iter_mut().for_each(escape_templates),
        Value::Object(members) => members.values_mut().for_each(escape_templates),
        _ => {}
    }
}

/// The map as CSV (RFC 4180), all values in quotes, with a line for each machine.
fn csv(members: &[(&MachineName, Member)]) -> Secret {
    let mut text = "name,address,docker_host,cert_path,user_data_file,user_data\r\n".to_owned();
    for (name, member) in members {
        let Member { user_data, address, docker_host, cert_path, user_data_file } = member;
        let address = address.as_deref().unwrap_or_default();
        let values = [name.as_str(), address, docker_host, cert_path, user_data_file, user_data];
        let quoted = values.map(|value| format!("\"{}\"", value.replace('"', "\"\"")));
        text += &(quoted.join(",") + "\r\n");
    }
    Secret::new(text)
}
