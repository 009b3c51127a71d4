//! The passphrase of a CA's private key: from the environment, or from the user at the terminal.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::secret::Secret;
use crate::ui::Ui;

/// The variable with the passphrase. It is no option, because everyone on the computer can read the arguments of a program.
const VARIABLE: &str = "HOSTSEED_CA_PASSPHRASE";

/// A source of passphrases, which asks the user at most once for each key.
pub(super) struct Passphrase {
    /// None if nobody may be asked.
    ui: Option<Ui>,
    /// What the user has typed, by the file of the key.
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
