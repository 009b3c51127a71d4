//! Reads a config's JSON as Go's `encoding/json` decodes it into Ignition's types: the names of fields may differ in case, and
//! fields that are given several times are merged. So a config has the same meaning here as on the host.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::schema::{self, CONFIG, Shape};
use crate::diag::{Code, Diagnostic, Place};
use crate::userdata::budget::Budget;
use crate::userdata::json::{self, Counter};
use crate::userdata::problems::{Problems, head};

/// Maximum number of other spellings that are reported. A reader does not need more.
const MAX_RESPELT: usize = 100;
/// Fields of Ignition's types that are no pointers in Go, so that a later null does not change them.
const NO_POINTERS: [&str; 4] = ["name", "path", "url", "version"];

/// Reads a config. Its known fields have their own names in the result. Returns None if the JSON is not valid or too large, which is
/// reported, or if the budget is exhausted.
pub fn read(text: &[u8], place: &Place, budget: &Budget, problems: &mut Problems) -> Option<Value> {
    let respelt = RefCell::new(Vec::new());
    let value = json::parse(text, place, budget, problems, |counter, json| {
        let before = Value::Null;
        Fold { counter, kind: Kind::Field(&ROOT), before, respelt: &respelt }.deserialize(json)
    })?;
    for (written, name) in respelt.into_inner() {
        let text = format!(
            "has the field `{}`, which Ignition reads as `{name}`: other programs ignore it",
            head(&written)
        );
        let problem = Diagnostic::warning(Code::IgnitionConfig, text);
        problems.add(place, problem.hint(format!("write `{name}`")));
    }
    Some(value)
}

static ROOT: Shape = Shape::Map(&CONFIG);

/// Returns whether Go takes two names for the same: letters may differ in case, and two letters outside ASCII have a lower case in it
/// (`foldFunc` in Go's `encoding/json/fold.go`). `name` is in ASCII.
pub fn is_same_name(written: &str, name: &str) -> bool {
    let folded = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    written.len() <= 3 * name.len() && written.chars().map(folded).eq(name.chars().map(folded))
}

/// A value's place in Ignition's schema.
#[derive(Clone, Copy)]
enum Kind {
    Field(&'static Shape),
    /// An item of a list of maps.
    Item(&'static schema::Map),
    Unknown,
}

impl Kind {
    /// Returns whether a value has the right type.
    fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Field(shape) => shape.accepts(value),
            Self::Item(_) => value.is_object() || value.is_null(),
            Self::Unknown => true,
        }
    }

    fn map(self) -> Option<&'static schema::Map> {
        match self {
            Self::Field(Shape::Map(map)) => Some(map),
            Self::Item(map) => Some(map),
            _ => None,
        }
    }
}

/// Reads one value into the one that was read for the same field before.
struct Fold<'a> {
    counter: &'a Counter<'a>,
    kind: Kind,
    before: Value,
    /// The fields with another spelling, and their names. Each one is here once.
    respelt: &'a RefCell<Vec<(String, &'static str)>>,
}

impl Fold<'_> {
    /// The value that counts: the earlier one if it has the wrong type, because Ignition refuses that whatever follows.
    fn later(self, value: Value) -> Value {
        if self.kind.accepts(&self.before) { value } else { self.before }
    }
}

impl<'de> DeserializeSeed<'de> for Fold<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fold<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.counter.count()?;
        // Null leaves a struct as it is.
        Ok(if self.kind.map().is_some() { self.before } else { self.later(Value::Null) })
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.counter.count().map(|()| self.later(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.counter.count().map(|()| self.later(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.counter.count().map(|()| self.later(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.counter.count().map(|()| self.later(value.into()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        let text = self.counter.text(value)?;
        Ok(self.later(Value::String(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        self.counter.count()?;
        let (counter, respelt, mut items) = (self.counter, self.respelt, Vec::new());
        // The items of a list that is given again are read into its earlier items.
        let (kind, earlier) = match (self.kind, &mut self.before) {
            (Kind::Field(Shape::List(map)), Value::Array(earlier)) => {
                (Kind::Item(map), std::mem::take(earlier))
            }
            (Kind::Field(Shape::List(map)), _) => (Kind::Item(map), Vec::new()),
            _ => (Kind::Unknown, Vec::new()),
        };
        let mut earlier = earlier.into_iter();
        loop {
            let before = earlier.next().unwrap_or_default();
            let Some(item) = seq.next_element_seed(Fold { counter, kind, before, respelt })? else { break };
            if items.is_empty() {
                counter.count_branch()?;
            }
            items.push(item);
        }
        Ok(self.later(Value::Array(items)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        self.counter.count()?;
        let (counter, respelt, known) = (self.counter, self.respelt, self.kind.map());
        let mut fields = match &mut self.before {
            Value::Object(earlier) if known.is_some() => std::mem::take(earlier),
            _ => serde_json::Map::new(),
        };
        while let Some(written) = map.next_key_seed(json::Name(counter))? {
            if fields.is_empty() {
                counter.count_branch()?;
            }
            let of_name = |is_same: fn(&str, &str) -> bool| {
                known?.fields.iter().find(|field| is_same(&written, field.name))
            };
            let Some(field) = of_name(|a, b| a == b).or_else(|| of_name(is_same_name)) else {
                let seed = Fold { counter, kind: Kind::Unknown, before: Value::Null, respelt };
                let value = map.next_value_seed(seed)?;
                fields.insert(written, value);
                continue;
            };
            if written != field.name {
                let mut respelt = respelt.borrow_mut();
                if respelt.len() < MAX_RESPELT && respelt.iter().all(|(other, _)| *other != written) {
                    respelt.push((written, field.name));
                }
            }
            let before = fields.get_mut(field.name).map(Value::take).unwrap_or_default();
            let kept = NO_POINTERS.contains(&field.name).then(|| before.clone());
            let seed = Fold { counter, kind: Kind::Field(&field.shape), before, respelt };
            let value = map.next_value_seed(seed)?;
            let value = kept.filter(|_| value.is_null()).unwrap_or(value);
            fields.insert(field.name.to_owned(), value);
        }
        Ok(self.later(Value::Object(fields)))
    }
}

/// Returns whether a JSON text has the name of the field `ignition` somewhere.
pub fn names_itself(text: &str) -> bool {
    text.split('"').any(|name| is_same_name(name, "ignition"))
}

/// Returns whether a text is a config: it has `ignition.version`.
pub fn has_version(text: &str) -> bool {
    struct Has(&'static [&'static str]);

    impl<'de> DeserializeSeed<'de> for Has {
        type Value = bool;

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
            match self.0.is_empty() {
                true => deserializer.deserialize_ignored_any(de::IgnoredAny).map(|_| true),
                false => deserializer.deserialize_map(self),
            }
        }
    }

    impl<'de> Visitor<'de> for Has {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            let (name, rest) = self.0.split_first().expect("a map is read only for a name");
            let mut found = false;
            while let Some(written) = map.next_key::<std::borrow::Cow<str>>()? {
                match is_same_name(&written, name) {
                    true => found |= map.next_value_seed(Has(rest))?,
                    false => drop(map.next_value::<de::IgnoredAny>()?),
                }
            }
            Ok(found)
        }
    }

    Has(&["ignition", "version"]).deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(text: &str) -> (Option<Value>, usize) {
        let mut problems = Problems::default();
        let value = read(text.as_bytes(), &Place::file("config"), &Budget::default(), &mut problems);
        (value, problems.into_sorted().len())
    }

    #[test]
    fn fields_given_twice_are_merged_as_in_go() {
        for (text, expected) in [
            (r#"{"storage": {"files": [1]}, "storage": {}}"#, json!({"storage": {"files": [1]}})),
            (
                r#"{"storage": {"files": [{"path": "/a"}], "files": [{"mode": 1}, {"path": "/b"}]}}"#,
                json!({"storage": {"files": [{"path": "/a", "mode": 1}, {"path": "/b"}]}}),
            ),
            (
                r#"{"storage": {"files": [{"path": "/a"}, {"path": "/b"}], "files": [{"path": "/c"}]}}"#,
                json!({"storage": {"files": [{"path": "/c"}]}}),
            ),
            (
                r#"{"storage": {"files": [{"mode": 1, "mode": null, "path": "/a", "path": null}]}}"#,
                json!({"storage": {"files": [{"mode": null, "path": "/a"}]}}),
            ),
            (
                r#"{"storage": {"files": [{"mode": "x", "mode": 1}]}, "storage": null}"#,
                json!({"storage": {"files": [{"mode": "x"}]}}),
            ),
            (r#"{"a": {"b": 1}, "a": {"c": 2}}"#, json!({"a": {"c": 2}})),
            (
                r#"{"passwd": {"users": [{"groups": ["a", "b"], "groups": ["c"]}]}}"#,
                json!({"passwd": {"users": [{"groups": ["c"]}]}}),
            ),
        ] {
            assert_eq!(read_json(text), (Some(expected), 0), "{text}");
        }
    }

    #[test]
    fn names_may_differ_in_case() {
        let (value, problems) = read_json(
            r#"{"IGNITION": {"Version": "3.4.0"}, "\u017ftorage": {"lin\u212as": [{"Path": "/a", "path": "/b"}]}, "Other": 1}"#,
        );
        let expected =
            json!({"ignition": {"version": "3.4.0"}, "storage": {"links": [{"path": "/b"}]}, "Other": 1});
        assert_eq!((value, problems), (Some(expected), 5));
        assert!(is_same_name("dropIns", "dropins") && !is_same_name("drop\u{131}ns", "dropins"));
        for (text, has) in [
            (r#"{"Ignition": {"VERSION": 1}}"#, true),
            (r#"{"a": {"ignition": {"version": 1}}}"#, false),
            (r#"{"ignition": {}, "ignition": {"version": "3.4.0"}}"#, true),
            (r#"{"ignition": "version"}"#, false),
            ("[]", false),
        ] {
            assert_eq!(has_version(text), has, "{text}");
        }
    }

    #[test]
    fn deep_and_long_json_is_refused() {
        assert_eq!(read_json(&"[".repeat(1000)).0, None);
        assert_eq!(read_json(&format!("{{\"{}\": 1}}", "a".repeat(17 << 20))), (None, 1));
    }
}
