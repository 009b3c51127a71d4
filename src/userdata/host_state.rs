//! The state of a host after it has processed a seed: its files, and the commands that ran.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::encoding::Bytes;
use super::manifest;
use super::paths::SETUP;
use super::problems::Problems;
use crate::diag::{Code, Diagnostic, Place};

/// The mode of a file without an explicit mode. cloud-init's `write_files` and Ignition's `files` use the same default.
pub const DEFAULT_MODE: u32 = 0o644;

/// Maximum number of descriptions of content that was not checked. A reader does not need more.
const MAX_UNCHECKED: usize = 1000;

/// A file on the host.
pub struct File {
    /// The place in the seed that defines the file.
    pub place: Place,
    /// The absolute path on the host.
    pub path: String,
    pub mode: u32,
    /// `user:group`. None means root.
    pub owner: Option<String>,
    pub bytes: Bytes,
}

impl File {
    /// The file name without its folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The content as text. Invalid UTF-8 is replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Returns whether the group or other users have any access to the file.
    pub fn is_shared(&self) -> bool {
        self.mode & 0o077 != 0
    }

    /// The owner, if it is not root.
    pub fn foreign_owner(&self) -> Option<&str> {
        let user = self.owner.as_deref()?.split(':').next()?.trim();
        (!matches!(user, "" | "root" | "0" | "-1") && !user.eq_ignore_ascii_case("none")).then_some(user)
    }
}

/// A text inside a seed that does not become a file, for example a command. It may contain a private key or a checksum.
pub struct InlineText {
    pub place: Place,
    /// The field that contains the text.
    pub name: String,
    pub text: crate::secret::Secret<String>,
}

/// The state of a host after it has processed a seed, as far as this is known without running the seed.
#[derive(Default)]
pub struct HostState {
    files: Vec<File>,
    /// Index into `files` for each path.
    by_path: HashMap<String, usize>,
    pub inline: Vec<InlineText>,
    /// Paths of files whose content cannot be decoded, which has been reported.
    pub unreadable: HashSet<String>,
    /// True if a command or script runs hostseed's `setup`.
    pub runs_setup: bool,
    /// Paths of files that were reported as damaged or missing.
    pub damaged: HashSet<String>,
    /// hostseed's manifests.
    pub manifests: Vec<manifest::Found>,
    /// The place of a text that contains a hostseed payload but no manifest.
    pub unmarked: Option<Place>,
    /// The SHA-256 of the script in each phase of an Image Builder component.
    pub phases: BTreeMap<String, String>,
    /// Descriptions of content that was not checked, up to a limit, and the number of all.
    unchecked: (Vec<String>, usize),
    /// The hostname that the seed sets.
    pub hostname: Option<String>,
    /// True if Ignition processes the seed, on a system with Docker preinstalled.
    pub ignition: bool,
    /// The systemd units that Ignition enables.
    pub enabled: Vec<String>,
}

impl HostState {
    /// All files, in the order in which the host writes them.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Finds a file by its absolute path.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.by_path.get(path).map(|n| &self.files[*n])
    }

    /// Adds a file. If the path already exists, `append` adds to the earlier content. Otherwise the new file replaces the earlier
    /// one, with a warning.
    pub fn put(&mut self, file: File, append: bool, problems: &mut Problems) {
        let Some(earlier) = self.by_path.get(&file.path).map(|n| &mut self.files[*n]) else {
            self.by_path.insert(file.path.clone(), self.files.len());
            return self.files.push(file);
        };
        if append {
            return earlier.bytes.extend_from_slice(&file.bytes);
        }
        let text = format!("`{}` is written twice, and only the last one remains", file.path);
        problems.add(
            &file.place,
            Diagnostic::warning(Code::FileTwice, text)
                .hint(format!("remove one of the two; the other is at {}", earlier.place)),
        );
        *earlier = file;
    }

    /// Moves a file to the path `to` and sets its mode. Does nothing if there is no file at `from`.
    pub fn rename(&mut self, from: &str, to: &str, mode: u32) {
        let Some(n) = self.by_path.remove(from) else { return };
        let file = &mut self.files[n];
        file.path = to.to_owned();
        file.mode = mode;
        // If two files have the same path, lookups find the earlier one.
        let first = self.by_path.entry(to.to_owned()).or_insert(n);
        *first = n.min(*first);
    }

    /// Records content that was not checked, because the host fetches or creates it itself.
    pub fn leave_unchecked(&mut self, what: impl FnOnce() -> String) {
        let (listed, number) = &mut self.unchecked;
        *number += 1;
        if listed.len() < MAX_UNCHECKED {
            listed.push(what());
        }
    }

    /// The descriptions of content that was not checked. The last one says how many are not listed.
    pub fn unchecked(&self) -> Vec<String> {
        let (listed, number) = &self.unchecked;
        let more = number - listed.len();
        let more = (more > 0).then(|| format!("and {more} more"));
        listed.iter().cloned().chain(more).collect()
    }

    /// Records whether a command or script that the host runs starts hostseed's `setup`.
    pub fn run(&mut self, text: &str) {
        let runs = |line: &str| {
            line.contains(SETUP) && !["chmod", "unpack", "#"].iter().any(|other| line.starts_with(other))
        };
        // Without this, a text of many short lines would take long.
        self.runs_setup = self.runs_setup || text.contains(SETUP) && text.lines().any(runs);
    }
}
