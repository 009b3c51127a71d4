//! The interface of a kind of resource.

use anyhow::Result;
use time::OffsetDateTime;

use super::schema::Schema;
use super::value::{Object, Value};
use crate::diag::Diagnostic;

/// A kind of resource that Terraform creates, updates and destroys. All of it is in Terraform's state: nothing is read from or written to
/// this computer, except that `import` reads a store.
///
/// Problems are a [`Report`](crate::diag::Report) or a [`Diagnostic`], whose field is an attribute or an option.
pub trait Resource: Sync {
    /// The name in a configuration, such as `hostseed_machine`.
    fn type_name(&self) -> &'static str;

    fn schema(&self) -> &'static Schema;

    /// Checks a configuration, of which a part may be known only later.
    fn validate(&self, config: &Object) -> Result<()>;

    /// Decides what changes. `prior` is none for a new resource. `proposed` is the configuration, with the prior values of the computed
    /// attributes; they are not known for a new resource.
    fn plan(&self, prior: Option<&Object>, proposed: Object, now: OffsetDateTime) -> Result<Planned>;

    /// Creates or updates the resource, and returns its state: `planned` with all attributes known. Keeps those that `planned` knows.
    fn apply(&self, prior: Option<&Object>, planned: Object, now: OffsetDateTime) -> Result<Object>;

    /// Reads the state of what exists outside of Terraform. `id` is what the user names.
    fn import(&self, id: &str, now: OffsetDateTime) -> Result<Object>;
}

/// A planned change.
pub struct Planned {
    pub state: Object,
    /// The attributes whose change needs another resource in place of this one.
    pub replaces: Vec<&'static str>,
    pub warnings: Vec<Diagnostic>,
}

impl Planned {
    /// A change in place, or a new resource.
    pub fn update(state: Object) -> Self {
        Self { state, replaces: Vec::new(), warnings: Vec::new() }
    }

    /// Another resource in place of this one, because these attributes change.
    pub fn replacement(state: Object, replaces: Vec<&'static str>) -> Self {
        Self { replaces, ..Self::update(state) }
    }

    /// Adds a warning, if there is one.
    pub fn warning(mut self, warning: Option<Diagnostic>) -> Self {
        self.warnings.extend(warning);
        self
    }
}

impl Object {
    /// The object with these attributes known only later.
    pub fn with_unknown<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            self.set(name, Value::Unknown);
        }
        self
    }

    /// Returns whether an attribute has another value than in `other`, or one that is known only later.
    pub fn differs(&self, other: &Self, name: &str) -> bool {
        self.is_unknown(name) || self.get(name) != other.get(name)
    }
}
