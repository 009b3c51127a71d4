//! `schema`: the JSON Schema of a spec file, for completion and checks in editors, and that of a machine in JSON.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{check_view, clients, machine_view};
use crate::options::Kind;
use crate::plan;
use crate::spec::Spec;
use crate::ui::Ui;

/// The version of JSON Schema that YAML language servers support.
pub const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// Prints the schema of a machine, as `create`, `inspect`, `ls` and `external` print it.
pub fn machine_schema(ui: Ui) -> Result<()> {
    ui.json(&machine_view::schema())
}

/// Prints the schema of what `check --json` prints.
pub fn check_schema(ui: Ui) -> Result<()> {
    ui.json(&check_view::schema())
}

/// Prints the schema of what `clients --json` prints.
pub fn clients_schema(ui: Ui) -> Result<()> {
    ui.json(&clients::schema())
}

/// Prints the schema of a spec. The descriptions are the help of `create`'s arguments.
pub fn schema(ui: Ui, create: &clap::Command) -> Result<()> {
    let mut properties = Map::new();
    for field in Spec::fields() {
        let argument = create.get_arguments().find(|argument| match field.name {
            "name" => argument.get_id() == "name",
            name => argument.get_long() == Some(name),
        });
        let mut property = values(field.name, field.kind);
        if let Some(help) = argument.and_then(clap::Arg::get_help) {
            property["description"] = help.to_string().into();
        }
        properties.insert(field.name.to_owned(), property);
    }
    ui.json(&json!({
        "$schema": DRAFT,
        "title": "hostseed spec",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    }))
}

/// The values that a field may have in a file.
fn values(field: &str, kind: Kind) -> Value {
    let one = match plan::choices(field) {
        Some(choices) => json!({ "enum": choices }),
        None => json!({ "type": ["string", "integer"] }),
    };
    let list = json!({ "type": "array", "items": one });
    match kind {
        Kind::One => one,
        Kind::Object => json!({ "type": ["string", "object"] }),
        Kind::Switch => json!({ "enum": [true, false, "true", "false"] }),
        Kind::Many => json!({ "anyOf": [one, list] }),
        Kind::Pairs => json!({ "anyOf": [one, list, { "type": "object", "additionalProperties": one }] }),
    }
}
