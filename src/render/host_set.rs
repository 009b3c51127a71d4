//! Renders the files that a running host puts in place by itself, with the script that does so.

use std::collections::HashSet;

use anyhow::{Result, bail};
use minijinja::context;

use super::host::Host;
use super::issue::unit;
use crate::artifact::Artifact;
use crate::digest::sha256;
use crate::names::MachineName;
use crate::pki::{Certificate, HostIdentity};
use crate::plan::Plan;
use crate::templates;
use crate::userdata::manifest::Entry;
use crate::userdata::paths::{self, APPLY_PATH, APPLY_SERVICE, DROP_IN, LIB, NEXT, NEXT_READY, RESULT};

/// The content of `ready` in a set that was withdrawn.
pub const WITHDRAWN: &str = "withdrawn\n";

/// New files for a running host.
pub struct NewFiles<'a> {
    pub machine: &'a MachineName,
    /// The port on which Docker listens afterwards.
    pub port: u16,
    /// With paths relative to `/`, such as `etc/docker/ca.pem`.
    pub files: &'a [Artifact],
    /// Absolute paths that the host removes, if it has them.
    pub removed: &'a [&'a str],
    /// The client certificate that must be accepted afterwards, followed by its chain. The host verifies it before it changes anything.
    pub client: &'a [Certificate],
}

/// The files to upload. The paths are relative to `/etc/docker`.
#[derive(Debug)]
pub struct HostSet {
    /// The same for the same files.
    pub id: String,
    /// All files but `ready`, and an account of the set for the client: staged.
    pub files: Vec<Artifact>,
    /// The last file to upload. With it the host begins.
    pub ready: Artifact,
    /// Files that replace all of these if the host does not begin: the host removes them if it ever does.
    pub withdrawal: Vec<Artifact>,
}

/// Renders the units that run the script of a set, with paths relative to `/`.
pub fn units() -> Result<Vec<Artifact>> {
    [APPLY_PATH, APPLY_SERVICE].into_iter().map(|name| unit(name, context! {})).collect()
}

/// The units, with paths relative to `/etc/systemd/system`, for a running host that lacks them.
pub fn host_units() -> Result<Vec<Artifact>> {
    let units = units()?.into_iter();
    Ok(units.map(|unit| Artifact { path: unit.file_name().to_owned(), ..unit }).collect())
}

/// The files of a machine that a running host gets, with paths relative to `/`: its identity, and the drop-in if it differs from that of the
/// plan `before`.
pub fn host_files(before: &Plan, plan: &Plan, identity: &HostIdentity) -> Result<Vec<Artifact>> {
    let host = Host::machine(plan, identity);
    let drop_in = host.drop_in(LIB)?;
    let mut files = host.identity();
    if Host::machine(before, identity).drop_in(LIB)? != drop_in {
        files.push(Artifact::public(paths::relative(DROP_IN), drop_in));
    }
    Ok(files)
}

/// Renders a set.
///
/// # Errors
/// Two files have the same name, or a path has characters that no path of hostseed's has.
pub fn host_set(new: &NewFiles) -> Result<HostSet> {
    let mut names = HashSet::new();
    for path in new.files.iter().map(|file| file.path.as_str()).chain(new.removed.iter().copied()) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/.-_".contains(c);
        let name = path.rsplit('/').next().unwrap_or_default();
        if !path.chars().all(is_plain) || name.is_empty() || !names.insert(name) {
            bail!("`{path}` cannot be a file of a set");
        }
    }
    let entries: Vec<String> = new.files.iter().map(|file| Entry::of(file).to_string()).collect();
    let client: String = new.client.iter().map(Certificate::pem).collect();
    let values = |id: &str| {
        context! {
            id,
            machine => new.machine.as_str(),
            port => new.port,
            files => entries.join("\n"),
            removed => new.removed.join("\n"),
            client => client.as_str(),
        }
    };
    // Everything that the script depends on.
    let id = sha256(templates::render("host/apply", values(""))?.as_bytes());
    let script = templates::render("host/apply", values(&id))?;
    let staged = |file: &Artifact| Artifact {
        path: format!("{NEXT}/{}", file.file_name()),
        mode: 0o600,
        ..file.clone()
    };
    let result = format!("{{\"set\":\"{id}\",\"state\":\"staged\",\"reason\":\"\"}}\n");
    let result = Artifact::private(RESULT, result.into_bytes());
    let files = new.files.iter().map(staged);
    let files = files.chain([Artifact::private(format!("{NEXT}/apply"), script), result]).collect();
    let ready = Artifact::private(NEXT_READY, format!("{id}\n"));
    let empty = |file: &Artifact| Artifact { bytes: Vec::new().into(), ..staged(file) };
    let nothing = templates::render("host/withdraw", context! {})?;
    let nothing = Artifact::private(format!("{NEXT}/apply"), nothing);
    let withdrawn = Artifact::private(NEXT_READY, WITHDRAWN);
    let withdrawal = new.files.iter().map(empty).chain([nothing, withdrawn]).collect();
    Ok(HostSet { id, files, ready, withdrawal })
}
