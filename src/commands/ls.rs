//! `ls`: the machines of a store.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::inspect::{CertificateView, HostCertificateView};
use crate::store::{HostCertificate, Listing, Store};
use crate::ui::Ui;

/// Lists the machines, sorted by name. A machine that cannot be read has its own row and hides no other.
pub fn ls(store: &Store, ui: Ui, now: OffsetDateTime, names_only: bool, json: bool) -> Result<()> {
    if names_only {
        return ui.out(store.names()?.iter().map(|name| format!("{name}\n")).collect::<String>());
    }
    let rows: Vec<_> = store.list(now)?.into_iter().map(|listing| Row::new(listing, now)).collect();
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
    fn new(Listing { name, endpoint, certificate }: Listing, now: OffsetDateTime) -> Self {
        let host = certificate.and_then(|HostCertificate { role, fingerprint, validity }| {
            Ok(HostCertificateView::new(role, CertificateView::new(fingerprint, validity, now)?))
        });
        let error = endpoint.as_ref().err().or(host.as_ref().err()).map(|error| format!("{error:#}"));
        let (docker_host, driver) = endpoint.ok().map(|endpoint| (endpoint.url, endpoint.driver)).unzip();
        Self { name: name.to_string(), docker_host, driver, host: host.ok(), error }
    }
}
