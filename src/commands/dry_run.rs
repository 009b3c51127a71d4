//! `create --dry-run`: what `create` would make.

use anyhow::Result;

use super::inspect::{FOUND_AT_BOOT, option_lines};
use super::machine_view::MachineView;
use crate::pki::{Identity, Pair};
use crate::plan::{AuthoritySource, HostRole, Plan};
use crate::render;
use crate::store::Store;
use crate::ui::Ui;

/// Prints a machine that was not created: its addresses, until when its certificates would be valid, its folders, the size of its
/// user-data, and its options with their defaults.
pub fn print(store: &Store, ui: Ui, plan: &Plan, identity: &Identity, view: &MachineView) -> Result<()> {
    let until = |pair: &Pair| format!("until {}", pair.certificate.validity().not_after.date());
    let host = match plan.host_role() {
        HostRole::Server => "server",
        HostRole::BootIssuer => "boot issuer",
    };
    let mut folders = vec![store.machine_path(&plan.name)?];
    match plan.ca {
        AuthoritySource::Own => folders.push(store.authority_dir(&plan.name).display().to_string()),
        AuthoritySource::Shared => folders.extend(store.missing_shared_authority()),
        AuthoritySource::Dir(_) => {}
    }
    let user_data = match &view.delivery {
        Some(delivery) => delivery.in_words(),
        // The next certificates can be a few bytes longer or shorter.
        None => format!("about {} bytes", render::render_user_data(plan, &identity.for_host())?.bytes.len()),
    };
    let details = view.details.as_ref();
    let mut covers = details.map(|details| details.sans.clone()).unwrap_or_default();
    covers.extend((plan.host_role() == HostRole::BootIssuer).then(|| FOUND_AT_BOOT.to_owned()));
    ui.details(&[
        ("name", vec![view.name.clone()]),
        ("docker host", view.docker_host.iter().cloned().collect()),
        ("covers", covers),
        ("CA", vec![format!("{}, {}", plan.ca.name(), until(&identity.authority))]),
        (host, vec![until(&identity.host)]),
        ("client", vec![until(&identity.client)]),
        ("folders", folders),
        ("user-data", vec![user_data]),
        ("options", details.map(|details| option_lines(&details.options)).unwrap_or_default()),
    ])
}
