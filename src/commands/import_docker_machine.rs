//! `import --docker-machine`: takes over the machines that Docker Machine created.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Error, Result};
use time::OffsetDateTime;

use super::expiry;
use crate::diag::{Code, Diagnostic, Report};
use crate::names::MachineName;
use crate::store::{Store, Taken};
use crate::ui::Ui;

/// The arguments of the command.
pub struct Request<'a> {
    /// Docker Machine's store, which can be the same as hostseed's.
    pub source: &'a Store,
    /// The machines; all if there is none.
    pub names: &'a [String],
    /// Print what would be taken over, and write nothing.
    pub dry_run: bool,
}

/// Takes over machines one by one. A machine that cannot be taken over hides no other; then the exit status is 1.
pub fn import_docker_machine(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    request: &Request,
) -> Result<ExitCode> {
    let Request { source, names, dry_run } = request;
    let names: BTreeSet<String> = if names.is_empty() {
        source.docker_machines()?.into_iter().collect()
    } else {
        names.iter().cloned().collect()
    };
    if names.is_empty() {
        ui.note(format_args!("`{}` has no machines", source.path().display()));
    }
    let (mut taken, mut before, mut failed) = (Vec::new(), Vec::new(), 0);
    for name in &names {
        match take_over(store, ui, now, request, name) {
            Ok((name, true)) => taken.push(name),
            Ok((name, false)) => before.push(format!("`{name}`")),
            Err(error) => {
                failed += 1;
                ui.error(&as_folder(name, error));
            }
        }
    }
    if !before.is_empty() {
        ui.note(format_args!("hostseed's already, not changed: {}", before.join(", ")));
    }
    if *dry_run {
        ui.note("this is a dry run: nothing was written");
    } else if !taken.is_empty() {
        let check = store.command(["check"].into_iter().chain(taken.iter().map(MachineName::as_str)));
        ui.steps("check whether Docker answers there:", &[check.to_string()]);
        let install = ["renew", "--apply", "--install-units"].into_iter();
        ui.note_with(
            "hosts of Docker Machine lack the units that put new certificates in place; the first `renew --apply` installs them:",
            &store.command(install.chain(taken.iter().map(MachineName::as_str))),
        );
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Adds to the error about a machine that does not exist that its name is a folder's.
fn as_folder(name: &str, error: Error) -> Error {
    match Diagnostic::of(&error) {
        Some(missing) if missing.code == Code::NoSuchMachine && Path::new(name).join("machines").is_dir() => {
            let missing = Diagnostic { commands: Vec::new(), ..missing };
            missing.hint(format!("a store is written with a slash: `./{name}`")).into()
        }
        _ => error,
    }
}

/// Takes over one machine. Returns false if it is hostseed's already.
fn take_over(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    request: &Request,
    name: &str,
) -> Result<(MachineName, bool)> {
    let name = MachineName::parse(name).map_err(|problem| problem.about("the name of a machine"))?;
    let Taken::Over(taken) = store.take_over(request.source, &name, now, request.dry_run)? else {
        return Ok((name, false));
    };
    let done = if request.dry_run { "would import" } else { "imported" };
    let ca = taken.plan.ca.name();
    ui.note(format_args!("{done} `{name}`: driver {}, {}, CA {ca}", taken.driver, taken.url));
    taken.warnings.iter().for_each(|warning| ui.warning(warning));
    if !request.dry_run {
        expiry::note(store, ui, now, &name);
    }
    Ok((name, true))
}

/// Checks that a folder is a store of Docker Machine's.
///
/// # Errors
/// Fails if it has no machines: the command line names another folder.
pub fn check_store(dir: &Path) -> Result<()> {
    if dir.join("machines").is_dir() {
        return Ok(());
    }
    let text = format!("`{}` is not a store of Docker Machine: it has no folder `machines`", dir.display());
    let hint = match dir.join("config.json").is_file() {
        true => {
            "this is the folder of one machine: name the store, two folders above it, and then the machine"
        }
        false => {
            "name its store, which `docker-machine inspect NAME` shows as `StorePath`: `--docker-machine=DIR`"
        }
    };
    Err(Report::from(Diagnostic::error(Code::UnreadableFile, text).hint(hint)).into())
}
