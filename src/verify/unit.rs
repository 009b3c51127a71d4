//! Parses unit files and drop-ins as systemd.syntax(7) describes them. The crate systemd-unit-edit also reads them, but it
//! rejects comments inside a continued line and blanks before a key, which systemd accepts.

use std::rc::Rc;

/// A setting of a unit file.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    pub section: Rc<str>,
    pub key: String,
    /// The value. Continued lines are joined.
    pub value: String,
    /// The line on which the setting begins, from 1.
    pub line: usize,
}

/// Returns all settings in the order of the file. Leaves out lines that are neither settings nor sections, which systemd ignores
/// with a warning.
pub fn settings(text: &str) -> impl Iterator<Item = Setting> {
    let mut section: Rc<str> = Rc::from("");
    let mut lines = text.lines().enumerate();
    std::iter::from_fn(move || next_setting(&mut lines, &mut section))
}

fn next_setting<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    section: &mut Rc<str>,
) -> Option<Setting> {
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if is_comment(line) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            *section = name.into();
            continue;
        }
        let mut whole = String::new();
        let mut part = line;
        while let Some(begun) = part.strip_suffix('\\') {
            whole = whole + begun + " ";
            // A comment inside a continued line does not end it.
            match lines
                .by_ref()
                .map(|(_, line)| line.trim())
                .find(|line| line.is_empty() || !is_comment(line))
            {
                Some(next) => part = next,
                None => part = "",
            }
        }
        whole += part;
        if let Some((key, value)) = whole.split_once('=') {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            return Some(Setting { section: section.clone(), key, value, line: number + 1 });
        }
    }
    None
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', ';'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, usize)> {
        settings(text).map(|s| (format!("{}.{}", s.section, s.key), s.value, s.line)).collect()
    }

    #[test]
    fn continued_lines_are_joined_without_the_comments_inside() {
        let text = "# c\n[Service]\nExecStart=\nExecStart=dockerd \\\n    -H fd:// \\\n# inside\n; too\n    --tlsverify\n Restart = always\n[Unit]\nAfter=a\\\n";
        let wanted = [
            ("Service.ExecStart", "", 3),
            ("Service.ExecStart", "dockerd  -H fd://  --tlsverify", 4),
            ("Service.Restart", "always", 9),
            ("Unit.After", "a ", 11),
        ];
        let wanted: Vec<_> =
            wanted.iter().map(|(k, v, n)| ((*k).to_owned(), v.trim().to_owned(), *n)).collect();
        assert_eq!(values(text), wanted);
    }

    #[test]
    fn lines_without_a_setting_are_left_out() {
        assert_eq!(values("[Service\nnothing\n=x\n\\\n"), [(".".into(), "x".into(), 3)]);
    }
}
