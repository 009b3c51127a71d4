//! Where a diagnostic belongs: a file as the user named it, what is inside it, a line and a column, and the line itself.

use std::fmt;

/// A line and a column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// A place in the user's input. The empty place belongs to no file, for example to the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file as the user named it, then each layer inside it.
    steps: Vec<String>,
    /// In the text of the innermost layer.
    pub position: Option<Position>,
    /// The line of `position`, for people.
    pub excerpt: Option<Excerpt>,
}

impl Place {
    /// The whole of a file.
    pub fn file(name: &str) -> Self {
        Self { steps: vec![name.to_owned()], ..Self::default() }
    }

    /// A layer inside this place. The position is dropped, because it belongs to the text around that layer.
    pub fn within(&self, step: impl Into<String>) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step.into());
        Self { steps, ..Self::default() }
    }

    /// The outermost file.
    pub fn outermost(&self) -> Self {
        Self { steps: self.steps.iter().take(1).cloned().collect(), ..Self::default() }
    }

    /// Sets the position, or removes it.
    pub fn at(&self, position: Option<Position>) -> Self {
        Self { steps: self.steps.clone(), position, excerpt: None }
    }

    /// Sets the position, and takes its line from `text`, the text of the innermost layer.
    pub fn in_text(&self, text: &str, position: Position) -> Self {
        Self { excerpt: Excerpt::new(text, position), ..self.at(Some(position)) }
    }

    /// Returns whether this is no place in a file.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The file and the layers, without line and column.
    pub fn name(&self) -> String {
        self.steps.join(": ")
    }
}

/// `FILE: LAYER:LINE:COLUMN`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match self.position {
            Some(Position { line, column }) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// A line of the user's input, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Excerpt {
    pub line: String,
    /// Of the character that is meant, from 0, in characters of `line`.
    pub column: usize,
}

impl Excerpt {
    /// Longer lines are not shown: they are encodings or generated, and fill the screen.
    const MAX_CHARS: usize = 120;
    /// A run of this many characters of base64 may be part of a key, if it mixes cases and digits as paths and words do not.
    const MAX_BASE64: usize = 20;
    /// Names of fields that hold secrets.
    const SECRETS: [&str; 6] = ["passw", "secret", "token", "apikey", "api_key", "credential"];

    /// The line at `position`. None where `text` has no such line, where the line is long, or where it may hold a secret.
    pub fn new(text: &str, position: Position) -> Option<Self> {
        let line = lines(text).nth(position.line.checked_sub(1)?)?;
        let column = position.column.checked_sub(1)?;
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let is_key = |run: &str| {
            let has = |kind: fn(&u8) -> bool| run.as_bytes().iter().any(kind);
            run.len() >= Self::MAX_BASE64
                && has(u8::is_ascii_uppercase)
                && has(u8::is_ascii_lowercase)
                && has(u8::is_ascii_digit)
        };
        let lower = line.to_lowercase();
        let hidden = line.chars().count() > Self::MAX_CHARS
            || line.trim().is_empty()
            || line.split(|c| !is_base64(c)).any(is_key)
            || Self::SECRETS.iter().any(|secret| lower.contains(secret));
        (!hidden).then(|| Self { line: line.to_owned(), column: column.min(line.chars().count()) })
    }
}

/// The lines of a text as YAML counts them: each ends with LF, CR LF or CR (YAML 1.2 §5.4).
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: usize, column: usize) -> Option<(String, usize)> {
        Excerpt::new(text, Position { line, column }).map(|excerpt| (excerpt.line, excerpt.column))
    }

    #[test]
    fn an_excerpt_is_the_line_of_its_position() {
        assert_eq!(excerpt("a: 1\r\nport: 0\n", 2, 7), Some(("port: 0".into(), 6)));
        assert_eq!(excerpt("a: 1\r\nport: 0\n", 1, 99), Some(("a: 1".into(), 4)));
        assert_eq!(excerpt("# a\rport: 0\r\nb: 1\n", 2, 7), Some(("port: 0".into(), 6)));
        assert_eq!(excerpt("# a\rport: 0\r\nb: 1\n", 3, 1), Some(("b: 1".into(), 0)));
        assert_eq!(excerpt("a: 1\n", 2, 1), None);
        assert_eq!(excerpt("a: 1\n", 7, 1), None);
    }

    #[test]
    fn what_may_hold_a_secret_is_not_shown() {
        for line in [
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
            "password: x",
            "API_TOKEN=x",
            "-----BEGIN PRIVATE KEY-----X MIGHAgEAMBMGByqGSM49",
        ] {
            assert_eq!(excerpt(line, 1, 1), None, "{line}");
        }
    }

    #[test]
    fn a_place_is_written_from_the_file_inwards() {
        let place = Place::file("f").within("gzip").in_text("ab\n", Position { line: 1, column: 2 });
        assert_eq!(place.to_string(), "f: gzip:1:2");
        assert_eq!(place.within("part 1").to_string(), "f: gzip: part 1");
        assert_eq!(place.outermost().to_string(), "f");
    }
}
