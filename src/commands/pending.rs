//! Notes about a change of a machine that no host is known to have.

use crate::names::MachineName;
use crate::store::Store;
use crate::ui::Ui;

/// Notes that the host may not have the machine's last change, if no command has seen it there: it may refuse the new certificates. Connects to no
/// host.
pub fn note(store: &Store, ui: Ui, name: &MachineName) {
    if store.has_previous(name) {
        ui.note_with(
            format_args!("the host of `{name}` may not have the last `renew` or `update` yet; to ask it:"),
            &store.command(["check", name.as_str()]),
        );
    }
}
