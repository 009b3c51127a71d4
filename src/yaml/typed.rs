//! Reads a text into nodes with values and positions, using serde_yaml. The values are not interpreted here.
//!
//! serde_yaml reports positions only in errors, so the positions come from [`marked`], node by node.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::marked::{self, Written};
use super::{Fault, MAX_NODES, max_text};
use crate::diag::Position;

/// Maximum number of steps that the parser may need because of nested `[` and `{`. At each token it visits all open
/// brackets.
const MAX_STEPS: usize = 20_000_000;

/// A node of the text.
#[derive(Clone)]
pub struct Node {
    /// `None` if serde_yaml and [`marked`] see different nodes.
    pub start: Option<Position>,
    /// The syntax of the node. Empty if `start` is `None`.
    pub written: Written,
    pub value: Value,
}

#[derive(Clone)]
pub enum Value {
    Null,
    Bool(bool),
    /// A number in the shortest notation of YAML 1.2: `0o644` becomes `420`. From [`pyyaml`](super::pyyaml), as it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text, including repeated keys.
    Map(Vec<(Node, Node)>),
    /// An application's own tag (`!name`) and its value.
    Tagged(String, Box<Node>),
}

impl Value {
    /// Describes the value in words, for a message.
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

/// Reads the only document of a text.
///
/// The parser's time is quadratic in the depth of `[` and `{`, and it checks its own limit of 128 levels too late. So
/// this function first counts the brackets, including unmatched ones in quotes and blocks.
///
/// # Errors
/// Fails if brackets are nested more than `max_flow_depth` deep, if too many tokens are nested deeply, or if the text is
/// not YAML.
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

/// The first position at which brackets are nested too deeply.
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

/// Removes all positions. If the two libraries see different nodes, the positions could be wrong.
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

/// Reads a node and its contents, and counts the nodes.
struct Reader {
    count: Cell<usize>,
    /// The position and syntax of each remaining node.
    marks: RefCell<std::vec::IntoIter<(Position, Written)>>,
    /// True if there were more nodes than marks.
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

    /// Returns whether the number of marks equals the number of nodes.
    fn is_complete(&self) -> bool {
        !self.ran_out.get() && self.marks.borrow().len() == 0
    }

    fn node<E: de::Error>(&self, value: impl FnOnce() -> Result<Value, E>) -> Result<Node, E> {
        if self.count.get() >= MAX_NODES {
            return Err(E::custom(format_args!("more than {MAX_NODES} values after aliases are expanded")));
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

    /// serde_yaml calls this for an empty document.
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
        // `{:?}` keeps the decimal point, so that `28.0` is not a whole number.
        self.node(|| Ok(Value::Number(format!("{value:?}"))))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        self.node(|| {
            let left = self.text_left.get().checked_sub(value.len());
            self.text_left.set(left.ok_or_else(|| E::custom("too much text after aliases are expanded"))?);
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

    /// serde_yaml calls this for a value with a tag.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        self.node(|| {
            let (tag, content) = data.variant::<String>()?;
            Ok(Value::Tagged(tag, Box::new(content.newtype_variant_seed(self)?)))
        })
    }
}
