//! Writes the files of a NoCloud seed.

use super::{META_DATA, NETWORK_CONFIG};
use crate::artifact::Artifact;
use crate::digest::sha256;

/// Returns the files of the seed with this user-data. The instance-id contains a hash of the content, so that cloud-init applies
/// a changed seed like the first one (cloud-init, "Instance metadata": user-data runs once for each instance-id).
pub fn write(name: &str, user_data: Artifact, network_config: Option<&[u8]>) -> Vec<Artifact> {
    let content = [user_data.bytes.as_slice(), network_config.unwrap_or_default()].concat();
    let id = &sha256(&content)[..16];
    let meta_data = format!("instance-id: \"{name}-{id}\"\nlocal-hostname: \"{name}\"\n");
    let mut files = vec![user_data, Artifact::public(META_DATA, meta_data)];
    files.extend(network_config.map(|bytes| Artifact::private(NETWORK_CONFIG, bytes)));
    files
}
