//! Builds nodes from tokens with the rules of PyYAML's parser, composer and constructor (PyYAML 6.0, `yaml/parser.py`,
//! `yaml/composer.py`, `yaml/constructor.py`).

use std::collections::{HashMap, HashSet};

use super::scanner::{Directive, Kind, Scanner, Token};
use super::{Document, scalar};
use crate::diag::Position;
use crate::yaml::{Fault, MAX_DEPTH, MAX_NODES, Node, Value, Written, max_text};

/// The handle `!!`.
const YAML: &str = "tag:yaml.org,2002:";

pub(super) struct Parser {
    scanner: Scanner,
    /// The prefix of each tag handle.
    handles: HashMap<String, String>,
    /// The node of each anchor. `None` while it is being read.
    anchors: HashMap<String, Option<Sized>>,
    faults: Vec<Fault>,
    size: Size,
    /// Maximum length of all texts in bytes.
    max_text: usize,
}

/// The number of nodes, and the length of their texts in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    nodes: usize,
    text: usize,
}

struct Sized {
    node: Node,
    size: Size,
}

/// The anchor and the tag in front of a node.
struct Properties {
    start: Option<Position>,
    anchor: Option<String>,
    tag: Option<String>,
}

impl Parser {
    pub fn new(text: &str) -> Result<Self, Fault> {
        Ok(Self {
            scanner: Scanner::new(text)?,
            handles: HashMap::new(),
            anchors: HashMap::new(),
            faults: Vec::new(),
            size: Size::default(),
            max_text: max_text(text.len()),
        })
    }

    /// Reads the only document.
    pub fn document(mut self) -> Result<Document, Fault> {
        let first = &self.scanner.peek_token()?.kind;
        let root = match first {
            Kind::StreamEnd => empty(self.scanner.peek_token()?.start),
            Kind::Directive(_) | Kind::DocumentStart => {
                self.directives()?;
                let start = self.expect(&Kind::DocumentStart, "`---` after the directives")?;
                let next = &self.scanner.peek_token()?.kind;
                let is_empty = matches!(
                    next,
                    Kind::Directive(_) | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd
                );
                if is_empty { empty(start.end) } else { self.node(true, false, 0)? }
            }
            _ => {
                self.default_handles();
                self.node(true, false, 0)?
            }
        };
        while self.scanner.peek_token()?.kind == Kind::DocumentEnd {
            self.scanner.take_token()?;
        }
        let next = self.scanner.peek_token()?;
        match &next.kind {
            Kind::StreamEnd => {
                let has_half_characters = !self.scanner.faults.is_empty();
                self.faults.append(&mut self.scanner.faults);
                self.faults.sort_by_key(|fault| fault.position);
                Ok(Document { root, faults: self.faults, has_half_characters })
            }
            Kind::DocumentStart | Kind::Directive(_) => {
                Err(fault(next.start, "a second document begins here, and there can be only one"))
            }
            other => Err(fault(next.start, format!("{} is not expected here", other.name()))),
        }
    }

    fn directives(&mut self) -> Result<(), Fault> {
        let mut has_version = false;
        while matches!(self.scanner.peek_token()?.kind, Kind::Directive(_)) {
            let Token { kind, start, .. } = self.scanner.take_token()?;
            match kind {
                Kind::Directive(Directive::Yaml(_)) if has_version => {
                    return Err(fault(start, "the version of YAML is given twice"));
                }
                Kind::Directive(Directive::Yaml(major)) if major != "1" => {
                    return Err(fault(start, "only version 1 of YAML is supported"));
                }
                Kind::Directive(Directive::Yaml(_)) => has_version = true,
                Kind::Directive(Directive::Tag(handle, prefix)) => {
                    let earlier = self.handles.insert(handle, prefix);
                    if earlier.is_some() {
                        return Err(fault(start, "a tag's handle is given twice"));
                    }
                }
                _ => {}
            }
        }
        self.default_handles();
        Ok(())
    }

    fn default_handles(&mut self) {
        for (handle, prefix) in [("!", "!"), ("!!", YAML)] {
            self.handles.entry(handle.to_owned()).or_insert_with(|| prefix.to_owned());
        }
    }

    fn next_is(&mut self, kinds: &[Kind]) -> Result<bool, Fault> {
        Ok(kinds.contains(&self.scanner.peek_token()?.kind))
    }

    /// Takes the next token if it is of this kind.
    fn accept(&mut self, kind: &Kind) -> Result<Option<Token>, Fault> {
        Ok(match self.scanner.peek_token()?.kind == *kind {
            true => Some(self.scanner.take_token()?),
            false => None,
        })
    }

    fn expect(&mut self, kind: &Kind, what: &str) -> Result<Token, Fault> {
        match self.accept(kind)? {
            Some(token) => Ok(token),
            None => {
                let found = self.scanner.peek_token()?;
                Err(fault(found.start, format!("{} is here, and {what} is expected", found.kind.name())))
            }
        }
    }

    /// Reads a node. In flow context, a list or map in block style is not one.
    fn node(&mut self, block: bool, indentless: bool, depth: usize) -> Result<Node, Fault> {
        let at = self.scanner.peek_token()?.start;
        if depth >= MAX_DEPTH {
            return Err(Fault { is_limit: true, ..fault(at, super::too_deep()) });
        }
        if matches!(self.scanner.peek_token()?.kind, Kind::Alias(_)) {
            let Token { kind: Kind::Alias(name), start, .. } = self.scanner.take_token()? else {
                unreachable!()
            };
            return self.alias(&name, start);
        }
        let before = self.size;
        let Properties { start, anchor, tag } = self.properties()?;
        if let Some(name) = &anchor
            && self.anchors.insert(name.clone(), None).is_some()
        {
            self.faults.push(fault(start.unwrap_or(at), "this anchor is given twice"));
        }
        let is_marked = anchor.is_some() || tag.is_some();
        let next = self.scanner.peek_token()?;
        let start = start.unwrap_or(next.start);
        let node = match &next.kind {
            Kind::BlockEntry if indentless => {
                let items = self.indentless_items(depth)?;
                self.list(start, tag, items)
            }
            Kind::Scalar { .. } => {
                let Kind::Scalar { text, plain } = self.scanner.take_token()?.kind else { unreachable!() };
                self.scalar(start, tag, text, plain)
            }
            Kind::FlowSequenceStart => {
                let items = self.flow_items(depth)?;
                self.list(start, tag, items)
            }
            Kind::FlowMappingStart => {
                let entries = self.flow_entries(depth)?;
                self.map(start, tag, entries)
            }
            Kind::BlockSequenceStart if block => {
                let items = self.block_items(depth)?;
                self.list(start, tag, items)
            }
            Kind::BlockMappingStart if block => {
                let entries = self.block_entries(depth)?;
                self.map(start, tag, entries)
            }
            _ if is_marked => self.scalar(start, tag, String::new(), true),
            other => {
                let text = format!("{} is here, and a value is expected", other.name());
                return Err(fault(next.start, text));
            }
        };
        self.size.nodes += 1;
        self.check_size(start)?;
        if let Some(name) = anchor {
            let size = Size { nodes: self.size.nodes - before.nodes, text: self.size.text - before.text };
            // The copy needs memory too.
            self.add(size, start)?;
            self.anchors.insert(name, Some(Sized { node: node.clone(), size }));
        }
        Ok(node)
    }

    fn alias(&mut self, name: &str, start: Position) -> Result<Node, Fault> {
        let size = match self.anchors.get(name) {
            Some(Some(target)) => target.size,
            Some(None) => return Err(fault(start, "an alias is inside its own anchor")),
            None => return Err(fault(start, "an alias has no anchor before it")),
        };
        self.add(size, start)?;
        let target = self.anchors.get(name).and_then(Option::as_ref);
        Ok(target.expect("it was found above").node.clone())
    }

    fn add(&mut self, size: Size, at: Position) -> Result<(), Fault> {
        self.size.nodes += size.nodes;
        self.size.text += size.text;
        self.check_size(at)
    }

    fn check_size(&self, at: Position) -> Result<(), Fault> {
        let text = if self.size.nodes > MAX_NODES {
            format!("there are more than {MAX_NODES} values after aliases are expanded")
        } else if self.size.text > self.max_text {
            "there is too much text after aliases are expanded".to_owned()
        } else {
            return Ok(());
        };
        Err(Fault { is_limit: true, ..fault(at, text) })
    }

    fn properties(&mut self) -> Result<Properties, Fault> {
        let mut found = Properties { start: None, anchor: None, tag: None };
        loop {
            let next = &self.scanner.peek_token()?.kind;
            let is_new = match next {
                Kind::Anchor(_) => found.anchor.is_none(),
                Kind::Tag(..) => found.tag.is_none(),
                _ => false,
            };
            if !is_new {
                return Ok(found);
            }
            let Token { kind, start, .. } = self.scanner.take_token()?;
            found.start = found.start.or(Some(start));
            match kind {
                Kind::Anchor(name) => found.anchor = Some(name),
                Kind::Tag(None, suffix) => found.tag = Some(suffix),
                Kind::Tag(Some(handle), suffix) => match self.handles.get(&handle) {
                    Some(prefix) => found.tag = Some(format!("{prefix}{suffix}")),
                    None => return Err(fault(start, format!("the tag's handle `{handle}` is not declared"))),
                },
                _ => {}
            }
        }
    }

    fn block_items(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        self.scanner.take_token()?;
        let mut items = Vec::new();
        while let Some(entry) = self.accept(&Kind::BlockEntry)? {
            items.push(self.value_unless(&[Kind::BlockEntry, Kind::BlockEnd], &entry, true, false, depth)?);
        }
        self.expect(&Kind::BlockEnd, "a list item, or a line with less indentation,")?;
        Ok(items)
    }

    /// The items of a list that is not indented more than the key that it belongs to.
    fn indentless_items(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        let ends = [Kind::BlockEntry, Kind::Key, Kind::Value, Kind::BlockEnd];
        while let Some(entry) = self.accept(&Kind::BlockEntry)? {
            items.push(self.value_unless(&ends, &entry, true, false, depth)?);
        }
        Ok(items)
    }

    fn block_entries(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, Fault> {
        self.scanner.take_token()?;
        let ends = [Kind::Key, Kind::Value, Kind::BlockEnd];
        let mut entries = Vec::new();
        while let Some(token) = self.accept(&Kind::Key)? {
            let key = self.value_unless(&ends, &token, true, true, depth)?;
            let value = match self.accept(&Kind::Value)? {
                Some(token) => self.value_unless(&ends, &token, true, true, depth)?,
                None => self.empty_here()?,
            };
            entries.push((key, value));
        }
        self.expect(&Kind::BlockEnd, "a key, or a line with less indentation,")?;
        Ok(entries)
    }

    fn flow_items(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        let ends = [Kind::Value, Kind::FlowEntry, Kind::FlowSequenceEnd];
        self.scanner.take_token()?;
        let mut items = Vec::new();
        while !self.next_is(&ends[2..])? {
            if !items.is_empty() {
                self.expect(&Kind::FlowEntry, "`,` or `]`")?;
            }
            if let Some(token) = self.accept(&Kind::Key)? {
                let key = self.value_unless(&ends, &token, false, false, depth + 1)?;
                let value = match self.accept(&Kind::Value)? {
                    Some(token) => self.value_unless(&ends[1..], &token, false, false, depth + 1)?,
                    None => self.empty_here()?,
                };
                self.size.nodes += 1;
                items.push(self.map(token.start, None, vec![(key, value)]));
            } else if !self.next_is(&ends[2..])? {
                items.push(self.node(false, false, depth + 1)?);
            }
        }
        self.scanner.take_token()?;
        Ok(items)
    }

    fn flow_entries(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, Fault> {
        let end = [Kind::FlowMappingEnd];
        self.scanner.take_token()?;
        let mut entries = Vec::new();
        while !self.next_is(&end)? {
            if !entries.is_empty() {
                self.expect(&Kind::FlowEntry, "`,` or `}`")?;
            }
            let ends = [Kind::Value, Kind::FlowEntry, Kind::FlowMappingEnd];
            if let Some(token) = self.accept(&Kind::Key)? {
                let key = self.value_unless(&ends, &token, false, false, depth)?;
                let value = match self.accept(&Kind::Value)? {
                    Some(token) => self.value_unless(&ends[1..], &token, false, false, depth)?,
                    None => self.empty_here()?,
                };
                entries.push((key, value));
            } else if !self.next_is(&end)? {
                let key = self.node(false, false, depth + 1)?;
                let value = self.empty_here()?;
                entries.push((key, value));
            }
        }
        self.scanner.take_token()?;
        Ok(entries)
    }

    /// Reads a node after `token`, or an empty one if one of `ends` follows.
    fn value_unless(
        &mut self,
        ends: &[Kind],
        token: &Token,
        block: bool,
        indentless: bool,
        depth: usize,
    ) -> Result<Node, Fault> {
        match self.next_is(ends)? {
            true => Ok(self.empty(token.end)),
            false => self.node(block, indentless, depth + 1),
        }
    }

    fn empty_here(&mut self) -> Result<Node, Fault> {
        let at = self.scanner.peek_token()?.start;
        Ok(self.empty(at))
    }

    fn empty(&mut self, at: Position) -> Node {
        self.size.nodes += 1;
        empty(at)
    }

    fn scalar(&mut self, start: Position, tag: Option<String>, text: String, plain: bool) -> Node {
        self.size.text += text.len();
        let (value, problem) = scalar::construct(tag.as_deref(), &text, plain);
        if let Some(problem) = problem {
            self.faults.push(fault(start, problem));
        }
        // The tag `!` alone means that the value is read as if it was plain.
        let is_resolved = tag.as_deref().map_or(plain, |tag| tag == "!");
        let written = Written { plain: is_resolved.then_some(text), tag };
        Node { start: Some(start), written, value }
    }

    fn list(&mut self, start: Position, tag: Option<String>, items: Vec<Node>) -> Node {
        items.iter().for_each(|item| self.check_value(item));
        let short = tag.as_deref().map(|tag| tag.strip_prefix(YAML).unwrap_or(tag));
        let is_pair = |item: &Node| matches!(&item.value, Value::Map(entries) if entries.len() == 1);
        match short {
            None | Some("!" | "seq") => {}
            Some("omap" | "pairs") => {
                if let Some(item) = items.iter().find(|item| !is_pair(item)) {
                    let text = "an item of an ordered map must be a map with one entry";
                    self.faults.push(fault(item.start.unwrap_or(start), text));
                }
            }
            Some(_) => return self.tagged(start, tag, Value::List(items), false),
        }
        Node { start: Some(start), written: Written { tag, plain: None }, value: Value::List(items) }
    }

    fn map(&mut self, start: Position, tag: Option<String>, entries: Vec<(Node, Node)>) -> Node {
        let short = tag.as_deref().map(|tag| tag.strip_prefix(YAML).unwrap_or(tag));
        let value = Value::Map(self.merged(entries));
        match short {
            None | Some("!" | "map" | "set") => {
                Node { start: Some(start), written: Written { tag, plain: None }, value }
            }
            Some(_) => self.tagged(start, tag, value, true),
        }
    }

    /// A list or map with a tag that is not for one. PyYAML refuses it. `document.rs` reports the tag if it is not one of
    /// YAML's own.
    fn tagged(&mut self, start: Position, tag: Option<String>, value: Value, is_map: bool) -> Node {
        let tag = tag.unwrap_or_default();
        let content = Node { start: Some(start), written: Written::default(), value };
        if scalar::is_known(&tag) {
            let kind = if is_map { "a map" } else { "a list" };
            let own = tag.strip_prefix(YAML).unwrap_or(&tag);
            self.faults.push(fault(start, format!("{kind} cannot have the tag `!!{own}`")));
            return content;
        }
        let written = Written { tag: Some(tag.clone()), plain: None };
        Node { start: Some(start), written, value: Value::Tagged(scalar::shown(&tag), Box::new(content)) }
    }

    /// Puts the entries of the maps under `<<` in front. An entry is left out if a later one has the same key. Reports keys that
    /// cannot be one.
    fn merged(&mut self, entries: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
        let (mut merged, mut own) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            self.check_value(&value);
            if is_merge(&key) {
                let at = value.start;
                match value.value {
                    Value::Map(entries) => merged.extend(entries),
                    Value::List(items) => {
                        for item in items.into_iter().rev() {
                            match item.value {
                                Value::Map(entries) => merged.extend(entries),
                                _ => self.cannot_merge(item.start),
                            }
                        }
                    }
                    _ => self.cannot_merge(at),
                }
                continue;
            }
            if matches!(key.value, Value::List(_) | Value::Map(_))
                && let Some(start) = key.start
            {
                self.faults.push(fault(start, "a list or a map cannot be a key"));
            }
            own.push((key, value));
        }
        if merged.is_empty() {
            return own;
        }
        let text = |key: &Node| match &key.value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        let mut later: HashSet<String> = own.iter().filter_map(|(key, _)| text(key)).collect();
        let mut kept: Vec<(Node, Node)> = Vec::new();
        for (key, value) in merged.into_iter().rev() {
            if text(&key).is_none_or(|text| later.insert(text)) {
                kept.push((key, value));
            }
        }
        kept.reverse();
        kept.extend(own);
        kept
    }

    /// Reports a value that has a meaning only as a key.
    fn check_value(&mut self, node: &Node) {
        let text = match node.written.plain.as_deref() {
            Some("=") => "cloud-init does not support the value `=` without quotes",
            _ if is_merge(node) => "`<<` without quotes can only be a key",
            _ => return,
        };
        self.faults.push(Fault { position: node.start, text: text.to_owned(), is_limit: false });
    }

    fn cannot_merge(&mut self, at: Option<Position>) {
        self.faults.push(Fault {
            position: at,
            text: "`<<` needs a map, or a list of maps".to_owned(),
            is_limit: false,
        });
    }
}

fn is_merge(key: &Node) -> bool {
    key.written.has_tag("merge") || key.written.plain.as_deref() == Some("<<")
}

fn empty(at: Position) -> Node {
    let written = Written { tag: None, plain: Some(String::new()) };
    Node { start: Some(at), written, value: Value::Null }
}

fn fault(position: Position, text: impl Into<String>) -> Fault {
    Fault { position: Some(position), text: text.into(), is_limit: false }
}
