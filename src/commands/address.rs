//! `address`: where a machine came up.

use anyhow::Result;

use super::machine_name;
use crate::names::Address;
use crate::report::{Complaint, Failure, Report};
use crate::store::Store;
use crate::ui::Ui;

/// Records an address. Refuses one that the server's certificate does not cover, unless forced.
pub fn address(store: &Store, ui: Ui, name: &str, address: &str, force: bool) -> Result<()> {
    let name = machine_name(name)?;
    let address = Address::parse(address).map_err(|Complaint { text, hint }| {
        Report::usage(Complaint { text: format!("`ADDRESS` {text}"), hint })
    })?;
    store.record(&name)?;
    let server = store.certificate(&name, "server")?;
    if !server.covers(&address) && !force {
        let sans: Vec<_> = server.sans().iter().map(|san| format!("`{san}`")).collect();
        return Err(Failure::new(format!(
            "the certificate of `{name}` does not cover `{address}`, so the docker CLI would refuse it; it covers {}; nothing was changed",
            sans.join(", ")
        ))
        .hint(format!(
            "make the machine again with `--address {address}`; `{}` records it all the same",
            store.command(format_args!("address --force {name} {address}"))
        ))
        .into());
    }
    let connection = store.put_address(&name, &address)?;
    ui.note(format_args!("`{name}` is at {}", connection.url));
    Ok(())
}
