//! Reads an Ignition config, specification 3: files, units and merged configs. Any error in a config prevents the boot.

use data_url::DataUrl;
use serde_json::Value;

use super::{check, fold};
use crate::diag::{Code, Diagnostic, Place};
use crate::digest::{sha256, sha512};
use crate::secret::Secret;
use crate::userdata::budget::Budget;
use crate::userdata::cloud_config::within;
use crate::userdata::encoded;
use crate::userdata::encoding::{self, Bytes};
use crate::userdata::host_state::{DEFAULT_MODE, File, HostState, InlineText};
use crate::userdata::manifest::{Found, Manifest, PAYLOAD_TYPE};
use crate::userdata::paths::{MANIFEST, UNITS};
use crate::userdata::problems::{Problems, cut};

/// Maximum depth of merges: a merged config can merge other configs.
const MAX_MERGES: usize = 8;

/// Reads a config and adds its files and units to `host`.
pub fn read(text: &[u8], place: &Place, budget: &Budget, host: &mut HostState, problems: &mut Problems) {
    host.ignition = true;
    Reader { budget, host, problems, has_payload: false }.all(text, place);
}

struct Reader<'a> {
    budget: &'a Budget,
    host: &'a mut HostState,
    problems: &'a mut Problems,
    /// True if the media type of a data URL marks a hostseed payload.
    has_payload: bool,
}

impl Reader<'_> {
    fn all(&mut self, text: &[u8], place: &Place) {
        self.config(text, place, 0);
        let manifest = self.host.file(MANIFEST).map(|file| Manifest::from_json(file.text().trim()));
        if manifest.is_none() && self.has_payload && !self.host.unreadable.contains(MANIFEST) {
            self.host.unmarked = Some(place.clone());
        }
        let found = manifest.map(|manifest| Found { place: place.clone(), lines: 0, manifest });
        self.host.manifests.extend(found);
    }

    fn config(&mut self, text: &[u8], place: &Place, depth: usize) {
        let Some(config) = fold::read(text, place, self.budget, self.problems) else { return };
        let Some(version) = config.pointer("/ignition/version").and_then(Value::as_str) else {
            let problem = Diagnostic::error(
                Code::IgnitionConfig,
                "is JSON, but not an Ignition config: it has no `ignition.version`",
            );
            return self.problems.add(
                place,
                problem.hint("user-data is a cloud-config, a script, a MIME archive or an Ignition config"),
            );
        };
        match check::minor(version) {
            Some(minor) => check::check(&config, minor, place, self.budget, self.problems),
            None => self.unknown_version(version, place),
        }
        self.merged(&config, place, depth);
        for (n, file) in list(&config, "/storage/files") {
            self.file(file, &place.within(format!("storage.files[{n}]")));
        }
        for (n, unit) in list(&config, "/systemd/units") {
            self.unit(unit, &place.within(format!("systemd.units[{n}]")));
        }
        self.gather(&config, place, "");
    }

    fn unknown_version(&mut self, version: &str, place: &Place) {
        let version = version.escape_debug();
        // Flatcar also boots from specification 2, which no other system supports any more.
        let problem = match version.to_string().starts_with("2.") {
            true => Diagnostic::warning(
                Code::IgnitionConfig,
                format!(
                    "has version {version} of Ignition's specification, which only Flatcar supports: it was not checked"
                ),
            ),
            false => Diagnostic::error(
                Code::IgnitionConfig,
                format!("has version {version} of Ignition's specification, which Ignition does not support"),
            ),
        };
        self.problems.add(place, problem.hint("use version 3.4.0"));
    }

    fn merged(&mut self, config: &Value, place: &Place, depth: usize) {
        for key in ["merge", "replace"] {
            let pointer = format!("/ignition/config/{key}");
            let found = config.pointer(&pointer);
            let configs = match found {
                Some(Value::Array(all)) => all.iter().collect(),
                Some(one @ Value::Object(_)) => vec![one],
                _ => Vec::new(),
            };
            for (n, resource) in configs.into_iter().enumerate() {
                let place = place.within(format!("ignition.config.{key}[{n}]"));
                if depth >= MAX_MERGES {
                    self.problems.add(
                        &place,
                        Diagnostic::error(
                            Code::VerifyLimit,
                            format!("merges configs that are nested more than {MAX_MERGES} deep"),
                        ),
                    );
                } else if let Some(bytes) = self.resource(resource, &place, "the merged config") {
                    self.config(&bytes, &place, depth + 1);
                }
            }
        }
    }

    fn file(&mut self, file: &Value, place: &Place) {
        let Some(path) = file.get("path").and_then(Value::as_str) else { return };
        let mode = self.mode(file, path, place);
        let owner = file.pointer("/user/name").and_then(Value::as_str).map(str::to_owned);
        let owner = owner.or_else(|| file.pointer("/user/id").map(Value::to_string));
        for (_, appended) in list(file, "/append") {
            self.resource(appended, place, &format!("`{path}`"));
        }
        let Some(contents) = file.get("contents") else { return };
        let Some(bytes) = self.resource(contents, place, &format!("`{path}`")) else {
            self.host.unreadable.insert(path.to_owned());
            return;
        };
        // The cost includes the path, because problems and the file copy it.
        if !self.budget.take(64 + 2 * path.len() + bytes.len()) {
            return;
        }
        let file = File { place: place.clone(), path: path.to_owned(), mode, owner, bytes };
        self.host.put(file, false, self.problems);
    }

    /// Returns the mode of a file. JSON has only decimal numbers: 0644 is 420.
    fn mode(&mut self, file: &Value, path: &str, place: &Place) -> u32 {
        let Some(value) = file.get("mode") else { return DEFAULT_MODE };
        let mode = value.as_u64().and_then(|mode| u32::try_from(mode).ok()).filter(|mode| *mode <= 0o7777);
        let Some(mode) = mode else { return DEFAULT_MODE };
        // These numbers look like the octal digits of a usual mode. As decimal numbers, none of them is a usual mode.
        if matches!(
            mode,
            400 | 440 | 444 | 600 | 640 | 644 | 660 | 664 | 666 | 700 | 750 | 755 | 770 | 775 | 777
        ) {
            let meant = u32::from_str_radix(&mode.to_string(), 8).unwrap_or(DEFAULT_MODE);
            let text = format!("`{path}`: `mode` is decimal, and {mode} is mode {mode:04o}");
            self.problems.add(
                place,
                Diagnostic::error(Code::FileMode, text).hint(format!("write {meant} for mode {meant:04o}")),
            );
        }
        mode
    }

    /// Returns the content of a resource. Only data URLs contain it; the host fetches other URLs.
    fn resource(&mut self, resource: &Value, place: &Place, what: &str) -> Option<Bytes> {
        let source = resource.get("source").and_then(Value::as_str)?;
        if !source.starts_with("data:") {
            let scheme = source.split(':').next().unwrap_or_default();
            self.host.leave_unchecked(|| {
                format!("{}, which the host downloads with {}", cut(what), cut(scheme).escape_debug())
            });
            return None;
        }
        let report = |this: &mut Self, problem: Diagnostic| {
            this.problems.add(place, problem.about(format_args!("the content of {what}")));
            None
        };
        // The cost of decoding and of the checksum.
        if !self.budget.take(2 * source.len()) {
            return None;
        }
        let Ok(url) = DataUrl::process(source) else {
            // The check of the config reports it.
            return None;
        };
        let media_type = url.mime_type();
        self.has_payload |= format!("{}/{}", media_type.type_, media_type.subtype) == PAYLOAD_TYPE;
        let Ok((decoded, _)) = url.decode_to_vec() else {
            return report(
                self,
                Diagnostic::error(Code::UserDataDamaged, "is base64 that is cut short or damaged")
                    .hint("render the user-data again"),
            );
        };
        let decoded: Bytes = Secret::new(decoded);
        let bytes = match resource.get("compression").and_then(Value::as_str) {
            None | Some("") => decoded,
            Some("gzip") if decoded.starts_with(&encoding::GZIP) => {
                match encoding::gunzip(&decoded, self.budget) {
                    Ok(bytes) => bytes,
                    Err(problem) => return report(self, problem),
                }
            }
            Some("gzip") => {
                return report(self, Diagnostic::error(Code::FileEncoding, "must be gzip, but is not"));
            }
            // The check of the config reports it.
            Some(_) => return None,
        };
        if let Some(hash) = resource.pointer("/verification/hash").and_then(Value::as_str) {
            let found = match hash.split_once('-') {
                Some(("sha256", _)) => format!("sha256-{}", sha256(&bytes)),
                _ => format!("sha512-{}", sha512(&bytes)),
            };
            if !found.eq_ignore_ascii_case(hash) {
                report(
                    self,
                    Diagnostic::error(
                        Code::PayloadDamaged,
                        format!("is damaged: its checksum is not {}", hash.escape_debug()),
                    ),
                );
                self.host.damaged.insert(what.to_owned());
            }
        }
        Some(bytes)
    }

    fn unit(&mut self, unit: &Value, place: &Place) {
        let Some(name) = unit.get("name").and_then(Value::as_str) else { return };
        if unit.get("enabled") == Some(&Value::Bool(true)) {
            self.host.enabled.push(name.to_owned());
        }
        if let Some(contents) = unit.get("contents").and_then(Value::as_str) {
            self.put_unit(format!("{UNITS}/{name}"), contents, place);
        }
        for (n, drop_in) in list(unit, "/dropins") {
            let place = place.within(format!("dropins[{n}]"));
            let field = |field: &str| drop_in.get(field).and_then(Value::as_str);
            // A drop-in without contents is an empty file.
            if let (Some(file), Some(contents)) = (field("name"), field("contents")) {
                self.put_unit(format!("{UNITS}/{name}.d/{file}"), contents, &place);
            }
        }
    }

    fn put_unit(&mut self, path: String, contents: &str, place: &Place) {
        if !self.budget.take(64 + 2 * path.len() + 2 * contents.len()) {
            return;
        }
        let bytes = Secret::new(contents.as_bytes().to_vec());
        self.host.run(contents);
        let file = File { place: place.clone(), path, mode: DEFAULT_MODE, owner: None, bytes };
        self.host.put(file, false, self.problems);
    }

    /// Adds all texts that may contain a private key to the inline texts. Data URLs are checked as files.
    fn gather(&mut self, value: &Value, place: &Place, name: &str) {
        match value {
            Value::String(text)
                if !text.starts_with("data:")
                    && self.budget.take(5 * text.len())
                    && encoded::may_hold_key(text) =>
            {
                let text = Secret::new(text.clone());
                self.host.inline.push(InlineText { place: place.clone(), name: name.to_owned(), text });
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(n, item)| self.gather(item, place, &format!("{name}[{n}]"))),
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.gather(value, place, &within(name, key));
                }
            }
            _ => {}
        }
    }
}

fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten().enumerate()
}
