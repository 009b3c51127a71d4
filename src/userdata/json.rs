//! Finds user-data in JSON: in a cloud API's response, in the output of `terraform show -json`, or in a state file.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::budget::{Budget, MAX_INFLATED};
use super::content_type::Kind;
use super::encoding::{self, Bytes, GZIP};
use super::problems::{FETCH_AGAIN, Problems};
use super::{ignition, mime};
use crate::diag::{Code, Diagnostic, Place, Position};
use crate::secret::Secret;

/// Maximum number of values in a document. A Terraform state has about 50 values for each resource. Each value needs about 100
/// bytes of memory.
const MAX_VALUES: usize = 800_000;
/// The count of a list or a map that is not empty, in values: the memory that it reserves for its first items.
const BRANCH: usize = 5;
/// Maximum length of a text in bytes: as much as of a decompressed stream.
const MAX_TEXT: usize = MAX_INFLATED;
/// Maximum number of texts in a document that are treated as user-data. Each one is checked as a separate host.
pub const MAX_CANDIDATES: usize = 10_000;
/// Units of work for each value.
const COST: usize = 64;

/// A text that is user-data, or the value of a field for user-data.
pub struct Candidate {
    pub place: Place,
    pub bytes: Bytes,
}

/// Parses a document. Returns None if the JSON is not valid, which is reported, or if the budget is exhausted.
pub fn read(text: &[u8], place: &Place, budget: &Budget, problems: &mut Problems) -> Option<Value> {
    parse(text, place, budget, problems, |counter, json| Reader(counter).deserialize(json))
}

/// A reader of JSON in memory.
pub type Json<'a> = serde_json::Deserializer<serde_json::de::SliceRead<'a>>;

/// As [`read`], with another way to build the value.
pub fn parse<T>(
    text: &[u8],
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
    build: impl FnOnce(&Counter, &mut Json) -> serde_json::Result<T>,
) -> Option<T> {
    if !budget.take(text.len()) {
        return None;
    }
    let reader = Counter { budget, values: Cell::new(0), has_long_text: Cell::new(false) };
    let mut json = serde_json::Deserializer::from_slice(text);
    match build(&reader, &mut json).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Some(value),
        // The reader stopped because of the budget, which is reported elsewhere.
        Err(_) if budget.is_exhausted() => None,
        Err(_) if reader.has_long_text.get() => {
            let text = format!("has a text of more than {} MiB, the limit of `verify`", MAX_TEXT >> 20);
            problems.add(place, Diagnostic::error(Code::VerifyLimit, text));
            None
        }
        Err(error) => {
            let position = Some(Position { line: error.line(), column: error.column().max(1) });
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let problem = Diagnostic::error(Code::JsonSyntax, format!("is not valid JSON: {message}"));
            let problem = match error.is_eof() {
                true => problem.hint(FETCH_AGAIN),
                false => problem,
            };
            problems.add(&place.at(position), problem);
            None
        }
    }
}

/// Counts the values of a document, and stops its reader at the limits.
pub struct Counter<'a> {
    budget: &'a Budget,
    values: Cell<usize>,
    has_long_text: Cell<bool>,
}

impl Counter<'_> {
    /// Counts a value.
    ///
    /// # Errors
    /// There are too many.
    pub fn count<E: de::Error>(&self) -> Result<(), E> {
        self.count_as(1)
    }

    /// Counts the first item of a list or a map.
    ///
    /// # Errors
    /// There are too many values.
    pub fn count_branch<E: de::Error>(&self) -> Result<(), E> {
        self.count_as(BRANCH)
    }

    /// Counts and copies a text.
    ///
    /// # Errors
    /// There are too many values, or the text is too long.
    pub fn text<E: de::Error>(&self, text: &str) -> Result<String, E> {
        self.check_length(text)?;
        self.count().map(|()| text.to_owned())
    }

    fn check_length<E: de::Error>(&self, text: &str) -> Result<(), E> {
        self.has_long_text.set(text.len() > MAX_TEXT);
        if self.has_long_text.get() { Err(E::custom("a long text")) } else { Ok(()) }
    }

    fn count_as<E: de::Error>(&self, values: usize) -> Result<(), E> {
        self.values.set(self.values.get() + values);
        if self.values.get() > MAX_VALUES {
            self.budget.exhaust();
        }
        match self.budget.take(COST) {
            true => Ok(()),
            false => Err(E::custom("too many values")),
        }
    }
}

/// Builds a JSON value.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a Counter<'a>);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.0.count().map(|()| Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.0.count().map(|()| value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.0.count().map(|()| value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.0.count().map(|()| value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.0.count().map(|()| value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.0.text(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.0.count()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            if items.is_empty() {
                self.0.count_branch()?;
            }
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.0.count()?;
        let mut fields = serde_json::Map::new();
        while let Some(name) = map.next_key_seed(Name(self.0))? {
            if fields.is_empty() {
                self.0.count_branch()?;
            }
            fields.insert(name, map.next_value_seed(self)?);
        }
        Ok(Value::Object(fields))
    }
}

/// Reads the name of a field.
pub struct Name<'a>(pub &'a Counter<'a>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<String, E> {
        self.0.check_length(name).map(|()| name.to_owned())
    }
}

/// Returns all user-data in a document, in the document's order. Places are paths in `jq` syntax.
pub fn candidates(value: Value, place: &Place, budget: &Budget, problems: &mut Problems) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut hidden = Vec::new();
    walk(value, &mut Vec::new(), false, &mut |steps, named, text| {
        if found.len() >= MAX_CANDIDATES {
            budget.exhaust();
        }
        if !budget.take(2 * text.len() + COST) {
            return;
        }
        let within = || place.within(steps.iter().map(ToString::to_string).collect::<String>());
        match judge(named, &text, budget) {
            Judged::Seed => found.push(Candidate { place: within(), bytes: Secret::new(text.into_bytes()) }),
            Judged::Digest => hidden.push(within()),
            Judged::Nothing => {}
        }
    });
    for place in hidden {
        problems.add(&place, only_its_digest());
    }
    found
}

/// One step of a path.
enum Step {
    Item(usize),
    Field(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Item(n) => write!(f, "[{n}]"),
            Self::Field(name)
                if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') =>
            {
                write!(f, ".{name}")
            }
            Self::Field(name) => write!(f, ".[{name:?}]"),
        }
    }
}

/// The result of [`judge`].
pub enum Judged {
    Seed,
    /// The SHA-1 of user-data. Terraform's AWS provider before 6.0 stores this instead of the user-data.
    Digest,
    Nothing,
}

/// Decides whether a text is user-data. `named` is true for the value of a user-data field: such a text counts as user-data even
/// if it does not look like it, so that damaged user-data is reported.
pub fn judge(named: bool, text: &str, budget: &Budget) -> Judged {
    let is_digest = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match named {
        true if is_digest => Judged::Digest,
        true if !text.trim().is_empty() => Judged::Seed,
        _ if is_seed(text, budget) => Judged::Seed,
        _ => Judged::Nothing,
    }
}

/// The problem to report if an input has only the SHA-1 of the user-data.
fn only_its_digest() -> Diagnostic {
    Diagnostic::warning(
        Code::HiddenUserData,
        "is only the SHA-1 of the user-data, which older Terraform providers store instead of it",
    )
    .hint("verify the user-data file itself, or the response of the cloud's API")
}

/// Returns whether a field with this name contains user-data: `user_data`, `UserData`, `customData`, `user_data_base64`,
/// `guestinfo.userdata`, …
pub fn is_user_data(name: &str) -> bool {
    let bare: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_lowercase();
    let bare = bare.trim_end_matches("base64").trim_end_matches("gzip").trim_end_matches("encoded");
    bare.ends_with("userdata") || bare.ends_with("customdata")
}

fn is_seed(text: &str, budget: &Budget) -> bool {
    let begins = |text: &str| {
        Kind::of(text).is_some()
            || mime::is_message(text)
            || (text.trim_start().starts_with('{') && ignition::names_itself(text))
    };
    begins(text)
        || (encoding::is_base64(text.as_bytes())
            && encoding::unbase64(text.as_bytes(), budget)
                .is_ok_and(|plain| plain.starts_with(&GZIP) || std::str::from_utf8(&plain).is_ok_and(begins)))
}

/// Calls `take` with each text, its path, and whether it is the value of a user-data field.
fn walk(value: Value, path: &mut Vec<Step>, named: bool, take: &mut dyn FnMut(&[Step], bool, String)) {
    match value {
        Value::String(text) => take(path, named, text),
        Value::Array(items) => {
            for (n, item) in items.into_iter().enumerate() {
                path.push(Step::Item(n));
                walk(item, path, named, take);
                path.pop();
            }
        }
        Value::Object(fields) => {
            // Google's metadata has the format `{"key": "user-data", "value": …}`.
            let key = fields.get("key").and_then(Value::as_str).is_some_and(is_user_data);
            let has_value = fields.contains_key("value");
            for (name, value) in fields {
                // In a state file, such a `type` describes the type of `value`.
                if name == "type" && value.is_array() && has_value {
                    continue;
                }
                // Only `value` and `Value` inherit `named`. Other fields below are Terraform's metadata, not user-data.
                let named = is_user_data(&name)
                    || (key && name == "value")
                    || (named && matches!(name.as_str(), "Value" | "value"));
                path.push(Step::Field(name));
                walk(value, path, named, take);
                path.pop();
            }
        }
        _ => {}
    }
}
