//! Every case of `golden/` renders to the files in its folder: the seed, the files on the host, the files in the store,
//! and each file's mode. `BLESS=1 cargo test --test host golden` writes the cases.
//!
//! A case is a folder with `command` (a command line without `hostseed`), `spec.yaml`, and, if the command names files,
//! `input`. If a large file differs little from that of another case, only a diff is stored (`setup.diff` in place of
//! `setup`). The certificates and keys are those of `tests/identities`, which were made once with `hostseed create`,
//! because those of a new machine are different each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::extent::in_parallel;
use crate::support::seed::on_the_host;
use crate::support::snapshot::Snapshots;
use crate::support::{Home, files_below, mode};

/// Key types of certificates. Each has a folder in `tests/identities`.
const KINDS: [&str; 5] = ["p256", "p384", "ed25519", "rsa2048", "rsa4096"];

/// Large files that are nearly the same in many cases. These are stored whole, and other files of the same name as a diff
/// against one of them. There are several because `setup` is twice as long with a boot issuer, and `bake.sh` has other
/// payloads with an identity.
const WHOLE: [&str; 5] = [
    "minimal/host/usr/local/lib/hostseed/setup",
    "no-address/host/usr/local/lib/hostseed/setup",
    "no-address/host/usr/local/lib/hostseed/issue",
    "bake-without-identity/bake.sh",
    "bake-with-identity/bake.sh",
];

#[test]
fn each_case_renders_to_its_golden_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut cases: Vec<PathBuf> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The documentation of Terraform's provider has no command; a test beside its source compares it.
    cases.retain(|case| case.join("command").exists());
    cases.sort();
    assert!(cases.len() >= 10);
    let rendered: BTreeMap<PathBuf, Vec<u8>> =
        in_parallel(cases.iter().collect(), 1, |case| render(case)).into_iter().flatten().collect();
    let mut snapshots = Snapshots::default();
    let mut kept = BTreeSet::new();
    for (path, bytes) in &rendered {
        let bases: Vec<PathBuf> = WHOLE.iter().map(|whole| root.join(whole)).collect();
        let bases = bases.into_iter().filter(|base| base.file_name() == path.file_name());
        let bases: Vec<(PathBuf, &[u8])> = bases.map(|base| (base.clone(), &rendered[&base][..])).collect();
        if bases.is_empty() || bases.iter().any(|(base, _)| base == path) {
            snapshots.check(path, bytes);
            kept.insert(path.clone());
        } else {
            kept.insert(snapshots.check_as_diff(path, bytes, &bases));
        }
    }
    for case in &cases {
        for path in files_below(case).iter().filter(|path| !is_input(path)).map(|path| case.join(path)) {
            if !kept.contains(&path) {
                snapshots.gone(&path);
            }
        }
    }
    snapshots.finish("host");
}

/// All files that a case makes, by path.
fn render(case: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let home = Home::new();
    for input in files_below(case).iter().filter(|path| is_input(path)) {
        fs::create_dir_all(home.path().join(input).parent().unwrap()).unwrap();
        fs::copy(case.join(input), home.path().join(input)).unwrap();
    }
    let command = fs::read_to_string(case.join("command")).unwrap();
    let args: Vec<&str> = command.split_whitespace().collect();
    let mut tree = BTreeMap::new();
    let mut modes = Vec::new();

    if args[0] == "render" {
        home.ok(&["create", "-f", "spec.yaml"]);
        let machine = home.machine(args[1]);
        put_identity(case, &machine);
        for file in ["config.json", "env", "machine.yaml"] {
            let bytes = fs::read(machine.join(file)).unwrap();
            tree.insert(Path::new("store/machines").join(args[1]).join(file), at_home(&home, bytes));
        }
        for file in files_below(&home.store()) {
            if file != Path::new("hostseed.lock") {
                modes.push((Path::new("store").join(&file), mode(&home.store().join(file))));
            }
        }
    }

    let out = home.path().join("out");
    let words = [&args[..], &["-o", "out"]].concat();
    home.ok(&words);
    let name = seed_name(&args);
    let mut files = if out.is_dir() { files_below(&out) } else { vec![PathBuf::new()] };
    // The record has the checksums of files with the path of the test's home folder.
    files.retain(|file| file != Path::new(".hostseed.sha256"));
    let rendered: Vec<_> = files
        .iter()
        .map(|file| {
            let path = if out.is_dir() { out.join(file) } else { out.clone() };
            // A `.gitignore` would have an effect in this repository.
            let file = if file == Path::new(".gitignore") { Path::new("gitignore") } else { file };
            let place = if out.is_dir() { Path::new(name).join(file) } else { name.into() };
            (place, mode(&path), fs::read(path).unwrap())
        })
        .collect();
    home.ok(&words);
    for ((place, file_mode, bytes), file) in rendered.into_iter().zip(&files) {
        let path = if out.is_dir() { out.join(file) } else { out.clone() };
        assert!(bytes == fs::read(path).unwrap(), "{}: rendering again gives other bytes", case.display());
        for (path, mode, bytes) in on_the_host(&bytes) {
            modes.push((Path::new("host").join(&path), mode));
            tree.insert(Path::new("host").join(path), bytes);
        }
        modes.push((place.clone(), file_mode));
        tree.insert(place, at_home(&home, bytes));
    }
    modes.sort();
    // A folder can contain one seed in two formats.
    modes.dedup();
    let modes: String = modes.iter().map(|(path, mode)| format!("{mode:04o} {}\n", path.display())).collect();
    tree.insert("modes".into(), modes.into_bytes());
    tree.into_iter().map(|(path, bytes)| (case.join(path), bytes)).collect()
}

/// Replaces the path of the test's store by a fixed one.
fn at_home(home: &Home, bytes: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(bytes) {
        Ok(text) => text.replace(home.store().to_str().unwrap(), "/home/user/.docker/machine").into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// The name of the rendered file or folder in the case.
fn seed_name<'a>(args: &[&'a str]) -> &'a str {
    let format = args.iter().skip_while(|word| **word != "--format").nth(1);
    match format.copied() {
        None if args[0] == "bake" => "bake.sh",
        None | Some("cloud-config" | "mime") => "user-data",
        Some("bake") => "bake.sh",
        Some("script") => "user-data.sh",
        Some("ignition") => "config.ign",
        Some("imagebuilder") => "component.yaml",
        Some(folder) => folder,
    }
}

/// Replaces a machine's identity, which differs each time, by a stored one. A case whose output shows more of its
/// certificate than the size has its own identity.
fn put_identity(case: &Path, machine: &Path) {
    let plan = fs::read_to_string(machine.join("machine.yaml")).unwrap();
    let kind = KINDS.iter().find(|kind| plan.contains(&format!("key: \"{kind}\""))).unwrap();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identities");
    let own = all.join(case.file_name().unwrap());
    let identity = if own.exists() { own } else { all.join(kind) };
    for file in ["ca.pem", "server.pem", "server-key.pem", "issuer.pem", "issuer-key.pem"] {
        if machine.join(file).exists() {
            fs::write(machine.join(file), fs::read(identity.join(file)).unwrap()).unwrap();
        }
    }
}

/// Whether a file is an input of the case and not rendered.
fn is_input(path: &Path) -> bool {
    path == Path::new("command") || path == Path::new("spec.yaml") || path.starts_with("input")
}
