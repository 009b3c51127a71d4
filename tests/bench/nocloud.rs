//! Compares `hostseed render --format nocloud --out seed.iso` with genisoimage, which packs existing user-data and meta-data
//! into the same kind of disk. `cargo bench --bench nocloud`.

mod pair;

use std::path::Path;
use std::process::Command;

fn main() {
    if !pair::is_here("genisoimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let seed = dir.path().join("seed");
    for words in [&["create", "web1", "--address", "203.0.113.7", "--quiet"][..], &RENDER] {
        let out = if words == RENDER { vec!["--out", seed.to_str().unwrap()] } else { Vec::new() };
        assert!(hostseed(dir.path()).args(words).args(out).status().unwrap().success());
    }
    for disk in ["seed.iso", "seed.img"] {
        pair::compare(
            (&format!("hostseed render, {disk}"), || {
                let mut render = hostseed(dir.path());
                render.args(RENDER).args(["--out", disk]);
                render
            }),
            ("genisoimage, seed.iso", || {
                let mut genisoimage = Command::new("genisoimage");
                genisoimage
                    .args(["-quiet", "-volid", "cidata", "-joliet", "-rock", "-output", "theirs.iso"])
                    .arg(&seed);
                genisoimage
            }),
        );
    }
}

const RENDER: [&str; 4] = ["render", "web1", "--format", "nocloud"];

fn hostseed(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostseed"));
    command.env("HOME", home).env_remove("MACHINE_STORAGE_PATH");
    command
}
