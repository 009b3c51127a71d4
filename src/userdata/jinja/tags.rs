//! Splits a template into its tags, as Jinja's lexer does, without reading them.

/// A tag of a template.
pub struct Tag<'a> {
    /// The text between its signs.
    pub inside: &'a str,
    /// Its texts in quotes, with the quotes.
    pub quoted: Vec<&'a str>,
    /// Number of its names and operators. The depth of its expression is at most this.
    pub signs: usize,
    /// True for `{% … %}`.
    pub is_statement: bool,
}

impl Tag<'_> {
    /// Returns whether the tag has this word outside of quotes.
    pub fn has_word(&self, wanted: &str) -> bool {
        self.inside.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == wanted)
    }
}

/// Returns the tags of a template, without its comments and raw blocks. The time is proportional to its length.
pub fn tags(body: &str) -> Vec<Tag<'_>> {
    let (mut tags, mut rest) = (Vec::new(), body);
    while let Some(at) = next_sign(rest) {
        let (sign, from) = rest[at..].split_at(2);
        if sign == "{#" {
            rest = from.split_once("#}").map_or("", |(_, after)| after);
            continue;
        }
        let is_statement = sign == "{%";
        if let Some(raw) = is_statement.then(|| after_word(from, "raw")).flatten() {
            rest = after_raw(raw);
            continue;
        }
        let (tag, after) = tag(from, is_statement);
        tags.push(tag);
        rest = after;
    }
    tags
}

/// The offset of the next `{{`, `{%` or `{#`.
fn next_sign(text: &str) -> Option<usize> {
    let is_sign = |at: &usize| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#'));
    text.match_indices('{').map(|(at, _)| at).find(is_sign)
}

/// The text after a statement that is only this word.
fn after_word<'a>(from: &'a str, word: &str) -> Option<&'a str> {
    let rest = from.strip_prefix(['-', '+']).unwrap_or(from).trim_start().strip_prefix(word)?.trim_start();
    rest.strip_prefix(['-', '+']).unwrap_or(rest).strip_prefix("%}")
}

fn after_raw(mut rest: &str) -> &str {
    while let Some((_, from)) = rest.split_once("{%") {
        if let Some(after) = after_word(from, "endraw") {
            return after;
        }
        rest = from;
    }
    ""
}

/// Reads a tag up to its end outside of quotes and brackets.
fn tag(from: &str, is_statement: bool) -> (Tag<'_>, &str) {
    let end = if is_statement { "%}" } else { "}}" };
    let (mut at, mut open, mut signs, mut quoted) = (0, 0i64, 0, Vec::new());
    let bytes = from.as_bytes();
    while let Some(&b) = bytes.get(at) {
        if open == 0 && bytes[at..].starts_with(end.as_bytes()) {
            return (Tag { inside: &from[..at], quoted, signs, is_statement }, &from[at + 2..]);
        }
        match b {
            b'\'' | b'"' => {
                let length = quote(&bytes[at..]);
                quoted.push(&from[at..at + length]);
                at += length;
                continue;
            }
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open -= 1,
            _ => {}
        }
        let is_of_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii();
        let begins_word = !is_of_word(b) || at == 0 || !is_of_word(bytes[at - 1]);
        signs += usize::from(begins_word && !b.is_ascii_whitespace() && b != b',');
        at += 1;
    }
    (Tag { inside: from, quoted, signs, is_statement }, "")
}

/// The length of a text in quotes, at which `bytes` begins, or of everything if the quote is not closed.
fn quote(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&b) = bytes.get(at) {
        at += if b == b'\\' { 2 } else { 1 };
        if b == bytes[0] {
            return at;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_end_where_jinja_ends_them() {
        for (text, expected) in [
            ("a {{ b }} c {% d %}e", &[" b ", " d "][..]),
            ("{{ '}}' ~ \"%}\\\"}}\" }}{{ {'a': {}} }}", &[" '}}' ~ \"%}\\\"}}\" ", " {'a': {}} "]),
            ("{# {{ a }} #}{%- raw -%}{{ ' }}{%- endraw %}{{ b }}", &[" b "]),
            ("{ {a} {{ b", &[" b"]),
            ("{{ 'é", &[" 'é"]),
        ] {
            assert_eq!(tags(text).iter().map(|tag| tag.inside).collect::<Vec<_>>(), expected, "{text:?}");
        }
        assert_eq!(tags("{{ a.b, 'c d' | e(1) }}")[0].signs, 8);
    }
}
