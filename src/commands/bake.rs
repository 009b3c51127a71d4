//! `bake`: the script that installs Docker into an image, without the certificates of a machine.

use std::path::Path;

use anyhow::Result;
use time::OffsetDateTime;

use super::render::needs_folder;
use super::{ending, note_install_url, note_passwords};
use crate::diag::Report;
use crate::plan::HostPlan;
use crate::render::{self, Form, Format, Packing, Rendered};
use crate::spec::Spec;
use crate::store::{self, Owner, Replace};
use crate::ui::Ui;

/// Prints the bake script, or writes it to `out`. It contains no secret.
pub fn bake(
    ui: Ui,
    now: OffsetDateTime,
    spec: Spec,
    format: Format,
    out: Option<&Path>,
    replace: Replace,
) -> Result<()> {
    let out = out.filter(|path| *path != Path::new("-"));
    if format.is_folder() && out.is_none() {
        return Err(Report::from(needs_folder(format)).into());
    }
    out.map_or(Ok(()), |path| ending::check(path, format, Packing::default(), None)).map_err(Report::from)?;
    let plan = HostPlan::from_spec(&spec)?;
    let left_out = spec.identity_fields();
    if !left_out.is_empty() {
        ui.note(format_args!(
            "an image has no certificates, so these fields are ignored: {}",
            left_out.join(", ")
        ));
    }
    note_install_url(ui, &spec, &plan.docker);
    note_passwords(ui, &spec);
    let form = match format {
        Format::Packer => Form::Packer,
        Format::ImageBuilder => Form::ImageBuilder,
        _ => Form::Bake,
    };
    match (render::render_image(&plan, &form)?, out) {
        (Rendered::File(bake), Some(path)) => store::put_artifact(path, &bake, replace, now),
        (Rendered::File(bake), None) => ui.out(&*bake.bytes),
        (Rendered::Folder(files), dir) => {
            store::put_folder(dir.expect("a folder has a name"), files, &Owner::image(), replace, now)
        }
    }
}
