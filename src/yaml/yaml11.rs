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
    let of = |digits: &str, radix: u32| {
        let legal = !digits.is_empty() && digits.chars().all(|c| c == '_' || c.is_digit(radix));
        legal.then(|| {
            let bare: String = digits.chars().filter(|c| *c != '_').collect();
            Scalar::Int(i64::from_str_radix(&bare, radix).ok().map(|value| sign * value))
        })
    };
    match digits.as_bytes() {
        b"0" => Some(Scalar::Int(Some(0))),
        [b'0', b'b', ..] => of(&digits[2..], 2),
        [b'0', b'x', ..] => of(&digits[2..], 16),
        [b'0', ..] => of(&digits[1..], 8),
        [b'1'..=b'9', ..] if digits.contains(':') => {
            sexagesimal(digits).map(|value| Scalar::Int(value.map(|value| sign * value)))
        }
        [b'1'..=b'9', ..] => of(digits, 10),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// Parses base 60: `1:30` is 90. The value is None if it does not fit in 64 bits.
fn sexagesimal(text: &str) -> Option<Option<i64>> {
    let (first, rest) = text.split_once(':')?;
    if !first.starts_with(|c: char| c.is_ascii_digit()) || !is_digits(first) {
        return None;
    }
    let mut value = first.replace('_', "").parse::<i64>().ok();
    for part in rest.split(':') {
        let legal = match part.as_bytes() {
            [a] => a.is_ascii_digit(),
            [a, b] => (b'0'..=b'5').contains(a) && b.is_ascii_digit(),
            _ => false,
        };
        let digit: i64 = part.parse().ok().filter(|_| legal)?;
        value = value.and_then(|value| value.checked_mul(60)?.checked_add(digit));
    }
    Some(value)
}

fn float(text: &str) -> Option<Scalar> {
    let (digits, _) = unsigned(text);
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Scalar::Float);
    }
    let (whole, fraction) = digits.split_once('.')?;
    let (fraction, exponent) = match fraction.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (fraction, None),
    };
    // In YAML 1.1 an exponent must have a sign: `1.0e3` is a text.
    let signed =
        |e: &str| e.len() > 1 && e.starts_with(['+', '-']) && e[1..].bytes().all(|b| b.is_ascii_digit());
    let begins = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let is_whole = match whole {
        "" => begins(fraction) && digits.len() == text.len(),
        _ if whole.contains(':') => sexagesimal(whole).is_some() && exponent.is_none(),
        _ => begins(whole) && is_digits(whole),
    };
    (is_whole && is_digits(fraction) && exponent.is_none_or(signed)).then_some(Scalar::Float)
}

fn is_timestamp(text: &str) -> bool {
    // A date without a time has two digits for the month and the day.
    Timestamp::parse(text).is_some_and(|found| found.time.is_some() || text.len() == 10)
}

/// The numbers of a timestamp, which may be impossible.
#[derive(Debug, PartialEq, Eq)]
pub struct Timestamp {
    pub date: [u32; 3],
    pub time: Option<[u32; 3]>,
    /// Hours and minutes of the time zone.
    pub zone: [u32; 2],
}

impl Timestamp {
    /// Parses a date such as `2001-12-14`, with or without a time after it (`timestamp_regexp` in PyYAML's `constructor.py`).
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text);
        let date = [rest.number(4, 4)?, rest.after("-")?.number(1, 2)?, rest.after("-")?.number(1, 2)?];
        if rest.0.is_empty() {
            return Some(Self { date, time: None, zone: [0, 0] });
        }
        let spaces = rest.0.len() - rest.0.trim_start_matches([' ', '\t']).len();
        let separator = if rest.0.starts_with(['T', 't']) { 1 } else { spaces };
        if separator == 0 {
            return None;
        }
        rest.0 = &rest.0[separator..];
        let time = [rest.number(1, 2)?, rest.after(":")?.number(2, 2)?, rest.after(":")?.number(2, 2)?];
        if let Some(fraction) = rest.0.strip_prefix('.') {
            rest.0 = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        let mut zone = [0, 0];
        let before_zone = rest.0;
        rest.0 = rest.0.trim_start_matches([' ', '\t']);
        if rest.0.starts_with(['+', '-']) {
            rest.0 = &rest.0[1..];
            zone[0] = rest.number(1, 2)?;
            if rest.0.starts_with(':') {
                zone[1] = rest.after(":")?.number(2, 2)?;
            }
        } else if let Some(after) = rest.0.strip_prefix('Z') {
            rest.0 = after;
        } else if !before_zone.is_empty() {
            return None;
        }
        rest.0.is_empty().then_some(Self { date, time: Some(time), zone })
    }

    /// Returns whether Python's `datetime` accepts the numbers.
    pub fn is_possible(&self) -> bool {
        let [year, month, day] = self.date;
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 => 28 + u32::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let [hour, minute, second] = self.time.unwrap_or_default();
        let [zone_hour, zone_minute] = self.zone;
        year > 0
            && (1..=12).contains(&month)
            && (1..=days).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60
            && 60 * zone_hour + zone_minute < 24 * 60
    }
}

/// The rest of a text that is parsed from left to right.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// Takes a number with as many digits as possible.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        number.parse().ok().filter(|_| digits >= least)
    }

    fn after(&mut self, mark: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(mark)?;
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skip::{PYTHON, need_python_module};
    use std::process::Command;

    const WORDS: [&str; 80] = [
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
        "++1:30",
        "+1:30",
        "1_0:5_9",
        "1:60",
        "1:5",
        "1:",
        "0_",
        "0x_",
        "0b_",
        "-0",
        "1.e+3",
        "1._",
        "._1",
        "+.5",
        "1:30.",
        "1e5.5",
        "12345678901234567890:10",
        "123456789012345678901",
        "2001-12-14t21:59:43.10-05:00",
        "2001-1-1 1:02:03",
        "2001-12-14 21:59:43.10 -5",
        "2001-12-14  21:59:43 Z",
        "2001-12-14T21:59",
        "2001-12-14T21:59:43 ",
        "2024-02-30",
        "2001-12-141",
        "0001-1-1T1:1:1",
        "2001-12-14T",
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
