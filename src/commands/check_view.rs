//! The result of `check` for one machine: lines for a reader, and JSON, which `hostseed schema check` describes.

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::diagnosis::{Diagnosis, skew};
use super::machine_view::CertificateView;
use super::schema::DRAFT;
use super::verify::ProblemView;
use crate::diag::{Diagnostic, Severity};
use crate::docker::{Answer, Fault, Which};
use crate::pki::Certificate;

/// The version of the shape. It rises when a field disappears or gets another meaning, and stays when a field is added.
const VERSION: u32 = 1;

/// The longest label that is shown in full, in characters. JSON has all of it.
const MAX_COLUMNS: usize = 80;

/// The result for a machine.
pub struct Checked {
    name: String,
    url: String,
    answer: Option<Answer>,
    /// The certificates of the connection. Without an answer, those of the store.
    certificates: Vec<(Which, Certificate)>,
    /// The error that says why the host does not answer, or the warnings.
    pub problems: Vec<Diagnostic>,
    skew: Option<i64>,
    now: OffsetDateTime,
}

impl Checked {
    pub fn new(machine: &Diagnosis, outcome: Result<Answer, Fault>, now: OffsetDateTime) -> Self {
        let client = &machine.target.client;
        let presented = outcome.as_ref().map(|answer| answer.presented.clone()).unwrap_or_default();
        let own = client.chain.first().map(|first| (Which::Client, first.clone()));
        let authorities = [Which::Authority, Which::OldAuthority].into_iter().zip(client.ca.anchors());
        let certificates: Vec<_> = Which::roles(presented).chain(authorities).chain(own).collect();
        let (answer, fault) = match outcome {
            Ok(answer) => (Some(answer), None),
            Err(fault) => (None, Some(fault)),
        };
        let skew = answer.as_ref().and_then(|answer| answer.clock).map(|clock| skew(clock, now));
        let problems = match fault {
            Some(fault) => vec![machine.of(&fault)],
            None => {
                let borrowed: Vec<_> = certificates.iter().map(|(which, one)| (*which, one)).collect();
                machine.warnings(&borrowed, skew, now)
            }
        };
        let (name, url) = (machine.name.to_string(), machine.url.to_owned());
        Self { name, url, answer, certificates, problems, skew, now }
    }

    pub fn is_up(&self) -> bool {
        self.answer.is_some()
    }

    /// Returns whether the host presents this certificate, as its own or as its boot issuer's.
    pub fn presents(&self, certificate: &Certificate) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.presented.contains(certificate))
    }

    /// Returns whether a certificate expires soon.
    pub fn expires_soon(&self) -> bool {
        self.certificates.iter().any(|(_, certificate)| certificate.validity().expires_soon(self.now))
    }

    /// One line about a host that is up.
    pub fn headline(&self) -> Option<String> {
        let Answer { version, operating_system, os, arch, .. } = self.answer.as_ref()?;
        let or =
            |text: &'static str, fact: &str| if fact.is_empty() { text.to_owned() } else { fact.to_owned() };
        Some(format!(
            "{} is up: Docker {} on {}, {}/{}",
            self.name,
            or("of an unknown version", version),
            or("an unknown system", operating_system),
            or("unknown", os),
            or("unknown", arch)
        ))
    }

    /// The facts about a host that is up.
    pub fn rows(&self) -> Result<Vec<(&'static str, Vec<String>)>> {
        let mut rows = vec![("docker host", vec![self.url.clone()])];
        if let Some(Answer { api, kernel, name, labels, .. }) = &self.answer {
            rows.push(("API", vec![api.clone()]));
            let told =
                [("host name", name), ("kernel", kernel)].into_iter().filter(|(_, fact)| !fact.is_empty());
            rows.extend(told.map(|(title, fact)| (title, vec![fact.clone()])));
            rows.push(("labels", labels.iter().map(|label| shortened(label)).collect()));
        }
        for (which, certificate) in &self.certificates {
            let name = match which {
                Which::Server => "server",
                Which::Intermediate => "boot issuer",
                Which::Authority => "CA",
                Which::OldAuthority => "old CA",
                Which::Client => "client",
            };
            rows.push((name, CertificateView::of(certificate, self.now)?.lines()));
        }
        Ok(rows)
    }

    /// The result in JSON.
    pub fn view(&self) -> Result<View<'_>> {
        let certificate = |wanted| {
            let found = self.certificates.iter().find(|(which, _)| *which == wanted);
            found.map(|(_, certificate)| CertificateView::of(certificate, self.now)).transpose()
        };
        Ok(View {
            version: VERSION,
            name: &self.name,
            docker_host: &self.url,
            up: self.is_up(),
            docker: self.answer.as_ref().map(|answer| DockerView {
                version: &answer.version,
                api_version: &answer.api,
                operating_system: &answer.operating_system,
                os: &answer.os,
                arch: &answer.arch,
                kernel: &answer.kernel,
                host_name: &answer.name,
                labels: &answer.labels,
            }),
            clock_skew: self.skew,
            certificates: CertificatesView {
                server: certificate(Which::Server)?,
                issuer: certificate(Which::Intermediate)?,
                authority: certificate(Which::Authority)?,
                old_authority: certificate(Which::OldAuthority)?,
                client: certificate(Which::Client)?,
            },
            problems: self.problems.iter().map(ProblemView::from).collect(),
        })
    }
}

/// A text of at most [`MAX_COLUMNS`] characters.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_COLUMNS) {
        Some(_) => text.chars().take(MAX_COLUMNS - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// The result in JSON.
#[derive(Serialize)]
pub struct View<'a> {
    version: u32,
    name: &'a str,
    docker_host: &'a str,
    up: bool,
    docker: Option<DockerView<'a>>,
    clock_skew: Option<i64>,
    certificates: CertificatesView,
    problems: Vec<ProblemView<'a>>,
}

#[derive(Serialize)]
struct DockerView<'a> {
    version: &'a str,
    api_version: &'a str,
    operating_system: &'a str,
    os: &'a str,
    arch: &'a str,
    kernel: &'a str,
    host_name: &'a str,
    labels: &'a [String],
}

#[derive(Serialize)]
struct CertificatesView {
    server: Option<CertificateView>,
    issuer: Option<CertificateView>,
    authority: Option<CertificateView>,
    old_authority: Option<CertificateView>,
    client: Option<CertificateView>,
}

/// The JSON Schema of the list that `check --json` prints.
pub fn schema() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let optional = |about: &str| json!({ "type": ["string", "null"], "description": about });
    let object = |about: &str, properties: Value| {
        let required: Vec<String> =
            properties.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        json!({ "type": "object", "description": about, "properties": properties, "required": required, "additionalProperties": false })
    };
    let nullable = |one: Value| json!({ "anyOf": [one, { "type": "null" }] });
    let certificate = object(
        "A certificate",
        json!({
            "fingerprint": text("SHA-256 of the DER, as openssl prints it"),
            "not_before": { "type": "string", "format": "date-time" },
            "not_after": { "type": "string", "format": "date-time" },
            "days_left": { "type": "integer" },
        }),
    );
    let docker = object(
        "What Docker says about the host; a text is empty if it does not say",
        json!({
            "version": text("Docker's version"),
            "api_version": text("The newest version of the API that the host and hostseed support"),
            "operating_system": text("The distribution"),
            "os": text("For example linux"),
            "arch": text("For example amd64"),
            "kernel": text("The kernel's version"),
            "host_name": text("The host's own name"),
            "labels": { "type": "array", "items": { "type": "string" } },
        }),
    );
    let mut problem = object(
        "Why the machine is not up, or a warning",
        json!({
            "severity": { "enum": [Severity::Error.name(), Severity::Warning.name()] },
            "code": text("A code that `hostseed explain` explains"),
            "place": text("Empty"),
            "line": { "type": "null" },
            "column": { "type": "null" },
            "message": text("One sentence"),
            "hint": optional("The next step"),
        }),
    );
    problem["properties"]["commands"] =
        json!({ "type": "array", "items": { "type": "string" }, "description": "Commands of the hint" });
    let checked = object(
        "A machine",
        json!({
            "version": { "const": VERSION, "description": "Version of this shape; it rises when a field disappears or gets another meaning" },
            "name": text("The machine's name"),
            "docker_host": text("DOCKER_HOST"),
            "up": { "type": "boolean", "description": "Whether Docker answers over mutual TLS" },
            "docker": nullable(docker),
            "clock_skew": { "type": ["integer", "null"], "description": "The host's clock minus this computer's, in seconds" },
            "certificates": object("The certificates of the connection; server and issuer are null if the machine is not up, old_authority unless the CA is being replaced", json!({
                "server": nullable(certificate.clone()),
                "issuer": nullable(certificate.clone()),
                "authority": nullable(certificate.clone()),
                "old_authority": nullable(certificate.clone()),
                "client": nullable(certificate),
            })),
            "problems": { "type": "array", "items": problem },
        }),
    );
    json!({
        "$schema": DRAFT,
        "title": "hostseed check",
        "description": "The output of `check --json`: the machines in the order in which they were named",
        "type": "array",
        "items": checked,
    })
}
