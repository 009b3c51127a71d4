//! How a machine's user-data gets to a cloud: its encoding, whether it fits, which options make it smaller, and the next steps, in the
//! cloud's own terms.

mod advice;
mod choice;
mod steps;
mod texts;
mod user_data;

pub use advice::SizeHints;
pub use choice::{Choice, require};
pub use steps::steps;
pub use texts::Texts;
pub use user_data::{check, delivery, render_for, rendered};
