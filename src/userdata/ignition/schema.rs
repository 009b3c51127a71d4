//! The fields of an Ignition config with their types: `config/v3_0/types/schema.go` to `config/v3_6/types/schema.go` of Ignition.

use serde_json::Value;

use super::check::Rule;

/// The type of a field.
pub enum Shape {
    Text,
    Integer,
    Switch,
    /// A list of texts. Two equal ones are an error, unless `repeats`.
    Texts {
        repeats: bool,
    },
    Map(&'static Map),
    /// A list of maps.
    List(&'static Map),
}

impl Shape {
    /// Returns whether a value has this type. Null is no value.
    pub fn accepts(&self, value: &Value) -> bool {
        value.is_null()
            || match self {
                Self::Text => value.is_string(),
                Self::Integer => value.as_i64().is_some(),
                Self::Switch => value.is_boolean(),
                Self::Texts { .. } | Self::List(_) => value.is_array(),
                Self::Map(_) => value.is_object(),
            }
    }
}

/// A field, and the minor version of specification 3 that has it first.
pub struct Field {
    pub name: &'static str,
    pub since: u64,
    pub shape: Shape,
}

/// A map with its fields.
pub struct Map {
    pub fields: &'static [Field],
    /// The field that identifies an item in a list: two items with the same value are an error.
    pub key: Option<fn(&Value) -> String>,
    /// The check besides the types.
    pub rule: Rule,
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, since: 0, shape }
}

const fn since(since: u64, name: &'static str, shape: Shape) -> Field {
    Field { name, since, shape }
}

const TEXTS: Shape = Shape::Texts { repeats: false };
const REPEATS: Shape = Shape::Texts { repeats: true };

fn text_of(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The key of a partition: its number, else its label.
fn partition(value: &Value) -> String {
    match value.get("number").and_then(Value::as_i64).unwrap_or_default() {
        0 => {
            value.get("label").and_then(Value::as_str).map_or(String::new(), |label| format!("label:{label}"))
        }
        number => format!("number:{number}"),
    }
}

const fn map(fields: &'static [Field], rule: Rule) -> Map {
    Map { fields, key: None, rule }
}

macro_rules! keyed {
    ($name:literal, $fields:expr, $rule:expr) => {
        Map { fields: $fields, key: Some(|value| text_of(value, $name)), rule: $rule }
    };
}

/// The whole config.
pub const CONFIG: Map = map(
    &[
        field(
            "ignition",
            Shape::Map(&map(
                &[
                    field("version", Shape::Text),
                    field(
                        "config",
                        Shape::Map(&map(
                            &[field("merge", Shape::List(&MERGED)), field("replace", Shape::Map(&RESOURCE))],
                            Rule::None,
                        )),
                    ),
                    since(
                        1,
                        "proxy",
                        Shape::Map(&map(
                            &[
                                field("httpProxy", Shape::Text),
                                field("httpsProxy", Shape::Text),
                                field("noProxy", TEXTS),
                            ],
                            Rule::Proxy,
                        )),
                    ),
                    field(
                        "security",
                        Shape::Map(&map(
                            &[field(
                                "tls",
                                Shape::Map(&map(
                                    &[field("certificateAuthorities", Shape::List(&MERGED))],
                                    Rule::None,
                                )),
                            )],
                            Rule::None,
                        )),
                    ),
                    field(
                        "timeouts",
                        Shape::Map(&map(
                            &[
                                field("httpResponseHeaders", Shape::Integer),
                                field("httpTotal", Shape::Integer),
                            ],
                            Rule::None,
                        )),
                    ),
                ],
                Rule::None,
            )),
        ),
        since(
            3,
            "kernelArguments",
            Shape::Map(&map(
                &[field("shouldExist", TEXTS), field("shouldNotExist", TEXTS)],
                Rule::KernelArguments,
            )),
        ),
        field(
            "passwd",
            Shape::Map(&map(
                &[field("groups", Shape::List(&GROUP)), field("users", Shape::List(&USER))],
                Rule::None,
            )),
        ),
        field("storage", Shape::Map(&STORAGE)),
        field("systemd", Shape::Map(&map(&[field("units", Shape::List(&UNIT))], Rule::None))),
    ],
    Rule::None,
);

const RESOURCE_FIELDS: &[Field] = &[
    since(1, "compression", Shape::Text),
    since(
        1,
        "httpHeaders",
        Shape::List(&keyed!(
            "name",
            &[field("name", Shape::Text), field("value", Shape::Text)],
            Rule::Header
        )),
    ),
    field("source", Shape::Text),
    field("verification", Shape::Map(&map(&[field("hash", Shape::Text)], Rule::Verification))),
];
/// The content of a file has `compression` in every version.
const CONTENT_FIELDS: &[Field] = &[
    field("compression", Shape::Text),
    since(
        1,
        "httpHeaders",
        Shape::List(&keyed!(
            "name",
            &[field("name", Shape::Text), field("value", Shape::Text)],
            Rule::Header
        )),
    ),
    field("source", Shape::Text),
    field("verification", Shape::Map(&map(&[field("hash", Shape::Text)], Rule::Verification))),
];
const RESOURCE: Map = keyed!("source", RESOURCE_FIELDS, Rule::Resource);
const CONTENT: Map = keyed!("source", CONTENT_FIELDS, Rule::Resource);
const MERGED: Map = keyed!("source", RESOURCE_FIELDS, Rule::RequiredResource);
const APPENDED: Map = map(CONTENT_FIELDS, Rule::Resource);

const GROUP: Map = keyed!(
    "name",
    &[
        field("gid", Shape::Integer),
        field("name", Shape::Text),
        field("passwordHash", Shape::Text),
        since(2, "shouldExist", Shape::Switch),
        field("system", Shape::Switch),
    ],
    Rule::None
);

const USER: Map = keyed!(
    "name",
    &[
        field("gecos", Shape::Text),
        field("groups", TEXTS),
        field("homeDir", Shape::Text),
        field("name", Shape::Text),
        field("noCreateHome", Shape::Switch),
        field("noLogInit", Shape::Switch),
        field("noUserGroup", Shape::Switch),
        field("passwordHash", Shape::Text),
        field("primaryGroup", Shape::Text),
        field("sshAuthorizedKeys", TEXTS),
        field("shell", Shape::Text),
        since(2, "shouldExist", Shape::Switch),
        field("system", Shape::Switch),
        field("uid", Shape::Integer),
    ],
    Rule::None
);

const OWNER: Shape =
    Shape::Map(&map(&[field("id", Shape::Integer), field("name", Shape::Text)], Rule::Owner));

const STORAGE: Map = map(
    &[
        field(
            "directories",
            Shape::List(&keyed!(
                "path",
                &[
                    field("group", OWNER),
                    field("overwrite", Shape::Switch),
                    field("path", Shape::Text),
                    field("user", OWNER),
                    field("mode", Shape::Integer),
                ],
                Rule::Node
            )),
        ),
        field(
            "disks",
            Shape::List(&keyed!(
                "device",
                &[
                    field("device", Shape::Text),
                    field(
                        "partitions",
                        Shape::List(&Map {
                            fields: &[
                                field("guid", Shape::Text),
                                field("label", Shape::Text),
                                field("number", Shape::Integer),
                                since(2, "resize", Shape::Switch),
                                field("shouldExist", Shape::Switch),
                                field("sizeMiB", Shape::Integer),
                                field("startMiB", Shape::Integer),
                                field("typeGuid", Shape::Text),
                                field("wipePartitionEntry", Shape::Switch),
                            ],
                            key: Some(partition),
                            rule: Rule::Partition,
                        })
                    ),
                    field("wipeTable", Shape::Switch),
                ],
                Rule::Disk
            )),
        ),
        field(
            "files",
            Shape::List(&keyed!(
                "path",
                &[
                    field("group", OWNER),
                    field("overwrite", Shape::Switch),
                    field("path", Shape::Text),
                    field("user", OWNER),
                    field("append", Shape::List(&APPENDED)),
                    field("contents", Shape::Map(&CONTENT)),
                    field("mode", Shape::Integer),
                ],
                Rule::File
            )),
        ),
        field(
            "filesystems",
            Shape::List(&keyed!(
                "device",
                &[
                    field("device", Shape::Text),
                    field("format", Shape::Text),
                    field("label", Shape::Text),
                    since(1, "mountOptions", REPEATS),
                    field("options", REPEATS),
                    field("path", Shape::Text),
                    field("uuid", Shape::Text),
                    field("wipeFilesystem", Shape::Switch),
                ],
                Rule::Filesystem
            )),
        ),
        field(
            "links",
            Shape::List(&keyed!(
                "path",
                &[
                    field("group", OWNER),
                    field("overwrite", Shape::Switch),
                    field("path", Shape::Text),
                    field("user", OWNER),
                    field("hard", Shape::Switch),
                    field("target", Shape::Text),
                ],
                Rule::Link
            )),
        ),
        since(
            2,
            "luks",
            Shape::List(&keyed!(
                "name",
                &[
                    since(
                        2,
                        "clevis",
                        Shape::Map(&map(
                            &[
                                field(
                                    "custom",
                                    Shape::Map(&map(
                                        &[
                                            field("config", Shape::Text),
                                            field("needsNetwork", Shape::Switch),
                                            field("pin", Shape::Text)
                                        ],
                                        Rule::ClevisCustom,
                                    ))
                                ),
                                field(
                                    "tang",
                                    Shape::List(&keyed!(
                                        "url",
                                        &[
                                            since(4, "advertisement", Shape::Text),
                                            field("thumbprint", Shape::Text),
                                            field("url", Shape::Text),
                                        ],
                                        Rule::Tang
                                    ))
                                ),
                                field("threshold", Shape::Integer),
                                field("tpm2", Shape::Switch),
                            ],
                            Rule::None,
                        ))
                    ),
                    field("device", Shape::Text),
                    since(4, "discard", Shape::Switch),
                    field("keyFile", Shape::Map(&RESOURCE)),
                    field("label", Shape::Text),
                    field("name", Shape::Text),
                    since(4, "openOptions", REPEATS),
                    field("options", REPEATS),
                    field("uuid", Shape::Text),
                    field("wipeVolume", Shape::Switch),
                ],
                Rule::Luks
            )),
        ),
        field(
            "raid",
            Shape::List(&keyed!(
                "name",
                &[
                    field("devices", TEXTS),
                    field("level", Shape::Text),
                    field("name", Shape::Text),
                    field("options", REPEATS),
                    field("spares", Shape::Integer),
                ],
                Rule::Raid
            )),
        ),
    ],
    Rule::Storage,
);

const UNIT: Map = keyed!(
    "name",
    &[
        field("contents", Shape::Text),
        field(
            "dropins",
            Shape::List(&keyed!(
                "name",
                &[field("contents", Shape::Text), field("name", Shape::Text)],
                Rule::Dropin
            ))
        ),
        field("enabled", Shape::Switch),
        field("mask", Shape::Switch),
        field("name", Shape::Text),
    ],
    Rule::Unit
);
