//! Measures `hostseed apply` of many new machines, each with its own CA, and compares it with its limit: bare loops of the same crypto library
//! that make as many P-256 keys and signatures, and that write as many files of the same size and sync them to the disk. They run on as many
//! threads, right after `apply`. `cargo bench --bench apply`, with `HOSTSEED_BENCH_MACHINES=1000` for at most as many machines.

mod measured;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rayon::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use tempfile::TempDir;

use measured::{Usage, is_measuring, measure};

const MACHINES: [usize; 3] = [100, 1_000, 10_000];
/// Measurements of each row, of which the one with the median time counts. A row that takes longer than [`LONG`] is measured once.
const ROUNDS: usize = 3;
const LONG: Duration = Duration::from_secs(2);
/// First argument of the process with the bare loops. After it: the parts, the number of machines, and a machine's folders.
const BARE: &str = "bare-loops";
/// A certificate before it is signed has about as many bytes.
const SIGNED: usize = 400;

fn main() {
    if is_measuring() {
        return;
    }
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == BARE) {
        return bare(&arguments[2..]);
    }
    let most = std::env::var("HOSTSEED_BENCH_MACHINES")
        .map_or(MACHINES[2], |number| number.parse().expect("HOSTSEED_BENCH_MACHINES is a number"));
    let disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // They stay until the end: ext4 does not use the inode of a deleted file for some seconds, and takes longer to find a free one then.
    let mut dirs = Vec::new();
    for (place, on) in [(disk, "a disk"), (Path::new("/dev/shm"), "a tmpfs")] {
        if !place.is_dir() {
            println!("{} is not there: nothing on {on}", place.display());
            continue;
        }
        println!(
            "\n{:<45}  median s  machines/s  CPU s  memory MiB  share of the limit",
            format!("apply on {on}")
        );
        for machines in MACHINES.into_iter().filter(|machines| *machines <= most) {
            compare(place, machines, "address", "    addresses: 10.0.0.0/8\n", &mut dirs);
        }
        for machines in MACHINES.into_iter().filter(|machines| *machines <= most) {
            compare(place, machines, "boot issuer", "", &mut dirs);
        }
    }
}

/// Measures `apply` and its limit in turn, and prints a row for each.
fn compare(place: &Path, machines: usize, kind: &str, option: &str, dirs: &mut Vec<TempDir>) {
    let names = ["keys and signatures alone", "files alone", "keys, signatures and files"];
    let parts = ["keys", "files", "keys+files"];
    let mut usages: [Vec<Usage>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir_in(place).unwrap();
        let fleet =
            format!("fleet: bench\nmachines:\n  - name: ci-{{{{ index }}}}\n    count: {machines}\n{option}");
        fs::write(dir.path().join("fleet.yaml"), fleet).unwrap();
        let store = dir.path().join("store");
        let mut apply = Command::new(env!("CARGO_BIN_EXE_hostseed"));
        apply.args(["apply", "fleet.yaml"]).env("MACHINE_STORAGE_PATH", &store);
        sync(place);
        usages[0].push(measure(&apply, dir.path()));
        for (part, usages) in parts.into_iter().zip(&mut usages[1..]) {
            let out = dir.path().join(part);
            fs::create_dir(&out).unwrap();
            let mut bare = Command::new(std::env::current_exe().unwrap());
            bare.args([BARE, part, &machines.to_string()]);
            bare.args([store.join("machines/ci-1"), store.join("certs/ci-1")]);
            sync(place);
            usages.push(measure(&bare, &out));
        }
        dirs.push(dir);
        if usages[0][0].time > LONG {
            break;
        }
    }
    let median = |mut usages: Vec<Usage>| {
        usages.sort_by_key(|usage| usage.time);
        usages[usages.len() / 2]
    };
    let [apply, bare @ ..] = usages.map(median);
    let row = |name: String, usage: Usage, share: String| {
        let seconds = usage.time.as_secs_f64();
        let (speed, memory) = (machines as f64 / seconds, usage.memory as f64 / 1024.0);
        println!(
            "{name:<45}  {seconds:>8.2}  {speed:>10.0}  {:>5.2}  {memory:>10.1}  {share}",
            usage.cpu.as_secs_f64()
        );
    };
    let share = 100.0 * bare[2].time.as_secs_f64() / apply.time.as_secs_f64();
    row(format!("{machines} machines, {kind}"), apply, format!("{share:.0} %"));
    for (name, usage) in names.into_iter().zip(bare) {
        row(format!("    bare {name}"), usage, String::new());
    }
}

/// Waits until what was written before is on the disk, so that the next command does not wait for it.
fn sync(place: &Path) {
    nix::unistd::syncfs(fs::File::open(place).unwrap()).unwrap();
}

/// Makes the keys and signatures of machines, or writes files like theirs, or both, below the working folder. All is on the disk at the end.
fn bare(arguments: &[String]) {
    let [parts, machines, folders @ ..] = arguments else { panic!("{arguments:?}") };
    let machines: usize = machines.parse().unwrap();
    let folders: Vec<Vec<(PathBuf, Vec<u8>)>> =
        folders.iter().map(|folder| files_in(Path::new(folder))).collect();
    let random = SystemRandom::new();
    (0..machines).into_par_iter().for_each(|n| {
        if parts.contains("keys") {
            let keys = [(); 3]
                .map(|()| EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap());
            let ca =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, keys[0].as_ref(), &random).unwrap();
            for key in &keys {
                let mut certificate = [0; SIGNED];
                certificate[..key.as_ref().len()].copy_from_slice(key.as_ref());
                ca.sign(&random, &certificate).unwrap();
            }
        }
        if parts.contains("files") {
            for (kind, files) in folders.iter().enumerate() {
                let folder = PathBuf::from(format!("{kind}-{n}"));
                fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
                for (name, bytes) in files {
                    let path = folder.join(name);
                    fs::File::options()
                        .create_new(true)
                        .write(true)
                        .mode(0o600)
                        .open(path)
                        .unwrap()
                        .write_all(bytes)
                        .unwrap();
                }
            }
        }
    });
    sync(Path::new("."));
}

/// The names and the contents of the files in a folder.
fn files_in(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into(), fs::read(entry.path()).unwrap())).collect()
}
