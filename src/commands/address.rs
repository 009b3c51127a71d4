//! `address`: records the address of a machine.

use anyhow::Result;

use super::{context, machine_name};
use crate::diag::{Code, Diagnostic, Report};
use crate::names::{Address, MachineName};
use crate::plan::HostRole;
use crate::shell::Command;
use crate::store::Store;
use crate::ui::Ui;

/// Records an address. Refuses one that the server certificate does not cover, unless forced.
pub fn address(store: &Store, ui: Ui, name: &str, address: &str, force: bool) -> Result<()> {
    let name = machine_name(name)?;
    let address = parse(address)?;
    store.record(&name)?;
    if !force {
        let force = store.command(["address", "--force", name.as_str(), &address.to_string()]);
        refuse_uncovered(store, &name, &address, "; nothing was changed", Some(force))?;
    }
    let connection = store.put_address(&name, &address)?;
    ui.note(format_args!("`{name}` is now at {}", connection.url));
    if context::exists(store, &name) {
        ui.note_with(
            format_args!("the docker context `{name}` has its own copy of the address; update it:"),
            &store.command(["context", name.as_str()]),
        );
    }
    if let Address::Dns(dialled) = &address
        && store.host_certificate(&name)?.0 == HostRole::BootIssuer
        && !store.plan(&name)?.sans().iter().any(|san| san.covers(&address))
    {
        ui.note(format_args!(
            "the host issues its own certificate, which covers `{dialled}` only if that is its host name; to cover it always, create the machine with `--tls-san {dialled}`"
        ));
    }
    Ok(())
}

/// Notes that a machine with the address `host` has no address of its own yet.
pub(super) fn note_missing(store: &Store, ui: Ui, name: &MachineName, host: &str) {
    if host == name.as_str()
        && store.host_certificate(name).is_ok_and(|(role, _)| role == HostRole::BootIssuer)
    {
        ui.note_with(
            format_args!("`{name}` has no address yet, so docker connects to that name; record the address:"),
            &store.command(["address", name.as_str(), "ADDRESS"]),
        );
    }
}

/// An address from the command line.
pub(super) fn parse(text: &str) -> Result<Address> {
    Address::parse(text).map_err(|problem| Report::from(problem.about("`ADDRESS`")).into())
}

/// Refuses an address that the server certificate does not cover; `force` records it anyway. Accepts any address for a host that issues its own certificate,
/// because only the host knows what that covers.
pub(super) fn refuse_uncovered(
    store: &Store,
    name: &MachineName,
    address: &Address,
    outcome: &str,
    force: Option<Command>,
) -> Result<()> {
    let (role, server) = store.host_certificate(name)?;
    if role == HostRole::BootIssuer || server.covers(address) {
        return Ok(());
    }
    let sans: Vec<_> = server.sans().iter().map(|san| format!("`{san}`")).collect();
    let refused = Diagnostic::error(
        Code::AddressNotCovered,
        format!(
            "the certificate of `{name}` does not cover `{address}`, so the docker CLI would refuse the connection; it covers {}{outcome}",
            sans.join(", ")
        ),
    );
    let again = format!("create the machine again with `--address {address}`");
    Err(match force {
        Some(force) => refused.hint(again + ", or record it anyway:").run(force).into(),
        None => refused.hint(again).into(),
    })
}
