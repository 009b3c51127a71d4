//! User-data as a cloud takes it: its encoding, its first line, and its limit, looked at before the user finds it.

use anyhow::Result;

use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::pki::HostIdentity;
use crate::plan::{Cloud, Install, KeyType, Plan, Way};
use crate::render::{self, Form, Format, Packing, Rendered};
use crate::userdata::open;

/// How a user asks for what makes user-data smaller.
pub struct Words {
    pub gzip: String,
    pub small_key: &'static str,
    pub image: &'static str,
}

/// How `cloud` takes what is packed as asked; the plainest way where nothing is.
///
/// Refuses what does not arrive there.
pub fn way(cloud: &'static Cloud, format: Format, packing: Packing) -> Result<&'static Way, Diagnostic> {
    let (name, title) = (cloud.name, cloud.title);
    if !format.is_user_data() {
        return Err(Diagnostic::error(
            Code::NotUserData,
            format!("`--for {name}` has no effect with the form `{}`, which is no user-data", format.name()),
        ));
    }
    if packing.gzip && format == Format::Ignition {
        return Err(Diagnostic::error(
            Code::EncodingNotSupported,
            "compressed user-data does not arrive: Ignition is not known to unpack its config",
        ));
    }
    if packing.base64 && !cloud.takes_base64() {
        return Err(Diagnostic::error(
            Code::EncodingNotSupported,
            format!("base64 does not arrive as what it stands for: {title} takes plain text alone"),
        ));
    }
    cloud.way(packing.gzip).ok_or_else(|| {
        Diagnostic::error(
            Code::EncodingNotSupported,
            format!("compressed user-data does not arrive: {title} is not known to take it"),
        )
    })
}

/// Renders a form, compressed where `way` is, and looks whether it fits, handed over in base64 or not. In base64 it is
/// put by the caller.
///
/// Fails where it is more than `cloud` takes, with what would bring it below; `words` are how to ask for that.
pub fn render_for(
    cloud: &Cloud,
    way: &Way,
    (plan, identity): (&Plan, &HostIdentity),
    form: &Form,
    base64: bool,
    words: &Words,
) -> Result<Artifact> {
    let seed = rendered(plan, identity, form, way.gzip)?;
    if !open::has_beginning(&seed.bytes) {
        return Err(Diagnostic::error(
            Code::UserDataBeginning,
            "user-data begins with nothing that a host boots from; nothing was written",
        )
        .into());
    }
    if cloud.fits(seed.bytes.len(), base64) {
        return Ok(seed);
    }
    let raw = seed.bytes.len();
    let in_base64 = if cloud.measured(raw, base64) == raw { "" } else { " in base64" };
    let failure = Diagnostic::error(
        Code::UserDataTooLarge,
        format!(
            "user-data is {} bytes{in_base64}, {} takes {}; nothing was written",
            cloud.measured(raw, base64),
            cloud.name,
            cloud.limit().unwrap_or_default()
        ),
    );
    let helps = helps(cloud, way, (plan, identity), form, words);
    Err(if helps.is_empty() { failure } else { failure.hint(helps.join(", or ")) }.into())
}

/// Renders user-data, compressed or not.
pub fn rendered(plan: &Plan, identity: &HostIdentity, form: &Form, gzip: bool) -> Result<Artifact> {
    match render::render_seed(plan, identity, form, Packing { gzip, base64: false })? {
        Rendered::File(seed) => Ok(seed),
        Rendered::Folder(_) => anyhow::bail!("user-data is one file"),
    }
}

/// What brings it below, with the size that it brings it to where that is known.
fn helps(
    cloud: &Cloud,
    way: &Way,
    (plan, identity): (&Plan, &HostIdentity),
    form: &Form,
    words: &Words,
) -> Vec<String> {
    let would_be = |plan: &Plan, gzip: bool| {
        let way = cloud.way(gzip)?;
        let raw = rendered(plan, identity, form, gzip).ok()?.bytes.len();
        cloud.fits(raw, way.base64).then(|| cloud.measured(raw, way.base64))
    };
    let mut helps = Vec::new();
    if !way.gzip && !matches!(form, Form::Ignition(_)) {
        let size = would_be(plan, true);
        helps.extend(size.map(|size| format!("{} brings it to {size}", words.gzip)));
    }
    if matches!(plan.key, KeyType::Rsa2048 | KeyType::Rsa4096) {
        helps.push(format!("{} makes smaller certificates", words.small_key));
    }
    if plan.host.docker.install != Install::None {
        let on_an_image = would_be(&plan.on_a_finished_image(), way.gzip);
        helps.extend(
            on_an_image
                .map(|size| format!("an image by `hostseed bake` and {} bring it to {size}", words.image)),
        );
    }
    helps
}
