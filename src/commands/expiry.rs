//! Notes and errors about certificates that expire soon or have expired.

use std::collections::BTreeMap;

use anyhow::Result;
use time::OffsetDateTime;

use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::pki::Validity;
use crate::plan::HostRole;
use crate::shell::Command;
use crate::store::Store;
use crate::ui::Ui;

/// The name of the CA's certificate in a message.
const CA: &str = "CA certificate";

/// Notes each certificate of a machine that expires soon or has expired. Ignores certificates that cannot be read.
pub fn note(store: &Store, ui: Ui, now: OffsetDateTime, name: &MachineName) {
    print(ui, &findings(store, name, now));
}

/// Does the same as [`note`], but refuses expired certificates, unless `allowed`. `how` says how to allow them.
///
/// # Errors
/// Fails if a certificate has expired.
pub fn check(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    name: &MachineName,
    allowed: bool,
    how: &str,
) -> Result<()> {
    let findings = findings(store, name, now);
    match findings.first() {
        Some(Finding { is_expired: true, text, command }) if !allowed => {
            let hint = format!("use the expired certificates with {how}, or make new ones:");
            Err(Diagnostic::error(Code::CertificateTime, text.clone()).hint(hint).run(command.clone()).into())
        }
        _ => {
            print(ui, &findings);
            Ok(())
        }
    }
}

fn print(ui: Ui, findings: &[Finding]) {
    for Finding { text, command, .. } in findings {
        ui.note_with(format_args!("{text}; make new ones:"), command);
    }
}

/// A sentence about the certificates that expire on the same date.
struct Finding {
    is_expired: bool,
    text: String,
    /// The command that makes new ones.
    command: Command,
}

/// Checks a machine's certificates. The expired ones come first, then the date decides.
fn findings(store: &Store, name: &MachineName, now: OffsetDateTime) -> Vec<Finding> {
    let mut dates = BTreeMap::<_, Vec<_>>::new();
    for (which, validity) in certificates(store, name) {
        if validity.expires_soon(now) {
            dates.entry((!validity.is_expired(now), validity.not_after.date())).or_default().push(which);
        }
    }
    let finding = |((is_valid, date), which): ((bool, time::Date), Vec<&str>)| {
        let verb = match (is_valid, which.len()) {
            (false, _) => "expired",
            (true, 1) => "expires",
            (true, _) => "expire",
        };
        let text = format!("the {} of `{name}` {verb} on {date}", which.join(" and the "));
        let authority = which.contains(&CA).then_some("--authority");
        let words = ["renew"].into_iter().chain(authority).chain([name.as_str()]);
        Finding { is_expired: !is_valid, text, command: store.command(words) }
    };
    dates.into_iter().map(finding).collect()
}

/// Each readable certificate of a machine: what it is, and its validity.
fn certificates(store: &Store, name: &MachineName) -> Vec<(&'static str, Validity)> {
    let role = store.host_role(name);
    let host = match role {
        HostRole::Server => "server certificate",
        HostRole::BootIssuer => "boot issuer's certificate",
    };
    let files = [(host, role.file_stem()), (CA, "ca"), ("client certificate", "cert")];
    let read = |(which, file)| Some((which, store.certificate(name, file).ok()?.validity()));
    files.into_iter().filter_map(read).collect()
}

/// The certificate of a machine that expires first.
pub fn soonest(store: &Store, name: &MachineName) -> Option<(&'static str, Validity)> {
    certificates(store, name).into_iter().min_by_key(|(_, validity)| validity.not_after)
}
