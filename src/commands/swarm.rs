//! The machines of a fleet that have a part in the swarm, and the present state of their hosts: what `swarm up` and `swarm status` share.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use time::OffsetDateTime;

use super::check::{Machine, attempts, machine, side_by_side};
use super::check_view::Checked;
use super::diagnosis::Diagnosis;
use super::read_fleet_file;
use crate::diag::{Code, Diagnostic, Report};
use crate::docker::{Fault, Membership, Node, SwarmRole, Unfit};
use crate::fleet::{Fleet, SwarmHost, SwarmPart, manager};
use crate::store::Store;
use crate::ui::Ui;

/// The longest wait for one answer. Docker itself ends a join that takes 20 seconds (moby, `swarmConnectTimeout`).
pub const ANSWER: Duration = Duration::from_secs(60);
/// The longest wait until new managers take part and the nodes agree.
const SETTLE: Duration = Duration::from_secs(30);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// A machine that has a part in the swarm.
pub struct Part {
    pub machine: Machine,
    pub wanted: SwarmPart,
    /// The version of the API, from the check. None if the host does not answer.
    pub api: Option<String>,
}

/// The present state of the swarm.
pub struct Sight {
    pub hosts: Vec<SwarmHost>,
    pub nodes: Vec<Node>,
}

/// Reads the fleet file, and prepares the connections to the machines with a part in the swarm.
///
/// # Errors
/// Fails if no machine has a part, none is a manager, or one is not in the store.
pub fn parts(store: &Store, ui: Ui, file: &Path) -> Result<(Fleet, Vec<Part>)> {
    let fleet = Fleet::check(read_fleet_file(file)?)?;
    let wanted: Vec<_> = (0..fleet.members.len()).filter_map(|n| fleet.swarm(n)).collect();
    let managers = wanted.iter().filter(|part| part.role == SwarmRole::Manager).count();
    if managers == 0 {
        return Err(Report::from(no_manager(file, wanted.is_empty())).into());
    }
    let mut parts = Vec::new();
    for (n, member) in fleet.members.iter().enumerate() {
        let Some(wanted) = fleet.swarm(n) else { continue };
        let machine =
            machine(store, member.name.as_str()).map_err(|error| not_applied(store, file, error))?;
        parts.push(Part { machine, wanted, api: None });
    }
    if managers % 2 == 0 {
        let text = format!(
            "the swarm has {managers} managers: it survives no more failures than with {}",
            managers - 1
        );
        let hint = "use an odd number: more than half of the managers have to be up";
        ui.warning(&Diagnostic::warning(Code::SwarmEvenManagers, text).hint(hint));
    }
    Ok((fleet, parts))
}

/// The error about a fleet without a manager.
pub fn no_manager(file: &Path, has_no_part: bool) -> Diagnostic {
    let what = if has_no_part { "no machine has a part in a swarm" } else { "no machine is a manager" };
    Diagnostic::error(Code::SwarmNoManager, format!("{}: {what}", file.display()))
        .hint("give a machine `swarm: manager`, and others `swarm: worker`")
}

/// Adds to the error about a machine that does not exist how it is made.
fn not_applied(store: &Store, file: &Path, error: Error) -> Error {
    match Diagnostic::of(&error) {
        Some(missing) if missing.code == Code::NoSuchMachine => {
            let missing = Diagnostic { commands: Vec::new(), hint: None, ..missing };
            let apply = store.command(["apply", &file.display().to_string()]);
            missing.hint("create the machines of the file, and their VMs:").run(apply).into()
        }
        _ => error,
    }
}

/// Checks the machines side by side, as `check` does, and returns the results in their order.
pub fn check(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    parts: &mut [Part],
    wait: Option<Duration>,
) -> Vec<Checked> {
    let begin = Instant::now();
    let lines = ui.lines(wait.is_some());
    let checked = side_by_side(parts, |part| {
        let line = lines.add();
        let clock = || now + begin.elapsed();
        let outcome = attempts(&part.machine, &line, wait.map(|wait| begin + wait), clock);
        line.finish();
        let api = outcome.as_ref().ok().map(|answer| answer.api.clone());
        (Checked::new(&diagnosis(store, part, wait.is_some()), outcome, clock()), api)
    });
    let checked = parts.iter_mut().zip(checked).map(|(part, (checked, api))| {
        part.api = api;
        checked
    });
    checked.collect()
}

fn diagnosis<'a>(store: &'a Store, part: &'a Part, waited: bool) -> Diagnosis<'a> {
    let Machine { name, url, target, .. } = &part.machine;
    Diagnosis { store, name, url, target, waited }
}

impl Part {
    /// The version of the API for requests.
    pub fn api(&self) -> &str {
        self.api.as_deref().unwrap_or_default()
    }

    /// The error for a fault that the host had when it was asked to do something. `code` is for Docker's own errors.
    pub fn error(&self, store: &Store, code: Code, fault: &Fault) -> Diagnostic {
        match fault {
            Fault::Daemon { .. } => Diagnostic::error(code, format!("`{}`: {fault}", self.machine.name)),
            fault => diagnosis(store, self, true).of(fault),
        }
    }
}

/// Asks each host that answered for its part in a swarm, and a manager for the nodes. The state of a host that did not answer is none.
///
/// # Errors
/// Fails if a host does not answer any more.
pub fn look(store: &Store, parts: &[Part]) -> Result<Vec<Option<Membership>>, Diagnostic> {
    let deadline = Instant::now() + ANSWER;
    let found = side_by_side(parts, |part| {
        let api = part.api.as_deref()?;
        let membership = part.machine.engine.membership(api, deadline);
        Some(membership.map_err(|fault| part.error(store, Code::SwarmRefused, &fault)))
    });
    found.into_iter().map(Option::transpose).collect()
}

/// The nodes that a manager knows.
///
/// # Errors
/// Fails if the manager does not answer, or if its swarm has no leader.
pub fn nodes(store: &Store, part: &Part) -> Result<Vec<Node>, Diagnostic> {
    let nodes = part.machine.engine.nodes(part.api(), Instant::now() + ANSWER);
    nodes.map_err(|fault| part.error(store, Code::SwarmRefused, &fault))
}

/// Looks at all hosts, which answer, and at the nodes. Waits for hosts that are joining and for new managers.
///
/// # Errors
/// Fails if a host or the swarm does not answer.
pub fn settled(store: &Store, parts: &[Part]) -> Result<Sight, Diagnostic> {
    let end = Instant::now() + SETTLE;
    loop {
        let sight = sight(store, parts);
        let is_over = Instant::now() >= end;
        match sight {
            Ok(sight) if is_over || sight.is_settled() => return Ok(sight),
            Err(error) if is_over => return Err(error),
            _ => thread::sleep(PAUSE),
        }
    }
}

fn sight(store: &Store, parts: &[Part]) -> Result<Sight, Diagnostic> {
    let found = look(store, parts)?;
    let hosts: Vec<SwarmHost> = (parts.iter().zip(found))
        .filter_map(|(part, now)| {
            Some(SwarmHost { name: part.machine.name.clone(), wanted: part.wanted.clone(), now: now? })
        })
        .collect();
    let nodes = manager(&hosts).map(|n| nodes(store, &parts[n])).transpose()?.unwrap_or_default();
    Ok(Sight { hosts, nodes })
}

impl Sight {
    /// Returns whether no host is on its way to another state.
    fn is_settled(&self) -> bool {
        self.hosts.iter().all(|host| match &host.now {
            Membership::None | Membership::LiveRestore => true,
            Membership::Unfit { state, .. } => *state != Unfit::Joining,
            Membership::Member(member) => {
                let node = self.nodes.iter().find(|node| node.id == member.node);
                node.is_none_or(|node| {
                    node.role == member.role
                        && (node.role == SwarmRole::Worker || node.is_reachable_manager())
                })
            }
        })
    }
}
