//! Decides the type of a YAML scalar without quotes in YAML 1.1. cloud-init's reader uses YAML 1.1, and hostseed's own reader
//! uses YAML 1.2.
//!
//! The rules are those of the types at yaml.org/type (int, float, bool, null, timestamp, value) as PyYAML implements them.

/// The type of a scalar in PyYAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    Text,
    Null,
    Bool,
    /// The value. None if it does not fit in 64 bits or is not known; such a value is no file mode.
    Int(Option<i64>),
    Float,
    Timestamp,
    /// `=`, which PyYAML's safe loader rejects.
    Refused,
}

impl Scalar {
    /// The type in words, for a message.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Int(_) | Self::Float => "a number",
            Self::Timestamp => "a date",
            Self::Refused => "a value that it does not support",
        }
    }
}

/// Returns the type of a scalar without quotes.
pub fn resolve(plain: &str) -> Scalar {
    match plain {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "=" => Scalar::Refused,
        _ if is_bool(plain) => Scalar::Bool,
        _ if is_timestamp(plain) => Scalar::Timestamp,
        _ => int(plain).or_else(|| float(plain)).unwrap_or(Scalar::Text),
    }
}

fn is_bool(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let titled = |w: &str| w[..1].to_uppercase() + &w[1..];
    ["yes", "no", "true", "false", "on", "off"]
        .iter()
        .any(|known| *known == word && (text == word || text == word.to_uppercase() || text == titled(&word)))
}

fn unsigned(text: &str) -> (&str, i64) {
    match text.as_bytes().first() {
        Some(b'-') => (&text[1..], -1),
        Some(b'+') => (&text[1..], 1),
        _ => (text, 1),
    }
}

fn int(text: &str) -> Option<Scalar> {
    let (digits, sign) = unsigned(text);
    if let Some(value) = sexagesimal(digits).filter(|_| !digits.starts_with('0')) {
        return Some(Scalar::Int(Some(sign * value)));
    }
    let (digits, radix) = match digits {
        "0" => ("0", 10),
        _ if digits.starts_with("0b") => (&digits[2..], 2),
        _ if digits.starts_with("0x") => (&digits[2..], 16),
        _ if digits.starts_with('0') => (&digits[1..], 8),
        _ if digits.starts_with(|c: char| c.is_ascii_digit()) => (digits, 10),
        _ => return None,
    };
    let legal = digits.chars().all(|c| c == '_' || c.is_digit(radix));
    (legal && !digits.is_empty()).then(|| {
        let bare: String = digits.chars().filter(|c| *c != '_').collect();
        Scalar::Int(i64::from_str_radix(&bare, radix).ok().map(|value| sign * value))
    })
}

/// Parses base 60: `1:30` is 90.
fn sexagesimal(text: &str) -> Option<i64> {
    let (first, rest) = text.split_once(':')?;
    let bare = first.replace('_', "");
    let mut value = bare.parse::<u32>().ok().map(i64::from)?;
    for part in rest.split(':') {
        let legal = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        value = value.checked_mul(60)?.checked_add(part.parse().ok().filter(|n| legal && *n < 60)?)?;
    }
    Some(value)
}

fn float(text: &str) -> Option<Scalar> {
    let (digits, _) = unsigned(text);
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Scalar::Float);
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    // In YAML 1.1 an exponent must have a sign: `1.0e3` is a text.
    let signed =
        |e: &str| e.len() > 1 && e.starts_with(['+', '-']) && e[1..].bytes().all(|b| b.is_ascii_digit());
    let begins = whole.starts_with(|c: char| c.is_ascii_digit())
        || (whole.is_empty()
            && fraction.starts_with(|c: char| c.is_ascii_digit())
            && text == text.trim_start_matches(['-', '+']));
    let whole_is_legal = digits(whole) || (sexagesimal(whole).is_some() && exponent.is_none());
    (begins && whole_is_legal && digits(fraction) && exponent.is_none_or(signed)).then_some(Scalar::Float)
}

/// Returns whether the text is a date such as `2001-12-14`, with or without a time after it.
fn is_timestamp(text: &str) -> bool {
    let date = text.get(..10).is_some_and(|date| {
        date.bytes().enumerate().all(|(n, b)| if matches!(n, 4 | 7) { b == b'-' } else { b.is_ascii_digit() })
    });
    let with_time = || {
        let rest = text[10..].trim_start_matches(['T', 't', ' ', '\t']);
        rest.len() >= 7
            && rest.len() < text.len() - 10
            && rest.bytes().all(|b| b.is_ascii_digit() || b":.+-Z ".contains(&b))
    };
    date && (text.len() == 10 || with_time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skip::{PYTHON, need_python_module};
    use std::process::Command;

    const WORDS: [&str; 52] = [
        "0644",
        "644",
        "0o644",
        "0x1A4",
        "0b110",
        "0",
        "00",
        "08",
        "0_7",
        "1_000",
        "1:30",
        "01:30",
        "1:99",
        "-1",
        "+1",
        "yes",
        "Yes",
        "YES",
        "yEs",
        "no",
        "on",
        "Off",
        "y",
        "n",
        "true",
        "True",
        "~",
        "null",
        "Null",
        "nULL",
        "=",
        "1.5",
        "1.",
        ".5",
        "-.5",
        "1e3",
        "1.0e3",
        "1.0e+3",
        "1:30.5",
        ".inf",
        "-.inf",
        ".nan",
        "2001-12-14",
        "2001-1-1",
        "2001-12-14T21:59:43Z",
        "2001-12-14 21:59:43",
        "0xg",
        "1.2.3",
        "28.0.4",
        "12h",
        "_1",
        "a",
    ];

    /// Compares with PyYAML itself. The words were chosen with PyYAML 6.0 on Debian 12.
    #[test]
    fn scalar_types_match_pyyaml() {
        if !need_python_module("yaml") {
            return;
        }
        let list: String = WORDS.iter().map(|word| format!("{word}\n")).collect();
        let program = "import sys, yaml\nr = yaml.SafeLoader('').resolve\nfor w in sys.argv[1].splitlines():\n print(r(yaml.ScalarNode, w, (True, False)).rsplit(':', 1)[1])";
        let output = Command::new(PYTHON).args(["-c", program, &list]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.lines().count(), WORDS.len(), "{}", String::from_utf8_lossy(&output.stderr));
        for (word, said) in WORDS.iter().zip(said.lines()) {
            let ours = match resolve(word) {
                Scalar::Text => "str",
                Scalar::Null => "null",
                Scalar::Bool => "bool",
                Scalar::Int(_) => "int",
                Scalar::Float => "float",
                Scalar::Timestamp => "timestamp",
                Scalar::Refused => "value",
            };
            assert_eq!(ours, said, "{word}");
        }
    }

    #[test]
    fn octal_and_sexagesimal_integers_have_the_right_values() {
        for (word, value) in
            [("0644", 0o644), ("644", 644), ("0x1A4", 420), ("1:30", 90), ("-1", -1), ("0", 0)]
        {
            assert_eq!(resolve(word), Scalar::Int(Some(value)), "{word}");
        }
        assert_eq!(resolve("0o644"), Scalar::Text);
    }
}
