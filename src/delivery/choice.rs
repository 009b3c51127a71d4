//! The encoding in which a new machine's user-data fits a cloud.

use anyhow::Result;
use time::OffsetDateTime;

use super::advice::{self, SizeHints, Subject};
use super::user_data;
use crate::clouds::{Cloud, Delivery, Limit};
use crate::diag::{Code, Diagnostic};
use crate::pki::{HostIdentity, Identity};
use crate::plan::Plan;
use crate::render::Form;
use crate::shell::Command;
use crate::spec::Spec;

/// A cloud, and one delivery of a machine's user-data to it.
pub struct Choice {
    pub cloud: &'static Cloud,
    pub delivery: &'static Delivery,
    /// Bytes charged against the cloud's limit.
    pub size: usize,
}

/// The simplest delivery in which a machine's user-data fits a cloud. `signer` is a new machine's identity and the time, to try which
/// options would make it smaller.
///
/// # Errors
/// The user-data fits in none: the sizes, and which options of the spec make it fit.
pub fn require(
    cloud: &'static Cloud,
    spec: &Spec,
    plan: &Plan,
    host: &HostIdentity,
    signer: Option<(&Identity, OffsetDateTime)>,
) -> Result<Choice> {
    let mut sizes = Vec::new();
    for delivery in cloud.deliveries {
        let raw = user_data::rendered(plan, host, &Form::CloudConfig, delivery.gzip)?.bytes.len();
        let size = cloud.charged(raw, delivery.base64);
        if cloud.fits(raw, delivery.base64) {
            return Ok(Choice { cloud, delivery, size });
        }
        sizes.push(advice::sized(size, delivery.gzip));
    }
    let counted = if matches!(cloud.limit, Limit::Base64(_)) { " in base64" } else { "" };
    let no_gzip = if cloud.delivery(true).is_some() { "" } else { " without gzip" };
    let message = format!(
        "user-data is {}{counted}, and the limit of {} is {}{no_gzip}; nothing was changed",
        sizes.join(", "),
        cloud.name,
        cloud.limit().unwrap_or_default()
    );
    let subject = Subject { plan, host, form: &Form::CloudConfig, deliveries: cloud.deliveries, signer };
    let advice = advice::advice(cloud, &subject, &SizeHints::of_spec(spec, plan))?;
    let error = Diagnostic::error(Code::UserDataTooLarge, message);
    Err(match advice.is_empty() {
        false => error.hint(advice.join("; or ")).into(),
        true => error
            .hint("no option of `create` brings it below the limit; create the machine without `--for`, and put it into an image, which needs no user-data:")
            .run(Command::own(["render", plan.name.as_str(), "--format", "bake"]))
            .into(),
    })
}
