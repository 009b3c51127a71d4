//! `config`: a machine as flags of the docker CLI.

use std::path::Path;

use anyhow::Result;
use time::OffsetDateTime;

use super::{expiry, machine_name, pending, refuse_unsafe};
use crate::store::Store;
use crate::ui::Ui;

/// Prints the flags, a line each, as Docker Machine does.
pub fn config(store: &Store, ui: Ui, now: OffsetDateTime, name: &str) -> Result<()> {
    let name = machine_name(name)?;
    let url = store.connection(&name)?.url;
    expiry::note(store, ui, now, &name);
    pending::note(store, ui, &name);
    let dir = store.machine_path(&name)?;
    refuse_unsafe([url.as_str(), &dir])?;
    // JSON's quotes serve for the shell's, as Go's do in Docker Machine.
    let quoted = |file: &str| serde_json::Value::from(Path::new(&dir).join(file).display().to_string());
    ui.out(format!(
        "--tlsverify\n--tlscacert={}\n--tlscert={}\n--tlskey={}\n-H={url}\n",
        quoted("ca.pem"),
        quoted("cert.pem"),
        quoted("key.pem"),
    ))
}
