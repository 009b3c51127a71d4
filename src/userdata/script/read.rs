//! Reads scripts. Extracts the files of a hostseed script (`templates/seed/script.j2`). Any other script is only a text that may
//! contain a private key.

use crate::secret::Secret;

use crate::diag::{Code, Diagnostic, Place};
use crate::digest::sha256;
use crate::userdata::budget::{Budget, MAX_INFLATED};
use crate::userdata::encoding::{self, Bytes};
use crate::userdata::host_state::{File, HostState};
use crate::userdata::manifest::Manifest;
use crate::userdata::paths::{self, SETUP};
use crate::userdata::payload::PayloadEncoding;
use crate::userdata::problems::{FETCH_AGAIN, Lines, Problems};

/// The command in hostseed's scripts that writes a file: `unpack SHA256 PATH <<'END'`.
const UNPACK: &str = "unpack";

/// Reads a script and adds its files to `host`.
pub fn read(text: &str, place: &Place, budget: &Budget, host: &mut HostState, problems: &mut Problems) {
    host.run(text);
    let manifest = Manifest::in_text(text, place);
    if manifest.is_none() && !text.contains(UNPACK) || !budget.take(4 * text.len()) {
        return;
    }
    if text.len() > MAX_INFLATED {
        return budget.exhaust();
    }
    let text = &text.replace("\r\n", "\n");
    let lines = Lines::new(text.as_bytes());
    let documents = here_documents(text, UNPACK, budget);
    let encoding = match manifest.as_ref().map(|found| &found.manifest) {
        Some(Ok(manifest)) => manifest.encoding.unwrap_or(PayloadEncoding::Plain),
        // The manifest's error is reported later. Without the manifest, the encoding of the files is not known.
        Some(Err(_)) => return host.manifests.extend(manifest),
        None => {
            if documents.iter().any(|document| document.words.get(1).is_some_and(|path| paths::is_own(path)))
            {
                host.unmarked = Some(place.clone());
            }
            return;
        }
    };
    host.manifests.extend(manifest);
    for document in documents {
        let Some(position) = lines.position_within(document.offset, budget) else { return };
        let place = place.at(Some(position));
        let [sum, path] = &document.words[..] else { continue };
        let Some(body) = document.body else {
            let text = format!("is cut short: the here-document of `{path}` does not end");
            problems.add(&place, Diagnostic::error(Code::UserDataCutShort, text).hint(FETCH_AGAIN));
            host.unreadable.insert(path.clone());
            continue;
        };
        let Some(bytes) = unpack(body, encoding, sum, path, &place, budget, problems) else {
            host.unreadable.insert(path.clone());
            continue;
        };
        // The script has umask 077, and makes only `setup` executable.
        let mode = if path == SETUP { 0o755 } else { 0o600 };
        host.put(File { place, path: path.clone(), mode, owner: None, bytes }, false, problems);
    }
}

/// Decodes a file as the script's `unpack` does, and checks its SHA-256.
fn unpack(
    body: &str,
    encoding: PayloadEncoding,
    sum: &str,
    path: &str,
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<Bytes> {
    let plain = match encoding {
        PayloadEncoding::Plain => Ok(Secret::new(body.as_bytes().to_vec())),
        PayloadEncoding::GzipBase64 => encoding::unbase64(body.as_bytes(), budget)
            .map_err(|(_, problem)| problem)
            .and_then(|bytes| match bytes.starts_with(&encoding::GZIP) {
                true => encoding::gunzip(&bytes, budget),
                false => Err(Diagnostic::error(Code::UserDataDamaged, "is not gzip")),
            }),
    };
    match plain {
        Ok(bytes) if sha256(&bytes) == sum => Some(bytes),
        Ok(_) => {
            let text = format!("`{path}` is damaged: its SHA-256 is not {sum}");
            problems.add(place, Diagnostic::error(Code::PayloadDamaged, text).hint(FETCH_AGAIN));
            None
        }
        Err(problem) => {
            problems.add(place, problem.about(format_args!("the content of `{path}`")));
            None
        }
    }
}

/// A command with a here-document.
pub struct HereDocument<'a> {
    /// Offset of the command's line in bytes.
    pub offset: usize,
    /// The words after the command's name.
    pub words: Vec<String>,
    /// None if the text ends before the here-document does.
    pub body: Option<&'a str>,
}

/// Finds the here-documents of the commands called `name`. Each command must have its own line, as in hostseed's templates:
/// `name WORD… <<'END'`. Exhausts the budget if there are more or longer commands than in any script that hostseed renders.
pub fn here_documents<'a>(text: &'a str, name: &str, budget: &Budget) -> Vec<HereDocument<'a>> {
    const MOST: usize = 10_000;
    const LONGEST: usize = 64 << 10;
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(line) = text[from..].split_inclusive('\n').next() {
        let offset = from;
        from += line.len();
        let Some(rest) = line.trim_start().strip_prefix(name).filter(|rest| rest.starts_with(' ')) else {
            continue;
        };
        if rest.len() > LONGEST || found.len() == MOST {
            budget.exhaust();
            break;
        }
        // A truncated line can have an unclosed quote.
        let mut words = shell_words::split(rest).unwrap_or_default();
        let Some(end) = words.pop().and_then(|last| last.strip_prefix("<<").map(str::to_owned)) else {
            found.extend((!line.ends_with('\n')).then(|| HereDocument {
                offset,
                words: truncated_words(rest),
                body: None,
            }));
            continue;
        };
        let body = end_of(&text[from..], &end).map(|length| &text[from..from + length]);
        found.push(HereDocument { offset, words, body });
        from += body.map_or(text.len() - from, |body| body.len() + end.len());
    }
    found
}

/// The offset of the line that equals `end`.
fn end_of(text: &str, end: &str) -> Option<usize> {
    let mut at = 0;
    text.split_inclusive('\n').find_map(|line| {
        let start = at;
        at += line.len();
        (line.trim_end_matches('\n') == end).then_some(start)
    })
}

/// The first two words of a truncated line, as far as they are present.
fn truncated_words(rest: &str) -> Vec<String> {
    let mut words: Vec<String> =
        rest.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect();
    words.resize(2, "…".to_owned());
    words
}
