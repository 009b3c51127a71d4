//! Makes and changes the machines of a fleet in batches: the keys, certificates and files on all processors. Each batch is complete or has no
//! effect, so a run that was interrupted leaves whole machines, and the next one makes the rest.

use std::time::{Duration, Instant};

use anyhow::Result;
use rayon::prelude::*;
use time::OffsetDateTime;

use super::check::Findings;
use super::comparison::certificates;
use super::{Actions, Certificates, ClientUse, Fleet, Update, replacement};
use crate::diag::{Code, Diagnostic, Report};
use crate::names::{ClientName, MachineName};
use crate::pki::{self, AskPassphrase, Identity, Pair};
use crate::plan::AuthoritySource;
use crate::render;
use crate::store::{Creation, NewMachine, Replaced, Replacement, SHARED, Store, client_files};

/// The machines of one transaction. One that changes has about 50 kB in memory.
pub const BATCH: usize = 64;
/// The most new machines of one transaction. They are written as they are made, so memory does not limit them, and each transaction waits for
/// the disk. An interrupted run loses those of one.
const MAX_BATCH: usize = 1024;
/// The next transaction has more new machines, unless one took longer.
const LONG: Duration = Duration::from_millis(400);
/// The machines of the first transaction if their keys are RSA, which take seconds each. Other commands wait for the store meanwhile.
const RSA_BATCH: usize = 4;

/// The changes of a fleet that are to be made.
pub struct Work<'a> {
    store: &'a Store,
    fleet: &'a Fleet,
    now: OffsetDateTime,
    /// The CAs that sign for several new machines.
    authorities: Vec<(AuthoritySource, Pair)>,
    /// The client certificate of all machines.
    client: Option<Pair>,
}

impl<'a> Work<'a> {
    /// Loads the CAs of the new machines, or makes the shared one. Writes nothing.
    ///
    /// # Errors
    /// Fails if a CA or the shared client certificate cannot be used. The report has all machines that cannot be made or changed, because a CA
    /// may not sign for them, cannot sign, or because a file of them cannot be read.
    pub fn prepare(
        store: &'a Store,
        fleet: &'a Fleet,
        actions: &Actions,
        now: OffsetDateTime,
        ask: AskPassphrase,
    ) -> Result<Result<Self, Report>> {
        let mut work = Self { store, fleet, now, authorities: Vec::new(), client: None };
        let is_shared = fleet.client == ClientUse::Shared;
        let with_client = actions.update.iter().filter(|update| is_shared && update.has_new_client());
        let signed: Vec<usize> =
            actions.create.iter().copied().chain(with_client.map(|update| update.n)).collect();
        for n in &signed {
            let ca = &fleet.members[*n].ca;
            if *ca == AuthoritySource::Own || work.authority(ca).is_some() {
                continue;
            }
            store.check_authority(ca)?;
            let authority = match store.authority(ca, now, ask)? {
                Some(authority) => authority,
                // A later machine with the shared CA may have a boot issuer.
                None => pki::issue_authority(SHARED, fleet.plan(*n)?.key, true, now)?,
            };
            work.authorities.push((ca.clone(), authority));
        }
        if is_shared
            && let Some(n) = signed.first()
            && let Some(authority) = work.authority(&AuthoritySource::Shared)
        {
            let client = match store.shared_client(&authority.certificate, now)? {
                Some(client) => client,
                None => {
                    let plan = fleet.plan(*n)?;
                    let name = ClientName::parse(SHARED)?;
                    pki::issue_client(&name, plan.key, plan.valid_for, authority, now)?
                }
            };
            work.client = Some(client);
        }
        let mut findings = Findings::default();
        let refused = work.refused(&actions.create);
        refused.into_iter().for_each(|(n, problem)| findings.add_of(fleet, n, problem));
        for update in &actions.update {
            if let Err(error) = work.check_update(update, ask) {
                match Diagnostic::of(&error) {
                    // It is not asked for again for each machine.
                    Some(problem) if problem.code == Code::CaPassphrase => return Err(error),
                    Some(problem) => findings.add_of(fleet, update.n, problem),
                    None => return Err(error),
                }
            }
        }
        Ok(findings.finish().map(|()| work))
    }

    /// The new machines for which a CA may not sign.
    fn refused(&self, create: &[usize]) -> Vec<(usize, Diagnostic)> {
        let limits =
            |pair: &Pair| pair.certificate.constrains_names() || pair.certificate.path_len().is_some();
        if !self.authorities.iter().any(|(_, pair)| limits(pair)) {
            return Vec::new();
        }
        let check = |n: &usize| {
            let authority = self.authority(&self.fleet.members[*n].ca)?;
            let check = || pki::check_may_sign(&self.fleet.plan(*n)?, &authority.certificate, self.now);
            let problem = check().err().and_then(|error| Diagnostic::of(&error))?;
            Some((*n, problem))
        };
        create.par_iter().filter_map(check).collect()
    }

    /// Checks that a machine has what its change needs: the files that stay, and a CA that may sign the new certificates.
    fn check_update(&self, update: &Update, ask: AskPassphrase) -> Result<()> {
        let plan = self.fleet.plan(update.n)?;
        match update.certificates {
            Certificates::Kept => self.store.host_identity(&plan).map(|_| ()),
            Certificates::OfClient => {
                self.store.host_identity(&plan)?;
                self.store.signing_authority(&plan.name, self.now, ask).map(|_| ())
            }
            Certificates::OfHost | Certificates::All => {
                let authority = self.store.signing_authority(&plan.name, self.now, ask)?;
                pki::check_may_sign(&plan, &authority.certificate, self.now)
            }
        }
    }

    fn authority(&self, source: &AuthoritySource) -> Option<&Pair> {
        self.authorities.iter().find(|(known, _)| known == source).map(|(_, pair)| pair)
    }

    /// Writes the shared CA and the shared client certificate, if they are new. Returns false, and writes nothing, if another command has made
    /// other ones since [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// Fails if the store cannot be written.
    pub fn put_shared(&self) -> Result<bool> {
        let Some(authority) = self.authority(&AuthoritySource::Shared) else { return Ok(true) };
        let is_new = |client: &&Pair| !matches!(self.store.shared_client(&authority.certificate, self.now), Ok(Some(there)) if there.certificate == client.certificate);
        self.store.put_shared(authority, self.client.as_ref().filter(is_new))
    }

    /// Creates machines. `advance` gets the names of those that were made after each batch, without those that another run made.
    ///
    /// # Errors
    /// Fails if a machine cannot be created. The batches before it are in the store then.
    pub fn create(&self, numbers: &[usize], mut advance: impl FnMut(&[MachineName])) -> Result<()> {
        let is_rsa = |n: &usize| self.fleet.plan(*n).is_ok_and(|plan| plan.key.is_rsa());
        let (mut rest, mut size) =
            (numbers, if numbers.first().is_some_and(is_rsa) { RSA_BATCH } else { BATCH });
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            let begin = Instant::now();
            advance(&self.put(batch.to_vec())?);
            if begin.elapsed() < LONG && size < MAX_BATCH {
                size *= 2;
            }
            rest = after;
        }
        Ok(())
    }

    /// Makes the keys and certificates of a machine, and renders its seed.
    fn issue(&self, n: usize) -> Result<NewMachine> {
        let plan = self.fleet.plan(n)?;
        let identity = match (self.authority(&plan.ca).cloned(), &self.client) {
            (None, _) => pki::issue_own_identity(&plan, self.now)?,
            (Some(authority), None) => pki::issue_identity(&plan, authority, self.now)?,
            (Some(authority), Some(client)) => {
                let host = pki::issue_host(&plan, &authority, self.now)?;
                Identity { authority, host, client: client.clone() }
            }
        };
        let seed =
            vec![render::render_user_data(&plan, &identity.for_host())?, render::render_machine_yaml(&plan)?];
        Ok(NewMachine { plan, identity, seed, fleet: Some(self.fleet.name.clone()) })
    }

    /// Makes new machines. Those that another run of this fleet has made in the meantime stay as they are. Returns the names of the others.
    fn put(&self, mut numbers: Vec<usize>) -> Result<Vec<MachineName>> {
        while !numbers.is_empty() {
            let new: Vec<_> =
                numbers.iter().map(|n| &self.fleet.members[*n]).map(|of| (&of.name, &of.ca)).collect();
            let is_shared = new.iter().any(|(_, ca)| **ca == AuthoritySource::Shared);
            let shared = self.authority(&AuthoritySource::Shared).filter(|_| is_shared);
            match self.store.put_machines(&new, shared, |n| self.issue(numbers[n])) {
                Ok(Creation::Created) => return Ok(new.into_iter().map(|(name, _)| name.clone()).collect()),
                Ok(Creation::SharedCaAppeared) => return Err(shared_ca_changed().into()),
                Err(error) => {
                    let before = numbers.len();
                    numbers.retain(|n| !self.is_there(*n));
                    if numbers.len() == before {
                        return Err(error);
                    }
                }
            }
        }
        Ok(Vec::new())
    }

    /// Returns whether the store has this machine of the fleet, as the file says.
    fn is_there(&self, n: usize) -> bool {
        let name = &self.fleet.members[n].name;
        let is_of_fleet = matches!(self.store.fleet_of(name), Ok(Some(of)) if of == self.fleet.name);
        let text = || self.fleet.plan(n).ok().and_then(|plan| render::render_machine_yaml(&plan).ok());
        is_of_fleet && text().is_some_and(|text| self.store.has_content(name, &text))
    }

    /// Changes machines that exist. `advance` gets the number of machines after each batch.
    ///
    /// # Errors
    /// Fails if a machine cannot be changed. The batches before it are in the store then.
    pub fn update(&self, numbers: &[usize], ask: AskPassphrase, advance: impl Fn(usize)) -> Result<()> {
        for numbers in numbers.chunks(BATCH) {
            while self.store.replace(&self.replacements(numbers, ask)?, None)? == Replaced::ChangedMeanwhile {
            }
            advance(numbers.len());
        }
        Ok(())
    }

    fn replacements(&self, numbers: &[usize], ask: AskPassphrase) -> Result<Vec<Replacement>> {
        let mut machines = Vec::with_capacity(numbers.len());
        for n in numbers {
            let (plan, before) = (self.fleet.plan(*n)?, self.store.stored(&self.fleet.members[*n].name)?);
            let (own, shared) =
                match (certificates(self.store, self.fleet, &before.plan, &plan), &self.client) {
                    (Certificates::OfClient, Some(client)) => (Certificates::Kept, Some(client)),
                    (Certificates::All, Some(client)) => (Certificates::OfHost, Some(client)),
                    (own, _) => (own, None),
                };
            let authority = match own {
                Certificates::Kept => None,
                _ => Some(self.store.signing_authority(&plan.name, self.now, ask)?),
            };
            machines.push((before, plan, (own, authority), shared));
        }
        let replace = |(before, plan, new, shared): (_, _, _, Option<&Pair>)| {
            let mut replacement = replacement(self.store, before, plan, new, self.now)?;
            replacement.files.extend(shared.into_iter().flat_map(client_files));
            Ok(replacement)
        };
        machines.into_par_iter().map(replace).collect()
    }

    /// Takes machines of no fleet into this one.
    ///
    /// # Errors
    /// Fails if one of them belongs to another fleet by now, or if the store cannot be written. The batches before it are the fleet's then.
    pub fn adopt(&self, numbers: &[usize]) -> Result<()> {
        for numbers in numbers.chunks(BATCH) {
            let names: Vec<_> = numbers.iter().map(|n| &self.fleet.members[*n].name).collect();
            self.store.adopt(&names, &self.fleet.name)?;
        }
        Ok(())
    }

    /// Deletes machines. `advance` gets the number of machines after each batch.
    ///
    /// # Errors
    /// Fails if a machine cannot be deleted. The batches before it are deleted then.
    pub fn remove(&self, names: &[MachineName], advance: impl Fn(usize)) -> Result<()> {
        for names in names.chunks(BATCH) {
            self.store.remove(names)?;
            advance(names.len());
        }
        Ok(())
    }
}

fn shared_ca_changed() -> Diagnostic {
    let text = "another command has changed the shared CA or its client certificate in the meantime (no machine was changed since)";
    Diagnostic::error(Code::CaReplaced, text).hint("run the same command again")
}
