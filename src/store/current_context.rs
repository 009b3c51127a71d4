//! The current context in the docker CLI's `config.json`. The rest of the file stays byte for byte. It can contain
//! registry passwords, so no error shows any of it.

use std::fmt;
use std::ops::Range;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json_text::place;
use crate::names::ContextName;
use crate::secret::Secret;

/// The field of the current context (docker/cli, `cli/config/configfile`).
const FIELD: &str = "currentContext";

/// The text of `config.json`, which is a JSON object or blank.
pub struct Settings(Secret);

/// A field of the object, and where its name and its value are in the text.
struct Member {
    name: String,
    key: Range<usize>,
    value: Range<usize>,
}

impl Settings {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// Fails if the text is not a JSON object. The error is the place of the first fault: a line and a column, from 1.
    pub fn parse(text: Secret) -> Result<Self, (usize, usize)> {
        let settings = Self(text);
        match settings.is_blank() {
            true => Ok(settings),
            false => settings.members().map(|_| ()).map(|()| settings),
        }
    }

    /// The docker CLI accepts a blank file, too.
    fn is_blank(&self) -> bool {
        self.0.expose().trim().is_empty()
    }

    fn members(&self) -> Result<Vec<Member>, (usize, usize)> {
        let text = self.0.expose();
        let raw: RawMembers = serde_json::from_str(text).map_err(|error| (error.line(), error.column()))?;
        let member = |(key, value): (&RawValue, &RawValue)| Member {
            name: serde_json::from_str(key.get()).unwrap_or_default(),
            key: place(text, key),
            value: place(text, value),
        };
        Ok(raw.0.into_iter().map(member).collect())
    }

    /// The members, of a text that is known to be an object or blank.
    fn known_members(&self) -> Vec<Member> {
        self.members().unwrap_or_default()
    }

    /// The name of the current context. `None` if it is the default one.
    pub fn current(&self) -> Option<String> {
        // The docker CLI takes the last field of that name, in any case (Go, `encoding/json`).
        let members = self.known_members();
        let last = members.into_iter().rfind(Member::is_current)?;
        let name: Option<String> = serde_json::from_str(&self.0.expose()[last.value]).ok()?;
        name.filter(|name| !name.is_empty())
    }

    /// Returns the text with another current context.
    pub fn with_current(&self, name: &ContextName) -> Secret {
        let text = self.0.expose();
        let value = format!("\"{name}\"");
        if self.is_blank() {
            return Secret::new(format!("{{\n\t\"{FIELD}\": {value}\n}}\n"));
        }
        let members = self.known_members();
        let current: Vec<_> = members.iter().filter(|member| member.is_current()).collect();
        let mut edits: Vec<_> = current.iter().map(|member| (member.value.clone(), value.clone())).collect();
        if edits.is_empty() {
            edits.push(match &members[..] {
                [] => (self.inside(), format!("\n\t\"{FIELD}\": {value}\n")),
                [first, .., last] | [first @ last] => {
                    let open = text[..first.key.start].rfind('{').map_or(0, |at| at + 1);
                    let indent = &text[open..first.key.start];
                    let colon = &text[first.key.end..first.value.start];
                    let end = last.value.end;
                    (end..end, format!(",{indent}\"{FIELD}\"{colon}{value}"))
                }
            });
        }
        edited(text, &edits)
    }

    /// Returns the text without a current context, so that the docker CLI uses its default one.
    pub fn without_current(self) -> Secret {
        let mut settings = self;
        loop {
            let members = settings.known_members();
            let Some(n) = members.iter().position(Member::is_current) else { return settings.0 };
            // A comma goes with the field.
            let place = match (n.checked_sub(1).map(|before| &members[before]), members.get(n + 1)) {
                (_, Some(next)) => members[n].key.start..next.key.start,
                (Some(before), None) => before.value.end..members[n].value.end,
                (None, None) => settings.inside(),
            };
            settings = Self(edited(settings.0.expose(), &[(place, String::new())]));
        }
    }

    /// The place between the braces.
    fn inside(&self) -> Range<usize> {
        let text = self.0.expose();
        text.find('{').map_or(0, |at| at + 1)..text.rfind('}').unwrap_or(text.len())
    }
}

impl Member {
    fn is_current(&self) -> bool {
        self.name.eq_ignore_ascii_case(FIELD)
    }
}

/// Replaces parts of a text, which are in its order.
fn edited(text: &str, edits: &[(Range<usize>, String)]) -> Secret {
    let added: usize = edits.iter().map(|(_, new)| new.len()).sum();
    // A text that grows would leave copies in memory.
    let mut result = Secret::new(String::with_capacity(text.len() + added));
    let mut at = 0;
    for (place, new) in edits {
        result.expose_mut().push_str(&text[at..place.start]);
        result.expose_mut().push_str(new);
        at = place.end;
    }
    result.expose_mut().push_str(&text[at..]);
    result
}

/// The names and values of an object in the order of the text, also those that occur twice.
struct RawMembers<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(text: &str) -> Settings {
        Settings::parse(Secret::new(text.to_owned())).unwrap()
    }

    fn used(text: &str) -> String {
        settings(text).with_current(&ContextName::parse("web1").unwrap()).expose().to_owned()
    }

    fn unused(text: &str) -> String {
        settings(text).without_current().expose().to_owned()
    }

    #[test]
    fn only_the_current_context_changes() {
        for (before, after) in [
            ("", "{\n\t\"currentContext\": \"web1\"\n}\n"),
            ("{}", "{\n\t\"currentContext\": \"web1\"\n}"),
            (r#"{"auths":{}}"#, r#"{"auths":{},"currentContext":"web1"}"#),
            ("{\n  \"a\" : [1.50]\n}\n", "{\n  \"a\" : [1.50],\n  \"currentContext\" : \"web1\"\n}\n"),
            ("{\r\n\t\"a\": 1\r\n}", "{\r\n\t\"a\": 1,\r\n\t\"currentContext\": \"web1\"\r\n}"),
            (r#"{"currentContext": null, "b": 2}"#, r#"{"currentContext": "web1", "b": 2}"#),
            (
                r#"{"CurrentContext":"a","x":"{","currentContext":"b"}"#,
                r#"{"CurrentContext":"web1","x":"{","currentContext":"web1"}"#,
            ),
        ] {
            assert_eq!(used(before), after);
        }
    }

    #[test]
    fn the_field_goes_with_its_comma() {
        for (before, after) in [
            ("", ""),
            ("{\n\t\"currentContext\": \"web1\"\n}\n", "{}\n"),
            (r#"{"auths": {}, "currentContext": "web1"}"#, r#"{"auths": {}}"#),
            ("{\n  \"currentContext\": \"web1\",\n  \"b\": 2\n}", "{\n  \"b\": 2\n}"),
            (r#"{"a":1,"currentContext":"x","CURRENTCONTEXT":"y"}"#, r#"{"a":1}"#),
            (r#"{"currentContext":"x","b":2,"currentContext":"y"}"#, r#"{"b":2}"#),
        ] {
            assert_eq!(unused(before), after);
        }
    }

    #[test]
    fn the_last_field_of_that_name_counts() {
        for (text, current) in [
            ("{}", None),
            (r#"{"currentContext":""}"#, None),
            (r#"{"currentContext":7}"#, None),
            (r#"{"currentContext":"a","currentcontext":"\u0062"}"#, Some("b")),
        ] {
            assert_eq!(settings(text).current().as_deref(), current, "{text}");
        }
    }

    #[test]
    fn a_fault_is_reported_by_its_place() {
        let fault = |text: &str| Settings::parse(Secret::new(text.to_owned())).err();
        assert_eq!(fault("{\n\"a\": secret}"), Some((2, 6)));
        for text in ["[]", "\"text\"", "{} {}", "{\"a\": 1,}"] {
            assert!(fault(text).is_some(), "{text}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let name = prop_oneof![any::<String>(), Just(FIELD.to_owned())];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((name, inner), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_other_fields_stay(
            members in prop::collection::vec((any::<String>(), json()), 0..5),
            field in prop::option::of("[a-z]{1,4}"),
            pretty in any::<bool>(),
        ) {
            let mut before: serde_json::Map<String, serde_json::Value> = members.into_iter().collect();
            before.retain(|name, _| !name.eq_ignore_ascii_case(FIELD));
            let others = before.clone();
            if let Some(field) = field {
                before.insert(FIELD.to_owned(), field.into());
            }
            let text = if pretty { serde_json::to_string_pretty(&before) } else { serde_json::to_string(&before) };
            let text = text.unwrap();
            let after: serde_json::Value = serde_json::from_str(&used(&text)).unwrap();
            let mut expected = others.clone();
            expected.insert(FIELD.to_owned(), "web1".into());
            prop_assert_eq!(after, serde_json::Value::Object(expected));
            let after: serde_json::Value = serde_json::from_str(&unused(&text)).unwrap();
            prop_assert_eq!(after, serde_json::Value::Object(others));
        }
    }
}
