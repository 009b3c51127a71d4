//! From a plan and what a host may know of its identity to the text that the host boots from. Pure: the same
//! machine gives the same bytes, so nothing here holds a time, a random value or a map in hash order.

mod environment;
mod host;
mod issue;
mod payload;
mod quote;
mod seed;
mod templates;

use anyhow::Result;

pub use environment::{Connection, Shell};
pub use quote::shell_word;

use crate::artifact::Artifact;
use crate::pki::HostIdentity;
use crate::plan::{Field, HostPlan, Plan};

/// A form that a seed takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    CloudConfig,
    Script,
    Bake,
}

impl Format {
    /// As written after `--format`.
    pub const ALL: [(&str, Self); 3] =
        [("cloud-config", Self::CloudConfig), ("script", Self::Script), ("bake", Self::Bake)];

    /// The form of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// What the artifact is called when it gets a file.
    fn file_name(self) -> &'static str {
        match self {
            Self::CloudConfig => "user-data",
            Self::Script => "user-data.sh",
            Self::Bake => "bake.sh",
        }
    }
}

/// What a machine boots from, or, as [`Format::Bake`], what puts it into an image. It holds the server's key.
pub fn render_seed(plan: &Plan, identity: &HostIdentity, format: Format) -> Result<Artifact> {
    seed::render(&host::Host::machine(plan, identity), format)
}

/// The script that prepares an image which is no machine yet. It holds no secret.
pub fn render_image(plan: &HostPlan) -> Result<Artifact> {
    seed::render(&host::Host::image(plan), Format::Bake)
}

/// The plan as the store keeps it: a spec that gives the same plan again.
pub fn render_machine_yaml(plan: &Plan) -> Result<Artifact> {
    let fields: Vec<_> = plan
        .fields()
        .into_iter()
        .map(|field| match field {
            Field::One(name, value) => minijinja::context! { name, value, values => () },
            Field::Many(name, values) => minijinja::context! { name, values },
        })
        .collect();
    let text = templates::render("store/machine.yaml", minijinja::context! { fields })?;
    Ok(Artifact::private("machine.yaml", text))
}
