//! A text in, nodes with their values and places out, by serde_yaml. What they mean is for others.
//!
//! serde_yaml tells a place only in an error; the places come from [`marked`](super::marked), node by node.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::marked::{self, Written};
use super::{Fault, MAX_NODES, max_text};
use crate::diag::Position;

/// Steps that the parser may take because of the depth of `[` and `{`: it goes through what is open at each token.
const MAX_STEPS: usize = 20_000_000;

/// One node of the text.
pub struct Node {
    /// None where the two readings of YAML differ in the nodes that they see.
    pub start: Option<Position>,
    /// How it is written; nothing where `start` is none.
    pub written: Written,
    pub value: Value,
}

pub enum Value {
    Null,
    Bool(bool),
    /// As a number of YAML 1.2 is written in the shortest way: `0o644` is `420` here.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the text's order, repeated keys included.
    Map(Vec<(Node, Node)>),
    /// A tag of the writer's own (`!name`), and what it is on.
    Tagged(String, Box<Node>),
}

impl Value {
    /// In words, for a message.
    pub fn kind(&self) -> String {
        match self {
            Self::Null => "nothing".into(),
            Self::Bool(b) => format!("the boolean `{b}`"),
            Self::Number(n) => format!("the number `{n}`"),
            Self::Text(t) => format!("the text `{}`", t.escape_debug()),
            Self::List(_) => "a list".into(),
            Self::Map(_) => "a map".into(),
            Self::Tagged(tag, _) => format!("a value with the tag `!{}`", tag.escape_debug()),
        }
    }
}

/// Reads the one document of a text.
///
/// The parser's time grows with the square of the depth of `[` and `{`, and it looks at its own limit of 128 levels only
/// after: more than `max_flow_depth` are refused before, and a text that has many tokens so deep. Brackets inside quotes and blocks are counted too, where they have
/// no partner.
pub fn read(text: &str, max_flow_depth: usize) -> Result<Node, Fault> {
    if let Some(position) = too_deep(text, max_flow_depth) {
        let text = format!("`[` and `{{` are nested more than {max_flow_depth} deep, or too often so deep");
        return Err(Fault { position: Some(position), text, is_limit: true });
    }
    let marked = marked::read(text)?;
    let reader = Reader::new(text, marked.as_deref().map(marked::nodes).unwrap_or_default());
    let root = reader.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| Fault {
        position: place_of(&error),
        text: error.to_string(),
        is_limit: false,
    })?;
    Ok(if reader.is_complete() { root } else { without_places(root) })
}

fn place_of(error: &serde_yaml::Error) -> Option<Position> {
    error.location().map(|l| Position { line: l.line(), column: l.column() })
}

/// Where the text nests flow collections too deep.
fn too_deep(text: &str, max: usize) -> Option<Position> {
    let mut depth = 0usize;
    let mut steps = 0usize;
    for (line, content) in text.lines().enumerate() {
        for (column, c) in content.chars().enumerate() {
            match c {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                ',' | ':' => {}
                _ => continue,
            }
            steps += depth;
            if depth > max || steps > MAX_STEPS + 8 * text.len() {
                return Some(Position { line: line + 1, column: column + 1 });
            }
        }
    }
    None
}

/// Where the readings differ, no place is better than a wrong one.
fn without_places(node: Node) -> Node {
    let all = |nodes: Vec<Node>| nodes.into_iter().map(without_places).collect();
    let value = match node.value {
        Value::List(items) => Value::List(all(items)),
        Value::Map(entries) => Value::Map(
            entries.into_iter().map(|(key, value)| (without_places(key), without_places(value))).collect(),
        ),
        Value::Tagged(tag, content) => Value::Tagged(tag, Box::new(without_places(*content))),
        scalar => scalar,
    };
    Node { start: None, written: Written::default(), value }
}

/// Reads a node and all below it, and counts them.
struct Reader {
    count: Cell<usize>,
    /// Of each node that is still to be read.
    marks: RefCell<std::vec::IntoIter<(Position, Written)>>,
    /// There were fewer of these than nodes.
    ran_out: Cell<bool>,
    text_left: Cell<usize>,
}

impl Reader {
    fn new(text: &str, marks: Vec<(Position, Written)>) -> Self {
        Self {
            count: Cell::new(0),
            marks: RefCell::new(marks.into_iter()),
            ran_out: Cell::new(false),
            text_left: Cell::new(max_text(text.len())),
        }
    }

    /// Whether there was a mark for each node, and a node for each mark.
    fn is_complete(&self) -> bool {
        !self.ran_out.get() && self.marks.borrow().len() == 0
    }

    fn node<E: de::Error>(&self, value: impl FnOnce() -> Result<Value, E>) -> Result<Node, E> {
        if self.count.get() >= MAX_NODES {
            return Err(E::custom(format_args!("more than {MAX_NODES} values, aliases followed")));
        }
        self.count.set(self.count.get() + 1);
        let mark = self.marks.borrow_mut().next();
        if mark.is_none() {
            self.ran_out.set(true);
        }
        let (start, written) = mark.map_or((None, Written::default()), |(at, written)| (Some(at), written));
        Ok(Node { start, written, value: value()? })
    }
}

impl<'de> DeserializeSeed<'de> for &Reader {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text, a number, a list or a map")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.node(|| Ok(Value::Null))
    }

    /// What serde_yaml calls an empty document.
    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        self.node(|| Ok(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        self.node(|| Ok(Value::Number(value.to_string())))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        self.node(|| Ok(Value::Number(value.to_string())))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        // `{:?}` keeps the point: `28.0` stays a number that is no whole one.
        self.node(|| Ok(Value::Number(format!("{value:?}"))))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        self.node(|| {
            let left = self.text_left.get().checked_sub(value.len());
            self.text_left.set(left.ok_or_else(|| E::custom("too much text, aliases followed"))?);
            Ok(Value::Text(value.to_owned()))
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        self.node(|| {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element_seed(self)? {
                items.push(item);
            }
            Ok(Value::List(items))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.node(|| {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry_seed(self, self)? {
                entries.push(entry);
            }
            Ok(Value::Map(entries))
        })
    }

    /// What serde_yaml calls a value with a tag.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        self.node(|| {
            let (tag, content) = data.variant::<String>()?;
            Ok(Value::Tagged(tag, Box::new(content.newtype_variant_seed(self)?)))
        })
    }
}
