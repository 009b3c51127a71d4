//! Reads the structure of a fleet file: its fields, the defaults and the machines, with the places of what is wrong.

use super::addresses::Addresses;
use super::{Entry, FleetFile, MAX_MACHINES, SwarmWords};
use crate::diag::{Code, Diagnostic};
use crate::spec::yaml::{self, Document, Entries, field_name, fields};
use crate::spec::{Origin, Spec, Word};
use crate::yaml::{Node, Value};

/// The fields of a fleet file.
const FIELDS: [&str; 4] = ["fleet", "client", "defaults", "machines"];
/// Fields of a machine in a fleet file that a spec does not have.
const COUNT: &str = "count";
const ADDRESSES: &str = "addresses";
const SWARM: &str = "swarm";

/// The reader of one file.
pub(super) struct Reader<'a> {
    pub document: &'a Document,
    pub problems: Vec<Diagnostic>,
    pub resolve: &'a mut dyn FnMut(&mut Spec),
}

impl Reader<'_> {
    fn report(&mut self, node: &Node, problem: Diagnostic) {
        self.problems.push(problem.at(self.document.place(node.start)));
    }

    pub fn read(&mut self, entries: Entries) -> FleetFile {
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
