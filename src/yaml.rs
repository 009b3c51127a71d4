//! The one module that knows serde_yaml: a text in, nodes that know their places out. What they mean is for others.
//!
//! serde_yaml tells a place only in an error. So the text is read once into nodes that know their number,
//! and the place of a node is asked for by reading again with an error raised at that number. Only
//! findings ask, so a good file is read once.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::report::Position;

/// Aliases multiply nodes; what people write has a few thousand.
const MAX_NODES: usize = 100_000;

/// What the texts of a document may have together, where aliases repeat them: this, and four times the document's own bytes.
const MAX_TEXT: usize = 1 << 20;
/// Steps that the parser may take because of the depth of `[` and `{`: it goes through what is open at each token.
const MAX_STEPS: usize = 20_000_000;

/// One node of the text, numbered in the order of reading.
pub struct Node {
    number: usize,
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

impl Node {
    /// For [`position`].
    pub fn number(&self) -> usize {
        self.number
    }
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

/// Why a text is no YAML, and where.
pub struct Fault {
    pub position: Option<Position>,
    pub text: String,
    /// What was being read and where that began: `scanning a quoted scalar at line 3 column 9`.
    pub during: Option<String>,
}

/// Reads the one document of a text.
///
/// The parser's time grows with the square of the depth of `[` and `{`, and it looks at its own limit of 128 levels only
/// after: more than `max_flow_depth` are refused before, and a text that has many tokens so deep. Brackets inside quotes and blocks are counted too, where they have
/// no partner.
pub fn read(text: &str, max_flow_depth: usize) -> Result<Node, Fault> {
    if let Some(position) = too_deep(text, max_flow_depth) {
        let text = format!("`[` and `{{` are nested more than {max_flow_depth} deep, or too often so deep");
        return Err(Fault { position: Some(position), text, during: None });
    }
    let reader =
        Reader { next: Cell::new(0), stop_at: None, text_left: Cell::new(MAX_TEXT + 4 * text.len()) };
    reader.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
        let message = error.to_string();
        let during = message.split_once(", while ").map(|(_, during)| during.to_owned());
        Fault { position: place_of(&error), text: without_place(&message), during }
    })
}

/// Where node `number` of a text starts that has been read before.
pub fn position(text: &str, number: usize) -> Option<Position> {
    let reader =
        Reader { next: Cell::new(0), stop_at: Some(number), text_left: Cell::new(MAX_TEXT + 4 * text.len()) };
    place_of(&reader.deserialize(serde_yaml::Deserializer::from_str(text)).err()?)
}

/// What stands at `position`, to the end of its line, with its tag and anchor.
pub fn written(text: &str, position: Position) -> Option<&str> {
    let line = text.lines().nth(position.line.checked_sub(1)?)?;
    let (start, _) = line.char_indices().nth(position.column.checked_sub(1)?)?;
    Some(&line[start..])
}

/// A scalar that [`written`] shows without quotes; none where it has some, is a block, or is a list or a map.
///
/// YAML 1.1 and 1.2 differ in what such a scalar is; in quotes it is a text to both.
pub fn plain(written: &str) -> Option<&str> {
    let mut rest = written.trim_start();
    while rest.starts_with(['&', '!']) {
        rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    }
    if rest.starts_with(['"', '\'', '|', '>', '[', '{', '*']) {
        return None;
    }
    let end = [": ", " #", ",", "]", "}"].iter().filter_map(|end| rest.find(end)).min();
    Some(rest[..end.unwrap_or(rest.len())].trim_end())
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

/// The parser's message without the place at its end: the finding has it in front.
fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).trim_end_matches(',').to_owned()
}

/// Reads a node and all below it, and counts them; raises an error at node `stop_at`.
struct Reader {
    next: Cell<usize>,
    stop_at: Option<usize>,
    text_left: Cell<usize>,
}

impl Reader {
    fn node<E: de::Error>(&self, value: impl FnOnce() -> Result<Value, E>) -> Result<Node, E> {
        let number = self.next.get();
        if self.stop_at == Some(number) {
            return Err(E::custom("stopped"));
        }
        if number >= MAX_NODES {
            return Err(E::custom(format_args!("more than {MAX_NODES} values, aliases followed")));
        }
        self.next.set(number + 1);
        Ok(Node { number, value: value()? })
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
