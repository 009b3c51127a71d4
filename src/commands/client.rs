//! `client`: makes a further client certificate of a machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use time::OffsetDateTime;

use super::passphrase::Passphrase;
use super::{as_usage, ending, machine_name, pending};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic, Report};
use crate::names::{ClientName, ContextName, MachineName};
use crate::pki::{self, CaBundle, ClientIdentity, Pair};
use crate::plan::{AuthoritySource, KeyType, ValidFor};
use crate::render::{Connection, Context, Rendered, Shell};
use crate::shell::Command;
use crate::store::{self, Owner, Replace, Store};
use crate::ui::Ui;

/// The arguments of the command.
pub struct Request {
    pub machine: String,
    pub client: String,
    pub valid_for: ValidFor,
    /// None for the machine's own type.
    pub key: Option<KeyType>,
    pub out: Option<PathBuf>,
    /// Replace a client that has not expired, and existing files at `out`.
    pub force: bool,
}

/// Makes a client certificate, writes it to the store and, if asked, to a folder of its own.
pub fn client(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<()> {
    let machine = machine_name(&request.machine)?;
    let client = client_name(&request.client, &machine)?;
    let out = request.out.as_deref().map(|path| Out::of(path, &machine)).transpose()?;
    request.out.as_deref().map_or(Ok(()), |path| store.refuse_output(path))?;
    let connection = match out {
        Some(Out::Folder(dir)) => in_folder(dir, store.connection(&machine)?)?,
        _ => store.connection(&machine)?,
    };
    if !request.force {
        store.refuse_valid_client(&machine, &client, now)?;
    }
    let passphrase = Passphrase::asked(ui);
    let authority = store
        .signing_authority(&machine, now, &|key| passphrase.of(key))
        .map_err(|failure| as_usage(failure, &[Code::CaPassphrase]))?;
    let ca = store.ca_bundle(&machine)?;
    let plan = store.plan(&machine).ok();
    let key = request.key.or(plan.as_ref().map(|plan| plan.key)).unwrap_or(KeyType::P256);
    let pair = pki::issue_client(&client, key, request.valid_for, &authority, now)?;
    let replace = if request.force { Replace::All } else { Replace::Unchanged };
    let deliver = || match &out {
        Some(Out::Folder(dir)) => {
            let owner = Owner::client(&machine, &client);
            store::put_folder(dir, folder(&connection, &ca, &pair)?, &owner, replace, now)
        }
        Some(Out::Context(path, name)) => {
            let client = ClientIdentity {
                ca: ca.clone(),
                chain: vec![pair.certificate.clone()],
                key: pair.key.clone(),
            };
            let archive = Context { name, connection: &connection, client: &client }.archive()?;
            store::put_artifact(path, &archive, replace, now)
        }
        None => Ok(()),
    };
    let signed = (&authority.certificate, &pair);
    store.put_client(&machine, &client, signed, (request.force, now), deliver)?;
    let owns = plan.is_some_and(|plan| plan.ca == AuthoritySource::Own);
    note(store, ui, (&machine, &client), (&authority, &pair), owns);
    pending::note(store, ui, &machine);
    tell(store, ui, (&machine, &client), out.as_ref(), &connection);
    Ok(())
}

/// The form that `--out` writes.
enum Out<'a> {
    /// A folder for DOCKER_CERT_PATH.
    Folder(&'a Path),
    /// An archive for `docker context import`, with the context's name.
    Context(&'a Path, ContextName),
}

impl<'a> Out<'a> {
    /// An archive if the path ends in `.tar`, else a folder.
    fn of(path: &'a Path, machine: &MachineName) -> Result<Self, Report> {
        if path == Path::new("-") {
            let problem = Diagnostic::error(
                Code::NeedsFolder,
                "a client has several files and cannot be printed; nothing was written",
            );
            return Err(problem
                .hint("write a folder with `--out DIR`, or a file for `docker context import` with `--out FILE.tar`")
                .into());
        }
        if !ending::is_tar(path) {
            return Ok(Self::Folder(ending::check_client(path)?));
        }
        let name = ContextName::parse(machine.as_str()).map_err(|problem| {
            let problem = problem.about("the name of the context, which is the machine's,");
            problem.hint("write a folder: `--out DIR`")
        })?;
        Ok(Self::Context(path, name))
    }
}

/// A client's name from the command line, where `option` has it.
pub(super) fn parse_name(option: &str, text: &str) -> Result<ClientName, Diagnostic> {
    ClientName::parse(text).map_err(|problem| problem.about(format_args!("`{option}`")))
}

/// The name of a client besides the machine's own from the command line. It cannot be the machine's name, which is that of the machine's own client.
pub(super) fn client_name(text: &str, machine: &MachineName) -> Result<ClientName> {
    let name = parse_name("--cn", text).map_err(Report::from)?;
    if name.as_str().eq_ignore_ascii_case(machine.as_str()) {
        let problem = Diagnostic::error(
            Code::InvalidClientName,
            format!("`--cn` must not be `{name}`: that is the name of the machine's own client certificate"),
        );
        return Err(Report::from(problem).into());
    }
    Ok(name)
}

/// The connection with the certificates of a folder.
fn in_folder(dir: &Path, connection: Connection) -> Result<Connection> {
    let path =
        std::path::absolute(dir).with_context(|| format!("cannot find the folder `{}`", dir.display()))?;
    let cert_path = store::as_text(&path)?.trim_end_matches(std::path::is_separator).to_owned();
    Ok(Connection { cert_path, ..connection })
}

/// A folder that is DOCKER_CERT_PATH, with the environment for it.
fn folder(connection: &Connection, ca: &CaBundle, pair: &Pair) -> Result<Vec<Artifact>> {
    let Rendered::Folder(files) = Rendered::folder(vec![
        Artifact::public("ca.pem", ca.pem()),
        Artifact::public("cert.pem", pair.certificate.pem()),
        Artifact::private("key.pem", pair.key.expose()),
        connection.movable_env()?,
    ]) else {
        unreachable!("it makes a folder")
    };
    Ok(files)
}

/// Notes until when the certificate is valid, who can do what with it, and what ends that.
fn note(
    store: &Store,
    ui: Ui,
    (machine, client): (&MachineName, &ClientName),
    (authority, pair): (&Pair, &Pair),
    owns_ca: bool,
) {
    let until = pair.certificate.validity().not_after;
    if until == authority.certificate.validity().not_after {
        ui.note(format_args!("the certificate expires with its CA, on {}", until.date()));
    }
    let which = if owns_ca { format!("the host of `{machine}`") } else { "each host of this CA".to_owned() };
    ui.note_with(
        format_args!(
            "keep the key of `{client}` secret: anyone who has it has root access to {which} until {}; to end that earlier, replace the CA:",
            until.date()
        ),
        &store.command(["renew", "--authority", "--apply", "--at-once", machine.as_str()]),
    );
}

/// Prints where the client is, and how to use it.
fn tell(
    store: &Store,
    ui: Ui,
    (machine, client): (&MachineName, &ClientName),
    out: Option<&Out>,
    connection: &Connection,
) {
    let stored = store.client_dir(machine, client);
    let text = |path: &Path| path.display().to_string();
    let (place, steps) = match out {
        Some(Out::Folder(dir)) => {
            (*dir, Shell::of_user().connect_with(&connection.variables(), &text(&dir.join("env"))))
        }
        Some(Out::Context(path, name)) => {
            let import = ["context", "import", name.as_str(), &text(path)].map(str::to_owned);
            (*path, vec![Command::of("docker", import).to_string()])
        }
        // On another computer.
        None => {
            let file = format!("{machine}-{client}.hostseed");
            let export =
                ["export", machine.as_str(), "--client", client.as_str(), "--passphrase", "-o", &file];
            (stored.as_path(), vec![store.command(export).to_string()])
        }
    };
    ui.steps(format_args!("client `{client}` of `{machine}` is in {}", place.display()), &steps);
}
