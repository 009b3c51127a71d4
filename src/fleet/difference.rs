//! The differences of two plans of a machine, in words.

use crate::plan::{Field, Plan};
use crate::spec::Spec;

/// Fields whose values can contain a password. A message only says that they differ.
pub const CONFIDENTIAL: [&str; 3] = ["engine-opt", "engine-env", "daemon-json"];

/// A field with different values in two plans, in words.
#[derive(Debug, Clone)]
pub struct Difference {
    pub field: &'static str,
    pub before: String,
    pub after: String,
    /// The values themselves, before and after; `set` instead of values that can contain a password.
    pub values: [Vec<String>; 2],
}

/// The differences of two plans, in the order of the options.
pub fn differences(before: &Plan, after: &Plan) -> Vec<Difference> {
    let (old, new) = (before.fields(), after.fields());
    let difference = |field: &'static str| {
        let (old, new) = (values(&old, field), values(&new, field));
        // A password is not shown, but that it changes is.
        let words = |values: &[String]| if values.is_empty() { listed(values) } else { shown(field, values) };
        let plain = |values: &[String]| match CONFIDENTIAL.contains(&field) && !values.is_empty() {
            true => vec!["set".to_owned()],
            false => values.to_vec(),
        };
        (!is_same(field, old, new)).then(|| Difference {
            field,
            before: words(old),
            after: words(new),
            values: [old, new].map(plain),
        })
    };
    Spec::fields().filter_map(|definition| difference(definition.name)).collect()
}

/// The values of a field; none if it is not there.
pub fn values<'a>(fields: &'a [Field], wanted: &str) -> &'a [String] {
    fields.iter().find(|field| field.name() == wanted).map_or(&[], Field::values)
}

/// The values of a field in words, unless they can contain a password.
pub fn shown(field: &str, values: &[String]) -> String {
    if CONFIDENTIAL.contains(&field) { "set".into() } else { listed(values) }
}

/// Values in words.
pub fn listed(values: &[String]) -> String {
    let listed: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
    if listed.is_empty() { "nothing".into() } else { listed.join(", ") }
}

/// Returns whether two values of a field are equivalent.
pub fn is_same(field: &str, a: &[String], b: &[String]) -> bool {
    let sorted = |values: &[String]| {
        let mut values = values.to_vec();
        values.sort();
        values
    };
    let folder =
        |values: &[String]| values.iter().map(|value| std::fs::canonicalize(value).ok()).collect::<Vec<_>>();
    match field {
        // RFC 4343: DNS names are case-insensitive.
        "address" | "tls-san" => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b))
        }
        // A map in Terraform has no order.
        "engine-label" | "engine-env" => sorted(a) == sorted(b),
        "ca" => a == b || folder(a) == folder(b) && !folder(a).contains(&None),
        _ => a == b,
    }
}
