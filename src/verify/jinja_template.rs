//! Rule: a jinja template can be rendered, and what it becomes is a cloud-config or a script. cloud-init ignores any other.

use crate::diag::{Code, Diagnostic, Position, Severity};
use crate::userdata::budget::{self, Budget};
use crate::userdata::cloud_config;
use crate::userdata::content_type::Kind;
use crate::userdata::host_state::HostState;
use crate::userdata::jinja::{self, Effort, Gap};
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
    let jinja::Results { texts, gap, .. } = jinja::results(text, Effort::Proportional, budget);
    let wrong = |text: &str| Diagnostic::error(Code::JinjaSyntax, text);
    match gap {
        None => {}
        Some(Gap::Syntax { line }) => {
            let problem = wrong("is not a valid jinja template here, so cloud-init drops it");
            return add(line, problem.hint("close each `{{`, `{%` and block"));
        }
        Some(Gap::Fails { line, .. }) => {
            let problem = wrong("cannot be rendered here, so cloud-init drops it");
            return add(
                line,
                problem.hint("a template cannot include files, and knows only Jinja's filters"),
            );
        }
        Some(Gap::Unknown { line }) => {
            let text = "is a jinja template with an expression here that hostseed cannot evaluate";
            add(line, Diagnostic::warning(Code::NotChecked, text).hint(RENDER));
        }
        Some(Gap::Limit) => {
            let text = "is a jinja template that takes too long to check";
            return add(1, Diagnostic::error(Code::VerifyLimit, text).hint(RENDER));
        }
    }
    if texts.is_empty() {
        return;
    }
    let is_read = |text: &&String| matches!(Kind::of(text), Some(Kind::CloudConfig | Kind::Script));
    if !texts.iter().any(|text| is_read(&text)) {
        let problem = Diagnostic::error(
            Code::FirstLine,
            "is a jinja template without `#cloud-config` or `#!` on its second line, so cloud-init ignores it",
        );
        return add(2, problem.hint("make `#cloud-config` the second line"));
    }
    let is_config = |text: &&String| Kind::of(text) == Some(Kind::CloudConfig);
    let configs: Vec<&String> = texts.iter().filter(is_config).collect();
    if configs.is_empty() {
        return;
    }
    let mut found: Vec<Vec<Diagnostic>> = Vec::new();
    for text in configs {
        if !budget.take(budget::YAML * text.len()) {
            return;
        }
        // With values that do not occur together, a text can be invalid.
        if pyyaml::read(text).is_ok_and(|document| document.faults.is_empty()) {
            let mut problems = Problems::default();
            cloud_config::read(text, &part.place, budget, &mut HostState::default(), &mut problems);
            let problems = problems.into_sorted().into_iter();
            found.push(problems.filter(|problem| problem.severity == Severity::Error).collect());
        }
    }
    if found.is_empty() {
        let problem =
            Diagnostic::error(Code::YamlSyntax, "is a jinja template that does not become valid YAML");
        return add(2, problem.hint(RENDER));
    }
    let mut said: Vec<Code> = Vec::new();
    for problem in found.iter().flatten() {
        if said.contains(&problem.code) {
            continue;
        }
        said.push(problem.code);
        // A part can be there only on some hosts.
        let is_always = found.iter().all(|problems| problems.iter().any(|other| other.code == problem.code));
        if problem.code == Code::UserDataEmpty && !is_always {
            continue;
        }
        let becomes = if is_always { "becomes" } else { "can become" };
        let text = format!("is a jinja template that {becomes} a wrong cloud-config: {}", problem.message);
        let problem = match is_always {
            true => Diagnostic::error(problem.code, text).maybe_hint(problem.hint.clone()),
            false => Diagnostic::warning(problem.code, text)
                .hint("put the placeholder in quotes, or give the list an item that is always there"),
        };
        add(2, problem);
    }
}

/// The hint for a template that is not checked.
const RENDER: &str = "render it, for example with `cloud-init devel render`, and verify the result";
