//! Compares a request for an existing machine with the machine's own settings.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::diag::{Code, Diagnostic};
use crate::fleet::{CONFIDENTIAL, is_same, listed, shown, values};
use crate::plan::{Field, Plan};
use crate::spec::{Origin, Spec};
use crate::store::Store;

/// The field with which a request finds a machine.
const NAME: &str = "name";

/// Refuses a request with settings that differ from those of the existing machine `stored`, and one that lacks a setting with which the machine
/// was created: the user's files would no longer describe the machine. A request with no field but the name only finds the machine.
///
/// # Errors
/// All differences.
pub fn refuse(store: &Store, spec: &Spec, asked: &Plan, stored: &Plan) -> Result<()> {
    if spec.given.iter().all(|field| field == NAME) {
        return Ok(());
    }
    let name = &asked.name;
    // The recorded address counts as an address of the machine too.
    let recorded = store.record(name)?.host;
    let other = contradictions(spec, stored, asked, recorded);
    let missing = missing(spec, stored)?;
    if other.is_empty() && missing.is_empty() {
        return Ok(());
    }
    let source = spec.source();
    let lacks = missing.iter().map(|field| {
        let value = shown(field.name(), field.values());
        format!("`{}` is {value} in the machine and missing {source}", field.name())
    });
    let all: Vec<String> = other.into_iter().chain(lacks).collect();
    let message =
        format!("`{name}` already exists with different settings, nothing was changed: {}", all.join("; "));
    let hint = match missing.is_empty() {
        true => format!(
            "change what is {source}, choose another name, change the machine with `hostseed update`, or delete it:"
        ),
        false => {
            let fields: Vec<_> = missing.iter().map(|field| example(spec, field)).collect();
            format!(
                "add {}; or give only the name, which finds the machine whatever its settings are; or change the machine with `hostseed update`; to create it anew, first delete it:",
                fields.join(" and ")
            )
        }
    };
    let refused = Diagnostic::error(Code::MachineDiffers, message).hint(hint);
    Err(refused.run(store.command(["rm", name.as_str()])).into())
}

/// The given fields that have other values in the machine, each in words.
fn contradictions(spec: &Spec, stored: &Plan, asked: &Plan, recorded: String) -> Vec<String> {
    let (stored, asked, recorded) = (stored.fields(), asked.fields(), vec![recorded]);
    let differs = |field: &String| {
        let (stored, asked) = (values(&stored, field), values(&asked, field));
        let is_recorded = field == "address" && stored.is_empty() && is_same(field, &recorded, asked);
        if is_recorded || is_same(field, stored, asked) {
            return None;
        }
        let source = spec.source();
        Some(match CONFIDENTIAL.contains(&field.as_str()) {
            true => format!("`{field}` in the machine differs from that {source}"),
            false => format!("`{field}` is {} in the machine and {} {source}", listed(stored), listed(asked)),
        })
    };
    spec.given.iter().filter_map(differs).collect()
}

/// The fields that the machine has, that are not given, and whose default has another effect.
fn missing(spec: &Spec, stored: &Plan) -> Result<Vec<Field>> {
    // The addresses decide whether the host issues its own certificate.
    let mut usual = BTreeMap::from([(NAME.to_owned(), stored.name.to_string())]);
    let addresses: Vec<String> = stored.addresses.iter().map(ToString::to_string).collect();
    usual.insert("address".to_owned(), serde_json::to_string(&addresses)?);
    let usual = Plan::from_stored(&Spec::from_query(&usual))?.fields();
    let is_given = |field: &Field| spec.given.iter().any(|given| given == field.name());
    let is_usual = |field: &Field| {
        let name = field.name();
        name == NAME || name != "address" && is_same(name, field.values(), values(&usual, name))
    };
    Ok(stored.fields().into_iter().filter(|field| !is_given(field) && !is_usual(field)).collect())
}

/// How the user writes a field of the machine, in backquotes.
fn example(spec: &Spec, field: &Field) -> String {
    let hidden = |value: &String| match CONFIDENTIAL.contains(&field.name()) {
        true => "…".to_owned(),
        false => value.clone(),
    };
    let field = match field {
        Field::One(name, value) => Field::One(name, hidden(value)),
        Field::Many(name, values) => Field::Many(name, values.iter().map(hidden).collect()),
    };
    match (&spec.origin, &field) {
        (Origin::Query | Origin::Resource, field) => format!("`{}`", in_query(field)),
        (_, Field::One(name, value)) => spec.flag(name, value),
        (Origin::File(_), Field::Many(name, values)) => spec.flag(name, &format!("[{}]", values.join(", "))),
        (Origin::CommandLine, Field::Many(name, values)) => {
            values.iter().map(|value| spec.flag(name, value)).collect::<Vec<_>>().join(" ")
        }
    }
}

/// A field as it is written in a query in Terraform.
fn in_query(field: &Field) -> String {
    let text = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted.replace("${", "$${").replace("%{", "%%{")
    };
    let key = if field.name() == "address" { "addresses".to_owned() } else { field.name().replace('-', "_") };
    let value = match field {
        Field::One(_, value) => text(value),
        Field::Many("address" | "tls-san", values) => text(&values.join(",")),
        Field::Many(_, values) => {
            let values: Vec<_> = values.iter().map(|value| text(value)).collect();
            format!("jsonencode([{}])", values.join(", "))
        }
    };
    format!("{key} = {value}")
}
