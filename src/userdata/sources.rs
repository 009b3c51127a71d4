//! Finds the seeds in an input. The input is user-data itself, or a file or folder that contains user-data once or several times.

use std::collections::HashSet;
use std::rc::Rc;

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::budget::Budget;
use super::budget::MAX_BYTES;
use super::content_type::Kind;
use super::encoding::{self, Bytes, Shared};
use super::host_state::HostState;
use super::json::Candidate;
use super::nocloud::{self, Beside};
use super::open::open;
use super::problems::Problems;
use super::seed::{Part, Seed};
use super::{component, ignition, json, mime};
use crate::diag::{Code, Diagnostic, Place};
use crate::disk;
use crate::shell::Command;

/// An input of `verify`.
pub enum Input {
    /// A file's name and bytes. If the file is larger than [`MAX_BYTES`], only `MAX_BYTES + 1` bytes of it.
    File(String, Bytes),
    /// A folder's path, and its files with their names inside the folder. If they are larger than [`MAX_BYTES`] together, only
    /// `MAX_BYTES + 1` bytes of them.
    Folder(String, Vec<(String, Bytes)>),
}

impl Input {
    /// The name at the beginning of the place of each problem.
    pub fn name(&self) -> &str {
        match self {
            Self::File(name, _) | Self::Folder(name, _) => name,
        }
    }
}

/// Returns all seeds in the input. The [`HostState`] of each one has the facts that are known from outside the user-data, such as
/// the hostname in meta-data.
pub fn seeds(input: Input, budget: &Budget, problems: &mut Problems) -> Vec<(Seed, HostState)> {
    match input {
        Input::File(name, bytes) => file(Rc::new(bytes), &Place::file(&name), budget, problems),
        Input::Folder(name, files) => {
            let place = Place::file(&name);
            if files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > MAX_BYTES {
                problems.add(&place, too_large());
                return Vec::new();
            }
            let beside = |(file, bytes): (String, Bytes)| Beside {
                place: Place::file(&format!("{}/{file}", name.trim_end_matches('/'))),
                name: file,
                bytes,
            };
            folder(files.into_iter().map(beside).collect(), &place, budget, problems)
        }
    }
}

fn file(bytes: Shared, place: &Place, budget: &Budget, problems: &mut Problems) -> Vec<(Seed, HostState)> {
    if bytes.len() > MAX_BYTES {
        problems.add(place, too_large());
        return Vec::new();
    }
    if bytes.starts_with(b"QFI\xfb") {
        let problem = Diagnostic::error(Code::SeedDisk, "is a qcow2 disk, which hostseed does not support");
        problems.add(
            place,
            problem
                .hint("if it is a seed disk, convert it:")
                .run(Command::of("qemu-img", ["convert", "-O", "raw", "FILE", "seed.img"])),
        );
        return Vec::new();
    }
    if let Some(kind) = disk::Kind::of(&bytes) {
        return on_disk(kind, bytes, place, budget, problems);
    }
    // Some of the following checks search the whole text.
    if !budget.take(4 * bytes.len()) {
        return Vec::new();
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return vec![(open(&bytes, place, budget, problems), HostState::default())];
    };
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let is_list = start.starts_with('[') && serde_json::from_str::<IgnoredAny>(start).is_ok();
    if is_list || start.starts_with('{') && !is_ignition(start) {
        return in_json(bytes, place, budget, problems);
    }
    if Kind::of(text).is_none() && component::is_component(text) {
        let mut host = HostState::default();
        let seed = component::open(text, place, budget, &mut host, problems);
        return vec![(seed, host)];
    }
    if Kind::of(text).is_none() && (is_hcl_file(&place.name()) || assigns_user_data(text)) {
        problems.add(place, not_read());
        return Vec::new();
    }
    vec![(open(&bytes, place, budget, problems), HostState::default())]
}

fn too_large() -> Diagnostic {
    let text = format!("is larger than {} MiB, the limit of `verify`", MAX_BYTES >> 20);
    Diagnostic::error(Code::VerifyLimit, text)
}

/// Returns whether the file name is that of a Packer or Terraform file.
fn is_hcl_file(name: &str) -> bool {
    [".tf", ".tfvars", ".hcl"].iter().any(|end| name.ends_with(end))
}

/// Returns whether a text is probably HCL, or Terraform's output for humans: it assigns something to a name for user-data.
fn assigns_user_data(text: &str) -> bool {
    // A line of base64 can have `=` at its end, and is no name.
    const LONGEST: usize = 1000;
    let is_name = |name: &str| {
        let name = name.trim_matches(|c: char| c.is_whitespace() || "+-~\"".contains(c));
        name.len() <= LONGEST
            && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
            && json::is_user_data(name)
    };
    let assigns = |line: &str| line.split_once('=').is_some_and(|(name, _)| is_name(name));
    !text.starts_with('{') && !mime::is_message(text) && text.lines().any(assigns)
}

fn not_read() -> Diagnostic {
    let text = "is HCL or Terraform's human-readable output, which hostseed does not support";
    let verify =
        |words: &[&str]| Command::own(["verify", "-"]).after(Command::of("terraform", words.iter().copied()));
    Diagnostic::error(Code::HclNotRead, text)
        .hint("let Terraform print JSON, or the user-data itself:")
        .run(verify(&["show", "-json"]))
        .run(verify(&["output", "-raw", "NAME"]))
}

/// Returns whether a text is an Ignition config: it begins with `ignition`, or has `ignition.version` somewhere, as no other JSON.
fn is_ignition(text: &str) -> bool {
    let bare: String = text.chars().take(200).filter(|c| !c.is_whitespace()).collect();
    bare.to_lowercase().starts_with("{\"ignition\":")
        || (bare.starts_with('{')
            && ignition::names_itself(text)
            && !text.contains("\"format_version\"")
            && ignition::has_version(text))
}

fn in_json(bytes: Shared, place: &Place, budget: &Budget, problems: &mut Problems) -> Vec<(Seed, HostState)> {
    let Some(value) = json::read(&bytes, place, budget, problems) else { return Vec::new() };
    // The value has all texts. From here on, the input would only take memory.
    drop(bytes);
    let candidates = json::candidates(value, place, budget, problems);
    open_each(candidates, place, budget, problems)
}

/// Opens each candidate, but each seed only once: Terraform shows a value at its definition, at its uses, and in outputs.
fn open_each(
    candidates: Vec<Candidate>,
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Vec<(Seed, HostState)> {
    let (mut given, mut opened) = (HashSet::new(), HashSet::new());
    let mut seeds = Vec::new();
    let before = problems.count();
    for Candidate { place, bytes } in candidates {
        let decoded = encoding::is_base64(&bytes).then(|| encoding::unbase64(&bytes, budget).ok()).flatten();
        if !is_new(&[decoded.as_ref().unwrap_or(&bytes)], &mut given) {
            continue;
        }
        drop(decoded);
        let seed = open(&Rc::new(bytes), &place, budget, problems);
        let parts: Vec<&[u8]> = seed.parts.iter().map(|part| &part.bytes[..]).collect();
        if seed.parts.is_empty() || is_new(&parts, &mut opened) {
            seeds.push((seed, HostState::default()));
        }
    }
    if seeds.is_empty() && problems.count() == before {
        let problem = Diagnostic::error(Code::NoUserData, "contains no user-data");
        problems.add(
            place,
            problem
                .hint("`verify` looks for strings that begin with `#cloud-config` or `#!`, MIME, Ignition, and base64 of these"),
        );
    }
    seeds
}

fn is_new(texts: &[&[u8]], seen: &mut HashSet<[u8; 32]>) -> bool {
    let mut digest = Sha256::new();
    texts.iter().for_each(|text| digest.update(text.trim_ascii()));
    seen.insert(digest.finalize().into())
}

fn on_disk(
    kind: disk::Kind,
    bytes: Shared,
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Vec<(Seed, HostState)> {
    let mut work = 0;
    let read = disk::read(&bytes, &mut work);
    // The files are copies.
    drop(bytes);
    if !budget.take(work) {
        return Vec::new();
    }
    let files = match read {
        Ok(disk) => nocloud::on_disk(disk, place, problems),
        Err(error) => {
            problems.add(
                place,
                Diagnostic::error(
                    Code::SeedDisk,
                    format!(
                        "cannot be read as a seed disk ({}): {}",
                        nocloud::layer(kind),
                        error.root_cause()
                    ),
                ),
            );
            return Vec::new();
        }
    };
    let mut seeds = vec![no_cloud(files, place, budget, problems)];
    for (seed, _) in &mut seeds {
        seed.layers.insert(0, nocloud::layer(kind));
    }
    seeds
}

/// Opens a NoCloud seed, or a Packer or Terraform folder that contains seeds.
fn folder(
    files: Vec<Beside>,
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Vec<(Seed, HostState)> {
    if nocloud::is_seed(&files) || files.iter().any(|file| file.name == "user-data") && files.len() == 1 {
        return vec![no_cloud(files, place, budget, problems)];
    }
    let (seeds, beside): (Vec<_>, Vec<_>) = files.into_iter().partition(looks_like_seed);
    let no_seeds = seeds.is_empty();
    let candidates: Vec<Candidate> =
        seeds.into_iter().map(|Beside { place, bytes, .. }| Candidate { place, bytes }).collect();
    // The folder's user-data may be written in HCL.
    if no_seeds && beside.iter().any(|file| is_hcl_file(&file.name)) {
        problems.add(place, not_read());
        return Vec::new();
    }
    let mut found = open_each(candidates, place, budget, problems);
    if let Some((first, _)) = found.first_mut() {
        first.parts.extend(beside.into_iter().map(part_beside));
    }
    found
}

/// Returns whether the file has a seed's name, or else begins like one.
fn looks_like_seed(file: &Beside) -> bool {
    let name = file.name.as_str();
    let named = name.starts_with("user-data") || name.ends_with(".ign") || name.ends_with(".gz");
    let begins = std::str::from_utf8(&file.bytes).is_ok_and(|text| {
        matches!(Kind::of(text), Some(Kind::CloudConfig | Kind::Script)) || component::is_component(text)
    });
    named || begins
}

fn no_cloud(
    files: Vec<Beside>,
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> (Seed, HostState) {
    let mut host = HostState::default();
    nocloud::check(&files, place, budget, &mut host, problems);
    let mut seed = Seed { place: place.clone(), layers: vec![], sent: None, parts: Vec::new() };
    for file in files {
        if file.name != "user-data" {
            seed.parts.push(part_beside(file));
            continue;
        }
        if encoding::is_base64(&file.bytes) {
            let problem = Diagnostic::error(
                Code::WrongLayer,
                "is base64, which cloud-init does not decode in a NoCloud seed",
            );
            problems.add(&file.place, problem.hint("decode it"));
        }
        let opened = open(&Rc::new(file.bytes), &file.place, budget, problems);
        seed.layers.extend(opened.layers);
        seed.parts.extend(opened.parts);
    }
    seed.layers.insert(0, "NoCloud");
    (seed, host)
}

fn part_beside(file: Beside) -> Part {
    Part { place: file.place, kind: Kind::Beside, bytes: Rc::new(file.bytes), merge: None, file: None }
}
