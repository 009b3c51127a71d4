//! Paths on the host that both render and verify know.

/// The script that puts everything into place (`templates/host/usr/local/lib/hostseed/setup.j2`).
pub const SETUP: &str = "/usr/local/lib/hostseed/setup";
/// The folder in which payloads wait for [`SETUP`].
const STAGING: &str = "/var/lib/hostseed/seed/";

/// The path at which the payload for `path` waits.
pub fn staged(path: &str) -> String {
    format!("{STAGING}{}", path.rsplit('/').next().unwrap_or(path))
}

/// Whether a payload waits at this path.
pub fn is_staged(path: &str) -> bool {
    path.starts_with(STAGING)
}
