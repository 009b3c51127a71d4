//! The change of a machine's CA in steps: how far it is, by the machine's files alone.

use anyhow::Result;
use time::OffsetDateTime;

use super::{ClientCa, Store};
use crate::diag::{Code, Diagnostic};
use crate::names::{ClientName, MachineName};
use crate::pki::Certificate;
use crate::plan::Plan;

/// How far the change of a machine's CA is. In both, `ca.pem` has the new CA and the old one, and the client's certificate is of the new CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaChange {
    /// The host's certificate is of the old CA.
    TrustsBoth,
    /// The host's certificate is of the new CA.
    HasNewCertificate,
}

/// A change of a machine that no host is known to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// A step of a change of the CA. None for the last one, which drops the old CA.
    Step(Option<CaChange>),
    /// Another CA in one switch.
    Switch,
    /// The CA stays.
    Other,
}

impl Store {
    /// The change of a machine that no host is known to have, or None if there is none.
    ///
    /// # Errors
    /// Fails if the machine's files, or the previous ones, cannot be read.
    pub fn pending(&self, plan: &Plan) -> Result<Option<Pending>> {
        let name = &plan.name;
        if !self.has_previous(name) {
            return Ok(None);
        }
        let (state, now) = (self.ca_change(plan)?, self.ca_bundle(name)?);
        let before = self.ca_bundle_in(&self.previous_dir(name))?;
        Ok(Some(match state {
            Some(_) => Pending::Step(state),
            None if before.old.is_some() && before.current == now.current => Pending::Step(None),
            None if before.current != now.current => Pending::Switch,
            None => Pending::Other,
        }))
    }

    /// How far the change of a machine's CA is. None if there is none, or if `ca.pem` cannot be read, which `renew --authority` mends.
    ///
    /// # Errors
    /// Fails if the host's files cannot be read.
    pub fn ca_change(&self, plan: &Plan) -> Result<Option<CaChange>> {
        if self.ca_bundle(&plan.name).map_or(true, |bundle| bundle.old.is_none()) {
            return Ok(None);
        }
        let host = self.host_identity(plan)?;
        Ok(Some(match host.is_of(&host.ca.current, plan.host_role())? {
            true => CaChange::HasNewCertificate,
            false => CaChange::TrustsBoth,
        }))
    }

    /// Refuses a command that would make new certificates or options in the middle of a change of the CA.
    ///
    /// # Errors
    /// Fails if such a change is open.
    pub fn refuse_open_ca_change(&self, plan: &Plan) -> Result<()> {
        if self.ca_change(plan)?.is_none() {
            return Ok(());
        }
        let name = plan.name.as_str();
        let text = format!("the CA of `{name}` is being replaced (nothing was changed)");
        Err(Diagnostic::error(Code::CaChangeOpen, text)
            .hint("continue that first; this prints how far it is and what to do next:")
            .run(self.command(["renew", "--authority", "--apply", name]))
            .into())
    }

    /// The clients that `hostseed client` made with one of these CAs, and that have not expired. One that cannot be read is left out.
    ///
    /// # Errors
    /// Fails if the machine's clients cannot be listed.
    pub fn valid_clients(
        &self,
        name: &MachineName,
        now: OffsetDateTime,
        cas: &[ClientCa],
    ) -> Result<Vec<ClientName>> {
        let is_valid = |read: Result<Certificate>| read.is_ok_and(|read| !read.validity().is_expired(now));
        let clients = self.clients(name)?.into_iter();
        let valid = clients.filter_map(|(client, read)| is_valid(read).then_some(client));
        Ok(valid.filter(|client| cas.contains(&self.client_ca(name, client))).collect())
    }
}
