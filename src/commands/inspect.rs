//! `inspect`: everything in the store about a machine, except keys.

use anyhow::Result;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::machine_name;
use super::machine_view::{CertificateView, Details, HostCertificateView, MachineView};
use crate::store::Store;
use crate::ui::Ui;

/// The names in the certificate of a host with a boot issuer, besides the known ones.
pub const FOUND_AT_BOOT: &str = "and the addresses that the host finds at boot";

/// Shows a machine.
pub fn inspect(store: &Store, ui: Ui, now: OffsetDateTime, name: &str, json: bool) -> Result<()> {
    let view = MachineView::read(store, &machine_name(name)?, now)?;
    if json { ui.json(&view) } else { ui.details(&rows(&view)) }
}

fn rows(view: &MachineView) -> Vec<(&'static str, Vec<String>)> {
    let mut rows =
        vec![("name", vec![view.name.clone()]), ("docker host", view.docker_host.iter().cloned().collect())];
    let host =
        view.host.as_ref().map_or_else(|| ("server", lines(None, "server.pem")), HostCertificateView::row);
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
        ("client", lines(client.as_ref(), "cert.pem")),
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
