//! Docker Swarm on a host, through the Engine API: whether the host is a member, a new swarm, joining one, and its nodes.
//!
//! The tokens that let a host join stay in memory that is wiped, and reach no log and no error.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use ureq::http::Method;

use super::engine::{Call, Engine};
use super::{Fault, Said};
use crate::secret::Secret;

/// The port on which managers listen for other nodes (Docker, "Swarm mode", "Open protocols and ports between the hosts").
pub const PORT: u16 = 2377;

/// Bytes that a request with a token can have, so that its memory never moves and leaves no copy.
const REQUEST: usize = 8 << 10;

/// The role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Manager,
    Worker,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Worker => "worker",
        }
    }
}

/// A host's part in a swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    None,
    /// The host is no member, and cannot become one: Docker keeps containers running while it restarts (`live-restore`), which a swarm
    /// does not support (Docker, "Live restore").
    LiveRestore,
    Member(Member),
    /// The host is a member, and does not take part: it is still joining, or its swarm is locked, or it has an error, which is Docker's text.
    Unfit {
        state: Unfit,
        error: String,
    },
}

/// Why a member does not take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    Joining,
    Locked,
    Failed,
}

/// A host that takes part in a swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The node's identifier.
    pub node: String,
    pub role: Role,
    /// The swarm's identifier, which only managers know.
    pub swarm: Option<String>,
    /// The managers that the host knows, as `ADDRESS:PORT`.
    pub managers: Vec<String>,
}

/// The secrets that let a host join.
#[derive(Debug)]
pub struct Tokens {
    pub manager: Secret,
    pub worker: Secret,
}

/// A node, as a manager knows it.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: String,
    /// The host's own name.
    pub host: String,
    pub role: Role,
    pub labels: BTreeMap<String, String>,
    /// `ready`, `down`, `unknown` or `disconnected`, as Docker says it.
    pub state: String,
    /// `active`, `pause` or `drain`.
    pub availability: String,
    /// Of a manager: whether it leads the others.
    pub is_leader: bool,
    /// Of a manager: `reachable`, `unreachable` or `unknown`. None of a worker.
    pub reachability: Option<String>,
    /// Docker's version.
    pub version: String,
    /// The number of the node's last change. An update of another one is refused.
    index: u64,
    /// All that an update sends, with fields that are not known here.
    spec: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    swarm: Option<SwarmInfo>,
    #[serde(default)]
    live_restore_enabled: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SwarmInfo {
    #[serde(rename = "NodeID")]
    node_id: String,
    local_node_state: String,
    control_available: bool,
    error: String,
    remote_managers: Option<Vec<RemoteManager>>,
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RemoteManager {
    addr: String,
}

#[derive(Deserialize)]
struct Cluster {
    #[serde(rename = "ID")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Swarm {
    join_tokens: JoinTokens,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JoinTokens {
    #[serde(deserialize_with = "secret")]
    manager: Secret,
    #[serde(deserialize_with = "secret")]
    worker: Secret,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// The body of a request to join.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Join<'a> {
    listen_addr: String,
    advertise_addr: &'a str,
    remote_addrs: &'a [String],
    join_token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NodeJson {
    #[serde(rename = "ID")]
    id: String,
    version: NodeVersion,
    spec: Value,
    description: Option<Description>,
    status: NodeStatus,
    manager_status: Option<ManagerStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NodeVersion {
    index: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    hostname: Option<String>,
    engine: Option<EngineDescription>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EngineDescription {
    engine_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NodeStatus {
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ManagerStatus {
    #[serde(default)]
    leader: bool,
    reachability: Option<String>,
}

impl Engine {
    /// The host's part in a swarm. `api` is the version of the API, from [`check`](Self::check), as below.
    ///
    /// # Errors
    /// Fails with the host's fault, as do all of these.
    pub fn membership(&self, api: &str, deadline: Instant) -> Result<Membership, Fault> {
        let info: Info = self.read(api, "/info", deadline)?;
        let swarm = info.swarm.unwrap_or_default();
        let unfit = |state| Membership::Unfit { state, error: swarm.error.clone() };
        Ok(match swarm.local_node_state.as_str() {
            "" | "inactive" if info.live_restore_enabled => Membership::LiveRestore,
            "" | "inactive" => Membership::None,
            "pending" => unfit(Unfit::Joining),
            "locked" => unfit(Unfit::Locked),
            "active" => Membership::Member(Member {
                node: swarm.node_id,
                role: if swarm.control_available { Role::Manager } else { Role::Worker },
                swarm: swarm.cluster.map(|cluster| cluster.id).filter(|id| !id.is_empty()),
                managers: swarm.remote_managers.into_iter().flatten().map(|one| one.addr).collect(),
            }),
            _ => unfit(Unfit::Failed),
        })
    }

    /// Makes a swarm with the host as its only node, a manager. `advertise` is the address at which other nodes reach it, or the name of
    /// the network interface with that address. Without one Docker chooses, and refuses if it has a choice.
    pub fn init_swarm(&self, api: &str, advertise: Option<&str>, deadline: Instant) -> Result<(), Fault> {
        let body = json!({
            "ListenAddr": listen(),
            "AdvertiseAddr": advertise.unwrap_or_default(),
            "ForceNewCluster": false,
            "Spec": {},
        });
        self.post(api, "/swarm/init", body.to_string().as_bytes(), deadline)
    }

    /// The tokens of the swarm, of which the host is a manager.
    pub fn join_tokens(&self, api: &str, deadline: Instant) -> Result<Tokens, Fault> {
        let swarm: Swarm = self.read(api, "/swarm", deadline)?;
        let JoinTokens { manager, worker } = swarm.join_tokens;
        Ok(Tokens { manager, worker })
    }

    /// Lets the host join the swarm with these managers, in the role of the token.
    pub fn join_swarm(
        &self,
        api: &str,
        token: &Secret,
        managers: &[String],
        advertise: Option<&str>,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let join = Join {
            listen_addr: listen(),
            advertise_addr: advertise.unwrap_or_default(),
            remote_addrs: managers,
            join_token: token.expose(),
        };
        let mut body = Secret::new(Vec::with_capacity(REQUEST));
        serde_json::to_writer(body.expose_mut(), &join).map_err(|_| Fault::NotDocker)?;
        self.post(api, "/swarm/join", &body, deadline).map_err(|fault| match fault {
            Fault::Daemon { status, said: Said::Message(text) } if text.contains(token.expose()) => {
                Fault::Daemon { status, said: Said::Nothing }
            }
            fault => fault,
        })
    }

    /// The nodes of the swarm, of which the host is a manager.
    pub fn nodes(&self, api: &str, deadline: Instant) -> Result<Vec<Node>, Fault> {
        let nodes: Vec<NodeJson> = self.read(api, "/nodes", deadline)?;
        nodes.into_iter().map(Node::of).collect()
    }

    /// Gives a node another role and other labels. Returns false if it was changed since it was read: then read it again.
    pub fn update_node(
        &self,
        api: &str,
        node: &Node,
        role: Role,
        labels: &BTreeMap<String, String>,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        let mut spec = node.spec.clone();
        let fields = spec.as_object_mut().ok_or(Fault::NotDocker)?;
        fields.insert("Role".into(), role.name().into());
        fields.insert("Labels".into(), json!(labels));
        let path = format!("/nodes/{}/update?version={}", node.id, node.index);
        match self.post(api, &path, spec.to_string().as_bytes(), deadline) {
            Ok(()) => Ok(true),
            // The version was not the newest (swarmkit: update out of sequence). Docker has no status of its own for that.
            Err(Fault::Daemon { status: 500, said: Said::Message(_) })
                if self
                    .nodes(api, deadline)?
                    .iter()
                    .any(|now| now.id == node.id && now.index != node.index) =>
            {
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    fn read<T: DeserializeOwned>(&self, api: &str, path: &str, deadline: Instant) -> Result<T, Fault> {
        let call = Call { method: Method::GET, path: path.to_owned(), body: None };
        let body = Secret::new(self.send(api, &call, deadline)?.body);
        serde_json::from_slice(body.expose()).map_err(|_| Fault::NotDocker)
    }

    fn post(&self, api: &str, path: &str, body: &[u8], deadline: Instant) -> Result<(), Fault> {
        let body = Some(("application/json", body));
        let call = Call { method: Method::POST, path: path.to_owned(), body };
        self.send(api, &call, deadline).map(drop)
    }
}

impl Node {
    /// A node that is up, for tests.
    #[cfg(test)]
    pub fn for_test(id: &str, role: Role, labels: BTreeMap<String, String>) -> Self {
        let spec = json!({ "Role": role.name(), "Labels": labels, "Availability": "active" });
        let version = NodeVersion { index: 1 };
        let status = NodeStatus { state: Some("ready".to_owned()) };
        let json =
            NodeJson { id: id.to_owned(), version, spec, description: None, status, manager_status: None };
        Self::of(json).expect("a role is given")
    }

    /// Returns whether the other managers reach the node as a manager.
    pub fn is_reachable_manager(&self) -> bool {
        self.reachability.as_deref() == Some("reachable")
    }

    fn of(json: NodeJson) -> Result<Self, Fault> {
        let text = |name: &str| json.spec.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let labels = json.spec.get("Labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let role = match text("Role").as_str() {
            "manager" => Role::Manager,
            "worker" => Role::Worker,
            _ => return Err(Fault::NotDocker),
        };
        let description = json.description;
        let (host, engine) = description.map(|one| (one.hostname, one.engine)).unwrap_or_default();
        let is_leader = json.manager_status.as_ref().is_some_and(|status| status.leader);
        let reachability =
            json.manager_status.map(|status| status.reachability.unwrap_or_else(|| "unknown".into()));
        Ok(Self {
            host: host.unwrap_or_default(),
            role,
            labels: labels.collect(),
            state: json.status.state.unwrap_or_default(),
            availability: text("Availability"),
            is_leader,
            reachability,
            version: engine.and_then(|engine| engine.engine_version).unwrap_or_default(),
            index: json.version.index,
            id: json.id,
            spec: json.spec,
        })
    }
}

/// The address on which a manager listens: each of the host's own.
fn listen() -> String {
    format!("0.0.0.0:{PORT}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_in_no_debug_output() {
        let answer = r#"{"JoinTokens": {"Worker": "SWMTKN-1-w", "Manager": "SWMTKN-1-m"}, "ID": "x"}"#;
        let swarm: Swarm = serde_json::from_str(answer).unwrap();
        let tokens = Tokens { manager: swarm.join_tokens.manager, worker: swarm.join_tokens.worker };
        assert_eq!((tokens.manager.expose(), tokens.worker.expose()), ("SWMTKN-1-m", "SWMTKN-1-w"));
        assert!(!format!("{tokens:?}").contains("SWMTKN"));
    }

    #[test]
    fn an_update_keeps_what_is_not_known_here() {
        let json = r#"{"ID": "a", "Version": {"Index": 9}, "Spec": {"Role": "worker", "Availability": "drain", "Labels": null, "New": 1}, "Status": {"State": "down"}}"#;
        let node = Node::of(serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(
            (node.role, node.state.as_str(), node.availability.as_str()),
            (Role::Worker, "down", "drain")
        );
        assert_eq!((node.index, &node.spec["New"]), (9, &json!(1)));
        assert!(node.labels.is_empty() && node.reachability.is_none());
    }
}
