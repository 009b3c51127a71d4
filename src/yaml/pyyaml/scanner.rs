//! Splits a YAML text into tokens with the rules of PyYAML's scanner (PyYAML 6.0, `yaml/scanner.py`). They are stricter than
//! YAML 1.1 and 1.2: for example, a tab cannot separate tokens, and a comment cannot follow `|` without a space.

use std::collections::VecDeque;

use crate::diag::Position;
use crate::yaml::{Fault, MAX_DEPTH};

/// Maximum distance in characters between the start of a key and its `:`. The `:` must also be on the same line.
const MAX_KEY: usize = 1024;

/// A token.
pub(super) struct Token {
    pub kind: Kind,
    pub start: Position,
    pub end: Position,
}

#[derive(PartialEq, Eq)]
pub(super) enum Kind {
    StreamEnd,
    Directive(Directive),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowMappingStart,
    FlowSequenceEnd,
    FlowMappingEnd,
    Key,
    Value,
    BlockEntry,
    FlowEntry,
    Alias(String),
    Anchor(String),
    /// The handle, if the tag has one, and the suffix.
    Tag(Option<String>, String),
    Scalar {
        text: String,
        plain: bool,
    },
}

impl Kind {
    /// Describes the token in words, for a message.
    pub fn name(&self) -> &'static str {
        match self {
            Self::StreamEnd => "the end of the text",
            Self::Directive(_) => "a directive",
            Self::DocumentStart => "`---`",
            Self::DocumentEnd => "`...`",
            Self::BlockSequenceStart | Self::BlockEntry => "a list item",
            Self::BlockMappingStart | Self::Key => "a key",
            Self::BlockEnd => "a line with less indentation",
            Self::FlowSequenceStart => "`[`",
            Self::FlowMappingStart => "`{`",
            Self::FlowSequenceEnd => "`]`",
            Self::FlowMappingEnd => "`}`",
            Self::Value => "`:`",
            Self::FlowEntry => "`,`",
            Self::Alias(_) => "an alias",
            Self::Anchor(_) => "an anchor",
            Self::Tag(..) => "a tag",
            Self::Scalar { .. } => "a text",
        }
    }
}

#[derive(PartialEq, Eq)]
pub(super) enum Directive {
    /// The major version.
    Yaml(String),
    /// The handle and the prefix.
    Tag(String, String),
    Other,
}

/// A token that becomes a key if a `:` follows it.
struct SimpleKey {
    /// Number of the token, counted from the beginning of the text.
    token: usize,
    /// True if the text is invalid without the `:`.
    required: bool,
    index: usize,
    column: isize,
    start: Position,
}

pub(super) struct Scanner {
    text: Vec<char>,
    index: usize,
    line: usize,
    column: isize,
    is_done: bool,
    flow_level: usize,
    tokens: VecDeque<Token>,
    taken: usize,
    /// The column of the current block, or -1 outside all blocks.
    indent: isize,
    indents: Vec<isize>,
    allow_simple_key: bool,
    /// The possible key at each flow level.
    keys: Vec<Option<SimpleKey>>,
    /// Faults that do not end the scan.
    pub faults: Vec<Fault>,
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns whether a character ends a line. `\0` marks the end of the text.
fn is_end(c: char) -> bool {
    c == '\0' || is_break(c)
}

fn is_space_or_end(c: char) -> bool {
    c == ' ' || is_end(c)
}

fn is_blank_or_end(c: char) -> bool {
    c == '\t' || is_space_or_end(c)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Returns whether PyYAML accepts a character at all (`NON_PRINTABLE` in `yaml/reader.py`).
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

impl Scanner {
    /// Starts at the beginning of a text.
    ///
    /// # Errors
    /// The text has a character that PyYAML does not accept anywhere.
    pub fn new(text: &str) -> Result<Self, Fault> {
        let mut scanner = Self {
            text: text.chars().collect(),
            index: 0,
            line: 0,
            column: 0,
            is_done: false,
            flow_level: 0,
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            allow_simple_key: true,
            keys: vec![None],
            faults: Vec::new(),
        };
        match scanner.text.iter().position(|c| !is_printable(*c)) {
            None => Ok(scanner),
            Some(at) => {
                let character = scanner.text[at];
                scanner.forward(at);
                Err(scanner.fault(format!(
                    "the control character U+{:04X} is not allowed, not even in quotes",
                    u32::from(character)
                )))
            }
        }
    }

    /// The next token.
    pub fn peek_token(&mut self) -> Result<&Token, Fault> {
        while self.needs_more()? {
            self.fetch()?;
        }
        Ok(self.tokens.front().expect("the last token is never taken"))
    }

    /// Takes the next token. The end of the text is never taken.
    pub fn take_token(&mut self) -> Result<Token, Fault> {
        if self.peek_token()?.kind == Kind::StreamEnd {
            let at = self.mark();
            return Ok(Token { kind: Kind::StreamEnd, start: at, end: at });
        }
        self.taken += 1;
        Ok(self.tokens.pop_front().expect("there is one"))
    }

    fn needs_more(&mut self) -> Result<bool, Fault> {
        if self.is_done {
            return Ok(false);
        }
        if self.tokens.is_empty() {
            return Ok(true);
        }
        self.drop_stale_keys()?;
        Ok(self.keys.iter().flatten().map(|key| key.token).min() == Some(self.taken))
    }

    fn peek(&self, ahead: usize) -> char {
        self.text.get(self.index + ahead).copied().unwrap_or('\0')
    }

    fn mark(&self) -> Position {
        Position { line: self.line + 1, column: self.column.unsigned_abs() + 1 }
    }

    fn fault(&self, text: impl Into<String>) -> Fault {
        Fault { position: Some(self.mark()), text: text.into(), is_limit: false }
    }

    fn forward(&mut self, length: usize) {
        for _ in 0..length {
            let c = self.peek(0);
            self.index += 1;
            if matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}') || (c == '\r' && self.peek(0) != '\n') {
                self.line += 1;
                self.column = 0;
            } else if c != '\u{feff}' {
                self.column += 1;
            }
        }
    }

    /// Moves over `length` characters and adds them to `text`.
    fn take(&mut self, length: usize, text: &mut String) {
        text.extend(&self.text[self.index..self.index + length]);
        self.forward(length);
    }

    fn skip_spaces(&mut self) {
        while self.peek(0) == ' ' {
            self.forward(1);
        }
    }

    fn skip_comment(&mut self) {
        if self.peek(0) == '#' {
            while !is_end(self.peek(0)) {
                self.forward(1);
            }
        }
    }

    fn fetch(&mut self) -> Result<(), Fault> {
        self.skip_to_next_token();
        self.drop_stale_keys()?;
        self.unwind(self.column);
        let (c, next) = (self.peek(0), self.peek(1));
        let in_flow = self.flow_level > 0;
        match c {
            '\0' => self.fetch_end(),
            '%' if self.column == 0 => self.fetch_directive(),
            '-' if self.is_document_mark("---") => self.fetch_document_mark(Kind::DocumentStart),
            '.' if self.is_document_mark("...") => self.fetch_document_mark(Kind::DocumentEnd),
            '[' => self.fetch_flow_start(Kind::FlowSequenceStart),
            '{' => self.fetch_flow_start(Kind::FlowMappingStart),
            ']' => self.fetch_flow_end(Kind::FlowSequenceEnd),
            '}' => self.fetch_flow_end(Kind::FlowMappingEnd),
            ',' => {
                self.allow_simple_key = true;
                self.remove_key()?;
                self.fetch_indicator(1, Kind::FlowEntry);
                Ok(())
            }
            '-' if is_blank_or_end(next) => self.fetch_block_entry(),
            '?' if in_flow || is_blank_or_end(next) => self.fetch_key(),
            ':' if in_flow || is_blank_or_end(next) => self.fetch_value(),
            '*' | '&' => self.fetch_anchor(c),
            '!' => self.fetch_tag(),
            '|' | '>' if !in_flow => self.fetch_block_scalar(c),
            '\'' | '"' => self.fetch_quoted(c),
            _ if self.begins_plain() => {
                self.save_key()?;
                self.allow_simple_key = false;
                let token = self.scan_plain();
                self.tokens.push_back(token);
                Ok(())
            }
            '\t' => Err(self.fault("a tab is between values, where only spaces are allowed")),
            _ => Err(self.fault(format!("a value cannot begin with `{c}`"))),
        }
    }

    fn begins_plain(&self) -> bool {
        let (c, next) = (self.peek(0), self.peek(1));
        !(is_blank_or_end(c) || "-?:,[]{}#&*!|>'\"%@`".contains(c))
            || (!is_blank_or_end(next) && (c == '-' || (self.flow_level == 0 && matches!(c, '?' | ':'))))
    }

    fn is_document_mark(&self, mark: &str) -> bool {
        self.column == 0 && self.is_mark_here(mark)
    }

    fn is_mark_here(&self, mark: &str) -> bool {
        mark.chars().enumerate().all(|(n, c)| self.peek(n) == c) && is_blank_or_end(self.peek(3))
    }

    fn is_any_mark_here(&self) -> bool {
        self.is_mark_here("---") || self.is_mark_here("...")
    }

    fn drop_stale_keys(&mut self) -> Result<(), Fault> {
        for level in 0..self.keys.len() {
            let Some(key) = &self.keys[level] else { continue };
            if key.start.line != self.line + 1 || self.index - key.index > MAX_KEY {
                if key.required {
                    return Err(without_colon(key));
                }
                self.keys[level] = None;
            }
        }
        Ok(())
    }

    fn save_key(&mut self) -> Result<(), Fault> {
        let required = self.flow_level == 0 && self.indent == self.column;
        if self.allow_simple_key {
            self.remove_key()?;
            let token = self.taken + self.tokens.len();
            let key =
                SimpleKey { token, required, index: self.index, column: self.column, start: self.mark() };
            self.keys[self.flow_level] = Some(key);
        }
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Fault> {
        match self.keys[self.flow_level].take() {
            Some(key) if key.required => Err(without_colon(&key)),
            _ => Ok(()),
        }
    }

    fn unwind(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.indent = self.indents.pop().unwrap_or(-1);
            self.push_empty(Kind::BlockEnd);
        }
    }

    fn add_indent(&mut self, column: isize) -> bool {
        let is_deeper = self.indent < column;
        if is_deeper {
            self.indents.push(self.indent);
            self.indent = column;
        }
        is_deeper
    }

    fn push_empty(&mut self, kind: Kind) {
        let at = self.mark();
        self.tokens.push_back(Token { kind, start: at, end: at });
    }

    fn fetch_indicator(&mut self, length: usize, kind: Kind) {
        let start = self.mark();
        self.forward(length);
        self.tokens.push_back(Token { kind, start, end: self.mark() });
    }

    fn fetch_end(&mut self) -> Result<(), Fault> {
        self.unwind(-1);
        self.remove_key()?;
        self.allow_simple_key = false;
        self.keys.iter_mut().for_each(|key| *key = None);
        self.push_empty(Kind::StreamEnd);
        self.is_done = true;
        Ok(())
    }

    fn fetch_document_mark(&mut self, kind: Kind) -> Result<(), Fault> {
        self.unwind(-1);
        self.remove_key()?;
        self.allow_simple_key = false;
        self.fetch_indicator(3, kind);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: Kind) -> Result<(), Fault> {
        self.save_key()?;
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return Err(Fault { is_limit: true, ..self.fault(super::too_deep()) });
        }
        if self.keys.len() == self.flow_level {
            self.keys.push(None);
        }
        self.allow_simple_key = true;
        self.fetch_indicator(1, kind);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: Kind) -> Result<(), Fault> {
        self.remove_key()?;
        let Some(outer) = self.flow_level.checked_sub(1) else {
            return Err(self.fault(format!("{} closes nothing", kind.name())));
        };
        self.flow_level = outer;
        self.keys.truncate(outer + 1);
        self.allow_simple_key = false;
        self.fetch_indicator(1, kind);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Fault> {
        if self.flow_level == 0 {
            if !self.allow_simple_key {
                return Err(self.fault("a list item cannot begin here"));
            }
            if self.add_indent(self.column) {
                self.push_empty(Kind::BlockSequenceStart);
            }
        }
        self.allow_simple_key = true;
        self.remove_key()?;
        self.fetch_indicator(1, Kind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Fault> {
        if self.flow_level == 0 {
            if !self.allow_simple_key {
                return Err(self.fault("a key cannot begin here"));
            }
            if self.add_indent(self.column) {
                self.push_empty(Kind::BlockMappingStart);
            }
        }
        self.allow_simple_key = self.flow_level == 0;
        self.remove_key()?;
        self.fetch_indicator(1, Kind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Fault> {
        if let Some(key) = self.keys[self.flow_level].take() {
            let at = key.token - self.taken;
            let token = |kind| Token { kind, start: key.start, end: key.start };
            self.tokens.insert(at, token(Kind::Key));
            if self.flow_level == 0 && self.add_indent(key.column) {
                self.tokens.insert(at, token(Kind::BlockMappingStart));
            }
            self.allow_simple_key = false;
        } else {
            if self.flow_level == 0 {
                if !self.allow_simple_key {
                    return Err(self.fault("a value cannot have a `: ` in it unless it is in quotes"));
                }
                if self.add_indent(self.column) {
                    self.push_empty(Kind::BlockMappingStart);
                }
            }
            self.allow_simple_key = self.flow_level == 0;
            self.remove_key()?;
        }
        self.fetch_indicator(1, Kind::Value);
        Ok(())
    }

    fn skip_to_next_token(&mut self) {
        if self.index == 0 && self.peek(0) == '\u{feff}' {
            self.forward(1);
        }
        loop {
            self.skip_spaces();
            self.skip_comment();
            if self.scan_break().is_none() {
                return;
            }
            if self.flow_level == 0 {
                self.allow_simple_key = true;
            }
        }
    }

    /// Moves over a line break and returns the character that it stands for.
    fn scan_break(&mut self) -> Option<char> {
        match self.peek(0) {
            '\r' if self.peek(1) == '\n' => {
                self.forward(2);
                Some('\n')
            }
            '\r' | '\n' | '\u{85}' => {
                self.forward(1);
                Some('\n')
            }
            c @ ('\u{2028}' | '\u{2029}') => {
                self.forward(1);
                Some(c)
            }
            _ => None,
        }
    }

    fn fetch_directive(&mut self) -> Result<(), Fault> {
        self.unwind(-1);
        self.remove_key()?;
        self.allow_simple_key = false;
        let start = self.mark();
        self.forward(1);
        let mut name = String::new();
        self.take(self.word(), &mut name);
        if name.is_empty() || !is_space_or_end(self.peek(0)) {
            return Err(self.fault("a line that begins with `%` is a directive, and this is not one"));
        }
        let directive = match name.as_str() {
            "YAML" => self.scan_version()?,
            "TAG" => self.scan_tag_directive()?,
            _ => {
                while !is_end(self.peek(0)) {
                    self.forward(1);
                }
                Directive::Other
            }
        };
        let end = self.mark();
        self.skip_rest_of_line()?;
        self.tokens.push_back(Token { kind: Kind::Directive(directive), start, end });
        Ok(())
    }

    /// The number of letters, digits, `-` and `_` from here on.
    fn word(&self) -> usize {
        self.text[self.index..].iter().take_while(|c| is_word(**c)).count()
    }

    fn scan_version(&mut self) -> Result<Directive, Fault> {
        self.skip_spaces();
        let mut numbers = [String::new(), String::new()];
        for (n, number) in numbers.iter_mut().enumerate() {
            let digits = self.text[self.index..].iter().take_while(|c| c.is_ascii_digit()).count();
            self.take(digits, number);
            if digits == 0 || (n == 0 && self.peek(0) != '.') {
                return Err(self.fault("a version of YAML is two numbers"));
            }
            self.forward(1 - n);
        }
        if !is_space_or_end(self.peek(0)) {
            return Err(self.fault("a version of YAML is two numbers"));
        }
        let [major, _] = numbers;
        Ok(Directive::Yaml(major.trim_start_matches('0').to_owned()))
    }

    fn scan_tag_directive(&mut self) -> Result<Directive, Fault> {
        self.skip_spaces();
        let handle = self.scan_tag_handle()?;
        if self.peek(0) != ' ' {
            return Err(self.fault("a tag's handle ends with a space"));
        }
        self.skip_spaces();
        let prefix = self.scan_uri()?;
        if !is_space_or_end(self.peek(0)) {
            return Err(self.fault("a tag's prefix ends with a space"));
        }
        Ok(Directive::Tag(handle, prefix))
    }

    /// Moves over a comment and the line break.
    fn skip_rest_of_line(&mut self) -> Result<(), Fault> {
        self.skip_spaces();
        self.skip_comment();
        if !is_end(self.peek(0)) {
            return Err(self.fault("only a comment can follow on this line"));
        }
        self.scan_break();
        Ok(())
    }

    fn fetch_anchor(&mut self, indicator: char) -> Result<(), Fault> {
        self.save_key()?;
        self.allow_simple_key = false;
        let start = self.mark();
        self.forward(1);
        let mut name = String::new();
        self.take(self.word(), &mut name);
        let next = self.peek(0);
        if name.is_empty() || !(is_blank_or_end(next) || "?:,]}%@`".contains(next)) {
            return Err(self.fault(format!(
                "`{indicator}` begins the name of an anchor, which has only letters, digits, `-` and `_`"
            )));
        }
        let kind = if indicator == '*' { Kind::Alias(name) } else { Kind::Anchor(name) };
        self.tokens.push_back(Token { kind, start, end: self.mark() });
        Ok(())
    }

    fn fetch_tag(&mut self) -> Result<(), Fault> {
        self.save_key()?;
        self.allow_simple_key = false;
        let start = self.mark();
        let next = self.peek(1);
        let (handle, suffix) = if next == '<' {
            self.forward(2);
            let suffix = self.scan_uri()?;
            if self.peek(0) != '>' {
                return Err(self.fault("a tag that begins with `!<` ends with `>`"));
            }
            self.forward(1);
            (None, suffix)
        } else if is_blank_or_end(next) {
            self.forward(1);
            (None, "!".to_owned())
        } else {
            let rest = &self.text[self.index + 1..];
            let has_handle = rest.iter().take_while(|c| !is_space_or_end(**c)).any(|c| *c == '!');
            let handle = if has_handle {
                self.scan_tag_handle()?
            } else {
                self.forward(1);
                "!".to_owned()
            };
            (Some(handle), self.scan_uri()?)
        };
        if !is_space_or_end(self.peek(0)) {
            return Err(self.fault("a tag ends with a space"));
        }
        self.tokens.push_back(Token { kind: Kind::Tag(handle, suffix), start, end: self.mark() });
        Ok(())
    }

    fn scan_tag_handle(&mut self) -> Result<String, Fault> {
        let refuse = |scanner: &Self| Err(scanner.fault("a tag's handle has the form `!`, `!!` or `!name!`"));
        if self.peek(0) != '!' {
            return refuse(self);
        }
        let mut handle = String::new();
        self.take(1, &mut handle);
        if self.peek(0) != ' ' {
            self.take(self.word(), &mut handle);
            if self.peek(0) != '!' {
                return refuse(self);
            }
            self.take(1, &mut handle);
        }
        Ok(handle)
    }

    fn scan_uri(&mut self) -> Result<String, Fault> {
        let is_uri = |c: char| c.is_ascii_alphanumeric() || "-;/?:@&=+$,_.!~*'()[]".contains(c);
        let mut bytes = Vec::new();
        loop {
            match self.peek(0) {
                '%' => {
                    let digits = [self.peek(1), self.peek(2)].map(|c| c.to_digit(16));
                    let [Some(high), Some(low)] = digits else {
                        return Err(self.fault("`%` in a tag needs two hexadecimal digits"));
                    };
                    bytes.push((16 * high + low) as u8);
                    self.forward(3);
                }
                c if is_uri(c) => {
                    bytes.push(c as u8);
                    self.forward(1);
                }
                _ => break,
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) if !text.is_empty() => Ok(text),
            _ => Err(self.fault("a tag has a name")),
        }
    }

    fn fetch_block_scalar(&mut self, style: char) -> Result<(), Fault> {
        self.allow_simple_key = true;
        self.remove_key()?;
        let token = self.scan_block_scalar(style == '>')?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn scan_block_scalar(&mut self, folded: bool) -> Result<Token, Fault> {
        let start = self.mark();
        self.forward(1);
        let (keep, increment) = self.scan_block_indicators()?;
        self.skip_rest_of_line()?;
        let least = (self.indent + 1).max(1);
        let (indent, mut breaks, mut end) = match increment {
            None => {
                let (breaks, most, end) = self.scan_block_indentation();
                (least.max(most), breaks, end)
            }
            Some(increment) => {
                let indent = least + increment - 1;
                let (breaks, end) = self.scan_block_breaks(indent);
                (indent, breaks, end)
            }
        };
        let (mut text, mut line_break) = (String::new(), None);
        while self.column == indent && self.peek(0) != '\0' {
            text.push_str(&breaks);
            let begins_with_text = !matches!(self.peek(0), ' ' | '\t');
            let rest = self.text[self.index..].iter().take_while(|c| !is_end(**c)).count();
            self.take(rest, &mut text);
            line_break = self.scan_break();
            (breaks, end) = self.scan_block_breaks(indent);
            if self.column != indent || self.peek(0) == '\0' {
                break;
            }
            let next_is_text = !matches!(self.peek(0), ' ' | '\t');
            if folded && line_break == Some('\n') && begins_with_text && next_is_text {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(line_break);
            }
        }
        if keep != Some(false) {
            text.extend(line_break);
        }
        if keep == Some(true) {
            text.push_str(&breaks);
        }
        Ok(Token { kind: Kind::Scalar { text, plain: false }, start, end })
    }

    /// The indicators, if they are given: `+` keeps final line breaks and `-` removes them, and the indentation.
    fn scan_block_indicators(&mut self) -> Result<(Option<bool>, Option<isize>), Fault> {
        let (mut keep, mut increment) = (None, None);
        for _ in 0..2 {
            match self.peek(0) {
                sign @ ('+' | '-') if keep.is_none() => keep = Some(sign == '+'),
                '0' if increment.is_none() => {
                    return Err(self.fault("the indentation of a block is 1 to 9"));
                }
                digit @ '1'..='9' if increment.is_none() => {
                    increment = digit.to_digit(10).map(|digit| digit as isize);
                }
                _ => break,
            }
            self.forward(1);
        }
        match self.peek(0) {
            c if is_space_or_end(c) => Ok((keep, increment)),
            '\t' => Err(self.fault("a tab follows the sign of a block, where only spaces are allowed")),
            '#' => Err(self.fault("a comment needs a space before the `#`")),
            _ => Err(self.fault("only a sign, a digit or a comment can follow `|` and `>`")),
        }
    }

    fn scan_block_indentation(&mut self) -> (String, isize, Position) {
        let (mut breaks, mut most, mut end) = (String::new(), 0, self.mark());
        loop {
            if self.peek(0) == ' ' {
                self.forward(1);
                most = most.max(self.column);
            } else if let Some(line_break) = self.scan_break() {
                breaks.push(line_break);
                end = self.mark();
            } else {
                return (breaks, most, end);
            }
        }
    }

    fn scan_block_breaks(&mut self, indent: isize) -> (String, Position) {
        let (mut breaks, mut end) = (String::new(), self.mark());
        loop {
            while self.column < indent && self.peek(0) == ' ' {
                self.forward(1);
            }
            let Some(line_break) = self.scan_break() else { return (breaks, end) };
            breaks.push(line_break);
            end = self.mark();
        }
    }

    fn fetch_quoted(&mut self, quote: char) -> Result<(), Fault> {
        self.save_key()?;
        self.allow_simple_key = false;
        let start = self.mark();
        self.forward(1);
        let mut text = String::new();
        self.scan_quoted_text(quote, start, &mut text)?;
        while self.peek(0) != quote {
            self.scan_quoted_spaces(start, &mut text)?;
            self.scan_quoted_text(quote, start, &mut text)?;
        }
        self.forward(1);
        self.tokens.push_back(Token { kind: Kind::Scalar { text, plain: false }, start, end: self.mark() });
        Ok(())
    }

    fn scan_quoted_text(&mut self, quote: char, start: Position, text: &mut String) -> Result<(), Fault> {
        let is_double = quote == '"';
        loop {
            let is_special = |c: char| is_blank_or_end(c) || matches!(c, '\'' | '"' | '\\');
            let length = self.text[self.index..].iter().take_while(|c| !is_special(**c)).count();
            self.take(length, text);
            match self.peek(0) {
                '\'' if !is_double && self.peek(1) == '\'' => {
                    text.push('\'');
                    self.forward(2);
                }
                c @ '\'' if is_double => {
                    text.push(c);
                    self.forward(1);
                }
                c @ ('"' | '\\') if !is_double => {
                    text.push(c);
                    self.forward(1);
                }
                '\\' => {
                    self.forward(1);
                    self.scan_escape(start, text)?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn scan_escape(&mut self, start: Position, text: &mut String) -> Result<(), Fault> {
        let c = self.peek(0);
        if is_break(c) {
            self.scan_break();
            return self.scan_quoted_breaks(start, text);
        }
        let length = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => {
                let replaced = match c {
                    '0' => '\0',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    't' | '\t' => '\t',
                    'n' => '\n',
                    'v' => '\u{b}',
                    'f' => '\u{c}',
                    'r' => '\r',
                    'e' => '\u{1b}',
                    ' ' | '"' | '\\' | '/' => c,
                    'N' => '\u{85}',
                    '_' => '\u{a0}',
                    'L' => '\u{2028}',
                    'P' => '\u{2029}',
                    '\0' => return Err(not_closed(start)),
                    _ => {
                        let text = format!("`\\{c}` is not allowed in double quotes");
                        return Err(self.fault(text));
                    }
                };
                text.push(replaced);
                self.forward(1);
                return Ok(());
            }
        };
        self.forward(1);
        let digits = &self.text[self.index..(self.index + length).min(self.text.len())];
        let code = digits.iter().try_fold(0u32, |code, c| Some((code << 4) | c.to_digit(16)?));
        let Some(code) = code.filter(|_| digits.len() == length) else {
            return Err(self.fault(format!("`\\{c}` needs {length} hexadecimal digits")));
        };
        let character = match char::from_u32(code) {
            Some(character) => character,
            // Python's strings can contain half of a surrogate pair, but a file cannot. So the document is read, and fails later.
            None if code <= 0xffff => {
                let fault = self.fault(
                    "half of a surrogate pair cannot be written to a file: write the character itself",
                );
                self.faults.push(fault);
                char::REPLACEMENT_CHARACTER
            }
            None => return Err(self.fault(format!("`\\{c}` needs the code of a character"))),
        };
        text.push(character);
        self.forward(length);
        Ok(())
    }

    fn scan_quoted_spaces(&mut self, start: Position, text: &mut String) -> Result<(), Fault> {
        let length = self.text[self.index..].iter().take_while(|c| matches!(c, ' ' | '\t')).count();
        let mut spaces = String::new();
        self.take(length, &mut spaces);
        if self.peek(0) == '\0' {
            return Err(not_closed(start));
        }
        let Some(line_break) = self.scan_break() else {
            text.push_str(&spaces);
            return Ok(());
        };
        let mut breaks = String::new();
        self.scan_quoted_breaks(start, &mut breaks)?;
        if line_break != '\n' {
            text.push(line_break);
        } else if breaks.is_empty() {
            text.push(' ');
        }
        text.push_str(&breaks);
        Ok(())
    }

    fn scan_quoted_breaks(&mut self, start: Position, text: &mut String) -> Result<(), Fault> {
        loop {
            if self.is_any_mark_here() {
                return Err(not_closed(start));
            }
            while matches!(self.peek(0), ' ' | '\t') {
                self.forward(1);
            }
            let Some(line_break) = self.scan_break() else { return Ok(()) };
            text.push(line_break);
        }
    }

    fn scan_plain(&mut self) -> Token {
        let (start, indent) = (self.mark(), self.indent + 1);
        let in_flow = self.flow_level > 0;
        let (mut end, mut text, mut spaces) = (start, String::new(), String::new());
        while self.peek(0) != '#' {
            let mut length = 0;
            loop {
                let (c, next) = (self.peek(length), self.peek(length + 1));
                let is_colon = c == ':' && (is_blank_or_end(next) || (in_flow && ",[]{}".contains(next)));
                if is_blank_or_end(c) || is_colon || (in_flow && ",?[]{}".contains(c)) {
                    break;
                }
                length += 1;
            }
            if length == 0 {
                break;
            }
            self.allow_simple_key = false;
            text.push_str(&spaces);
            self.take(length, &mut text);
            end = self.mark();
            spaces = self.scan_plain_spaces();
            if spaces.is_empty() || (!in_flow && self.column < indent) {
                break;
            }
        }
        Token { kind: Kind::Scalar { text, plain: true }, start, end }
    }

    /// Moves over the white space after a plain text. Returns what stands for it if the text continues, and nothing if the text
    /// ends.
    fn scan_plain_spaces(&mut self) -> String {
        let length = self.text[self.index..].iter().take_while(|c| **c == ' ').count();
        let mut spaces = String::new();
        self.take(length, &mut spaces);
        let Some(line_break) = self.scan_break() else { return spaces };
        self.allow_simple_key = true;
        let mut breaks = String::new();
        loop {
            if self.is_any_mark_here() {
                return String::new();
            }
            self.skip_spaces();
            match self.scan_break() {
                Some(next) => breaks.push(next),
                None => break,
            }
        }
        if line_break != '\n' {
            breaks.insert(0, line_break);
        } else if breaks.is_empty() {
            breaks.push(' ');
        }
        breaks
    }
}

fn without_colon(key: &SimpleKey) -> Fault {
    Fault { position: Some(key.start), text: "a key has no `:` after it".to_owned(), is_limit: false }
}

fn not_closed(start: Position) -> Fault {
    Fault { position: Some(start), text: "a quote is not closed".to_owned(), is_limit: false }
}
