//! Reads the files of a NoCloud seed other than the user-data.

use super::{LABEL, META_DATA, NETWORK_CONFIG, USER_DATA};
use crate::diag::{Code, Diagnostic, Place, Severity};
use crate::disk::{Disk, Kind};
use crate::names::MachineName;
use crate::shell::Command;
use crate::userdata::budget::Budget;
use crate::userdata::document::{Document, get, kind_of};
use crate::userdata::encoding::Bytes;
use crate::userdata::host_state::HostState;
use crate::userdata::problems::Problems;
use crate::yaml::{Node, Value};

/// A file of a folder or disk.
pub struct Beside {
    pub name: String,
    pub place: Place,
    pub bytes: Bytes,
}

/// Returns whether the files are a NoCloud seed, which has a meta-data file.
pub fn is_seed(files: &[Beside]) -> bool {
    files.iter().any(|file| file.name == META_DATA)
}

/// Returns the files of a disk image. Reports a wrong label.
pub fn on_disk(disk: Disk, place: &Place, problems: &mut Problems) -> Vec<Beside> {
    if !disk.label.eq_ignore_ascii_case(LABEL) {
        let text = format!(
            "has the label `{}`, and cloud-init looks for a disk with the label `cidata`",
            disk.label.escape_debug()
        );
        problems.add(
            place,
            Diagnostic::error(Code::SeedDisk, text)
                .hint("create a seed disk:")
                .run(Command::own(["render", "NAME", "--format", "nocloud", "-o", "seed.img"])),
        );
    }
    let files = disk.files.into_iter();
    files.map(|file| Beside { place: place.within(&file.path), name: file.path, bytes: file.bytes }).collect()
}

/// The name of the kind of disk, for the list of layers.
pub fn layer(kind: Kind) -> &'static str {
    match kind {
        Kind::Fat => "FAT disk",
        Kind::Iso => "ISO 9660 disk",
    }
}

/// Checks meta-data and network-config. A missing file is a problem at `place`.
pub fn check(
    files: &[Beside],
    place: &Place,
    budget: &Budget,
    host: &mut HostState,
    problems: &mut Problems,
) {
    let named = |name: &str| files.iter().find(|file| file.name == name);
    for (name, hint) in [
        (USER_DATA, "an empty file is enough"),
        (META_DATA, "it contains `instance-id: NAME`, and an empty file is enough"),
    ] {
        if named(name).is_none() {
            let text = format!("has no `{name}`, so cloud-init ignores the seed");
            problems.add(place, Diagnostic::error(Code::NoCloudFiles, text).hint(hint));
        }
    }
    if let Some(file) = named(META_DATA) {
        meta_data(file, budget, host, problems);
    }
    if let Some(file) = named(NETWORK_CONFIG) {
        network_config(file, budget, problems);
    }
}

fn read(
    file: &Beside,
    budget: &Budget,
    problems: &mut Problems,
    take: impl FnOnce(&Document, &[(Node, Node)], &mut Problems),
) {
    let Ok(text) = std::str::from_utf8(&file.bytes) else {
        return problems.add(&file.place, Diagnostic::error(Code::UserDataText, "is not UTF-8 text"));
    };
    let Some((document, root)) = Document::read(text, &file.place, budget, problems) else { return };
    match &root.value {
        Value::Map(fields) => take(&document, fields, problems),
        Value::Null => take(&document, &[], problems),
        other => {
            let text = format!("must be a map, got {}", kind_of(other));
            problems.add(&document.place(&root), Diagnostic::error(Code::NoCloudFiles, text));
        }
    }
}

fn meta_data(file: &Beside, budget: &Budget, host: &mut HostState, problems: &mut Problems) {
    read(file, budget, problems, |document, fields, problems| {
        match get(fields, "instance-id") {
            Some(node) => drop(document.text(node, "`instance-id`", problems)),
            None => {
                let text =
                    "has no `instance-id`, so cloud-init uses `nocloud` and does not apply a later seed";
                problems.add(
                    &file.place,
                    Diagnostic::warning(Code::NoCloudFiles, text)
                        .hint("add an `instance-id` that changes with the user-data"),
                );
            }
        }
        if let Some(node) = get(fields, "local-hostname")
            && let Some(name) = document.text(node, "`local-hostname`", problems)
        {
            if let Err(problem) = MachineName::parse(name) {
                let problem = Diagnostic { severity: Severity::Warning, ..problem.about("`local-hostname`") };
                problems.add(&document.place(node), problem);
            }
            host.hostname = Some(name.to_owned());
        }
    });
}

fn network_config(file: &Beside, budget: &Budget, problems: &mut Problems) {
    read(file, budget, problems, |_, fields, problems| {
        if get(fields, "version").or_else(|| get(fields, "network")).is_none() {
            let text = "is not a network-config: it has neither `version` nor `network`";
            problems.add(
                &file.place,
                Diagnostic::error(Code::NoCloudFiles, text).hint("begin with `version: 2`"),
            );
        }
    });
}
