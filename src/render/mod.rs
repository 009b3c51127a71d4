//! Renders a plan and the host's identity to the text that the host boots from. Pure: the same machine always gives the same
//! bytes. So nothing here uses the time, a random value, or a map with hash order.

mod context;
mod environment;
mod form;
mod host;
mod host_set;
mod ignition;
mod imagebuilder;
mod issue;
mod mime;
mod nocloud;
mod packer;
mod packing;
mod rendered;
mod seed;
mod terraform;

use anyhow::Result;

pub use context::{Context, META, Metadata, TLS};
pub use environment::Connection;
pub use form::{Form, Format};
pub use host_set::{HostSet, NewFiles, WITHDRAWN, host_files, host_set, host_units};
pub use nocloud::Medium;
pub use packing::Packing;
pub use rendered::Rendered;

pub use crate::shell::Shell;
pub use crate::userdata::ignition::Merged;
pub use crate::userdata::mime::Part;

use crate::artifact::Artifact;
use crate::pki::HostIdentity;
use crate::plan::{Field, HostPlan, Plan};
use crate::templates;
use crate::userdata::payload::PayloadEncoding;
use host::Host;

/// Renders the seed that a machine boots from, or the script that puts it into an image. The result contains the private key of
/// the server or boot issuer.
pub fn render_seed(plan: &Plan, identity: &HostIdentity, form: &Form, packing: Packing) -> Result<Rendered> {
    form::render(&Host::machine(plan, identity), form, packing)
}

/// Renders a machine's cloud-config without compression of the whole, as the store keeps it.
pub fn render_user_data(plan: &Plan, identity: &HostIdentity) -> Result<Artifact> {
    seed::cloud_config(&Host::machine(plan, identity), PayloadEncoding::GzipBase64)
}

/// Renders a script or builder input that prepares an image without an identity. The result contains no secret.
pub fn render_image(plan: &HostPlan, form: &Form) -> Result<Rendered> {
    form::render(&Host::image(plan), form, Packing::default())
}

/// Renders the plan as the store keeps it: a spec that gives the same plan again.
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
