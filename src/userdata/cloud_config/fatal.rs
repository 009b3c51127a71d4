//! Finds the files at which cloud-init's `write_files` stops: it raises an exception, and writes neither this file nor those after it
//! (cloud-init, `config/cc_write_files.py`; `chownbyname` and `decomp_gzip` in its `util.py`).

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::userdata::budget::Budget;
use crate::userdata::document::get;
use crate::userdata::encoding::gunzip;
use crate::userdata::paths::normal;
use crate::userdata::problems::head;
use crate::yaml::yaml11::{self, Scalar};
use crate::yaml::{Node, Value};

/// Maximum length of a name and of a path on Linux, in bytes (NAME_MAX, PATH_MAX without the last byte).
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;
/// Folders of each host (Filesystem Hierarchy Standard 3.0), and those that hostseed's files are in.
const FOLDERS: [&str; 28] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc/default",
    "/etc/docker",
    "/etc/ssh",
    "/etc/systemd/system/docker.service.d",
    "/home",
    "/lib",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/local/lib/hostseed",
    "/usr/sbin",
    "/usr/share",
    "/var/lib/hostseed/seed",
    "/var/log",
    "/var/tmp",
];

/// The paths of a host, to find a file where a folder is.
pub struct Tree {
    files: HashSet<u64>,
    folders: HashSet<u64>,
}

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self { files: HashSet::new(), folders: HashSet::new() };
        for folder in FOLDERS {
            let hashes = hashes(folder);
            tree.folders.extend(hashes);
        }
        tree
    }
}

/// The hash of the root and of each folder above a path, and then of the path itself.
fn hashes(path: &str) -> Vec<u64> {
    let mut hasher = DefaultHasher::new();
    let mut all = vec![hasher.finish()];
    for name in path.split('/').filter(|name| !name.is_empty()) {
        name.hash(&mut hasher);
        all.push(hasher.finish());
    }
    all
}

impl Tree {
    /// Adds a file. Returns what is wrong with its path, if cloud-init cannot write it.
    pub fn add(&mut self, path: &str) -> Option<String> {
        let path = normal(path);
        if path.contains('\0') {
            return Some(format!("the path `{}` with a zero byte", head(&path)));
        }
        if path.len() > PATH_MAX || path.split('/').any(|name| name.len() > NAME_MAX) {
            return Some(format!("the path `{}`, which is too long for Linux", head(&path)));
        }
        let mut above = hashes(&path);
        let own = above.pop().unwrap_or_default();
        if path == "/" || self.folders.contains(&own) {
            return Some(format!("the path `{}`, which is a folder", head(&path)));
        }
        if above.iter().any(|folder| self.files.contains(folder)) {
            return Some(format!("the path `{}` below another file", head(&path)));
        }
        self.folders.extend(above);
        self.files.insert(own);
        None
    }
}

/// Returns the user or group in `owner` (`USER:GROUP`) that no host has.
pub fn impossible_owner(owner: &str) -> Option<&str> {
    let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
    let is_impossible =
        |name: &&str| name.contains([':', '.', '/', ',', '\0']) || name.contains(char::is_whitespace);
    [user, group].map(str::trim).into_iter().find(is_impossible)
}

/// Returns what is wrong with the content, the owner or the mode of a file with a path, if cloud-init stops at it.
pub fn of_fields(fields: &[(Node, Node)], budget: &Budget) -> Option<String> {
    content(fields, budget).or_else(|| owner(fields)).or_else(|| mode(fields))
}

fn content(fields: &[(Node, Node)], budget: &Budget) -> Option<String> {
    let steps = match get(fields, "encoding") {
        None => [false; 2],
        Some(Node { value: Value::Null | Value::Bool(false), .. }) => [false; 2],
        Some(node) => match &node.value {
            Value::Text(name) if is_string(node) => match name.to_lowercase().trim() {
                "gz" | "gzip" => [false, true],
                "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => [true, true],
                "b64" | "base64" => [true, false],
                // cloud-init writes the content as it is.
                _ => [false; 2],
            },
            _ => return Some(format!("{} as `encoding` of a file", kind(node))),
        },
    };
    let node = get(fields, "content")?;
    let text = match &node.value {
        Value::Text(text) if is_string(node) => text,
        Value::Tagged(..) => return None,
        _ => return Some(format!("{} as `content` of a file", kind(node))),
    };
    let is_binary = node.written.has_tag("binary");
    let damaged = || Some("a `content` that is not valid base64 or gzip".to_owned());
    let mut bytes = text.clone().into_bytes();
    for (is_base64, is_text) in [(is_binary, false), (steps[0], !is_binary)] {
        if is_base64 {
            // For text, Python refuses anything outside ASCII.
            let Some(decoded) = python_base64(&bytes).filter(|_| !is_text || text.is_ascii()) else {
                return damaged();
            };
            bytes = decoded;
        }
    }
    let is_damaged = steps[1] && !bytes.is_empty() && gunzip_as_python(&bytes, budget).is_none();
    is_damaged.then(damaged).flatten()
}

fn gunzip_as_python(bytes: &[u8], budget: &Budget) -> Option<()> {
    bytes.starts_with(&crate::userdata::encoding::GZIP).then(|| gunzip(bytes, budget).ok())?.map(drop)
}

/// Decodes base64 as Python's `base64.b64decode` does, which skips other characters and stops at the end of the padding
/// (`binascii.a2b_base64`).
pub fn python_base64(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut position, mut padding) = (Vec::new(), 0u32, 0, 0);
    for &b in text {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += usize::from(position >= 2);
                if position >= 2 && position + padding >= 4 {
                    return Some(bytes);
                }
                continue;
            }
            _ => continue,
        };
        padding = 0;
        bits = bits << 6 | u32::from(value);
        if position > 0 {
            bytes.push((bits >> [4, 2, 0][position - 1]) as u8);
        }
        position = (position + 1) % 4;
    }
    (position == 0).then_some(bytes)
}

fn owner(fields: &[(Node, Node)]) -> Option<String> {
    let node = get(fields, "owner")?;
    match &node.value {
        Value::Null | Value::Bool(false) => None,
        Value::Text(owner) if is_string(node) => {
            impossible_owner(owner).map(|name| format!("the owner `{}`, which no host has", head(name)))
        }
        _ => Some(format!("{} as `owner` of a file", kind(node))),
    }
}

/// Returns what is wrong with a mode that does not fit into a C `int`.
pub fn mode(fields: &[(Node, Node)]) -> Option<String> {
    const LARGEST: f64 = i32::MAX as f64;
    let node = get(fields, "permissions")?;
    let is_too_large = match (&node.value, node.written.plain.as_deref().map(yaml11::resolve)) {
        (Value::Number(_), Some(Scalar::Int(Some(number)))) => number.abs() > i64::from(i32::MAX),
        (Value::Number(_), Some(Scalar::Int(None))) => true,
        (Value::Number(written), _) => {
            let digits = written.replace('_', "").to_lowercase();
            digits.ends_with(".inf") || digits.parse::<f64>().is_ok_and(|number| number.abs() > LARGEST)
        }
        (Value::Text(text), _) => {
            let digits = text.trim().replace('_', "");
            let digits = digits.trim_start_matches(['+', '-']);
            let digits = digits.strip_prefix("0o").or(digits.strip_prefix("0O")).unwrap_or(digits);
            let is_octal = !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
            is_octal && i32::from_str_radix(digits, 8).is_err()
        }
        _ => false,
    };
    is_too_large.then(|| "`permissions` that are too large".to_owned())
}

/// The type of a value in words, as PyYAML reads it.
fn kind(node: &Node) -> String {
    match &node.value {
        Value::Text(_) => "a date".to_owned(),
        other => other.kind(),
    }
}

/// Returns whether a text is a string to PyYAML, and not a date.
pub fn is_string(node: &Node) -> bool {
    node.written.has_tag("str")
        || !matches!(node.written.plain.as_deref().map(yaml11::resolve), Some(Scalar::Timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::pyyaml;

    /// As cloud-init 22.4 does: each line was given to its `cc_write_files`.
    #[test]
    fn files_at_which_cloud_init_stops_are_found() {
        let stops = |text: &str| {
            let root = pyyaml::read(&format!("{{path: /a, {text}}}")).unwrap().root;
            let Value::Map(fields) = &root.value else { panic!("{text}") };
            of_fields(fields, &Budget::default()).is_some()
        };
        for text in [
            "content: 'aGk', encoding: b64",
            "content: 'aGk=', encoding: gz+b64",
            "content: 'a', encoding: base64",
            "content: 'x', encoding: gz",
            "content: !!binary eA==, encoding: gz",
            "content: !!binary eA==, encoding: b64",
            "content: 'aGk=é', encoding: b64",
            "content: 'H4sIAAAAAAAAA8vIBABZZ3rYAgAAAA==', encoding: gz+b64",
            "content: 'H4sIAAAAAAAAA8vIBAA=', encoding: gz+b64",
            "content: 'aG=k', encoding: b64",
            "content: 'aGk-_', encoding: b64",
            "content: '${x}', encoding: b64",
            "content: no",
            "content: 0",
            "content: []",
            "content: 2001-01-01",
            "content: , encoding: gz+b64",
            "content: x, encoding: yes",
            "content: x, encoding: 2001-01-01",
            "content: x, owner: 'a:b:c'",
            "content: x, owner: root.root",
            "content: x, owner: 'root: a b'",
            "content: x, owner: 7",
            "content: x, owner: [root]",
            "content: x, owner: yes",
            "content: x, permissions: '77777777777777777777777'",
            "content: x, permissions: 99999999999999999999",
            "content: x, permissions: 2147483648",
            "content: x, permissions: .inf",
        ] {
            assert!(stops(text), "{text}");
        }
        for text in [
            "content: '!!!', encoding: b64",
            "content: '', encoding: gz+b64",
            "encoding: gz+b64",
            "content: x, encoding: zip",
            "content: x, encoding: ",
            "content: x, encoding: no",
            "content: x, owner: ''",
            "content: x, owner: ':root'",
            "content: x, owner: 'root:'",
            "content: x, owner: none",
            "content: x, owner: ",
            "content: x, owner: ' root : root '",
            "content: x, permissions: '999'",
            "content: x, permissions: '7777777'",
            "content: x, permissions: '-1'",
            "content: x, permissions: 6.5",
            "content: x, permissions: 'rw-r--r--'",
            "content: x, permissions: 1e30",
            "content: x, permissions: .nan",
            "content: ' aGk= ', encoding: b64",
            "content: 'aGk=====', encoding: b64",
            "content: '====', encoding: b64",
            "content: 'aGk=aG', encoding: b64",
            "content: !!binary eA==",
        ] {
            assert!(!stops(text), "{text}");
        }
    }

    #[test]
    fn base64_is_decoded_like_python() {
        for (text, expected) in [
            ("aGk=", Some(&b"hi"[..])),
            ("a G\nk*=", Some(b"hi")),
            ("aGk=aGk=", Some(b"hi")),
            ("aGlq", Some(b"hij")),
            ("aG==", Some(b"h")),
            ("", Some(b"")),
            ("aGk", None),
        ] {
            assert_eq!(python_base64(text.as_bytes()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn files_where_a_folder_is_are_found() {
        for paths in [
            &["/a/b", "/a"][..],
            &["/a", "/a/b/c"],
            &["/"],
            &["/a/.."],
            &["/etc/"],
            &["/usr/local/lib/hostseed"],
            &["/var/lib"],
            &["/a\0b"],
        ] {
            let mut tree = Tree::default();
            let found: Vec<bool> = paths.iter().map(|path| tree.add(path).is_some()).collect();
            assert!(found.last() == Some(&true), "{paths:?}");
        }
        let long = [format!("/{}", "a".repeat(256)), "/a".repeat(2050)];
        assert!(long.iter().all(|path| Tree::default().add(path).is_some()));
        let mut tree = Tree::default();
        for path in ["/a/b", "/a/c", "/a/b", "/ab", "/etc/docker/daemon.json", "relative/a", "/srv/x/"] {
            assert_eq!(tree.add(path), None, "{path}");
        }
    }
}
