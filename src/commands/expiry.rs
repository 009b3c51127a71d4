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
        Some(Finding { is_expired: true, text, remedy: Remedy { hint, command } }) if !allowed => {
            let hint = format!("use the expired certificates with {how}, or {hint}");
            Err(Diagnostic::error(Code::CertificateTime, text.clone()).hint(hint).run(command.clone()).into())
        }
        _ => {
            print(ui, &findings);
            Ok(())
        }
    }
}

fn print(ui: Ui, findings: &[Finding]) {
    for Finding { text, remedy: Remedy { hint, command }, .. } in findings {
        ui.note_with(format_args!("{text}; {hint}"), command);
    }
}

/// How a machine gets new certificates.
pub struct Remedy {
    /// Ends with a colon, because the command follows.
    pub hint: &'static str,
    pub command: Command,
}

impl Remedy {
    /// The remedy for certificates that expire. `with_authority` says whether the CA's is one of them.
    fn of(store: &Store, name: &MachineName, with_authority: bool) -> Self {
        Self::by_owner(store, name, with_authority).unwrap_or_else(|| {
            let authority = with_authority.then_some("--authority");
            let words = ["renew"].into_iter().chain(authority).chain([name.as_str()]);
            Self { hint: "make new ones:", command: store.command(words) }
        })
    }

    /// The remedy on the computer that has the whole machine, if the store has only a client of it.
    pub fn by_owner(store: &Store, name: &MachineName, with_authority: bool) -> Option<Self> {
        if !store.is_client_only(name) {
            return None;
        }
        if with_authority {
            let words = ["renew", "--authority", "--apply", name.as_str()];
            let hint = "ask the owner of the machine for a new CA, and then for a new client certificate:";
            return Some(Self { hint, command: Command::own(words) });
        }
        let client = store.certificate(name, "cert").ok().and_then(|client| client.common_name());
        let words = ["client".to_owned(), name.to_string(), "--cn".to_owned()];
        let words =
            words.into_iter().chain([client.unwrap_or_else(|| "CN".to_owned()), "--force".to_owned()]);
        let hint =
            "ask the owner of the machine for a new client certificate, which this makes on their computer:";
        Some(Self { hint, command: Command::own(words) })
    }
}

/// A sentence about the certificates that expire on the same date.
struct Finding {
    is_expired: bool,
    text: String,
    remedy: Remedy,
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
        let text = format!("the {} of `{name}` {verb} on {date}", listed(&which));
        Finding { is_expired: !is_valid, text, remedy: Remedy::of(store, name, which.contains(&CA)) }
    };
    dates.into_iter().map(finding).collect()
}

/// Several certificates in a sentence, after `the`.
fn listed(which: &[&str]) -> String {
    match which {
        [first @ .., before, last] => {
            let first: String = first.iter().map(|one| format!("{one}, the ")).collect();
            format!("{first}{before} and the {last}")
        }
        _ => which.concat(),
    }
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

/// The certificate of a machine that expires first. Of the clients that `client` made, only those count that have not expired and that
/// the host may accept: a guest's certificate is meant to expire.
pub fn soonest(store: &Store, name: &MachineName, now: OffsetDateTime) -> Option<(String, Validity)> {
    let own = certificates(store, name).into_iter().map(|(which, validity)| (which.to_owned(), validity));
    let further = store.clients(name).unwrap_or_default().into_iter().filter_map(|(client, certificate)| {
        let validity = certificate.ok()?.validity();
        let counts = !validity.is_expired(now) && !store.is_revoked(name, &client);
        counts.then(|| (format!("client `{client}`"), validity))
    });
    own.chain(further).min_by_key(|(_, validity)| validity.not_after)
}
