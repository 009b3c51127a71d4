//! `ls`: the machines of a store.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use time::OffsetDateTime;

use super::expiry;
use super::machine_view::{CertificateView, ExpiringView, HostCertificateView, MachineView, VERSION, left};
use crate::names::host_of;
use crate::plan::{HostRole, ValidFor};
use crate::store::{HostCertificate, Listing, Store};
use crate::ui::Ui;

/// The exit status of `ls --expiring` if it lists a machine.
const EXPIRING: u8 = 3;

/// The machines and the form that the user asks for.
pub struct Selection {
    pub names_only: bool,
    pub json: bool,
    /// Only machines with a certificate that expires within this time or has expired, and those that cannot be read.
    pub expiring: Option<ValidFor>,
}

/// Lists the machines, sorted by name. A machine that cannot be read has its own row and hides no other.
pub fn ls(store: &Store, ui: Ui, now: OffsetDateTime, selection: &Selection) -> Result<ExitCode> {
    if selection.names_only && selection.expiring.is_none() {
        ui.out(store.names()?.iter().map(|name| format!("{name}\n")).collect::<String>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let environment = Environment::read();
    let mut rows = Vec::new();
    for listing in store.list(now)? {
        let soonest = selection.expiring.map(|within| (within, expiry::soonest(store, &listing.name, now)));
        let is_unaddressed = is_unaddressed(&listing);
        let mut view = view(store, listing, now, &environment);
        let of_client = || Some(format!("{} (client)", left(view.only_client.as_ref()?.days_left)));
        let mut state =
            view.host.as_ref().map(HostCertificateView::left).or_else(of_client).unwrap_or_default();
        match soonest {
            _ if view.error.is_some() => {}
            Some((within, Some((which, validity)))) if validity.not_after <= now + within.duration() => {
                state = format!("{} ({which})", left(validity.days_left(now)));
                view.expiring = Some(ExpiringView::new(&which, validity, now)?);
            }
            Some(_) => continue,
            None => {}
        }
        rows.push((view, state, is_unaddressed));
    }
    let status = match selection.expiring {
        Some(_) if !rows.is_empty() => ExitCode::from(EXPIRING),
        _ => ExitCode::SUCCESS,
    };
    if selection.json {
        ui.json(&rows.into_iter().map(|(view, ..)| view).collect::<Vec<_>>())?;
    } else if selection.names_only {
        ui.out(rows.iter().map(|(view, ..)| format!("{}\n", view.name)).collect::<String>())?;
    } else if let Some(within) = selection.expiring.filter(|_| rows.is_empty()) {
        ui.note(format_args!("no certificate expires within {within}"));
    } else {
        let mut table = vec![["NAME", "ACTIVE", "DOCKER HOST", "CERTIFICATE"].map(str::to_owned).to_vec()];
        table.extend(rows.into_iter().map(|(view, state, is_unaddressed)| {
            // Docker Machine's sign for the active machine.
            let active = if view.active == Some(true) { "*" } else { "-" };
            let host = match view.docker_host {
                Some(_) if is_unaddressed => "no address yet".into(),
                Some(host) => host,
                None => "-".into(),
            };
            vec![view.name, active.into(), host, view.error.unwrap_or(state)]
        }));
        ui.table(&table)?;
    }
    Ok(status)
}

/// Returns whether a host that issues its own certificate has only the machine's name for an address, and that is no DNS name with a domain.
fn is_unaddressed(listing: &Listing) -> bool {
    let issues = |host: &HostCertificate| host.role == HostRole::BootIssuer;
    let name = listing.name.as_str();
    let host = |url: &str| host_of(&url.parse().ok()?).map(str::to_owned);
    listing.certificate.as_ref().is_ok_and(issues)
        && !name.contains('.')
        && listing.endpoint.as_ref().is_ok_and(|endpoint| host(&endpoint.url).as_deref() == Some(name))
}

fn view(store: &Store, listing: Listing, now: OffsetDateTime, environment: &Environment) -> MachineView {
    let Listing { name, endpoint, certificate, client_only } = listing;
    let client = |(fingerprint, validity)| CertificateView::new(fingerprint, validity, now).ok();
    let only_client = client_only.and_then(client);
    let host = certificate.and_then(|HostCertificate { role, fingerprint, validity }| {
        Ok(HostCertificateView::new(role, CertificateView::new(fingerprint, validity, now)?))
    });
    // A machine with only a client has no certificate of its host.
    let missing = host.as_ref().err().filter(|_| only_client.is_none());
    let error = endpoint.as_ref().err().or(missing).map(|error| format!("{error:#}"));
    let (docker_host, driver) = endpoint.ok().map(|endpoint| (endpoint.url, endpoint.driver)).unzip();
    let cert_path = store.machine_dir(&name).display().to_string();
    let active = environment.uses(&cert_path, docker_host.as_deref());
    MachineView {
        version: VERSION,
        name: name.to_string(),
        docker_host,
        cert_path,
        driver,
        active: Some(active),
        details: None,
        host: host.ok(),
        only_client,
        expiring: None,
        delivery: None,
        error,
    }
}

/// The docker CLI's environment in this shell.
struct Environment {
    docker_host: Option<String>,
    cert_path: Option<String>,
}

impl Environment {
    fn read() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self { docker_host: variable("DOCKER_HOST"), cert_path: variable("DOCKER_CERT_PATH") }
    }

    /// Returns whether the docker CLI connects to the machine with this folder and URL. A folder of this store decides: with
    /// `env --address` the URL is another one. Else the URL decides, as in Docker Machine.
    fn uses(&self, cert_path: &str, url: Option<&str>) -> bool {
        let Some(host) = &self.docker_host else { return false };
        match self.cert_path.as_deref().map(Path::new) {
            Some(path) if path.parent() == Path::new(cert_path).parent() => path == Path::new(cert_path),
            _ => Some(host.as_str()) == url,
        }
    }
}
