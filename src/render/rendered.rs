//! What a form consists of.

use crate::artifact::Artifact;

/// What comes of a form.
#[derive(Debug)]
pub enum Rendered {
    File(Artifact),
    /// Files with paths relative to their folder.
    Folder(Vec<Artifact>),
}
