//! `init`: writes an example of a fleet file or of a spec file, with comments.

use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use crate::artifact::Artifact;
use crate::store::{self, Replace, Store};
use crate::ui::Ui;

/// The file of which an example is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    Fleet,
    Spec,
}

impl Example {
    /// All examples by name.
    pub const ALL: [(&str, Self); 2] = [("fleet", Self::Fleet), ("spec", Self::Spec)];

    fn artifact(self) -> Artifact {
        match self {
            Self::Fleet => {
                Artifact::public("fleet.yaml", include_str!("../../templates/examples/fleet.yaml"))
            }
            Self::Spec => Artifact::public("web1.yaml", include_str!("../../templates/examples/web1.yaml")),
        }
    }
}

/// Writes an example to `out`, or to a file in the working folder (`-`: standard output), and prints what to do with it. Never replaces a file,
/// unless `replace` allows it.
pub fn init(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    example: Example,
    out: Option<PathBuf>,
    replace: Replace,
) -> Result<()> {
    let artifact = example.artifact();
    let path = out.unwrap_or_else(|| PathBuf::from(&artifact.path));
    if path == Path::new("-") {
        return ui.out(&artifact.bytes[..]);
    }
    store::put_artifact(&path, &artifact, replace, now)?;
    let file = path.display().to_string();
    let words: [&[&str]; 2] = match example {
        Example::Fleet => [&["apply", &file, "--dry-run"], &["apply", &file]],
        Example::Spec => [&["create", "-f", &file, "--dry-run"], &["create", "-f", &file]],
    };
    let [dry, real] = words.map(|words| format!("   {}", store.command(words)));
    let lines = [
        "1. Change the example, and look at what would be made:".to_owned(),
        dry,
        "2. Make it:".to_owned(),
        real,
    ];
    ui.steps(format_args!("the example is in {file}"), &lines);
    Ok(())
}
