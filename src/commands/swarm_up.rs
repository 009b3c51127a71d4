//! `swarm up`: forms the swarm of a fleet file, and changes what differs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::check::side_by_side;
use super::swarm::{ANSWER, Part, Sight, check, no_manager, nodes, parts, settled};
use super::verify::ProblemView;
use crate::diag::{Code, Diagnostic, Severity, counted};
use crate::docker::{Fault, Node, SWARM_PORT, SwarmRole, Unfit};
use crate::fleet::{Formation, Obstacle, SwarmAction, formation, unlisted};
use crate::store::Store;
use crate::ui::Ui;

/// The version of the JSON. It rises when a field disappears or gets another meaning.
const VERSION: u32 = 1;
/// The number of attempts to change a node that others change at the same time.
const ATTEMPTS: usize = 5;

/// The arguments of the command.
pub struct Request {
    pub file: PathBuf,
    /// How long to wait for machines that are not up yet.
    pub wait: Option<Duration>,
    /// Print what would be done, and change nothing.
    pub dry_run: bool,
    pub json: bool,
}

/// A change that was made, or would be.
struct Done {
    host: usize,
    action: SwarmAction,
}

/// How far a run has come.
#[derive(Default)]
struct Progress {
    done: Vec<Done>,
    /// True if a change was tried. One that fails can have an effect: Docker goes on with a join.
    has_begun: bool,
    /// The identifiers of the hosts' nodes.
    members: Vec<Option<String>>,
}

/// Forms the swarm once all machines are well. What is right stays, so the same command goes on where another run stopped. The exit
/// status is 1 if a machine is not up or a step fails.
///
/// # Errors
/// Fails before the first connection if the file is wrong or a machine does not exist.
pub fn swarm_up(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<ExitCode> {
    let (fleet, mut parts) = parts(store, ui, &request.file)?;
    let checked = check(store, ui, now, &mut parts, request.wait);
    let mut problems: Vec<Diagnostic> =
        checked.into_iter().filter(|one| !one.is_up()).flat_map(|one| one.problems).collect();
    let mut progress = Progress::default();
    if problems.is_empty() {
        problems = form(store, ui, request, &parts, &mut progress);
    }
    let Progress { done, has_begun, members } = progress;
    problems.iter().for_each(|problem| match problem.severity {
        Severity::Error => ui.error(&problem.clone().into()),
        Severity::Warning => ui.warning(problem),
    });
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    if request.json {
        ui.json(&View::new(fleet.name.to_string(), request, &parts, &done, &members, &problems))?;
    } else if !failed {
        ui.verdict(true, summary(request, parts.len(), &done))?;
    }
    if failed && !has_begun {
        ui.note("nothing was changed");
    } else if failed {
        ui.note("what was done stays: run the same command again to go on");
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Makes the changes, phase after phase, and looks at the hosts before each. Returns what is wrong.
fn form(
    store: &Store,
    ui: Ui,
    request: &Request,
    parts: &[Part],
    progress: &mut Progress,
) -> Vec<Diagnostic> {
    loop {
        let sight = match settled(store, parts) {
            Ok(sight) => sight,
            Err(problem) => return vec![problem],
        };
        let ids = sight.hosts.iter().map(|host| Some(host.member()?.node.clone()));
        progress.members = ids.collect();
        let Formation { manager, actions } = match formation(&sight.hosts, &sight.nodes) {
            Ok(formation) => formation,
            Err(obstacles) => {
                return obstacles.into_iter().map(|one| obstacle(store, request, one)).collect();
            }
        };
        // Each change is made once: another client may undo it at the same time.
        let is_new = |(host, action): &(usize, SwarmAction)| {
            progress.done.iter().all(|done| done.host != *host || done.action != *action)
        };
        let actions: Vec<_> = actions.into_iter().filter(is_new).collect();
        if request.dry_run || actions.is_empty() {
            for (host, action) in actions {
                tell(ui, request, &parts[host], &action);
                progress.done.push(Done { host, action });
            }
            return strangers(&sight);
        }
        progress.has_begun = true;
        let phase = actions[0].1.phase();
        let (mut one_by_one, mut at_once) = (Vec::new(), Vec::new());
        for one in actions.into_iter().filter(|(_, action)| action.phase() == phase) {
            // Managers change the majority that has to agree.
            let is_join = one.1 == SwarmAction::Join(SwarmRole::Worker);
            if is_join { at_once.push(one) } else { one_by_one.push(one) }
        }
        let step = |(host, action): &(usize, SwarmAction)| {
            let result = act(store, parts, &sight, manager, *host, action);
            if result.is_ok() {
                tell(ui, request, &parts[*host], action);
            }
            result
        };
        let mut results: Vec<_> = one_by_one.iter().map(step).collect();
        results.extend(side_by_side(&at_once, step));
        let mut problems = Vec::new();
        for ((host, action), result) in one_by_one.into_iter().chain(at_once).zip(results) {
            match result {
                Ok(()) => progress.done.push(Done { host, action }),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return problems;
        }
    }
}

/// Makes one change.
fn act(
    store: &Store,
    parts: &[Part],
    sight: &Sight,
    manager: usize,
    host: usize,
    action: &SwarmAction,
) -> Result<(), Diagnostic> {
    let (part, asked) = (&parts[host], &parts[manager]);
    let deadline = Instant::now() + ANSWER;
    let advertise = part.wanted.advertise.as_deref();
    match action {
        SwarmAction::Init => {
            let made = part.machine.engine.init_swarm(part.api(), advertise, deadline);
            made.map_err(|fault| {
                let error = part.error(store, Code::SwarmRefused, &fault);
                match fault {
                    Fault::Daemon { .. } if advertise.is_none() => error.hint(
                        "if the host has several addresses, choose one with `advertise` below `swarm:`",
                    ),
                    _ => error,
                }
            })
        }
        SwarmAction::Join(role) => {
            let refused = |fault| asked.error(store, Code::SwarmRefused, &fault);
            let tokens = asked.machine.engine.join_tokens(asked.api(), deadline).map_err(refused)?;
            let token = match role {
                SwarmRole::Manager => tokens.manager,
                SwarmRole::Worker => tokens.worker,
            };
            let known =
                sight.hosts[manager].member().map(|member| member.managers.clone()).unwrap_or_default();
            let joined = part.machine.engine.join_swarm(part.api(), &token, &known, advertise, deadline);
            joined.map_err(|fault| not_joined(part.error(store, Code::SwarmJoin, &fault), &known))
        }
        SwarmAction::Promote => change(store, asked, sight, host, |node| node.role = SwarmRole::Manager),
        SwarmAction::Demote => change(store, asked, sight, host, |node| node.role = SwarmRole::Worker),
        SwarmAction::Label(labels) => {
            change(store, asked, sight, host, |node| node.labels.extend(labels.clone()))
        }
    }
}

/// Adds to the error of a join which ports have to be open.
fn not_joined(error: Diagnostic, managers: &[String]) -> Diagnostic {
    if error.code != Code::SwarmJoin {
        return error;
    }
    error.hint(format!(
        "allow between the nodes TCP port {SWARM_PORT} (to {}), TCP and UDP port 7946 and UDP port 4789; `advertise` below `swarm:` sets the address at which a manager is reached",
        managers.join(", ")
    ))
}

/// Changes a node, also if another client changes it at the same time.
fn change(
    store: &Store,
    asked: &Part,
    sight: &Sight,
    host: usize,
    edit: impl Fn(&mut Node),
) -> Result<(), Diagnostic> {
    let Some(member) = sight.hosts[host].member() else { return Ok(()) };
    let mut attempts = 0..ATTEMPTS;
    loop {
        let found = nodes(store, asked)?;
        let Some(node) = found.into_iter().find(|node| node.id == member.node) else { return Ok(()) };
        let mut wanted = node.clone();
        edit(&mut wanted);
        let deadline = Instant::now() + ANSWER;
        let changed =
            asked.machine.engine.update_node(asked.api(), &node, wanted.role, &wanted.labels, deadline);
        match changed {
            Ok(true) => return Ok(()),
            Ok(false) if attempts.next().is_some() => {}
            Ok(false) => {
                let text = format!("`{}`: other clients change the node all the time", asked.machine.name);
                return Err(Diagnostic::error(Code::SwarmRefused, text));
            }
            Err(fault) => return Err(asked.error(store, Code::SwarmRefused, &fault)),
        }
    }
}

/// The error for an obstacle.
fn obstacle(store: &Store, request: &Request, obstacle: Obstacle) -> Diagnostic {
    let left =
        "if its containers are not needed, let it leave: `docker swarm leave --force`, after `hostseed env`";
    match obstacle {
        Obstacle::NoManager => no_manager(&request.file, false),
        Obstacle::SeveralSwarms(names) => {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            let text = format!("the machines {} are in different swarms", names.join(", "));
            Diagnostic::error(Code::SwarmOther, text).hint(left)
        }
        Obstacle::OtherSwarm(name) => {
            let text = format!("`{name}` is in another swarm, which no manager of this fleet knows");
            Diagnostic::error(Code::SwarmOther, text).hint(left)
        }
        Obstacle::LiveRestore(name) => {
            let text =
                format!("`{name}`: Docker runs with `live-restore`, which it does not support in a swarm");
            let file = request.file.display().to_string();
            Diagnostic::error(Code::SwarmLiveRestore, text)
                .hint("set `live-restore` to false on the host; `apply` does it in the user-data of machines with `swarm:`:")
                .run(store.command(["apply", &file]))
        }
        Obstacle::Unfit(name, state, error) => {
            let (what, hint) = match state {
                Unfit::Joining => (
                    "is still joining its swarm",
                    format!(
                        "allow between the nodes TCP port {SWARM_PORT}, TCP and UDP port 7946 and UDP port 4789; `docker swarm leave`, after `hostseed env`, gives up the attempt"
                    ),
                ),
                Unfit::Locked => (
                    "has a locked swarm",
                    "hostseed does not unlock a swarm with autolock: run `docker swarm unlock`, after `hostseed env`".to_owned(),
                ),
                Unfit::Failed => ("has an error in its swarm", left.to_owned()),
            };
            let colon = if error.is_empty() { "" } else { ": " };
            Diagnostic::error(Code::SwarmUnfit, format!("`{name}` {what}{colon}{error}")).hint(hint)
        }
    }
}

/// The warnings about nodes that are not in the file.
fn strangers(sight: &Sight) -> Vec<Diagnostic> {
    unlisted(&sight.hosts, &sight.nodes).into_iter().map(stranger).collect()
}

/// The warning about a node that is not in the file.
pub(super) fn stranger(node: &Node) -> Diagnostic {
    let text = format!(
        "the swarm has a {} that is no machine of the file: {} ({}), {}",
        node.role.name(),
        if node.host.is_empty() { "without a host name" } else { &node.host },
        node.id,
        node.state
    );
    Diagnostic::warning(Code::SwarmUnlisted, text).hint(format!(
        "add the machine to the file, or remove it: `docker node rm {}`, on a manager",
        node.id
    ))
}

impl SwarmAction {
    /// The change in words, as done or as it would be.
    fn text(&self, dry_run: bool) -> String {
        let (would, past) = match self {
            Self::Init => ("make the swarm", "made the swarm"),
            Self::Join(SwarmRole::Manager) => ("join as a manager", "joined as a manager"),
            Self::Join(SwarmRole::Worker) => ("join as a worker", "joined as a worker"),
            Self::Promote => ("become a manager", "became a manager"),
            Self::Demote => ("become a worker", "became a worker"),
            Self::Label(labels) => {
                let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let verb = if dry_run { "would get" } else { "has" };
                return format!("{verb} the labels {}", labels.join(", "));
            }
        };
        if dry_run { format!("would {would}") } else { past.to_owned() }
    }

    /// The name of the change in JSON.
    fn name(&self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Join(SwarmRole::Manager) => "join-manager",
            Self::Join(SwarmRole::Worker) => "join-worker",
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Label(_) => "label",
        }
    }
}

fn tell(ui: Ui, request: &Request, part: &Part, action: &SwarmAction) {
    if !request.json {
        ui.note(format_args!("`{}` {}", part.machine.name, action.text(request.dry_run)));
    }
}

fn summary(request: &Request, count: usize, done: &[Done]) -> String {
    let nodes = counted(count as u64, "node");
    let changed: BTreeSet<usize> = done.iter().map(|done| done.host).collect();
    match (changed.len(), request.dry_run) {
        (0, _) => format!("the swarm is as the file says: {nodes}, nothing to change"),
        (changed, true) => format!("{nodes}, {changed} would be changed"),
        (changed, false) => format!("the swarm is as the file says: {nodes}, {changed} changed"),
    }
}

#[derive(Serialize)]
struct View<'a> {
    version: u32,
    fleet: String,
    dry_run: bool,
    nodes: Vec<NodeView<'a>>,
    problems: Vec<ProblemView<'a>>,
}

#[derive(Serialize)]
struct NodeView<'a> {
    name: &'a str,
    role: &'static str,
    /// The node's identifier. None if the host is in no swarm.
    id: Option<&'a str>,
    /// The changes that were made, or would be with `--dry-run`.
    changes: Vec<&'static str>,
}

impl<'a> View<'a> {
    fn new(
        fleet: String,
        request: &Request,
        parts: &'a [Part],
        done: &[Done],
        members: &'a [Option<String>],
        problems: &'a [Diagnostic],
    ) -> Self {
        let nodes = parts.iter().enumerate().map(|(n, part)| NodeView {
            name: part.machine.name.as_str(),
            role: part.wanted.role.name(),
            id: members.get(n).and_then(Option::as_deref),
            changes: done.iter().filter(|done| done.host == n).map(|done| done.action.name()).collect(),
        });
        Self {
            version: VERSION,
            fleet,
            dry_run: request.dry_run,
            nodes: nodes.collect(),
            problems: problems.iter().map(ProblemView::from).collect(),
        }
    }
}
