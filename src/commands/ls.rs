//! `ls`: the machines of a store.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::inspect::{CertificateView, HostCertificateView};
use crate::names::MachineName;
use crate::store::Store;
use crate::ui::Ui;

/// Lists the machines, sorted by name. A machine that cannot be read has its own row and hides no other.
pub fn ls(store: &Store, ui: Ui, now: OffsetDateTime, names_only: bool, json: bool) -> Result<()> {
    let names = store.names()?;
    if names_only {
        return ui.out(names.iter().map(|name| format!("{name}\n")).collect::<String>());
    }
    let rows: Vec<_> = names.iter().map(|name| Row::new(store, name, now)).collect();
    if json {
        return ui.json(&rows);
    }
    let mut table = vec![["NAME", "DOCKER HOST", "CERTIFICATE"].map(str::to_owned).to_vec()];
    table.extend(rows.into_iter().map(|row| {
        let state =
            row.error.unwrap_or_else(|| row.host.as_ref().map(HostCertificateView::left).unwrap_or_default());
        vec![row.name, row.docker_host.unwrap_or_else(|| "-".into()), state]
    }));
    ui.table(&table)
}

#[derive(Serialize)]
struct Row {
    name: String,
    docker_host: Option<String>,
    driver: Option<String>,
    #[serde(flatten)]
    host: Option<HostCertificateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Row {
    fn new(store: &Store, name: &MachineName, now: OffsetDateTime) -> Self {
        let record = store.record(name);
        let host = store.host_certificate(name).and_then(|(role, certificate)| {
            Ok(HostCertificateView::new(role, CertificateView::new(&certificate, now)?))
        });
        let error = record.as_ref().err().or(host.as_ref().err()).map(|error| format!("{error:#}"));
        let (docker_host, driver) = record.ok().map(|r| (r.url, r.driver)).unzip();
        Self { name: name.to_string(), docker_host, driver, host: host.ok(), error }
    }
}
