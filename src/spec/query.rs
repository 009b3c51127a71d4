//! Reads a query of Terraform's external data source into a spec. All values of a query are strings, so a list is a
//! string too. `given` also contains fields whose list is empty.

use std::collections::BTreeMap;

use super::{Origin, Spec};
use crate::diag::{Code, Diagnostic};
use crate::options::{Kind, Slot, Word};

/// Reads a query. Each key is the name of a field. `_` can be used instead of `-`, and `addresses` instead of `address`.
/// Empty values count as missing.
pub(super) fn read(query: &BTreeMap<String, String>) -> Spec {
    let mut spec = Spec { origin: Origin::Query, ..Spec::default() };
    for (key, text) in query.iter().filter(|(_, text)| !text.trim().is_empty()) {
        let field = match key.replace('_', "-").as_str() {
            "addresses" => "address".to_owned(),
            field => field.to_owned(),
        };
        let about_key = |diagnostic: Diagnostic| diagnostic.about(format_args!("`{key}`"));
        if spec.given.contains(&field) {
            spec.problems.push(about_key(Diagnostic::error(Code::DuplicateField, "is given twice")));
            continue;
        }
        let filled = match spec.slot(&field) {
            None => {
                let hint = super::nearest(&field).map(|near| format!("did you mean `{near}`?"));
                Err(Diagnostic::error(Code::UnknownField, "is not an option of `create`").maybe_hint(hint))
            }
            Some((kind, slot)) => fill(kind, slot, &field, text),
        };
        match filled {
            Ok(()) => spec.given.push(field),
            Err(diagnostic) => spec.problems.push(about_key(diagnostic)),
        }
    }
    spec
}

fn fill(kind: Kind, slot: Slot, field: &str, text: &str) -> Result<(), Diagnostic> {
    match slot {
        Slot::One(one) => *one = Some(Word::from(text.to_owned())),
        Slot::Many(many) if kind == Kind::Pairs && text.trim_start().starts_with('{') => {
            let map: BTreeMap<String, String> = json(text)?;
            *many = map.into_iter().map(|(key, value)| Word::from(format!("{key}={value}"))).collect();
        }
        Slot::Many(many) => *many = list(field, text)?.into_iter().map(Word::from).collect(),
    }
    Ok(())
}

/// Parses a list: `jsonencode([…])`, or one item per line. Addresses and SANs can also be separated by commas and
/// whitespace, which they never contain.
fn list(field: &str, text: &str) -> Result<Vec<String>, Diagnostic> {
    if text.trim_start().starts_with('[') {
        return json(text);
    }
    let between: fn(char) -> bool = match field {
        "address" | "tls-san" => |c| c.is_whitespace() || c == ',',
        _ => |c| c == '\n',
    };
    let items: Vec<_> =
        text.split(between).filter(|item| !item.trim().is_empty()).map(str::to_owned).collect();
    match items.is_empty() {
        true => {
            Err(Diagnostic::error(Code::EmptyList, format!("names nothing, got `{}`", text.escape_debug()))
                .hint("leave it out, or `jsonencode([])`, if nothing is meant"))
        }
        false => Ok(items),
    }
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Diagnostic> {
    serde_json::from_str(text).map_err(|error| {
        Diagnostic::error(Code::QueryJson, format!("cannot be read as JSON of texts: {error}"))
            .hint("`jsonencode` makes it in Terraform; else write a line each")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(query: &[(&str, &str)]) -> Spec {
        read(&query.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect())
    }

    fn texts(words: &[Word]) -> Vec<&str> {
        words.iter().map(|word| word.text.as_str()).collect()
    }

    #[test]
    fn lists_are_read_in_each_notation_of_terraform() {
        for addresses in ["10.0.0.1,web1", "10.0.0.1, web1", "10.0.0.1\nweb1\n", r#"["10.0.0.1","web1"]"#] {
            assert_eq!(
                texts(&spec(&[("addresses", addresses)]).identity.addresses),
                ["10.0.0.1", "web1"],
                "{addresses}"
            );
        }
        let labels = [("engine_label", "a=b, c\nd=[e]")];
        assert_eq!(texts(&spec(&labels).host.engine_labels), ["a=b, c", "d=[e]"]);
        let labels = [("engine-label", r#"{"rack": "7", "a": "b"}"#)];
        assert_eq!(texts(&spec(&labels).host.engine_labels), ["a=b", "rack=7"]);
    }

    #[test]
    fn problems_name_the_key_as_it_was_written() {
        let spec = spec(&[
            ("adress", "x"),
            ("engine_env", "[1]"),
            ("address", "a"),
            ("addresses", "b"),
            ("port", ""),
        ]);
        let findings: Vec<_> = spec.problems.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert_eq!(findings[0], "`addresses` is given twice");
        assert_eq!(findings[1], "`adress` is not an option of `create`");
        assert!(findings[2].starts_with("`engine_env` cannot be read as JSON"), "{findings:?}");
        assert_eq!(spec.given, ["address"]);
        assert!(self::spec(&[("addresses", " , ")]).problems[0].message.contains("names nothing"));
        assert_eq!(self::spec(&[("addresses", "[]")]).given, ["address"]);
    }
}
