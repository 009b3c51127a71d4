//! A machine in JSON. `create`, `inspect` and `ls` print it in one shape, and `external` has the same facts in a flat object of strings.
//! `hostseed schema machine` describes both.

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::schema::DRAFT;
use crate::delivery::Choice;
use crate::diag::counted;
use crate::names::MachineName;
use crate::options::Kind;
use crate::pki::{Certificate, Identity, Validity};
use crate::plan::{Field, HostRole, Plan};
use crate::spec::Spec;
use crate::store::{self, Store};

/// The version of the shape. It rises when a field disappears or gets another meaning, and stays when a field is added.
pub const VERSION: u32 = 1;

/// A machine. `ls` fills in only what its index has.
#[derive(Serialize)]
pub struct MachineView {
    pub version: u32,
    pub name: String,
    /// `DOCKER_HOST`; none if the machine cannot be read.
    pub docker_host: Option<String>,
    /// The machine's folder, which is `DOCKER_CERT_PATH`.
    pub cert_path: String,
    /// Docker Machine's driver; `none` for hostseed's machines.
    pub driver: Option<String>,
    /// True if this shell's docker CLI connects to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(flatten)]
    pub details: Option<Details>,
    #[serde(flatten)]
    pub host: Option<HostCertificateView>,
    /// `ls`: the client's certificate, if the store has nothing else of the machine.
    #[serde(rename = "client", skip_serializing_if = "Option::is_none")]
    pub only_client: Option<CertificateView>,
    /// `ls --expiring`: the certificate that expires first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiring: Option<ExpiringView>,
    /// The user-data's format, encoding and size for `--for`.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryView>,
    /// Why the machine cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The certificate of a machine that expires first.
#[derive(Serialize)]
pub struct ExpiringView {
    /// `server certificate`, `boot issuer's certificate`, `CA certificate`, `client certificate`, or ``client `CN` `` for one that `client` made.
    pub certificate: String,
    /// RFC 3339.
    pub not_after: String,
    pub days_left: i64,
}

impl ExpiringView {
    pub fn new(certificate: &str, validity: Validity, now: OffsetDateTime) -> Result<Self> {
        let not_after = validity.not_after.format(&Rfc3339)?;
        Ok(Self { certificate: certificate.to_owned(), not_after, days_left: validity.days_left(now) })
    }
}

/// The fields that `create` and `inspect` show and `ls` does not read.
#[derive(Serialize)]
pub struct Details {
    /// The host of `docker_host`. IPv6 addresses have no brackets.
    pub address: String,
    pub port: u16,
    /// The SANs of the server certificate. A host with a boot issuer adds its own addresses.
    pub sans: Vec<String>,
    pub authority: Option<CertificateView>,
    /// The CA that `authority` replaces, until the change ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_authority: Option<CertificateView>,
    pub client: Option<CertificateView>,
    /// The path of the stored user-data. None for machines that Docker Machine made.
    pub user_data_file: Option<String>,
    /// The machine's options, by their names in a spec. For a machine that Docker Machine made those of its record.
    pub options: Map<String, Value>,
}

impl MachineView {
    /// Reads a machine from the store. Docker Machine's machines can lack certificates, for example if `docker-machine create`
    /// failed.
    ///
    /// # Errors
    /// Fails if the machine does not exist, another user can change it, or one of its files cannot be read.
    pub fn read(store: &Store, name: &MachineName, now: OffsetDateTime) -> Result<Self> {
        let record = store.record(name)?;
        let dir = store.machine_dir(name);
        let certificate = |file: &str| match dir.join(format!("{file}.pem")).symlink_metadata() {
            Ok(_) => store.certificate(name, file).map(Some),
            Err(_) => Ok(None),
        };
        let view = |certificate: &Certificate| CertificateView::of(certificate, now);
        let ca = match dir.join("ca.pem").symlink_metadata() {
            Ok(_) => Some(store.ca_bundle(name)?),
            Err(_) => None,
        };
        let plan = match dir.join("machine.yaml").symlink_metadata() {
            Ok(_) => Some(store.plan(name)?),
            Err(_) => None,
        };
        let role = store.host_role(name);
        let host = certificate(role.file_stem())?;
        let sans = match (role, &plan) {
            (HostRole::BootIssuer, Some(plan)) => plan.sans(),
            _ => host.as_ref().map(Certificate::sans).unwrap_or_default(),
        };
        let user_data = dir.join("user-data");
        let fields = plan.map_or_else(|| record.options(), |plan| plan.fields());
        let details = Details {
            address: record.host,
            port: record.port,
            sans: sans.iter().map(ToString::to_string).collect(),
            authority: ca.as_ref().map(|ca| view(&ca.current)).transpose()?,
            old_authority: ca.as_ref().and_then(|ca| ca.old.as_ref()).map(view).transpose()?,
            client: certificate("cert")?.as_ref().map(view).transpose()?,
            user_data_file: user_data.is_file().then(|| user_data.display().to_string()),
            options: options(&fields),
        };
        Ok(Self {
            version: VERSION,
            name: name.to_string(),
            docker_host: Some(record.url),
            cert_path: store.machine_path(name)?,
            driver: Some(record.driver),
            active: None,
            details: Some(details),
            host: host.as_ref().map(view).transpose()?.map(|view| HostCertificateView::new(role, view)),
            only_client: None,
            expiring: None,
            delivery: None,
            error: None,
        })
    }

    /// A machine that would be created: without fingerprints, since its certificates are made again by `create`.
    pub fn planned(store: &Store, plan: &Plan, identity: &Identity) -> Result<Self> {
        let sans = match plan.host_role() {
            HostRole::Server => identity.host.certificate.sans(),
            HostRole::BootIssuer => plan.sans(),
        };
        let details = Details {
            address: plan.dialled().to_string(),
            port: plan.host.port,
            sans: sans.iter().map(ToString::to_string).collect(),
            authority: None,
            old_authority: None,
            client: None,
            user_data_file: Some(store.machine_dir(&plan.name).join("user-data").display().to_string()),
            options: options(&plan.fields()),
        };
        Ok(Self {
            version: VERSION,
            name: plan.name.to_string(),
            docker_host: Some(store::url(&plan.dialled(), plan.host.port)),
            cert_path: store.machine_path(&plan.name)?,
            driver: Some("none".into()),
            active: None,
            details: Some(details),
            host: None,
            only_client: None,
            expiring: None,
            delivery: None,
            error: None,
        })
    }
}

/// The fields of a plan as a spec has them, without the name.
fn options(fields: &[Field]) -> Map<String, Value> {
    let is_switch = |name: &str| {
        Spec::fields().any(|definition| definition.name == name && definition.kind == Kind::Switch)
    };
    let fields = fields.iter().filter(|field| field.name() != "name").map(|field| {
        let value = match field {
            Field::One(name, value) if is_switch(name) => (value == "true").into(),
            Field::One(_, value) => value.as_str().into(),
            Field::Many(_, values) => values.clone().into(),
        };
        (field.name().to_owned(), value)
    });
    fields.collect()
}

/// How the user-data is delivered to a cloud.
#[derive(Serialize)]
pub struct DeliveryView {
    cloud: &'static str,
    gzip: bool,
    base64: bool,
    /// Bytes charged against the cloud's limit.
    size: usize,
    limit: Option<usize>,
}

impl DeliveryView {
    /// The size and the encoding for a table.
    pub fn in_words(&self) -> String {
        let packed = match (self.gzip, self.base64) {
            (true, true) => ", compressed and in base64",
            (true, false) => ", compressed",
            (false, true) => ", in base64",
            (false, false) => "",
        };
        let limit =
            self.limit.map(|limit| format!("; the limit of {} is {limit}", self.cloud)).unwrap_or_default();
        format!("about {} bytes{packed}{limit}", self.size)
    }

    pub fn new(choice: &Choice) -> Self {
        let Choice { cloud, delivery, size } = choice;
        Self {
            cloud: cloud.name,
            gzip: delivery.gzip,
            base64: delivery.base64,
            size: *size,
            limit: cloud.limit(),
        }
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

    /// The role in words, and the lines of the certificate.
    pub fn row(&self) -> (&'static str, Vec<String>) {
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

/// A certificate, for a table and for JSON.
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

    pub fn lines(&self) -> Vec<String> {
        vec![
            format!("until {}, {}", self.not_after, left(self.days_left)),
            format!("SHA-256 {}", self.fingerprint),
        ]
    }
}

/// Formats the whole days until a certificate expires, which are negative after that.
pub fn left(days: i64) -> String {
    // -1 is the first day after the expiry.
    match days {
        ..-1 => format!("expired {} ago", counted(days.unsigned_abs() - 1, "day")),
        -1 => "expired less than a day ago".into(),
        0 => "less than a day left".into(),
        1.. => format!("{} left", counted(days.unsigned_abs(), "day")),
    }
}

/// The JSON Schema of [`MachineView`], of `ls`'s list of them, and of `external`'s answer.
pub fn schema() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let optional = |about: &str| json!({ "type": ["string", "null"], "description": about });
    let certificate = |about: &str| json!({ "anyOf": [{ "$ref": "#/definitions/certificate" }, { "type": "null" }], "description": about });
    let properties = json!({
        "version": { "const": VERSION, "description": "Version of this shape; it rises when a field disappears or gets another meaning" },
        "name": text("The machine's name"),
        "docker_host": optional("DOCKER_HOST; null if the machine cannot be read"),
        "cert_path": text("The machine's folder, which is DOCKER_CERT_PATH"),
        "driver": optional("Docker Machine's driver; none for machines of hostseed"),
        "active": { "type": "boolean", "description": "ls: whether the docker CLI in this shell connects to it" },
        "address": text("The host of docker_host; IPv6 without brackets"),
        "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
        "sans": { "type": "array", "items": { "type": "string" }, "description": "Names and addresses of the server certificate; a host with a boot issuer adds its own" },
        "authority": certificate("The CA"),
        "old_authority": certificate("The CA that it replaces, while `renew --authority --apply` changes the CA"),
        "server": certificate("The server certificate"),
        "issuer": certificate("The boot issuer, with which the host issues its own certificate"),
        "client": certificate("The client certificate"),
        "user_data_file": optional("The path of the stored user-data; null for machines of Docker Machine"),
        "options": { "type": "object", "description": "The machine's options with their defaults, by their names in a spec" },
        "for": {
            "type": "object",
            "description": "create --for: how the user-data gets to the cloud",
            "properties": {
                "cloud": { "type": "string" },
                "gzip": { "type": "boolean" },
                "base64": { "type": "boolean" },
                "size": { "type": "integer", "description": "Bytes that count for the limit" },
                "limit": { "type": ["integer", "null"] },
            },
            "required": ["cloud", "gzip", "base64", "size", "limit"],
            "additionalProperties": false,
        },
        "expiring": {
            "type": "object",
            "description": "ls --expiring: the certificate that expires first",
            "properties": {
                "certificate": { "type": "string", "description": "Which one it is: of the server, the boot issuer, the CA or a client" },
                "not_after": { "type": "string", "format": "date-time" },
                "days_left": { "type": "integer" },
            },
            "required": ["certificate", "not_after", "days_left"],
            "additionalProperties": false,
        },
        "error": text("ls: why the machine cannot be read"),
    });
    let answer = json!({
        "version": { "const": VERSION.to_string() },
        "name": text("The machine's name"),
        "docker_host": text("DOCKER_HOST"),
        "cert_path": text("The machine's folder, which is DOCKER_CERT_PATH"),
        "user_data": text("The user-data; missing if it is binary"),
        "user_data_base64": text("The user-data in base64"),
        "fingerprint_authority": text("The CA's fingerprint"),
        "fingerprint_host": text("The fingerprint of the server certificate or of the boot issuer"),
        "fingerprint_client": text("The fingerprint of the client certificate"),
        "expiry": text("When the first of the host's and the client's certificate expires, RFC 3339"),
    });
    json!({
        "$schema": DRAFT,
        "title": "hostseed machine",
        "description": "The output of `create --json`, `inspect --json` (a machine), `ls --json` (a list of machines) and `external` (an answer)",
        "anyOf": [
            { "$ref": "#/definitions/machine" },
            { "type": "array", "items": { "$ref": "#/definitions/machine" } },
            { "$ref": "#/definitions/answer" },
        ],
        "definitions": {
            "machine": {
                "type": "object",
                "properties": properties,
                "required": ["version", "name", "docker_host", "cert_path", "driver"],
                "additionalProperties": false,
            },
            "answer": {
                "type": "object",
                "properties": answer,
                "required": answer.as_object().into_iter().flat_map(|map| map.keys()).filter(|key| *key != "user_data").collect::<Vec<_>>(),
                "additionalProperties": false,
            },
            "certificate": certificate_schema(),
        },
    })
}

/// The JSON Schema of [`CertificateView`].
pub fn certificate_schema() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    json!({
        "type": "object",
        "properties": {
            "fingerprint": text("SHA-256 of the DER: hexadecimal bytes with colons"),
            "not_before": text("RFC 3339"),
            "not_after": text("RFC 3339"),
            "days_left": { "type": "integer", "description": "Negative if it has expired" },
        },
        "required": ["fingerprint", "not_before", "not_after", "days_left"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::left;

    #[test]
    fn the_days_until_and_since_the_expiry_are_whole() {
        for (days, words) in [
            (-3, "expired 2 days ago"),
            (-2, "expired 1 day ago"),
            (-1, "expired less than a day ago"),
            (0, "less than a day left"),
            (1, "1 day left"),
            (2, "2 days left"),
        ] {
            assert_eq!(left(days), words);
        }
    }
}
