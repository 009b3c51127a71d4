//! Notes and errors about certificates that expire soon or have expired.

use std::collections::BTreeMap;

use anyhow::Result;
use time::{Date, OffsetDateTime};

use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::pki::EXPIRES_SOON;
use crate::plan::HostRole;
use crate::store::Store;
use crate::ui::Ui;

/// Notes each certificate of a machine that expires within [`EXPIRES_SOON`] or has expired. Ignores certificates that cannot be
/// read.
pub fn note(store: &Store, ui: Ui, now: OffsetDateTime, name: &MachineName) {
    let certificates = Certificates::read(store, name, now);
    for text in certificates.expired.iter().chain(&certificates.expiring) {
        ui.note(format_args!("{text}: create the machine again"));
    }
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
    let certificates = Certificates::read(store, name, now);
    if let Some(text) = certificates.expired.first()
        && !allowed
    {
        return Err(Diagnostic::error(Code::CertificateTime, text.clone())
            .hint(format!("create the machine again, or use the expired certificates with {how}"))
            .into());
    }
    note(store, ui, now, name);
    Ok(())
}

/// Sentences about a machine's certificates, one for each date.
struct Certificates {
    expired: Vec<String>,
    expiring: Vec<String>,
}

impl Certificates {
    fn read(store: &Store, name: &MachineName, now: OffsetDateTime) -> Self {
        let role = store.host_role(name);
        let host = match role {
            HostRole::Server => "server certificate",
            HostRole::BootIssuer => "boot issuer's certificate",
        };
        let (mut expired, mut expiring) = (Dates::default(), Dates::default());
        for (which, file) in
            [("CA certificate", "ca"), (host, role.file_stem()), ("client certificate", "cert")]
        {
            let Ok(certificate) = store.certificate(name, file) else { continue };
            let end = certificate.validity().not_after;
            if end < now {
                expired.add(end.date(), which);
            } else if end - now < EXPIRES_SOON {
                expiring.add(end.date(), which);
            }
        }
        Self {
            expired: expired.sentences(name, ["expired", "expired"]),
            expiring: expiring.sentences(name, ["expires", "expire"]),
        }
    }
}

/// Certificates by the date of their end.
#[derive(Default)]
struct Dates(BTreeMap<Date, Vec<&'static str>>);

impl Dates {
    fn add(&mut self, date: Date, which: &'static str) {
        self.0.entry(date).or_default().push(which);
    }

    /// A sentence for each date. `verb` is the verb for one certificate and for several.
    fn sentences(&self, name: &MachineName, verb: [&str; 2]) -> Vec<String> {
        let sentence = |(date, which): (&Date, &Vec<&str>)| {
            let verb = verb[usize::from(which.len() > 1)];
            format!("the {} of `{name}` {verb} on {date}", which.join(" and the "))
        };
        self.0.iter().map(sentence).collect()
    }
}
