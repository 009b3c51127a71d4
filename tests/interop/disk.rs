//! Reads seed disks with other programs: blkid as udev and cloud-init use it, mtools, isoinfo, fsck.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Home, mode, need, run};

const FILES: [&str; 3] = ["meta-data", "network-config", "user-data"];
const NETWORK: &str = "version: 2\nethernets: {cable: {match: {name: \"en*\"}, dhcp4: true}}\n";

/// Creates a machine. Returns its seed in the folder `seed`, and disks with the same files.
fn seed(home: &Home) -> (PathBuf, PathBuf, PathBuf) {
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    fs::write(home.path().join("network"), NETWORK).unwrap();
    let render = |out: &str| {
        home.ok(&["render", "web1", "--format", "nocloud", "--network-config", "network", "--out", out]);
        home.path().join(out)
    };
    (render("seed"), render("seed.img"), render("seed.iso"))
}

fn output(program: &str, args: &[&str], file: &Path) -> Vec<u8> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    // The program expects the image's path as its first or last argument.
    match args {
        ["-i", rest @ ..] => command.arg("-i").arg(file).args(rest),
        _ => command.args(args).arg(file),
    };
    run(command.env("PATH", path)).stdout
}

fn text(program: &str, args: &[&str], file: &Path) -> String {
    String::from_utf8(output(program, args, file)).unwrap()
}

#[test]
fn blkid_shows_the_label_that_cloud_init_expects() {
    if !need("blkid") {
        return;
    }
    let home = Home::new();
    let (_, img, iso) = seed(&home);
    for (file, kind) in [(img, "vfat"), (iso, "iso9660")] {
        let tags = text("blkid", &["--probe", "--output", "export"], &file);
        assert!(tags.lines().any(|line| line == "LABEL=CIDATA"), "{tags}");
        assert!(tags.lines().any(|line| line == format!("TYPE={kind}")), "{tags}");
    }
}

#[test]
fn mtools_finds_the_files_of_the_seed_and_nothing_else() {
    if !need("mdir") || !need("mtype") {
        return;
    }
    let home = Home::new();
    let (seed, img, _) = seed(&home);
    let names = text("mdir", &["-i", "-b", "::"], &img);
    assert_eq!(names.lines().collect::<Vec<_>>(), FILES.map(|name| format!("::/{name}")));
    for name in FILES {
        let bytes = output("mtype", &["-i", &format!("::/{name}")], &img);
        assert!(bytes == fs::read(seed.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn fsck_accepts_the_disk() {
    if !need("fsck.fat") {
        return;
    }
    let home = Home::new();
    let (_, img, _) = seed(&home);
    let said = text("fsck.fat", &["-n", "-v"], &img);
    assert!(said.contains(&format!("{}: 4 files, ", img.display())), "with the label: {said}");
}

#[test]
fn isoinfo_finds_the_files_of_the_seed_by_rock_ridge_and_by_joliet() {
    if !need("isoinfo") {
        return;
    }
    let home = Home::new();
    let (seed, _, iso) = seed(&home);
    for names in ["-R", "-J"] {
        let listed = text("isoinfo", &["-i", names, "-f"], &iso);
        assert_eq!(listed.lines().collect::<Vec<_>>(), FILES.map(|name| format!("/{name}")), "{names}");
        for name in FILES {
            let bytes = output("isoinfo", &["-i", names, "-x", &format!("/{name}")], &iso);
            assert!(bytes == fs::read(seed.join(name)).unwrap(), "{names} {name}");
        }
    }
    // On a mounted disk the key belongs to root.
    let modes = text("isoinfo", &["-i", "-R", "-l"], &iso);
    let user_data = modes.lines().find(|line| line.ends_with("user-data ")).unwrap();
    assert!(user_data.starts_with("-rw-------   1    0    0 "), "{modes}");
}

#[test]
fn xorriso_reads_the_volume() {
    if !need("xorriso") {
        return;
    }
    let home = Home::new();
    let (seed, _, iso) = seed(&home);
    let into = home.path().join("taken");
    let mut xorriso = Command::new("xorriso");
    xorriso
        .args(["-abort_on", "WARNING", "-osirrox", "on", "-indev"])
        .arg(&iso)
        .args(["-extract", "/"])
        .arg(&into);
    run(&mut xorriso);
    assert_eq!(crate::support::files_below(&into), FILES.map(PathBuf::from));
    for name in FILES {
        assert!(fs::read(into.join(name)).unwrap() == fs::read(seed.join(name)).unwrap(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_disk_is_readable_only_by_its_owner() {
    let home = Home::new();
    let (_, img, iso) = seed(&home);
    assert_eq!([mode(&img), mode(&iso)], [0o600; 2]);
}

#[test]
fn a_disk_does_not_depend_on_the_time() {
    if !need("faketime") {
        return;
    }
    let home = Home::new();
    let (_, img, iso) = seed(&home);
    for disk in [img, iso] {
        let before = fs::read(&disk).unwrap();
        fs::remove_file(&disk).unwrap();
        let mut later = Command::new("faketime");
        later.args(["+40 days", env!("CARGO_BIN_EXE_hostseed"), "render", "web1", "--format", "nocloud"]);
        later.args(["--network-config", "network", "--out"]).arg(&disk);
        later.env("HOME", home.path()).env_remove("MACHINE_STORAGE_PATH").current_dir(home.path());
        run(&mut later);
        assert!(fs::read(&disk).unwrap() == before, "{}", disk.display());
    }
}
