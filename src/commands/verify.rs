//! `verify`: checks user-data from any source and reports problems.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::cloud_init::check_schema;
use super::machine_view::left;
use crate::diag::{Code, Diagnostic, Report, Severity, counted};
use crate::secret::Secret;
use crate::ui::Ui;
use crate::verify::{self, Bytes, Certified, Input, Scope, Summary, Verdict};

/// The most files of a folder. A seed has four, a template or a module a few more.
const MAX_FILES: usize = 64;

/// The arguments of the command.
pub struct Question<'a> {
    /// A file, a folder, or `-` for standard input.
    pub file: &'a Path,
    /// The target cloud, whose limit is enforced, and which options of dockerd are accepted.
    pub scope: Scope,
    /// True if warnings fail too.
    pub strict: bool,
    /// True if cloud-init's own schema is checked too.
    pub schema: bool,
    pub json: bool,
}

/// Prints a summary and all problems. The exit status is 1 if there are errors.
pub fn verify(ui: Ui, now: OffsetDateTime, question: &Question) -> Result<ExitCode> {
    let name = match question.file.as_os_str() == "-" {
        true => "<stdin>".to_owned(),
        false => question.file.display().to_string(),
    };
    let input = read(question.file, &name)?;
    let mut verdict = verify::verify(input, question.scope, now);
    if question.schema {
        verdict.problems.extend(check_schema(&verdict.cloud_configs));
        verdict.problems.sort_by_key(|problem| problem.severity);
    }
    let count = |severity| verdict.problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let valid = errors == 0 && (warnings == 0 || !question.strict);
    if question.json {
        ui.json(&View::new(&name, valid, &verdict))?;
    } else {
        print(ui, &verdict)?;
        ui.verdict(valid, sentence(&name, valid, errors, warnings))?;
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(ui: Ui, verdict: &Verdict) -> Result<()> {
    if !ui.quiet {
        for seed in verdict.seeds.iter().filter(|seed| !seed.format.is_empty()) {
            ui.details(&rows(seed, verdict.seeds.len() > 1))?;
            ui.out("\n")?;
        }
    }
    for problem in &verdict.problems {
        ui.problem(problem)?;
    }
    Ok(())
}

fn sentence(name: &str, valid: bool, errors: usize, warnings: usize) -> String {
    let counts: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| counted(n as u64, word))
        .collect();
    match (valid, counts.is_empty()) {
        (true, true) => format!("{name} is valid"),
        (true, false) => format!("{name} is valid, with {}", counts.join(", ")),
        (false, _) => format!("{name} is not valid: {}", counts.join(", ")),
    }
}

/// Reads the input, up to the limits.
fn read(file: &Path, name: &str) -> Result<Input> {
    let failed = |error: std::io::Error| super::unreadable(name, &error);
    if file.as_os_str() == "-" {
        return Ok(Input::File(name.to_owned(), capped(std::io::stdin().lock(), 0).map_err(failed)?));
    }
    if !file.is_dir() {
        let bytes = File::open(file).and_then(|file| capped(file, 0)).map_err(failed)?;
        return Ok(Input::File(name.to_owned(), bytes));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(file).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let own = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_file() && !own.starts_with('.') {
            files.push(own);
        }
    }
    if files.len() > MAX_FILES {
        let text = format!(
            "`{name}` has {} files, and `verify` accepts a folder with at most {MAX_FILES}",
            files.len()
        );
        return Err(
            Report::from(Diagnostic::error(Code::TooManyFiles, text).hint("name the file to check")).into()
        );
    }
    files.sort();
    let (mut read, mut before) = (Vec::new(), 0);
    for own in files {
        let bytes = File::open(file.join(&own)).and_then(|file| capped(file, before)).map_err(failed)?;
        before += bytes.len();
        read.push((own, bytes));
    }
    Ok(Input::Folder(name.to_owned(), read))
}

/// Reads a stream up to one byte above the limit, of which `before` bytes are used.
fn capped(stream: impl Read, before: usize) -> std::io::Result<Bytes> {
    let mut bytes = Secret::new(Vec::new());
    stream.take((verify::MAX_BYTES + 1).saturating_sub(before) as u64).read_to_end(&mut bytes)?;
    // Spare capacity would be erased too, and so become memory that is really used.
    bytes.shrink_to_fit();
    Ok(bytes)
}

fn rows(seed: &Summary, one_of_many: bool) -> Vec<(&'static str, Vec<String>)> {
    let mut rows = Vec::new();
    if one_of_many {
        rows.push(("place", vec![seed.place.clone()]));
    }
    rows.push(("format", vec![seed.format.clone()]));
    if let Some(bytes) = seed.bytes {
        let mut size = vec![format!("{bytes} bytes")];
        if !seed.too_large_for.is_empty() {
            size.push(format!("too large for {}", seed.too_large_for.join(", ")));
        }
        rows.push(("size", size));
    }
    let port = seed.port.map(|port| format!("port {port}"));
    let image = seed.image.then(|| "an image".to_owned());
    let host: Vec<String> = seed.host.clone().into_iter().chain(port).chain(image).collect();
    if !host.is_empty() {
        rows.push(("host", vec![host.join(", ")]));
    }
    let mut row = |name, certificate: &Certified| rows.push((name, lines(certificate)));
    seed.authority.iter().chain(&seed.further_authorities).for_each(|ca| row("CA", ca));
    seed.server.iter().for_each(|server| row("server", server));
    seed.boot_issuer.iter().for_each(|issuer| row("boot issuer", issuer));
    if !seed.sans.is_empty() {
        let mut sans = seed.sans.clone();
        sans.extend(
            seed.boot_issuer.as_ref().map(|_| "and the addresses that the host finds at boot".to_owned()),
        );
        rows.push(("covers", vec![sans.join(", ")]));
    }
    let keys = seed.keys.iter().map(|key| match (&key.path, &key.mode) {
        (Some(path), Some(mode)) => format!("{}, {mode} {path}", key.owner),
        _ => key.owner.to_owned(),
    });
    rows.push(("keys", keys.collect::<Vec<_>>()));
    let files = seed.files.iter().map(|file| format!("{} {}", file.mode, file.path));
    rows.push(("files", shortened(files.collect())));
    rows.push(("not checked", seed.not_checked.clone()));
    rows.retain(|(_, values)| !values.is_empty());
    rows
}

fn lines(certificate: &Certified) -> Vec<String> {
    let date = certificate.not_after.split('T').next().unwrap_or_default();
    let left = left(certificate.days_left);
    vec![
        format!("{}, until {date}, {left}", certificate.subject),
        format!("SHA-256 {}", certificate.fingerprint),
    ]
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 12;
    if lines.len() > SHOWN + 1 {
        let more = lines.split_off(SHOWN).len();
        lines.push(format!("and {more} more"));
    }
    lines
}

/// The result in JSON.
#[derive(Serialize)]
struct View<'a> {
    input: &'a str,
    /// True if the exit status is 0.
    valid: bool,
    seeds: &'a [Summary],
    problems: Vec<ProblemView<'a>>,
}

/// A diagnostic in JSON.
#[derive(Serialize)]
pub(super) struct ProblemView<'a> {
    severity: &'static str,
    code: &'static str,
    place: String,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    hint: Option<&'a str>,
    /// The commands that the hint suggests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<String>,
}

impl<'a> View<'a> {
    fn new(input: &'a str, valid: bool, verdict: &'a Verdict) -> Self {
        let problems = verdict.problems.iter().map(ProblemView::from).collect();
        Self { input, valid, seeds: &verdict.seeds, problems }
    }
}

impl<'a> From<&'a Diagnostic> for ProblemView<'a> {
    fn from(problem: &'a Diagnostic) -> Self {
        Self {
            severity: problem.severity.name(),
            code: problem.code.name(),
            place: problem.place.name(),
            line: problem.place.position.map(|position| position.line),
            column: problem.place.position.map(|position| position.column),
            message: &problem.message,
            hint: problem.hint.as_deref(),
            commands: problem.commands.iter().map(ToString::to_string).collect(),
        }
    }
}
