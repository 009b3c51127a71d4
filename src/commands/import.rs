//! `import FILE`: takes a machine, or one client of it, that `export` wrote.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::passphrase::{self, From};
use super::{expiry, machine_name, read_begin, unreadable};
use crate::diag::Report;
use crate::export::{self, MAX_WRAPPED, Wrapped};
use crate::names::MachineName;
use crate::plan::AuthoritySource;
use crate::secret::Secret;
use crate::store::{Imported, Store};
use crate::ui::Ui;

/// The arguments of the command.
pub struct Request {
    /// `-` for standard input.
    pub file: PathBuf,
    /// The machine's name here; none for the one in the file.
    pub name: Option<String>,
    /// The file with the passphrase; none to ask for it.
    pub passphrase_file: Option<PathBuf>,
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
    let imported = store.put_import(&export, &name)?;
    tell(store, ui, &export.name, &name, &imported);
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
    let Imported { plan, is_client_only, has_ca_key } = imported;
    if *is_client_only {
        ui.note(format_args!(
            "`{name}` has only a client certificate here: `render`, `renew` and `client` work only on the computer that has the whole machine"
        ));
    } else if !has_ca_key {
        let whose = match plan.as_ref().map(|plan| &plan.ca) {
            Some(AuthoritySource::Dir(dir)) => format!(", until it is in `{}`", dir.display()),
            _ => String::new(),
        };
        ui.note(format_args!(
            "the key of the CA of `{name}` was not in the file: `client` and `renew` do not work here{whose}"
        ));
    }
    if plan.is_some() && before != name {
        ui.note(format_args!(
            "the machine was called `{before}`: `render` gives another user-data for `{name}`, with that name"
        ));
    }
    let env = format!("eval \"$({})\" && docker info", store.command(["env", name.as_str()]));
    let steps = [store.command(["check", name.as_str()]).to_string(), env];
    ui.steps(format_args!("imported `{name}`:"), &steps);
}
