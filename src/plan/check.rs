//! Walks a spec's words and collects what is wrong with them, so that all of it is told at once.

use crate::diag::{Code, Diagnostic, Report};
use crate::spec::{Spec, Word};

/// The problems of one spec so far.
pub struct Check<'a> {
    spec: &'a Spec,
    problems: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    /// Begins with what is wrong with the spec's shape.
    pub fn new(spec: &'a Spec) -> Self {
        Self { spec, problems: spec.problems.clone() }
    }

    /// Adds a problem with `field`, at `word` where there is one.
    pub fn complain(&mut self, field: &str, word: Option<&Word>, problem: Diagnostic) {
        self.problems.push(self.spec.about(field, word, problem));
    }

    /// How to give a field that value, for a hint: as the spec was given.
    pub fn flag(&self, field: &str, value: &str) -> String {
        self.spec.flag(field, value)
    }

    /// Reads a value that may be left out.
    pub fn one<T>(
        &mut self,
        field: &str,
        word: &Option<Word>,
        read: impl Fn(&str) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        let word = word.as_ref()?;
        read(&word.text).map_err(|problem| self.complain(field, Some(word), problem)).ok()
    }

    /// Reads a value that must be there; `example` shows how to give it.
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

    /// Reads a list. A value given twice counts once.
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

    /// Reads one of a few names.
    pub fn choice<T: Copy>(&mut self, field: &str, word: &Option<Word>, all: &[(&str, T)], default: T) -> T {
        let read = |text: &str| match all.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let names: Vec<_> = all.iter().map(|(name, _)| format!("`{name}`")).collect();
                let one_of = names.join(", ");
                Err(Diagnostic::error(
                    Code::InvalidChoice,
                    format!("must be one of {one_of}, got `{}`", text.escape_debug()),
                ))
            }
        };
        self.one(field, word, read).unwrap_or(default)
    }

    /// Reads `true` or `false`; none where it is not given.
    pub fn switch(&mut self, field: &str, word: &Option<Word>) -> Option<bool> {
        self.choice(field, word, &[("true", Some(true)), ("false", Some(false))], None)
    }

    /// Nothing may be wrong from here on: values that are required are there.
    pub fn finish(mut self) -> Result<(), Report> {
        self.problems.sort_by_key(|problem| problem.place.position);
        Report::check(self.problems)
    }
}

/// The name of a value in such a list.
pub fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], wanted: T) -> &'static str {
    let found = all.iter().find(|(_, value)| *value == wanted);
    found.map(|(name, _)| *name).expect("the list has every value")
}

/// Refuses control characters, which reach unit files, shells and consoles, and which no label or variable needs; and
/// Unicode's noncharacters (Unicode Standard §23.7), since systemd takes no unit file with one.
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

/// Checks a URL that may be fetched from: http or https, a host, no user, query or fragment.
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
            "must not have a user or password in it: it would stand on the host for all to read",
        ));
    }
    Ok(())
}

/// Whether a URL that [`web_url`] accepts is fetched over TLS.
pub fn is_https(url: &str) -> bool {
    url.parse::<http::Uri>().is_ok_and(|uri| uri.scheme() == Some(&http::uri::Scheme::HTTPS))
}

/// As [`web_url`], without a query or fragment: something that paths are appended to.
pub fn base_url(text: &str) -> Result<String, Diagnostic> {
    web_url(text)?;
    if text.contains(['?', '#']) {
        return Err(Diagnostic::error(
            Code::InvalidUrl,
            format!("must have no query and no fragment, got `{text}`"),
        ));
    }
    Ok(text.trim_end_matches('/').to_owned())
}
