//! `context`: a machine as a context of the docker CLI. Uses no network.

use std::env::var_os;
use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::{address, expiry, machine_name, pending};
use crate::diag::{Code, Diagnostic, Report};
use crate::names::{ContextName, MachineName};
use crate::pki::ClientIdentity;
use crate::render::{Connection, Context};
use crate::shell::Command;
use crate::store::{self, ContextChange, DockerConfig, MachinesContext, Replace, Store};
use crate::ui::Ui;

/// The arguments of the command.
pub struct Request {
    pub machine: String,
    /// The context's name. The default is the machine's.
    pub name: Option<String>,
    /// Make it the current context.
    pub use_it: bool,
    /// Write an archive for `docker context import`, and change nothing in the docker CLI's folder.
    pub out: Option<PathBuf>,
    pub remove: bool,
    /// The existing contexts and files that may be replaced.
    pub replace: Replace,
}

/// Makes a docker context, writes it to a file, or removes it.
pub fn context(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<()> {
    let machine = machine_name(&request.machine)?;
    let name = request.context_name(&machine)?;
    if request.remove {
        return remove(store, ui, now, request, &machine, &name);
    }
    let (connection, client) = connect(store, &machine)?;
    address::note_missing(store, ui, &machine, &store.record(&machine)?.host);
    expiry::note(store, ui, now, &machine);
    pending::note(store, ui, &machine);
    let context = Context { name: &name, connection: &connection, client: &client };
    if let Some(path) = &request.out {
        return write(store, ui, now, request, path, &context);
    }
    let dir = docker_folder()?;
    let change = store.put_context(&request.docker_config(store, &dir, now), &context, request.use_it)?;
    let what = match change {
        ContextChange::Created => "created",
        ContextChange::Updated => "updated",
        ContextChange::Unchanged => "nothing has changed in",
    };
    let text = format!("{what} the docker context `{name}`, which connects to {}", connection.url);
    let with_context = docker(&["--context", name.as_str(), "info"]);
    match overriding_variable(&name) {
        _ if !request.use_it => ui.note_with(format_args!("{text}:"), &with_context),
        None => ui.note_with(format_args!("{text}; docker uses it now:"), &docker(&["info"])),
        Some(variable) => {
            ui.note(text);
            let warning =
                format!("{variable} is set in this shell, so docker does not use the context `{name}` here");
            let hint = format!("unset {variable}, or choose the context in each command:");
            let warning = Diagnostic::warning(Code::ContextOverridden, warning);
            ui.warning(&warning.hint(hint).run(with_context));
        }
    }
    Ok(())
}

/// How clients connect to a machine, and their certificate.
fn connect(store: &Store, machine: &MachineName) -> Result<(Connection, ClientIdentity)> {
    Ok((store.connection(machine)?, store.client_identity(machine)?))
}

/// Writes the archive to a file or to standard output.
fn write(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    request: &Request,
    path: &Path,
    context: &Context,
) -> Result<()> {
    let archive = context.archive()?;
    if path == Path::new("-") {
        return ui.artifact(&archive, &request.again(store, &["--out", &archive.path]));
    }
    store.refuse_output(path)?;
    store::put_artifact(path, &archive, request.replace, now)?;
    ui.note_with(
        format_args!(
            "`{}` contains the client's private key, which gives control over Docker on `{}`; import it:",
            path.display(),
            context.connection.machine
        ),
        &docker(&["context", "import", context.name.as_str(), &path.display().to_string()]),
    );
    Ok(())
}

fn remove(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    request: &Request,
    machine: &MachineName,
    name: &ContextName,
) -> Result<()> {
    // The context can be older than the machine's end.
    let connected = if store.has(machine) { Some(connect(store, machine)?) } else { None };
    let context = connected.as_ref().map(|(connection, client)| Context { name, connection, client });
    let dir = docker_folder()?;
    let docker_config = request.docker_config(store, &dir, now);
    let removal = store.remove_context(&docker_config, name, machine, context.as_ref())?;
    ui.note(format_args!("removed the docker context `{name}`"));
    if removal.was_current {
        ui.note("it was the current context: docker uses its default context again");
    }
    Ok(())
}

impl Request {
    fn context_name(&self, machine: &MachineName) -> Result<ContextName, Report> {
        match &self.name {
            Some(name) => ContextName::parse(name).map_err(|problem| problem.about("`--name`").into()),
            None => ContextName::parse(machine.as_str()).map_err(|problem| {
                let problem = problem.about("the name of the context, which is the machine's,");
                problem.hint("give the context another name with `--name`").into()
            }),
        }
    }

    fn docker_config<'a>(&self, store: &Store, dir: &'a Path, now: OffsetDateTime) -> DockerConfig<'a> {
        DockerConfig { dir, replace: self.replace, force: self.again(store, &["--force"]), now }
    }

    /// The command as it was given, with further words.
    fn again(&self, store: &Store, more: &[&str]) -> Command {
        let mut words = vec!["context", self.machine.as_str()];
        words.extend(self.name.iter().flat_map(|name| ["--name", name]));
        words.extend(self.use_it.then_some("--use"));
        words.extend(self.remove.then_some("--remove"));
        words.extend(more);
        store.command(words)
    }
}

/// Notes the contexts of a machine that has another name now.
pub(super) fn note_renamed(store: &Store, ui: Ui, old: &MachineName, new: &MachineName) {
    for MachinesContext { name, is_current } in contexts(store, old) {
        let use_it = if is_current { &["--use"][..] } else { &[] };
        if name.as_str() == old.as_str() {
            let text = format!("there is a docker context `{name}`; make one of the new name:");
            ui.note_with(text, &command(store, new, None, use_it));
            ui.note_with("and remove the old one:", &command(store, old, None, &["--remove"]));
        } else {
            let text = format!("the docker context `{name}` is for the old name; make it again:");
            ui.note_with(text, &command(store, new, Some(&name), &[use_it, &["--force"]].concat()));
        }
    }
}

/// Notes the contexts of a machine that have an earlier client certificate, CA or address.
pub(super) fn note_stale(store: &Store, ui: Ui, machine: &MachineName) -> Result<()> {
    let contexts = contexts(store, machine);
    if contexts.is_empty() {
        return Ok(());
    }
    let (connection, client) = connect(store, machine)?;
    let dir = docker_folder()?;
    for MachinesContext { name, .. } in &contexts {
        if store.is_stale(&dir, &Context { name, connection: &connection, client: &client }) {
            let text =
                format!("the docker context `{name}` has copies of what the machine had before; update it:");
            ui.note_with(text, &command(store, machine, Some(name), &[]));
        }
    }
    Ok(())
}

/// Notes the contexts of a machine that was deleted.
pub(super) fn note_left(store: &Store, ui: Ui, machine: &MachineName) {
    for MachinesContext { name, .. } in contexts(store, machine) {
        let text = format!("the docker context `{name}` still has the client's key; remove it:");
        ui.note_with(text, &command(store, machine, Some(&name), &["--remove"]));
    }
}

/// The command `context` for a machine, and for a context that may have another name.
fn command(store: &Store, machine: &MachineName, name: Option<&ContextName>, more: &[&str]) -> Command {
    let other = name.filter(|name| name.as_str() != machine.as_str());
    let named = other.iter().flat_map(|name| ["--name", name.as_str()]);
    let words = ["context", machine.as_str()].into_iter().chain(named);
    store.command(words.chain(more.iter().copied()))
}

/// The contexts of a machine. A docker CLI whose folder cannot be found has none.
fn contexts(store: &Store, machine: &MachineName) -> Vec<MachinesContext> {
    docker_folder().map(|dir| store.contexts_of(&dir, machine)).unwrap_or_default()
}

/// The docker CLI's folder: that of DOCKER_CONFIG, else `~/.docker`.
fn docker_folder() -> Result<PathBuf> {
    let given = var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let usual = || std::env::home_dir().map(|home| home.join(".docker"));
    let dir = given.or_else(usual).ok_or_else(|| {
        let problem =
            Diagnostic::error(Code::NoHome, "cannot tell where contexts are kept: there is no home folder");
        Report::from(problem.hint("set DOCKER_CONFIG to the docker CLI's folder"))
    })?;
    Ok(std::path::absolute(dir)?)
}

/// The variable of the environment that chooses another host than the current context (docker/cli, `cli/command/cli.go`).
fn overriding_variable(name: &ContextName) -> Option<&'static str> {
    let value = |variable| var_os(variable).filter(|value| !value.is_empty());
    match value("DOCKER_CONTEXT") {
        _ if value("DOCKER_HOST").is_some() => Some("DOCKER_HOST"),
        Some(other) if other != name.as_str() => Some("DOCKER_CONTEXT"),
        _ => None,
    }
}

fn docker(words: &[&str]) -> Command {
    Command::of("docker", words.iter().map(|word| (*word).to_owned()))
}
