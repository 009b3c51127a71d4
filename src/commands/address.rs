//! `address`: where a machine came up.

use anyhow::Result;

use super::machine_name;
use crate::diag::{Code, Diagnostic, Report};
use crate::names::{Address, MachineName};
use crate::plan::HostRole;
use crate::store::Store;
use crate::ui::Ui;

/// Records an address. Refuses one that the server's certificate does not cover, unless forced.
pub fn address(store: &Store, ui: Ui, name: &str, address: &str, force: bool) -> Result<()> {
    let name = machine_name(name)?;
    let address = parse(address)?;
    store.record(&name)?;
    if !force {
        let force = store.command(format_args!("address --force {name} {address}"));
        refuse_uncovered(
            store,
            &name,
            &address,
            "; nothing was changed",
            &format!("; `{force}` records it all the same"),
        )?;
    }
    let connection = store.put_address(&name, &address)?;
    ui.note(format_args!("`{name}` is at {}", connection.url));
    if let Address::Dns(dialled) = &address
        && store.host_certificate(&name)?.0 == HostRole::BootIssuer
        && !store.plan(&name)?.sans().iter().any(|san| san.covers(&address))
    {
        ui.note(format_args!(
            "the host issues its own certificate, which covers `{dialled}` only if the host is called so; `--tls-san {dialled}` at `create` covers it in any case"
        ));
    }
    Ok(())
}

/// An address from the command line.
pub(super) fn parse(text: &str) -> Result<Address> {
    Address::parse(text).map_err(|problem| Report::from(problem.about("`ADDRESS`")).into())
}

/// Refuses an address that the server's certificate does not cover. What a host's own certificate covers is known to the
/// host alone, and nothing is refused then.
pub(super) fn refuse_uncovered(
    store: &Store,
    name: &MachineName,
    address: &Address,
    outcome: &str,
    or: &str,
) -> Result<()> {
    let (role, server) = store.host_certificate(name)?;
    if role == HostRole::BootIssuer || server.covers(address) {
        return Ok(());
    }
    let sans: Vec<_> = server.sans().iter().map(|san| format!("`{san}`")).collect();
    Err(Diagnostic::error(Code::AddressNotCovered, format!(
        "the certificate of `{name}` does not cover `{address}`, so the docker CLI would refuse it; it covers {}{outcome}",
        sans.join(", ")
    ))
    .hint(format!("make the machine again with `--address {address}`{or}"))
    .into())
}
