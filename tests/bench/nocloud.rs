//! Compares `hostseed render --format nocloud --out seed.iso` with genisoimage, which packs existing user-data and meta-data
//! into the same kind of disk. `cargo bench --bench nocloud`.

#[expect(dead_code, reason = "shared by all benchmarks")]
mod table;

use std::path::Path;
use std::process::Command;

use table::Row;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let seed = dir.path().join("seed");
    for words in [&["create", "web1", "--address", "203.0.113.7", "--quiet"][..], &RENDER] {
        let out = if words == RENDER { vec!["--out", seed.to_str().unwrap()] } else { Vec::new() };
        assert!(hostseed(dir.path()).args(words).args(out).status().unwrap().success());
    }
    let render = |disk: &'static str| {
        Row::new(format!("hostseed render, {disk}"), || {
            let mut render = hostseed(dir.path());
            render.args(RENDER).args(["--out", disk]);
            render
        })
    };
    let mut rows = vec![render("seed.iso"), render("seed.img")];
    if table::is_here("genisoimage") {
        rows.push(Row::new("genisoimage, seed.iso", || {
            let mut genisoimage = Command::new("genisoimage");
            genisoimage
                .args(["-quiet", "-volid", "cidata", "-joliet", "-rock", "-output", "theirs.iso"])
                .arg(&seed);
            genisoimage
        }));
    } else {
        println!("genisoimage is not installed: no row for it");
    }
    table::compare("a seed disk", dir.path(), rows);
}

const RENDER: [&str; 4] = ["render", "web1", "--format", "nocloud"];

fn hostseed(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostseed"));
    command.env("HOME", home).env_remove("MACHINE_STORAGE_PATH");
    command
}
