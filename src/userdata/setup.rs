//! Reads hostseed's `setup` script (`templates/host/usr/local/lib/hostseed/setup.j2`): its settings for the machine, and the
//! files that it contains and installs.

use super::budget::Budget;
use super::host_state::{File, HostState};
use super::manifest::Entry;
use super::paths::{ISSUE, LIB, OPT};
use super::problems::Problems;
use super::script::here_documents;
use crate::diag::Place;
use crate::secret::Secret;

/// The settings in a `setup` script.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The machine's name. Empty for an image that is not a machine yet.
    pub machine: String,
    pub port: Option<u16>,
    /// True if the script only prepares an image and starts nothing.
    pub image: bool,
    /// The URL of the mirror from which the script installs Docker. None if it installs nothing or the distribution's Docker.
    pub repository: Option<String>,
    /// The staged files that the script installs. None if the script has no such list.
    pub payloads: Option<Vec<Entry>>,
}

impl Setup {
    /// Reads the variables at the beginning of lines.
    pub fn read(text: &str) -> Self {
        Self {
            machine: variable(text, "machine").unwrap_or_default().to_owned(),
            port: variable(text, "port").and_then(|port| port.parse().ok()),
            image: variable(text, "mode") == Some("image"),
            repository: variable(text, "docker_mirror")
                .filter(|_| matches!(variable(text, "docker"), Some("auto" | "official")))
                .map(str::to_owned),
            payloads: variable(text, "payloads")
                .map(|list| list.lines().filter_map(|line| Entry::try_from(line.to_owned()).ok()).collect()),
        }
    }
}

/// Adds the files that the script contains in its here-documents.
pub fn attach(host: &mut HostState, text: &str, setup: &Place, budget: &Budget, problems: &mut Problems) {
    for document in here_documents(text, "attach", budget) {
        if let ([path, mode], Some(body)) = (&document.words[..], document.body) {
            let bytes = Secret::new(body.as_bytes().to_vec());
            let mode = u32::from_str_radix(mode, 8).unwrap_or_default();
            host.put(
                File { place: setup.clone(), path: path.clone(), mode, owner: None, bytes },
                false,
                problems,
            );
        }
    }
}

/// The names for which hostseed's `issue` script always issues a certificate (`DNS:web1`, `IP:203.0.113.7`), without their
/// prefixes. The script adds the names that it finds on the host.
pub fn names_to_issue_for(host: &HostState) -> Vec<String> {
    let issue =
        host.files().iter().filter(|file| [LIB, OPT].iter().any(|lib| file.path == format!("{lib}/{ISSUE}")));
    let names = issue
        .filter_map(|file| variable(&file.text(), "names").map(str::to_owned))
        .next()
        .unwrap_or_default();
    names.lines().filter_map(|name| Some(name.split_once(':')?.1.to_owned())).collect()
}

/// The value of a variable that the template sets at the beginning of a line: in quotes, or as a plain word.
fn variable<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text
        .match_indices(&format!("{name}="))
        .map(|(at, _)| at)
        .find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')?;
    let value = &text[start + name.len() + 1..];
    match value.strip_prefix('\'') {
        Some(quoted) => quoted.split_once('\'').map(|(value, _)| value),
        None => value.split(char::is_whitespace).next(),
    }
}
