//! The folder with all machines that is used if none is named.

use std::path::PathBuf;

use anyhow::Result;

use crate::diag::{Code, Diagnostic, Report};

/// Docker Machine's default store: that of `MACHINE_STORAGE_PATH`, or in the home folder.
///
/// # Errors
/// Fails if there is no home folder.
pub fn default_root() -> Result<PathBuf> {
    let usual = || std::env::home_dir().map(|home| home.join(".docker").join("machine"));
    path_in_environment().or_else(usual).ok_or_else(|| {
        let problem =
            Diagnostic::error(Code::NoHome, "cannot tell where machines are kept: there is no home folder");
        Report::from(problem.hint("give `--store DIR` or set MACHINE_STORAGE_PATH")).into()
    })
}

/// The folder in `MACHINE_STORAGE_PATH`. Empty means none.
pub fn path_in_environment() -> Option<PathBuf> {
    std::env::var_os("MACHINE_STORAGE_PATH").filter(|path| !path.is_empty()).map(PathBuf::from)
}
