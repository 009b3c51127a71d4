//! `hostseed.index`: a cache of the fields that `hostseed ls` prints, so that a long list need not read the files of
//! every machine. An entry is valid only while the stamps of the machine's folder and files have not changed. An index is
//! ignored if it is missing, damaged, too large, not a regular file, or owned by another user. It contains no keys.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::cache::{self, Stamp};
use super::files;
use super::list::{Endpoint, HostCertificate, Listing};
use super::lock;
use super::temporary;
use super::trust::Trust;
use crate::names::MachineName;
use crate::pki::Validity;
use crate::plan::HostRole;

const NAME: &str = "hostseed.index";
const VERSION: u32 = 1;
/// Maximum size in bytes. 10 000 machines need about 4 MB, so hostseed did not write a longer index.
const MAX_BYTES: u64 = 256 << 20;
/// Age after which a file's time is reliable. A file that changed more recently can change again and keep the same time:
/// FAT has a resolution of 2 seconds, and other file systems have the resolution of a timer.
const SETTLED: Duration = Duration::from_secs(3);
/// Maximum difference between the clock of the store's file system and this computer's clock.
const SKEW: Duration = Duration::from_secs(1);

/// Entries by machine name.
pub type Index = HashMap<String, Entry>;

/// Stamps of a machine's folder, of its record and of its host's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps(pub [Stamp; 3]);

impl Stamps {
    /// Returns whether all files last changed so long ago that a further change would change their stamps.
    pub fn are_settled(&self, now: OffsetDateTime) -> bool {
        let Ok(settled) = SystemTime::from(now).duration_since(SystemTime::UNIX_EPOCH + SETTLED) else {
            return false;
        };
        self.0.iter().all(|stamp| stamp.changed_before(settled))
    }
}

/// The fields of one machine that a list shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub stamps: Stamps,
    #[serde(with = "RoleName")]
    pub role: HostRole,
    url: String,
    driver: String,
    fingerprint: String,
    /// The times are in seconds since 1970.
    not_before: i64,
    not_after: i64,
}

/// Names of the roles in the index.
#[derive(Serialize, Deserialize)]
#[serde(remote = "HostRole", rename_all = "lowercase")]
enum RoleName {
    Server,
    BootIssuer,
}

impl Entry {
    /// Makes an entry. Returns `None` if the machine has an error, or if the times of its certificate cannot be stored
    /// exactly.
    pub fn new(stamps: Stamps, listing: &Listing) -> Option<Self> {
        let Listing { name, endpoint: Ok(endpoint), certificate: Ok(certificate), client_only: None } =
            listing
        else {
            return None;
        };
        let entry = Self {
            stamps,
            role: certificate.role,
            url: endpoint.url.clone(),
            driver: endpoint.driver.clone(),
            fingerprint: certificate.fingerprint.clone(),
            not_before: certificate.validity.not_before.unix_timestamp(),
            not_after: certificate.validity.not_after.unix_timestamp(),
        };
        let again = entry.listing(name)?;
        (again.certificate.ok().as_ref() == Some(certificate)).then_some(entry)
    }

    /// Restores the listing of the machine `name`. Returns `None` if a time is out of range.
    pub fn listing(&self, name: &MachineName) -> Option<Listing> {
        let time = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok();
        let validity = Validity { not_before: time(self.not_before)?, not_after: time(self.not_after)? };
        let (role, fingerprint) = (self.role, self.fingerprint.clone());
        Some(Listing {
            name: name.clone(),
            endpoint: Ok(Endpoint { url: self.url.clone(), driver: self.driver.clone() }),
            certificate: Ok(HostCertificate { role, fingerprint, validity }),
            client_only: None,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<T> {
    version: u32,
    machines: T,
}

/// Reads the index of a store. Returns `None` if there is no usable index.
pub fn load(root: &Path, trust: Trust) -> Option<Index> {
    let path = root.join(NAME);
    let file = files::without_following(File::options().read(true)).open(&path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES || trust.check_file(&path, &metadata).is_err() {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let content: Content<Index> = cache::decode(&bytes)?;
    (content.version == VERSION).then_some(content.machines)
}

/// Writes the index of a store. Does nothing if the user cannot write to the store, or if another command is writing.
///
/// Ignores errors: without an index the next list reads the machines' own files.
pub fn save(root: &Path, trust: Trust, machines: &Index) {
    if !super::trust::may_write(root) {
        return;
    }
    let Ok(Some(_lock)) = lock::try_on_store(root, trust) else { return };
    let Ok(bytes) = cache::encode(&Content { version: VERSION, machines }) else { return };
    let Ok(temporary) = temporary::new_name().map(|name| root.join(name)) else { return };
    // The file is not synced: its checksum detects a file that a power failure damaged.
    let write = || -> std::io::Result<bool> {
        let mut file = files::private_options().create_new(true).write(true).open(&temporary)?;
        file.write_all(&bytes)?;
        let is_clock_consistent = is_clock_consistent(&file.metadata()?);
        if is_clock_consistent {
            std::fs::rename(&temporary, root.join(NAME))?;
        }
        Ok(is_clock_consistent)
    };
    if !matches!(write(), Ok(true)) {
        let _ = files::delete(&temporary);
    }
}

/// Returns whether the time of a file that was just written agrees with this computer's clock. If a file server's clock differs,
/// hostseed cannot tell which files have just changed.
fn is_clock_consistent(metadata: &std::fs::Metadata) -> bool {
    let Ok(changed) = metadata.modified() else { return false };
    let now = SystemTime::now();
    let skew = now.duration_since(changed).or_else(|_| changed.duration_since(now));
    skew.is_ok_and(|skew| skew <= SKEW)
}
