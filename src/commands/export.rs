//! `export`: a machine, or one client of it, as one file for another computer.

use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use time::OffsetDateTime;

use super::passphrase::{self, From};
use super::{client, machine_name};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic, Report};
use crate::export::{self, Export};
use crate::names::{ClientName, MachineName};
use crate::pki::Certificate;
use crate::plan::AuthoritySource;
use crate::secret::Secret;
use crate::shell::Command;
use crate::store::{self, CaKey, ClientCa, Exported, LeftOut, Replace, Store};
use crate::ui::Ui;

/// The part of a machine to export.
pub enum Part {
    /// Everything. With `ca_key` also the key of a CA that signs for other machines.
    Machine { ca_key: bool },
    /// A client of this name.
    Client(String),
    /// The machine's own client.
    OwnClient,
}

/// The arguments of the command.
pub struct Request {
    pub machine: String,
    pub part: Part,
    /// None for standard output.
    pub out: Option<PathBuf>,
    pub base64: bool,
    /// None for no encryption.
    pub passphrase: Option<From>,
    pub replace: Replace,
}

/// Prints or writes the file, and notes what its reader can do.
pub fn export(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<()> {
    let machine = machine_name(&request.machine);
    if !machine.as_ref().is_ok_and(|name| store.has(name)) && Path::new(&request.machine).is_file() {
        let text = format!("`{}` is a file, and not the name of a machine", request.machine);
        let format = ["export", &request.machine, "--format", "terraform-json"];
        return Err(Diagnostic::error(Code::NoSuchMachine, text)
            .hint("a fleet file is exported in a format, which can be json and csv, too:")
            .run(store.command(format))
            .into());
    }
    let machine = machine?;
    let (export, note) = read(store, ui, now, &machine, &request.part)?;
    let passphrase = request.passphrase.as_ref().map(|from| passphrase::new(ui, from)).transpose()?;
    let archive = export::write(&export)?;
    let bytes = match &passphrase {
        // base64 of a text would only be longer.
        Some(passphrase) => Secret::new(export::encrypt(&archive, passphrase, !request.base64)?),
        None => archive,
    };
    let bytes = match request.base64 {
        true => Secret::from(BASE64_STANDARD.encode(&bytes[..]) + "\n"),
        false => bytes,
    };
    let file = Artifact::private(format!("{machine}.hostseed"), bytes);
    match request.file() {
        Some(path) => {
            store.refuse_output(path)?;
            store::put_artifact(path, &file, request.replace, now)?;
        }
        None => ui.artifact(&file, &request.again(store, &machine))?,
    }
    let whoever = match passphrase {
        Some(_) => "anyone who has the file and its passphrase",
        None => "the file is not encrypted (`--passphrase` does that): anyone who has it",
    };
    ui.note(format_args!("{whoever} {note}"));
    Ok(())
}

impl Request {
    fn file(&self) -> Option<&Path> {
        self.out.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// The command that writes the same part to a file, encrypted.
    fn again(&self, store: &Store, machine: &MachineName) -> Command {
        let mut words = vec!["export".to_owned(), machine.to_string()];
        let mut file = format!("{machine}.hostseed");
        match &self.part {
            Part::Machine { ca_key } => words.extend(ca_key.then(|| "--ca-key".to_owned())),
            Part::OwnClient => words.push("--client-only".to_owned()),
            Part::Client(client) => {
                words.extend(["--client".to_owned(), client.clone()]);
                file = format!("{machine}-{client}.hostseed");
            }
        }
        words.extend(self.base64.then(|| "--base64".to_owned()));
        match &self.passphrase {
            Some(From::File(path)) => {
                words.extend(["--passphrase-file".to_owned(), path.display().to_string()]);
            }
            Some(From::Terminal) | None => words.push("--passphrase".to_owned()),
        }
        words.extend(["-o".to_owned(), file]);
        store.command(words)
    }
}

/// The content, and what anyone who has it can do until when.
fn read(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    machine: &MachineName,
    part: &Part,
) -> Result<(Export, String)> {
    let owns_ca = match store.plan(machine) {
        Ok(plan) => plan.ca == AuthoritySource::Own,
        // Docker Machine's machines share a CA.
        Err(_) => store.is_client_only(machine),
    };
    let which = if owns_ca { format!("the host of `{machine}`") } else { "each host of its CA".to_owned() };
    let access = |certificate: &Certificate| {
        let validity = certificate.validity();
        let until = validity.not_after.date();
        match validity.is_expired(now) {
            true => format!("has no access with it, because the certificate expired on {until}"),
            false => format!("has root access to {which} until {until}"),
        }
    };
    let client_name = match part {
        Part::Machine { ca_key } => {
            let Exported { export, ca_key: key, left_out } = store.export_machine(machine, *ca_key)?;
            left_out.iter().for_each(|(client, why)| note_left_out(store, ui, (machine, client), why));
            let of_client = access(&store.certificate(machine, "cert")?);
            let ca = store.certificate(machine, "ca")?;
            let note = match key {
                CaKey::Included => {
                    format!("can make client certificates for each host of its CA, and {}", access(&ca))
                }
                CaKey::Encrypted => format!(
                    "{of_client}; the CA key in it still has its own passphrase: anyone who knows that too can make client certificates for each host of its CA until {}",
                    ca.validity().not_after.date()
                ),
                CaKey::LeftOut => format!(
                    "{of_client}; the CA key is not included, because other machines use this CA: without it, `client` and `renew` fail after import (`--ca-key` includes it)"
                ),
                CaKey::Missing => {
                    format!("{of_client}; the key of its CA is not on this computer and so not in it")
                }
            };
            return Ok((export, note));
        }
        Part::OwnClient => None,
        Part::Client(name) if name == machine.as_str() || is_imported(store, machine, name) => None,
        Part::Client(name) => Some(client::parse_name("--client", name).map_err(Report::from)?),
    };
    if let Some(client) =
        client_name.as_ref().filter(|client| store.client_ca(machine, client) == ClientCa::Old)
    {
        ui.note_with(
            format_args!("`{client}` is of the old CA, and loses access when the change of the CA of `{machine}` ends; to make it again:"),
            &store.command(["client", machine.as_str(), "--cn", client.as_str()]),
        );
    }
    let (export, certificate) = store.export_client(machine, client_name.as_ref())?;
    Ok((export, access(&certificate)))
}

/// Returns whether the store has only this client of the machine.
fn is_imported(store: &Store, machine: &MachineName, client: &str) -> bool {
    let name = || store.certificate(machine, "cert").ok()?.common_name();
    store.is_client_only(machine) && name().as_deref() == Some(client)
}

/// Notes why a client is not in the file, and how to get it into it.
fn note_left_out(store: &Store, ui: Ui, (machine, client): (&MachineName, &ClientName), why: &LeftOut) {
    let renew = store.command(["client", machine.as_str(), "--cn", client.as_str(), "--force"]);
    match why {
        LeftOut::Revoked => ui.note(format_args!(
            "the client `{client}` is left out: its certificate is of another CA than `{machine}` has here"
        )),
        LeftOut::NoKey => {
            ui.note(format_args!("the client `{client}` is left out: its `key.pem` is not here"))
        }
        LeftOut::Unusable(why) => ui.note_with(
            format_args!(
                "the client `{client}` is left out, because it cannot be used: {why}; make a new one:"
            ),
            &renew,
        ),
    }
}
