//! Templates in the values of a fleet file.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, value::ValueKind};

use crate::diag::{Code, Diagnostic};

/// Steps that a template may take. One with a loop over a thousand items needs a few thousand.
const FUEL: u64 = 100_000;
/// How to write text that looks like a template.
const LITERAL: &str = "`{{ '{{' }}` stands for `{{`";

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the usual syntax"));
    engine.set_fuel(Some(FUEL));
    // YAML's and Docker's booleans, not Python's.
    engine.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    engine
});

/// Renders a value. Returns it as it is if it has no template.
///
/// # Errors
/// Fails if the template has an error or uses a value that is not in `values`. The message has no subject.
pub fn render<'a>(text: &'a str, values: &HashMap<&str, Value>) -> Result<Cow<'a, str>, Diagnostic> {
    if !text.contains("{{") && !text.contains("{%") {
        return Ok(Cow::Borrowed(text));
    }
    let refuse = |error: &minijinja::Error| {
        let what =
            if error.kind() == ErrorKind::SyntaxError { "is not a template" } else { "cannot be rendered" };
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        Diagnostic::error(Code::FleetTemplate, format!("{what}: {}{detail}", error.kind())).hint(LITERAL)
    };
    let template = ENGINE.template_from_str(text).map_err(|error| refuse(&error))?;
    let unknown: BTreeSet<String> =
        template.undeclared_variables(false).into_iter().filter(|name| is_unknown(name, values)).collect();
    if !unknown.is_empty() {
        let unknown: Vec<_> = unknown.iter().map(|name| format!("`{name}`")).collect();
        let is = if unknown.len() == 1 { "is" } else { "are" };
        let mut known: Vec<_> = values.keys().map(|name| format!("`{name}`")).collect();
        known.sort();
        let text = format!("uses {}, which {is} not defined", unknown.join(", "));
        let hint = format!("there are {}; {LITERAL}", known.join(", "));
        return Err(Diagnostic::error(Code::FleetTemplate, text).hint(hint));
    }
    template.render(values).map(Cow::Owned).map_err(|error| refuse(&error))
}

/// Returns whether a name is neither a value nor a function of the engine.
fn is_unknown(name: &str, values: &HashMap<&str, Value>) -> bool {
    !values.contains_key(name) && !ENGINE.globals().any(|(global, _)| global == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, String> {
        let values = HashMap::from([("index", Value::from(7)), ("name", Value::from("a<b"))]);
        render(text, &values).map(Cow::into_owned).map_err(|problem| problem.message)
    }

    #[test]
    fn templates_have_numbers_filters_and_no_escapes() {
        assert_eq!(rendered("ci-{{ '%03d'|format(index) }}").unwrap(), "ci-007");
        assert_eq!(rendered("10.0.{{ index // 4 }}.{{ index % 4 }}").unwrap(), "10.0.1.3");
        assert_eq!(rendered("{{ name }}{{ '{{' }}.X}}").unwrap(), "a<b{{.X}}");
        assert_eq!(rendered("{{ index == 7 }} {{ index == 8 }}").unwrap(), "true false");
        assert_eq!(rendered("{# a } %}").unwrap(), "{# a } %}");
    }

    #[test]
    fn what_is_not_defined_is_an_error() {
        assert!(rendered("{{ idx }}").unwrap_err().contains("`idx`, which is not defined"));
        assert!(rendered("{{ index.x }}").unwrap_err().contains("undefined value"));
        assert!(rendered("{{ name }").unwrap_err().contains("not a template"));
        assert!(rendered("{{.Name}}").unwrap_err().contains("not a template"));
        assert!(
            rendered("{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}")
                .is_err()
        );
    }
}
