//! User-data as a cloud accepts it: its encoding and its limit, checked before the cloud does.

use anyhow::Result;

use super::advice::{self, SizeHints, Subject};
use crate::artifact::Artifact;
use crate::clouds::{Cloud, Delivery};
use crate::diag::{Code, Diagnostic};
use crate::pki::HostIdentity;
use crate::plan::Plan;
use crate::render::{self, Form, Format, Packing, Rendered};
use crate::userdata::open;

/// The delivery to `cloud` with the encoding that the user asked for; plain if they asked for none.
///
/// # Errors
/// The format is not user-data, or the cloud does not support the encoding.
pub fn delivery(
    cloud: &'static Cloud,
    format: Format,
    packing: Packing,
) -> Result<&'static Delivery, Diagnostic> {
    let (name, title) = (cloud.name, cloud.title);
    let not_supported = |message: String| Diagnostic::error(Code::EncodingNotSupported, message);
    if !format.is_user_data() {
        return Err(Diagnostic::error(
            Code::NotUserData,
            format!(
                "`--for {name}` has no effect with the format `{}`, which is not user-data",
                format.name()
            ),
        ));
    }
    if packing.gzip && format == Format::Ignition {
        return Err(not_supported("Ignition does not support a compressed config".into()));
    }
    if packing.base64 && !cloud.supports_base64() {
        return Err(not_supported(format!("{title} does not support user-data in base64")));
    }
    cloud
        .delivery(packing.gzip)
        .ok_or_else(|| not_supported(format!("{title} does not support compressed user-data")))
}

/// Renders a format for a cloud, compressed if `delivery` is. The caller encodes it in base64; `base64` says whether that counts.
///
/// # Errors
/// The user-data exceeds the cloud's limit: the size, and which options, spelled as in `hints`, make it fit.
pub fn render_for(
    cloud: &'static Cloud,
    delivery: &'static Delivery,
    (plan, host): (&Plan, &HostIdentity),
    form: &Form,
    base64: bool,
    hints: &SizeHints,
) -> Result<Artifact> {
    let seed = rendered(plan, host, form, delivery.gzip)?;
    check(&seed, cloud, delivery, (plan, host), form, base64, hints)?;
    Ok(seed)
}

/// Checks user-data that is rendered already, as [`render_for`] does.
pub fn check(
    seed: &Artifact,
    cloud: &'static Cloud,
    delivery: &'static Delivery,
    (plan, host): (&Plan, &HostIdentity),
    form: &Form,
    base64: bool,
    hints: &SizeHints,
) -> Result<()> {
    if !open::has_beginning(&seed.bytes) {
        return Err(Diagnostic::error(
            Code::UserDataBeginning,
            "the rendered user-data does not begin as a host expects; nothing was written",
        )
        .into());
    }
    let raw = seed.bytes.len();
    if cloud.fits(raw, base64) {
        return Ok(());
    }
    let charged = cloud.charged(raw, base64);
    let in_base64 = if charged == raw { "" } else { " in base64" };
    let message = format!(
        "user-data is {charged} bytes{in_base64}, and the limit of {} is {}; nothing was written",
        cloud.name,
        cloud.limit().unwrap_or_default()
    );
    let deliveries = std::slice::from_ref(delivery);
    let mut advice = advice::advice(cloud, &Subject { plan, host, form, deliveries, signer: None }, hints)?;
    // How small they get is not known here: only the CA's key could sign the certificates for a trial.
    if plan.key.is_rsa() {
        advice.push(format!("{} makes the certificates smaller", hints.small_key));
    }
    let error = Diagnostic::error(Code::UserDataTooLarge, message);
    Err(if advice.is_empty() { error } else { error.hint(advice.join("; or ")) }.into())
}

/// Renders user-data, compressed or not.
pub fn rendered(plan: &Plan, host: &HostIdentity, form: &Form, gzip: bool) -> Result<Artifact> {
    match render::render_seed(plan, host, form, Packing { gzip, base64: false })? {
        Rendered::File(seed) => Ok(seed),
        Rendered::Folder(_) => anyhow::bail!("user-data is one file"),
    }
}
