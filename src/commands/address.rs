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
    context::note_stale(store, ui, &name)?;
    if let Address::Dns(dialled) = &address
        && !store.is_client_only(&name)
        && store.host_certificate(&name)?.0 == HostRole::BootIssuer
        && !store.plan(&name)?.sans().iter().any(|san| san.covers(&address))
    {
        ui.note_with(format_args!(
            "the host issues its own certificate, which covers `{dialled}` only if that is its host name; to cover it always, replace the VM after:"
        ), &cover(store, &name, &address));
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

/// The command that adds an address to the names of a machine's certificate. An option replaces all values, so it has the old ones, too.
pub(super) fn cover(store: &Store, name: &MachineName, address: &Address) -> Command {
    let plan = store.plan(name).ok();
    let (option, old) = match plan {
        Some(plan) if plan.boot_issuer.is_some() => ("--tls-san", plan.tls_sans),
        Some(plan) => ("--address", plan.addresses),
        None => ("--address", Vec::new()),
    };
    let values = [address.clone()].into_iter().chain(old.into_iter().filter(|old| old != address));
    let options = values.flat_map(|value| [option.to_owned(), value.to_string()]);
    store.command(["update".to_owned(), name.to_string()].into_iter().chain(options))
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
    // The client alone does not know what the server's certificate covers.
    if store.is_client_only(name) {
        return Ok(());
    }
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
    let update = cover(store, name, address);
    Err(match force {
        Some(force) => refused
            .hint("make a server certificate for it and replace the VM, or record it anyway:")
            .run(update)
            .run(force)
            .into(),
        None => refused.hint("make a server certificate for it, and replace the VM:").run(update).into(),
    })
}
