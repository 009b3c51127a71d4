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
        let labels = host.wanted.node_labels(&host.name);
        match (&host.now, node) {
            (Membership::Member(_), Some(node)) => {
                match (node.role, wanted) {
                    (SwarmRole::Worker, SwarmRole::Manager) => actions.push((n, SwarmAction::Promote)),
                    (SwarmRole::Manager, SwarmRole::Worker) => actions.push((n, SwarmAction::Demote)),
                    _ => {}
                }
                if !host.wanted.missing_labels(&host.name, &node.labels).is_empty() {
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
        // A swarm in which no manager of the file takes part is not this fleet's.
        let mut managers = hosts.iter().filter(|host| host.wanted.role == SwarmRole::Manager);
        let is_own = exists && managers.any(|host| host.member().is_some());
        let is_known = |member: &Member| is_own && nodes.iter().any(|node| node.id == member.node);
        let strangers = hosts.iter().filter(|host| host.member().is_some_and(|member| !is_known(member)));
        obstacles.extend(strangers.map(|host| Obstacle::OtherSwarm(host.name.clone())));
    }
    if !has_manager {
        obstacles.push(Obstacle::NoManager);
    }
    obstacles
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGER: SwarmRole = SwarmRole::Manager;
    const WORKER: SwarmRole = SwarmRole::Worker;

    fn name(name: &str) -> MachineName {
        MachineName::parse(name).unwrap()
    }

    fn host(machine: &str, role: SwarmRole, now: Membership) -> SwarmHost {
        let wanted = SwarmPart { role, labels: BTreeMap::new(), advertise: None };
        SwarmHost { name: name(machine), wanted, now }
    }

    fn member(node: &str, swarm: Option<&str>) -> Membership {
        let role = if swarm.is_some() { MANAGER } else { WORKER };
        let managers = vec!["203.0.113.1:2377".to_owned()];
        Membership::Member(Member { node: node.into(), role, swarm: swarm.map(str::to_owned), managers })
    }

    fn node(id: &str, machine: &str, role: SwarmRole) -> Node {
        Node::for_test(id, role, BTreeMap::from([(MACHINE_LABEL.to_owned(), machine.to_owned())]))
    }

    fn without_labels(formation: Formation) -> Vec<(usize, SwarmAction)> {
        formation.actions.into_iter().filter(|(_, action)| !matches!(action, SwarmAction::Label(_))).collect()
    }

    #[test]
    fn the_first_manager_makes_the_swarm_and_managers_join_before_workers() {
        let hosts = [
            host("w1", WORKER, Membership::None),
            host("m1", MANAGER, Membership::None),
            host("w2", WORKER, Membership::None),
            host("m2", MANAGER, Membership::None),
        ];
        let formation = formation(&hosts, &[]).unwrap();
        assert_eq!(formation.manager, 1);
        let labels = formation.actions.iter().filter(|(_, action)| matches!(action, SwarmAction::Label(_)));
        assert_eq!(labels.count(), 4);
        let join = SwarmAction::Join;
        let expected = [(1, SwarmAction::Init), (3, join(MANAGER)), (0, join(WORKER)), (2, join(WORKER))];
        assert_eq!(without_labels(formation), expected);
    }

    #[test]
    fn a_swarm_that_is_as_the_file_says_stays() {
        let hosts = [host("m1", MANAGER, member("a", Some("s"))), host("w1", WORKER, member("b", None))];
        let nodes = [node("a", "m1", MANAGER), node("b", "w1", WORKER)];
        assert_eq!(formation(&hosts, &nodes), Ok(Formation { manager: 0, actions: Vec::new() }));
        // A host that was made again has no node, and its former one stays.
        let hosts = [hosts[0].clone(), host("w1", WORKER, Membership::None)];
        assert_eq!(without_labels(formation(&hosts, &nodes).unwrap()), [(1, SwarmAction::Join(WORKER))]);
    }

    #[test]
    fn new_managers_come_before_former_ones_go() {
        let hosts = [host("w1", WORKER, member("a", Some("s"))), host("m1", MANAGER, member("b", None))];
        let nodes = [node("a", "w1", MANAGER), node("b", "m1", WORKER)];
        let formation = formation(&hosts, &nodes).unwrap();
        assert_eq!(formation.actions, [(1, SwarmAction::Promote), (0, SwarmAction::Demote)]);
        assert_eq!(formation.manager, 0);
    }

    #[test]
    fn labels_of_the_file_are_added_and_others_stay() {
        let mut hosts = [host("m1", MANAGER, member("a", Some("s")))];
        let mut nodes = [node("a", "m1", MANAGER)];
        nodes[0].labels.insert("own".into(), "1".into());
        assert_eq!(formation(&hosts, &nodes).unwrap().actions, []);
        hosts[0].wanted.labels.insert("zone".into(), "b".into());
        let labels = [(MACHINE_LABEL, "m1"), ("zone", "b")].map(|(key, value)| (key.into(), value.into()));
        assert_eq!(formation(&hosts, &nodes).unwrap().actions, [(0, SwarmAction::Label(labels.into()))]);
    }

    #[test]
    fn all_obstacles_are_found() {
        let unfit = Membership::Unfit { state: Unfit::Locked, error: "locked".into() };
        let hosts = [
            host("w1", WORKER, member("a", Some("s"))),
            host("w2", WORKER, member("b", Some("t"))),
            host("w3", WORKER, unfit),
            host("w4", WORKER, Membership::LiveRestore),
        ];
        let expected = vec![
            Obstacle::Unfit(name("w3"), Unfit::Locked, "locked".into()),
            Obstacle::LiveRestore(name("w4")),
            Obstacle::SeveralSwarms(vec![name("w1"), name("w2")]),
            Obstacle::NoManager,
        ];
        assert_eq!(formation(&hosts, &[]), Err(expected));
        let hosts = [host("m1", MANAGER, Membership::None), host("w1", WORKER, member("c", None))];
        assert_eq!(formation(&hosts, &[]), Err(vec![Obstacle::OtherSwarm(name("w1"))]));
        // The swarm of a worker is not this fleet's, although its manager answers.
        let hosts = [host("m1", MANAGER, Membership::None), host("w1", WORKER, member("c", Some("s")))];
        let nodes = [node("c", "w1", MANAGER)];
        assert_eq!(formation(&hosts, &nodes), Err(vec![Obstacle::OtherSwarm(name("w1"))]));
    }

    #[test]
    fn nodes_of_no_machine_are_found() {
        let hosts = [host("m1", MANAGER, member("a", Some("s")))];
        let nodes = [node("a", "m1", MANAGER), node("b", "m1", WORKER), node("c", "x", WORKER)];
        let ids: Vec<_> = unlisted(&hosts, &nodes).iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids, ["b", "c"]);
    }
}
