//! `inspect`: everything in the store about a machine, except keys.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::machine_name;
use crate::pki::{Certificate, Validity};
use crate::plan::HostRole;
use crate::store::Store;
use crate::ui::Ui;

/// Shows a machine.
pub fn inspect(store: &Store, ui: Ui, now: OffsetDateTime, name: &str, json: bool) -> Result<()> {
    let name = machine_name(name)?;
    let record = store.record(&name)?;
    let dir = store.machine_dir(&name);
    // Docker Machine's records can lack certificates, for example if `docker-machine create` failed.
    let certificate = |file: &str| match dir.join(format!("{file}.pem")).symlink_metadata() {
        Ok(_) => store.certificate(&name, file).map(Some),
        Err(_) => Ok(None),
    };
    let view = |certificate: &Certificate| CertificateView::of(certificate, now);
    let role = store.host_role(&name);
    let host = certificate(role.file_stem())?;
    let sans = match role {
        HostRole::Server => host.as_ref().map(Certificate::sans).unwrap_or_default(),
        HostRole::BootIssuer => store.plan(&name)?.sans(),
    };
    let user_data = dir.join("user-data");
    let view = View {
        name: name.to_string(),
        path: store.machine_path(&name)?,
        driver: record.driver,
        docker_host: record.url,
        sans: sans.iter().map(ToString::to_string).collect(),
        authority: certificate("ca")?.as_ref().map(view).transpose()?,
        host: host.as_ref().map(view).transpose()?.map(|view| HostCertificateView::new(role, view)),
        client: certificate("cert")?.as_ref().map(view).transpose()?,
        user_data: user_data.is_file().then(|| user_data.display().to_string()),
    };
    if json { ui.json(&view) } else { ui.details(&view.rows()) }
}

/// A machine, for the table and for JSON.
#[derive(Serialize)]
struct View {
    name: String,
    path: String,
    driver: String,
    docker_host: String,
    /// The SANs of the server's certificate. A host with a boot issuer adds its own addresses.
    sans: Vec<String>,
    authority: Option<CertificateView>,
    #[serde(flatten)]
    host: Option<HostCertificateView>,
    client: Option<CertificateView>,
    /// None for machines that Docker Machine made.
    user_data: Option<String>,
}

impl View {
    fn rows(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut sans = self.sans.clone();
        if matches!(self.host, Some(HostCertificateView::Issuer(_))) {
            sans.push("and the addresses that the host finds at boot".into());
        }
        let mut rows = vec![
            ("name", vec![self.name.clone()]),
            ("docker host", vec![self.docker_host.clone()]),
            ("covers", sans),
            ("CA", lines(self.authority.as_ref(), "ca.pem")),
            self.host
                .as_ref()
                .map_or_else(|| ("server", lines(None, "server.pem")), HostCertificateView::row),
            ("client", lines(self.client.as_ref(), "cert.pem")),
            ("folder", vec![self.path.clone()]),
        ];
        rows.extend(self.user_data.iter().map(|path| ("user-data", vec![path.clone()])));
        rows
    }
}

/// The certificate that the host has, named by its role.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostCertificateView {
    Server(CertificateView),
    Issuer(CertificateView),
}

impl HostCertificateView {
    pub fn new(role: HostRole, certificate: CertificateView) -> Self {
        match role {
            HostRole::Server => Self::Server(certificate),
            HostRole::BootIssuer => Self::Issuer(certificate),
        }
    }

    fn row(&self) -> (&'static str, Vec<String>) {
        match self {
            Self::Server(server) => ("server", server.lines()),
            Self::Issuer(issuer) => ("boot issuer", issuer.lines()),
        }
    }

    /// The days left, for a table.
    pub fn left(&self) -> String {
        match self {
            Self::Server(server) => left(server.days_left),
            Self::Issuer(issuer) => format!("{} (boot issuer)", left(issuer.days_left)),
        }
    }
}

/// A certificate, for the table and for JSON.
#[derive(Serialize)]
pub struct CertificateView {
    /// SHA-256 of the DER, in openssl's form: hexadecimal bytes with colons.
    pub fingerprint: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    pub days_left: i64,
}

impl CertificateView {
    pub fn of(certificate: &Certificate, now: OffsetDateTime) -> Result<Self> {
        Self::new(certificate.fingerprint(), certificate.validity(), now)
    }

    pub fn new(fingerprint: String, validity: Validity, now: OffsetDateTime) -> Result<Self> {
        Ok(Self {
            fingerprint,
            not_before: validity.not_before.format(&Rfc3339)?,
            not_after: validity.not_after.format(&Rfc3339)?,
            days_left: validity.days_left(now),
        })
    }

    fn lines(&self) -> Vec<String> {
        vec![
            format!("until {}, {}", self.not_after, left(self.days_left)),
            format!("SHA-256 {}", self.fingerprint),
        ]
    }
}

/// Prints a certificate, or that its file is missing.
fn lines(certificate: Option<&CertificateView>, file: &str) -> Vec<String> {
    certificate.map_or_else(|| vec![format!("{file} is missing")], CertificateView::lines)
}

/// Prints a number of days.
fn left(days: i64) -> String {
    match days {
        ..0 => format!("expired {} days ago", -days),
        0 => "expires today".into(),
        1 => "1 day left".into(),
        _ => format!("{days} days left"),
    }
}
