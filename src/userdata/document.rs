//! Reads a YAML document of unknown origin as cloud-init does. Reports repeated keys and tags, and knows the place of each value.

use std::collections::HashSet;

use super::budget::{self, Budget};
use super::problems::{Problems, head};
use crate::diag::{Code, Diagnostic, Place};
use crate::yaml::yaml11::{self, Scalar};
use crate::yaml::{Fault, Node, Value, pyyaml};

/// Units of work for each value.
const COST: usize = 8;

/// A YAML document: its place, and the budget for checking it.
pub struct Document<'a> {
    place: Place,
    budget: &'a Budget,
}

impl<'a> Document<'a> {
    /// Parses a text and checks it. Returns None if it is too large or not valid YAML, which is reported, or if the budget is
    /// exhausted.
    pub fn read(
        text: &str,
        place: &Place,
        budget: &'a Budget,
        problems: &mut Problems,
    ) -> Option<(Self, Node)> {
        if text.len() > budget::MAX_DOCUMENT {
            problems.add(place, budget::too_long("YAML", text.len(), budget::MAX_DOCUMENT));
            return None;
        }
        if !budget.take(budget::YAML * text.len()) {
            return None;
        }
        match pyyaml::read(text) {
            Ok(pyyaml::Document { root, faults, .. }) => {
                let document = Self { place: place.at(None), budget };
                faults
                    .iter()
                    .for_each(|fault| problems.add(&place.at(fault.position), problem_of(fault, text)));
                document.check(&root, problems);
                Some((document, root))
            }
            Err(fault) => {
                problems.add(&place.at(fault.position), problem_of(&fault, text));
                None
            }
        }
    }

    /// The place of a node.
    pub fn place(&self, node: &Node) -> Place {
        self.place.at(node.start)
    }

    /// Returns whether the value has the tag `!!binary`, so that the YAML reader itself decodes it as base64.
    pub fn is_binary(&self, node: &Node) -> bool {
        node.written.has_tag("binary")
    }

    /// The type of a scalar to a YAML 1.1 reader. None for a list, a map, or a value with a tag of its own.
    pub fn scalar(&self, node: &Node) -> Option<Scalar> {
        match &node.value {
            Value::List(_) | Value::Map(_) | Value::Tagged(..) => return None,
            _ if node.written.has_tag("str") => return Some(Scalar::Text),
            _ => {}
        }
        Some(match (&node.written.plain, &node.value) {
            (Some(plain), _) => yaml11::resolve(plain),
            (None, Value::Null) => Scalar::Null,
            (None, Value::Bool(_)) => Scalar::Bool,
            (None, Value::Number(_)) => Scalar::Int(None),
            _ => Scalar::Text,
        })
    }

    /// Returns the text of a node that must be a text in YAML 1.1. Reports its actual type otherwise.
    pub fn text<'n>(&self, node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n str> {
        let found = match (&node.value, self.scalar(node)) {
            (Value::Text(text), Some(Scalar::Text)) => return Some(text),
            (_, Some(scalar)) => scalar.name().to_owned(),
            // `check` has reported the tag.
            (Value::Tagged(..), None) => return None,
            (other, None) => kind_of(other).to_owned(),
        };
        let problem = Diagnostic::error(
            Code::YamlType,
            format!("{what} must be a string, but cloud-init reads {found}"),
        );
        problems.add(&self.place(node), problem.hint("put it in quotes"));
        None
    }

    /// Reports tags that cloud-init's reader rejects, and repeated keys, of which it drops one.
    fn check(&self, node: &Node, problems: &mut Problems) {
        if !self.budget.take(COST) {
            return;
        }
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.check(item, problems)),
            Value::Map(entries) => {
                let mut seen: HashSet<&str> = HashSet::new();
                for (key, value) in entries {
                    if let Value::Text(name) = &key.value
                        && !seen.insert(name)
                    {
                        let text =
                            format!("`{}` is given twice, and cloud-init uses only the last one", head(name));
                        problems.add(
                            &self.place(key),
                            Diagnostic::error(Code::YamlDuplicateKey, text).hint("merge the two"),
                        );
                    }
                    self.check(key, problems);
                    self.check(value, problems);
                }
            }
            Value::Tagged(tag, _) => {
                let text =
                    format!("has the tag `!{}`, which cloud-init does not support", tag.escape_debug());
                problems.add(
                    &self.place(node),
                    Diagnostic::error(Code::YamlTag, text).hint("remove the tag, or put the value in quotes"),
                );
            }
            _ => {}
        }
    }
}

fn problem_of(fault: &Fault, text: &str) -> Diagnostic {
    let problem = match fault.is_limit {
        true => Diagnostic::error(Code::VerifyLimit, format!("is not checked: {}", fault.text)),
        false => Diagnostic::error(Code::YamlSyntax, format!("is not valid YAML: {}", fault.text)),
    };
    problem.maybe_hint(fault.hint(text))
}

/// The type of a value, in words. The value itself is never shown, because it may be a private key.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Tagged(..) => "a value with a tag",
    }
}

/// Finds the value of a key in a map. The last of repeated keys wins, as in YAML readers.
pub fn get<'n>(entries: &'n [(Node, Node)], wanted: &str) -> Option<&'n Node> {
    let found =
        entries.iter().rev().find(|(key, _)| matches!(&key.value, Value::Text(text) if text == wanted));
    found.map(|(_, value)| value)
}
