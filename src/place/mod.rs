//! Where a seed goes: the way in which a cloud takes it, whether it fits, what would help where it does not, and what is to be
//! done there, in the cloud's own words.

mod choose;
mod fit;
mod steps;
mod texts;

pub use choose::{Place, require};
pub use fit::{Words, render_for, rendered, way};
pub use steps::steps;
pub use texts::Texts;
