//! The steps that form a fleet's swarm: a pure function of the fleet file and of each host's present state.

use std::collections::{BTreeMap, BTreeSet};

use super::SwarmPart;
use crate::docker::{Member, Membership, Node, SwarmRole, Unfit};
use crate::names::MachineName;

/// The label of a node with the name of its machine: a host that is down is found by it.
pub const MACHINE_LABEL: &str = "hostseed.machine";

/// A machine of the fleet that has a part in the swarm, and the present state of its host.
#[derive(Debug, Clone)]
pub struct SwarmHost {
    pub name: MachineName,
    pub wanted: SwarmPart,
    pub now: Membership,
}

/// One change of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwarmAction {
    /// The host makes the swarm.
    Init,
    Join(SwarmRole),
    Promote,
    /// The node gets these labels, besides those that it has.
    Label(BTreeMap<String, String>),
    Demote,
}

/// The way from the present state to the swarm of the fleet file. The numbers are those of the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formation {
    /// The manager that makes the swarm, or knows the one that exists.
    pub manager: usize,
    /// The changes, in the order in which they are made.
    pub actions: Vec<(usize, SwarmAction)>,
}

/// The reason why no swarm can be formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// No machine is to be a manager.
    NoManager,
    /// The machines are members of different swarms, each of which has one of these.
    SeveralSwarms(Vec<MachineName>),
    /// The host is a member of a swarm that the fleet's managers do not know.
    OtherSwarm(MachineName),
    /// Docker runs with `live-restore`.
    LiveRestore(MachineName),
    /// The host is a member, and does not take part. With Docker's text.
    Unfit(MachineName, Unfit, String),
}

impl SwarmAction {
    /// The phase of the action: all actions of a phase can be done before the hosts are looked at again.
    pub fn phase(&self) -> u8 {
        match self {
            Self::Init => 0,
            Self::Join(SwarmRole::Manager) => 1,
            Self::Join(SwarmRole::Worker) => 2,
            Self::Promote => 3,
            Self::Label(_) => 4,
            // The swarm always keeps a manager.
            Self::Demote => 5,
        }
    }
}

impl SwarmHost {
    /// The host's node, if it takes part in a swarm.
    pub fn member(&self) -> Option<&Member> {
        match &self.now {
            Membership::Member(member) => Some(member),
            Membership::None | Membership::LiveRestore | Membership::Unfit { .. } => None,
        }
    }

    /// All labels that the node is to have.
    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.wanted.labels.clone();
        labels.insert(MACHINE_LABEL.to_owned(), self.name.to_string());
        labels
    }
}

/// The manager to ask: one that stays a manager, if there is one.
pub fn manager(hosts: &[SwarmHost]) -> Option<usize> {
    let is_manager = |host: &SwarmHost| host.member().is_some_and(|member| member.role == SwarmRole::Manager);
    let stays = hosts.iter().position(|host| is_manager(host) && host.wanted.role == SwarmRole::Manager);
    stays.or_else(|| hosts.iter().position(is_manager))
}

/// Finds the way to the swarm. `nodes` are those that [`manager`] knows.
///
/// # Errors
/// Returns all obstacles.
pub fn formation(hosts: &[SwarmHost], nodes: &[Node]) -> Result<Formation, Vec<Obstacle>> {
    let existing = manager(hosts);
    let wanted = hosts.iter().position(|host| host.wanted.role == SwarmRole::Manager);
    let obstacles = obstacles(hosts, nodes, existing.is_some(), wanted.is_some());
    let (Some(manager), true) = (existing.or(wanted), obstacles.is_empty()) else { return Err(obstacles) };
    let mut actions = Vec::new();
    for (n, host) in hosts.iter().enumerate() {
        let wanted = host.wanted.role;
        let node = host.member().and_then(|member| nodes.iter().find(|node| node.id == member.node));
        let labels = host.labels();
        match (&host.now, node) {
            (Membership::Member(_), Some(node)) => {
                match (node.role, wanted) {
                    (SwarmRole::Worker, SwarmRole::Manager) => actions.push((n, SwarmAction::Promote)),
                    (SwarmRole::Manager, SwarmRole::Worker) => actions.push((n, SwarmAction::Demote)),
                    _ => {}
                }
                if labels.iter().any(|(key, value)| node.labels.get(key) != Some(value)) {
                    actions.push((n, SwarmAction::Label(labels)));
                }
            }
            (Membership::None, _) => {
                let begins = existing.is_none() && n == manager;
                actions.push((n, if begins { SwarmAction::Init } else { SwarmAction::Join(wanted) }));
                actions.push((n, SwarmAction::Label(labels)));
            }
            _ => {}
        }
    }
    actions.sort_by_key(|(_, action)| action.phase());
    Ok(Formation { manager, actions })
}

/// The nodes that belong to no machine of the fleet with a part in the swarm.
pub fn unlisted<'a>(hosts: &[SwarmHost], nodes: &'a [Node]) -> Vec<&'a Node> {
    nodes
        .iter()
        .filter(|node| hosts.iter().all(|host| !is_node_of(&host.name, host.member(), node)))
        .collect()
}

/// Returns whether a node is that of a machine. A machine whose host does not answer is known by the node's label.
pub fn is_node_of(name: &MachineName, member: Option<&Member>, node: &Node) -> bool {
    match member {
        Some(member) => member.node == node.id,
        None => node.labels.get(MACHINE_LABEL).is_some_and(|label| label == name.as_str()),
    }
}

fn obstacles(hosts: &[SwarmHost], nodes: &[Node], exists: bool, has_manager: bool) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    let mut swarms: BTreeMap<&str, usize> = BTreeMap::new();
    for (n, host) in hosts.iter().enumerate() {
        match &host.now {
            Membership::None => {}
            Membership::LiveRestore => obstacles.push(Obstacle::LiveRestore(host.name.clone())),
            Membership::Unfit { state, error } => {
                obstacles.push(Obstacle::Unfit(host.name.clone(), *state, error.clone()));
            }
            Membership::Member(member) => {
                if let Some(swarm) = &member.swarm {
                    swarms.entry(swarm).or_insert(n);
                }
            }
        }
    }
    if swarms.len() > 1 {
        let firsts: BTreeSet<usize> = swarms.values().copied().collect();
        obstacles.push(Obstacle::SeveralSwarms(firsts.into_iter().map(|n| hosts[n].name.clone()).collect()));
    } else {
        let is_known = |member: &Member| exists && nodes.iter().any(|node| node.id == member.node);
        let strangers = hosts.iter().filter(|host| host.member().is_some_and(|member| !is_known(member)));
        obstacles.extend(strangers.map(|host| Obstacle::OtherSwarm(host.name.clone())));
    }
    if !has_manager {
        obstacles.push(Obstacle::NoManager);
    }
    obstacles
}
