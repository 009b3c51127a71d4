//! The flags of the larger commands, and the request that they make.

mod create;
mod fleet;
mod render;
mod renew;
mod share;
mod swarm;

pub use create::{Bake, Create, Update};
pub use fleet::{Apply, Init};
pub use render::Render;
pub use renew::Renew;
pub use share::{Client, Context, Export, Import};
pub use swarm::{Swarm, SwarmRequest};

use crate::store::Replace;

/// The files that `--force` allows to replace.
fn replace(force: bool) -> Replace {
    if force { Replace::All } else { Replace::Unchanged }
}
