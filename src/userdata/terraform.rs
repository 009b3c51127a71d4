//! What `terraform show`, `plan` and `output` print, and files in HCL: texts behind `name = `. It is no valid HCL, for it has
//! `(sensitive value)` in it, and says before a line what becomes of it; so it is read line by line, and leniently.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::budget::Budget;
use super::json::{self, Candidate, Judged};
use super::problems::{Lines, Problems};
use crate::diag::{Code, Diagnostic, Place};

/// Units of work for an assignment.
const COST: usize = 64;

/// One `name = text`.
struct Assigned {
    name: String,
    offset: usize,
    value: Assignment,
}

enum Assignment {
    Text(Zeroizing<String>),
    Sensitive,
    /// A heredoc whose end is missing.
    Endless,
}

/// Whether a text is of this kind: something of it stands where user-data does, or in a heredoc.
pub fn is_terraform(text: &str) -> bool {
    text.lines().map(without_colours).any(|line| {
        split(&line).is_some_and(|(name, value)| {
            json::is_user_data(name) && !value.is_empty()
                || heredoc(value).is_some()
                || value.starts_with("(sensitive value")
        })
    })
}

/// What of it is user-data.
pub fn candidates(text: &str, place: &Place, budget: &Budget, problems: &mut Problems) -> Vec<Candidate> {
    if !budget.take(4 * text.len()) {
        return Vec::new();
    }
    let plain = without_colours(text);
    let lines = Lines::new(plain.as_bytes());
    let (mut found, mut hidden) = (Vec::new(), Vec::new());
    for Assigned { name, offset, value } in assigned(&plain) {
        if found.len() + hidden.len() >= json::MAX_CANDIDATES {
            budget.exhaust();
            break;
        }
        // What each one costs, whatever its length.
        let Some(position) = lines.position_within(offset, budget).filter(|_| budget.take(COST)) else {
            break;
        };
        let position = place.at(Some(position));
        let within = place.within(format!("{name} (line {})", position.position.map_or(0, |p| p.line)));
        let named = json::is_user_data(&name);
        match value {
            Assignment::Text(mut text) => match json::judge(named, &text, budget) {
                Judged::Seed => {
                    found.push(Candidate {
                        place: within,
                        bytes: Zeroizing::new(std::mem::take(&mut *text).into_bytes()),
                    });
                }
                Judged::Digest => problems.warning(&position, json::only_its_digest()),
                Judged::Nothing => {}
            },
            Assignment::Sensitive if named => {
                let text = format!("`{name}` is hidden: its value is sensitive");
                let hint = "`terraform show -json` has it, `terraform output -raw NAME` too";
                hidden.push((position, Diagnostic::error(Code::HiddenUserData, text).hint(hint)));
            }
            Assignment::Endless => {
                let text = format!("`{name}` is cut short: its heredoc does not end");
                problems.error(
                    &position,
                    Diagnostic::error(Code::UserDataCutShort, text).hint("fetch or paste it again, whole"),
                );
            }
            Assignment::Sensitive => {}
        }
    }
    for (place, complaint) in hidden {
        // The same may be shown elsewhere.
        if found.is_empty() { problems.error(&place, complaint) } else { problems.warning(&place, complaint) }
    }
    found
}

fn assigned(text: &str) -> impl Iterator<Item = Assigned> {
    let mut at = 0;
    let mut lines = text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line)
    });
    std::iter::from_fn(move || {
        while let Some((offset, line)) = lines.next() {
            let Some((name, value)) = split(line) else { continue };
            let value = if let Some((end, indented)) = heredoc(value) {
                let mut body = Vec::new();
                let ended = lines.by_ref().map(|(_, line)| line).any(|line| {
                    // A plan to destroy says so behind it: `EOT -> null`.
                    let ends = line.trim().split(" -> ").next() == Some(end);
                    if !ends {
                        body.push(line);
                    }
                    ends
                });
                match ended {
                    true => Assignment::Text(Zeroizing::new(unindent(&body, indented))),
                    false => Assignment::Endless,
                }
            } else if value.starts_with("(sensitive") {
                Assignment::Sensitive
            } else if let Some(text) = quoted(value) {
                Assignment::Text(Zeroizing::new(text))
            } else {
                continue;
            };
            return Some(Assigned { name: name.to_owned(), offset, value });
        }
        None
    })
}

/// The name and what is behind `=` (in a map's text `:`), without what a plan has in front.
fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.trim().trim_start_matches(['+', '-', '~', ' ']).trim_start_matches("/+ ").trim();
    let (name, value) = line.split_once('=')?;
    let name = name.trim().trim_matches('"');
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(legal)).then_some((name, value.trim()))
}

/// The word that ends a heredoc, and whether its indentation is nothing (`<<-`).
fn heredoc(value: &str) -> Option<(&str, bool)> {
    let word = value.strip_prefix("<<")?;
    let (word, indented) = word.strip_prefix('-').map_or((word, false), |word| (word, true));
    let legal = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    legal.then_some((word, indented))
}

/// A heredoc's text without the indentation that its lines share.
fn unindent(lines: &[&str], indented: bool) -> String {
    let blanks = |line: &&str| line.len() - line.trim_start_matches(' ').len();
    let full = lines.iter().filter(|line| !line.trim().is_empty());
    let shared = if indented { full.map(blanks).min().unwrap_or(0) } else { 0 };
    lines
        .iter()
        .map(|line| if line.trim().is_empty() { line.trim_start_matches(' ') } else { &line[shared..] })
        .collect()
}

/// A text in quotes, as HCL has it: JSON's escapes, and `$${` and `%%{` for what would begin a template.
fn quoted(value: &str) -> Option<String> {
    let mut texts = serde_json::Deserializer::from_str(value).into_iter::<String>();
    let text = texts.next().filter(|_| value.starts_with('"'))?.ok()?;
    match text.contains("$${") || text.contains("%%{") {
        true => Some(text.replace("$${", "${").replace("%%{", "%{")),
        false => Some(text),
    }
}

/// What a terminal's colours leave in a log: `ESC [ … m`.
fn without_colours(text: &str) -> Cow<'_, str> {
    if !text.contains("\u{1b}[") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest.strip_prefix('m').unwrap_or(rest);
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
