//! Reads `swarm:` of a machine or of the defaults: a role alone, or a map.

use super::Word;
use super::yaml::{self, Document, field_name};
use crate::diag::{Code, Diagnostic};
use crate::options::{Kind, Slot};
use crate::yaml::{Node, Value};

/// The fields of `swarm`.
const FIELDS: [&str; 3] = ["role", "advertise", "labels"];

/// A machine's part in the swarm as written.
#[derive(Debug, Clone, Default)]
pub struct SwarmWords {
    pub role: Option<Word>,
    pub advertise: Option<Word>,
    /// `KEY=VALUE`.
    pub labels: Vec<Word>,
    /// The fields that are written.
    given: Vec<String>,
}

impl SwarmWords {
    /// Reads the value of `swarm`. `problems` gets what is wrong.
    pub(super) fn read(value: Node, document: &Document, problems: &mut Vec<Diagnostic>) -> Self {
        let mut words = Self::default();
        let entries = match value.value {
            Value::Map(entries) => entries,
            _ => {
                words.role = yaml::word(value, "must be a role or a map of fields", &mut |node, problem| {
                    problems.push(problem.about("`swarm`").at(document.place(node.start)));
                });
                words.given.push("role".to_owned());
                return words;
            }
        };
        for (key, value) in entries {
            let Some(field) = field_name(&key, &mut words.given, document, problems) else { continue };
            let mut complain = |node: &Node, problem: Diagnostic| {
                problems.push(problem.about(format_args!("`swarm.{field}`")).at(document.place(node.start)));
            };
            match field.as_str() {
                "role" => words.role = yaml::word(value, "must be a text", &mut complain),
                "advertise" => words.advertise = yaml::word(value, "must be a text", &mut complain),
                "labels" => yaml::fill((Kind::Pairs, Slot::Many(&mut words.labels)), value, &mut complain),
                other => {
                    let near = FIELDS.into_iter().find(|known| strsim::jaro_winkler(known, other) > 0.8);
                    let hint = near.map_or_else(
                        || "the fields are role, advertise and labels".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    );
                    let text = format!("unknown field `swarm.{}`", other.escape_debug());
                    let problem = Diagnostic::error(Code::UnknownField, text).hint(hint);
                    problems.push(problem.at(document.place(key.start)));
                }
            }
        }
        words
    }

    /// Sets the fields that are not given here to those of `defaults`.
    pub(super) fn inherit(&mut self, defaults: &Self) {
        let is_given = |field: &str| self.given.iter().any(|given| given == field);
        let (role, advertise, labels) = (is_given("role"), is_given("advertise"), is_given("labels"));
        if !role {
            self.role.clone_from(&defaults.role);
        }
        if !advertise {
            self.advertise.clone_from(&defaults.advertise);
        }
        if !labels {
            self.labels.clone_from(&defaults.labels);
        }
    }

    /// Changes each value. `change` gets the name of its field.
    pub(super) fn change_words(&mut self, mut change: impl FnMut(&'static str, &mut Word)) {
        self.role.iter_mut().for_each(|word| change("swarm.role", word));
        self.advertise.iter_mut().for_each(|word| change("swarm.advertise", word));
        self.labels.iter_mut().for_each(|word| change("swarm.labels", word));
    }
}
