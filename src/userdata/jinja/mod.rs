//! Jinja templates, which cloud-init renders on the host. hostseed does not know the values there, so it renders a template several
//! times with stand-ins, and looks at what it becomes.

mod branches;
mod instance;
mod tags;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Template, Value, escape_formatter};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::budget::Budget;
use branches::{QUESTION, Way, branches};
pub use instance::FIELD;
use instance::{Choice, Name, Run, Use};
use tags::{Tag, tags};

/// Maximum size of a template in bytes, as of a YAML document.
const MAX_BYTES: usize = 2 << 20;
/// Maximum number of names and operators in one tag, and of `elif` in a template. The reader calls itself for each of them. Python
/// refuses about 200 nested brackets.
const MAX_SIGNS: usize = 1000;
/// The work that is spent on a template's branches, in bytes that are read and written. 16 MiB are rendered in less than a second.
const BRANCHES: usize = 16 << 20;
/// The stack for a rendering, in bytes. A template can build a list in a list as often as its fuel allows.
const STACK: usize = 256 << 20;
/// Jinja2's filters, tests and functions that minijinja does not have.
const FILTERS: [&str; 8] =
    ["center", "forceescape", "random", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr"];
const TESTS: [&str; 2] = ["callable", "divisibleby"];
const FUNCTIONS: [&str; 1] = ["lipsum"];
/// Methods of Python's texts, lists and maps that minijinja does not have (`dir(str)`, `dir(list)`, `dir(dict)` without those of
/// `minijinja_contrib::pycompat`).
const METHODS: [&str; 36] = [
    "append",
    "casefold",
    "center",
    "clear",
    "copy",
    "encode",
    "expandtabs",
    "extend",
    "format_map",
    "fromkeys",
    "index",
    "insert",
    "isdecimal",
    "isidentifier",
    "isprintable",
    "istitle",
    "ljust",
    "maketrans",
    "partition",
    "pop",
    "popitem",
    "remove",
    "removeprefix",
    "removesuffix",
    "reverse",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "setdefault",
    "sort",
    "swapcase",
    "translate",
    "update",
    "zfill",
    "splitlines",
];
/// The text that cloud-init prints for a value that does not exist (MISSING_JINJA_PREFIX in its `templater.py`).
const MISSING: &str = "CI_MISSING_JINJA_VAR/x";

/// Returns the text after the first line, which cloud-init renders. None if cloud-init refuses the first line (`detect_template` in
/// its `templater.py`).
pub fn body(text: &str) -> Option<&str> {
    let (first, body) = text.split_once('\n').unwrap_or((text, ""));
    let kind = first.strip_prefix("##")?.trim_start();
    let of = kind.get(..9).filter(|word| word.eq_ignore_ascii_case("template:")).map(|_| &kind[9..])?;
    of.trim().eq_ignore_ascii_case("jinja").then_some(body)
}

/// The texts that a template becomes.
#[derive(Debug, Default)]
pub struct Results {
    /// The different texts, each with values that a host can have.
    pub texts: Vec<String>,
    /// The texts in which a value is a field of a cloud-config, or the name of one: [`FIELD`], in lower or upper case.
    pub fields: Vec<String>,
    /// The reason why there may be others, or none.
    pub gap: Option<Gap>,
}

/// The reason why not all texts of a template are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It is not valid in this line, so it never becomes a text.
    Syntax { line: usize },
    /// It fails in this line with all values, so cloud-init drops it. `is_certain` is false if minijinja may know less of Python's
    /// operators than Jinja2.
    Fails { line: usize, is_certain: bool },
    /// hostseed cannot evaluate this line.
    Unknown { line: usize },
    /// It is too large, or its loops take too long.
    Limit,
}

/// The work that is spent on a template, in bytes that are read and written.
#[derive(Debug, Clone, Copy)]
pub enum Effort {
    /// In proportion to its size.
    Proportional,
    /// For a template of a user's own, which is small.
    Thorough,
}

/// Renders a template with stand-ins. There are no texts if cloud-init refuses its first line.
pub fn results(text: &str, effort: Effort, budget: &Budget) -> Results {
    let Some(body) = body(text) else { return Results::default() };
    let too_much = Results { gap: Some(Gap::Limit), ..Results::default() };
    if body.len() > MAX_BYTES || !budget.take(4 * body.len()) {
        return too_much;
    }
    let tags = tags(body);
    let elifs = tags.iter().filter(|tag| tag.is_statement && tag.has_word("elif")).count();
    if elifs > MAX_SIGNS || tags.iter().any(|tag| tag.signs > MAX_SIGNS) {
        return too_much;
    }
    let left = match effort {
        Effort::Proportional => 12 * (body.len() + 4096),
        Effort::Thorough => 24 * (body.len() + 4096) + (512 << 10),
    };
    let compared = compared(&tags);
    let (results, rest) = thread::scope(|scope| {
        let explore = || explore(body, compared, left, effort);
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, explore);
        thread.ok().and_then(|thread| thread.join().ok()).unwrap_or((too_much, 0))
    });
    if !budget.take(left.saturating_sub(rest)) {
        return Results { gap: Some(Gap::Limit), ..Results::default() };
    }
    results
}

/// The texts and numbers with which a template compares something.
fn compared(tags: &[Tag]) -> Vec<Value> {
    const MOST: usize = 8;
    let mut found: Vec<Value> = Vec::new();
    let conditions = tags.iter().filter(|tag| ["if", "elif", "set"].iter().any(|word| tag.has_word(word)));
    for tag in conditions {
        let texts = tag.quoted.iter().map(|quoted| Value::from(quoted.trim_matches(['\'', '"'])));
        let words = tag.inside.split(|c: char| !c.is_ascii_digit());
        let numbers = words.filter_map(|word| word.parse::<i64>().ok()).map(|number| Value::from(number + 1));
        for value in texts.chain(numbers) {
            if found.len() < MOST && !found.contains(&value) {
                found.push(value);
            }
        }
    }
    found
}

/// Renders a template with different values. Returns what is left of the work, too.
fn explore(body: &str, compared: Vec<Value>, left: usize, effort: Effort) -> (Results, usize) {
    let is_unknown = Arc::new(AtomicBool::new(false));
    let way = Arc::new(Mutex::new(Way::new()));
    let mut environment = environment(&is_unknown);
    let answers = way.clone();
    environment.add_function(QUESTION, move |question: usize| {
        answers.lock().unwrap_or_else(PoisonError::into_inner).get(&question).copied().unwrap_or(true)
    });
    environment.set_fuel(Some(20_000 + body.len() as u64 / 2));
    // Lines are counted from the template's first line.
    if let Err(error) = environment.add_template("template", body) {
        let gap = Some(Gap::Syntax { line: error.line().unwrap_or(1) + 1 });
        return (Results { gap, ..Results::default() }, left);
    }
    let mut ways = Vec::new();
    if let (Effort::Thorough, Some(branches)) = (effort, branches(body)) {
        ways = branches.ways;
        for (name, copy) in [("branches", branches.body), ("marked", branches.marked)] {
            if environment.add_template_owned(name, copy).is_err() {
                return (Results { gap: Some(Gap::Unknown { line: 1 }), ..Results::default() }, left);
            }
        }
    }
    let template = environment.get_template("template").expect("it was added");
    let mut explorer = Explorer {
        body,
        template,
        is_unknown,
        compared: Arc::new(compared),
        known: Arc::default(),
        names: Vec::new(),
        texts: Vec::new(),
        fields: Vec::new(),
        seen: HashSet::new(),
        is_marked: false,
        gap: None,
        failed: None,
        left,
    };
    explorer.all();
    for (name, is_marked) in [("branches", false), ("marked", true)] {
        if let Ok(template) = environment.get_template(name) {
            explorer.branches(template, is_marked, &ways, &way);
        }
    }
    let Explorer { texts, fields, gap, failed, left, .. } = explorer;
    let fails = failed.filter(|_| texts.is_empty()).map(|(line, is_certain)| Gap::Fails { line, is_certain });
    (Results { texts, fields, gap: gap.or(fails) }, left)
}

struct Explorer<'e> {
    body: &'e str,
    template: Template<'e, 'e>,
    /// Set by what hostseed cannot evaluate.
    is_unknown: Arc<AtomicBool>,
    compared: Arc<Vec<Value>>,
    known: Arc<HashMap<Name, Use>>,
    /// The known names in the order of the template.
    names: Vec<Name>,
    texts: Vec<String>,
    fields: Vec<String>,
    /// The known texts, with whether they are of `fields`.
    seen: HashSet<(bool, String)>,
    /// True if the template has a mark for each placeholder.
    is_marked: bool,
    gap: Option<Gap>,
    /// The line of the first failure, and whether Jinja2 fails there, too.
    failed: Option<(usize, bool)>,
    left: usize,
}

impl<'e> Explorer<'e> {
    /// Runs the template with the same value for all names, then with one name different, then with two.
    fn all(&mut self) {
        let compared = self.compared.len();
        let choices = [
            Choice::Text,
            Choice::Missing,
            Choice::Number,
            Choice::Version,
            Choice::List,
            Choice::FieldName,
            Choice::Field,
        ];
        let choices: Vec<Choice> = choices.into_iter().chain((0..compared).map(Choice::Compared)).collect();
        let uniform = [Choice::Any(true), Choice::Any(false)].into_iter().chain(choices.clone());
        if !uniform.into_iter().all(|choice| self.run(choice, &[])) {
            return;
        }
        for usual in [Choice::Text, Choice::Missing] {
            let mut n = 0;
            while let Some(&name) = self.names.get(n) {
                let others = choices.iter().filter(|choice| **choice != usual);
                if !others.into_iter().all(|choice| self.run(usual, &[(name, *choice)])) {
                    return;
                }
                n += 1;
            }
        }
        for (n, &first) in self.names.clone().iter().enumerate() {
            for &second in &self.names.clone()[n + 1..] {
                for a in &choices[1..] {
                    for b in &choices[1..] {
                        if !self.run(Choice::Text, &[(first, *a), (second, *b)]) {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Runs a copy of the template into each of its branches. The values have whatever it asks of them, or are texts.
    fn branches(&mut self, template: Template<'e, 'e>, is_marked: bool, ways: &[Way], answers: &Mutex<Way>) {
        let (left, failed) = (std::mem::replace(&mut self.left, BRANCHES), self.failed.take());
        (self.template, self.is_marked) = (template, is_marked);
        for way in ways {
            way.clone_into(&mut answers.lock().unwrap_or_else(PoisonError::into_inner));
            for usual in [Choice::Any(true), Choice::Text] {
                self.failed = None;
                if !self.run(usual, &[]) {
                    self.gap = Some(Gap::Limit);
                    return;
                }
                if self.failed.is_none() {
                    break;
                }
            }
            // A template that always fails has a reason already.
            if let Some((line, false)) = self.failed
                && !self.texts.is_empty()
            {
                self.gap.get_or_insert(Gap::Unknown { line });
            }
        }
        (self.left, self.failed) = (left, failed);
    }

    /// Runs the template once. Returns false if no work is left.
    fn run(&mut self, usual: Choice, others: &[(Name, Choice)]) -> bool {
        let run = Arc::new(Run {
            usual,
            others: others.iter().copied().collect(),
            compared: self.compared.clone(),
            known: self.known.clone(),
            asked: Mutex::default(),
        });
        let rendered = self.template.render(run.context());
        let asked = std::mem::take(&mut *run.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let cost = 64 + self.body.len() + 8 * asked.len() + rendered.as_ref().map_or(0, String::len);
        if self.is_unknown.swap(false, Ordering::Relaxed) {
            let line = rendered.as_ref().err().and_then(minijinja::Error::line).unwrap_or(1);
            self.gap.get_or_insert(Gap::Unknown { line: line + 1 });
        }
        match rendered {
            Ok(mut text) => {
                // Jinja drops a line end at the end, and cloud-init adds it again.
                if self.body.ends_with('\n') {
                    text.push('\n');
                }
                let is_field =
                    self.is_marked || usual.is_field() || others.iter().any(|(_, choice)| choice.is_field());
                if self.seen.insert((is_field, text.clone())) {
                    if is_field { self.fields.push(text) } else { self.texts.push(text) }
                }
            }
            Err(error) if error.kind() == ErrorKind::OutOfFuel => self.gap = Some(Gap::Limit),
            Err(error) => {
                let is_certain = matches!(
                    error.kind(),
                    ErrorKind::UndefinedError
                        | ErrorKind::UnknownFilter
                        | ErrorKind::UnknownTest
                        | ErrorKind::TemplateNotFound
                        | ErrorKind::BadInclude
                );
                self.failed.get_or_insert((error.line().unwrap_or(1) + 1, is_certain));
            }
        }
        self.learn(asked);
        match self.left.checked_sub(cost) {
            Some(left) if self.gap != Some(Gap::Limit) => {
                self.left = left;
                true
            }
            _ => {
                self.left = 0;
                false
            }
        }
    }

    fn learn(&mut self, asked: Vec<(Name, Use)>) {
        let known = Arc::make_mut(&mut self.known);
        for (name, used) in asked {
            let entry = known.entry(name).or_insert_with(|| {
                self.names.push(name);
                Use::default()
            });
            entry.is_inner |= used.is_inner;
            entry.is_listed |= used.is_listed;
        }
    }
}

/// Jinja as cloud-init uses it (`jinja_render` in its `templater.py`).
fn environment(is_unknown: &Arc<AtomicBool>) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual signs are valid"));
    environment.set_formatter(|out, state, value| match value.is_undefined() {
        true => out.write_str(MISSING).map_err(minijinja::Error::from),
        false => escape_formatter(out, state, value),
    });
    minijinja_contrib::add_to_environment(&mut environment);
    // Jinja2's never fail.
    let number = |value: Value| match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => f64::try_from(value).ok(),
    };
    environment.add_filter(
        "int",
        move |value: Value, default: Option<i64>, _: minijinja::value::Rest<Value>| {
            number(value).map_or(default.unwrap_or(0), |number| number as i64)
        },
    );
    environment.add_filter("float", move |value: Value, default: Option<f64>| {
        number(value).unwrap_or(default.unwrap_or(0.0))
    });
    let unknown = || {
        let is_unknown = is_unknown.clone();
        move || is_unknown.store(true, Ordering::Relaxed)
    };
    for name in FILTERS {
        let unknown = unknown();
        environment.add_filter(name, move |value: Value, _: minijinja::value::Rest<Value>| {
            unknown();
            value
        });
    }
    for name in TESTS {
        let unknown = unknown();
        environment.add_test(name, move |_: Value, _: minijinja::value::Rest<Value>| {
            unknown();
            true
        });
    }
    for name in FUNCTIONS {
        let unknown = unknown();
        environment.add_function(name, move |_: minijinja::value::Rest<Value>| {
            unknown();
            "x"
        });
    }
    let unknown = unknown();
    environment.set_unknown_method_callback(move |state, value, method, arguments| {
        let result = unknown_method_callback(state, value, method, arguments);
        // To Jinja, other methods are values that do not exist.
        let is_missing = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::UnknownMethod);
        let has_methods = value.as_str().is_some() || value.as_object().is_some();
        if is_missing && has_methods && METHODS.contains(&method) {
            unknown();
        }
        result
    });
    environment
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::skip;

    fn of(text: &str) -> Results {
        results(&format!("## template: jinja\n{text}"), Effort::Thorough, &Budget::default())
    }

    fn becomes(text: &str, wanted: &str) -> bool {
        of(text).texts.iter().any(|found| found.trim() == wanted)
    }

    #[test]
    fn a_template_becomes_what_its_values_make_of_it() {
        for (text, wanted) in [
            ("a: {{ v1.b }}\n", &["a: x", "a: 7", "a: CI_MISSING_JINJA_VAR/x"][..]),
            ("{% if a %}b{% endif %}{% if c %}d{% endif %}", &["bd", "b", "d", ""]),
            ("{% if v1.a == 'b' %}c{% else %}d{% endif %}", &["c", "d"]),
            ("{% if v1.a in ['b', 'c'] and e == 'f' %}g{% endif %}", &["g", ""]),
            ("{% if v1.a > 40 %}c{% endif %}", &["c", ""]),
            ("{% if not a and b %}c{% endif %}", &["c", ""]),
            ("{% for a in v1.b %}[{{ a }}]{% endfor %}", &["[x]", "[7]", ""]),
            ("{% for k, v in ds.a.items() %}{{ k }}: {{ v }}{% endfor %}", &["x: x", "x: 7", ""]),
            ("{{ 'run' ~ 'cmd' }}:", &["runcmd:"]),
            ("{% set a = 'runcmd' %}{{ a }}:", &["runcmd:"]),
            ("{% for k in ['runcmd', 'b'] %}{{ k }}: {% endfor %}", &["runcmd: b:"]),
            ("{% filter upper %}a{% endfilter %}", &["A"]),
            ("{% macro m(a) %}{{ a }}:{% endmacro %}{{ m('runcmd') }}", &["runcmd:"]),
            ("{{ 'DMCNUR'[::-1].lower() }}", &["runcmd"]),
            ("{{ v1.a | default('b') }}", &["x", "b"]),
            ("{{ a.split('-')[0] }}", &["x"]),
            ("{% if a == b %}c{% endif %}", &["c", ""]),
            ("{% if ds | tojson %}c{% endif %}", &["c"]),
            ("{% raw %}{{ a }}{% endraw %}", &["{{ a }}"]),
            ("{% if a %}\nb\n{% endif %}\n", &["b"]),
            ("{% do a.b() %}{{ 3 * 4 }}", &["12"]),
        ] {
            for wanted in wanted {
                assert!(becomes(text, wanted), "{text:?} never becomes {wanted:?}: {:?}", of(text));
            }
            assert_eq!(of(text).gap, None, "{text:?}");
        }
    }

    #[test]
    fn templates_without_a_text_have_a_reason() {
        let deep = format!("{{{{ a{} }}}}", ".b".repeat(3000));
        let elifs = format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(3000));
        for (text, expected) in [
            ("#cloud-config\nhostname: {{ v1.local_hostname\n", Gap::Syntax { line: 3 }),
            ("{% if a %}\n", Gap::Syntax { line: 2 }),
            ("a\n{% include 'b' %}\n", Gap::Fails { line: 3, is_certain: true }),
            ("{% import 'b' as c %}", Gap::Fails { line: 2, is_certain: true }),
            ("{{ 1 + 'a' }}", Gap::Fails { line: 2, is_certain: false }),
            ("{{ 'a' | nofilter }}", Gap::Fails { line: 2, is_certain: true }),
            ("{{ 'a'.swapcase() }}", Gap::Unknown { line: 2 }),
            ("{{ 'a' | center(3) }}", Gap::Unknown { line: 2 }),
            ("{% for a in range(9999) %}{% for b in range(9999) %}c{% endfor %}{% endfor %}", Gap::Limit),
            (
                "{% set n = namespace(a='aaaaaaaa') %}{% for b in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
                Gap::Limit,
            ),
            (&deep, Gap::Limit),
            (&elifs, Gap::Limit),
        ] {
            assert_eq!(of(text).gap, Some(expected), "{text:?}");
        }
        assert!(results("#!/bin/sh\n{{\n", Effort::Thorough, &Budget::default()).gap.is_none());
    }

    #[test]
    fn the_first_line_is_cloud_inits() {
        for (text, expected) in [
            ("## template: jinja\na", Some("a")),
            ("##  TEMPLATE:Jinja \r\na\n", Some("a\n")),
            ("##template:jinja", Some("")),
            ("\n## template: jinja\na", None),
            ("## template: jinja2\na", None),
            ("## template:\na", None),
            ("## é\na", None),
        ] {
            assert_eq!(body(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_deep_value_does_not_overflow_the_stack() {
        let text = "{% set n = namespace(a=1) %}{% for b in range(9999) %}{% set n.a = [n.a] %}{% endfor %}";
        let padding = "#".repeat(1 << 20);
        of(&format!("{text}\n{padding}"));
    }

    #[test]
    fn all_filters_and_tests_of_jinja2_are_known() {
        if !skip::need_python_module("jinja2") {
            return;
        }
        let ask = "import json; from jinja2 import defaults as d; \
            print(json.dumps([sorted(d.DEFAULT_FILTERS), sorted(d.DEFAULT_TESTS), sorted(d.DEFAULT_NAMESPACE)]))";
        let output = Command::new(skip::PYTHON).args(["-c", ask]).output().unwrap();
        let [filters, tests, functions]: [Vec<String>; 3] = serde_json::from_slice(&output.stdout).unwrap();
        let is_unknown = Arc::default();
        let environment = environment(&is_unknown);
        let kind = |source: String| environment.render_str(&source, ()).err().map(|error| error.kind());
        for filter in filters {
            assert_ne!(kind(format!("{{{{ 'a' | {filter} }}}}")), Some(ErrorKind::UnknownFilter), "{filter}");
        }
        for test in tests.iter().filter(|test| test.chars().all(char::is_alphabetic)) {
            assert_ne!(kind(format!("{{{{ 'a' is {test} }}}}")), Some(ErrorKind::UnknownTest), "{test}");
        }
        for function in functions {
            assert_ne!(
                kind(format!("{{{{ {function}() }}}}")),
                Some(ErrorKind::UnknownFunction),
                "{function}"
            );
        }
    }
}
