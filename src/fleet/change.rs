//! The needs of a machine whose plan changes: new certificates or none, and a new VM or none.

use anyhow::{Context, Result};
use time::OffsetDateTime;

use super::{CLIENT, Difference, USER_DATA};
use crate::pki::{self, HostIdentity, Pair};
use crate::plan::{HostRole, Plan};
use crate::render;
use crate::store::{Replacement, Store, Stored, client_files, host_files, identity_files};

/// The options that are only in Docker's drop-in on the host.
const IN_DROP_IN: [&str; 7] = [
    "engine-opt",
    "allow-unknown-engine-opts",
    "engine-label",
    "engine-registry-mirror",
    "engine-insecure-registry",
    "engine-storage-driver",
    "engine-env",
];

/// The certificates that a change of a plan replaces. The CA always stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificates {
    /// None.
    Kept,
    /// The server certificate or the boot issuer, because the names or the role of the host change.
    OfHost,
    /// The client certificate of the machine, because it is or is no longer that of all machines.
    OfClient,
    /// That of the host and that of the client, because the type of the keys or the validity changes.
    All,
}

impl Certificates {
    /// The certificates that have to be made when a plan changes.
    pub fn of_change(before: &Plan, after: &Plan) -> Self {
        let names = |plan: &Plan| {
            let mut sans = plan.sans();
            sans.sort_by_key(ToString::to_string);
            sans
        };
        if (before.key, before.valid_for) != (after.key, after.valid_for) {
            return Self::All;
        }
        let is_of_same_names = || after.host_role() == HostRole::BootIssuer || names(after) == names(before);
        match after.host_role() == before.host_role() && is_of_same_names() {
            true => Self::Kept,
            false => Self::OfHost,
        }
    }
}

/// Makes the files of a machine with another plan. The machine keeps its CA, and all certificates that are not to be replaced. `authority` is
/// the machine's CA, if there are new certificates.
///
/// # Errors
/// Fails if the CA may not sign what the plan needs, or if a file of the machine cannot be read.
pub fn replacement(
    store: &Store,
    before: Stored,
    plan: Plan,
    (certificates, authority): (Certificates, Option<Pair>),
    now: OffsetDateTime,
) -> Result<Replacement> {
    let needed = || authority.clone().context("new certificates need their CA");
    let mut files = Vec::new();
    let host = match certificates {
        Certificates::Kept => store.host_identity(&before.plan)?,
        Certificates::OfClient => {
            files.extend(client_files(&pki::issue_identity(&plan, needed()?, now)?.client));
            store.host_identity(&before.plan)?
        }
        Certificates::OfHost => {
            let authority = needed()?;
            let host = pki::issue_host(&plan, &authority, now)?;
            files.extend(host_files(plan.host_role(), &host));
            HostIdentity::new(authority.certificate, host)
        }
        Certificates::All => {
            let identity = pki::issue_identity(&plan, needed()?, now)?;
            files.extend(identity_files(&plan, &identity));
            identity.for_host()
        }
    };
    files.push(render::render_user_data(&plan, &host)?);
    files.push(render::render_machine_yaml(&plan)?);
    Ok(Replacement { before, plan, files, authority: None })
}

/// Returns whether a difference of two plans needs a new VM. A running host gets certificates and Docker's drop-in with `renew --apply`, and
/// nothing else.
pub fn needs_vm(difference: &Difference, before: &Plan, after: &Plan) -> bool {
    match difference.field {
        "address" | "tls-san" => [before, after].map(Plan::host_role) != [HostRole::Server; 2],
        "key" | "valid-for" | CLIENT | USER_DATA => false,
        field => !IN_DROP_IN.contains(&field),
    }
}
