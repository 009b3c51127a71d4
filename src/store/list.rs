//! Lists all machines. Each entry comes from the machine's files, or from the index if these files have not changed.

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

/// Minimum number of machines for which the index is used. With fewer machines it would save less than a few
/// milliseconds.
const WORTH_AN_INDEX: usize = 100;
/// Minimum number of machines per thread.
const PER_THREAD: usize = 256;
/// Maximum number of threads. More threads would only wait for the same disk.
const MAX_THREADS: usize = 8;

/// One machine in a list.
pub struct Listing {
    pub name: MachineName,
    pub endpoint: Result<Endpoint>,
    pub certificate: Result<HostCertificate>,
    /// The fingerprint and the validity of the client's certificate, if the store has nothing else of the machine.
    pub client_only: Option<(String, Validity)>,
}

/// A machine's URL and driver, from its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `DOCKER_HOST`.
    pub url: String,
    /// Docker Machine's driver; `none` for hostseed's machines.
    pub driver: String,
}

/// The fields of a host's certificate that a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate {
    pub role: HostRole,
    /// SHA-256, in the format of [`Certificate::fingerprint`](crate::pki::Certificate::fingerprint).
    pub fingerprint: String,
    pub validity: Validity,
}

impl Store {
    /// Lists all machines, sorted by name. If a machine cannot be read, its entry contains the error.
    ///
    /// Checks the owner and mode of the files that it reads, and of no others. Updates the index if it is out of date.
    /// `now` is used to find files that changed so recently that a further change could be missed.
    ///
    /// # Errors
    /// Fails if the folder of the machines cannot be read.
    pub fn list(&self, now: OffsetDateTime) -> Result<Vec<Listing>> {
        let names = self.names()?;
        let uses_index = names.len() >= WORTH_AN_INDEX && self.trust == Trust::Checked;
        let index = uses_index.then(|| index::load(&self.root, self.trust)).flatten();
        let mut known = index.unwrap_or_default();
        let listed = self.list_each(&names, &known, now);

        let read = listed.iter().filter(|(_, entry)| matches!(entry, Cached::Read(_))).count();
        let kept = listed.iter().filter(|(_, entry)| matches!(entry, Cached::Unchanged)).count();
        if uses_index && (read > 0 || known.len() > kept) {
            let mut entries = Index::default();
            for (listing, cached) in &listed {
                let name = listing.name.as_str();
                let entry = match cached {
                    Cached::Read(entry) => Some(Entry::clone(entry)),
                    Cached::Unchanged => known.remove(name),
                    Cached::Uncacheable => None,
                };
                entries.extend(entry.map(|entry| (name.to_owned(), entry)));
            }
            index::save(&self.root, self.trust, &entries);
        }
        Ok(listed.into_iter().map(|(listing, _)| listing).collect())
    }

    /// Lists the machines of `names` in their order, with at most one thread per processor.
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
            return (listing, Cached::Unchanged);
        }
        let folder = dir.symlink_metadata();
        let role = self.host_role(name);
        // The stamps are made before the files are read. A later change gives a file another stamp.
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
        let client_only = (certificate.is_err() && self.is_client_only(name))
            .then(|| self.certificate(name, "cert").ok())
            .flatten()
            .map(|client| (client.fingerprint(), client.validity()));
        let listing = Listing { name: name.clone(), endpoint, certificate, client_only };
        let entry = stamps.and_then(|stamps| Entry::new(stamps, &listing));
        (listing, entry.map_or(Cached::Uncacheable, |entry| Cached::Read(Box::new(entry))))
    }

    /// Checks the folder of a machine and the files that its entry is made from.
    fn check_listed(&self, dir: &Path, folder: std::io::Result<Metadata>, role: HostRole) -> Result<()> {
        match folder {
            // The parent folders are checked already.
            Ok(folder) if folder.is_dir() => self.trust.check_file(dir, &folder)?,
            _ => self.trust.check_folder(dir, Role::Store)?,
        }
        self.check_files(dir, Role::Store, &["config.json"], &[&certificate_file(role)])
    }
}

/// The index entry of a listed machine.
enum Cached {
    /// The index has a current entry.
    Unchanged,
    /// The machine was read now, and this entry can be added to the index.
    Read(Box<Entry>),
    /// The machine cannot be cached: it cannot be read, changed a moment ago, or contains a link.
    Uncacheable,
}

fn certificate_file(role: HostRole) -> String {
    format!("{}.pem", role.file_stem())
}

/// The stamps of a machine's folder and of the files that its entry is made from. Returns `None` if one of them is not a
/// folder or a regular file. A link is not cached because its target can change while the link stays the same.
fn stamps(dir: &Path, role: HostRole) -> Option<Stamps> {
    let folder = dir.symlink_metadata().ok().filter(Metadata::is_dir)?;
    let file = |name: &str| {
        let metadata = fs::symlink_metadata(dir.join(name)).ok().filter(Metadata::is_file)?;
        Stamp::new(&metadata)
    };
    Some(Stamps([Stamp::new(&folder)?, file("config.json")?, file(&certificate_file(role))?]))
}
