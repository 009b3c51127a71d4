//! The Engine API of a host, over TLS with the machine's certificates, and why a host does not answer.
//!
//! Every wait has a limit, and so has every answer. Connections are direct: proxies of the environment are for the web, and the docker
//! CLI's own requests to a `tcp://` host need `NO_PROXY` for the same reason.

mod apply;
mod connection;
mod engine;
mod fault;
mod known;
mod mailbox;
mod swarm;
mod tls;
mod units;

pub use apply::{Change, Failure, Outcome, Step, Watch, apply, earlier};
pub use engine::{Answer, Engine, Target};
pub use fault::{Fault, Said, Which};
pub use known::{Known, Unknown};
pub use mailbox::Holder;
pub use swarm::{Member, Membership, Node, PORT as SWARM_PORT, Role as SwarmRole, Tokens, Unfit};
