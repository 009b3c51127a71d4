//! `clients`: the client certificates of a machine: its own, and those that `client` made.

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::machine_name;
use super::machine_view::{CertificateView, certificate_schema, left};
use super::schema::DRAFT;
use crate::names::MachineName;
use crate::pki::Certificate;
use crate::store::{ClientCa, Store};
use crate::ui::Ui;

/// The version of the shape. It rises when a field disappears or gets another meaning, and stays when a field is added.
const VERSION: u32 = 1;

/// A client in JSON.
#[derive(Serialize)]
struct ClientView {
    version: u32,
    name: String,
    /// True for the machine's own client.
    own: bool,
    /// True if it was imported, and the store has nothing else of the machine.
    #[serde(skip)]
    imported: bool,
    cert_path: String,
    /// True if the certificate is of a CA that the host does not accept: an earlier one, or one that `renew --undo` took back.
    revoked: bool,
    /// True if the certificate is of the CA that the machine's CA replaces, so that the host refuses it when the change ends. Without steps
    /// that is when the host gets the new CA.
    old_ca: bool,
    /// None if it cannot be read.
    certificate: Option<CertificateView>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl ClientView {
    fn new(
        name: String,
        own: bool,
        cert_path: String,
        ca: ClientCa,
        read: Result<Certificate>,
        now: OffsetDateTime,
    ) -> Self {
        let read = read.and_then(|certificate| CertificateView::of(&certificate, now));
        let (certificate, error) = match read {
            Ok(certificate) => (Some(certificate), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let (revoked, old_ca) = (ca == ClientCa::Other, [ClientCa::Old, ClientCa::Previous].contains(&ca));
        Self { version: VERSION, name, own, imported: false, cert_path, revoked, old_ca, certificate, error }
    }

    fn row(self) -> Vec<String> {
        let name = match (self.own, self.imported) {
            (_, true) => format!("{} (imported)", self.name),
            (true, false) => format!("{} (the machine's own)", self.name),
            (false, false) => self.name,
        };
        let (until, state) = match self.certificate {
            Some(certificate) if self.revoked => (certificate.not_after, "revoked (another CA)".to_owned()),
            Some(certificate) if self.old_ca => {
                (certificate.not_after, "of the old CA: make it again".to_owned())
            }
            Some(certificate) => (certificate.not_after, left(certificate.days_left)),
            None => ("-".to_owned(), self.error.unwrap_or_default()),
        };
        vec![name, until, state]
    }
}

/// Lists the clients, the machine's own first. One that cannot be read has its own row and hides no other.
pub fn clients(store: &Store, ui: Ui, now: OffsetDateTime, name: &str, json: bool) -> Result<()> {
    let views = views(store, &machine_name(name)?, now)?;
    if json {
        return ui.json(&views);
    }
    let mut table = vec![["CLIENT", "VALID UNTIL", "CERTIFICATE"].map(str::to_owned).to_vec()];
    table.extend(views.into_iter().map(ClientView::row));
    ui.table(&table)
}

fn views(store: &Store, machine: &MachineName, now: OffsetDateTime) -> Result<Vec<ClientView>> {
    let further = store.clients(machine)?;
    let own = store.certificate(machine, "cert");
    // A client that was imported has its own name.
    let imported = store.is_client_only(machine);
    let name = own.as_ref().ok().filter(|_| imported).and_then(Certificate::common_name);
    let name = name.unwrap_or_else(|| machine.to_string());
    let own = ClientView::new(name, true, store.machine_path(machine)?, ClientCa::Current, own, now);
    let mut views = vec![ClientView { imported, ..own }];
    views.extend(further.into_iter().map(|(client, read)| {
        let cert_path = store.client_dir(machine, &client).display().to_string();
        let ca = store.client_ca(machine, &client);
        ClientView::new(client.to_string(), false, cert_path, ca, read, now)
    }));
    Ok(views)
}

/// The JSON Schema of the list that `clients --json` prints.
pub fn schema() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let client = json!({
        "type": "object",
        "properties": {
            "version": { "const": VERSION, "description": "Version of this shape; it rises when a field disappears or gets another meaning" },
            "name": text("The common name of the certificate"),
            "own": { "type": "boolean", "description": "Whether it is the machine's own client, which `create` made" },
            "cert_path": text("The folder with `cert.pem` and `key.pem`"),
            "revoked": { "type": "boolean", "description": "Whether the certificate is of a CA that the host does not accept: an earlier one, or one that `renew --undo` took back" },
            "old_ca": { "type": "boolean", "description": "Whether the certificate is of the CA that the machine's CA replaces, so that the host refuses it when the change of the CA ends" },
            "certificate": { "anyOf": [certificate_schema(), { "type": "null" }], "description": "Null if it cannot be read" },
            "error": text("Why it cannot be read"),
        },
        "required": ["version", "name", "own", "cert_path", "revoked", "old_ca", "certificate"],
        "additionalProperties": false,
    });
    json!({
        "$schema": DRAFT,
        "title": "hostseed clients",
        "description": "The output of `clients --json`: the machine's own client and those that `client` made",
        "type": "array",
        "items": client,
    })
}
