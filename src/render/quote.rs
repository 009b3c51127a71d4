//! One escape for each language that a template is written in. Each takes any text and gives one value of that
//! language which reads back as the text.

use std::fmt::Write;

/// A word of a POSIX shell: plain where nothing in it is special, else in single quotes.
pub fn shell(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A word of `ExecStart=`: systemd.service(5), "Command lines". Specifiers (`%`) and variables (`$`) are doubled,
/// the rest is quoted where it has to be.
pub fn exec(text: &str) -> String {
    let doubled = text.replace('$', "$$");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:=@+,[]".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return doubled;
    }
    unit_string(&doubled)
}

/// An assignment of `Environment=`: systemd.exec(5). Here `$` has no meaning, and `%` has.
pub fn environment(text: &str) -> String {
    unit_string(text)
}

/// A quoted string of a unit file: systemd.syntax(7), "Quoting".
fn unit_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => write!(quoted, "\\x{:02x}", c as u32).expect("a string takes it"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A scalar of YAML, 1.1 and 1.2 alike: JSON's string, and what only JSON allows bare escaped too (YAML 1.1 §5.1:
/// printable characters; §5.4: line breaks). Nothing is ever left unquoted, since `no`, `1:30` and `0644` are
/// no texts to cloud-init's reader.
pub fn yaml(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    for c in serde_json::Value::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                write!(quoted, "\\u{:04x}", c as u32).expect("a string takes it");
            }
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_mean_something_elsewhere_arrive_as_text() {
        assert_eq!(shell("web1"), "web1");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(exec("--label"), "--label");
        assert_eq!(exec("a=$HOME %n \"\\"), r#""a=$$HOME %%n \"\\""#);
        assert_eq!(exec(";"), "\";\"");
        assert_eq!(environment("A=$HOME 100%"), "\"A=$HOME 100%%\"");
        assert_eq!(yaml("no"), "\"no\"");
        assert_eq!(yaml("a\u{85}\u{feff}b"), "\"a\\u0085\\ufeffb\"");
    }
}
