//! `inspect`: everything in the store about a machine, except keys.

use anyhow::Result;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::machine_name;
use super::machine_view::{CertificateView, Details, HostCertificateView, MachineView};
use crate::pki::Certificate;
use crate::store::Store;
use crate::ui::Ui;

/// The names in the certificate of a host with a boot issuer, besides the known ones.
pub const FOUND_AT_BOOT: &str = "and the addresses that the host finds at boot";

/// Shows a machine.
pub fn inspect(store: &Store, ui: Ui, now: OffsetDateTime, name: &str, json: bool) -> Result<()> {
    let name = machine_name(name)?;
    let view = MachineView::read(store, &name, now)?;
    let only_client = store.is_client_only(&name).then(|| store.certificate(&name, "cert")).transpose()?;
    if json { ui.json(&view) } else { ui.details(&rows(&view, only_client.as_ref())) }
}

/// The rows of a table. `only_client` is the client's certificate if the store has nothing else of the machine.
fn rows(view: &MachineView, only_client: Option<&Certificate>) -> Vec<(&'static str, Vec<String>)> {
    let mut rows =
        vec![("name", vec![view.name.clone()]), ("docker host", view.docker_host.iter().cloned().collect())];
    let host = match (&view.host, only_client) {
        (Some(host), _) => host.row(),
        (None, Some(_)) => ("server", vec!["only a client certificate is here".to_owned()]),
        (None, None) => ("server", lines(None, "server.pem")),
    };
    let name = only_client.and_then(Certificate::common_name);
    let Some(Details { sans, authority, old_authority, client, user_data_file, options, .. }) = &view.details
    else {
        return rows;
    };
    let mut sans = sans.clone();
    if matches!(view.host, Some(HostCertificateView::Issuer(_))) {
        sans.push(FOUND_AT_BOOT.into());
    }
    rows.extend([("covers", sans), ("CA", lines(authority.as_ref(), "ca.pem"))]);
    rows.extend(old_authority.as_ref().map(|old| ("old CA", old.lines())));
    rows.extend([
        host,
        ("client", name.into_iter().chain(lines(client.as_ref(), "cert.pem")).collect()),
        ("folder", vec![view.cert_path.clone()]),
    ]);
    rows.extend(user_data_file.iter().map(|path| ("user-data", vec![path.clone()])));
    rows.push(("options", option_lines(options)));
    rows
}

/// Formats options as in a spec, one line for each value.
pub fn option_lines(options: &Map<String, Value>) -> Vec<String> {
    let line = |name: &str, value: &Value| match value {
        Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    };
    let lines = options.iter().flat_map(|(name, value)| match value {
        Value::Array(values) => values.iter().map(|value| line(name, value)).collect(),
        one => vec![line(name, one)],
    });
    lines.collect()
}

/// Formats a certificate, or says that its file is missing.
fn lines(certificate: Option<&CertificateView>, file: &str) -> Vec<String> {
    certificate.map_or_else(|| vec![format!("{file} is missing")], CertificateView::lines)
}
