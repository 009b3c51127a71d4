//! The passphrase of a CA's private key: from the environment, or from the user at the terminal. And that of an exported machine: from
//! a file, or from the user.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::diag::{Code, Diagnostic, Report};
use crate::secret::Secret;
use crate::ui::Ui;

/// The variable with the passphrase. It is no option, because everyone on the computer can read the arguments of a program.
const VARIABLE: &str = "HOSTSEED_CA_PASSPHRASE";

/// Where the passphrase of an exported machine comes from.
pub enum From {
    /// The user types it.
    Terminal,
    /// The first line of a file.
    File(PathBuf),
}

/// Reads a new passphrase. At the terminal the user types it twice.
///
/// # Errors
/// Fails if it is empty, if the user's two differ, or if there is no terminal.
pub(super) fn new(ui: Ui, from: &From) -> Result<Secret> {
    if let From::File(file) = from {
        return read(file);
    }
    let first = ask(ui, "Passphrase for the file: ")?;
    if first.expose().is_empty() {
        return Err(refuse("the passphrase is empty; nothing was written", TYPE_AGAIN));
    }
    if ask(ui, "The same passphrase again: ")? != first {
        return Err(refuse("the two passphrases differ; nothing was written", TYPE_AGAIN));
    }
    Ok(first)
}

/// Reads the passphrase of the file `of`.
///
/// # Errors
/// Fails if there is no terminal.
pub(super) fn existing(ui: Ui, from: &From, of: &Path) -> Result<Secret> {
    match from {
        From::Terminal => ask(ui, &format!("Passphrase of `{}`: ", of.display())),
        From::File(file) => read(file),
    }
}

fn read(file: &Path) -> Result<Secret> {
    let bytes = Secret::new(super::read_file(file)?);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| refuse("the file with the passphrase is not UTF-8", IN_FILE))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(refuse("the first line of the file with the passphrase is empty", IN_FILE));
    }
    Ok(Secret::new(line.to_owned()))
}

fn ask(ui: Ui, prompt: &str) -> Result<Secret> {
    let Some(typed) = ui.passphrase(prompt)? else {
        return Err(refuse("there is no terminal to ask for the passphrase; nothing was written", FROM_FILE));
    };
    let text = std::str::from_utf8(&typed).map_err(|_| refuse("the passphrase is not UTF-8", TYPE_AGAIN))?;
    Ok(Secret::new(text.to_owned()))
}

const TYPE_AGAIN: &str = "run the command again";
const IN_FILE: &str = "write the passphrase into the first line of the file, as UTF-8";
const FROM_FILE: &str = "`--passphrase-file FILE` reads it from the first line of a file";

fn refuse(why: &str, hint: &str) -> anyhow::Error {
    Report::from(Diagnostic::error(Code::ExportPassphrase, why).hint(hint)).into()
}

/// A source of passphrases, which asks the user at most once for each key.
pub(super) struct Passphrase {
    /// None if nobody may be asked.
    ui: Option<Ui>,
    /// The passphrases that the user has typed, by the file of the key.
    known: RefCell<BTreeMap<PathBuf, Secret<Vec<u8>>>>,
}

impl Passphrase {
    /// Reads the variable, or asks at the terminal.
    pub(super) fn asked(ui: Ui) -> Self {
        Self { ui: Some(ui), known: RefCell::default() }
    }

    /// Reads the variable only, for a program that nobody watches.
    pub(super) fn from_environment() -> Self {
        Self { ui: None, known: RefCell::default() }
    }

    /// Returns the passphrase of the key in the file `key`. None if there is neither the variable nor a terminal.
    pub(super) fn of(&self, key: &Path) -> Result<Option<Secret<Vec<u8>>>> {
        if let Some(known) = self.known.borrow().get(key) {
            return Ok(Some(known.clone()));
        }
        let given = env::var_os(VARIABLE).filter(|text| !text.is_empty());
        let passphrase = match (given, self.ui) {
            (Some(text), _) => Some(Secret::new(text.into_encoded_bytes())),
            (None, Some(ui)) => ui.passphrase(format_args!("Passphrase of `{}`: ", key.display()))?,
            (None, None) => None,
        };
        if let Some(passphrase) = &passphrase {
            self.known.borrow_mut().insert(key.to_owned(), passphrase.clone());
        }
        Ok(passphrase)
    }
}
