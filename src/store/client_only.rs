//! Machines of which the store has only a client certificate.

use anyhow::Result;

use super::Store;
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::shell::Command;

/// The commands that do not work with such a machine. Others work, as far as they need no file that is missing.
pub const NEED_THE_MACHINE: &str =
    "`client`, `external`, `render`, `renew`, `update` and `export` of the whole machine";

impl Store {
    /// Returns whether the store has only a client certificate of a machine: neither the host's certificate nor a plan.
    pub fn is_client_only(&self, name: &MachineName) -> bool {
        let dir = self.machine_dir(name);
        let has = |file: &str| dir.join(file).symlink_metadata().is_ok();
        ["cert.pem", "key.pem"].iter().all(|file| has(file))
            && !["machine.yaml", "server.pem", "server-key.pem", "issuer.pem", "issuer-key.pem"].iter().any(|file| has(file))
            // Docker Machine can have stopped before it made the rest.
            && self.read_record(name).is_ok_and(|record| record.driver == "none")
    }

    /// Refuses a machine of which the store has only a client certificate.
    ///
    /// # Errors
    /// Fails if [`is_client_only`](Self::is_client_only).
    pub(super) fn refuse_client_only(&self, name: &MachineName) -> Result<()> {
        if !self.is_client_only(name) {
            return Ok(());
        }
        let message = format!(
            "`{name}` was imported with a client certificate only, and this needs the whole machine; nothing was written"
        );
        Err(Diagnostic::error(Code::ClientOnly, message)
            .hint("do it on the computer that created the machine, or export the whole machine there and import it here with `--force`:")
            .run(Command::own(["export", name.as_str(), "--passphrase", "-o", &format!("{name}.hostseed")]))
            .into())
    }
}
