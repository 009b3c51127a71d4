//! What the user asked for, word for word, from flags or from a YAML file. Nothing is checked here but
//! the file's shape: which fields there are, and that each is a text, a number or a list of those.
//! What the words mean is decided in `plan/`.

mod query;
mod yaml;

use std::collections::BTreeMap;

use crate::report::{Complaint, Finding, Position, Report, Source};

pub use yaml::{Document, MAX_BYTES};

/// A value as written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// The value's number among the file's nodes, for [`Spec::position`]; none on the command line.
    node: Option<usize>,
}

impl From<String> for Word {
    /// A word from the command line.
    fn from(text: String) -> Self {
        Self { text, node: None }
    }
}

/// Where a spec's words are from.
#[derive(Debug, Clone, Default)]
pub enum Origin {
    /// Flags and arguments.
    #[default]
    CommandLine,
    File(Document),
    /// Of Terraform's external data source.
    Query,
}

/// A machine or an image as asked for. Each field is the flag of the same name: `create --tls-san A` is
/// `tls-san: [A]` in a file.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    pub name: Option<Word>,
    pub addresses: Vec<Word>,
    pub tls_sans: Vec<Word>,
    pub boot_issuer: Option<Word>,
    pub public_address_url: Option<Word>,
    pub port: Option<Word>,
    pub engine_opts: Vec<Word>,
    pub engine_labels: Vec<Word>,
    pub engine_registry_mirrors: Vec<Word>,
    pub engine_insecure_registries: Vec<Word>,
    pub engine_storage_driver: Option<Word>,
    pub engine_env: Vec<Word>,
    pub engine_install_url: Option<Word>,
    pub engine_install_sha256: Option<Word>,
    pub insecure_install_url: Option<Word>,
    pub docker: Option<Word>,
    pub docker_version: Option<Word>,
    pub docker_channel: Option<Word>,
    pub docker_mirror: Option<Word>,
    pub docker_key_fingerprint: Option<Word>,
    pub block_metadata: Option<Word>,
    pub key: Option<Word>,
    pub valid_for: Option<Word>,
    pub ca: Option<Word>,
    pub origin: Origin,
    /// What is wrong with the file's or the query's shape. The values that are right are there all the same, so that what is
    /// wrong with them can be told at once.
    pub findings: Vec<Finding>,
    /// The fields that the file or the query names, whatever became of their values.
    pub given: Vec<String>,
}

/// Where the values of one field go.
enum Slot<'a> {
    One(&'a mut Option<Word>),
    /// `true` or `false`, in a file without quotes too.
    Switch(&'a mut Option<Word>),
    Many(&'a mut Vec<Word>),
    /// A list of `K=V`, in a file also a map.
    Pairs(&'a mut Vec<Word>),
}

impl Spec {
    /// Every field's name, in the order in which `machine.yaml` and the documentation have them.
    pub const FIELDS: [&str; 24] = [
        "name",
        "address",
        "tls-san",
        "boot-issuer",
        "public-address-url",
        "port",
        "engine-opt",
        "engine-label",
        "engine-registry-mirror",
        "engine-insecure-registry",
        "engine-storage-driver",
        "engine-env",
        "engine-install-url",
        "engine-install-sha256",
        "insecure-install-url",
        "docker",
        "docker-version",
        "docker-channel",
        "docker-mirror",
        "docker-key-fingerprint",
        "block-metadata",
        "key",
        "valid-for",
        "ca",
    ];

    /// Reads a spec file. `file` is what findings call it.
    ///
    /// Fails where the text is no YAML, or no map. Unknown and repeated fields and values of the wrong type are in
    /// [`findings`](Self::findings).
    pub fn from_yaml(file: &str, text: &str) -> Result<Self, Report> {
        yaml::read(file, text)
    }

    /// Reads a query of Terraform's external data source, a flat map of texts: what is wrong with it is in
    /// [`findings`](Self::findings).
    pub fn from_query(query: &BTreeMap<String, String>) -> Self {
        query::read(query)
    }

    fn slot(&mut self, field: &str) -> Option<Slot<'_>> {
        Some(match field {
            "name" => Slot::One(&mut self.name),
            "address" => Slot::Many(&mut self.addresses),
            "tls-san" => Slot::Many(&mut self.tls_sans),
            "boot-issuer" => Slot::Switch(&mut self.boot_issuer),
            "public-address-url" => Slot::One(&mut self.public_address_url),
            "port" => Slot::One(&mut self.port),
            "engine-opt" => Slot::Pairs(&mut self.engine_opts),
            "engine-label" => Slot::Pairs(&mut self.engine_labels),
            "engine-registry-mirror" => Slot::Many(&mut self.engine_registry_mirrors),
            "engine-insecure-registry" => Slot::Many(&mut self.engine_insecure_registries),
            "engine-storage-driver" => Slot::One(&mut self.engine_storage_driver),
            "engine-env" => Slot::Pairs(&mut self.engine_env),
            "engine-install-url" => Slot::One(&mut self.engine_install_url),
            "engine-install-sha256" => Slot::One(&mut self.engine_install_sha256),
            "insecure-install-url" => Slot::Switch(&mut self.insecure_install_url),
            "docker" => Slot::One(&mut self.docker),
            "docker-version" => Slot::One(&mut self.docker_version),
            "docker-channel" => Slot::One(&mut self.docker_channel),
            "docker-mirror" => Slot::One(&mut self.docker_mirror),
            "docker-key-fingerprint" => Slot::One(&mut self.docker_key_fingerprint),
            "block-metadata" => Slot::Switch(&mut self.block_metadata),
            "key" => Slot::One(&mut self.key),
            "valid-for" => Slot::One(&mut self.valid_for),
            "ca" => Slot::One(&mut self.ca),
            _ => return None,
        })
    }

    /// The fields given here that are a machine's and mean nothing to an image.
    pub fn identity_fields(&self) -> Vec<&'static str> {
        let given = [
            ("name", self.name.is_some()),
            ("address", !self.addresses.is_empty()),
            ("tls-san", !self.tls_sans.is_empty()),
            ("boot-issuer", self.boot_issuer.is_some()),
            ("public-address-url", self.public_address_url.is_some()),
            ("key", self.key.is_some()),
            ("valid-for", self.valid_for.is_some()),
            ("ca", self.ca.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(field, _)| field).collect()
    }

    /// Where this came from.
    pub fn source(&self) -> Source {
        match &self.origin {
            Origin::File(document) => Source::File(document.file.clone()),
            Origin::CommandLine | Origin::Query => Source::CommandLine,
        }
    }

    /// How to give a field that value, for a hint: as this was given.
    pub fn flag(&self, field: &str, value: &str) -> String {
        match (&self.origin, value) {
            (Origin::File(_), _) => format!("`{field}: {value}`"),
            (Origin::Query, _) => format!("`{field} = \"{value}\"`"),
            (Origin::CommandLine, "true") => format!("`--{field}`"),
            (Origin::CommandLine, _) => format!("`--{field} {value}`"),
        }
    }

    /// A finding about `field`, at `word` where there is one.
    pub fn finding(&self, field: &str, word: Option<&Word>, complaint: Complaint) -> Finding {
        let name = match (&self.origin, field) {
            (Origin::CommandLine, "name") => "NAME".to_owned(),
            (Origin::CommandLine, _) => format!("--{field}"),
            (Origin::File(_) | Origin::Query, _) => field.to_owned(),
        };
        Finding {
            position: word.and_then(|w| self.position(w)),
            text: format!("`{name}` {}", complaint.text),
            hint: complaint.hint,
        }
    }

    fn position(&self, word: &Word) -> Option<Position> {
        match &self.origin {
            Origin::File(document) => document.position(word.node?),
            Origin::CommandLine | Origin::Query => None,
        }
    }
}

/// The field that was probably meant.
fn nearest(field: &str) -> Option<&'static str> {
    let wanted = field.to_lowercase().replace('_', "-");
    Spec::FIELDS
        .iter()
        .map(|known| (strsim::jaro_winkler(known, &wanted), *known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
