//! Reads a fleet file: defaults, and the machines, each of which is a spec. A machine can stand for several, with templates in its values
//! and a list of addresses.

mod addresses;
mod swarm;
mod template;

use std::collections::HashMap;

use super::yaml::{self, Document, Entries, field_name, fields, read_map};
use super::{Origin, Spec, Word};
use crate::diag::{Code, Diagnostic, Report};
use crate::yaml::{Node, Value};
use addresses::Addresses;

pub use swarm::SwarmWords;

/// Maximum number of machines of a fleet. A larger number is more likely a slip.
pub const MAX_MACHINES: usize = 100_000;

/// The fields of a fleet file.
const FIELDS: [&str; 4] = ["fleet", "client", "defaults", "machines"];
/// Fields of a machine in a fleet file that a spec does not have.
const COUNT: &str = "count";
const ADDRESSES: &str = "addresses";
const SWARM: &str = "swarm";

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

/// The reader of one file.
struct Reader<'a> {
    document: &'a Document,
    problems: Vec<Diagnostic>,
    resolve: &'a mut dyn FnMut(&mut Spec),
}

impl Reader<'_> {
    fn report(&mut self, node: &Node, problem: Diagnostic) {
        self.problems.push(problem.at(self.document.place(node.start)));
    }

    fn read(&mut self, entries: Entries) -> FleetFile {
        let mut fleet = FleetFile::default();
        let (mut defaults, mut swarm) = (self.empty_spec(), None);
        let (mut given, mut machines) = (Vec::new(), None);
        for (key, value) in entries {
            let Some(field) = field_name(&key, &mut given, self.document, &mut self.problems) else {
                continue;
            };
            match field.as_str() {
                "fleet" => fleet.name = self.word("fleet", value),
                "client" => fleet.client = self.word("client", value),
                "defaults" => self.read_defaults(&mut defaults, &mut swarm, value),
                "machines" => machines = Some(value),
                other => {
                    let is_of_spec = other == SWARM || Spec::fields().any(|known| known.name == other);
                    let near = || FIELDS.into_iter().find(|known| strsim::jaro_winkler(known, other) > 0.8);
                    let hint = match is_of_spec {
                        true => Some("put it below `defaults:`, or below a machine".to_owned()),
                        false => near().map(|near| format!("did you mean `{near}`?")),
                    };
                    let message = format!("unknown field `{}`", other.escape_debug());
                    self.report(&key, Diagnostic::error(Code::UnknownField, message).maybe_hint(hint));
                }
            }
        }
        let has = |field: &str| given.iter().any(|given| given == field);
        let is_spec = !has("fleet") && !has("machines") && has("name");
        for (field, hint) in [
            ("fleet", "a line like `fleet: ci` names the fleet, so that the store knows its machines"),
            ("machines", "`machines: {}` is a fleet without machines"),
        ] {
            if !has(field) {
                let hint = if is_spec {
                    "`hostseed create -f FILE` reads the spec file of one machine"
                } else {
                    hint
                };
                let missing =
                    Diagnostic::error(Code::MissingField, format!("`{field}` is missing")).hint(hint);
                self.problems.push(missing.at(self.document.place(None)));
            }
        }
        if let Some(machines) = machines {
            let mut unused = defaults.given.clone();
            fleet.entries = self.read_machines(machines, (&defaults, swarm.as_ref()), &mut unused);
            fleet.unused = unused.iter().map(|field| defaults.with_only(field)).collect();
            fleet.ends = fleet
                .entries
                .iter()
                .scan(0, |sum, entry| {
                    *sum += entry.count;
                    Some(*sum)
                })
                .collect();
        }
        fleet
    }

    fn word(&mut self, field: &str, value: Node) -> Option<Word> {
        let (document, problems) = (self.document, &mut self.problems);
        yaml::word(value, "must be a text", &mut |node, problem| {
            problems.push(problem.about(format_args!("`{field}`")).at(document.place(node.start)));
        })
    }

    fn empty_spec(&self) -> Spec {
        Spec { origin: Origin::File(self.document.clone()), ..Spec::default() }
    }

    fn read_defaults(&mut self, defaults: &mut Spec, swarm: &mut Option<SwarmWords>, value: Node) {
        let entries = match value.value {
            Value::Map(entries) => entries,
            Value::Null => return,
            ref other => {
                let problem = format!("`defaults` must be a map of fields, got {}", other.kind());
                return self.report(&value, Diagnostic::error(Code::FieldType, problem));
            }
        };
        let document = self.document;
        fields(defaults, document, entries, |key, value, problems| match &key.value {
            Value::Text(field) if [COUNT, ADDRESSES, "name"].contains(&field.as_str()) => {
                let text = format!("`{field}` belongs to a machine, not to `defaults`");
                problems.push(Diagnostic::error(Code::UnknownField, text).at(document.place(key.start)));
                None
            }
            Value::Text(field) if field == SWARM => {
                *swarm = Some(SwarmWords::read(value, document, problems));
                None
            }
            _ => Some(value),
        });
        defaults.given.retain(|field| field != SWARM);
        self.resolve(defaults);
    }

    /// Replaces the names of files, and keeps the problems of the spec as those of the file.
    fn resolve(&mut self, spec: &mut Spec) {
        (self.resolve)(spec);
        self.problems.append(&mut spec.problems);
    }

    /// Reads the machines, and leaves in `unused` the fields that each of them has without the defaults.
    fn read_machines(
        &mut self,
        machines: Node,
        defaults: (&Spec, Option<&SwarmWords>),
        unused: &mut Vec<String>,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut left = MAX_MACHINES;
        match machines.value {
            Value::Map(machines) => {
                for (key, value) in machines {
                    // A name that is no text is a problem.
                    if let Some(name) = self.word("machines", key) {
                        entries.extend(self.read_machine(Some(name), value, defaults, unused, &mut left));
                    }
                }
            }
            Value::List(machines) => {
                for value in machines {
                    entries.extend(self.read_machine(None, value, defaults, unused, &mut left));
                }
            }
            ref other => {
                let problem = format!("`machines` must be a map or a list of machines, got {}", other.kind());
                self.report(&machines, Diagnostic::error(Code::FieldType, problem));
            }
        }
        entries
    }

    /// Reads a machine. In a map its name is the key, in a list a field. `left` is the number of machines that the fleet may still have.
    fn read_machine(
        &mut self,
        key: Option<Word>,
        value: Node,
        (defaults, default_swarm): (&Spec, Option<&SwarmWords>),
        unused: &mut Vec<String>,
        left: &mut usize,
    ) -> Option<Entry> {
        let is_in_map = key.is_some();
        let start = value.start;
        let entries = match value.value {
            Value::Map(entries) => entries,
            // `web1:` has only the defaults.
            Value::Null if is_in_map => Vec::new(),
            ref other => {
                let problem = format!("a machine must be a map of fields, got {}", other.kind());
                self.report(&value, Diagnostic::error(Code::FieldType, problem));
                return None;
            }
        };
        let mut spec = self.empty_spec();
        let (mut count, mut addresses, mut swarm) = (None, None, None::<SwarmWords>);
        let document = self.document;
        fields(&mut spec, document, entries, |key, value, problems| match &key.value {
            Value::Text(field) if field == COUNT => {
                count = Some(value);
                None
            }
            Value::Text(field) if field == ADDRESSES => {
                addresses = Some((key.clone(), value));
                None
            }
            Value::Text(field) if field == SWARM => {
                swarm = Some(SwarmWords::read(value, document, problems));
                None
            }
            Value::Text(field) if field == "name" && is_in_map => {
                let text = "`name` is not a field here: in a map the name of a machine is the key";
                problems.push(Diagnostic::error(Code::UnknownField, text).at(document.place(key.start)));
                None
            }
            _ => Some(value),
        });
        spec.given.retain(|field| ![COUNT, ADDRESSES, SWARM].contains(&field.as_str()));
        if is_in_map {
            spec.name = key;
            spec.given.push("name".to_owned());
        } else if spec.name.is_none() && !spec.given.iter().any(|field| field == "name") {
            let missing = Diagnostic::error(Code::MissingField, "a machine in a list must have a `name`");
            self.problems.push(missing.at(document.place(start)));
            spec.given.push("name".to_owned());
        }
        self.resolve(&mut spec);
        let given = count.map(|count| (count.start, self.count(count)));
        if let (Some((key, _)), Some(_)) = (&addresses, spec.given.iter().find(|field| *field == "address")) {
            let text = "`addresses` has an address for each machine, and `address` those of every machine: give one of them";
            self.report(key, Diagnostic::error(Code::ConflictingValues, text));
        }
        let addresses = addresses.map(|(_, value)| {
            let position = value.start;
            let (document, problems) = (self.document, &mut self.problems);
            let addresses = Addresses::read(value, &mut |position, problem| {
                problems.push(problem.about("`addresses`").at(document.place(position)));
            });
            (position, addresses)
        });
        let mut number = match (&given, &addresses) {
            (Some((_, count)), _) => count.unwrap_or(1),
            (None, Some((position, addresses))) if addresses.has_range() => {
                let text = "a range of addresses needs `count`, the number of machines";
                let missing = Diagnostic::error(Code::MissingField, text);
                self.problems.push(missing.at(self.document.place(*position)));
                1
            }
            // A machine for each address.
            (None, Some((_, addresses))) => usize::try_from(addresses.len()).unwrap_or(usize::MAX),
            (None, None) => 1,
        };
        if number > *left {
            let text = format!("the fleet has more than {MAX_MACHINES} machines");
            let position = given.as_ref().map_or(start, |(position, _)| *position);
            self.problems
                .push(Diagnostic::error(Code::TooManyMachines, text).at(self.document.place(position)));
            // The other machines are checked all the same.
            number = 0;
        }
        *left -= number;
        let addresses = addresses.map(|(position, addresses)| {
            if addresses.is_complete && !addresses.is_template() && addresses.len() < number as u128 {
                let text = format!("`addresses` has {}, and `count` is {number}", addresses.len());
                self.problems
                    .push(Diagnostic::error(Code::TooFewAddresses, text).at(self.document.place(position)));
            }
            spec.given.push("address".to_owned());
            addresses
        });
        unused.retain(|field| number == 0 || spec.given.contains(field));
        spec.inherit(defaults);
        match (&mut swarm, default_swarm) {
            (Some(own), Some(defaults)) => own.inherit(defaults),
            (own @ None, Some(defaults)) => *own = Some(defaults.clone()),
            (_, None) => {}
        }
        Some(Entry { spec, count: number, addresses, swarm })
    }

    /// Reads a number of machines. Reports another value.
    fn count(&mut self, value: Node) -> Option<usize> {
        let number = match &value.value {
            Value::Number(text) | Value::Text(text) => text.parse::<usize>().ok(),
            _ => None,
        };
        match number {
            Some(number) if number <= MAX_MACHINES => Some(number),
            _ => {
                let got = match &value.value {
                    Value::Number(text) => format!("`{text}`"),
                    other => other.kind(),
                };
                let text = format!("`{COUNT}` must be a whole number from 0 to {MAX_MACHINES}, got {got}");
                self.report(&value, Diagnostic::error(Code::InvalidCount, text));
                None
            }
        }
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
