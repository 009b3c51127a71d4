//! Reads a cloud-config: the files that it writes, the commands that it runs, and mistakes that cloud-init ignores silently.

use std::collections::HashMap;

use crate::secret::Secret;

use super::fatal::Tree;
use super::fields;
use crate::diag::{Code, Diagnostic, Place};
use crate::userdata::budget::Budget;
use crate::userdata::document::{Document, get, kind_of};
use crate::userdata::encoded;
use crate::userdata::host_state::{HostState, InlineText};
use crate::userdata::manifest::Manifest;
use crate::userdata::problems::{Problems, head};
use crate::yaml::yaml11::Scalar;
use crate::yaml::{Node, Value};

/// Fields that a hostseed host depends on, and related fields. A field with a similar name is probably misspelt.
const FIELDS: [&str; 12] = [
    "write_files",
    "runcmd",
    "bootcmd",
    "packages",
    "package_update",
    "package_upgrade",
    "users",
    "hostname",
    "merge_how",
    "merge_type",
    "ssh_authorized_keys",
    "ssh_keys",
];
/// Returns whether a text without a known first line is probably a cloud-config.
pub fn is_likely(text: &str) -> bool {
    text.lines().any(|line| {
        FIELDS.iter().any(|field| line.strip_prefix(field).is_some_and(|rest| rest.starts_with(':')))
    })
}

/// Reads a cloud-config and adds its files and commands to `host`.
pub fn read(text: &str, place: &Place, budget: &Budget, host: &mut HostState, problems: &mut Problems) {
    let manifest = Manifest::in_text(text, place);
    let is_marked = manifest.is_some();
    host.manifests.extend(manifest);
    let Some((document, root)) = Document::read(text, place, budget, problems) else { return };
    let fields = match &root.value {
        Value::Map(fields) if !root.written.has_tag("set") => fields,
        Value::Map(_) => {
            let problem = Diagnostic::error(
                Code::CloudConfigShape,
                "is a cloud-config with the tag `!!set`, and cloud-init reads only a map",
            );
            return problems.add(&document.place(&root), problem.hint("remove the tag"));
        }
        Value::Null => {
            return problems.add(place, Diagnostic::error(Code::UserDataEmpty, "has no keys, only comments"));
        }
        other => {
            let text = format!("is a cloud-config, which must be a map, got {}", kind_of(other));
            return problems.add(&document.place(&root), Diagnostic::error(Code::CloudConfigShape, text));
        }
    };
    let mut reader =
        Reader { document: &document, budget, host, problems, has_payload: false, tree: Tree::default() };
    let name_of = |key: &Node| match &key.value {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    };
    let last: HashMap<String, usize> =
        fields.iter().enumerate().filter_map(|(n, (key, _))| Some((name_of(key)?, n))).collect();
    for (n, (key, value)) in fields.iter().enumerate() {
        match &key.value {
            // The document's reader has reported that it is given twice.
            Value::Text(name) if last[name] != n => {}
            Value::Text(name) if name == "write_files" => reader.write_files(value, fields),
            Value::Text(name) => reader.field(name, key, value),
            Value::List(_) | Value::Map(_) | Value::Tagged(..) => {}
            other => {
                let scalar = document.scalar(key);
                let kind = scalar.map_or_else(|| kind_of(other), |scalar| scalar.name());
                let text = format!("a key is {kind}, and cloud-init ignores it");
                reader.add(key, Diagnostic::warning(Code::UnknownKey, text).hint("put it in quotes"));
            }
        }
    }
    if reader.has_payload && !is_marked {
        host.unmarked = Some(place.clone());
    }
}

/// Reads the fields of a document. `write_files.rs` extends it.
pub struct Reader<'a> {
    pub document: &'a Document<'a>,
    pub budget: &'a Budget,
    pub host: &'a mut HostState,
    pub problems: &'a mut Problems,
    /// True if the document writes a file to one of hostseed's own paths.
    pub has_payload: bool,
    /// The paths of the document's files.
    pub tree: Tree,
}

impl Reader<'_> {
    /// Adds a problem at the place of `node`.
    pub fn add(&mut self, node: &Node, problem: Diagnostic) {
        self.problems.add(&self.document.place(node), problem);
    }

    fn field(&mut self, name: &str, key: &Node, value: &Node) {
        match name {
            "runcmd" | "bootcmd" => self.commands(name, value),
            _ => {
                self.check_name(name, key);
                if matches!(name, "users" | "user") {
                    self.users(value);
                }
                self.gather(name, value);
            }
        }
    }

    /// Reports a field that cloud-init does not know. Fields that begin with `x-`, `_` or `.` are used for anchors.
    fn check_name(&mut self, name: &str, key: &Node) {
        if fields::TOP.contains(&name) || name.starts_with(['_', '.']) || name.starts_with("x-") {
            return;
        }
        if let Some(meant) = name.strip_prefix('\u{feff}').filter(|name| fields::TOP.contains(name)) {
            let text = format!(
                "has a byte order mark before `{meant}`, so cloud-init does not know the key, and ignores it"
            );
            let problem = Diagnostic::error(Code::UserDataText, text);
            return self.add(key, problem.hint("save it as UTF-8 without a byte order mark"));
        }
        let text = format!("cloud-init does not know the key `{}`, and ignores it", head(name));
        let problem = Diagnostic::warning(Code::UnknownKey, text);
        let near = misspelt(name, &FIELDS).or_else(|| misspelt(name, &fields::TOP));
        self.add(
            key,
            match (fields::of_another_program(name), near) {
                (Some(hint), _) => problem.hint(hint),
                (None, Some(near)) => problem.hint(format!("did you mean `{near}`?")),
                (None, None) => problem,
            },
        );
    }

    /// Checks the fields of users. cloud-init ignores fields that it does not know.
    fn users(&mut self, value: &Node) {
        let entries = match &value.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![value],
        };
        let is_list = matches!(value.value, Value::List(_));
        for entry in entries {
            let Value::Map(user) = &entry.value else { continue };
            if is_list && get(user, "name").is_none() {
                let text = "an entry of `users` has no `name`, so cloud-init applies it to the default user";
                let problem = Diagnostic::warning(Code::UnknownKey, text);
                self.add(entry, problem.hint("add `name: …`, or write `name: default`"));
            }
            // `users: {NAME: {…}}`
            let maps = user.iter().filter_map(|(_, value)| match &value.value {
                Value::Map(fields) if !is_list => Some(fields),
                _ => None,
            });
            let of_names: Vec<&(Node, Node)> = maps.flatten().collect();
            let own: Vec<&(Node, Node)> = if of_names.is_empty() { user.iter().collect() } else { of_names };
            for (key, _) in own {
                let Value::Text(name) = &key.value else { continue };
                if fields::USER.contains(&name.replace('-', "_").as_str()) {
                    continue;
                }
                let text = format!("a user has the unknown key `{}`, which cloud-init ignores", head(name));
                let near = match name.as_str() {
                    "home" => Some("homedir"),
                    "password" => Some("passwd"),
                    _ => misspelt(name, &fields::USER),
                };
                let problem = Diagnostic::warning(Code::UnknownKey, text);
                self.add(key, problem.maybe_hint(near.map(|near| format!("did you mean `{near}`?"))));
            }
        }
    }

    /// Reads the commands that cloud-init's `shellify` writes into a script. If one item has the wrong type, cloud-init runs none
    /// of them.
    fn commands(&mut self, field: &str, value: &Node) {
        let Value::List(items) = &value.value else {
            let text = format!("`{field}` must be a list of commands, got {}", kind_of(&value.value));
            return self.add(
                value,
                Diagnostic::error(Code::CloudConfigShape, text).hint("begin each command with `- `"),
            );
        };
        for item in items {
            let command = match (&item.value, self.document.scalar(item)) {
                (_, Some(Scalar::Null)) => continue,
                (Value::Text(text), Some(Scalar::Text)) => text.clone(),
                (Value::List(words), _) => match self.words(field, words) {
                    Some(command) => command,
                    None => continue,
                },
                (other, scalar) => {
                    let kind = scalar.map_or_else(|| kind_of(other), |scalar| scalar.name());
                    let text = format!(
                        "a command of `{field}` must be a string or a list of strings, got {kind}, so cloud-init runs none of the commands"
                    );
                    let hint = match other {
                        Value::Map(_) => "put the whole command in quotes, because `: ` makes it a map",
                        _ => "put it in quotes",
                    };
                    self.add(item, Diagnostic::error(Code::CommandType, text).hint(hint));
                    continue;
                }
            };
            self.inline(field, item, command);
        }
    }

    /// Joins the words of a command that is a list into one line, for the later checks.
    fn words(&mut self, field: &str, words: &[Node]) -> Option<String> {
        let mut line = Vec::new();
        for word in words {
            match &word.value {
                Value::Text(text) => {
                    self.check_word(field, word, text);
                    line.push(text.clone());
                }
                Value::Number(text) if self.reads_as_written(word, text) => {
                    let text = text.clone();
                    let problem = format!(
                        "an argument in `{field}` is a number, which cloud-init's schema does not allow"
                    );
                    self.add(word, Diagnostic::warning(Code::CommandType, problem).hint("put it in quotes"));
                    line.push(text);
                }
                Value::Number(text) => {
                    self.check_word(field, word, text);
                    line.push(text.clone());
                }
                Value::Bool(_) | Value::Null => self.check_word(field, word, ""),
                other => {
                    let text = format!("an argument in `{field}` must be a string, got {}", kind_of(other));
                    self.add(word, Diagnostic::error(Code::CommandType, text).hint("put it in quotes"));
                    return None;
                }
            }
        }
        Some(line.join(" "))
    }

    /// Returns whether Python prints a number as it is written: `0600` becomes `384`.
    fn reads_as_written(&self, word: &Node, written: &str) -> bool {
        match self.document.scalar(word) {
            Some(Scalar::Int(Some(number))) => number.to_string() == written,
            _ => true,
        }
    }

    /// Warns about a word that is not a text in YAML 1.1. cloud-init passes on Python's representation of the value: `0600`
    /// becomes `384`, `yes` becomes `True`.
    fn check_word(&mut self, field: &str, word: &Node, written: &str) {
        let read = match self.document.scalar(word) {
            Some(Scalar::Int(Some(number))) if number.to_string() != written => {
                format!("the number {number}")
            }
            Some(scalar @ (Scalar::Bool | Scalar::Null | Scalar::Timestamp | Scalar::Refused)) => {
                scalar.name().to_owned()
            }
            _ => return,
        };
        let text =
            format!("an argument in `{field}` is not passed on as written, because cloud-init reads {read}");
        self.add(word, Diagnostic::warning(Code::CommandType, text).hint("put it in quotes"));
    }

    /// Adds all texts below a field to the inline texts, because they may contain a private key.
    fn gather(&mut self, name: &str, node: &Node) {
        match &node.value {
            Value::Text(text) => self.inline(name, node, text.clone()),
            Value::List(items) => items.iter().for_each(|item| self.gather(name, item)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    match &key.value {
                        Value::Text(key) => self.gather(&within(name, key), value),
                        _ => self.gather(name, value),
                    }
                }
            }
            Value::Tagged(_, content) => self.gather(name, content),
            _ => {}
        }
    }

    fn inline(&mut self, name: &str, node: &Node, text: String) {
        // `may_hold_key` scans the text several times.
        if !self.budget.take(5 * text.len()) {
            return;
        }
        if matches!(name, "runcmd" | "bootcmd") {
            self.host.run(&text);
        }
        // Positions are computed only for texts that a later check needs.
        if encoded::may_hold_key(&text) || text.contains("sha256sum") {
            let place = self.document.place(node);
            self.host.inline.push(InlineText { place, name: name.to_owned(), text: Secret::new(text) });
        }
    }
}

/// The path of a field below another one. It stops growing at a limit, because it is built anew for each field below.
pub fn within(name: &str, key: &str) -> String {
    const LONGEST: usize = 200;
    let name = if name.len() < LONGEST { format!("{name}.{}", head(key)) } else { name.to_owned() };
    name.trim_start_matches('.').to_owned()
}

/// Returns the known name that was probably meant.
pub fn misspelt(name: &str, known: &[&'static str]) -> Option<&'static str> {
    const ALIKE: f64 = 0.93;
    // The cost of the similarity is the product of both lengths.
    const LONGEST: usize = 40;
    if name.len() > LONGEST {
        return None;
    }
    let wanted = name.to_lowercase().replace('-', "_");
    let likely = known.iter().map(|known| (strsim::jaro_winkler(known, &wanted), *known));
    let (_, near) =
        likely.filter(|(likeness, _)| *likeness > ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (near != name && !is_valid_lookalike(name)).then_some(near)
}

/// Names of cloud-init's own fields that resemble another known name.
fn is_valid_lookalike(name: &str) -> bool {
    matches!(name, "user" | "package_reboot_if_required" | "ssh" | "package_update" | "package_upgrade")
}
