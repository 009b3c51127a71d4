//! The attributes of resources, data sources and functions: their types, and who sets them.

use serde_json::{Value as Json, json};

use super::protocol::{self, Block, StringKind};
use super::value::{Object, Value};
use crate::options::{self, Definition, Kind};

/// A type of Terraform's language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Text,
    Bool,
    Number,
    /// A list of texts.
    Texts,
    /// A map from texts to texts.
    TextMap,
    /// An object with these attributes, which are texts.
    Object(&'static [&'static str]),
    /// A list of such objects.
    Objects(&'static [&'static str]),
    /// Any type: the value is sent with its own.
    Any,
}

impl Type {
    /// The type constraint in JSON (Terraform, "Wire Format for Terraform Objects", "type").
    pub fn constraint(&self) -> Vec<u8> {
        self.json().to_string().into_bytes()
    }

    fn json(&self) -> Json {
        let object = |names: &[&str]| {
            let attributes: serde_json::Map<_, _> =
                names.iter().map(|name| ((*name).to_owned(), json!("string"))).collect();
            json!(["object", attributes])
        };
        match self {
            Self::Text => json!("string"),
            Self::Bool => json!("bool"),
            Self::Number => json!("number"),
            Self::Texts => json!(["list", "string"]),
            Self::TextMap => json!(["map", "string"]),
            Self::Object(names) => object(names),
            Self::Objects(names) => json!(["list", object(names)]),
            Self::Any => json!("dynamic"),
        }
    }
}

/// The side that sets an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The configuration has to have it.
    Required,
    /// The configuration may have it.
    Optional,
    /// The provider sets it.
    Computed,
}

/// An attribute.
#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: &'static str,
    pub kind: Type,
    pub role: Role,
    /// True if Terraform hides the value in what it prints.
    pub is_sensitive: bool,
    pub description: String,
}

impl Attribute {
    pub fn new(name: &'static str, kind: Type, role: Role, description: impl Into<String>) -> Self {
        Self { name, kind, role, is_sensitive: false, description: description.into() }
    }

    pub fn required(name: &'static str, kind: Type, description: impl Into<String>) -> Self {
        Self::new(name, kind, Role::Required, description)
    }

    pub fn optional(name: &'static str, kind: Type, description: impl Into<String>) -> Self {
        Self::new(name, kind, Role::Optional, description)
    }

    pub fn computed(name: &'static str, description: impl Into<String>) -> Self {
        Self::new(name, Type::Text, Role::Computed, description)
    }

    /// The same attribute, hidden in what Terraform prints.
    pub fn sensitive(self) -> Self {
        Self { is_sensitive: true, ..self }
    }

    fn message(&self) -> protocol::Attribute {
        protocol::Attribute {
            name: self.name.to_owned(),
            r#type: self.kind.constraint(),
            description: self.description.clone(),
            required: self.role == Role::Required,
            optional: self.role == Role::Optional,
            computed: self.role == Role::Computed,
            sensitive: self.is_sensitive,
            description_kind: StringKind::Markdown.into(),
        }
    }
}

/// The attributes of a block, with a description of the whole.
#[derive(Debug, Clone)]
pub struct Schema {
    pub description: &'static str,
    pub attributes: Vec<Attribute>,
}

/// The version of all schemas. It rises when a stored state has to be changed before it can be read.
pub const VERSION: i64 = 0;

impl Schema {
    pub fn message(&self) -> protocol::Schema {
        let block = Block {
            version: VERSION,
            attributes: self.attributes.iter().map(Attribute::message).collect(),
            description: self.description.to_owned(),
            description_kind: StringKind::Markdown.into(),
        };
        protocol::Schema { version: VERSION, block: Some(block) }
    }

    /// The names of the attributes that the provider sets.
    pub fn computed(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.iter().filter(|attribute| attribute.role == Role::Computed).map(|one| one.name)
    }

    /// The names of the attributes that the configuration sets.
    pub fn inputs(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.iter().filter(|attribute| attribute.role != Role::Computed).map(|one| one.name)
    }

    /// An object with exactly these attributes: of `object` those that it has, and null for the others. A state of another version of
    /// hostseed can have more or fewer.
    pub fn fitted(&self, object: &Object) -> Object {
        let value = |one: &Attribute| (one.name.to_owned(), object.get(one.name).clone());
        Object(self.attributes.iter().map(value).collect())
    }
}

/// The type of the attribute of an option of `create`.
pub fn type_of(definition: &Definition) -> Type {
    match definition.kind {
        Kind::One | Kind::Object => Type::Text,
        Kind::Switch => Type::Bool,
        Kind::Many => Type::Texts,
        // An option of dockerd can be given several times, or without a value.
        Kind::Pairs if definition.name == "engine-opt" => Type::Texts,
        Kind::Pairs => Type::TextMap,
    }
}

/// The attribute of an option of `create`.
pub fn option(definition: &Definition) -> Attribute {
    let description = match definition.name {
        // A file on the computer that runs Terraform is for Terraform's function `file`.
        "daemon-json" => DAEMON_JSON.to_owned(),
        name => sentence(&options::help(name)),
    };
    Attribute::optional(definition.attribute, type_of(definition), description)
}

/// The description of `daemon_json`, which is no name of a file here.
const DAEMON_JSON: &str = "Options for /etc/docker/daemon.json as JSON, for example `jsonencode({ \"log-driver\" = \"local\" })`. If the image has that file, these keys replace its keys and the others stay.";

/// The help of an option as a sentence, without the remark that a flag can be repeated.
fn sentence(help: &str) -> String {
    format!("{}.", help.replace("; repeatable", ""))
}

/// The values of an option, as a spec has them. None if it is null or not known.
pub fn words(value: &Value) -> Option<Vec<String>> {
    Some(match value {
        Value::Null | Value::Unknown => return None,
        Value::Bool(value) => vec![value.to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::Text(text) => vec![text.clone()],
        Value::List(items) => items.iter().filter_map(text).collect(),
        Value::Object(entries) => {
            let pair = |(key, value): (&String, &Value)| Some(format!("{key}={}", text(value)?));
            entries.0.iter().filter_map(pair).collect()
        }
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}
