//! A YAML document of somebody else's: read, its repeated keys and other traps told, and its places at hand.

use std::collections::HashSet;

use super::budget::{self, Budget};
use super::problems::{Problems, head};
use super::yaml11::{self, Scalar};
use crate::diag::{Code, Diagnostic, Place};
use crate::yaml::{self, Node, Value};

/// Eight times the largest limit of a cloud (Google's 256 KiB); the reader takes up to 80 times as much memory.
const MAX_BYTES: usize = 2 << 20;
/// A script in a block has brackets without a partner; the parser needs milliseconds for so many.
const MAX_FLOW_DEPTH: usize = 1000;
/// Units of work for a value.
const COST: usize = 8;

/// The text of a document, and what it is part of.
pub struct Document<'a> {
    place: Place,
    budget: &'a Budget,
}

impl<'a> Document<'a> {
    /// Reads a text. Where it is no YAML there is a problem that says so.
    pub fn read(
        text: &str,
        place: &Place,
        budget: &'a Budget,
        problems: &mut Problems,
    ) -> Option<(Self, Node)> {
        if text.len() > MAX_BYTES {
            let text = format!(
                "has {} bytes of YAML, more than the {} MiB that are looked at",
                text.len(),
                MAX_BYTES >> 20
            );
            problems.error(place, Diagnostic::error(Code::VerifyLimit, text));
            return None;
        }
        if !budget.take(budget::YAML * text.len()) {
            return None;
        }
        match yaml::read(text, MAX_FLOW_DEPTH) {
            Ok(root) => {
                if root.start.is_none() && !matches!(root.value, Value::Null) {
                    let text = "is YAML that readers understand differently";
                    let problem = Diagnostic::error(Code::YamlSyntax, text);
                    problems.error(place, problem.hint("write it without tags and anchors"));
                    return None;
                }
                let document = Self { place: place.at(None), budget };
                document.check(&root, problems);
                Some((document, root))
            }
            Err(fault) => {
                let complaint = match fault.is_limit {
                    true => Diagnostic::error(Code::VerifyLimit, format!("is not checked: {}", fault.text)),
                    false => Diagnostic::error(Code::YamlSyntax, format!("is no valid YAML: {}", fault.text)),
                };
                let complaint = match fault.hint(text) {
                    Some(hint) => complaint.hint(hint),
                    None => complaint,
                };
                problems.error(&place.at(fault.position), complaint);
                None
            }
        }
    }

    /// Where a node is.
    pub fn place(&self, node: &Node) -> Place {
        self.place.at(node.start)
    }

    /// Whether a text is base64 to the reader itself, by its tag.
    pub fn is_binary(&self, node: &Node) -> bool {
        node.written.has_tag("binary")
    }

    /// What a scalar is to a reader of YAML 1.1; none for a list, a map, or what has a tag.
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

    /// A node that has to be a text, as YAML 1.1 has it. Says what it is instead.
    pub fn text<'n>(&self, node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n str> {
        let found = match (&node.value, self.scalar(node)) {
            (Value::Text(text), Some(Scalar::Text)) => return Some(text),
            (_, Some(scalar)) => scalar.name().to_owned(),
            // Told already.
            (Value::Tagged(..), None) => return None,
            (other, None) => kind_of(other).to_owned(),
        };
        let complaint =
            Diagnostic::error(Code::YamlType, format!("{what} must be a text, and is {found} to cloud-init"));
        problems.error(&self.place(node), complaint.hint("put it in quotes"));
        None
    }

    /// What the reader takes and cloud-init's does not, or not as it looks: keys given twice, tags.
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
                        let text = format!("`{}` is given twice, and the last one alone counts", head(name));
                        problems.error(
                            &self.place(key),
                            Diagnostic::error(Code::YamlDuplicateKey, text).hint("make one of the two"),
                        );
                    }
                    self.check(key, problems);
                    self.check(value, problems);
                }
            }
            Value::Tagged(tag, _) => {
                let text =
                    format!("has the tag `!{}`, which cloud-init's reader refuses", tag.escape_debug());
                problems.error(
                    &self.place(node),
                    Diagnostic::error(Code::YamlTag, text).hint("leave out the tag, or quote the text"),
                );
            }
            _ => {}
        }
    }
}

/// What a value is, in words. Not what is in it: that may be a key.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Tagged(..) => "a value with a tag",
    }
}

/// The value of a key in a map: the last one, as readers have it, and what `<<` brings.
pub fn get<'n>(entries: &'n [(Node, Node)], wanted: &str) -> Option<&'n Node> {
    let named = |name: &str| {
        entries
            .iter()
            .rev()
            .find(|(key, _)| matches!(&key.value, Value::Text(text) if text == name))
            .map(|(_, value)| value)
    };
    named(wanted).or_else(|| match &named("<<")?.value {
        Value::Map(merged) => get(merged, wanted),
        Value::List(maps) => maps.iter().find_map(|map| match &map.value {
            Value::Map(merged) => get(merged, wanted),
            _ => None,
        }),
        _ => None,
    })
}
