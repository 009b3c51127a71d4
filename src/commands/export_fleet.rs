//! `export --format`: the machines of a fleet as one map, for Terraform and other programs that create VMs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;
use serde::{Serialize, Serializer};
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
    #[serde(serialize_with = "exposed")]
    user_data: Secret,
    /// Null if it is not known before boot.
    address: Option<String>,
    docker_host: String,
    cert_path: String,
    user_data_file: String,
}

/// The map from names to [members](Member), in their order.
struct Members<'a>(&'a [(&'a MachineName, Member)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, member)| (name.as_str(), member)))
    }
}

fn exposed<S: Serializer>(text: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.expose())
}

/// Prints or writes the map from the names of machines to what their VMs need.
pub fn export_fleet(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<()> {
    let (fleet, names) = machines(store, &request.fleet)?;
    for name in &names {
        expiry::check(store, ui, now, name, false, "`hostseed render --allow-expired`")?;
    }
    let read: Result<Vec<(&MachineName, Member)>> =
        names.par_iter().map(|name| Ok((name, member(store, name)?))).collect();
    let text = format(&fleet, request.format, read?)?;
    let file = format!("{fleet}.{}", request.format.extension());
    let artifact = Artifact::private(file.as_str(), text);
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
        user_data: Secret::new(str::from_utf8(&user_data.bytes)?.to_owned()),
        address: is_known.then_some(record.host),
        docker_host: record.url,
        cert_path: store.machine_path(name)?,
        user_data_file: store.machine_dir(name).join("user-data").display().to_string(),
    })
}

/// The map as a text. No part of it that has keys is left in memory that is not erased, so the texts are made with their final capacity.
fn format(
    fleet: &FleetName,
    format: FleetFormat,
    mut members: Vec<(&MachineName, Member)>,
) -> Result<Secret<Vec<u8>>> {
    match format {
        FleetFormat::Csv => Ok(csv(&members).into_bytes()),
        FleetFormat::Json => json(&Members(&members)),
        FleetFormat::TerraformJson => {
            members.iter_mut().for_each(|(_, member)| member.escape_templates());
            let local = format!("hostseed_{}", fleet.as_str().replace('-', "_"));
            json(&BTreeMap::from([("locals", BTreeMap::from([(local, Members(&members))]))]))
        }
    }
}

/// The value as JSON with a final newline.
fn json(value: &impl Serialize) -> Result<Secret<Vec<u8>>> {
    let mut length = Length(0);
    serde_json::to_writer_pretty(&mut length, value)?;
    let mut text = Secret::new(Vec::with_capacity(length.0 + 1));
    serde_json::to_writer_pretty(text.expose_mut(), value)?;
    text.push(b'\n');
    Ok(text)
}

/// Counts what is written, and drops it.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Member {
    /// Escapes the texts for Terraform's JSON syntax, where they are templates (Terraform, "JSON Configuration Syntax", Expressions).
    fn escape_templates(&mut self) {
        let Self { user_data, address, docker_host, cert_path, user_data_file } = self;
        *user_data = escaped(user_data.expose());
        for text in address.iter_mut().chain([docker_host, cert_path, user_data_file]) {
            *text = escaped(text).expose().to_owned();
        }
    }
}

/// The text with `${` and `%{` escaped.
fn escaped(text: &str) -> Secret {
    let more = text.matches("${").count() + text.matches("%{").count();
    let mut escaped = Secret::new(String::with_capacity(text.len() + more));
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        escaped.expose_mut().push(c);
        if matches!(c, '$' | '%') && characters.peek() == Some(&'{') {
            escaped.expose_mut().push(c);
        }
    }
    escaped
}

/// The map as CSV (RFC 4180), all values in quotes, with a line for each machine.
fn csv(members: &[(&MachineName, Member)]) -> Secret {
    const HEADER: &str = "name,address,docker_host,cert_path,user_data_file,user_data\r\n";
    let rows = members.iter().map(|(name, member)| {
        let Member { user_data, address, docker_host, cert_path, user_data_file } = member;
        let address = address.as_deref().unwrap_or_default();
        [name.as_str(), address, docker_host, cert_path, user_data_file, user_data.expose()]
    });
    // Two quotes and a comma for each value, of which the last has the end of the line.
    let length = |value: &str| value.len() + value.matches('"').count() + 3;
    let of_rows: usize =
        rows.clone().map(|row| row.iter().map(|value| length(value)).sum::<usize>() + 1).sum();
    let mut secret = Secret::new(String::with_capacity(HEADER.len() + of_rows));
    let text = secret.expose_mut();
    text.push_str(HEADER);
    for row in rows {
        for (n, value) in row.into_iter().enumerate() {
            text.push_str(if n == 0 { "\"" } else { ",\"" });
            for c in value.chars() {
                text.push(c);
                if c == '"' {
                    text.push(c);
                }
            }
            text.push('"');
        }
        text.push_str("\r\n");
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        Member {
            user_data: Secret::new("a: \"${b}\" %{c} $${d}\n".to_owned()),
            address: None,
            docker_host: "tcp://web:2376".to_owned(),
            cert_path: "/store/${x}".to_owned(),
            user_data_file: "/store/user-data".to_owned(),
        }
    }

    /// A text that grows leaves a copy of the keys behind.
    #[test]
    fn texts_do_not_grow() {
        let (fleet, name) = (FleetName::parse("ci-pool").unwrap(), MachineName::parse("web").unwrap());
        for (_, of) in FleetFormat::ALL {
            let mut text = format(&fleet, of, vec![(&name, member()), (&name, member())]).unwrap();
            let (length, capacity) = (text.len(), text.expose_mut().capacity());
            assert_eq!(length, capacity, "{of:?}");
        }
    }

    #[test]
    fn templates_are_escaped() {
        let mut member = member();
        member.escape_templates();
        assert_eq!(member.user_data.expose(), "a: \"$${b}\" %%{c} $$${d}\n");
        assert_eq!(member.cert_path, "/store/$${x}");
    }
}
