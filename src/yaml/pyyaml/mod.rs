//! Reads a YAML document as cloud-init does, which uses PyYAML's safe loader (PyYAML 6.0; cloud-init, `cloudinit/safeyaml.py`).
//! Accepts and refuses the same texts, and gives each value the type that it has there: YAML 1.1, with merged maps (`<<`).

mod parser;
mod scalar;
mod scanner;

use super::{Fault, MAX_DEPTH, Node};

/// A document.
pub struct Document {
    pub root: Node,
    /// Reasons why PyYAML refuses the document although its structure is clear, in the order of the text.
    pub faults: Vec<Fault>,
    /// True if a text has half of a surrogate pair (`"\ud800"`), which is [`char::REPLACEMENT_CHARACTER`] here. PyYAML reads it, and
    /// what writes it fails.
    pub has_half_characters: bool,
}

/// Reads the only document of a text. The time is proportional to the length of the text.
///
/// # Errors
/// PyYAML's scanner or parser refuses the text, there is a second document, nodes are nested more than 128 deep, or there are
/// more values or more text than any real document needs, including the targets of aliases.
pub fn read(text: &str) -> Result<Document, Fault> {
    parser::Parser::new(text)?.document()
}

/// The message for a node that is nested too deeply.
fn too_deep() -> String {
    format!("values are nested more than {MAX_DEPTH} deep")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Value;

    /// A short notation of a value.
    fn shown(value: &Value) -> String {
        let list = |nodes: &[Node]| nodes.iter().map(|node| shown(&node.value)).collect::<Vec<_>>().join(",");
        match value {
            Value::Null => "~".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.clone(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", list(items)),
            Value::Map(entries) => {
                let entry =
                    |(key, value): &(Node, Node)| format!("{}:{}", shown(&key.value), shown(&value.value));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
            }
            Value::Tagged(tag, content) => format!("!{tag} {}", shown(&content.value)),
        }
    }

    #[test]
    fn values_have_the_types_of_yaml_1_1() {
        for (text, expected) in [
            ("", "~"),
            ("# only a comment\n", "~"),
            (
                "a: yes\nb: 0644\nc: 0o644\nd: 1.50\ne: ~\nf: '1'\n",
                r#"{"a":true,"b":0644,"c":"0o644","d":1.50,"e":~,"f":"1"}"#,
            ),
            ("a:\n- b\n-\n- c: d\n  e: f\n", r#"{"a":["b",~,{"c":"d","e":"f"}]}"#),
            ("a: |\n  b\n   c\n\nd: >-\n  e\n  f\n", r#"{"a":"b\n c\n","d":"e f"}"#),
            ("a: \"b\\n \\u00e9 \\\n   c\"\nd: 'it''s\n  e'\n", r#"{"a":"b\n é c","d":"it's e"}"#),
            ("[a, b: c, {d, e: }]", r#"["a",{"b":"c"},{"d":~,"e":~}]"#),
            ("a: &x {b: 1}\nc: *x\n", r#"{"a":{"b":1},"c":{"b":1}}"#),
            ("b: {<<: {a: 1, b: 2}, b: 3}\n", r#"{"b":{"a":1,"b":3}}"#),
            ("<<: [{a: 1}, {a: 2, b: 2}]\nc: 3\n", r#"{"b":2,"a":1,"c":3}"#),
            ("%YAML 1.1\n---\na: b\n...\n", r#"{"a":"b"}"#),
            ("a: 123456789012345678901\n", r#"{"a":123456789012345678901}"#),
            ("? a\n: b\n", r#"{"a":"b"}"#),
            ("a: b\r\nc: |\r\n  d\r\n", r#"{"a":"b","c":"d\n"}"#),
            ("a: !!str 1\nb: !!int '1'\nc: ! '1'\n", r#"{"a":"1","b":1,"c":1}"#),
        ] {
            let read = read(text).unwrap();
            assert_eq!(shown(&read.root.value), expected, "{text:?}");
            assert!(read.faults.is_empty(), "{text:?}: {:?}", read.faults);
        }
    }

    #[test]
    fn nodes_have_their_position() {
        let root = read("a: 0644\nb:\n- !!binary |\n  QQ==\n- \"yes\"\n").unwrap().root;
        let Value::Map(entries) = &root.value else { panic!() };
        let at = |node: &Node| node.start.map(|start| (start.line, start.column));
        assert_eq!((at(&entries[0].0), at(&entries[0].1)), (Some((1, 1)), Some((1, 4))));
        let Value::List(items) = &entries[1].1.value else { panic!() };
        assert_eq!((at(&items[0]), at(&items[1])), (Some((3, 3)), Some((5, 3))));
        assert!(items[0].written.has_tag("binary"));
    }

    #[test]
    fn what_pyyaml_refuses_is_a_fault_at_its_place() {
        for (text, line, column) in [
            ("a: web\t\n", 1, 7),
            ("a:\tweb\n", 1, 3),
            ("a: b\t# mine\n", 1, 5),
            ("a: [b,\n\tc]\n", 2, 1),
            ("{\n\t\"a\": 1\n}\n", 2, 1),
            ("a: |\t\n  b\n", 1, 5),
            ("a: |# c\n  b\n", 1, 5),
            ("a: [b?, c]\n", 1, 6),
            ("a: {{ b }}\n", 1, 5),
            ("a: &x 1\nb: &x 2\n", 2, 4),
            ("a: 2024-02-30\n", 1, 4),
            ("a: =\n", 1, 4),
            ("a: <<\n", 1, 4),
            ("a: !!binary \"a\"\n", 1, 4),
            ("a: !!int x\n", 1, 4),
            ("a: !!bool maybe\n", 1, 4),
            ("a: !!seq {}\n", 1, 4),
            ("a: b\n<<: c\n", 2, 5),
            ("a: \"\u{7}\"\n", 1, 5),
            ("a: b\n---\nc: d\n", 2, 1),
            ("a: b: c\n", 1, 5),
            ("a: @b\n", 1, 4),
            ("a: 'b\n", 1, 4),
            ("a: ]\n", 1, 4),
            ("a: *b\n", 1, 4),
            ("a: 0x_\n", 1, 4),
            ("a: \"\\ud83d\"\n", 1, 7),
        ] {
            let fault = match read(text) {
                Err(fault) => fault,
                Ok(document) => document.faults.into_iter().next().expect(text),
            };
            assert_eq!(
                fault.position.map(|p| (p.line, p.column)),
                Some((line, column)),
                "{text:?}: {}",
                fault.text
            );
            assert!(!fault.is_limit);
        }
    }

    #[test]
    fn yaml_bombs_are_refused() {
        let list = |name: char| vec![format!("*{name}"); 400].join(", ");
        let bomb = format!("x: &a [{}]\ny: &b [{}]\nz: &c [{}]\n", "1, ".repeat(400), list('a'), list('b'));
        let texts = format!("x: &a {}\ny: [{}]\n", "t".repeat(60_000), list('a'));
        for text in ["[".repeat(500_000), "- ".repeat(100_000), "[{a: ".repeat(400), bomb, texts] {
            assert!(read(&text).err().is_some_and(|fault| fault.is_limit));
        }
        assert!(read("a: &a [*a]\n").is_err());
    }
}
