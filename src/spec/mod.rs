//! What the user asked for, word for word, from flags or from a YAML file. Nothing is checked here but
//! the file's shape: which fields there are, and that each is a text, a number or a list of those.
//! What the words mean is decided in `plan/`.

mod query;
mod yaml;

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Place, Report};
use crate::options::{self, Definition, Host, Identity, Kind, Slot};

pub use crate::options::Word;
pub use yaml::{Document, MAX_BYTES};

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

/// A machine or an image as asked for: the name and the [options](crate::options).
#[derive(Debug, Clone, Default)]
pub struct Spec {
    pub name: Option<Word>,
    pub identity: Identity,
    pub host: Host,
    pub origin: Origin,
    /// What is wrong with the shape of the file or the query. The other values are there all the same, so that all problems can
    /// be reported at once.
    pub problems: Vec<Diagnostic>,
    /// The fields that the file or the query names, whatever became of their values.
    pub given: Vec<String>,
}

/// The field that names the machine. It is no option, but the argument of `create`.
const NAME: Definition = Definition { name: "name", kind: Kind::One };

impl Spec {
    /// What the flags of an image ask for.
    pub fn of_image(host: Host) -> Self {
        Self { host, ..Self::default() }
    }

    /// Every field: the name, and the options.
    pub fn fields() -> impl Iterator<Item = &'static Definition> {
        [&NAME].into_iter().chain(options::all())
    }

    /// Reads a spec file. `file` is its name in diagnostics.
    ///
    /// Unknown and repeated fields and values of the wrong type are in [`problems`](Self::problems).
    ///
    /// # Errors
    /// A text that is not YAML, or not a map.
    pub fn from_yaml(file: &str, text: &str) -> Result<Self, Report> {
        yaml::read(file, text)
    }

    /// Reads a query of Terraform's external data source, a flat map of texts: what is wrong with it is in
    /// [`problems`](Self::problems).
    pub fn from_query(query: &BTreeMap<String, String>) -> Self {
        query::read(query)
    }

    /// Where a field's values go, and of what kind they are.
    fn slot(&mut self, field: &str) -> Option<(Kind, Slot<'_>)> {
        let kind = Self::fields().find(|definition| definition.name == field)?.kind;
        let slot = match field {
            "name" => Some(Slot::One(&mut self.name)),
            field => self.identity.slot(field).or_else(|| self.host.slot(field)),
        };
        slot.map(|slot| (kind, slot))
    }

    /// The fields given here that are a machine's and mean nothing to an image.
    pub fn identity_fields(&self) -> Vec<&'static str> {
        let name = self.name.is_some().then_some(NAME.name);
        name.into_iter().chain(self.identity.given()).collect()
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

    /// Makes a diagnostic one about `field`, at `word` where there is one.
    pub fn about(&self, field: &str, word: Option<&Word>, diagnostic: Diagnostic) -> Diagnostic {
        let name = match (&self.origin, field) {
            (Origin::CommandLine, "name") => "NAME".to_owned(),
            (Origin::CommandLine, _) => format!("--{field}"),
            (Origin::File(_) | Origin::Query, _) => field.to_owned(),
        };
        let place = match &self.origin {
            Origin::File(document) => document.place(word.and_then(|word| word.position)),
            Origin::CommandLine | Origin::Query => Place::default(),
        };
        diagnostic.about(format_args!("`{name}`")).at(place)
    }
}

/// The field that was probably meant.
fn nearest(field: &str) -> Option<&'static str> {
    let wanted = field.to_lowercase().replace('_', "-");
    Spec::fields()
        .map(|known| (strsim::jaro_winkler(known.name, &wanted), known.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
