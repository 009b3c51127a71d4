//! Rule: a jinja template can be rendered, and what it becomes is a cloud-config or a script. cloud-init ignores any other.

use crate::diag::{Code, Diagnostic, Position};
use crate::userdata::budget::{self, Budget};
use crate::userdata::content_type::Kind;
use crate::userdata::jinja;
use crate::userdata::problems::Problems;
use crate::userdata::seed::Part;
use crate::yaml::pyyaml;

/// Checks one part.
pub fn check(part: &Part, text: &str, budget: &Budget, problems: &mut Problems) {
    if part.kind != Kind::Jinja {
        return;
    }
    let mut add = |line: usize, problem: Diagnostic| {
        problems.add(&part.place.at(Some(Position { line, column: 1 })), problem);
    };
    if jinja::body(text).is_none() {
        let problem = Diagnostic::error(
            Code::FirstLine,
            "has the type of a jinja template, but does not begin with `## template: jinja`",
        );
        return add(1, problem.hint("add the line, or change the type"));
    }
    if let Some(line) = jinja::error_line(text) {
        let problem = Diagnostic::error(
            Code::JinjaSyntax,
            "is not a valid jinja template here, so cloud-init drops it",
        );
        return add(line, problem.hint("close each `{{`, `{%` and block"));
    }
    let Some(variants) = jinja::variants(text, budget) else { return };
    let is_read = |text: &String| matches!(Kind::of(text), Some(Kind::CloudConfig | Kind::Script));
    if !variants.iter().any(is_read) {
        let problem = Diagnostic::error(
            Code::FirstLine,
            "is a jinja template without `#cloud-config` or `#!` on its second line, so cloud-init ignores it",
        );
        return add(2, problem.hint("make `#cloud-config` the second line"));
    }
    // One variant alone can be invalid because it has both branches of a condition, or none.
    let is_invalid = |text: &String| {
        Kind::of(text) == Some(Kind::CloudConfig)
            && budget.take(budget::YAML * text.len())
            && pyyaml::read(text).is_err()
    };
    if variants.iter().all(is_invalid) {
        let problem =
            Diagnostic::error(Code::YamlSyntax, "is a jinja template that does not become valid YAML");
        add(2, problem.hint("render it, for example with `cloud-init devel render`, and verify the result"));
    }
}
