//! `swarm status`: the nodes of a fleet's swarm, and what differs from the fleet file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::check::EXPIRING;
use super::swarm::{Part, check, look, nodes, parts};
use super::swarm_up::stranger;
use super::verify::ProblemView;
use crate::diag::{Code, Diagnostic, Severity, counted};
use crate::docker::{Membership, Node, SwarmRole};
use crate::fleet::{SwarmHost, is_node_of, manager};
use crate::store::Store;
use crate::ui::Ui;

/// The version of the JSON. It rises when a field disappears or gets another meaning.
const VERSION: u32 = 1;

/// The arguments of the command.
pub struct Request {
    pub file: PathBuf,
    pub json: bool,
}

/// Prints the nodes. The exit status is 0 if the swarm is as the file says, 3 if it is and a certificate expires soon, else 1.
///
/// # Errors
/// Fails before the first connection if the file is wrong or a machine does not exist.
pub fn swarm_status(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<ExitCode> {
    let (fleet, mut parts) = parts(store, ui, &request.file)?;
    let checked = check(store, ui, now, &mut parts, None);
    let mut problems: Vec<Diagnostic> = checked.iter().flat_map(|one| one.problems.clone()).collect();
    let found = look(store, &parts).unwrap_or_else(|problem| {
        problems.push(problem);
        parts.iter().map(|_| None).collect()
    });
    let nodes = match known(&parts, &found).map(|part| nodes(store, part)) {
        Some(Ok(nodes)) => nodes,
        Some(Err(problem)) => {
            problems.push(problem);
            Vec::new()
        }
        None => Vec::new(),
    };
    let rows: Vec<Row> =
        parts.iter().zip(&found).map(|(part, now)| Row::of(part, now.as_ref(), &nodes)).collect();
    problems.extend(rows.iter().filter_map(Row::problem));
    let is_listed = |node: &&Node| rows.iter().any(|row| row.node.is_some_and(|own| own.id == node.id));
    let unlisted: Vec<&Node> = nodes.iter().filter(|node| !is_listed(node)).collect();
    problems.extend(unlisted.iter().copied().map(stranger));
    if request.json {
        ui.json(&View {
            version: VERSION,
            fleet: fleet.name.as_str(),
            nodes: rows.iter().map(Row::view).collect(),
            unlisted: unlisted.iter().map(|node| node.id.as_str()).collect(),
            problems: problems.iter().map(ProblemView::from).collect(),
        })?;
    } else {
        let header = ["NODE", "ROLE", "STATE", "AVAILABILITY", "MANAGER", "DOCKER"];
        let header = header.into_iter().map(str::to_owned).collect();
        ui.table(&[header].into_iter().chain(rows.iter().map(Row::line)).collect::<Vec<_>>())?;
        problems.iter().try_for_each(|problem| ui.problem(problem))?;
    }
    let differs = problems.iter().any(|problem| problem.severity == Severity::Error);
    if !differs && !request.json {
        let nodes = counted(rows.len() as u64, "node");
        ui.verdict(true, format_args!("the swarm is as the file says: {nodes}"))?;
    }
    Ok(if differs {
        ExitCode::FAILURE
    } else if checked.iter().any(|one| one.expires_soon()) {
        ExitCode::from(EXPIRING)
    } else {
        ExitCode::SUCCESS
    })
}

/// The machine that knows the nodes.
fn known<'a>(parts: &'a [Part], found: &[Option<Membership>]) -> Option<&'a Part> {
    let answering: Vec<&Part> =
        parts.iter().zip(found).filter(|(_, now)| now.is_some()).map(|(part, _)| part).collect();
    let hosts: Vec<SwarmHost> = (parts.iter().zip(found))
        .filter_map(|(part, now)| {
            let (name, wanted) = (part.machine.name.clone(), part.wanted.clone());
            Some(SwarmHost { name, wanted, now: now.clone()? })
        })
        .collect();
    manager(&hosts).map(|n| answering[n])
}

/// A machine and its node.
struct Row<'a> {
    part: &'a Part,
    now: Option<&'a Membership>,
    node: Option<&'a Node>,
    differences: Vec<String>,
}

impl<'a> Row<'a> {
    fn of(part: &'a Part, now: Option<&'a Membership>, nodes: &'a [Node]) -> Self {
        let name = &part.machine.name;
        let member = match now {
            Some(Membership::Member(member)) => Some(member),
            _ => None,
        };
        let node = nodes.iter().find(|node| is_node_of(name, member, node));
        let mut differences = Vec::new();
        let wanted = &part.wanted;
        match (now, node) {
            (Some(Membership::None | Membership::LiveRestore), _) => {
                differences.push("is in no swarm".to_owned());
            }
            (Some(Membership::Unfit { error, .. }), _) => {
                differences.push(format!("takes no part in its swarm: {error}"))
            }
            (Some(Membership::Member(_)), None) => {
                differences.push("is in a swarm that no manager of this fleet knows".to_owned());
            }
            (_, Some(node)) => {
                if node.role != wanted.role {
                    let (is, wanted) = (node.role.name(), wanted.role.name());
                    differences.push(format!("is a {is}, and a {wanted} in the file"));
                }
                if node.state != "ready" {
                    differences.push(format!("is {}", node.state));
                }
                if node.role == SwarmRole::Manager && !node.is_reachable_manager() {
                    differences.push("is not reachable as a manager".to_owned());
                }
                let missing = wanted.missing_labels(name, &node.labels);
                let missing: Vec<_> = missing.iter().map(|(key, value)| format!("`{key}={value}`")).collect();
                if !missing.is_empty() {
                    differences.push(format!("has not the labels {}", missing.join(", ")));
                }
            }
            // The error of `check` says why it does not answer.
            (None, None) => {}
        }
        Self { part, now, node, differences }
    }

    fn problem(&self) -> Option<Diagnostic> {
        (!self.differences.is_empty()).then(|| {
            let text = format!("`{}` {}", self.part.machine.name, self.differences.join(", "));
            Diagnostic::error(Code::SwarmDiffers, text)
        })
    }

    fn state(&self) -> &str {
        match (self.node, self.now) {
            (Some(node), _) => &node.state,
            (None, Some(Membership::None | Membership::LiveRestore)) => "no swarm",
            (None, Some(Membership::Unfit { .. })) => "no part",
            (None, Some(Membership::Member(_))) => "another swarm",
            (None, None) => "no answer",
        }
    }

    fn line(&self) -> Vec<String> {
        let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned();
        let manager = self.node.and_then(|node| match node.is_leader {
            true => Some("leader"),
            false => node.reachability.as_deref(),
        });
        vec![
            self.part.machine.name.to_string(),
            self.node.map_or(self.part.wanted.role, |node| node.role).name().to_owned(),
            self.state().to_owned(),
            text(self.node.map(|node| node.availability.as_str())),
            text(manager),
            text(self.node.map(|node| node.version.as_str())),
        ]
    }

    fn view(&self) -> NodeView<'_> {
        NodeView {
            name: self.part.machine.name.as_str(),
            id: self.node.map(|node| node.id.as_str()),
            answers: self.now.is_some(),
            wanted_role: self.part.wanted.role.name(),
            role: self.node.map(|node| node.role.name()),
            state: self.node.map(|node| node.state.as_str()),
            availability: self.node.map(|node| node.availability.as_str()),
            leader: self.node.is_some_and(|node| node.is_leader),
            reachability: self.node.and_then(|node| node.reachability.as_deref()),
            docker_version: self.node.map(|node| node.version.as_str()),
            differences: &self.differences,
        }
    }
}

#[derive(Serialize)]
struct View<'a> {
    version: u32,
    fleet: &'a str,
    nodes: Vec<NodeView<'a>>,
    /// The identifiers of nodes that are no machine of the file.
    unlisted: Vec<&'a str>,
    problems: Vec<ProblemView<'a>>,
}

#[derive(Serialize)]
struct NodeView<'a> {
    name: &'a str,
    id: Option<&'a str>,
    /// True if the host answers this computer.
    answers: bool,
    wanted_role: &'static str,
    role: Option<&'static str>,
    state: Option<&'a str>,
    availability: Option<&'a str>,
    leader: bool,
    reachability: Option<&'a str>,
    docker_version: Option<&'a str>,
    differences: &'a [String],
}
