//! From a plan and what a host may know of its identity to the text that the host boots from. Pure: the same
//! machine gives the same bytes, so nothing here holds a time, a random value or a map in hash order.

mod environment;
mod form;
mod host;
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

pub use environment::{Connection, Shell};
pub use form::{Form, Format};
pub use nocloud::Medium;
pub use packing::Packing;
pub use rendered::Rendered;

pub use crate::userdata::ignition::Merged;
pub use crate::userdata::mime::Part;

use crate::artifact::Artifact;
use crate::pki::HostIdentity;
use crate::plan::{Field, HostPlan, Plan};
use crate::templates;
use crate::userdata::payload::PayloadEncoding;
use host::Host;

/// What a machine boots from, or what puts it into an image. It holds the server's key.
pub fn render_seed(plan: &Plan, identity: &HostIdentity, form: &Form, packing: Packing) -> Result<Rendered> {
    form::render(&Host::machine(plan, identity), form, packing)
}

/// A machine's cloud-config, as it is: what the store keeps.
pub fn render_user_data(plan: &Plan, identity: &HostIdentity) -> Result<Artifact> {
    seed::cloud_config(&Host::machine(plan, identity), PayloadEncoding::GzipBase64)
}

/// What prepares an image which is no machine yet: as a script, or for a builder of images. It holds no secret.
pub fn render_image(plan: &HostPlan, form: &Form) -> Result<Rendered> {
    form::render(&Host::image(plan), form, Packing::default())
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
