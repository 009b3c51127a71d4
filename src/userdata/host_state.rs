//! The host as a seed leaves it: the files that it has then, and what was run.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::encoding::Bytes;
use super::manifest;
use super::paths::SETUP;
use super::problems::Problems;
use crate::diag::{Code, Diagnostic, Place};

/// The mode of a file that says none: cloud-init's `write_files` and Ignition's `files` have the same.
pub const DEFAULT_MODE: u32 = 0o644;

/// A file as it will be.
pub struct File {
    /// Where it stands in the seed.
    pub place: Place,
    /// On the host, from the root.
    pub path: String,
    pub mode: u32,
    /// `user:group`; root's where nothing is said.
    pub owner: Option<String>,
    pub bytes: Bytes,
}

impl File {
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Whether others than the owner can read it.
    pub fn is_shared(&self) -> bool {
        self.mode & 0o077 != 0
    }

    /// Whether it is another's than root's.
    pub fn foreign_owner(&self) -> Option<&str> {
        let user = self.owner.as_deref()?.split(':').next()?.trim();
        (!matches!(user, "" | "root" | "0" | "-1") && !user.eq_ignore_ascii_case("none")).then_some(user)
    }
}

/// A text inside a seed that does not become a file, for example a command. It may hold a key or a checksum.
pub struct InlineText {
    pub place: Place,
    /// The field that it stands in.
    pub name: String,
    pub text: crate::secret::Secret<String>,
}

/// What a seed makes of a host, as far as it can be told without running it.
#[derive(Default)]
pub struct HostState {
    files: Vec<File>,
    /// Where in `files` a path is.
    by_path: HashMap<String, usize>,
    pub inline: Vec<InlineText>,
    /// Paths of files whose content cannot be decoded, which has been reported.
    pub unreadable: HashSet<String>,
    /// Whether one of the commands and scripts runs our `setup`.
    pub runs_setup: bool,
    /// Paths of files that were reported as damaged or missing.
    pub damaged: HashSet<String>,
    /// hostseed's manifests.
    pub manifests: Vec<manifest::Found>,
    /// Where a payload of hostseed's stands in a text without a manifest.
    pub unmarked: Option<Place>,
    /// The SHA-256 of the script in each phase of an Image Builder component.
    pub phases: BTreeMap<String, String>,
    /// What the host fetches or makes itself, and so was not checked.
    pub unchecked: Vec<String>,
    /// The name that the host is given.
    pub hostname: Option<String>,
    /// Whether it is Ignition that puts it there, on a system that has Docker.
    pub ignition: bool,
    /// The units that Ignition enables.
    pub enabled: Vec<String>,
}

impl HostState {
    /// All of them, in the order in which they are written.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    pub fn file(&self, path: &str) -> Option<&File> {
        self.by_path.get(path).map(|n| &self.files[*n])
    }

    /// Takes a file. One that is there already is written over, as on the host.
    pub fn put(&mut self, file: File, append: bool, problems: &mut Problems) {
        let Some(earlier) = self.by_path.get(&file.path).map(|n| &mut self.files[*n]) else {
            self.by_path.insert(file.path.clone(), self.files.len());
            return self.files.push(file);
        };
        if append {
            return earlier.bytes.extend_from_slice(&file.bytes);
        }
        let text = format!("`{}` is written twice, the last one stays", file.path);
        problems.warning(
            &file.place,
            Diagnostic::error(Code::FileTwice, text).hint(format!("the other one is at {}", earlier.place)),
        );
        *earlier = file;
    }

    /// Moves a file to another path, where none is yet, and gives it a mode. Does nothing where there is no such file.
    pub fn rename(&mut self, from: &str, to: &str, mode: u32) {
        let Some(n) = self.by_path.remove(from) else { return };
        let file = &mut self.files[n];
        file.path = to.to_owned();
        file.mode = mode;
        // Of two files at one path the earlier one is found.
        let first = self.by_path.entry(to.to_owned()).or_insert(n);
        *first = n.min(*first);
    }

    /// Takes a command or a whole script that is run.
    pub fn run(&mut self, text: &str) {
        let runs = |line: &str| {
            line.contains(SETUP) && !["chmod", "unpack", "#"].iter().any(|other| line.starts_with(other))
        };
        self.runs_setup = self.runs_setup || text.lines().any(runs);
    }
}
