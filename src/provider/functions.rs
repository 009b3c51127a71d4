//! The provider's functions. They are pure: the same arguments give the same result, except that certificates expire.

use anyhow::Result;
use time::OffsetDateTime;

use super::protocol::{Function, FunctionError, Functions, Parameter, Return, StringKind};
use super::schema::Type;
use super::value::{Object, Value};
use crate::clouds::Cloud;
use crate::secret::Secret;
use crate::verify::{self, Input, Scope};

/// A function.
pub struct Definition {
    pub name: &'static str,
    pub summary: &'static str,
    pub description: &'static str,
    pub parameters: &'static [Argument],
    pub returns: Type,
    call: fn(&[Value], OffsetDateTime) -> Result<Value, FunctionError>,
}

/// A parameter of a function.
pub struct Argument {
    pub name: &'static str,
    pub kind: Type,
    pub may_be_null: bool,
    pub description: &'static str,
}

/// The fields of a problem that `verify` returns.
const PROBLEM: [&str; 5] = ["severity", "code", "place", "message", "hint"];

/// All functions.
pub const ALL: [Definition; 2] = [
    Definition {
        name: "verify",
        summary: "Check user-data from any source.",
        description: "Returns the problems of user-data, errors first: everything that `hostseed verify` reports. An empty list means that there are none. `code` is explained by `hostseed explain CODE`.",
        parameters: &[
            Argument {
                name: "user_data",
                kind: Type::Text,
                may_be_null: false,
                description: "User-data as text, or in base64.",
            },
            Argument {
                name: "cloud",
                kind: Type::Text,
                may_be_null: true,
                description: "Cloud whose limit is checked; null for none.",
            },
        ],
        returns: Type::Objects(&PROBLEM),
        call: verify_user_data,
    },
    Definition {
        name: "env",
        summary: "Return the environment of docker's clients.",
        description: "Returns the variables with which docker's clients connect to a machine: `DOCKER_HOST`, `DOCKER_TLS_VERIFY`, `DOCKER_MACHINE_NAME`, and for a machine of the data source also `DOCKER_CERT_PATH`. A machine of the resource has no folder with its certificates: write them into files, or use `ca_material`, `cert_material` and `key_material` of the provider `docker`.",
        parameters: &[Argument {
            name: "machine",
            kind: Type::Any,
            may_be_null: false,
            description: "A `hostseed_machine`, of the resource or of the data source.",
        }],
        returns: Type::TextMap,
        call: env,
    },
];

/// The functions as the protocol describes them.
pub fn messages() -> Functions {
    let parameter = |argument: &Argument| Parameter {
        name: argument.name.to_owned(),
        r#type: argument.kind.constraint(),
        allow_null_value: argument.may_be_null,
        description: argument.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
    };
    let function = |definition: Definition| {
        let message = Function {
            parameters: definition.parameters.iter().map(parameter).collect(),
            r#return: Some(Return { r#type: definition.returns.constraint() }),
            summary: definition.summary.to_owned(),
            description: definition.description.to_owned(),
            description_kind: StringKind::Markdown.into(),
        };
        (definition.name.to_owned(), message)
    };
    ALL.into_iter().map(function).collect()
}

/// Calls a function.
///
/// # Errors
/// Fails if there is no such function, or an argument is wrong.
pub fn call(name: &str, arguments: &[Value], now: OffsetDateTime) -> Result<Value, FunctionError> {
    match ALL.iter().find(|definition| definition.name == name) {
        Some(definition) => (definition.call)(arguments, now),
        None => {
            Err(FunctionError { text: format!("there is no function `{name}`"), function_argument: None })
        }
    }
}

fn wrong(argument: i64, text: impl Into<String>) -> FunctionError {
    FunctionError { text: text.into(), function_argument: Some(argument) }
}

fn verify_user_data(arguments: &[Value], now: OffsetDateTime) -> Result<Value, FunctionError> {
    let [Value::Text(user_data), cloud] = arguments else {
        return Err(wrong(0, "`user_data` must be a text"));
    };
    let cloud = match cloud {
        Value::Text(name) => {
            let names = || Cloud::ALL.map(|cloud| cloud.name).join(", ");
            let unknown = || wrong(1, format!("there is no cloud `{name}`; hostseed knows {}", names()));
            Some(Cloud::named(name).ok_or_else(unknown)?)
        }
        _ => None,
    };
    let input = Input::File("user_data".to_owned(), Secret::from(user_data.as_str()));
    let verdict = verify::verify(input, Scope { cloud, ..Scope::default() }, now);
    let problems = verdict.problems.into_iter().map(|problem| {
        let place = problem.place.to_string();
        let values = [
            problem.severity.name().into(),
            problem.code.name().into(),
            Value::from((!place.is_empty()).then_some(place)),
            problem.message.into(),
            problem.hint.into(),
        ];
        Object(PROBLEM.map(str::to_owned).into_iter().zip(values).collect()).into()
    });
    Ok(Value::List(problems.collect()))
}

fn env(arguments: &[Value], _: OffsetDateTime) -> Result<Value, FunctionError> {
    // A value of any type is sent with its type in front.
    let machine = match arguments {
        [Value::List(typed)] => typed.get(1),
        _ => None,
    };
    let machine = match machine {
        Some(Value::Object(machine)) => machine,
        _ => return Err(wrong(0, "must be a `hostseed_machine`")),
    };
    let attribute = |name: &str| {
        machine
            .text(name)
            .ok_or_else(|| wrong(0, format!("has no `{name}`: it must be a `hostseed_machine`")))
    };
    let mut variables = Object::default();
    variables.set("DOCKER_TLS_VERIFY", "1");
    variables.set("DOCKER_HOST", attribute("docker_host")?);
    variables.set("DOCKER_MACHINE_NAME", attribute("name")?);
    if let Some(path) = machine.text("cert_path") {
        variables.set("DOCKER_CERT_PATH", path);
    }
    Ok(variables.into())
}
