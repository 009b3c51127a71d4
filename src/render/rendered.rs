//! The result of rendering.

use crate::artifact::Artifact;

/// The file or files of a format.
#[derive(Debug)]
pub enum Rendered {
    File(Artifact),
    /// Files with paths relative to their folder.
    Folder(Vec<Artifact>),
}

impl Rendered {
    /// A folder with these files, and with a `.gitignore` if some of them can contain a private key.
    pub fn folder(mut files: Vec<Artifact>) -> Self {
        let secret: Vec<_> = files.iter().filter(|file| file.mode == 0o600).collect();
        if !secret.is_empty() {
            let lines: String = secret.iter().map(|file| format!("/{}\n", file.path)).collect();
            files.push(Artifact::public(
                ".gitignore",
                format!("# Secret: do not commit these files.\n{lines}"),
            ));
        }
        Self::Folder(files)
    }
}
