//! What is told to the user when something is wrong: all findings about their words at once, or one
//! failure with the way out. How it is printed is `ui.rs`'s business.

use std::fmt;

/// Where the words came from; decides how a finding names its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Flags and arguments: a finding names the flag.
    CommandLine,
    /// A spec file by the name that the user gave: a finding names file, line and column.
    File(String),
}

/// Line and column in a file, both from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

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
}

/// One thing wrong with what the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub position: Option<Position>,
    /// The sentence, lower case and without a full stop, the field first: `` `port` must be … ``.
    pub text: String,
    pub hint: Option<String>,
}

impl From<Complaint> for Finding {
    fn from(Complaint { text, hint }: Complaint) -> Self {
        Self { position: None, text, hint }
    }
}

/// Everything that is wrong with a spec. Its user ends with exit status 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub source: Source,
    pub findings: Vec<Finding>,
}

impl Report {
    /// A report of a single finding that belongs to no place in a file.
    pub fn usage(complaint: Complaint) -> Self {
        Self { source: Source::CommandLine, findings: vec![complaint.into()] }
    }

    /// Fails with all of them, where there are any: findings that belong to no place in a file.
    pub fn of(complaints: Vec<Complaint>) -> Result<(), Self> {
        if complaints.is_empty() {
            return Ok(());
        }
        Err(Self {
            source: Source::CommandLine,
            findings: complaints.into_iter().map(Finding::from).collect(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, finding) in self.findings.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            if let Source::File(file) = &self.source {
                write!(f, "{file}:")?;
                if let Some(Position { line, column }) = finding.position {
                    write!(f, "{line}:{column}:")?;
                }
                write!(f, " ")?;
            }
            write!(f, "{}", finding.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// Something that could not be done, and what the user can do about it. Exit status 1.
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
