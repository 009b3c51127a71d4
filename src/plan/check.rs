//! Checks the values of a spec and collects all problems.

use crate::diag::{Code, Diagnostic, Report};
use crate::spec::{Spec, Word};

/// A spec and its problems so far.
pub struct Check<'a> {
    spec: &'a Spec,
    problems: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    /// Starts with the problems of parsing the spec.
    pub fn new(spec: &'a Spec) -> Self {
        Self { spec, problems: spec.problems.clone() }
    }

    /// Adds a problem with `field`, placed at `word` if there is one.
    pub fn complain(&mut self, field: &str, word: Option<&Word>, problem: Diagnostic) {
        self.problems.push(self.spec.about(field, word, problem));
    }

    /// How the user writes that value, for a hint: as a flag, a field or a key of a query, depending on the spec's source.
    pub fn flag(&self, field: &str, value: &str) -> String {
        self.spec.flag(field, value)
    }

    /// Reads an optional value.
    pub fn one<T>(
        &mut self,
        field: &str,
        word: &Option<Word>,
        read: impl Fn(&str) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        let word = word.as_ref()?;
        read(&word.text).map_err(|problem| self.complain(field, Some(word), problem)).ok()
    }

    /// Reads a required value; `example` is a command that gives it.
    pub fn required<T>(
        &mut self,
        field: &str,
        word: &Option<Word>,
        example: &str,
        read: impl Fn(&str) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        if word.is_none() && !self.spec.given.iter().any(|given| given == field) {
            self.complain(
                field,
                None,
                Diagnostic::error(Code::MissingField, "is missing").hint(format!("`{example}`")),
            );
        }
        self.one(field, word, read)
    }

    /// Reads a list. Repeated values count once.
    pub fn many<T: PartialEq>(
        &mut self,
        field: &str,
        words: &[Word],
        read: impl Fn(&str) -> Result<T, Diagnostic>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for word in words {
            match read(&word.text) {
                Ok(value) if values.contains(&value) => {}
                Ok(value) => values.push(value),
                Err(problem) => self.complain(field, Some(word), problem),
            }
        }
        values
    }

    /// Reads one of the names in `all`.
    pub fn choice<T: Copy>(&mut self, field: &str, word: &Option<Word>, all: &[(&str, T)], default: T) -> T {
        let read = |text: &str| match all.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => Err(Diagnostic::none_of(all.iter().map(|(name, _)| *name), text)),
        };
        self.one(field, word, read).unwrap_or(default)
    }

    /// Reads `true` or `false`; none if it is not given.
    pub fn switch(&mut self, field: &str, word: &Option<Word>) -> Option<bool> {
        self.choice(field, word, &[("true", Some(true)), ("false", Some(false))], None)
    }

    /// Fails with all problems. If it succeeds, every required value is present.
    pub fn finish(mut self) -> Result<(), Report> {
        self.problems.sort_by_key(|problem| problem.place.position);
        Report::check(self.problems)
    }
}

/// The name of a value in `all`.
pub fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], wanted: T) -> &'static str {
    let found = all.iter().find(|(_, value)| *value == wanted);
    found.map(|(name, _)| *name).expect("the list has every value")
}

/// Refuses control characters, which no label or variable needs, because values are written to unit files, shells and consoles; and
/// Unicode's noncharacters (Unicode Standard §23.7), because systemd rejects a unit file with one.
pub fn printable(text: &str) -> Result<(), Diagnostic> {
    let noncharacter = |c: char| matches!(c, '\u{fdd0}'..='\u{fdef}') || c as u32 & 0xfffe == 0xfffe;
    match text.chars().find(|c| c.is_control() || noncharacter(*c)) {
        None => Ok(()),
        Some(c) => Err(Diagnostic::error(
            Code::ControlCharacter,
            format!("must not have the character `{}`, got `{}`", c.escape_default(), text.escape_debug()),
        )),
    }
}

/// Checks a URL for a download: http or https, with a host, without user and password.
pub fn web_url(text: &str) -> Result<(), Diagnostic> {
    let refuse =
        |why: &str| Err(Diagnostic::error(Code::InvalidUrl, format!("{why}, got `{}`", text.escape_debug())));
    printable(text)?;
    let Ok(uri) = text.parse::<http::Uri>() else {
        return refuse("must be a URL");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return refuse("must be a URL that begins with `https://` or `http://`");
    }
    if uri.host().is_none_or(str::is_empty) {
        return refuse("must have a host");
    }
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err(Diagnostic::error(
            Code::InvalidUrl,
            "must not contain a user or password: everyone on the host could read it",
        ));
    }
    Ok(())
}

/// Returns whether a URL that [`web_url`] accepts uses TLS.
pub fn is_https(url: &str) -> bool {
    url.parse::<http::Uri>().is_ok_and(|uri| uri.scheme() == Some(&http::uri::Scheme::HTTPS))
}

/// As [`web_url`], and without a query or fragment, so that paths can be appended. Removes a final `/`.
pub fn base_url(text: &str) -> Result<String, Diagnostic> {
    web_url(text)?;
    if text.contains(['?', '#']) {
        return Err(Diagnostic::error(
            Code::InvalidUrl,
            format!("must not have a query or a fragment, got `{text}`"),
        ));
    }
    Ok(text.trim_end_matches('/').to_owned())
}
