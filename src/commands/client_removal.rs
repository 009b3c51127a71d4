//! `client --remove`: removes a client certificate that `client` made from the store.

use anyhow::Result;
use time::OffsetDateTime;

use super::client::client_name;
use super::machine_name;
use crate::store::Store;
use crate::ui::Ui;

/// Removes a client. This does not revoke its certificate, and the command says so if it gives access still.
pub fn remove_client(store: &Store, ui: Ui, now: OffsetDateTime, machine: &str, client: &str) -> Result<()> {
    let machine = machine_name(machine)?;
    let client = client_name(client, &machine)?;
    let is_revoked = store.is_revoked(&machine, &client);
    let certificate = store.further_certificate(&machine, &client);
    store.remove_client(&machine, &client)?;
    ui.note(format_args!("removed the client `{client}` of `{machine}`"));
    match certificate.map(|certificate| certificate.validity()) {
        Ok(validity) if !is_revoked && !validity.is_expired(now) => ui.note_with(
            format_args!(
                "this does not revoke its certificate: anyone who has a copy of the key has root access to the host until {}; to end that earlier, replace the CA:",
                validity.not_after.date()
            ),
            &store.command(["renew", "--authority", "--apply", "--at-once", machine.as_str()]),
        ),
        Ok(_) => {}
        Err(_) => ui.note_with(
            "its certificate could not be read: if someone has a copy of it and of the key, only another CA takes away their access:",
            &store.command(["renew", "--authority", "--apply", "--at-once", machine.as_str()]),
        ),
    }
    Ok(())
}
