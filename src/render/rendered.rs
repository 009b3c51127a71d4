//! The result of rendering.

use crate::artifact::Artifact;

/// The file or files of a format.
#[derive(Debug)]
pub enum Rendered {
    File(Artifact),
    /// Files with paths relative to their folder.
    Folder(Vec<Artifact>),
}
