//! The user's request, word for word, from flags, from a YAML file or from a query. Only the structure is checked here:
//! the known fields, and that each value is a text, a number, or a list of these. The values are validated in `plan/`.

mod fleet;
mod query;
mod yaml;

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Place, Report};
use crate::options::{self, Definition, Host, Identity, Kind, Slot};

pub use crate::options::Word;
pub use fleet::{FleetFile, MAX_MACHINES, SwarmWords};
pub use yaml::{Document, MAX_BYTES};

/// The source of a spec.
#[derive(Debug, Clone, Default)]
pub enum Origin {
    /// Flags and arguments.
    #[default]
    CommandLine,
    File(Document),
    /// A query of Terraform's external data source.
    Query,
    /// A resource of Terraform.
    Resource,
}

/// A request for a machine or an image: the name and the [options](crate::options).
#[derive(Debug, Clone, Default)]
pub struct Spec {
    pub name: Option<Word>,
    pub identity: Identity,
    pub host: Host,
    pub origin: Origin,
    /// Problems with the structure of the file or the query. The other fields are filled in all the same, so that all
    /// problems can be reported at once.
    pub problems: Vec<Diagnostic>,
    /// The fields that the file contains, even if their values are invalid, that the query contains with valid values, or that
    /// `create` has as flags.
    pub given: Vec<String>,
}

/// The machine's name. On the command line it is an argument of `create` and not an option.
const NAME: Definition = Definition { name: "name", attribute: "name", kind: Kind::One };

impl Spec {
    /// Makes the spec of an image from its flags.
    pub fn of_image(host: Host) -> Self {
        Self { host, ..Self::default() }
    }

    /// All fields: the name and the options.
    pub fn fields() -> impl Iterator<Item = &'static Definition> {
        [&NAME].into_iter().chain(options::all())
    }

    /// Reads a spec file. `file` is its name in diagnostics.
    ///
    /// Unknown fields, repeated fields and values of the wrong type are reported in [`problems`](Self::problems).
    ///
    /// # Errors
    /// Fails if the text is not YAML, exceeds a limit, or is not a map.
    pub fn from_yaml(file: &str, text: &str) -> Result<Self, Report> {
        yaml::read(file, text)
    }

    /// Reads a query of Terraform's external data source, a map from strings to strings. Problems are reported in
    /// [`problems`](Self::problems).
    pub fn from_query(query: &BTreeMap<String, String>) -> Self {
        query::read(query)
    }

    /// Makes the spec of a resource of Terraform: the values of each field that has some.
    pub fn of_resource(fields: impl IntoIterator<Item = (&'static str, Vec<String>)>) -> Self {
        let mut spec = Self { origin: Origin::Resource, ..Self::default() };
        for (field, values) in fields {
            spec.set(field, values);
            spec.given.push(field.to_owned());
        }
        spec
    }

    /// Sets a field to values, which have no positions. Ignores a field that does not exist.
    pub fn set(&mut self, field: &str, values: impl IntoIterator<Item = String>) {
        let mut words = values.into_iter().map(Word::from);
        match self.slot(field) {
            Some((_, Slot::One(one))) => *one = words.next(),
            Some((_, Slot::Many(many))) => *many = words.collect(),
            None => {}
        }
    }

    /// The kind of a field and the place of its values in this spec. Returns `None` if the field is unknown.
    fn slot(&mut self, field: &str) -> Option<(Kind, Slot<'_>)> {
        let kind = Self::fields().find(|definition| definition.name == field)?.kind;
        let slot = match field {
            "name" => Some(Slot::One(&mut self.name)),
            field => self.identity.slot(field).or_else(|| self.host.slot(field)),
        };
        slot.map(|slot| (kind, slot))
    }

    /// Sets the values of a field that has none.
    pub fn fill(&mut self, field: &str, values: &[String]) {
        let mut words = values.iter().cloned().map(Word::from);
        match self.slot(field) {
            Some((_, Slot::One(one))) if one.is_none() => *one = words.next(),
            Some((_, Slot::Many(many))) if many.is_empty() => many.extend(words),
            _ => {}
        }
    }

    /// Sets the fields that are not given here to those of `defaults`.
    fn inherit(&mut self, defaults: &Self) {
        let mut defaults = defaults.clone();
        for definition in Self::fields().filter(|definition| definition.name != NAME.name) {
            let field = definition.name;
            if self.given.iter().any(|given| given == field) {
                continue;
            }
            let (Some((_, from)), Some((_, to))) = (defaults.slot(field), self.slot(field)) else { continue };
            match (from, to) {
                (Slot::One(from), Slot::One(to)) => *to = from.take(),
                (Slot::Many(from), Slot::Many(to)) => *to = std::mem::take(from),
                _ => {}
            }
        }
        let inherited: Vec<_> =
            defaults.given.into_iter().filter(|field| !self.given.contains(field)).collect();
        self.given.extend(inherited);
    }

    /// The spec with this field alone.
    fn with_only(&self, field: &str) -> Self {
        let others = self.given.iter().filter(|given| *given != field).cloned().collect();
        let mut alone = Self { origin: self.origin.clone(), given: others, ..Self::default() };
        alone.inherit(self);
        alone.given = vec![field.to_owned()];
        alone
    }

    /// Changes each value of the fields other than `name` and those in `but`.
    fn change_words(&mut self, but: &[&str], mut change: impl FnMut(&'static str, &mut Word)) {
        for definition in Self::fields().filter(|definition| !but.contains(&definition.name)) {
            match self.slot(definition.name) {
                Some((_, Slot::One(Some(word)))) => change(definition.name, word),
                Some((_, Slot::Many(words))) => {
                    words.iter_mut().for_each(|word| change(definition.name, word))
                }
                _ => {}
            }
        }
    }

    /// The given fields that apply only to a machine and not to an image.
    pub fn identity_fields(&self) -> Vec<&'static str> {
        let name = self.name.is_some().then_some(NAME.name);
        name.into_iter().chain(self.identity.given()).collect()
    }

    /// Formats a field with a value for a hint, in the syntax of this spec's source.
    pub fn flag(&self, field: &str, value: &str) -> String {
        match (&self.origin, value) {
            (Origin::File(_), _) => format!("`{field}: {value}`"),
            (Origin::Query, _) => format!("`{field} = \"{value}\"`"),
            (Origin::Resource, "true" | "false") => format!("`{} = {value}`", attribute(field)),
            (Origin::Resource, _) => format!("`{} = \"{value}\"`", attribute(field)),
            (Origin::CommandLine, "true") => format!("`--{field}`"),
            (Origin::CommandLine, _) => format!("`--{field} {value}`"),
        }
    }

    /// Names this spec's source in a sentence: "in the query".
    pub fn source(&self) -> &'static str {
        match self.origin {
            Origin::File(_) => "in the spec",
            Origin::Query => "in the query",
            Origin::Resource => "in the configuration",
            Origin::CommandLine => "on the command line",
        }
    }

    /// The name of a field in the syntax of this spec's source.
    pub fn name_of(&self, field: &str) -> String {
        match (&self.origin, field) {
            (Origin::CommandLine, "name") => "NAME".to_owned(),
            (Origin::CommandLine, _) => format!("--{field}"),
            (Origin::File(_) | Origin::Query, _) => field.to_owned(),
            (Origin::Resource, _) => attribute(field).to_owned(),
        }
    }

    /// Adds to a diagnostic the field, and the position of `word` if it is known.
    pub fn about(&self, field: &str, word: Option<&Word>, diagnostic: Diagnostic) -> Diagnostic {
        let name = self.name_of(field);
        let place = match &self.origin {
            Origin::File(document) => document.place(word.and_then(|word| word.position)),
            Origin::CommandLine | Origin::Query | Origin::Resource => Place::default(),
        };
        diagnostic.about(format_args!("`{name}`")).at(place).of_field(field)
    }
}

/// The attribute of Terraform's resources for a field.
fn attribute(field: &str) -> &str {
    Spec::fields()
        .find(|definition| definition.name == field)
        .map_or(field, |definition| definition.attribute)
}

/// The known field with the most similar name, if one is similar enough.
fn nearest(field: &str) -> Option<&'static str> {
    let wanted = field.to_lowercase().replace('_', "-");
    Spec::fields()
        .map(|known| (strsim::jaro_winkler(known.name, &wanted), known.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
