//! Terminal input and output. No other module prints.
//!
//! Standard output contains only results. Standard error contains messages, in lower case and without full stops:
//! `error[CODE]:` and `warning[CODE]:` for problems, `hint:` for solutions, `note:` for information, and the next steps.
//! Colours are used only on terminals, and not if NO_COLOR is set.
//!
//! Printed texts can contain other people's texts: specs, file names, user-data, records. [`safe`] escapes the characters
//! that control a terminal, are invisible, change the direction of text or begin a new line, and hides passwords in URLs. Colours are
//! added afterwards. Results that are the input of other programs (artifacts, shell code) are not escaped.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{Display, Write as _};
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result, bail};
use clap::error::{ContextKind, ContextValue};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use terminal_size::{Width, terminal_size};

use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic, Excerpt, Place, Report, Severity};
use crate::secret::{Secret, without_passwords};
use crate::shell::Command;

const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const BOLD: Style = Style::new().bold();

/// Maximum number of columns, the same as `max_term_width` in `cli.rs`.
const MAX_COLUMNS: usize = 100;
/// Minimum number of columns for readable text, without its indentation.
const MIN_COLUMNS: usize = 40;

/// Maximum number of accepted values in a message. A longer list would hide the message; the help and the tip remain.
const MAX_VALUES: usize = 30;

/// The command's output. `quiet` suppresses notes and next steps.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    pub quiet: bool,
}

impl Ui {
    /// Prints a result as it is.
    pub fn out(self, text: impl AsRef<[u8]>) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_ref()).and_then(|()| out.flush()).context("cannot write to standard output")
    }

    /// Prints a result as JSON, with unsafe characters escaped and passwords in URLs hidden.
    pub fn json<T: Serialize>(self, value: &T) -> Result<()> {
        self.out(safe_json(&without_passwords(&serde_json::to_string_pretty(value)?)) + "\n")
    }

    /// Prints an artifact. `instead` is the command that writes a file. If the artifact contains a private key and standard output
    /// is a file of the user's that other users can read, its mode becomes 0600, with a note, or a warning if it stays.
    ///
    /// # Errors
    /// Fails if the artifact is binary and standard output is a terminal. Fails if the artifact contains a private key
    /// and standard output is another user's file.
    pub fn artifact(self, artifact: &Artifact, instead: &Command) -> Result<()> {
        self.artifact_or(artifact, instead, "write it to a file:")
    }

    /// Does the same as [`artifact`](Self::artifact). `hint` is what to do instead of printing binary output to a terminal.
    ///
    /// # Errors
    /// Fails for the same reasons.
    pub fn artifact_or(self, artifact: &Artifact, instead: &Command, hint: &str) -> Result<()> {
        // An archive of texts has zero bytes.
        let is_binary = std::str::from_utf8(&artifact.bytes).is_err() || artifact.bytes.contains(&0);
        if is_binary && io::stdout().is_terminal() {
            let failure = Diagnostic::error(
                Code::BinaryToTerminal,
                "the output is binary, and standard output is a terminal; nothing was written",
            );
            return Err(failure.hint(hint).run(instead.clone()).into());
        }
        if artifact.mode == 0o600 {
            let exposure = protect(&io::stdout(), instead)?;
            if !is_one_file() {
                self.exposure(&exposure, instead);
            }
        }
        self.out(&artifact.bytes[..])
    }

    /// Says that other users could or can read a private key in standard output.
    fn exposure(self, exposure: &Exposure, instead: &Command) {
        match exposure {
            Exposure::None => {}
            Exposure::Corrected(mode) => self.note(format_args!(
                "the output contains a private key, so the file of standard output has mode 0600 now (it had {mode:04o})"
            )),
            Exposure::Exposed(mode) => {
                let message = format!(
                    "the output contains a private key, and other users can read the file of standard output: it has mode {mode:04o}, which cannot be changed"
                );
                let warning = Diagnostic::warning(Code::ExposedOutput, message);
                let warning = warning.hint("make a file with mode 0600 in another folder:").run(instead.clone());
                print_to_stderr(format_args!("{}", format_diagnostic(&warning)));
            }
        }
    }

    /// Prints a warning to standard error, unless `quiet` is set.
    pub fn warning(self, warning: &Diagnostic) {
        if !self.quiet {
            print_to_stderr(format_args!("{}", format_diagnostic(warning)));
        }
    }

    /// Prints a table with columns of the necessary width. The first row is the header.
    pub fn table(self, rows: &[Vec<String>]) -> Result<()> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let rows: Vec<Vec<Cow<str>>> =
            rows.iter().map(|row| row.iter().map(|cell| safe(cell)).collect()).collect();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let cells: Vec<_> = row
                .iter()
                .enumerate()
                .map(|(column, cell)| match column + 1 == columns {
                    true => cell.to_string(),
                    false => format!("{cell:<w$}", w = widths[column]),
                })
                .collect();
            text += cells.join("   ").trim_end();
            text.push('\n');
        }
        self.out(text)
    }

    /// Prints names and values, one per line. Further values of a name are printed below the first.
    pub fn details(self, rows: &[(&str, Vec<String>)]) -> Result<()> {
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, values) in rows {
            for (n, value) in values.iter().enumerate() {
                text += &format!("{:<width$}   {}\n", if n == 0 { name } else { "" }, safe(value));
            }
        }
        self.out(text)
    }

    /// Prints a problem that `verify` found, with its hint. It goes to standard output, because problems are the result
    /// of `verify`.
    pub fn problem(self, problem: &Diagnostic) -> Result<()> {
        let text = first_line(problem, &problem.to_string()) + &hint_line(problem);
        print_to_stdout(format_args!("{text}"))
    }

    /// Prints the final result, green if it is good and red otherwise.
    pub fn verdict(self, is_good: bool, text: impl Display) -> Result<()> {
        let style = if is_good { GREEN } else { RED };
        print_to_stdout(format_args!("{style}{}{style:#}\n", safe(&text.to_string())))
    }

    /// The width for prose in columns: the terminal's width, limited to the width of the help.
    pub fn columns(self) -> usize {
        terminal_size()
            .map_or(MAX_COLUMNS, |(Width(columns), _)| usize::from(columns).clamp(MIN_COLUMNS, MAX_COLUMNS))
    }

    /// Prints a note to standard error, unless `quiet` is set.
    pub fn note(self, text: impl Display) {
        if !self.quiet {
            print_to_stderr(format_args!("{CYAN}note:{CYAN:#} {}\n", safe(&text.to_string())));
        }
    }

    /// Prints a note with a command that it suggests, on a line of its own.
    pub fn note_with(self, text: impl Display, command: &Command) {
        if !self.quiet {
            let line = command_lines(std::slice::from_ref(command));
            print_to_stderr(format_args!("{CYAN}note:{CYAN:#} {}\n{line}", safe(&text.to_string())));
        }
    }

    /// Prints next steps to standard error, unless `quiet` is set: a heading and indented lines.
    pub fn steps(self, heading: impl Display, lines: &[String]) {
        if !self.quiet {
            print_to_stderr(format_args!("{BOLD}{}{BOLD:#}\n", safe(&heading.to_string())));
            for line in lines {
                print_to_stderr(format_args!("  {}\n", safe(line)));
            }
        }
    }

    /// Returns whether [`confirm`](Self::confirm) can ask.
    pub fn can_ask(self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question on the terminal. Only `y` and `yes` mean yes.
    ///
    /// # Errors
    /// Fails if there is no terminal. The hint suggests `instead`, a command that does not ask.
    pub fn confirm(self, question: impl Display, instead: &Command) -> Result<bool> {
        if !self.can_ask() {
            let complaint =
                Diagnostic::error(Code::NoTerminal, "there is no terminal to ask on, nothing was changed");
            bail!(Report::from(complaint.hint("this does not ask:").run(instead.clone())));
        }
        print_to_stderr(format_args!("{} [y/N] ", safe(&question.to_string())));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Asks for a passphrase on the terminal, without showing it. Returns `None` if there is no terminal.
    pub fn passphrase(self, prompt: impl Display) -> Result<Option<Secret<Vec<u8>>>> {
        if !io::stderr().is_terminal() {
            return Ok(None);
        }
        let passphrase = rpassword::prompt_password(safe(&prompt.to_string()))
            .context("cannot read the passphrase from the terminal")?;
        Ok(Some(Secret::new(passphrase.into_bytes())))
    }

    /// Prints the error of a failed command: every problem of a report, or the error with its causes.
    pub fn error(self, error: &anyhow::Error) {
        if let Some(report) = error.downcast_ref::<Report>() {
            report
                .0
                .iter()
                .for_each(|problem| print_to_stderr(format_args!("{}", format_diagnostic(problem))));
            return;
        }
        if let Some(problem) = Diagnostic::of(error) {
            return print_to_stderr(format_args!("{}", format_diagnostic(&problem)));
        }
        print_to_stderr(format_args!("{RED}error:{RED:#} {}\n", safe(&format!("{error:#}"))));
    }
}

/// A line about what a command is doing, which changes in place on a terminal and disappears at the end. Elsewhere each change is a
/// note, or nothing.
pub struct Line {
    ui: Ui,
    bar: ProgressBar,
    notes: bool,
}

impl Line {
    /// Changes the text.
    pub fn set(&self, text: impl Display) {
        let text = text.to_string();
        if self.bar.is_hidden() {
            if self.notes && self.bar.message() != text {
                self.ui.note(&text);
            }
            self.bar.set_message(text);
        } else {
            self.bar.set_message(safe(&text).into_owned());
        }
    }

    /// Removes the line.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Ui {
    /// Begins lines of progress on standard error, unless `quiet` is set. If it is not a terminal and `notes` is set, each change of a
    /// line is a note.
    pub fn lines(self, notes: bool) -> Lines {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Lines { ui: self, all: MultiProgress::with_draw_target(target), notes }
    }
}

/// The progress of work on many things: a bar on a terminal, elsewhere a note for each tenth but the last.
pub struct Progress {
    ui: Ui,
    bar: ProgressBar,
    what: &'static str,
    tenths: Cell<u64>,
}

impl Ui {
    /// Begins a progress bar on standard error, unless `quiet` is set. `what` is what is done, such as `creating machines`.
    pub fn progress(self, what: &'static str, total: usize) -> Progress {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style =
            ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").expect("a valid template");
        let bar = ProgressBar::with_draw_target(Some(total as u64), target).with_style(style);
        bar.set_message(what);
        Progress { ui: self, bar, what, tenths: Cell::new(0) }
    }
}

impl Progress {
    /// Adds to what is done.
    pub fn advance(&self, count: usize) {
        self.bar.inc(count as u64);
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or_default());
        let tenths = 10 * done / total.max(1);
        if self.bar.is_hidden() && tenths > self.tenths.replace(tenths) && done < total {
            self.ui.note(format_args!("{}: {done} of {total} ({} %)", self.what, 10 * tenths));
        }
    }
}

/// Removes the bar.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Several [`Line`]s, one below the other.
pub struct Lines {
    ui: Ui,
    all: MultiProgress,
    notes: bool,
}

impl Lines {
    /// Prints something above the lines.
    pub fn above<R>(&self, print: impl FnOnce() -> R) -> R {
        self.all.suspend(print)
    }

    /// Adds a line.
    pub fn add(&self) -> Line {
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").expect("a valid template");
        let bar = self.all.add(ProgressBar::new_spinner().with_style(style));
        bar.enable_steady_tick(Duration::from_millis(200));
        Line { ui: self.ui, bar, notes: self.notes }
    }
}

impl Ui {
    /// Prints clap's message about the command line, or the help or version. Returns the exit status.
    pub fn usage(mut error: clap::Error) -> i32 {
        let status = error.exit_code();
        if !error.use_stderr() {
            // If standard output is closed, nobody reads the help.
            let _ = error.print();
            return status;
        }
        // Escape the user's words now, before they are part of the lines of the message.
        let typed: Vec<(ContextKind, ContextValue)> = error
            .context()
            .filter_map(|(kind, value)| {
                let safe = |text: &String| safe(text).into_owned();
                let value = match value {
                    ContextValue::String(text) => ContextValue::String(safe(text)),
                    ContextValue::Strings(texts) => ContextValue::Strings(texts.iter().map(safe).collect()),
                    ContextValue::StyledStrs(texts) => {
                        let plain =
                            texts.iter().map(|text| self::safe(&text.to_string()).into_owned().into());
                        ContextValue::StyledStrs(plain.collect())
                    }
                    _ => return None,
                };
                Some((kind, value))
            })
            .collect();
        for (kind, value) in typed {
            let count = if let ContextValue::Strings(texts) = &value { texts.len() } else { 0 };
            if kind == ContextKind::ValidValue && count > MAX_VALUES {
                error.remove(kind);
            } else {
                error.insert(kind, value);
            }
        }
        let text = error.render().to_string();
        let lines: Vec<Cow<str>> = text.trim_end().lines().map(safe).collect();
        let text = lines.join("\n");
        match text.strip_prefix("error: ") {
            Some(text) => print_to_stderr(format_args!("{RED}error:{RED:#} {text}\n")),
            None => print_to_stderr(format_args!("{text}\n")),
        }
        status
    }
}

/// Returns whether a character must not be printed to a terminal or in a message: control characters, line ends of any kind,
/// marks that change the direction of text (Unicode's `Bidi_Control`), and invisible characters (Unicode's
/// `Default_Ignorable_Code_Point` without the variation selectors of emoji, and the empty Braille pattern).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{1bca0}'..='\u{1bca3}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether a text can be printed as it is.
pub fn is_safe(text: &str) -> bool {
    !text.contains(is_unsafe)
}

/// Escapes a text for one line of a terminal, and hides passwords in URLs. Unsafe characters become `\n`, `\t`, `\r` or `\u{…}`.
pub fn safe(text: &str) -> Cow<'_, str> {
    let text = without_passwords(text);
    if is_safe(&text) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_unsafe(c) {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Escapes JSON without changing its values. Characters that [`safe`] would escape become `\uXXXX` (RFC 8259 §7). Line
/// breaks between values stay.
pub fn safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c != '\n' && is_unsafe(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                write!(safe, "\\u{unit:04x}").expect("writing to a string does not fail");
            }),
            false => safe.push(c),
        }
    }
    safe
}

/// Formats a diagnostic: the code and the message, the place with its line of the file, and the hint.
fn format_diagnostic(problem: &Diagnostic) -> String {
    let place = if problem.place.is_empty() { String::new() } else { format_place(&problem.place) };
    first_line(problem, &problem.message) + &place + &hint_line(problem)
}

/// Formats the severity and the code of a diagnostic, followed by `text`.
fn first_line(problem: &Diagnostic, text: &str) -> String {
    let style = match problem.severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
    };
    let (level, code) = (problem.severity.name(), problem.code.name());
    format!("{style}{level}[{code}]:{style:#} {}\n", safe(text))
}

/// Formats the hint of a diagnostic, and its commands. Empty if there is none.
fn hint_line(problem: &Diagnostic) -> String {
    let line = |hint: &String| format!("{CYAN}hint:{CYAN:#} {}\n", safe(hint));
    problem.hint.as_ref().map(line).unwrap_or_default() + &command_lines(&problem.commands)
}

/// Formats commands for pasting, each on a line of its own.
fn command_lines(commands: &[Command]) -> String {
    commands.iter().map(|command| format!("  {}\n", safe(&command.to_string()))).collect()
}

/// Formats a place as `--> FILE:LINE:COLUMN`, followed by the line if it may be shown.
fn format_place(place: &Place) -> String {
    let name = place.name();
    let name = safe(&name);
    let Some(position) = place.position else { return format!(" --> {name}\n") };
    let shown = place.excerpt.as_ref().map(|Excerpt { line, column }| (line.replace('\t', " "), *column));
    let may_be_shown = |line: &str| is_safe(line) && without_passwords(line) == line;
    let Some((line, column)) = shown.filter(|(line, _)| may_be_shown(line)) else {
        return format!(" --> {name}:{}:{}\n", position.line, position.column);
    };
    let start = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let word = line[start..].split(char::is_whitespace).next().unwrap_or_default();
    let end = start + word.trim_end_matches([':', ',', ']', '}']).len().max(word.len().min(1));
    let annotation = AnnotationKind::Primary.span(start..end);
    let snippet = Snippet::source(&line[..]).line_start(position.line).path(&name[..]).annotation(annotation);
    Renderer::styled().render(&[Group::with_level(Level::ERROR).element(snippet)]) + "\n"
}

/// Writes to standard output, with colours if it supports them.
fn print_to_stdout(text: std::fmt::Arguments) -> Result<()> {
    anstream::stdout().lock().write_fmt(text).context("cannot write to standard output")
}

/// Writes to standard error. Ignores errors, because there is no other place to report them.
fn print_to_stderr(text: std::fmt::Arguments) {
    let _ = anstream::stderr().lock().write_fmt(text);
}

/// A stream for a private key, after other users' access to it was checked.
enum Exposure {
    /// Other users cannot read it.
    None,
    /// Other users could read it with this mode, which is 0600 now.
    Corrected(u32),
    /// Other users can read it with this mode, which cannot be changed.
    Exposed(u32),
}

/// Makes a stream private: if it is a file or a named pipe of the user's that other users can read, its mode becomes 0600. Under
/// sudo, files of the user who called sudo are the user's, too.
///
/// # Errors
/// Fails if the stream is a file or a named pipe of another user, who could have put it there.
#[cfg(unix)]
fn protect(stream: &impl std::os::fd::AsFd, instead: &Command) -> Result<Exposure> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
    let file = std::fs::File::from(stream.as_fd().try_clone_to_owned()?);
    let metadata = file.metadata()?;
    let is_fifo = metadata.file_type().is_fifo() && is_named_pipe(&file);
    if !metadata.is_file() && !is_fifo {
        return Ok(Exposure::None);
    }
    let (owner, user) = (metadata.uid(), rustix::process::geteuid());
    let is_own =
        owner == user.as_raw() || user.is_root() && std::env::var("SUDO_UID") == Ok(owner.to_string());
    if !is_own {
        let kind = if is_fifo { "FIFO" } else { "file" };
        return Err(Diagnostic::error(
            Code::ExposedOutput,
            format!("standard output is a {kind} of user {owner}, and the output contains a private key; nothing was written"),
        )
        .hint("make a file of your own:")
        .run(instead.clone())
        .into());
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(Exposure::None);
    }
    // On some file systems modes cannot be changed, and on some of these that is no error.
    let changed = file.set_permissions(std::fs::Permissions::from_mode(0o600)).and_then(|()| file.metadata());
    Ok(match changed {
        Ok(metadata) if metadata.mode() & 0o077 == 0 => Exposure::Corrected(mode),
        _ => Exposure::Exposed(mode),
    })
}

/// Returns whether standard output and standard error are the same file, as after `&>`. A message there would be a part of the
/// output.
#[cfg(unix)]
fn is_one_file() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let metadata = |stream: std::os::fd::BorrowedFd| {
        let file = std::fs::File::from(stream.try_clone_to_owned()?);
        file.metadata().map(|metadata| (metadata.is_file(), metadata.dev(), metadata.ino()))
    };
    let (out, err) = (metadata(io::stdout().as_fd()), metadata(io::stderr().as_fd()));
    matches!((out, err), (Ok(out @ (true, ..)), Ok(err)) if out == err)
}

#[cfg(not(unix))]
fn is_one_file() -> bool {
    false
}

/// Returns whether a pipe has a name in a file system, so that another user can have created it. Under sudo the shell's own pipes
/// also belong to another user, but they have no name.
#[cfg(target_os = "linux")]
fn is_named_pipe(pipe: &std::fs::File) -> bool {
    // PIPEFS_MAGIC, statfs(2).
    const PIPEFS: u64 = 0x5049_5045;
    rustix::fs::fstatfs(pipe)
        .is_ok_and(|status| u64::try_from(status.f_type).is_ok_and(|kind| kind != PIPEFS))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_named_pipe(_: &std::fs::File) -> bool {
    false
}

#[cfg(not(unix))]
fn protect<T>(_: &T, _: &Command) -> Result<Exposure> {
    Ok(Exposure::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_are_escaped_and_text_stays() {
        for (raw, printed) in [
            ("plain `text` ä 日本 🙂", "plain `text` ä 日本 🙂"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\nerror: b\r\tc", "a\\nerror: b\\r\\tc"),
            ("\u{7f}\u{9b}\u{85}", "\\u{7f}\\u{9b}\\u{85}"),
            ("\u{202e}\u{2066}\u{200f}\u{61c}", "\\u{202e}\\u{2066}\\u{200f}\\u{61c}"),
            ("\u{2028}\u{feff}\u{200b}\u{e0041}", "\\u{2028}\\u{feff}\\u{200b}\\u{e0041}"),
        ] {
            assert_eq!(safe(raw), printed);
        }
    }

    proptest! {
        #[test]
        fn json_is_safe_and_has_the_same_values(text in any::<String>(), hostile in "[\\u{0}-\\u{20}\\u{7f}-\\u{9f}\\u{2028}-\\u{202e}\\u{e0041}]{0,8}") {
            let value = serde_json::json!({ (text.clone() + &hostile): [hostile, text] });
            let json = safe_json(&serde_json::to_string_pretty(&value).unwrap());
            prop_assert!(json.lines().all(is_safe));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
        }

        #[test]
        fn escaped_text_is_safe(text in any::<String>()) {
            prop_assert!(is_safe(&safe(&text)));
        }
    }
}
