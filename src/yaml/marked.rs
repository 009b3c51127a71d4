//! Reads a YAML document with the position of every node, and with the style and tag of every scalar. Scalars are not
//! interpreted.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::{Fault, MAX_DEPTH, MAX_NODES, max_text};
use crate::diag::Position;

/// A node. An alias is the same node as its anchor, with the anchor's position.
#[derive(Debug)]
pub struct Node {
    pub start: Position,
    /// The tag: for `!!str` its URI, for `!name` its name.
    pub tag: Option<String>,
    pub value: Value,
    /// Number of nodes in this one, including itself and the targets of aliases.
    nodes: usize,
    /// Length of all its scalars in bytes, including the targets of aliases.
    bytes: usize,
}

/// The syntax of a node.
#[derive(Debug)]
pub enum Value {
    Scalar {
        text: String,
        /// True if it is neither quoted nor a block. Then its type depends on the version of YAML that its reader uses.
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    /// In the order of the text, including repeated keys.
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// Reads the only document of a text. Returns `None` if the text contains no document. The time is proportional to the
/// length of the text.
///
/// # Errors
/// Fails if the parser refuses the text, if there is a second document, if nodes are nested more than 128 deep, or if
/// there are more values or more text than any real document needs, including the targets of aliases.
pub fn read(text: &str) -> Result<Option<Rc<Node>>, Fault> {
    let mut builder =
        Builder { open: Vec::new(), anchors: HashMap::new(), limit: max_text(text.len()), root: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Fault {
            position: Some(position(error.marker())),
            text: error.info().to_owned(),
            is_limit: false,
        })?;
        builder.take(event, position(&span.start))?;
    }
    Ok(builder.root)
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// An unfinished list or map.
struct Open {
    start: Position,
    anchor: usize,
    tag: Option<String>,
    is_map: bool,
    /// In a map, keys and values alternate.
    children: Vec<Rc<Node>>,
}

struct Builder {
    open: Vec<Open>,
    /// The nodes with anchors, by the parser's number.
    anchors: HashMap<usize, Rc<Node>>,
    /// Maximum length of all texts in bytes.
    limit: usize,
    root: Option<Rc<Node>>,
}

impl Builder {
    fn take(&mut self, event: Event, start: Position) -> Result<(), Fault> {
        let fault = |text: String| Err(Fault { position: Some(start), text, is_limit: false });
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let bytes = text.len();
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                let tag = tag.as_deref().map(name);
                self.add(anchor, Node { start, tag, value, nodes: 1, bytes })
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => self.put(Rc::clone(node)),
                None => fault("an alias is inside its own anchor".to_owned()),
            },
            Event::SequenceStart(anchor, tag) => self.begin(start, anchor, tag.as_deref(), false),
            Event::MappingStart(anchor, tag) => self.begin(start, anchor, tag.as_deref(), true),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentStart(_) if self.root.is_some() => {
                fault("there is more than one document".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        start: Position,
        anchor: usize,
        tag: Option<&Tag>,
        is_map: bool,
    ) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault {
                position: Some(start),
                text: format!("values are nested more than {MAX_DEPTH} deep"),
                is_limit: true,
            });
        }
        self.open.push(Open { start, anchor, tag: tag.map(name), is_map, children: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Open { start, anchor, tag, is_map, children } = self.open.pop().expect("the parser pairs these");
        let sum =
            |size: fn(&Node) -> usize| children.iter().map(|node| size(node)).fold(0, usize::saturating_add);
        let (nodes, bytes) = (sum(|node| node.nodes).saturating_add(1), sum(|node| node.bytes));
        let value = match is_map {
            true => {
                Value::Map(children.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
            }
            false => Value::List(children),
        };
        self.add(anchor, Node { start, tag, value, nodes, bytes })
    }

    fn add(&mut self, anchor: usize, node: Node) -> Result<(), Fault> {
        let node = Rc::new(node);
        // The parser numbers anchors from 1. Zero means that there is no anchor.
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(node)
    }

    fn put(&mut self, node: Rc<Node>) -> Result<(), Fault> {
        let refuse = |text: String| Err(Fault { position: Some(node.start), text, is_limit: true });
        if node.nodes > MAX_NODES {
            return refuse(format!("there are more than {MAX_NODES} values after aliases are expanded"));
        }
        if node.bytes > self.limit {
            return refuse("there is too much text after aliases are expanded".to_owned());
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

/// The name of a tag: `tag:yaml.org,2002:str` for `!!str`, or `!name` for an application's own tag.
fn name(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

/// The syntax of a node, as far as [`typed`](super::typed) needs it.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The tag, in the format of [`Node::tag`].
    pub tag: Option<String>,
    /// The text of a plain scalar, which is neither quoted nor a block.
    pub plain: Option<String>,
}

impl Written {
    /// Returns whether the tag is the given one of YAML's own, for example `str` for `!!str`.
    pub fn has_tag(&self, name: &str) -> bool {
        self.tag.as_deref().and_then(|tag| tag.strip_prefix("tag:yaml.org,2002:")) == Some(name)
    }
}

/// The positions and syntax of all nodes, in the order in which serde_yaml reads them. A list or map comes before its
/// contents, aliases are followed, and an application's own tag is a separate node before its value.
pub(super) fn nodes(root: &Node) -> Vec<(Position, Written)> {
    let mut nodes = Vec::with_capacity(root.nodes);
    let mut next = vec![root];
    while let Some(node) = next.pop() {
        let is_own_tag = node.tag.as_deref().is_some_and(|tag| tag.len() > 1 && tag.starts_with('!'));
        if is_own_tag {
            nodes.push((node.start, Written::default()));
        }
        let plain = match &node.value {
            Value::Scalar { text, plain: true } => Some(text.clone()),
            _ => None,
        };
        nodes.push((node.start, Written { tag: node.tag.clone(), plain }));
        match &node.value {
            Value::Scalar { .. } => {}
            Value::List(items) => next.extend(items.iter().rev().map(Rc::as_ref)),
            Value::Map(entries) => {
                next.extend(entries.iter().rev().flat_map(|(key, value)| [value.as_ref(), key.as_ref()]));
            }
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        read(text).unwrap_err().text
    }

    #[test]
    fn nodes_have_their_position_and_syntax() {
        let root = read("a: 0644\nb:\n- !!binary |\n  QQ==\n- \"yes\"\n").unwrap().unwrap();
        let Value::Map(entries) = &root.value else { panic!() };
        let written = |node: &Node| match &node.value {
            Value::Scalar { text, plain } => (text.clone(), *plain, node.start.line, node.start.column),
            _ => panic!(),
        };
        assert_eq!(written(&entries[0].1), ("0644".into(), true, 1, 4));
        let Value::List(items) = &entries[1].1.value else { panic!() };
        assert_eq!(items[0].tag.as_deref(), Some("tag:yaml.org,2002:binary"));
        assert_eq!(written(&items[0]).0, "QQ==\n");
        assert_eq!(written(&items[1]), ("yes".into(), false, 5, 3));
    }

    #[test]
    fn yaml_bombs_are_refused() {
        // The parser has its own limit for this.
        assert!(read(&"[".repeat(500_000)).is_err());
        assert!(fault(&format!("{}1{}", "[".repeat(129), "]".repeat(129))).contains("128 deep"));
        assert!(fault(&"- ".repeat(100_000)).contains("128 deep"));
        let list = |name: char| vec![format!("*{name}"); 400].join(", ");
        let bomb = format!("x: &a [{}]\ny: &b [{}]\nz: &c [{}]\n", "1, ".repeat(400), list('a'), list('b'));
        assert!(fault(&bomb).contains("100000 values"));
        let texts = format!("x: &a {}\ny: [{}]\n", "t".repeat(60_000), list('a'));
        assert!(fault(&texts).contains("too much text"));
        assert!(fault("a: &a [*a]\n").contains("inside its own anchor"));
        assert!(fault("a: 1\n---\nb: 1\n").contains("more than one document"));
    }

    #[test]
    fn no_document_is_none() {
        assert!(read("").unwrap().is_none());
        assert!(read("# nothing\n").unwrap().is_none());
    }
}
