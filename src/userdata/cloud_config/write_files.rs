//! Reads a cloud-config's `write_files` as cloud-init's `cc_write_files` does.

use super::read::{Reader, misspelt};
use super::{created_later, fatal};
use crate::diag::{Code, Diagnostic};
use crate::secret::Secret;
use crate::userdata::document::{get, kind_of};
use crate::userdata::encoding::{self, Bytes};
use crate::userdata::host_state::{DEFAULT_MODE, File};
use crate::userdata::paths::{self, UNITS};
use crate::userdata::problems::head;
use crate::yaml::yaml11::Scalar;
use crate::yaml::{self, Node, Value};

/// All fields of an entry of `write_files` (cloud-init's `cc_write_files`).
const FILE_FIELDS: [&str; 8] =
    ["path", "content", "encoding", "permissions", "owner", "append", "defer", "source"];

impl Reader<'_> {
    /// Reads the list and adds its files to the host. `config` is the whole cloud-config.
    pub fn write_files(&mut self, value: &Node, config: &[(Node, Node)]) {
        let Value::List(entries) = &value.value else {
            let text = format!("`write_files` must be a list, got {}", kind_of(&value.value));
            return self.add(
                value,
                Diagnostic::error(Code::CloudConfigShape, text).hint("begin each file with `- path: …`"),
            );
        };
        for (n, entry) in entries.iter().enumerate() {
            match &entry.value {
                Value::Map(fields) => self.write_file(entry, fields, config),
                other => {
                    let text =
                        format!("entry {} of `write_files` must be a map, got {}", n + 1, kind_of(other));
                    self.add(
                        entry,
                        Diagnostic::error(Code::CloudConfigShape, text)
                            .hint("write `- path: …`, and `content: …` below it"),
                    );
                }
            }
        }
    }

    fn write_file(&mut self, entry: &Node, fields: &[(Node, Node)], config: &[(Node, Node)]) {
        self.check_names(fields);
        let Some(node) = get(fields, "path") else {
            return self.add(
                entry,
                Diagnostic::error(
                    Code::WriteFilesEntry,
                    "an entry of `write_files` has no `path`, so cloud-init ignores it",
                ),
            );
        };
        let Some(path) = self.document.text(node, "`path`", self.problems) else { return };
        self.has_payload |= paths::is_own(path);
        if !path.starts_with('/') {
            let text = format!("`path` must begin with `/`, got `{}`", head(path));
            let hint = "use an absolute path: cloud-init does not expand `~` and variables";
            self.add(node, Diagnostic::error(Code::WriteFilesEntry, text).hint(hint));
        }
        if let Some(what) = self.tree.add(path) {
            let text = format!(
                "`write_files` has {what}, so cloud-init writes neither this file nor those after it"
            );
            self.add(node, Diagnostic::error(Code::WriteFilesEntry, text).hint("use another path"));
        }
        let mode = match get(fields, "permissions") {
            Some(node) if fatal::mode(fields).is_some() => {
                let text = format!(
                    "`{path}`: `permissions` is too large, so cloud-init writes none of the files after this one"
                );
                let hint = "write four octal digits in quotes, as in `\"0600\"`";
                self.add(node, Diagnostic::error(Code::FileMode, text).hint(hint));
                DEFAULT_MODE
            }
            Some(node) => self.permissions(node, path),
            None => DEFAULT_MODE,
        };
        let is_set = |name| {
            get(fields, name).is_some_and(|node| {
                matches!(self.document.scalar(node), Some(Scalar::Bool)) && !is_false(node)
            })
        };
        let (is_deferred, append) = (is_set("defer"), is_set("append"));
        let owner = get(fields, "owner").filter(|node| !matches!(node.value, Value::Null));
        let owner = owner.and_then(|node| {
            let owner = self.document.text(node, "`owner`", self.problems)?;
            if let Some(user) = created_later(owner, config).filter(|_| !is_deferred) {
                let text = format!(
                    "`{path}`: the owner `{}` does not exist yet when cloud-init writes files, so it writes none of the files after this one",
                    head(user)
                );
                let problem = Diagnostic::error(Code::WriteFilesEntry, text);
                self.add(node, problem.hint("add `defer: true`, or change the owner in `runcmd`"));
            }
            if let Some(name) = fatal::impossible_owner(owner).filter(|_| created_later(owner, config).is_none()) {
                let text = format!(
                    "`{path}`: no host has the owner `{}`, so cloud-init writes none of the files after this one",
                    head(name)
                );
                self.add(
                    node,
                    Diagnostic::error(Code::WriteFilesEntry, text).hint("write `USER:GROUP`, for example `root:root`"),
                );
            }
            Some(owner)
        });
        let Some(bytes) = self.content(fields, entry, path) else {
            self.host.unreadable.insert(path.to_owned());
            return;
        };
        if is_deferred && (path.starts_with("/etc/docker") || path.starts_with(&format!("{UNITS}/docker"))) {
            let text = format!(
                "`{path}` is written only after packages are installed (`defer`), and Docker may have started by then"
            );
            self.add(entry, Diagnostic::warning(Code::WriteFilesEntry, text).hint("remove `defer`"));
        }
        // The cost includes the path, because problems and the file copy it.
        if !self.budget.take(64 + 2 * path.len() + bytes.len()) {
            return;
        }
        let owner = owner.map(str::to_owned);
        let place = self.document.place(entry);
        self.host.put(File { place, path: path.to_owned(), mode, owner, bytes }, append, self.problems);
    }

    fn check_names(&mut self, fields: &[(Node, Node)]) {
        for (key, _) in fields {
            if let Value::Text(name) = &key.value
                && !FILE_FIELDS.contains(&name.as_str())
            {
                let problem = Diagnostic::warning(
                    Code::UnknownKey,
                    format!("an entry of `write_files` has the unknown key `{}`", head(name)),
                );
                let known =
                    misspelt(name, &FILE_FIELDS).or_else(|| (name == "mode").then_some("permissions"));
                self.add(
                    key,
                    problem.hint(match known {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the keys are {}", FILE_FIELDS.join(", ")),
                    }),
                );
            }
        }
    }

    /// Reads a mode as cloud-init's `decode_perms` does: a text is octal, a number is used as it is, and anything else means
    /// 0644.
    fn permissions(&mut self, node: &Node, path: &str) -> u32 {
        let quoted = |mode: &str| format!("put it in quotes: `permissions: \"{mode}\"`");
        match (&node.value, self.document.scalar(node)) {
            (_, Some(Scalar::Null)) => DEFAULT_MODE,
            (Value::Text(text), Some(Scalar::Text)) => octal(text).unwrap_or_else(|| {
                let text = format!(
                    "`{path}`: `permissions` must be an octal mode, got `{}`, so cloud-init uses 0644",
                    head(text)
                );
                self.add(
                    node,
                    Diagnostic::error(Code::FileMode, text)
                        .hint("write four octal digits in quotes, as in `\"0600\"`"),
                );
                DEFAULT_MODE
            }),
            (Value::Number(written), Some(Scalar::Int(Some(number)))) => {
                let mode = u32::try_from(number).unwrap_or(u32::MAX) & 0o7777;
                // With a leading zero, the number is octal in YAML 1.1, so the mode is right by luck.
                let meant = octal(written);
                if meant == Some(mode) {
                    let text = format!(
                        "`{path}`: cloud-init reads `permissions` without quotes as the number {number}, which its schema does not allow"
                    );
                    self.add(
                        node,
                        Diagnostic::warning(Code::FileMode, text).hint(quoted(&format!("{mode:04o}"))),
                    );
                } else {
                    let text = format!(
                        "`{path}`: cloud-init reads `permissions` without quotes as the number {number}, which is mode {mode:04o}"
                    );
                    self.add(
                        node,
                        Diagnostic::error(Code::FileMode, text)
                            .hint(quoted(&format!("{:04o}", meant.unwrap_or(DEFAULT_MODE)))),
                    );
                }
                mode
            }
            (other, scalar) => {
                let kind = scalar.map_or_else(|| kind_of(other), |scalar| scalar.name());
                self.add(
                    node,
                    Diagnostic::error(
                        Code::FileMode,
                        format!("`{path}`: `permissions` must be a string, got {kind}"),
                    )
                    .hint(quoted("0600")),
                );
                DEFAULT_MODE
            }
        }
    }

    /// Decodes the content of a file as cloud-init does. None if the content is not known.
    fn content(&mut self, fields: &[(Node, Node)], entry: &Node, path: &str) -> Option<Bytes> {
        let encoding = match get(fields, "encoding") {
            Some(node) if !matches!(node.value, Value::Null) => self.encoding(node, path)?,
            _ => &[],
        };
        let Some(node) = get(fields, "content") else {
            match get(fields, "source") {
                Some(_) => self.host.leave_unchecked(|| format!("`{path}`, which the host downloads")),
                None => self.add(
                    entry,
                    Diagnostic::warning(
                        Code::WriteFilesEntry,
                        format!("`{path}` has no `content`, so it will be empty"),
                    ),
                ),
            }
            return None;
        };
        if matches!(node.value, Value::Null) {
            let text = format!(
                "`content` of `{path}` is null, so cloud-init writes neither this file nor those after it"
            );
            let problem = Diagnostic::error(Code::WriteFilesEntry, text);
            self.add(node, problem.hint("write `content: \"\"` for an empty file"));
            return None;
        }
        let text = self.document.text(node, &format!("`content` of `{path}`"), self.problems)?;
        let mut bytes: Bytes = Secret::new(text.as_bytes().to_vec());
        let binary = self.document.is_binary(node);
        let steps = if binary { [&[Step::Base64], encoding].concat() } else { encoding.to_vec() };
        if steps.first() == Some(&Step::Gzip) {
            let text = format!("`{path}`: `encoding: gzip` needs a `content` with the tag `!!binary`");
            self.add(
                node,
                Diagnostic::error(Code::FileEncoding, text)
                    .hint("use base64 in `content`, and `encoding: gz+b64`"),
            );
            return None;
        }
        for step in steps {
            let unpacked = match step {
                Step::Base64 => encoding::unbase64(&bytes, self.budget).map_err(|(_, problem)| problem),
                Step::Gzip if bytes.starts_with(&encoding::GZIP) => encoding::gunzip(&bytes, self.budget),
                Step::Gzip => Err(Diagnostic::error(Code::FileEncoding, "must be gzip, but is not")),
            };
            bytes = match unpacked {
                Ok(bytes) => bytes,
                Err(_) if yaml::has_placeholder(text) => {
                    let text = format!("the content of `{path}` is a template that was not rendered");
                    self.add(node, Diagnostic::error(Code::FileEncoding, text).hint(yaml::NOT_RENDERED));
                    return None;
                }
                Err(problem) => {
                    self.add(node, problem.about(format_args!("the content of `{path}`")));
                    return None;
                }
            };
        }
        Some(bytes)
    }

    /// Reads the `encoding` as cloud-init's `canonicalize_extraction` does. cloud-init treats an unknown encoding as plain text
    /// and writes the base64 without decoding it.
    fn encoding(&mut self, node: &Node, path: &str) -> Option<&'static [Step]> {
        let name = self.document.text(node, &format!("`encoding` of `{path}`"), self.problems)?;
        Some(match name.to_lowercase().trim() {
            "" | "text/plain" => &[],
            "gz" | "gzip" => &[Step::Gzip],
            "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => &[Step::Base64, Step::Gzip],
            "b64" | "base64" => &[Step::Base64],
            _ => {
                let text = format!(
                    "`{path}`: cloud-init does not know `encoding: {}`, and writes `content` without decoding it",
                    head(name)
                );
                self.add(
                    node,
                    Diagnostic::error(Code::FileEncoding, text)
                        .hint("use `b64` or `gz+b64`, or remove `encoding`"),
                );
                return None;
            }
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Base64,
    Gzip,
}

/// Parses octal as Python's `int(text, 8)` does. None for a mode above 07777.
fn octal(text: &str) -> Option<u32> {
    let digits = text.trim();
    let digits = digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")).unwrap_or(digits);
    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777)
}

fn is_false(node: &Node) -> bool {
    match &node.value {
        Value::Bool(value) => !value,
        Value::Text(text) => matches!(text.to_lowercase().as_str(), "no" | "off" | "false"),
        _ => true,
    }
}
