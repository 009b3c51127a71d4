//! Gives scalars their types, and finds those that PyYAML's constructor refuses (PyYAML 6.0, `yaml/constructor.py`).

use crate::yaml::Value;
use crate::yaml::yaml11::{self, Scalar, Timestamp};

/// Maximum number of digits of a decimal integer in Python (`sys.int_info.default_max_str_digits`).
const MAX_DIGITS: usize = 4300;

const YAML: &str = "tag:yaml.org,2002:";
/// The tags that PyYAML's safe loader knows, and that of cloud-init's own loader.
const TAGS: [&str; 15] = [
    "null",
    "bool",
    "int",
    "float",
    "binary",
    "timestamp",
    "omap",
    "pairs",
    "set",
    "str",
    "seq",
    "map",
    "merge",
    "value",
    "python/unicode",
];

/// Returns whether a tag is one that PyYAML knows.
pub(super) fn is_known(tag: &str) -> bool {
    tag == "!" || tag.strip_prefix(YAML).is_some_and(|own| TAGS.contains(&own))
}

/// The tag as it is written, without its first `!`.
pub(super) fn shown(tag: &str) -> String {
    match tag.strip_prefix(YAML) {
        Some(own) => format!("!{own}"),
        None => tag.strip_prefix('!').unwrap_or(tag).to_owned(),
    }
}

/// Returns the value of a scalar, and the reason if PyYAML refuses it. A tag that PyYAML does not know becomes
/// [`Value::Tagged`].
pub(super) fn construct(tag: Option<&str>, text: &str, plain: bool) -> (Value, Option<String>) {
    let own = match tag {
        None if !plain => return (Value::Text(text.to_owned()), None),
        None | Some("!") => return implicit(text),
        Some(tag) => match tag.strip_prefix(YAML).filter(|_| is_known(tag)) {
            Some(own) => own,
            None => {
                let content = crate::yaml::Node {
                    start: None,
                    written: crate::yaml::Written::default(),
                    value: Value::Text(text.to_owned()),
                };
                return (Value::Tagged(shown(tag), Box::new(content)), None);
            }
        },
    };
    let (value, is_valid) = match own {
        "null" => (Value::Null, true),
        "bool" => {
            let word = text.to_lowercase();
            let is_true = matches!(word.as_str(), "yes" | "true" | "on");
            (Value::Bool(is_true), is_true || matches!(word.as_str(), "no" | "false" | "off"))
        }
        "int" => (Value::Number(text.to_owned()), is_int(text)),
        "float" => (Value::Number(text.to_owned()), is_float(text)),
        "timestamp" => {
            let is_valid = Timestamp::parse(text).is_some_and(|found| found.is_possible());
            (Value::Text(text.to_owned()), is_valid)
        }
        "binary" => (Value::Text(text.to_owned()), is_base64(text)),
        "str" | "python/unicode" | "merge" | "value" => (Value::Text(text.to_owned()), true),
        _ => (Value::Text(text.to_owned()), false),
    };
    let problem = (!is_valid).then(|| format!("the value does not have the type of its tag `!!{own}`"));
    (value, problem)
}

/// The value of a scalar without quotes and without a tag.
fn implicit(text: &str) -> (Value, Option<String>) {
    match yaml11::resolve(text) {
        Scalar::Null => (Value::Null, None),
        Scalar::Bool => (Value::Bool(matches!(text.to_lowercase().as_str(), "yes" | "true" | "on")), None),
        Scalar::Int(_) => {
            let problem = (!is_int(text)).then(|| "this number cannot be read".to_owned());
            (Value::Number(text.to_owned()), problem)
        }
        Scalar::Float => (Value::Number(text.to_owned()), None),
        Scalar::Timestamp => {
            let is_possible = Timestamp::parse(text).is_some_and(|found| found.is_possible());
            let problem = (!is_possible).then(|| "this date does not exist".to_owned());
            (Value::Text(text.to_owned()), problem)
        }
        Scalar::Text | Scalar::Refused => (Value::Text(text.to_owned()), None),
    }
}

/// Returns whether PyYAML's `construct_yaml_int` accepts a text.
fn is_int(text: &str) -> bool {
    let bare = text.replace('_', "");
    let digits = bare.strip_prefix(['+', '-']).unwrap_or(&bare);
    let is_of = |digits: &str, radix| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let is_decimal = |digits: &str| is_of(digits, 10) && digits.len() <= MAX_DIGITS;
    match digits.as_bytes() {
        b"0" => true,
        [b'0', b'b', ..] => is_of(&digits[2..], 2),
        [b'0', b'x', ..] => is_of(&digits[2..], 16),
        [b'0', b'o' | b'O', ..] => is_of(&digits[2..], 8),
        [b'0', ..] => is_of(digits, 8),
        _ if digits.contains(':') => digits.split(':').all(is_decimal),
        _ => is_decimal(digits.trim()),
    }
}

/// Returns whether PyYAML's `construct_yaml_float` accepts a text.
fn is_float(text: &str) -> bool {
    let bare = text.replace('_', "").to_lowercase();
    let digits = bare.strip_prefix(['+', '-']).unwrap_or(&bare);
    let is_float = |digits: &str| digits.trim().parse::<f64>().is_ok();
    matches!(digits, ".inf" | ".nan") || digits.split(':').all(is_float)
}

/// Returns whether Python's `base64.decodebytes` accepts a text. It skips characters that are not base64, and checks only the
/// number of the others (`binascii.a2b_base64`).
fn is_base64(text: &str) -> bool {
    let (mut position, mut padding) = (0, 0);
    for b in text.bytes() {
        if b == b'=' {
            if position >= 2 {
                padding += 1;
                if position + padding >= 4 {
                    position = 0;
                    break;
                }
            }
        } else if b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/') {
            (position, padding) = ((position + 1) % 4, 0);
        }
    }
    position == 0 && text.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_refused_only_if_its_length_is_wrong() {
        for (text, expected) in [
            ("", true),
            ("aGk=", true),
            ("aGk", false),
            ("a", false),
            ("aG*k=\n", true),
            ("aGk=a", true),
            ("é", false),
        ] {
            assert_eq!(is_base64(text), expected, "{text:?}");
        }
    }
}
