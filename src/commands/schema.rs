//! `schema`: the JSON Schema of a spec file, for completion and checks in editors, and that of a machine in JSON.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{check_view, clients, machine_view};
use crate::fleet::{ClientUse, SwarmPart};
use crate::options::Kind;
use crate::plan;
use crate::spec::{MAX_MACHINES, Spec};
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
    ui.json(&json!({
        "$schema": DRAFT,
        "title": "hostseed spec",
        "type": "object",
        "additionalProperties": false,
        "properties": properties(create, Templates::No),
    }))
}

/// Prints the schema of a fleet file. The descriptions of a machine's fields are the help of `create`'s arguments.
pub fn fleet_schema(ui: Ui, create: &clap::Command) -> Result<()> {
    let options = properties(create, Templates::Yes);
    let mut defaults = options.clone();
    defaults.remove("name");
    defaults.insert("swarm".into(), swarm());
    let mut in_map = defaults.clone();
    let text = json!({ "type": ["string", "integer"] });
    in_map.insert("count".into(), json!({
        "description": "Number of machines that the entry makes [default: 1, or one for each of `addresses`]",
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": MAX_MACHINES },
            { "type": "string", "pattern": "^[0-9]+$" },
        ],
    }));
    in_map.insert("addresses".into(), json!({
        "description": "One address for each machine: a list, or a range such as 10.0.0.10/24, which needs `count`",
        "anyOf": [text, { "type": "array", "items": text }],
    }));
    let mut in_list = in_map.clone();
    in_list.insert("name".into(), options["name"].clone());
    let not_both = json!({ "required": ["address", "addresses"] });
    let machine = |properties: Map<String, Value>, required: &[&str]| {
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
            "required": required,
            "not": not_both,
        })
    };
    ui.json(&json!({
        "$schema": DRAFT,
        "title": "hostseed fleet",
        "type": "object",
        "additionalProperties": false,
        "required": ["fleet", "machines"],
        "properties": {
            "fleet": {
                "description": "Name of the fleet, with which the store marks its machines",
                "type": ["string", "integer"],
                "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
            },
            "client": {
                "description": "Client certificates: one for each machine, or one that all share, with the shared CA [default: each]",
                "enum": ClientUse::names().collect::<Vec<_>>(),
            },
            "defaults": {
                "description": "Options of all machines, unless a machine has its own",
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": defaults,
            },
            "machines": {
                "description": "The machines: a map from names to options, or a list",
                "anyOf": [
                    {
                        "type": "object",
                        "additionalProperties": { "anyOf": [machine(in_map, &[]), { "type": "null" }] },
                    },
                    { "type": "array", "items": machine(in_list, &["name"]) },
                ],
            },
        },
    }))
}

/// A machine's part in the swarm.
fn swarm() -> Value {
    let text = json!({ "type": ["string", "integer"] });
    let template = json!({ "type": "string", "pattern": "\\{[{%]" });
    let role = json!({ "anyOf": [{ "enum": SwarmPart::ROLES }, template] });
    json!({
        "description": "The machine's part in the swarm that `hostseed swarm up` forms: its role, or a map",
        "anyOf": [
            role,
            {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "role": { "description": "[default: worker]", "anyOf": role["anyOf"] },
                    "advertise": {
                        "description": "IP address or network interface at which other nodes reach the host [default: Docker's choice]",
                        "type": "string",
                    },
                    "labels": {
                        "description": "Labels of the node",
                        "anyOf": [
                            { "type": "object", "additionalProperties": text },
                            { "type": "string", "pattern": "=" },
                            { "type": "array", "items": { "type": "string", "pattern": "=" } },
                        ],
                    },
                },
            },
        ],
    })
}

/// The kind of texts: in a fleet file they can be templates, which stand for any value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Templates {
    Yes,
    No,
}

/// The fields of a spec.
fn properties(create: &clap::Command, templates: Templates) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in Spec::fields() {
        let argument = create.get_arguments().find(|argument| match field.name {
            "name" => argument.get_id() == "name",
            name => argument.get_long() == Some(name),
        });
        let mut property = values(field.name, field.kind, templates);
        if let Some(help) = argument.and_then(clap::Arg::get_help) {
            property["description"] = help.to_string().into();
        }
        properties.insert(field.name.to_owned(), property);
    }
    properties
}

/// The values that a field may have in a file.
fn values(field: &str, kind: Kind, templates: Templates) -> Value {
    let or_template = |choices: Value| match templates {
        Templates::Yes => json!({ "anyOf": [choices, { "type": "string", "pattern": "\\{[{%]" }] }),
        Templates::No => choices,
    };
    let one = match (field, plan::choices(field)) {
        (_, Some(choices)) => or_template(json!({ "enum": choices })),
        // Of the names that Docker Machine accepts, `create` refuses some more.
        ("name", None) => or_template(
            json!({ "type": ["string", "integer"], "minimum": 0, "pattern": "^[a-zA-Z0-9][a-zA-Z0-9.-]*$" }),
        ),
        ("port", None) => or_template(json!({
            "type": ["string", "integer"],
            "minimum": 1,
            "maximum": u16::MAX,
            "pattern": r"^\+?[0-9]+$",
        })),
        (_, None) => json!({ "type": ["string", "integer"] }),
    };
    let list = json!({ "type": "array", "items": one });
    match kind {
        Kind::One => one,
        Kind::Object => json!({ "type": ["string", "object"] }),
        Kind::Switch => or_template(json!({ "enum": [true, false, "true", "false"] })),
        Kind::Many => json!({ "anyOf": [one, list] }),
        Kind::Pairs => json!({ "anyOf": [one, list, { "type": "object", "additionalProperties": one }] }),
    }
}
