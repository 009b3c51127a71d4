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

/// The line with the machine whose files they are. Records of earlier versions, and those of images, have none.
const MACHINE: &str = "# Machine: ";

/// The files that hostseed wrote.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The SHA-256 of each file, by its name. The record has them in the format of `sha256sum`.
    files: BTreeMap<String, String>,
    pub machine: Option<String>,
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
        let machine = lines.next_if(|line| line.starts_with(MACHINE));
        let machine = machine.map(|line| line[MACHINE.len()..].to_owned());
        lines.map(entry).collect::<Option<_>>().map(|files| Self { files, machine })
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
        let machine = self.machine.iter().map(|machine| format!("{MACHINE}{machine}\n"));
        let files = self.files.iter().map(|(name, hash)| format!("{hash}  {name}\n"));
        Artifact::public(RECORD, COMMENT.to_owned() + &machine.chain(files).collect::<String>())
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
        let of_machine = Written { machine: Some("web1".into()), ..written };
        assert_eq!(Written::parse(&of_machine.to_artifact().bytes), Some(of_machine));
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
