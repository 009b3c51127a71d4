//! hostseed's `setup` script (`templates/host/usr/local/lib/hostseed/setup.j2`), and its reader: the settings for the machine, and
//! the files that the script contains and installs.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use super::budget::Budget;
use super::host_state::{File, HostState};
use super::manifest::Entry;
use super::paths::{ISSUE, LIB, OPT, SETTINGS};
use super::problems::Problems;
use super::script::here_documents;
use crate::diag::Place;
use crate::digest::sha256;
use crate::secret::Secret;

/// The script `setup`, rendered and compressed by the build script. Its text is the same for each machine of the same kind.
pub struct Script {
    pub text: Cow<'static, str>,
    /// The text, compressed with gzip.
    pub gzip: Cow<'static, [u8]>,
}

impl Script {
    /// The script for a host, or with `image` for an image, in which it starts nothing. With `issues`, it installs what a boot issuer
    /// needs.
    pub fn of(image: bool, issues: bool) -> Self {
        macro_rules! built {
            ($name:literal) => {
                (
                    include_str!(concat!(env!("OUT_DIR"), "/", $name)),
                    include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
                )
            };
        }
        let (text, gzip): (_, &[u8]) = match (image, issues) {
            (false, false) => built!("setup-host"),
            (false, true) => built!("setup-host-issues"),
            (true, false) => built!("setup-image"),
            (true, true) => built!("setup-image-issues"),
        };
        Self { text: text.into(), gzip: gzip.into() }
    }

    /// The SHA-256 of the text, in hexadecimal. Each of hostseed's own scripts is hashed once.
    pub fn sha256(&self) -> String {
        static KNOWN: Mutex<Vec<(&str, String)>> = Mutex::new(Vec::new());
        let Cow::Borrowed(text) = self.text else { return sha256(self.text.as_bytes()) };
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        match known.iter().find(|(of, _)| std::ptr::eq(*of, text)) {
            Some((_, sum)) => sum.clone(),
            None => {
                known.push((text, sha256(text.as_bytes())));
                known[known.len() - 1].1.clone()
            }
        }
    }

    /// A script with this text.
    #[cfg(test)]
    pub fn new(text: &'static str) -> Self {
        Self { text: text.into(), gzip: super::encoding::gzip(text.as_bytes()).into() }
    }
}

/// The settings of a `setup` script.
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
    /// Reads the variables at the beginning of lines of the script and of its settings. The script has the defaults; one of an
    /// earlier version has all values.
    pub fn read(setup: &str, settings: Option<&str>) -> Self {
        let value =
            |name: &str| settings.and_then(|text| variable(text, name)).or_else(|| variable(setup, name));
        Self {
            machine: value("machine").unwrap_or_default().to_owned(),
            port: value("port").and_then(|port| port.parse().ok()),
            image: variable(setup, "mode") == Some("image"),
            repository: value("docker_mirror")
                .filter(|_| matches!(value("docker"), Some("auto" | "official")))
                .map(str::to_owned),
            payloads: value("payloads")
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

/// Returns whether a script reads its settings from the file [`SETTINGS`].
pub fn reads_settings(text: &str) -> bool {
    text.lines().any(|line| line.strip_prefix(". ") == Some(SETTINGS))
}

/// The names for which hostseed's `issue` script always issues a certificate (`DNS:web1`, `IP:203.0.113.7`), without their
/// prefixes. The script adds the names that it finds on the host. It contains the names, or they are in the settings.
pub fn names_to_issue_for(host: &HostState) -> Vec<String> {
    let has_names =
        |path: &str| path == SETTINGS || [LIB, OPT].iter().any(|lib| path == format!("{lib}/{ISSUE}"));
    let files = host.files().iter().filter(|file| has_names(&file.path));
    let names = files
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Channel, DEFAULT_PORT, Install, OFFICIAL_MIRROR};

    #[test]
    fn each_script_has_the_defaults_of_a_plan() {
        for (image, issues) in [(false, false), (false, true), (true, false), (true, true)] {
            let Script { text, gzip } = Script::of(image, issues);
            let setup = Setup::read(&text, None);
            let repository = Some(OFFICIAL_MIRROR.to_owned());
            let port = Some(DEFAULT_PORT);
            assert_eq!(setup, Setup { machine: String::new(), port, image, repository, payloads: None });
            assert_eq!(variable(&text, "docker"), Some(Install::Auto.name()));
            assert_eq!(variable(&text, "docker_channel"), Some(Channel::Stable.name()));
            assert!(reads_settings(&text));
            let budget = Budget::default();
            assert_eq!(super::super::encoding::gunzip(&gzip, &budget).unwrap()[..], *text.as_bytes());
        }
    }
}
