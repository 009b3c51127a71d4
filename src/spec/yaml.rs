//! Reads a spec file into values with their positions.

use std::sync::Arc;

use super::{Origin, Spec, nearest};
use crate::diag::{Code, Diagnostic, Place, Position, Report};
use crate::options::{Kind, Slot, Word};
use crate::yaml::{self, Node, Value};

/// Maximum size of a spec file in bytes. No real spec needs more.
pub const MAX_BYTES: usize = 1 << 20;
/// Maximum depth of `[` and `{`. A spec needs two, and its texts contain few brackets.
const MAX_FLOW_DEPTH: usize = 32;

/// The hint for a template without quotes.
pub(super) const QUOTE_TEMPLATES: &str = "put a text with a template in quotes";

/// The hint for a merge key of YAML (https://yaml.org/type/merge.html).
const NO_MERGE_KEYS: &str =
    "hostseed does not merge maps: write the fields here, or for all machines of a fleet below `defaults:`";

/// The name and text of a spec file.
#[derive(Debug, Clone)]
pub struct Document {
    pub file: Arc<str>,
    text: Arc<str>,
}

impl Document {
    /// A file without a text, for values that come from a part of it. Their places have no position.
    pub fn of_record(file: impl Into<String>) -> Self {
        Self { file: file.into().into(), text: "".into() }
    }

    /// A place in this file. If the position is known, it includes the line.
    pub fn place(&self, position: Option<Position>) -> Place {
        let file = Place::file(&self.file);
        position.map_or_else(|| file.clone(), |position| file.in_text(&self.text, position))
    }
}

pub(super) fn read(file: &str, text: &str) -> Result<Spec, Report> {
    let hint = || format!("the fields are {}", names().join(", "));
    let (document, entries) = read_map(file, text, "spec", hint, |_| None)?;
    let mut spec = Spec { origin: Origin::File(document.clone()), ..Spec::default() };
    fields(&mut spec, &document, entries, |_, value, _| Some(value));
    Ok(spec)
}

/// The entries of a map in a file.
pub(super) type Entries = Vec<(Node, Node)>;

/// Reads a file that must be a map. `what` names it in messages, `shape` is the hint if it is no map, and `syntax` a hint for the line that is
/// not YAML, if it knows a better one than the reader.
pub(super) fn read_map(
    file: &str,
    text: &str,
    what: &str,
    shape: impl Fn() -> String,
    syntax: impl Fn(&str) -> Option<&'static str>,
) -> Result<(Document, Entries), Report> {
    if text.len() > MAX_BYTES {
        let message = format!("the {what} has more than {MAX_BYTES} bytes");
        return Err(Diagnostic::error(Code::SpecTooLarge, message).at(Place::file(file)).into());
    }
    let document = Document { file: file.into(), text: text.into() };
    let root = yaml::read(text, MAX_FLOW_DEPTH).map_err(|fault| {
        let message = format!("the {what} is not valid YAML: {}", fault.text);
        let line = fault.position.and_then(|position| text.lines().nth(position.line.saturating_sub(1)));
        Diagnostic::error(Code::SpecSyntax, message)
            .maybe_hint(line.and_then(syntax).or_else(|| fault.hint(text)))
            .at(document.place(fault.position))
    })?;
    match root.value {
        Value::Map(entries) => Ok((document, entries)),
        other => {
            let message = format!("a {what} must be a map of fields, got {}", other.kind());
            Err(Diagnostic::error(Code::SpecShape, message)
                .hint(shape())
                .at(document.place(root.start))
                .into())
        }
    }
}

/// Stores the fields of a map in a spec. `own` gets each field before, and returns the values of those that are a spec's.
pub(super) fn fields(
    spec: &mut Spec,
    document: &Document,
    entries: Entries,
    mut own: impl FnMut(&Node, Node, &mut Vec<Diagnostic>) -> Option<Node>,
) {
    let mut problems = Vec::new();
    for (key, value) in entries {
        let Some(field) = field_name(&key, &mut spec.given, document, &mut problems) else { continue };
        let Some(value) = own(&key, value, &mut problems) else { continue };
        let mut report =
            |node: &Node, diagnostic: Diagnostic| problems.push(diagnostic.at(document.place(node.start)));
        match spec.slot(&field) {
            None => {
                let hint = match field.as_str() {
                    "<<" => Some(NO_MERGE_KEYS.to_owned()),
                    "fleet" | "machines" => Some("`hostseed apply FILE` reads fleet files".to_owned()),
                    _ => nearest(&field).map(|near| format!("did you mean `{near}`?")),
                };
                let message = format!("unknown field `{}`", field.escape_debug());
                report(&key, Diagnostic::error(Code::UnknownField, message).maybe_hint(hint));
            }
            Some(slot) => fill(slot, value, &mut |node, diagnostic| {
                report(node, diagnostic.about(format_args!("`{field}`")));
            }),
        }
    }
    spec.problems.extend(problems);
}

/// The name of a field, which is added to `given`. Reports a name that is no text, or that is given already.
pub(super) fn field_name(
    key: &Node,
    given: &mut Vec<String>,
    document: &Document,
    problems: &mut Vec<Diagnostic>,
) -> Option<String> {
    let problem = match &key.value {
        Value::Text(field) if given.contains(field) => {
            Diagnostic::error(Code::DuplicateField, format!("`{}` is given twice", field.escape_debug()))
        }
        Value::Text(field) => {
            given.push(field.clone());
            return Some(field.clone());
        }
        other => Diagnostic::error(
            Code::FieldType,
            format!("the name of a field must be a text, got {}", other.kind()),
        ),
    };
    problems.push(problem.at(document.place(key.start)));
    None
}

/// Stores a field's values, and reports each value of the wrong type.
pub(super) fn fill((kind, slot): (Kind, Slot), value: Node, complain: &mut dyn FnMut(&Node, Diagnostic)) {
    match slot {
        Slot::One(one) => {
            *one = match (kind, &value.value) {
                (Kind::Switch, Value::Bool(on)) => Some(Word { text: on.to_string(), position: value.start }),
                (Kind::Object, Value::Map(_)) => {
                    json(&value, complain).map(|json| Word { text: json.to_string(), position: value.start })
                }
                (Kind::Object, _) => word(value, "must be a map, or the name of a file", complain),
                (Kind::Switch, _) => word(value, "must be `true` or `false`", complain),
                _ => word(value, "must be a text or a whole number", complain),
            }
        }
        Slot::Many(many) => {
            *many = match value.value {
                Value::Map(entries) if kind == Kind::Pairs => pairs(entries, complain),
                _ => words(value, complain),
            }
        }
    }
}

/// Converts a value to JSON.
fn json(node: &Node, complain: &mut dyn FnMut(&Node, Diagnostic)) -> Option<serde_json::Value> {
    let refuse = |text: &str| Diagnostic::error(Code::FieldType, text.to_owned()).hint("put it in quotes");
    Some(match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(on) => (*on).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Number(text) => match serde_json::from_str(text) {
            Ok(number) => number,
            Err(_) => {
                complain(node, refuse("has a number that JSON does not have"));
                return None;
            }
        },
        Value::List(items) => {
            items.iter().map(|item| json(item, complain)).collect::<Option<Vec<_>>>()?.into()
        }
        Value::Map(entries) => {
            let mut map = serde_json::Map::new();
            for (key, value) in entries {
                let Value::Text(name) = &key.value else {
                    complain(key, refuse("must have texts for names"));
                    return None;
                };
                if map.insert(name.clone(), json(value, complain)?).is_some() {
                    let text = format!("has `{}` twice", name.escape_debug());
                    complain(key, Diagnostic::error(Code::DuplicateField, text));
                    return None;
                }
            }
            map.into()
        }
        Value::Tagged(..) => {
            complain(node, refuse("has a value with a tag, which JSON does not have"));
            return None;
        }
    })
}

/// Returns whether a map is a template without quotes: in `{{ index }}` the only key is a map.
fn is_template(entries: &[(Node, Node)]) -> bool {
    matches!(entries, [(Node { value: Value::Map(_), .. }, _)])
}

/// Converts the entries of a map to `K=V`.
fn pairs(entries: Vec<(Node, Node)>, complain: &mut dyn FnMut(&Node, Diagnostic)) -> Vec<Word> {
    let (mut names, mut pairs) = (Vec::new(), Vec::new());
    if is_template(&entries) {
        let problem = Diagnostic::error(Code::FieldType, "must have texts for names, got a map");
        complain(&entries[0].0, problem.hint(QUOTE_TEMPLATES));
        return pairs;
    }
    for (key, value) in entries {
        if let Value::Text(name) = &key.value {
            if names.contains(name) {
                complain(
                    &key,
                    Diagnostic::error(Code::DuplicateField, format!("has `{}` twice", name.escape_debug())),
                );
                continue;
            }
            names.push(name.clone());
        }
        let position = key.start;
        let key = word(key, "must have texts for names", complain);
        let value = word(value, "must have texts for values", complain);
        if let (Some(key), Some(value)) = (key, value) {
            pairs.push(Word { text: format!("{}={}", key.text, value.text), position });
        }
    }
    pairs
}

/// The names of all fields.
fn names() -> Vec<&'static str> {
    Spec::fields().map(|field| field.name).collect()
}

pub(super) fn words(value: Node, complain: &mut dyn FnMut(&Node, Diagnostic)) -> Vec<Word> {
    match value.value {
        Value::List(items) => {
            items.into_iter().filter_map(|item| word(item, "must be a list of texts", complain)).collect()
        }
        _ => word(value, "must be a list of texts", complain).into_iter().collect(),
    }
}

pub(super) fn word(node: Node, expected: &str, complain: &mut dyn FnMut(&Node, Diagnostic)) -> Option<Word> {
    let text = match &node.value {
        Value::Text(text) => text.clone(),
        // A whole number is unambiguous. A number such as `28.10` would become `28.1`.
        Value::Number(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.clone(),
        other => {
            let mut complaint =
                Diagnostic::error(Code::FieldType, format!("{expected}, got {}", other.kind()));
            if let Value::Map(entries) = other
                && is_template(entries)
            {
                complaint = complaint.hint(QUOTE_TEMPLATES);
            }
            if matches!(other, Value::Bool(_) | Value::Number(_)) {
                complaint = complaint.hint("put it in quotes");
            }
            complain(&node, complaint);
            return None;
        }
    };
    Some(Word { text, position: node.start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problems(text: &str) -> Vec<String> {
        let report = match read("s.yaml", text) {
            Ok(spec) => Report(spec.problems),
            Err(report) => report,
        };
        report.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn all_problems_are_reported_at_once_with_their_places() {
        let text = "name: web1\nprot: 1\nport: [1]\nname: b\nengine-label:\n  a: {}\n  b: 1\n12: x\ndocker-version: 28.10\n";
        assert_eq!(
            problems(text),
            [
                "s.yaml:2:1: unknown field `prot`",
                "s.yaml:3:7: `port` must be a text or a whole number, got a list",
                "s.yaml:4:1: `name` is given twice",
                "s.yaml:6:6: `engine-label` must have texts for values, got a map",
                "s.yaml:8:1: the name of a field must be a text, got the number `12`",
                "s.yaml:9:17: `docker-version` must be a text or a whole number, got the number `28.1`",
            ]
        );
    }

    #[test]
    fn a_misspelt_field_gets_a_suggestion() {
        for (wrong, right) in [
            ("adress", "address"),
            ("tls_san", "tls-san"),
            ("engine-labels", "engine-label"),
            ("Port", "port"),
        ] {
            assert_eq!(nearest(wrong), Some(right));
        }
        assert_eq!(nearest("zebra"), None);
    }

    #[test]
    fn broken_yaml_is_reported_with_its_place() {
        assert_eq!(
            problems("name: [a\n"),
            ["s.yaml:2:1: the spec is not valid YAML: while parsing a flow sequence, expected ',' or ']'"]
        );
        assert_eq!(problems("- a\n"), ["s.yaml:1:1: a spec must be a map of fields, got a list"]);
        assert_eq!(problems(""), ["s.yaml: a spec must be a map of fields, got nothing"]);
    }

    #[test]
    fn yaml_bombs_are_refused() {
        let deep = "[".repeat(500_000);
        assert!(problems(&deep)[0].contains("nested more than 32 deep"));
        let blocks = "- ".repeat(100_000);
        assert_eq!(problems(&blocks).len(), 1);
        let wide: String = (0..400).map(|_| "*a, ").collect();
        let bomb =
            format!("x: &a [{}]\ny: &b [{}]\nz: [{}]\n", "1, ".repeat(400), wide, wide.replace('a', "b"));
        assert!(problems(&bomb)[0].contains("aliases are expanded"));
        assert!(problems(&"# \n".repeat(400_000))[0].contains("more than 1048576 bytes"));
    }

    #[test]
    fn a_list_accepts_one_value_and_pairs_accept_a_map() {
        let spec = read("s.yaml", "address: 10.0.0.1\nengine-env: {A: b, C: '1'}\nport: 2377\n").unwrap();
        assert_eq!(spec.identity.addresses[0].text, "10.0.0.1");
        assert_eq!(spec.host.engine_env.iter().map(|w| w.text.as_str()).collect::<Vec<_>>(), ["A=b", "C=1"]);
        assert_eq!(spec.host.port.unwrap().text, "2377");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
            let _ = read("s.yaml", &text);
        }

        #[test]
        fn no_yaml_makes_the_reader_panic(text in "[a-z:\\-\\[\\]{}&*!|>'\"#,? \n]{0,120}") {
            let _ = read("s.yaml", &text);
        }

        #[test]
        fn a_quoted_text_is_read_unchanged(text in "\\PC{0,60}") {
            let yaml = format!("engine-label: [{}]\n", crate::templates::quote::yaml(&text));
            if let Ok(spec) = read("s.yaml", &yaml) && spec.problems.is_empty() {
                prop_assert_eq!(&spec.host.engine_labels[0].text, &text);
            } else {
                prop_assert!(text.matches(['[', '{']).count() >= 30, "refused {:?}", text);
            }
        }
    }
}
