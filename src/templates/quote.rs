//! One quoting function for each template language. Each accepts any text and returns one value of that language that reads back
//! as the same text.

use std::fmt::Write;

/// Quotes a word for a POSIX shell, always in single quotes. Inside them, only the single quote is special.
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Quotes a word for a POSIX shell, for people to read: in single quotes only if it has special characters.
pub fn shell_word(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { shell(text) }
}

/// Quotes a word of `ExecStart=` (systemd.service(5), "Command lines"). Doubles specifiers (`%`) and variables (`$`), and adds
/// quotes where they are necessary.
pub fn exec(text: &str) -> String {
    let doubled = text.replace('$', "$$");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:=@+,[]".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return doubled;
    }
    unit_string(&doubled)
}

/// Quotes an assignment of `Environment=` (systemd.exec(5)). There `%` is special and `$` is not.
pub fn environment(text: &str) -> String {
    unit_string(text)
}

/// Writes a quoted string of a unit file (systemd.syntax(7), "Quoting").
fn unit_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => {
                write!(quoted, "\\x{:02x}", c as u32).expect("writing to a string does not fail")
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Quotes a scalar for YAML 1.1 and 1.2 as a JSON string. Also escapes characters that JSON allows and YAML does not (YAML 1.1
/// §5.1: printable characters; §5.4: line breaks). Every scalar is quoted, because cloud-init's reader does not read `no`, `1:30`
/// and `0644` as texts.
pub fn yaml(text: &str) -> String {
    double_quoted(text, |c| {
        !matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    })
}

/// As [`yaml`], with only ASCII characters, for readers that do not know the encoding of the text.
pub fn yaml_ascii(text: &str) -> String {
    double_quoted(text, |c| c < '\u{7f}')
}

/// Writes a JSON string (RFC 8259 §7), in which the characters above U+001F stay for which `is_plain` is true.
fn double_quoted(text: &str, is_plain: impl Fn(char) -> bool) -> String {
    const ESCAPED: &str = "writing to a string does not fail";
    const BLOCK: usize = 32;
    let stays = |c: char| c >= ' ' && !matches!(c, '"' | '\\') && is_plain(c);
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut rest = text;
    loop {
        // Most of user-data is one long base64 text, which is copied as a whole.
        let is_usual = |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
        // All bytes of a block are looked at, which a processor does for many at once.
        let are_usual = |block: &&[u8]| block.iter().fold(true, |all, b| all & is_usual(b));
        let usual = rest.as_bytes().chunks_exact(BLOCK).take_while(are_usual).count() * BLOCK;
        let usual = usual + rest[usual..].bytes().position(|b| !is_usual(&b)).unwrap_or(rest.len() - usual);
        let Some(at) = rest[usual..].find(|c| !stays(c)).map(|at| usual + at) else { break };
        let (plain, special) = rest.split_at(at);
        quoted.push_str(plain);
        let mut characters = special.chars();
        let c = characters.next().expect("a character was found there");
        rest = characters.as_str();
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            // YAML does not join surrogate pairs (1.1, §5.6), so characters above U+FFFF have a longer escape.
            c if u32::from(c) > 0xffff => write!(quoted, "\\U{:08x}", u32::from(c)).expect(ESCAPED),
            c => write!(quoted, "\\u{:04x}", u32::from(c)).expect(ESCAPED),
        }
    }
    quoted.push_str(rest);
    quoted.push('"');
    quoted
}

/// Quotes a literal for HCL (HCL Native Syntax Specification, "Template Expressions"). In `${` and `%{` the brace is escaped,
/// because `$${` has another meaning after a further `$`. Packer and Terraform convert the text to Unicode's normal form C.
pub fn hcl(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    let mut before = '"';
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() || (c == '{' && matches!(before, '$' | '%')) => {
                write!(quoted, "\\u{:04x}", c as u32).expect("writing to a string does not fail");
            }
            c => quoted.push(c),
        }
        before = c;
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::skip;

    #[test]
    fn special_values_are_quoted_as_text() {
        assert_eq!(shell("web1"), "'web1'");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(exec("--label"), "--label");
        assert_eq!(exec("a=$HOME %n \"\\"), r#""a=$$HOME %%n \"\\""#);
        assert_eq!(exec(";"), "\";\"");
        assert_eq!(environment("A=$HOME 100%"), "\"A=$HOME 100%%\"");
        assert_eq!(yaml("no"), "\"no\"");
        assert_eq!(yaml_ascii("…\u{1f433}"), "\"\\u2026\\U0001f433\"");
        assert_eq!(yaml("a\u{85}\u{feff}b"), "\"a\\u0085\\ufeffb\"");
        assert_eq!(hcl("web1"), "\"web1\"");
        assert_eq!(hcl("C:\\a \"b\" $HOME {}\n\t"), r#""C:\\a \"b\" $HOME {}\n\u0009""#);
        assert_eq!(hcl("${a} $${a} %{a} 100%"), r#""$\u007ba} $$\u007ba} %\u007ba} 100%""#);
    }

    /// Texts of every kind. Special texts are more frequent than in random texts.
    fn texts(count: usize) -> Vec<String> {
        let awkward = [
            "",
            " ",
            "no",
            "Yes",
            "on",
            "~",
            "null",
            "=",
            "<<",
            "1_000",
            "1:30",
            "0644",
            "0x1f",
            "1e3",
            ".inf",
            "2026-11-23",
            "a: b",
            "a #b",
            "- a",
            "? a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "'",
            "\"",
            "\\",
            "\\n",
            "$HOME",
            "${a}",
            "$${a}",
            "$$",
            "%n",
            "%{if}",
            "\n",
            "\r\n",
            "\t",
            "a\n\nb\n",
            "\u{0}",
            "\u{7f}",
            "\u{85}",
            "\u{a0}",
            "\u{2028}",
            "\u{feff}",
            "\u{fffe}",
            "\u{ffff}",
            "\u{1f433}",
            "---",
            "...",
            "#cloud-config",
        ];
        let mut runner = TestRunner::deterministic();
        let any = prop_oneof![any::<String>(), "[ -~]{0,40}", "[:#\\-\\[\\]{}&*!|>'\"%@`\\\\\n\t ]{0,20}"];
        let random = std::iter::repeat_with(|| any.new_tree(&mut runner).expect("a text").current());
        awkward.iter().map(|text| (*text).to_owned()).chain(random.take(count)).collect()
    }

    /// Runs a program on `input` and returns its standard output.
    fn run_with_input(command: &mut Command, input: &str) -> String {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn any_text_reads_back_from_yaml_as_pyyaml_reads_it() {
        if !skip::need_python_module("yaml") {
            return;
        }
        let texts = texts(4000);
        for quote in [yaml, yaml_ascii] {
            let document: String = texts.iter().map(|text| format!("- {}\n", quote(text))).collect();
            let read = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin.buffer), sys.stdout)";
            let read = run_with_input(Command::new(skip::PYTHON).args(["-c", read]), &document);
            let read: Vec<String> = serde_json::from_str(&read).unwrap();
            for (read, text) in read.iter().zip(&texts) {
                assert_eq!(read, text);
            }
            assert_eq!(read.len(), texts.len());
        }
    }

    #[test]
    fn any_text_reads_back_from_a_shell_word() {
        let texts: Vec<_> = texts(1000).into_iter().filter(|text| !text.contains('\0')).collect();
        let script: String = texts.iter().map(|text| format!("printf '%s\\0' {}\n", shell(text))).collect();
        let read = run_with_input(&mut Command::new("sh"), &script);
        assert_eq!(read.split_terminator('\0').collect::<Vec<_>>(), texts);
    }

    /// Terraform converts a text to Unicode's normal form C, so the test compares with that.
    #[test]
    fn any_text_reads_back_from_hcl_as_terraform_reads_it() {
        if !skip::need("terraform-1.15") || !skip::need_python_module("unicodedata") {
            return;
        }
        let texts = texts(1000);
        let normal = "import json, sys, unicodedata; \
            json.dump([unicodedata.normalize('NFC', text) for text in json.load(sys.stdin)], sys.stdout)";
        let wanted = run_with_input(
            Command::new(skip::PYTHON).args(["-c", normal]),
            &serde_json::to_string(&texts).unwrap(),
        );
        let wanted: Vec<String> = serde_json::from_str(&wanted).unwrap();

        let dir = tempfile::tempdir().unwrap();
        let values: String = texts.iter().map(|text| format!("    {},\n", hcl(text))).collect();
        std::fs::write(
            dir.path().join("main.tf"),
            format!("output \"texts\" {{\n  value = [\n{values}  ]\n}}\n"),
        )
        .unwrap();
        let terraform = |args: &[&str]| {
            let mut command = Command::new("terraform-1.15");
            command.args(args).current_dir(dir.path());
            command.envs([("TF_CLI_CONFIG_FILE", "/dev/null"), ("CHECKPOINT_DISABLE", "1")]);
            run_with_input(&mut command, "")
        };
        terraform(&["apply", "-auto-approve"]);
        let read: Vec<String> = serde_json::from_str(&terraform(&["output", "-json", "texts"])).unwrap();
        for (read, wanted) in read.iter().zip(&wanted) {
            assert_eq!(read, wanted);
        }
        assert_eq!(read.len(), texts.len());
    }
}
