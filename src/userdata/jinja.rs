//! Jinja templates, which cloud-init renders on the host. hostseed does not know the values, so it reads the texts that a
//! template can become.

use minijinja::Environment;

use super::budget::Budget;

/// The first line of a template that cloud-init renders, in lower case (cloud-init, `templater.py`).
const FIRST_LINE: &str = "## template: jinja";

/// Returns the text after the first line, which cloud-init renders. None if the first line is another one.
pub fn body(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let (first, body) = text.split_once('\n').unwrap_or((text, ""));
    first.to_lowercase().starts_with(FIRST_LINE).then_some(body)
}

/// Returns the line of the first syntax error of a template, counted from its first line.
pub fn error_line(text: &str) -> Option<usize> {
    let mut environment = Environment::empty();
    let error = environment.add_template_owned("template", body(text)?.to_owned()).err()?;
    Some(error.line().unwrap_or(1) + 1)
}

/// The texts that a template becomes if all its blocks are rendered once, and if none is. A placeholder becomes `x`. None if the
/// budget is exhausted.
pub fn variants(text: &str, budget: &Budget) -> Option<Vec<String>> {
    let body = body(text).unwrap_or_default();
    [true, false].map(|with_blocks| rendered(body, with_blocks, budget)).into_iter().collect()
}

/// Splits a text before the first sign of a template. The second text is empty if there is none.
fn split_at_sign(text: &str) -> (&str, &str) {
    let is_sign = |at: &usize| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#'));
    let at = text.match_indices('{').map(|(at, _)| at).find(is_sign);
    text.split_at(at.unwrap_or(text.len()))
}

fn rendered(body: &str, with_blocks: bool, budget: &Budget) -> Option<String> {
    let (mut shown, mut rest, mut depth) = (String::new(), body, 0usize);
    loop {
        let (before, from) = split_at_sign(rest);
        let is_shown = with_blocks || depth == 0;
        if is_shown {
            shown.push_str(before);
        }
        let end = match from.get(..2) {
            Some("{{") => "}}",
            Some("{%") => "%}",
            Some(_) => "#}",
            None => break,
        };
        let Some((inside, after)) = from[2..].split_once(end) else {
            if is_shown {
                shown.push_str(from);
            }
            break;
        };
        // Each search reads the bytes up to what it finds.
        if !budget.take(before.len() + inside.len() + 4) {
            return None;
        }
        match end {
            "}}" if is_shown => shown.push('x'),
            "%}" => {
                let statement = inside.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '+'));
                let word = statement.split_whitespace().next().unwrap_or_default();
                match word {
                    "if" | "for" | "macro" | "call" | "filter" | "with" => depth += 1,
                    "set" if !statement.contains('=') => depth += 1,
                    _ if word.starts_with("end") => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            _ => {}
        }
        rest = after;
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_a_text_with_its_blocks_and_one_without() {
        let text = "## template: jinja\na: {{ b }}\n{%- if c %}\nd\n{% for e in f -%}\ng\n{% endfor %}{% endif %}\n{# h #}i\n";
        let [all, none] = &variants(text, &Budget::default()).unwrap()[..] else { panic!() };
        assert_eq!(all.split_whitespace().collect::<Vec<_>>(), ["a:", "x", "d", "g", "i"]);
        assert_eq!(none.split_whitespace().collect::<Vec<_>>(), ["a:", "x", "i"]);
    }

    #[test]
    fn syntax_errors_have_their_line() {
        assert_eq!(
            error_line("## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname\n"),
            Some(3)
        );
        assert_eq!(error_line("## template: jinja\n{% if a %}\n"), Some(2));
        assert_eq!(error_line("## template: jinja\n{{ a['b'] | default(\"c\") }} {% set d = 1 %}\n"), None);
        assert_eq!(error_line("#!/bin/sh\n{{\n"), None);
    }
}
