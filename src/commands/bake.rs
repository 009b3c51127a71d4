//! `bake`: the script that puts Docker into an image which is no machine yet.

use std::path::Path;

use anyhow::Result;

use crate::plan::HostPlan;
use crate::render;
use crate::spec::Spec;
use crate::store;
use crate::ui::Ui;

/// Prints the bake, or writes it to `output`. It holds no identity, and so no secret.
pub fn bake(ui: Ui, spec: Spec, output: Option<&Path>) -> Result<()> {
    let plan = HostPlan::from_spec(&spec)?;
    let left_out = spec.identity_fields();
    if !left_out.is_empty() {
        ui.note(format_args!("an image has no identity, left out: {}", left_out.join(", ")));
    }
    let bake = render::render_image(&plan)?;
    match output.filter(|path| *path != Path::new("-")) {
        Some(path) => store::put_artifact(path, &bake),
        None => ui.out(&*bake.bytes),
    }
}
