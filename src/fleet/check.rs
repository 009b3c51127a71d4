//! Checks a fleet file: every machine, and that no two of them have the same name or address.

use std::collections::HashMap;

use rayon::prelude::*;

use super::swarm_part::{self, SwarmPart};
use crate::diag::{Code, Diagnostic, Position, Report};
use crate::names::{Address, FleetName, MachineName};
use crate::plan::{AuthoritySource, Plan};
use crate::spec::{FleetFile, Spec, Word};

/// The client certificates of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientUse {
    /// Each machine has its own.
    Each,
    /// All machines have the store's, which Docker Machine made or would make.
    Shared,
}

impl ClientUse {
    const ALL: [(&str, Self); 2] = [("each", Self::Each), ("shared", Self::Shared)];

    /// The values of `client`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(name, _)| name)
    }

    /// The value of `client` for it.
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, known)| *known == self)
            .map(|(name, _)| name)
            .expect("the list has all")
    }

    fn parse(text: &str) -> Result<Self, Diagnostic> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, found)| found);
        found.ok_or_else(|| Diagnostic::none_of(Self::names(), text))
    }
}

/// A fleet whose machines all have valid settings. Of each it keeps little: plans are made again when they are needed, so that the memory does not
/// grow with their size.
#[derive(Debug)]
pub struct Fleet {
    pub name: FleetName,
    pub client: ClientUse,
    pub members: Vec<Member>,
    file: FleetFile,
}

/// A machine of the fleet.
#[derive(Debug, Clone)]
pub struct Member {
    pub name: MachineName,
    pub ca: AuthoritySource,
}

/// The result of the check of one machine.
struct Checked {
    /// The name, also if other settings are wrong.
    name: Option<MachineName>,
    /// The CA, and the addresses with their ports.
    plan: Result<(AuthoritySource, Vec<String>), Vec<Diagnostic>>,
}

impl Fleet {
    /// Checks a fleet file.
    ///
    /// # Errors
    /// All problems of the file, in the order of their places. A problem that several machines of one entry have is reported once.
    pub fn check(file: FleetFile) -> Result<Self, Report> {
        let mut findings = Findings::default();
        file.problems.iter().for_each(|problem| findings.add(problem.clone()));
        let mut read = |field: &str, word: &Option<Word>, problem: Option<Diagnostic>| {
            problem.into_iter().for_each(|problem| findings.add(file.about(field, word.as_ref(), problem)));
        };
        let name = file.name.as_ref().map(|word| FleetName::parse(&word.text)).transpose();
        let client = file.client.as_ref().map(|word| ClientUse::parse(&word.text)).transpose();
        read("fleet", &file.name, name.as_ref().err().cloned());
        read("client", &file.client, client.as_ref().err().cloned());
        let client = client.ok().flatten().unwrap_or(ClientUse::Each);

        let check = |n: usize| check(&file, n, client);
        let checked: Vec<Checked> = (0..file.len()).into_par_iter().map(check).collect();
        let mut members = Vec::with_capacity(checked.len());
        let (mut names, mut addresses) = (HashMap::new(), HashMap::new());
        for (n, Checked { name, plan }) in checked.into_iter().enumerate() {
            if let Some(name) = &name
                && let Some(other) = names.insert(name.as_str().to_ascii_lowercase(), n)
            {
                findings.add(same_name(&file, n, other));
            }
            let (ca, of_machine) = match plan {
                Ok(plan) => plan,
                Err(problems) => {
                    problems.into_iter().for_each(|problem| findings.add_of_spec(&file.nth(n), problem));
                    continue;
                }
            };
            for address in of_machine {
                if let Some(other) = addresses.insert(address.clone(), n) {
                    findings.add(same_address(&file, n, other, &address));
                }
            }
            members.extend(name.map(|name| Member { name, ca }));
        }
        file.unused_defaults().flat_map(|spec| wrong_alone(&spec)).for_each(|problem| findings.add(problem));
        findings.finish()?;
        let name = name.ok().flatten().expect("a missing name is a problem");
        Ok(Self { name, client, members, file })
    }

    /// The spec of a machine, counted from 0.
    pub fn spec(&self, n: usize) -> Spec {
        spec_of(self.file.nth(n), self.client, self.swarm(n).is_some())
    }

    /// The part of a machine in the swarm. None if it has none.
    pub fn swarm(&self, n: usize) -> Option<SwarmPart> {
        swarm_of(&self.file, n).ok().flatten()
    }

    /// The plan of a machine, counted from 0.
    ///
    /// # Errors
    /// Never fails after [`check`](Self::check).
    pub fn plan(&self, n: usize) -> Result<Plan, Report> {
        Plan::from_spec(&self.spec(n))
    }

    /// Adds to a problem of a machine the place of its name in the file.
    pub fn about(&self, n: usize, problem: Diagnostic) -> Diagnostic {
        let spec = self.file.nth(n);
        let place = spec.about("name", spec.name.as_ref(), problem.clone()).place;
        problem.at(place)
    }

    /// The numbers of the machines that are the first of their entry in the file.
    pub fn firsts(&self) -> impl Iterator<Item = usize> {
        self.file.firsts()
    }
}

/// The spec with what follows from the use of clients, and from a part in the swarm.
fn spec_of(mut spec: Spec, client: ClientUse, is_node: bool) -> Spec {
    if client == ClientUse::Shared && !spec.given.iter().any(|field| field == "ca") {
        spec.set("ca", ["shared".to_owned()]);
    }
    if is_node {
        swarm_part::without_live_restore(&mut spec);
    }
    spec
}

fn check(file: &FleetFile, n: usize, client: ClientUse) -> Checked {
    let swarm = swarm_of(file, n);
    let is_node = matches!(swarm, Ok(Some(_)));
    let mut spec = spec_of(file.nth(n), client, is_node);
    let name = spec.name.as_ref().and_then(|word| MachineName::parse(&word.text).ok());
    if spec.name.is_none() {
        // A template that fails in the name leaves the others as they are written.
        if !spec.problems.is_empty() {
            return Checked { name, plan: Err(spec.problems) };
        }
        // The file's problems have the missing name. The other settings are checked with any name.
        spec.set("name", ["any".to_owned()]);
    }
    let plan = || {
        let plan = Plan::from_spec(&spec).map_err(|report| report.0)?;
        if client == ClientUse::Shared && plan.ca != AuthoritySource::Shared {
            let text = format!("must be `shared`, because `client` is `shared`, got `{}`", plan.ca.name());
            let problem = Diagnostic::error(Code::ConflictingValues, text);
            return Err(vec![spec.about("ca", spec.identity.ca.as_ref(), problem)]);
        }
        if is_node && let Some(problem) = swarm_part::live_restore(&plan) {
            return Err(vec![problem]);
        }
        let port = plan.host.port;
        let with_port = |address: &Address| format!("{}:{port}", address.in_url().to_ascii_lowercase());
        Ok((plan.ca, plan.addresses.iter().map(with_port).collect()))
    };
    let plan = match (plan(), swarm) {
        (Ok(_), Err(problems)) => Err(problems),
        (Err(problems), Err(others)) => Err([problems, others].concat()),
        (plan, Ok(_)) => plan,
    };
    Checked { plan, name }
}

/// The problems of a spec with one field, except those that other fields would solve.
fn wrong_alone(spec: &Spec) -> Vec<Diagnostic> {
    if !spec.problems.is_empty() {
        // A template that fails is not a value.
        return spec.problems.clone();
    }
    let mut problems = Plan::from_spec(spec).err().map(|report| report.0).unwrap_or_default();
    problems.retain(|problem| !matches!(problem.code, Code::NoEffect | Code::SharedBootIssuer));
    problems
}

/// The part of a machine in the swarm.
fn swarm_of(file: &FleetFile, n: usize) -> Result<Option<SwarmPart>, Vec<Diagnostic>> {
    if !file.has_swarm(n) {
        return Ok(None);
    }
    let name = file.nth(n).name.map(|word| word.text).unwrap_or_default();
    match file.swarm(n, &name) {
        (None, _) => Ok(None),
        (Some(words), problems) if problems.is_empty() => SwarmPart::of(file, &words),
        (Some(_), problems) => Err(problems),
    }
}

/// The name of a machine as written.
fn name_of(spec: &Spec) -> &str {
    spec.name.as_ref().map(|word| word.text.as_str()).unwrap_or_default()
}

fn same_name(file: &FleetFile, n: usize, other: usize) -> Diagnostic {
    let (spec, other) = (file.nth(n), file.nth(other));
    let (name, of_other) = (name_of(&spec), name_of(&other));
    let position = |spec: &Spec| spec.name.as_ref().and_then(|word| word.position);
    let text = match name == of_other {
        true => format!("is `{name}` for more than one machine"),
        false => format!("is `{name}`, which differs from `{of_other}` only in case"),
    };
    let hint = (position(&spec) == position(&other)).then_some("with `count`, the name needs `{{ index }}`");
    let problem = Diagnostic::error(Code::DuplicateMachine, text).maybe_hint(hint);
    spec.about("name", spec.name.as_ref(), problem)
}

fn same_address(file: &FleetFile, n: usize, other: usize, address: &str) -> Diagnostic {
    let (spec, other) = (file.nth(n), file.nth(other));
    let text = format!("has `{address}` for `{}` and for `{}`", name_of(&other), name_of(&spec));
    // The word with this address, or the last one.
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let words = &spec.identity.addresses;
    let word = words.iter().find(|word| word.text.eq_ignore_ascii_case(host)).or(words.last());
    spec.about("address", word, Diagnostic::error(Code::DuplicateAddress, text))
}

/// Problems, each once for all machines of an entry.
#[derive(Default)]
pub(super) struct Findings {
    all: Vec<(Diagnostic, usize)>,
    known: HashMap<(Code, Option<Position>, Option<String>), usize>,
}

impl Findings {
    pub(super) fn add(&mut self, problem: Diagnostic) {
        // Without a place, a problem is the same if its text is.
        let text = problem.place.position.is_none().then(|| problem.message.clone());
        self.add_as(problem, text);
    }

    /// Adds a problem of a machine. If it has no place, it gets that of the machine's name, and the name.
    fn add_of_spec(&mut self, spec: &Spec, problem: Diagnostic) {
        let (None, Some(name)) = (problem.place.position, &spec.name) else { return self.add(problem) };
        let place = spec.about("name", Some(name), problem.clone()).place;
        let text = problem.message.clone();
        self.add_as(problem.about(format_args!("`{}`:", name.text.escape_debug())).at(place), Some(text));
    }

    fn add_as(&mut self, problem: Diagnostic, text: Option<String>) {
        let position = problem.place.position;
        let index = *self.known.entry((problem.code, position, text)).or_insert(self.all.len());
        match self.all.get_mut(index) {
            Some((_, count)) => *count += 1,
            None => self.all.push((problem, 1)),
        }
    }

    /// Adds a problem of a machine, with its name.
    pub(super) fn add_of(&mut self, fleet: &Fleet, n: usize, problem: Diagnostic) {
        let name = &fleet.members[n].name;
        self.add(fleet.about(n, problem.about(format_args!("`{name}`:"))));
    }

    pub(super) fn finish(mut self) -> Result<(), Report> {
        self.all.sort_by_key(|(problem, _)| problem.place.position);
        let problems = self.all.into_iter().map(|(mut problem, count)| {
            if count > 1 && problem.place.position.is_some() {
                let more = if count == 2 {
                    "1 more machine".to_owned()
                } else {
                    format!("{} more machines", count - 1)
                };
                problem.message += &format!(" (and {more})");
            }
            problem
        });
        Report::check(problems.collect())
    }
}
