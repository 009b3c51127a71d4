//! The record of the files that hostseed wrote into an output folder, with which it recognises files that the user changed or
//! made. It is a file in the folder itself, so that it stays with the files if the folder is moved, copied or cloned.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Result;

use super::files::{self, Action, failed};
use crate::artifact::Artifact;
use crate::digest;
use crate::names::{ClientName, MachineName};
use crate::secret::Secret;

/// The file name of the record.
pub const RECORD: &str = ".hostseed.sha256";

/// The beginning of the record, by which hostseed recognises it: never changed.
const COMMENT: &str = "\
# The files that hostseed wrote here. It replaces a file that has changed since only with `--force`.
# To see which have changed: sha256sum --check .hostseed.sha256
";

/// Maximum size in bytes of a file that is compared. A larger file is not hostseed's.
const MAX_FILE: u64 = crate::userdata::budget::MAX_BYTES as u64;

/// The lines with the owner. Records of earlier versions, and those of images, have none.
const MACHINE: &str = "# Machine: ";
const CLIENT: &str = "# Client: ";

/// The owner of the files in a folder: a machine, or one client of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Owner {
    /// None for an image.
    machine: Option<String>,
    client: Option<String>,
}

impl Owner {
    /// The owner of files that are for an image, and so no machine's.
    pub fn image() -> Self {
        Self::default()
    }

    pub fn machine(machine: &MachineName) -> Self {
        Self { machine: Some(machine.to_string()), client: None }
    }

    pub fn client(machine: &MachineName, client: &ClientName) -> Self {
        Self { machine: Some(machine.to_string()), client: Some(client.to_string()) }
    }

    /// The owner of this folder, if its files are not for `other` to replace. Files of a machine and those of a client of it can be in
    /// one folder.
    pub fn conflict(&self, other: &Self) -> Option<String> {
        let machine = self.machine.as_ref()?;
        if self.machine != other.machine {
            return Some(format!("the machine `{machine}`"));
        }
        let client = self.client.as_ref()?;
        let is_other = other.client.as_ref().is_some_and(|other| other != client);
        is_other.then(|| format!("the client `{client}` of `{machine}`"))
    }

    /// The owner after `new` wrote its files, too.
    pub fn joined(&self, new: &Self) -> Self {
        let kept = self.client.clone().filter(|_| self.machine == new.machine);
        Self { machine: new.machine.clone(), client: new.client.clone().or(kept) }
    }
}

/// The files that hostseed wrote.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The SHA-256 of each file, by its name. The record has them in the format of `sha256sum`.
    files: BTreeMap<String, String>,
    pub owner: Owner,
}

impl Written {
    /// Reads the record of the folder `dir`. Empty if there is none, or if the file is blank. `None` if the file has anything that
    /// hostseed does not write: then it is the user's.
    ///
    /// # Errors
    /// Fails if the record cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(RECORD);
        let content = existing(&path, &path)?;
        Ok(content.map_or(Some(Self::default()), |content| Self::parse(&content)))
    }

    fn parse(content: &[u8]) -> Option<Self> {
        // Git can check out text files with the line ends of Windows.
        let text = std::str::from_utf8(content).ok()?.replace("\r\n", "\n");
        if text.trim().is_empty() {
            return Some(Self::default());
        }
        let entry = |line: &str| {
            let (hash, name) = line.split_once("  ")?;
            digest::is_sha256(hash).then(|| (name.to_owned(), hash.to_owned()))
        };
        let mut lines = text.strip_prefix(COMMENT)?.lines().peekable();
        let mut owner = |title: &str| {
            let line = lines.next_if(|line| line.starts_with(title))?;
            Some(line[title.len()..].to_owned())
        };
        let owner = Owner { machine: owner(MACHINE), client: owner(CLIENT) };
        lines.map(entry).collect::<Option<_>>().map(|files| Self { files, owner })
    }

    /// Records the content that a file will have.
    pub fn note(&mut self, artifact: &Artifact) {
        self.files.insert(artifact.path.clone(), digest::sha256(&artifact.bytes));
    }

    /// Returns whether the file `name` has the content that hostseed wrote.
    pub fn is_unchanged(&self, name: &str, content: &[u8]) -> bool {
        self.files.get(name).is_some_and(|hash| *hash == digest::sha256(content))
    }

    /// The record as a file.
    pub fn to_artifact(&self) -> Artifact {
        let Owner { machine, client } = &self.owner;
        let owner = [(MACHINE, machine), (CLIENT, client)].into_iter();
        let owner = owner.filter_map(|(title, name)| Some(format!("{title}{}\n", name.as_ref()?)));
        let files = self.files.iter().map(|(name, hash)| format!("{hash}  {name}\n"));
        Artifact::public(RECORD, COMMENT.to_owned() + &owner.chain(files).collect::<String>())
    }
}

/// Reads a file of the user's, which can contain a private key. Returns `None` if it does not exist.
///
/// # Errors
/// Fails if the file cannot be read. The error calls it `shown`. Of a file above [`MAX_FILE`] only the beginning is read.
pub fn existing(path: &Path, shown: &Path) -> Result<Option<Secret<Vec<u8>>>> {
    let file = match files::without_following(fs::File::options().read(true)).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| failed(Action::Read, shown, &error))?,
    };
    let read = || {
        let size = file.metadata()?.len().min(MAX_FILE) as usize;
        let mut content = Secret::new(Vec::with_capacity(size + 1));
        file.take(MAX_FILE + 1).read_to_end(content.expose_mut())?;
        Ok(Some(content))
    };
    read().map_err(|error| failed(Action::Read, shown, &error))
}

/// The lines of `wanted`, a `.gitignore`, about whose files `content`, another one, says nothing. A line that includes a file
/// again (`!/user-data`) says something about it, too.
pub fn lines_to_ignore<'a>(wanted: &'a str, content: &[u8]) -> Vec<&'a str> {
    let patterns: Vec<&[u8]> = content.split(|byte| *byte == b'\n').filter_map(pattern).collect();
    let is_decided = |name: &[u8]| patterns.iter().any(|pattern| matches(pattern, name));
    wanted.lines().filter(|line| pattern(line.as_bytes()).is_some_and(|name| !is_decided(name))).collect()
}

/// The pattern of a line of `.gitignore` (gitignore(5)) for names directly in its folder. `None` for comments, and for patterns
/// that match only folders or names in subfolders.
fn pattern(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_end();
    let line = line.strip_prefix(b"!").unwrap_or(line);
    let name = line.strip_prefix(b"**/").or(line.strip_prefix(b"/")).unwrap_or(line);
    (!name.is_empty() && !name.starts_with(b"#") && !name.contains(&b'/')).then_some(name)
}

/// Returns whether a name matches a pattern with `*` and `?`. Brackets and backslashes match nothing.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        // A second star would only multiply the ways to match.
        ([b'*', b'*', ..], _) => matches(&pattern[1..], name),
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|n| matches(rest, &name[n..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => matches(pattern, name),
        ([byte, pattern @ ..], [first, name @ ..]) if byte == first => matches(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let mut written = Written::default();
        written.note(&Artifact::public("main.tf", "a"));
        written.note(&Artifact::public("a file", "b"));
        let file = written.to_artifact();
        assert_eq!((file.path.as_str(), file.mode), (RECORD, 0o644));
        assert_eq!(Written::parse(&file.bytes).as_ref(), Some(&written));
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        assert_eq!(Written::parse(text.replace('\n', "\r\n").as_bytes()).as_ref(), Some(&written));
        assert!(written.is_unchanged("main.tf", b"a"));
        assert!(!written.is_unchanged("main.tf", b"b") && !written.is_unchanged("other", b"a"));
        let [machine, other] = ["web1", "web2"].map(|name| MachineName::parse(name).unwrap());
        let [alice, bob] = ["alice", "bob"].map(|name| ClientName::parse(name).unwrap());
        let [of_alice, of_bob] = [&alice, &bob].map(|client| Owner::client(&machine, client));
        for owner in [Owner::machine(&machine), of_alice.clone()] {
            let owned = Written { owner, files: written.files.clone() };
            assert_eq!(Written::parse(&owned.to_artifact().bytes), Some(owned));
        }
        let of_machine = Owner::machine(&machine);
        for (before, new, is_refused) in [
            (&Owner::image(), &of_alice, false),
            (&of_machine, &of_machine, false),
            (&of_machine, &Owner::machine(&other), true),
            (&of_machine, &Owner::image(), true),
            (&of_machine, &of_alice, false),
            (&of_alice, &of_alice, false),
            (&of_alice, &of_machine, false),
            (&of_alice, &of_bob, true),
            (&of_alice, &Owner::client(&other, &alice), true),
        ] {
            assert_eq!(before.conflict(new).is_some(), is_refused, "{before:?} {new:?}");
        }
        assert_eq!(of_alice.joined(&of_machine), of_alice);
        assert_eq!(of_alice.joined(&of_bob), of_bob);
        assert_eq!(of_alice.joined(&Owner::machine(&other)), Owner::machine(&other));
        for addition in ["mine\n", "# mine\n", "<<<<<<< HEAD\n", "0123  main.tf\n", "\n"] {
            assert_eq!(Written::parse((text.clone() + addition).as_bytes()), None, "{addition:?}");
            assert_eq!(Written::parse((addition.to_owned() + &text).as_bytes()), None, "{addition:?}");
        }
    }

    #[test]
    fn a_file_in_another_format_is_no_record() {
        assert_eq!(Written::parse(b" \r\n"), Some(Written::default()));
        let hash = "0".repeat(64);
        for text in ["main.tf", "<<<<<<< HEAD", "abc  main.tf", &format!("{hash}  main.tf"), "\u{feff}"] {
            assert_eq!(Written::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Written::parse(b"\xff"), None);
    }

    #[test]
    fn a_users_gitignore_decides_about_the_files_that_it_names() {
        let wanted = "# Private keys.\n/user-data\n/user-data.gz\n";
        for (content, missing) in [
            ("", vec!["/user-data", "/user-data.gz"]),
            ("# user-data*\n*.log\nuser-data/\nsub/user-data\n", vec!["/user-data", "/user-data.gz"]),
            ("/user-data\n", vec!["/user-data.gz"]),
            ("user-data\n", vec!["/user-data.gz"]),
            ("user-data*\n", vec![]),
            ("*\n", vec![]),
            ("**/user-dat?\r\n/*.gz  \n", vec![]),
            ("user-data*\n!user-data.gz\n", vec![]),
            ("!/user-data\n", vec!["/user-data.gz"]),
            (&"*".repeat(40), vec![]),
            (&("*".repeat(40) + "x"), vec!["/user-data", "/user-data.gz"]),
        ] {
            assert_eq!(lines_to_ignore(wanted, content.as_bytes()), missing, "{content:?}");
        }
    }
}
