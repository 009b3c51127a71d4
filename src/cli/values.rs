//! Parsers of the values of flags.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::clouds::Cloud;
use crate::diag::Code;
use crate::options;
use crate::plan::{self, KeyType, ValidFor};

pub(super) fn names<T>(all: &[(&'static str, T)]) -> PossibleValuesParser {
    PossibleValuesParser::new(all.iter().map(|(name, _)| *name))
}

pub(super) fn duration(text: &str) -> Result<ValidFor, String> {
    ValidFor::parse(text).map_err(|problem| problem.message)
}

/// Reads the variable that accepts a risk. An empty value means no.
pub(super) fn consent(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "0" | "n" | "no" | "false" | "f" | "off" => Ok(false),
        "1" | "y" | "yes" | "true" | "t" | "on" => Ok(true),
        _ => Err("HOSTSEED_ALLOW_INSECURE_STORE must be `1` or `0`".to_owned()),
    }
}

/// Parses the name of a diagnostic's code.
pub(super) fn code() -> impl TypedValueParser<Value = Code> {
    let names = PossibleValuesParser::new(Code::ALL.iter().map(|code| code.name()));
    names.map(|name| Code::named(&name).expect("these are the names"))
}

/// Parses the name of an option.
pub(super) fn option_names() -> PossibleValuesParser {
    PossibleValuesParser::new(options::all().map(|option| option.name))
}

/// Parses the type of keys.
pub(super) fn key_type() -> impl TypedValueParser<Value = KeyType> {
    let names = PossibleValuesParser::new(plan::choices("key").unwrap_or_default());
    names.map(|name| KeyType::named(&name).expect("these are the names"))
}

/// Parses the name of a cloud.
pub(super) fn cloud() -> impl TypedValueParser<Value = &'static Cloud> {
    let names = Cloud::ALL.map(|cloud| PossibleValue::new(cloud.name).aliases(cloud.aliases));
    PossibleValuesParser::new(names).map(|name| Cloud::named(&name).expect("these are the names"))
}
