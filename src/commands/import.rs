//! `import FILE`: takes a machine, or one client of it, that `export` wrote.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::passphrase::{self, From};
use super::{context, expiry, machine_name, read_begin, unreadable};
use crate::diag::Report;
use crate::export::{self, MAX_WRAPPED, Wrapped};
use crate::names::MachineName;
use crate::plan::{AuthoritySource, Plan};
use crate::secret::Secret;
use crate::shell::Shell;
use crate::store::{CaKeyHere, Done, Imported, NEED_THE_MACHINE, Store};
use crate::ui::Ui;

/// The arguments of the command.
pub struct Request {
    /// `-` for standard input.
    pub file: PathBuf,
    /// The machine's name here; none for the one in the file.
    pub name: Option<String>,
    /// The file with the passphrase; none to ask for it.
    pub passphrase_file: Option<PathBuf>,
    /// Replace a machine of which the store has only a client certificate.
    pub force: bool,
}

/// Imports a file into the store, and prints what works with it.
pub fn import(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<()> {
    let given = request.name.as_deref().map(machine_name).transpose()?;
    let archive = match export::unwrap(read(&request.file)?).map_err(Report::from)? {
        Wrapped::Plain(archive) => archive,
        Wrapped::Encrypted(bytes) => {
            let from = match &request.passphrase_file {
                Some(file) => From::File(file.clone()),
                None => From::Terminal,
            };
            let passphrase = passphrase::existing(ui, &from, &request.file)?;
            export::decrypt(&bytes, &passphrase).map_err(Report::from)?
        }
    };
    let export = export::read(&archive).map_err(Report::from)?;
    let name = given.unwrap_or_else(|| export.name.clone());
    let imported = store.put_import(&export, &name, request.force)?;
    tell(store, ui, &export.name, &name, &imported);
    context::note_stale(store, ui, &name)?;
    expiry::note(store, ui, now, &name);
    Ok(())
}

/// Reads a file of at most [`MAX_WRAPPED`] bytes. Standard input is not read from a terminal: the file is no text to type.
fn read(path: &Path) -> Result<Secret<Vec<u8>>> {
    let read = match path == Path::new("-") {
        true => read_begin(MAX_WRAPPED, io::stdin().lock()),
        false => File::open(path).and_then(|file| read_begin(MAX_WRAPPED, file)),
    };
    let bytes = read.map(Secret::new).and_then(|bytes| match bytes.len() > MAX_WRAPPED {
        true => Err(io::Error::other(format!("it has more than {MAX_WRAPPED} bytes"))),
        false => Ok(bytes),
    });
    Ok(bytes.map_err(|error| unreadable(path.display(), &error))?)
}

fn tell(store: &Store, ui: Ui, before: &MachineName, name: &MachineName, imported: &Imported) {
    let Imported { done, plan, is_client_only, ca_key } = imported;
    if *done == Done::Nothing && *ca_key != CaKeyHere::NotTaken {
        // It was said at the first import.
    } else if *is_client_only {
        ui.note(format_args!(
            "`{name}` has only a client certificate here: {NEED_THE_MACHINE} work only on the computer that has the whole machine"
        ));
    } else {
        note_ca_key(store, ui, name, plan.as_ref(), *ca_key);
    }
    if plan.is_some() && before != name && matches!(done, Done::Added | Done::Replaced) {
        ui.note(format_args!(
            "the machine was called `{before}`: `render` gives another user-data for `{name}`, with that name"
        ));
    }
    let heading = match done {
        Done::Added => format!("imported `{name}`:"),
        Done::Replaced => format!("replaced `{name}`:"),
        Done::KeyAdded => format!("`{name}` is already here, and the key of its CA now too:"),
        Done::Nothing => format!("`{name}` is already here with the same files, nothing was changed:"),
    };
    let mut steps = vec![store.command(["check", name.as_str()]).to_string()];
    steps.extend(Shell::of_user().connect(&store.command(["env", name.as_str()])));
    ui.steps(heading, &steps);
}

/// Notes where the key of the machine's CA is, if that is not where it was on the other computer.
fn note_ca_key(store: &Store, ui: Ui, name: &MachineName, plan: Option<&Plan>, ca_key: CaKeyHere) {
    let certs = || store.path().join("certs").display().to_string();
    match ca_key {
        CaKeyHere::Kept => {}
        CaKeyHere::Shared => ui.note(format_args!(
            "the CA of `{name}` is the shared CA of this store now: `create --ca shared` uses it for other machines"
        )),
        CaKeyHere::Own => ui.note(format_args!(
            "the CA of `{name}` signs for other machines on the other computer; here it is in `{}`, and signs only for `{name}`. Anyone with one of its client certificates has access to all machines of the CA",
            store.authority_dir(name).display()
        )),
        CaKeyHere::NotTaken => ui.note(format_args!(
            "the key of the CA of `{name}` was not imported, because `{}` has another shared CA: `client` and `renew` do not work here",
            certs()
        )),
        CaKeyHere::Missing => {
            let way_out = match plan.map(|plan| &plan.ca) {
                Some(AuthoritySource::Dir(dir)) => {
                    format!(", until its `ca.pem` and `ca-key.pem` are in `{}`", dir.display())
                }
                _ => "; use the computer that has the key, or export it there with `--ca-key`".to_owned(),
            };
            ui.note(format_args!(
                "the key of the CA of `{name}` was not in the file: `client` and `renew` do not work here{way_out}"
            ));
        }
    }
}
