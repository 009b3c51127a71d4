//! Names of the files that hostseed and Docker Machine create. All other files in a machine's folder belong to the user.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::client::{CLIENTS, FILES};
use super::files::{self, Action};
use crate::names::{ClientName, MachineName};

/// Files of a machine's folder that only the owner may read. They contain a private key, or can contain secrets (values
/// of a spec, or a Docker Machine driver's settings in `config.json`), or are of no use to others.
pub const KEYS: [&str; 9] = [
    "key.pem",
    "server-key.pem",
    "issuer-key.pem",
    "user-data",
    "id_rsa",
    "config.json",
    "machine.yaml",
    "env",
    FLEET,
];
/// Files of a machine's folder that are world-readable. They decide whom clients trust.
pub const OTHERS: [&str; 5] = ["ca.pem", "cert.pem", "server.pem", "issuer.pem", "id_rsa.pub"];
/// The files of a machine's folder that describe it and its identity. A change replaces them together.
pub const IDENTITY: [&str; 9] = [
    "ca.pem",
    "cert.pem",
    "key.pem",
    "server.pem",
    "server-key.pem",
    "issuer.pem",
    "issuer-key.pem",
    "machine.yaml",
    "user-data",
];
/// The file in a machine's folder with the name of the machine's fleet.
pub const FLEET: &str = "fleet";
/// The folder in a machine's folder with the files from before a change, under the same names.
pub const PREVIOUS: &str = "previous";
/// The file in the folder of previous files with the sets that the host may have got.
pub const SENT: &str = "sent";
/// The files of a machine's own CA.
const AUTHORITY: [&str; 2] = ["ca.pem", "ca-key.pem"];

/// Other files that Docker Machine's drivers create in a machine's folder: disks, the ISO image that they boot, and the
/// hypervisor's records (docker/machine, `drivers/*`: virtualbox, hyperv, vmwarefusion; the kvm, xhyve and parallels
/// plugins).
const DRIVER_FILES: [&str; 8] = [
    "boot2docker.iso",
    "userdata.tar",
    "disk.vmdk",
    "disk.vhd",
    "fixed.vhd",
    "vmware.log",
    "root-volume.sparsebundle",
    "Virtual Machines",
];
/// Extensions of the driver files that are named after the machine. VirtualBox's files are in a folder of that name,
/// without an extension.
const DRIVER_EXTENSIONS: [&str; 13] =
    ["img", "rawdisk", "qcow2", "hdd", "pvm", "vmdk", "vmx", "vmxf", "vmsd", "nvram", "plist", "pid", "vmem"];

/// Lists the files in a machine's folder that neither hostseed nor Docker Machine created. `has_driver` says whether a
/// Docker Machine driver keeps its VM in this folder.
pub fn foreign_to_machine(
    dir: &Path,
    name: &MachineName,
    has_driver: impl Fn() -> bool,
) -> Result<Vec<PathBuf>> {
    let is_previous = |path: &Path, file: &str| {
        file == PREVIOUS && path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
    };
    let clients = dir.join(CLIENTS);
    let mut found = foreign(dir, |path, file| {
        let is_known = (KEYS.contains(&file) || OTHERS.contains(&file)) && !path.is_dir();
        let is_folder_of_ours = is_previous(path, file) || path == clients && is_folder(path);
        is_known || is_folder_of_ours || is_drivers(file, name) && has_driver()
    })?;
    let previous = dir.join(PREVIOUS);
    if is_previous(&previous, PREVIOUS) {
        found.extend(foreign(&previous, |path, file| {
            (IDENTITY.contains(&file) || AUTHORITY.contains(&file) || file == SENT) && !path.is_dir()
        })?);
    }
    if is_folder(&clients) {
        found.extend(foreign_to_clients(&clients)?);
    }
    Ok(found)
}

/// A file in a machine's folder that a driver of Docker Machine keeps there for its VM.
pub fn driver_file(dir: &Path, name: &MachineName) -> Result<Option<PathBuf>> {
    let failed = |error| files::failed(Action::Read, dir, &error);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.file_name().and_then(|file| file.to_str()).is_some_and(|file| is_drivers(file, name)) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Lists the files in the folder of a client that hostseed did not create.
pub fn foreign_to_client(dir: &Path) -> Result<Vec<PathBuf>> {
    foreign(dir, |path, file| FILES.contains(&file) && !path.is_dir())
}

/// Lists the files below the folder of a machine's clients that hostseed did not create.
fn foreign_to_clients(clients: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let mut found = foreign(clients, |path, file| {
        let is_client = ClientName::parse(file).is_ok() && is_folder(path);
        folders.extend(is_client.then(|| path.to_owned()));
        is_client
    })?;
    for folder in folders {
        found.extend(foreign_to_client(&folder)?);
    }
    Ok(found)
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

/// Returns whether a file of a machine's folder belongs to the VM of a Docker Machine driver, such as its disk.
pub fn is_drivers(file: &str, name: &MachineName) -> bool {
    let is_named = match file.strip_prefix(name.as_str()) {
        Some("") => true,
        Some(extension) => {
            extension.strip_prefix('.').is_some_and(|extension| DRIVER_EXTENSIONS.contains(&extension))
        }
        None => false,
    };
    is_named || DRIVER_FILES.contains(&file)
}

/// Lists the files in the folder of a machine's own CA that do not belong to the CA.
pub fn foreign_to_authority(dir: &Path) -> Result<Vec<PathBuf>> {
    foreign(dir, |path, file| AUTHORITY.contains(&file) && !path.is_dir())
}

fn foreign(dir: &Path, mut is_known: impl FnMut(&Path, &str) -> bool) -> Result<Vec<PathBuf>> {
    let failed = |error| files::failed(Action::Read, dir, &error);
    if !dir.symlink_metadata().map_err(failed)?.is_dir() {
        return Ok(vec![dir.to_owned()]);
    }
    let mut foreign = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_ours =
            path.file_name().and_then(|file| file.to_str()).is_some_and(|file| is_known(&path, file));
        if !is_ours {
            foreign.push(path);
        }
    }
    foreign.sort();
    Ok(foreign)
}
