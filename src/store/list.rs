//! The list of all machines: each from its own files, or from the index where these have not changed since.

use std::fs::{self, Metadata};
use std::path::Path;
use std::thread;

use anyhow::Result;
use time::OffsetDateTime;

use super::cache::Stamp;
use super::index::{self, Entry, Index, Stamps};
use super::trust::Role;
use super::{Record, Store, Trust};
use crate::names::MachineName;
use crate::pki::Validity;
use crate::plan::HostRole;

/// With fewer machines the index would save less than a few milliseconds, and there is none.
const WORTH_AN_INDEX: usize = 100;
/// Fewer machines than this are not worth a thread of their own.
const PER_THREAD: usize = 256;
/// More threads than this only wait for the same disk.
const MAX_THREADS: usize = 8;

/// One machine of a list.
pub struct Listing {
    pub name: MachineName,
    pub endpoint: Result<Endpoint>,
    pub certificate: Result<HostCertificate>,
}

/// Where a machine is reached, as its record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `DOCKER_HOST`.
    pub url: String,
    /// Docker Machine's driver; `none` for hostseed's machines.
    pub driver: String,
}

/// What a list shows of the certificate of a machine's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate {
    pub role: HostRole,
    /// SHA-256, as [`Certificate::fingerprint`](crate::pki::Certificate::fingerprint) has it.
    pub fingerprint: String,
    pub validity: Validity,
}

impl Store {
    /// Lists all machines, sorted by name. A machine that cannot be read is listed with the reason.
    ///
    /// Looks at owners and modes of the files that it reads and of no others. Writes the index anew where it has become out of
    /// date; `now` tells which files have changed so recently that they might change again without a trace.
    ///
    /// # Errors
    /// Fails when the folder of the machines cannot be read.
    pub fn list(&self, now: OffsetDateTime) -> Result<Vec<Listing>> {
        let names = self.names()?;
        let uses_index = names.len() >= WORTH_AN_INDEX && self.trust == Trust::Checked;
        let index = uses_index.then(|| index::load(&self.root, self.trust)).flatten();
        let mut known = index.unwrap_or_default();
        let listed = self.list_each(&names, &known, now);

        let read = listed.iter().filter(|(_, entry)| matches!(entry, Cached::Now(_))).count();
        let kept = listed.iter().filter(|(_, entry)| matches!(entry, Cached::Before)).count();
        if uses_index && (read > 0 || known.len() > kept) {
            let mut entries = Index::default();
            for (listing, cached) in &listed {
                let name = listing.name.as_str();
                let entry = match cached {
                    Cached::Now(entry) => Some(Entry::clone(entry)),
                    Cached::Before => known.remove(name),
                    Cached::No => None,
                };
                entries.extend(entry.map(|entry| (name.to_owned(), entry)));
            }
            index::save(&self.root, self.trust, &entries);
        }
        Ok(listed.into_iter().map(|(listing, _)| listing).collect())
    }

    /// Lists the machines of `names` in their order, on as many threads as the system has processors for.
    fn list_each(&self, names: &[MachineName], index: &Index, now: OffsetDateTime) -> Vec<(Listing, Cached)> {
        let processors = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let per_thread = names.len().div_ceil(processors).max(PER_THREAD);
        let list = |names: &[MachineName]| -> Vec<_> {
            names.iter().map(|name| self.list_one(name, index, now)).collect()
        };
        if names.len() <= per_thread {
            return list(names);
        }
        thread::scope(|scope| {
            let threads: Vec<_> =
                names.chunks(per_thread).map(|names| scope.spawn(move || list(names))).collect();
            let join = |thread: thread::ScopedJoinHandle<_>| thread.join().expect("a thread that lists ends");
            threads.into_iter().flat_map(join).collect()
        })
    }

    fn list_one(&self, name: &MachineName, index: &Index, now: OffsetDateTime) -> (Listing, Cached) {
        let dir = self.machine_dir(name);
        let known = index.get(name.as_str());
        if let Some(entry) = known
            && stamps(&dir, entry.role).as_ref() == Some(&entry.stamps)
            && let Some(listing) = entry.listing(name)
        {
            return (listing, Cached::Before);
        }
        let folder = dir.symlink_metadata();
        let role = self.host_role(name);
        // Before anything is read: what changes from here on has other stamps.
        let stamps = stamps(&dir, role).filter(|stamps| stamps.are_settled(now));
        let endpoint = self.check_listed(&dir, folder, role).and_then(|()| {
            let Record { url, driver, .. } = self.read_record(name)?;
            Ok(Endpoint { url, driver })
        });
        let certificate = self.host_certificate(name).map(|(role, certificate)| HostCertificate {
            role,
            fingerprint: certificate.fingerprint(),
            validity: certificate.validity(),
        });
        let listing = Listing { name: name.clone(), endpoint, certificate };
        let entry = stamps.and_then(|stamps| Entry::new(stamps, &listing));
        (listing, entry.map_or(Cached::No, |entry| Cached::Now(Box::new(entry))))
    }

    /// Checks the folder of a machine and the files that a list is made from.
    fn check_listed(&self, dir: &Path, folder: std::io::Result<Metadata>, role: HostRole) -> Result<()> {
        match folder {
            // The folders above it are checked already.
            Ok(folder) if folder.is_dir() => self.trust.check_file(dir, &folder)?,
            _ => self.trust.check_folder(dir, Role::Store)?,
        }
        self.check_files(dir, Role::Store, &["config.json"], &[&certificate_file(role)])
    }
}

/// Whether a listed machine is in the index.
enum Cached {
    /// As it was when the index was written.
    Before,
    /// It was read now, and can be added.
    Now(Box<Entry>),
    /// It cannot be read, or has changed a moment ago, or there is a link in it.
    No,
}

fn certificate_file(role: HostRole) -> String {
    format!("{}.pem", role.file_stem())
}

/// The stamps of a machine's folder and of the files that a list is made from. None if one of them is no folder or regular file:
/// what a link leads to may change without a trace in the link.
fn stamps(dir: &Path, role: HostRole) -> Option<Stamps> {
    let folder = dir.symlink_metadata().ok().filter(Metadata::is_dir)?;
    let file = |name: &str| {
        let metadata = fs::symlink_metadata(dir.join(name)).ok().filter(Metadata::is_file)?;
        Stamp::new(&metadata)
    };
    Some(Stamps([Stamp::new(&folder)?, file("config.json")?, file(&certificate_file(role))?]))
}
