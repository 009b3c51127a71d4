//! Paths on the host that render writes and verify reads. The templates have the same ones.

/// The CA's certificate.
pub const CA: &str = "/etc/docker/ca.pem";
/// The server's certificate, intermediates after it.
pub const SERVER: &str = "/etc/docker/server.pem";
pub const SERVER_KEY: &str = "/etc/docker/server-key.pem";
/// The boot issuer's certificate, intermediates after it.
pub const ISSUER: &str = "/etc/docker/issuer.pem";
pub const ISSUER_KEY: &str = "/etc/docker/issuer-key.pem";
/// dockerd's own configuration file.
pub const DAEMON_JSON: &str = "/etc/docker/daemon.json";
/// Where units are that an administrator, or user-data, puts on a host (systemd.unit(5)).
pub const UNITS: &str = "/etc/systemd/system";
/// The unit of Docker's packages.
pub const DOCKER_UNIT: &str = "docker.service";
/// The drop-in that tells dockerd everything that a plan sets.
pub const DROP_IN: &str = "/etc/systemd/system/docker.service.d/10-machine.conf";
/// What hostseed leaves on a host to run.
pub const LIB: &str = "/usr/local/lib/hostseed";
/// As [`LIB`], on systems whose `/usr` cannot be written.
pub const OPT: &str = "/opt/hostseed";
/// The script that puts everything into place (`templates/host/usr/local/lib/hostseed/setup.j2`).
pub const SETUP: &str = "/usr/local/lib/hostseed/setup";
/// The script that makes the server's certificate on a host with a boot issuer, in [`LIB`] or [`OPT`].
pub const ISSUE: &str = "issue";
/// The manifest of an Ignition config.
pub const MANIFEST: &str = "/opt/hostseed/manifest.json";
/// The folder in which payloads wait for [`SETUP`].
const STAGING: &str = "/var/lib/hostseed/seed";

/// The path at which the payload for `path` waits.
pub fn staged(path: &str) -> String {
    format!("{STAGING}/{}", file_name(path))
}

/// Whether a payload waits at this path.
pub fn is_staged(path: &str) -> bool {
    path.strip_prefix(STAGING).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether only a seed of hostseed's puts a file at this path.
pub fn is_own(path: &str) -> bool {
    is_staged(path) || path == SETUP
}

/// The path as an artifact has it, relative to `/`.
pub fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// What is behind the last slash.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
