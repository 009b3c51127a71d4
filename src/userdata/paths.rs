//! Paths on the host that `render` writes and `verify` reads. The templates use the same paths.

/// dockerd's folder.
pub const DOCKER: &str = "/etc/docker";
/// The CA certificate.
pub const CA: &str = "/etc/docker/ca.pem";
/// The server certificate, followed by its intermediates.
pub const SERVER: &str = "/etc/docker/server.pem";
/// The server certificate's private key.
pub const SERVER_KEY: &str = "/etc/docker/server-key.pem";
/// The boot issuer's certificate, followed by its intermediates.
pub const ISSUER: &str = "/etc/docker/issuer.pem";
/// The boot issuer's private key.
pub const ISSUER_KEY: &str = "/etc/docker/issuer-key.pem";
/// dockerd's configuration file.
pub const DAEMON_JSON: &str = "/etc/docker/daemon.json";
/// The plan's options for [`DAEMON_JSON`], which [`SETUP`] merges into the file of the image.
pub const DAEMON_OPTIONS: &str = "/var/lib/hostseed/daemon.json";
/// The folder for systemd units from an administrator or from user-data (systemd.unit(5)).
pub const UNITS: &str = "/etc/systemd/system";
/// The unit of Docker's packages.
pub const DOCKER_UNIT: &str = "docker.service";
/// The drop-in with all settings of the plan for dockerd.
pub const DROP_IN: &str = "/etc/systemd/system/docker.service.d/10-machine.conf";
/// The folder with hostseed's scripts on a host.
pub const LIB: &str = "/usr/local/lib/hostseed";
/// Replaces [`LIB`] on systems with a read-only `/usr`.
pub const OPT: &str = "/opt/hostseed";
/// The script that installs all files (`templates/host/usr/local/lib/hostseed/setup.j2`).
pub const SETUP: &str = "/usr/local/lib/hostseed/setup";
/// This machine's settings, which [`SETUP`] and [`ISSUE`] read (`templates/host/usr/local/lib/hostseed/settings.j2`).
pub const SETTINGS: &str = "/usr/local/lib/hostseed/settings";
/// The script that issues the server certificate on a host with a boot issuer, in [`LIB`] or [`OPT`].
pub const ISSUE: &str = "issue";
/// The unit that watches for new files, in [`UNITS`].
pub const APPLY_PATH: &str = "hostseed-apply.path";
/// The unit that puts them in place, in [`UNITS`].
pub const APPLY_SERVICE: &str = "hostseed-apply.service";
/// The folder with new files for a running host, in `/etc/docker`.
pub const NEXT: &str = "hostseed.next";
/// The file that completes the new files, in `/etc/docker`. [`APPLY_PATH`] waits for it.
pub const NEXT_READY: &str = "hostseed.next/ready";
/// The host's account of the new files, in `/etc/docker`.
pub const RESULT: &str = "hostseed.result";
/// The manifest of an Ignition config.
pub const MANIFEST: &str = "/opt/hostseed/manifest.json";
/// The folder with the payloads until [`SETUP`] installs them.
const STAGING: &str = "/var/lib/hostseed/seed";

/// The staging path of the payload for `path`.
pub fn staged(path: &str) -> String {
    format!("{STAGING}/{}", file_name(path))
}

/// Returns whether the path is in the staging folder.
pub fn is_staged(path: &str) -> bool {
    path.strip_prefix(STAGING).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns whether only a hostseed seed writes a file to this path.
pub fn is_own(path: &str) -> bool {
    is_staged(path) || path == SETUP || path == SETTINGS
}

/// The path relative to `/`, as in an artifact.
pub fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// The part of the path after the last slash.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// An absolute path without `.`, `..` and double slashes, as Python's `os.path.abspath` returns it.
pub fn normal(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}
