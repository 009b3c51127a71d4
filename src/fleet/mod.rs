//! Many machines at once: the check of a fleet file, its comparison with the store, and the changes in batches, each of which is complete or
//! has no effect. Also what one machine needs whose plan changes.

mod batches;
mod change;
mod check;
mod comparison;
mod difference;
mod swarm;
mod swarm_part;

pub use batches::{BATCH, Work};
pub use change::{Certificates, needs_vm, replacement};
pub use check::{ClientUse, Fleet};
pub use comparison::{Actions, CLIENT, USER_DATA, Update, compare};
pub use difference::{CONFIDENTIAL, Difference, differences, is_same, listed, shown, values};
pub use swarm::{Formation, Obstacle, SwarmAction, SwarmHost, formation, is_node_of, manager, unlisted};
pub use swarm_part::SwarmPart;
