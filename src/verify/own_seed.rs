//! Rule: a seed that hostseed rendered is complete. Its manifest and the settings of its `setup` list its files with their SHA-256, and
//! the settings list the path of each file on the host.

use crate::diag::{Code, Diagnostic, Place, counted};
use crate::digest::sha256;
use crate::userdata::budget::Budget;
use crate::userdata::host_state::{File, HostState};
use crate::userdata::manifest::{Entry, Found, Manifest};
use crate::userdata::paths::{self, SETTINGS, SETUP};
use crate::userdata::problems::{FETCH_AGAIN, Problems};
use crate::userdata::setup::{self, Setup};

/// Checks the seed, and moves its files to the paths where `setup` installs them. None if there is no readable `setup`.
pub fn check(host: &mut HostState, seed: &Place, budget: &Budget, problems: &mut Problems) -> Option<Setup> {
    let manifests = std::mem::take(&mut host.manifests);
    let is_ours = !manifests.is_empty() || host.unmarked.is_some();
    if let Some(place) = &host.unmarked {
        let problem = Diagnostic::error(Code::ManifestMissing, "contains hostseed's files but no manifest");
        problems.add(place, problem.hint(FETCH_AGAIN));
    }
    for Found { place, lines, manifest } in manifests {
        match manifest {
            Ok(manifest) => {
                check_manifest(&manifest, &place, host, budget, problems);
                if let Some(wanted) = manifest.lines.filter(|wanted| *wanted > lines) {
                    let text =
                        format!("has {}, but hostseed rendered {wanted}", counted(lines as u64, "line"));
                    problems.add(&place, Diagnostic::error(Code::PayloadMissing, text).hint(FETCH_AGAIN));
                }
            }
            Err(problem) => problems.add(&place, problem),
        }
    }
    if host.ignition {
        return None;
    }
    check_setup(host, is_ours, seed, budget, problems)
}

/// Checks that all files of the manifest are present and unchanged.
fn check_manifest(
    manifest: &Manifest,
    place: &Place,
    host: &mut HostState,
    budget: &Budget,
    problems: &mut Problems,
) {
    for Entry { sha256: sum, path, .. } in &manifest.files {
        let staged = paths::staged(path);
        let reported = |path: &str| host.unreadable.contains(path) || host.damaged.contains(path);
        if !budget.take(64 + 2 * path.len()) {
            return;
        }
        if reported(path) || reported(&staged) {
            continue;
        }
        let Some(file) = host.file(&staged).or_else(|| host.file(path)) else {
            let missing = if host.ignition || path == SETUP { path } else { &staged };
            let text = format!("`{missing}` is missing: the manifest lists it");
            problems.add(place, Diagnostic::error(Code::PayloadMissing, text).hint(FETCH_AGAIN));
            host.damaged.insert(staged);
            continue;
        };
        if !budget.take(file.bytes.len()) {
            return;
        }
        if sha256(&file.bytes) != *sum {
            report_damage(&file.path, sum, &file.place, problems);
            host.damaged.insert(staged);
        }
    }
    for (phase, sum) in &manifest.phases {
        let problem = match host.phases.get(phase) {
            Some(found) if found == sum => continue,
            Some(_) => {
                let text = format!("the script of the phase `{phase}` is damaged: its SHA-256 is not {sum}");
                Diagnostic::error(Code::PayloadDamaged, text).hint(FETCH_AGAIN)
            }
            None => {
                let text = format!("the script of the phase `{phase}` is missing: the manifest lists it");
                Diagnostic::error(Code::PayloadMissing, text).hint(FETCH_AGAIN)
            }
        };
        problems.add(place, problem);
    }
}

fn report_damage(path: &str, sum: &str, place: &Place, problems: &mut Problems) {
    let text = format!("`{path}` is damaged: its SHA-256 is not {sum}");
    problems.add(place, Diagnostic::error(Code::PayloadDamaged, text).hint(FETCH_AGAIN));
}

/// Checks that `setup` is present, that it runs, and that it lists the staged files.
fn check_setup(
    host: &mut HostState,
    is_ours: bool,
    seed: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<Setup> {
    let Some(file) = host.file(SETUP) else {
        if is_ours && !host.unreadable.contains(SETUP) {
            let text = format!("was rendered by hostseed but lacks `{SETUP}`, which installs its files");
            problems.add(seed, Diagnostic::error(Code::PayloadMissing, text).hint(FETCH_AGAIN));
        }
        return None;
    };
    if !budget.take(4 * file.bytes.len()) {
        return None;
    }
    let (text, place) = (file.text().into_owned(), file.place.clone());
    if file.mode & 0o100 == 0 {
        let text = format!("`{SETUP}` is not executable (mode {:04o})", file.mode);
        problems.add(&place, Diagnostic::error(Code::SetupUnusable, text).hint("set mode 0755"));
    }
    for file in [SETUP, SETTINGS].iter().filter_map(|path| host.file(path)) {
        check_writer(file, problems);
    }
    if !host.runs_setup {
        let text = format!("contains `{SETUP}`, but no command runs it");
        problems.add(&place.at(None), Diagnostic::error(Code::SetupUnusable, text).hint(FETCH_AGAIN));
    }
    let (settings, lists) = match host.file(SETTINGS) {
        _ if !setup::reads_settings(&text) => (None, SETUP),
        Some(file) if !budget.take(4 * file.bytes.len()) => return None,
        Some(file) => (Some(file.text().into_owned()), SETTINGS),
        None if host.unreadable.contains(SETTINGS) => return None,
        None => {
            let text = format!("`{SETTINGS}` is missing: `setup` reads it");
            problems.add(&place, Diagnostic::error(Code::PayloadMissing, text).hint(FETCH_AGAIN));
            return None;
        }
    };
    let setup = Setup::read(&text, settings.as_deref());
    if setup.payloads.is_none() {
        let text = format!("`{lists}` is not hostseed's, or is cut short: it has no list of files");
        problems.add(&place, Diagnostic::error(Code::SetupUnusable, text).hint("render the user-data again"));
    }
    for payload in setup.payloads.iter().flatten() {
        put_in_place(host, payload, &place, problems);
    }
    for file in host.files().iter().filter(|file| paths::is_staged(&file.path)) {
        let text = format!("`{}` is in the user-data, but `setup` does not install it", file.path);
        problems.add(
            &file.place,
            Diagnostic::error(Code::SetupUnusable, text).hint("render the user-data again"),
        );
    }
    setup::attach(host, &text, &place, budget, problems);
    Some(setup)
}

/// Checks that only root can change a file whose commands root runs.
fn check_writer(file: &File, problems: &mut Problems) {
    let how = match file.foreign_owner() {
        Some(owner) => format!("belongs to `{}`", owner.escape_debug()),
        None if file.mode & 0o022 != 0 => {
            format!("can be changed by other users than root (mode {:04o})", file.mode)
        }
        None => return,
    };
    let text = format!("`{}` {how}, and root runs its commands", file.path);
    let mode = if file.path == SETUP { "0755" } else { "0600" };
    let hint = format!("set mode {mode}, and leave out the owner, which is root then");
    problems.add(&file.place, Diagnostic::error(Code::SetupUnusable, text).hint(hint));
}

/// Checks one payload and moves it to its path: it must be present and unchanged, and only root may read a private key.
fn put_in_place(host: &mut HostState, payload: &Entry, setup: &Place, problems: &mut Problems) {
    let Entry { sha256: sum, mode, path } = payload;
    let staged = paths::staged(path);
    let Some(file) = host.file(&staged) else {
        if host.unreadable.contains(&staged) {
            host.unreadable.insert(path.clone());
        } else if !host.damaged.contains(&staged) {
            let text = format!("`{staged}` is missing: `setup` needs it to install `{path}`");
            problems.add(setup, Diagnostic::error(Code::PayloadMissing, text).hint(FETCH_AGAIN));
        }
        return;
    };
    if !host.damaged.contains(&staged) && sha256(&file.bytes) != *sum {
        report_damage(&staged, sum, &file.place, problems);
    }
    if file.is_shared() && String::from_utf8_lossy(&file.bytes).contains("PRIVATE KEY") {
        let text = format!(
            "`{staged}` contains a private key and is accessible to other users than root (mode {:04o})",
            file.mode
        );
        problems.add(&file.place, Diagnostic::error(Code::ReadableKey, text).hint("set mode 0600"));
    }
    host.rename(&staged, path, *mode);
}
