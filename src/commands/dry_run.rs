//! `create --dry-run`: what `create` would make.

use anyhow::Result;

use super::inspect::option_lines;
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
    if plan.ca == AuthoritySource::Own {
        folders.push(store.authority_dir(&plan.name).display().to_string());
    }
    let user_data = render::render_user_data(plan, &identity.for_host())?;
    let details = view.details.as_ref();
    ui.details(&[
        ("name", vec![view.name.clone()]),
        ("docker host", view.docker_host.iter().cloned().collect()),
        ("covers", details.map(|details| details.sans.clone()).unwrap_or_default()),
        ("CA", vec![format!("{}, {}", plan.ca.name(), until(&identity.authority))]),
        (host, vec![until(&identity.host)]),
        ("client", vec![until(&identity.client)]),
        ("folders", folders),
        ("user-data", vec![format!("{} bytes", user_data.bytes.len())]),
        ("options", details.map(|details| option_lines(&details.options)).unwrap_or_default()),
    ])
}
