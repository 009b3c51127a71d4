//! `hostseed.index`: what a list of machines shows, so that a list of many need not read all their files. A cache: each entry counts
//! only while the stamps of the machine's folder and files are those that it was made with, and an index that is missing, damaged,
//! too large, not a regular file, or another user's is as good as none. It holds no keys.

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
use super::lock::Lock;
use super::temporary;
use super::trust::Trust;
use crate::names::MachineName;
use crate::pki::Validity;
use crate::plan::HostRole;

const NAME: &str = "hostseed.index";
const VERSION: u32 = 1;
/// A longer index was not written by hostseed: 10 000 machines have about 4 MB.
const MAX_BYTES: u64 = 256 << 20;
/// A file that has changed more recently than this may change again without another time: FAT counts in steps of 2 seconds, and other
/// file systems in steps of a timer.
const SETTLED: Duration = Duration::from_secs(3);
/// How much the clock of the store's file system may differ from this computer's.
const SKEW: Duration = Duration::from_secs(1);

/// The entries by the machines' names.
pub type Index = HashMap<String, Entry>;

/// The stamps of a machine's folder, its record and its host's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps(pub [Stamp; 3]);

impl Stamps {
    /// Whether none of the files has changed so recently that another change might not show.
    pub fn are_settled(&self, now: OffsetDateTime) -> bool {
        let Ok(settled) = SystemTime::from(now).duration_since(SystemTime::UNIX_EPOCH + SETTLED) else {
            return false;
        };
        self.0.iter().all(|stamp| stamp.changed_before(settled))
    }
}

/// What a list shows of one machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub stamps: Stamps,
    #[serde(with = "RoleName")]
    pub role: HostRole,
    url: String,
    driver: String,
    fingerprint: String,
    /// Seconds since 1970.
    not_before: i64,
    not_after: i64,
}

/// A role as the index writes it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "HostRole", rename_all = "lowercase")]
enum RoleName {
    Server,
    BootIssuer,
}

impl Entry {
    /// None if the machine could not be read whole, or its certificate has times that the index cannot hold.
    pub fn new(stamps: Stamps, listing: &Listing) -> Option<Self> {
        let Listing { name, endpoint: Ok(endpoint), certificate: Ok(certificate) } = listing else {
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

    /// The machine as it is listed.
    pub fn listing(&self, name: &MachineName) -> Option<Listing> {
        let time = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok();
        let validity = Validity { not_before: time(self.not_before)?, not_after: time(self.not_after)? };
        let (role, fingerprint) = (self.role, self.fingerprint.clone());
        Some(Listing {
            name: name.clone(),
            endpoint: Ok(Endpoint { url: self.url.clone(), driver: self.driver.clone() }),
            certificate: Ok(HostCertificate { role, fingerprint, validity }),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<T> {
    version: u32,
    machines: T,
}

/// Reads the index of a store.
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

/// Writes the index of a store that the user may write to, unless another command writes at this moment.
///
/// Nothing depends on it, so that it fails silently: the next list reads the machines' own files.
pub fn save(root: &Path, trust: Trust, machines: &Index) {
    if !super::trust::may_write(root) {
        return;
    }
    let Ok(Some(_lock)) = Lock::try_on_store(root, trust) else { return };
    let Ok(bytes) = cache::encode(&Content { version: VERSION, machines }) else { return };
    let Ok(temporary) = temporary::new_name().map(|name| root.join(name)) else { return };
    // It is not made durable: after a power failure its checksum tells whether it is whole.
    let write = || -> std::io::Result<bool> {
        let mut file = files::private_options().create_new(true).write(true).open(&temporary)?;
        file.write_all(&bytes)?;
        let is_in_time = is_in_time(&file.metadata()?);
        if is_in_time {
            std::fs::rename(&temporary, root.join(NAME))?;
        }
        Ok(is_in_time)
    };
    if !matches!(write(), Ok(true)) {
        let _ = files::delete(&temporary);
    }
}

/// Whether a file that was just written has the time of this computer's clock. On a file server with another clock nobody knows
/// which files have changed a moment ago.
fn is_in_time(metadata: &std::fs::Metadata) -> bool {
    let Ok(changed) = metadata.modified() else { return false };
    let now = SystemTime::now();
    let skew = now.duration_since(changed).or_else(|_| changed.duration_since(now));
    skew.is_ok_and(|skew| skew <= SKEW)
}
