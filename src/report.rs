//! What is wrong with one value, in words. On its way out: `diag` takes its place.

pub use crate::diag::Position;

/// What is wrong with one value, before it is known where the value stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub text: String,
    pub hint: Option<String>,
}

impl Complaint {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn coded(self, code: crate::diag::Code) -> crate::diag::Diagnostic {
        crate::diag::Diagnostic::error(code, self.text).maybe_hint(self.hint)
    }
}

/// Something that could not be done, and what the user can do about it. On its way out: `diag` takes its place.
#[derive(Debug)]
pub struct Failure {
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
