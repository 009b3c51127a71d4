//! The faults for which Ignition refuses a config: wrong types, and the rules of `config/v3_*/types` of Ignition. It does not boot with such a
//! config. `tests/interop/ignition.rs` compares the verdicts with those of `ignition-validate`.

use std::collections::HashSet;
use std::path::{Component, Path};

use serde_json::Value;

use super::data_url;
use super::schema::{CONFIG, Map, Shape};
use crate::diag::{Code, Diagnostic, Place};
use crate::userdata::budget::Budget;
use crate::userdata::problems::Problems;

/// The newest minor version of specification 3 that Ignition supports: 3.6.0 (Ignition 2.26). The next one is experimental.
const NEWEST: u64 = 6;

/// The check of a map besides the types of its fields.
#[derive(Clone, Copy)]
pub enum Rule {
    None,
    Proxy,
    Header,
    Verification,
    Resource,
    RequiredResource,
    Owner,
    Node,
    File,
    Link,
    Disk,
    Partition,
    Filesystem,
    Raid,
    Luks,
    ClevisCustom,
    Tang,
    Storage,
    KernelArguments,
    Unit,
    Dropin,
}

/// The minor version of specification 3: `3.MINOR.0`, or an experimental one (Ignition 2.14 has 3.4 only so).
pub fn minor(version: &str) -> Option<u64> {
    let (version, experimental) = match version.strip_suffix("-experimental") {
        Some(version) => (version, true),
        None => (version, false),
    };
    let minor = version.strip_prefix("3.")?.strip_suffix(".0")?;
    let is_plain = minor == "0" || !minor.starts_with('0');
    let minor = minor.parse().ok().filter(|_| is_plain && minor.bytes().all(|b| b.is_ascii_digit()))?;
    (minor <= NEWEST + u64::from(experimental)).then_some(minor)
}

/// Reports everything that Ignition refuses. The fields of newer versions are ignored, as Ignition does.
pub fn check(config: &Value, minor: u64, place: &Place, budget: &Budget, problems: &mut Problems) {
    Check { minor, place, budget, problems }.map(config, &CONFIG, "");
}

struct Check<'a> {
    minor: u64,
    place: &'a Place,
    budget: &'a Budget,
    problems: &'a mut Problems,
}

fn within(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl Check<'_> {
    /// Adds an error about the field at `path`.
    fn refuse(&mut self, path: &str, why: &str) {
        let text = format!("`{}` {why}, so Ignition refuses the config", path.escape_debug());
        self.problems.add(self.place, Diagnostic::error(Code::IgnitionConfig, text));
    }

    fn map(&mut self, value: &Value, map: &Map, path: &str) {
        let minor = self.minor;
        for field in map.fields.iter().filter(|field| field.since <= minor) {
            let Some(inner) = value.get(field.name).filter(|inner| !inner.is_null()) else { continue };
            self.value(inner, &field.shape, &within(path, field.name));
        }
        self.rule(value, map.rule, path);
    }

    fn value(&mut self, value: &Value, shape: &Shape, path: &str) {
        let expected = match shape {
            Shape::Text if !value.is_string() => "must be a string",
            Shape::Integer if value.as_i64().is_none() => "must be a whole number",
            Shape::Switch if !value.is_boolean() => "must be `true` or `false`",
            Shape::Texts { .. } | Shape::List(_) if !value.is_array() => "must be a list",
            Shape::Map(_) if !value.is_object() => "must be a map",
            Shape::Map(map) => return self.map(value, map, path),
            Shape::Texts { repeats } => return self.texts(value, *repeats, path),
            Shape::List(map) => return self.list(value, map, path),
            _ => return,
        };
        self.refuse(path, expected);
    }

    fn texts(&mut self, value: &Value, repeats: bool, path: &str) {
        let mut seen = HashSet::new();
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            if !self.budget.take(64 + 2 * path.len()) {
                return;
            }
            match item.as_str() {
                None if item.is_null() => {}
                None => self.refuse(&format!("{path}[{n}]"), "must be a string"),
                Some(text) if !repeats && !seen.insert(text) => {
                    self.refuse(&format!("{path}[{n}]"), "is a duplicate")
                }
                Some(_) => {}
            }
        }
    }

    fn list(&mut self, value: &Value, map: &Map, path: &str) {
        let mut seen = HashSet::new();
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            if !self.budget.take(256 + 2 * path.len()) {
                return;
            }
            let path = format!("{path}[{n}]");
            if !item.is_object() && !item.is_null() {
                self.refuse(&path, "must be a map");
                continue;
            }
            self.map(item, map, &path);
            if map.key.is_some_and(|key| !seen.insert(key(item))) {
                self.refuse(&path, "is a duplicate");
            }
        }
    }

    fn rule(&mut self, value: &Value, rule: Rule, path: &str) {
        let texts = Texts(value);
        match rule {
            Rule::None => {}
            Rule::Proxy => {
                for name in ["httpProxy", "httpsProxy"] {
                    if texts.any(name).is_some_and(|url| !matches!(scheme(url), Some("http" | "https"))) {
                        self.refuse(&within(path, name), "must be an http or https URL");
                    }
                }
            }
            Rule::Header => {
                if texts.get("name").is_none() {
                    self.refuse(&within(path, "name"), "must not be empty");
                }
                if texts.any("value") == Some("") {
                    self.refuse(&within(path, "value"), "must not be empty");
                }
            }
            Rule::Verification => self.hash(texts, path),
            Rule::Resource => self.resource(texts, path),
            Rule::RequiredResource => {
                self.resource(texts, path);
                let required = self.minor >= 1 || path.contains("certificateAuthorities");
                if required && texts.get("source").is_none() {
                    self.refuse(&within(path, "source"), "is missing");
                }
            }
            Rule::Owner => {
                if texts.number("id").is_some() && texts.get("name").is_some() {
                    self.refuse(path, "must not have both `id` and `name`");
                }
            }
            Rule::Node => self.node(texts, path),
            Rule::File => {
                self.node(texts, path);
                let source = value.pointer("/contents/source").is_some_and(Value::is_string);
                if texts.is("overwrite", true) && !source {
                    self.refuse(path, "has `overwrite` but no `contents.source`");
                }
            }
            Rule::Link => {
                self.path(texts.any("path").unwrap_or_default(), &within(path, "path"));
                if self.minor >= 3 && texts.get("target").is_none() {
                    self.refuse(&within(path, "target"), "is missing");
                }
            }
            Rule::Disk => self.disk(value, path),
            Rule::Partition => self.partition(texts, path),
            Rule::Filesystem => self.filesystem(texts, path),
            Rule::Raid => self.raid(texts, path),
            Rule::Luks => self.luks(texts, path),
            Rule::ClevisCustom => self.clevis(texts, path),
            Rule::Tang => {
                if !texts.any("url").is_some_and(|url| matches!(scheme(url), Some("http" | "https"))) {
                    self.refuse(&within(path, "url"), "must be an http or https URL");
                }
                if texts.get("thumbprint").is_none() {
                    self.refuse(&within(path, "thumbprint"), "is missing");
                }
                let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
                if self.minor >= 4 && texts.get("advertisement").is_some_and(|text| !is_json(text)) {
                    self.refuse(&within(path, "advertisement"), "must be JSON");
                }
            }
            Rule::Storage => self.storage(value, path),
            Rule::KernelArguments => {
                let all = |name| {
                    value.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
                };
                let first: HashSet<&str> = all("shouldExist").collect();
                if all("shouldNotExist").any(|argument| first.contains(argument)) {
                    self.refuse(path, "has the same argument in `shouldExist` and `shouldNotExist`");
                }
            }
            Rule::Unit => {
                const TYPES: [&str; 12] = [
                    "service",
                    "socket",
                    "device",
                    "mount",
                    "automount",
                    "swap",
                    "target",
                    "path",
                    "timer",
                    "snapshot",
                    "slice",
                    "scope",
                ];
                let name = texts.any("name").unwrap_or_default();
                if !extension(name).is_some_and(|extension| TYPES.contains(&extension)) {
                    self.refuse(
                        &within(path, "name"),
                        "must end with the type of a unit, such as `.service`",
                    );
                }
                self.unit_text(texts, path);
            }
            Rule::Dropin => {
                if extension(texts.any("name").unwrap_or_default()) != Some("conf") {
                    self.refuse(&within(path, "name"), "must end with `.conf`");
                }
                self.unit_text(texts, path);
            }
        }
    }

    fn path(&mut self, text: &str, path: &str) {
        if !is_clean(text) {
            self.refuse(path, "must be an absolute path without `.`, `..`, `//` and a final `/`");
        }
    }

    fn node(&mut self, texts: Texts, path: &str) {
        self.path(texts.any("path").unwrap_or_default(), &within(path, "path"));
        // The check of the file itself tells if a mode is improbable.
        if texts.number("mode").is_some_and(|mode| !(0..=0o7777).contains(&mode)) {
            self.refuse(&within(path, "mode"), "must be a number from 0 to 4095");
        }
    }

    fn hash(&mut self, texts: Texts, path: &str) {
        let Some(hash) = texts.any("hash") else { return };
        let length = match hash.split_once('-') {
            Some(("sha512", sum)) => sum.len() == 128,
            Some(("sha256", sum)) if self.minor >= 1 => sum.len() == 64,
            _ => false,
        };
        if !length {
            self.refuse(
                &within(path, "hash"),
                "must be `sha512-` and 128 hexadecimal digits, or `sha256-` and 64",
            );
        }
    }

    fn resource(&mut self, texts: Texts, path: &str) {
        if texts.any("compression").is_some_and(|compression| !["", "gzip"].contains(&compression)) {
            self.refuse(&within(path, "compression"), "must be `gzip`");
        }
        let hash = texts.0.pointer("/verification/hash").is_some_and(Value::is_string);
        if hash && texts.any("source").is_none() {
            self.refuse(&within(path, "verification"), "needs a `source`");
        }
        if let Some(source) = texts.get("source") {
            if !self.budget.take(source.len()) {
                return;
            }
            if let Err(why) = self.url(source) {
                self.refuse(&within(path, "source"), why);
            }
        }
        let headers = texts.0.get("httpHeaders").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        if self.minor >= 1
            && headers
            && !matches!(texts.get("source").and_then(scheme), Some("http" | "https"))
        {
            self.refuse(&within(path, "httpHeaders"), "needs a `source` with http or https");
        }
    }

    fn url(&self, url: &str) -> Result<(), &'static str> {
        match scheme(url) {
            Some("data") => data_url::check(url),
            Some("http" | "https" | "tftp") => Ok(()),
            Some("gs") if self.minor >= 1 => Ok(()),
            Some("s3") => match url.contains("versionId=&") || url.ends_with("versionId=") {
                true => Err("has an empty `versionId`"),
                false => Ok(()),
            },
            Some("arn") if self.minor >= 4 => Ok(()),
            _ => Err("must be a URL with data, http, https, tftp, gs or s3"),
        }
    }

    fn unit_text(&mut self, texts: Texts, path: &str) {
        let Some(contents) = texts.any("contents") else { return };
        if let Err(why) = unit_syntax(contents) {
            self.refuse(&within(path, "contents"), why);
        }
    }

    fn disk(&mut self, disk: &Value, path: &str) {
        self.path(Texts(disk).any("device").unwrap_or_default(), &within(path, "device"));
        let all: Vec<Texts> =
            disk.get("partitions").and_then(Value::as_array).into_iter().flatten().map(Texts).collect();
        let path = within(path, "partitions");
        let mut labels = HashSet::new();
        if all.iter().filter_map(|partition| partition.any("label")).any(|label| !labels.insert(label)) {
            self.refuse(&path, "has two partitions with the same label");
        }
        let zero = all.iter().any(|partition| partition.number("number").unwrap_or_default() == 0);
        if zero && all.iter().any(|partition| partition.is("shouldExist", false)) {
            self.refuse(&path, "has a partition without a number beside one that should not exist");
        }
        let mut ranges: Vec<(i64, i64)> = all
            .iter()
            .filter_map(|partition| {
                let (start, size) = (partition.number("startMiB")?, partition.number("sizeMiB")?);
                let end = if size == 0 { start } else { start.saturating_add(size).saturating_sub(1) };
                (start != 0).then_some((start, end))
            })
            .collect();
        ranges.sort_unstable();
        if ranges.windows(2).any(|pair| pair[1].0 <= pair[0].1) {
            self.refuse(&path, "has partitions that overlap");
        }
    }

    fn partition(&mut self, texts: Texts, path: &str) {
        let sizes = texts.number("startMiB").is_some() || texts.number("sizeMiB").is_some();
        let others =
            texts.any("label").is_some() || texts.get("typeGuid").is_some() || texts.get("guid").is_some();
        if texts.is("shouldExist", false) && (sizes || others) {
            self.refuse(path, "should not exist, and has other settings");
        }
        if texts.number("number").unwrap_or_default() == 0 && texts.any("label").is_none() {
            self.refuse(path, "needs a `number` or a `label`");
        }
        if texts.any("label").is_some_and(|label| label.len() > 36 || label.contains(':')) {
            self.refuse(&within(path, "label"), "must have at most 36 characters and no colon");
        }
        for name in ["guid", "typeGuid"] {
            if texts.get(name).is_some_and(|guid| !is_guid(guid)) {
                self.refuse(&within(path, name), "must be a GUID");
            }
        }
    }

    fn filesystem(&mut self, texts: Texts, path: &str) {
        if let Some(mounted) = texts.get("path") {
            self.path(mounted, &within(path, "path"));
        }
        self.path(texts.any("device").unwrap_or_default(), &within(path, "device"));
        let filled =
            |name: &str| texts.0.get(name).and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        let Some(format) = texts.get("format") else {
            let others = ["path", "label", "uuid"].iter().any(|name| texts.get(name).is_some());
            let mount = self.minor >= 1 && filled("mountOptions");
            if others || texts.is("wipeFilesystem", true) || filled("options") || mount {
                self.refuse(path, "needs a `format`");
            }
            return;
        };
        let longest = match format {
            "ext4" => 16,
            "btrfs" => 256,
            "xfs" => 12,
            "swap" => 15,
            "vfat" => 11,
            "none" if self.minor >= 3 => usize::MAX,
            _ => return self.refuse(&within(path, "format"), "must be ext4, btrfs, xfs, swap, vfat or none"),
        };
        if texts.get("label").is_some_and(|label| label.len() > longest) {
            self.refuse(&within(path, "label"), &format!("must have at most {longest} characters"));
        }
    }

    fn raid(&mut self, texts: Texts, path: &str) {
        let spares = texts.number("spares").is_some_and(|spares| spares != 0);
        match texts.any("level").unwrap_or_default() {
            "linear" | "raid0" | "0" | "stripe" if spares => {
                self.refuse(&within(path, "spares"), "is not supported for this level");
            }
            "linear" | "raid0" | "0" | "stripe" | "raid1" | "1" | "mirror" | "raid4" | "4" | "raid5"
            | "5" | "raid6" | "6" | "raid10" | "10" => {}
            _ => self.refuse(&within(path, "level"), "must be a RAID level like `raid1`"),
        }
        let devices = texts.0.get("devices").and_then(Value::as_array);
        if devices.is_none_or(Vec::is_empty) {
            self.refuse(&within(path, "devices"), "is missing");
        }
        for device in devices.into_iter().flatten() {
            self.path(device.as_str().unwrap_or_default(), &within(path, "devices"));
        }
    }

    fn luks(&mut self, texts: Texts, path: &str) {
        if texts.any("name").is_some_and(|name| name.contains('/')) {
            self.refuse(&within(path, "name"), "must not have a slash");
        }
        if texts.get("label").is_some_and(|label| label.len() > 47) {
            self.refuse(&within(path, "label"), "must have at most 47 characters");
        }
        self.path(texts.any("device").unwrap_or_default(), &within(path, "device"));
        let clevis = texts.0.get("clevis").filter(|clevis| clevis.is_object());
        let Some(clevis) = clevis else { return };
        let custom = match self.minor {
            2 => clevis.get("custom").is_some_and(Value::is_object),
            _ => clevis.pointer("/custom/pin").and_then(Value::as_str).is_some_and(|pin| !pin.is_empty()),
        };
        let tang = clevis.get("tang").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        let others = tang
            || Texts(clevis).is("tpm2", true)
            || Texts(clevis).number("threshold").is_some_and(|n| n != 0);
        if custom && others {
            self.refuse(&within(path, "clevis"), "must not have `custom` beside other settings");
        }
    }

    fn clevis(&mut self, texts: Texts, path: &str) {
        let (pin, config) = (texts.get("pin"), texts.get("config"));
        if pin.is_none() && config.is_none() && (self.minor == 2 || !texts.is("needsNetwork", true)) {
            return;
        }
        // 3.6 and newer accept the names of other pins.
        if pin.is_none_or(|pin| self.minor < 6 && !["tpm2", "tang", "sss"].contains(&pin)) {
            self.refuse(&within(path, "pin"), "must be tpm2, tang or sss");
        }
        if config.is_none() {
            self.refuse(&within(path, "config"), "is missing");
        }
    }

    /// Checks paths of different lists against each other.
    fn storage(&mut self, storage: &Value, path: &str) {
        let paths = |list: &str| -> Vec<&str> {
            let all = storage.get(list).and_then(Value::as_array).into_iter().flatten();
            all.map(|node| node.get("path").and_then(Value::as_str).unwrap_or_default()).collect()
        };
        let (directories, files, links) = (paths("directories"), paths("files"), paths("links"));
        let mut seen: HashSet<&str> = HashSet::new();
        for (list, paths) in [("directories", &directories), ("files", &files), ("links", &links)] {
            let own: HashSet<&str> = paths.iter().copied().collect();
            for used in &own {
                if !seen.insert(used) {
                    self.refuse(
                        &within(path, list),
                        &format!("has `{}`, which is in another list too", used.escape_debug()),
                    );
                }
            }
        }
        let all = [("directories", &directories), ("files", &files), ("links", &links)];
        let nodes = all.iter().flat_map(|(list, paths)| paths.iter().map(move |path| (*list, *path)));
        let nodes: Vec<(&str, &str)> = nodes.collect();
        let (count, length) = (nodes.len(), nodes.iter().map(|(_, path)| path.len()).sum::<usize>());
        // Sorting compares each path about as often as the number of paths has binary digits.
        if !self.budget.take((16 * count + length).saturating_mul(count.max(1).ilog2() as usize + 1)) {
            return;
        }
        for (n, above) in below_links(&nodes) {
            let (list, used) = nodes[n];
            let why = format!("has `{}` below the link `{}`", used.escape_debug(), above.escape_debug());
            self.refuse(&within(path, list), &why);
        }
        let directories: HashSet<&str> = directories.into_iter().collect();
        for link in storage.get("links").and_then(Value::as_array).into_iter().flatten().map(Texts) {
            let Some(target) = link.get("target").filter(|_| link.is("hard", true)) else { continue };
            let joined = Path::new(link.any("path").unwrap_or_default()).join(target);
            let target = joined.to_string_lossy();
            if directories.contains(cleaned(&target).as_str()) {
                self.refuse(&within(path, "links"), "has a hard link to a directory");
            }
        }
    }
}

/// Finds the paths below a link. Returns the index of each one with the outermost link above it.
fn below_links<'a>(nodes: &[(&str, &'a str)]) -> Vec<(usize, &'a str)> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    // A slash comes before all other bytes, so the paths below a link follow it. A link comes before other nodes with its path.
    let components = |n: &usize| nodes[*n].1.bytes().map(|b| if b == b'/' { 0 } else { b });
    order.sort_by(|a, b| components(a).cmp(components(b)).then(nodes[*b].0.cmp(nodes[*a].0)));
    let mut found = Vec::new();
    let mut link: Option<&str> = None;
    for n in order {
        let (list, path) = nodes[n];
        match link.filter(|link| path.strip_prefix(link).is_some_and(|rest| rest.starts_with('/'))) {
            Some(above) => found.push((n, above)),
            None if list == "links" && !path.is_empty() => link = Some(path),
            None => {}
        }
    }
    found.sort_unstable();
    found
}

/// Reads the fields of a map.
#[derive(Clone, Copy)]
struct Texts<'a>(&'a Value);

impl<'a> Texts<'a> {
    /// A text, which may be empty.
    fn any(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A text that is not empty.
    fn get(self, name: &str) -> Option<&'a str> {
        self.any(name).filter(|text| !text.is_empty())
    }

    fn number(self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    fn is(self, name: &str, value: bool) -> bool {
        self.0.get(name) == Some(&Value::Bool(value))
    }
}

/// The scheme of a URL, in lower case; none if it is no URL to Go's net/url.
fn scheme(url: &str) -> Option<&'static str> {
    const SCHEMES: [&str; 7] = ["data", "http", "https", "tftp", "gs", "s3", "arn"];
    let (scheme, rest) = url.split_once(':')?;
    let known = SCHEMES.into_iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
    let control = url.bytes().any(|b| b < 0x20 || b == 0x7f);
    let fine = match (known, rest.strip_prefix("//")) {
        (_, Some(rest)) => {
            let rest = rest.split('#').next().unwrap_or_default();
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            let path = rest[authority.len()..].split('?').next().unwrap_or_default();
            is_authority(authority) && has_valid_escapes(path)
        }
        // Opaque.
        (_, None) => true,
    };
    (fine && !control).then_some(known)
}

fn is_authority(authority: &str) -> bool {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = match host.rfind(']') {
        Some(end) => &host[end + 1..],
        None => host.find(':').map_or("", |at| &host[at..]),
    };
    let port_fine = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let bracket = host.starts_with('[') == host.contains(']');
    port_fine
        && bracket
        && !authority.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '}', '|'])
        && !authority.contains('%')
}

fn has_valid_escapes(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit))
}

/// As Go's path.IsAbs and path.Clean: the path is absolute and stays as it is when it is cleaned.
fn is_clean(text: &str) -> bool {
    match text.strip_prefix('/') {
        Some("") => true,
        Some(rest) => rest.split('/').all(|part| !matches!(part, "" | "." | "..")),
        None => false,
    }
}

/// As Go's path.Clean for an absolute path.
fn cleaned(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().unwrap_or_default()),
            Component::ParentDir => {
                parts.pop();
            }
            _ => {}
        }
    }
    format!("/{}", parts.join("/"))
}

fn is_guid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 5
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// As Go's path.Ext, without the dot.
fn extension(name: &str) -> Option<&str> {
    name.rsplit('/').next()?.rsplit_once('.').map(|(_, extension)| extension)
}

/// As `Deserialize` of github.com/coreos/go-systemd/unit: less strict than systemd, but Ignition refuses what it cannot read.
fn unit_syntax(text: &str) -> Result<(), &'static str> {
    let mut rest = text;
    let mut in_section = false;
    while let Some(c) = rest.chars().next() {
        match c {
            '[' => {
                let Some(end) = rest.find(']') else { return Err("has a section without `]`") };
                let (line, after) = next_line(&rest[end + 1..]);
                if !line.trim().is_empty() {
                    return Err("has text after the `]` of a section");
                }
                (rest, in_section) = (after, true);
            }
            '#' | ';' => loop {
                let (line, after) = next_line(rest);
                rest = after;
                if !line.strip_suffix(' ').unwrap_or(line).ends_with('\\') || rest.is_empty() {
                    break;
                }
            },
            c if !in_section || c.is_whitespace() => rest = &rest[c.len_utf8()..],
            _ => {
                let end = rest.find(['=', '\n', '\r']).ok_or("ends within a setting")?;
                if rest.as_bytes()[end] != b'=' {
                    return Err("has a line that is no setting");
                }
                rest = &rest[end + 1..];
                loop {
                    let (line, after) = next_line(rest);
                    rest = after;
                    if line.trim().is_empty() || !line.ends_with('\\') || rest.is_empty() {
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The first line without its end, and the rest.
fn next_line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_below_a_link_is_found_with_the_outermost_link() {
        let nodes = [
            ("directories", "/a/b"),
            ("files", "/a-b"),
            ("files", "/a"),
            ("files", "/ab/c"),
            ("files", "/a/b/c"),
            ("links", "/a"),
            ("links", "/a/b"),
            ("links", "/c/d"),
            ("files", "/c"),
            ("files", "/c/d/\u{e4}"),
            ("links", ""),
            ("files", "/c/dd"),
        ];
        assert_eq!(below_links(&nodes), [(0, "/a"), (4, "/a"), (6, "/a"), (9, "/c/d")]);
        assert!(below_links(&[]).is_empty());
    }

    #[test]
    fn clean_paths_are_those_that_go_does_not_change() {
        for (path, clean) in [
            ("/", true),
            ("/a", true),
            ("/a/.b/..c", true),
            ("", false),
            ("a", false),
            ("//", false),
            ("/a/", false),
            ("/a//b", false),
            ("/./a", false),
            ("/a/..", false),
        ] {
            assert_eq!(is_clean(path), clean, "{path}");
            assert_eq!(path.starts_with('/') && cleaned(path) == path, clean, "{path}");
        }
    }
}
