//! Diagnostics: what hostseed reports about a spec, a command line, user-data or the store. `ui.rs` prints them.

mod codes;
mod place;

use std::fmt;

pub use codes::Code;
pub use place::{Excerpt, Place, Position, lines};

use crate::shell::Command;

/// How serious a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The command cannot do what was asked, or a host would not work as intended.
    Error,
    /// Probably unintended. `verify --strict` treats warnings as errors.
    Warning,
}

impl Severity {
    /// `error` or `warning`, as printed and as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem: a stable code, where it is, what is wrong, and what to do about it. It never contains key material.
///
/// As an error of a command it ends the program with exit status 1; in a [`Report`] with 2.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub place: Place,
    /// The field of the spec that is at fault, if it is one.
    pub field: Option<String>,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// An action for the user, in the same form.
    pub hint: Option<String>,
    /// Commands that the hint suggests, in their order. Each is printed on a line of its own.
    pub commands: Vec<Command>,
}

impl Diagnostic {
    /// An error without a place or a hint.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        let (message, place) = (message.into(), Place::default());
        let (field, hint) = (None, None);
        Self { code, severity: Severity::Error, place, field, message, hint, commands: Vec::new() }
    }

    /// The error for a value that is none of `names`.
    pub fn none_of<'a>(names: impl IntoIterator<Item = &'a str>, value: &str) -> Self {
        let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
        let message = format!("must be one of {}, got `{}`", names.join(", "), value.escape_debug());
        Self::error(Code::InvalidChoice, message)
    }

    /// The diagnostic of an error. Its message has the error's context, in which the place is.
    pub fn of(error: &anyhow::Error) -> Option<Self> {
        let problem = error.chain().find_map(|cause| cause.downcast_ref::<Self>())?.clone();
        // All its contexts and causes.
        let message = format!("{error:#}");
        Some(Self { message, place: Place::default(), ..problem })
    }

    /// A warning without a place or a hint.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds what the user can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a command that the hint suggests.
    pub fn run(mut self, command: Command) -> Self {
        self.commands.push(command);
        self
    }

    /// Adds commands that the hint suggests.
    pub fn runs(mut self, commands: impl IntoIterator<Item = Command>) -> Self {
        self.commands.extend(commands);
        self
    }

    /// Adds what the user can do, where there is something.
    pub fn maybe_hint(self, hint: Option<impl Into<String>>) -> Self {
        Self { hint: hint.map(Into::into), ..self }
    }

    /// Sets the place.
    pub fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Sets the field of the spec that is at fault.
    pub fn of_field(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..self }
    }

    /// Puts the subject in front of the message: `` `port` `` and `must be a number` make `` `port` must be a number ``.
    pub fn about(self, subject: impl fmt::Display) -> Self {
        Self { message: format!("{subject} {}", self.message), ..self }
    }
}

/// A number of things, whose name gets an `s` unless there is one: `1 day`, `2 days`.
pub fn counted(n: u64, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// The place where there is one, and the message.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// Everything that is wrong with what the user asked for, at least one error. The program ends with exit status 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(pub Vec<Diagnostic>);

impl Report {
    /// Fails if there is any diagnostic.
    ///
    /// # Errors
    /// The diagnostics, in their order.
    pub fn check(diagnostics: Vec<Diagnostic>) -> Result<(), Self> {
        if diagnostics.is_empty() { Ok(()) } else { Err(Self(diagnostics)) }
    }
}

impl From<Diagnostic> for Report {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

/// A line for each diagnostic.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.0.iter().enumerate() {
            let line_end = if n > 0 { "\n" } else { "" };
            write!(f, "{line_end}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
