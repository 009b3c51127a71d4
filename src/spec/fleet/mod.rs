//! Reads a fleet file: defaults, and the machines, each of which is a spec. A machine can stand for several, with templates in its values
//! and a list of addresses.

mod addresses;
mod reader;
mod swarm;
mod template;

use std::collections::HashMap;

use super::yaml::{self, read_map};
use super::{Origin, Spec, Word};
use crate::diag::{Diagnostic, Report};
use addresses::Addresses;
use reader::Reader;

pub use swarm::SwarmWords;

/// Maximum number of machines of a fleet. A larger number is more likely a slip.
pub const MAX_MACHINES: usize = 100_000;

/// Values that are no templates: Docker's own templates, such as `{{.Name}}`, are usual in this file.
const NOT_TEMPLATES: [&str; 1] = ["daemon-json"];

/// A fleet as written. Only the structure is checked, and the templates as they are rendered.
#[derive(Debug, Clone, Default)]
pub struct FleetFile {
    pub name: Option<Word>,
    /// The choice of one client certificate for all machines or one for each.
    pub client: Option<Word>,
    entries: Vec<Entry>,
    /// For each entry the number of machines up to its last one.
    ends: Vec<usize>,
    /// The defaults that each machine replaces, each in a spec of its own.
    unused: Vec<Spec>,
    /// For messages: a spec without values that knows the file.
    file: Spec,
    /// Problems with the structure. The other fields are filled in all the same, so that all problems can be reported at once.
    pub problems: Vec<Diagnostic>,
}

/// A machine in the file, or several with one text.
#[derive(Debug, Clone)]
struct Entry {
    spec: Spec,
    count: usize,
    addresses: Option<Addresses>,
    swarm: Option<SwarmWords>,
}

impl FleetFile {
    /// Reads a fleet file. `file` is its name in diagnostics. `resolve` gets the defaults and each machine as written, to replace names of
    /// files.
    ///
    /// # Errors
    /// Fails if the text is not YAML, exceeds a limit, or is not a map.
    pub fn from_yaml(file: &str, text: &str, mut resolve: impl FnMut(&mut Spec)) -> Result<Self, Report> {
        let hint = || {
            "the fields are fleet, client, defaults and machines; `hostseed init` writes an example"
                .to_owned()
        };
        let syntax = |line: &str| {
            ["{{", "{%"].iter().any(|start| line.contains(start)).then_some(yaml::QUOTE_TEMPLATES)
        };
        let (document, entries) = read_map(file, text, "fleet file", hint, syntax)?;
        let mut reader = Reader { document: &document, problems: Vec::new(), resolve: &mut resolve };
        let mut fleet = reader.read(entries);
        fleet.file.origin = Origin::File(document.clone());
        fleet.problems = reader.problems;
        Ok(fleet)
    }

    /// The number of machines.
    pub fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Returns whether there is no machine.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The spec of the machine `n`, counted from 0 in the order of the file. Errors of templates are in its [`problems`](Spec::problems).
    ///
    /// # Panics
    /// Panics if there are not so many machines.
    pub fn nth(&self, n: usize) -> Spec {
        let (entry, index) = self.entry(n);
        self.spec(entry, index)
    }

    /// Returns whether the machine `n` has a value for its part in the swarm.
    pub fn has_swarm(&self, n: usize) -> bool {
        self.entries[self.entry(n).0].swarm.is_some()
    }

    /// The part in the swarm of the machine `n`, and what is wrong with its templates.
    ///
    /// # Panics
    /// Panics if there are not so many machines.
    pub fn swarm(&self, n: usize, name: &str) -> (Option<SwarmWords>, Vec<Diagnostic>) {
        let (entry, index) = self.entry(n);
        let (mut problems, mut swarm) = (Vec::new(), self.entries[entry].swarm.clone());
        let Some(words) = &mut swarm else { return (None, problems) };
        let mut values = self.values(index, self.entries[entry].count);
        values.insert("name", minijinja::Value::from(name));
        words.change_words(|field, word| match template::render(&word.text, &values) {
            Ok(text) => {
                if let std::borrow::Cow::Owned(text) = text {
                    word.text = text;
                }
            }
            Err(problem) => problems.push(self.about(field, Some(word), problem)),
        });
        (swarm, problems)
    }

    /// The entry of the machine `n`, and the machine's number in it, both counted from 0.
    fn entry(&self, n: usize) -> (usize, usize) {
        let entry = self.ends.partition_point(|end| *end <= n);
        let before = entry.checked_sub(1).map_or(0, |before| self.ends[before]);
        (entry, n - before)
    }

    /// The values that templates can use, besides the name.
    fn values(&self, index: usize, count: usize) -> HashMap<&'static str, minijinja::Value> {
        let fleet = self.name.as_ref().map(|word| word.text.as_str()).unwrap_or_default();
        HashMap::from([
            ("fleet", minijinja::Value::from(fleet)),
            ("index", minijinja::Value::from(index + 1)),
            ("count", minijinja::Value::from(count)),
        ])
    }

    /// The numbers of the machines that are the first of their entry.
    pub fn firsts(&self) -> impl Iterator<Item = usize> {
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        begins.zip(&self.ends).filter(|(begin, end)| begin < *end).map(|(begin, _)| begin)
    }

    /// Adds to a diagnostic the field of the fleet file and its position.
    pub fn about(&self, field: &str, word: Option<&Word>, problem: Diagnostic) -> Diagnostic {
        self.file.about(field, word, problem)
    }

    fn spec(&self, entry: usize, index: usize) -> Spec {
        let Entry { spec, addresses, count, .. } = &self.entries[entry];
        self.rendered(spec.clone(), addresses.as_ref(), index, *count)
    }

    /// The defaults that no machine has, because each has a value of its own for them: each in a spec of its own, as a machine `any` would have
    /// it.
    pub fn unused_defaults(&self) -> impl Iterator<Item = Spec> {
        self.unused.iter().map(|spec| {
            let mut spec = spec.clone();
            spec.set("name", ["any".to_owned()]);
            self.rendered(spec, None, 0, 1)
        })
    }

    /// Renders the templates of the machine `index` of `count`.
    fn rendered(&self, mut spec: Spec, addresses: Option<&Addresses>, index: usize, count: usize) -> Spec {
        let mut values = self.values(index, count);
        let mut problems = Vec::new();
        if let Some(word) = &mut spec.name {
            match template::render(&word.text, &values) {
                Ok(text) => {
                    values.insert("name", minijinja::Value::from(&*text));
                    word.text = text.into_owned();
                }
                Err(problem) => {
                    problems.push(self.about("name", Some(word), problem));
                    spec.name = None;
                    // It would be an unknown value in all other templates.
                    spec.problems = problems;
                    return spec;
                }
            }
        }
        if let Some(addresses) = addresses {
            spec.identity.addresses = addresses.nth(index).into_iter().collect();
        }
        spec.change_words(&NOT_TEMPLATES, |field, word| {
            if field == "name" {
                return;
            }
            match template::render(&word.text, &values) {
                Ok(text) => {
                    if let std::borrow::Cow::Owned(text) = text {
                        word.text = text;
                    }
                }
                Err(problem) => problems.push(self.about(field, Some(word), problem)),
            }
        });
        spec.problems = problems;
        spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> FleetFile {
        FleetFile::from_yaml("f.yaml", text, |_| {}).unwrap_or_else(|report| panic!("{report}"))
    }

    fn problems(text: &str) -> Vec<String> {
        let report = match FleetFile::from_yaml("f.yaml", text, |_| {}) {
            Ok(fleet) => Report(
                fleet.problems.iter().cloned().chain(fleet.specs().flat_map(|spec| spec.problems)).collect(),
            ),
            Err(report) => report,
        };
        report.to_string().lines().map(str::to_owned).collect()
    }

    impl FleetFile {
        fn specs(&self) -> impl Iterator<Item = Spec> {
            (0..self.len()).map(|n| self.nth(n))
        }
    }

    fn names(fleet: &FleetFile) -> Vec<String> {
        fleet.specs().map(|spec| spec.name.unwrap().text).collect()
    }

    #[test]
    fn a_map_and_a_list_have_the_same_machines() {
        let map = read("fleet: f\nmachines:\n  a: {address: 10.0.0.1}\n  b:\n");
        let list = read("fleet: f\nmachines:\n- {name: a, address: 10.0.0.1}\n- name: b\n");
        assert_eq!(names(&map), ["a", "b"]);
        assert_eq!(names(&map), names(&list));
        for fleet in [map, list] {
            assert_eq!(fleet.nth(0).identity.addresses[0].text, "10.0.0.1");
            assert!(fleet.nth(1).identity.addresses.is_empty() && fleet.problems.is_empty());
        }
    }

    #[test]
    fn a_machine_has_the_defaults_that_it_does_not_set() {
        let fleet = read(
            "fleet: f\ndefaults: {port: 2377, engine-label: {a: b}, address: '{{ name }}.example.com'}\nmachines:\n  a: {engine-label: [c=d]}\n  b: {port: 1}\n",
        );
        let (a, b) = (fleet.nth(0), fleet.nth(1));
        assert_eq!((a.host.port.unwrap().text, b.host.port.unwrap().text), ("2377".into(), "1".into()));
        assert_eq!((&a.host.engine_labels[0].text[..], &b.host.engine_labels[0].text[..]), ("c=d", "a=b"));
        assert_eq!(b.identity.addresses[0].text, "b.example.com");
    }

    #[test]
    fn a_count_makes_machines_with_templates_and_addresses() {
        let fleet = read(
            "fleet: ci\nmachines:\n- {name: 'ci-{{ index }}', count: 3, addresses: 10.0.0.9/24, tls-san: ['{{ name }}.{{ fleet }}.example.com'], engine-label: {of: '{{ count }}'}}\n- {name: 'x{{ index }}', addresses: [10.1.0.1, a.example.com]}\n- {name: 'none{{ index }}', count: 0}\n",
        );
        assert!(fleet.problems.is_empty(), "{:?}", fleet.problems);
        assert_eq!(names(&fleet), ["ci-1", "ci-2", "ci-3", "x1", "x2"]);
        let third = fleet.nth(2);
        assert_eq!(third.identity.addresses[0].text, "10.0.0.11");
        assert_eq!(third.identity.tls_sans[0].text, "ci-3.ci.example.com");
        assert_eq!(third.host.engine_labels[0].text, "of=3");
        assert_eq!(fleet.nth(4).identity.addresses[0].text, "a.example.com");
    }

    #[test]
    fn all_problems_are_reported_with_their_places() {
        assert_eq!(
            problems(
                "flet: x\nport: 1\ndefaults: {name: a, prot: 1}\nmachines:\n- {count: 1.5}\n- {name: b, count: 5, addresses: 10.0.0.0/30}\n- {name: c, addresses: 10.0.0.0/8}\n- {name: d, addresses: [10.0.0.300, '10.0.0.0/40'], address: x}\n- {name: '{{ nme }}'}\n- {name: e, tls-san: '{{ x'}\n- x\n"
            ),
            [
                "f.yaml:1:1: unknown field `flet`",
                "f.yaml:2:1: unknown field `port`",
                "f.yaml:3:12: `name` belongs to a machine, not to `defaults`",
                "f.yaml:3:21: unknown field `prot`",
                "f.yaml: `fleet` is missing",
                "f.yaml:5:3: a machine in a list must have a `name`",
                "f.yaml:5:11: `count` must be a whole number from 0 to 100000, got `1.5`",
                "f.yaml:6:34: `addresses` has 2, and `count` is 5",
                "f.yaml:7:24: a range of addresses needs `count`, the number of machines",
                "f.yaml:8:13: `addresses` has an address for each machine, and `address` those of every machine: give one of them",
                "f.yaml:8:37: `addresses` must be a range like `10.0.0.0/24`, whose prefix is at most 32, got `10.0.0.0/40`",
                "f.yaml:11:3: a machine must be a map of fields, got the text `x`",
                "f.yaml:9:10: `name` uses `nme`, which is not defined",
                "f.yaml:10:22: `tls-san` is not a template: syntax error: unexpected end of input, expected end of variable block",
            ]
            .map(str::to_owned)
            .to_vec()
        );
    }

    #[test]
    fn a_fleet_has_a_maximum_of_machines() {
        let found = problems("fleet: f\nmachines: [{name: 'a{{ index }}', count: 100000}, {name: b}]\n");
        assert_eq!(found, ["f.yaml:2:51: the fleet has more than 100000 machines"]);
        let found = problems("fleet: f\nmachines: [{name: a, count: 18446744073709551615}]\n");
        assert!(found[0].contains("from 0 to 100000"), "{found:?}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[a-z:\\-\\[\\]{}&*!|>'\"#,? \n]{0,120}") {
            if let Ok(fleet) = FleetFile::from_yaml("f.yaml", &format!("fleet: f\nmachines:\n{text}"), |_| {}) {
                fleet.specs().take(100).for_each(drop);
            }
        }
    }
}
