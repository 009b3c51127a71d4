//! The user's own files in an output folder, and the changes that the user made to hostseed's, are not replaced unless `--force`
//! says so.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::planted::fifo;
use crate::support::{Home, files_below, is_printed, mode, need, run};

/// The commands that write a folder, without the folder.
const FOLDERS: [&[&str]; 4] = [
    &["render", "web1", "--format", "terraform", "--out"],
    &["render", "web1", "--format", "packer", "--out"],
    &["render", "web1", "--format", "nocloud", "--out"],
    &["bake", "--format", "packer", "--out"],
];

fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home
}

/// All files of a folder with their contents.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files_below(dir).into_iter().map(|file| (file.clone(), fs::read(dir.join(file)).unwrap())).collect()
}

/// Runs a command that writes to the folder `out`, and checks that it changes nothing and names all of these files.
#[track_caller]
fn refused(home: &Home, args: &[&str], names: &[&str]) -> String {
    let out = home.path().join("out");
    let before = contents(&out);
    let stderr = home.fails(1, &[args, &["out"]].concat());
    assert!(
        is_printed(&stderr, "error[would-overwrite] `out` has files that hostseed did not write"),
        "{stderr}"
    );
    for name in names {
        assert!(stderr.contains(&format!("`{name}`")), "{name}: {stderr}");
    }
    assert!(stderr.contains("`--force`"), "{stderr}");
    assert_eq!(contents(&out), before);
    stderr
}

/// Runs a command that writes to the folder `out`.
#[track_caller]
fn accepted(home: &Home, args: &[&str]) {
    home.ok(&[args, &["out"]].concat());
}

#[test]
fn files_of_the_users_own_stay_and_all_are_named() {
    for args in FOLDERS {
        let home = home();
        accepted(&home, args);
        let out = home.path().join("out");
        let names: Vec<String> =
            files_below(&out).iter().map(|file| file.to_str().unwrap().to_owned()).collect();
        let theirs: Vec<&str> =
            names.iter().map(String::as_str).filter(|name| !name.starts_with(".hostseed")).collect();
        let rendered = contents(&out);
        fs::remove_dir_all(&out).unwrap();
        fs::create_dir(&out).unwrap();
        for name in &theirs {
            fs::write(out.join(name), "mine\n").unwrap();
            run(Command::new("chmod").arg("600").arg(out.join(name)));
        }
        fs::write(out.join("notes"), "notes\n").unwrap();
        refused(&home, args, &theirs);
        accepted(&home, &force(args));
        let mut now = contents(&out);
        assert_eq!(now.remove(Path::new("notes")).unwrap(), b"notes\n");
        for (name, bytes) in &rendered {
            // `--force` keeps the lines of a `.gitignore`, and the record tells that.
            if name.to_str().is_some_and(|name| name == ".gitignore" || name == ".hostseed.sha256") {
                continue;
            }
            assert_eq!(&now[name], bytes, "{args:?} {}", name.display());
        }
        // hostseed wrote this file with `--force`, so it is hostseed's.
        accepted(&home, args);
    }
}

/// The command with `--force`. The folder comes last.
fn force(args: &[&'static str]) -> Vec<&'static str> {
    let (out, before) = args.split_last().unwrap();
    [before, &["--force", *out]].concat()
}

#[test]
fn changes_to_hostseeds_files_stay() {
    for (args, file) in
        FOLDERS.into_iter().zip(["outputs.tf", "sources.pkr.hcl", "meta-data", "sources.pkr.hcl"])
    {
        let home = home();
        accepted(&home, args);
        let path = home.path().join("out").join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.clone() + "# mine\n").unwrap();
        refused(&home, args, &[file]);
        // A file that is changed back, or deleted, is no difference.
        fs::write(&path, &text).unwrap();
        accepted(&home, args);
        fs::remove_file(&path).unwrap();
        accepted(&home, args);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn unchanged_files_are_replaced_also_in_a_copy_of_the_folder() {
    let home = home();
    for args in &FOLDERS[..3] {
        accepted(&home, args);
        run(Command::new("cp").args(["-r", "out", "copy"]).current_dir(home.path()));
        fs::remove_dir_all(home.path().join("out")).unwrap();
        fs::rename(home.path().join("copy"), home.path().join("out")).unwrap();
        // Another machine of that name has other files.
        home.ok(&["rm", "-y", "web1", "--quiet"]);
        home.ok(&["create", "web1", "--boot-issuer", "--quiet"]);
        accepted(&home, args);
        let record = fs::read_to_string(home.path().join("out/.hostseed.sha256")).unwrap();
        if need("sha256sum") {
            let check = ["--check", "--strict", "--quiet", ".hostseed.sha256"];
            run(Command::new("sha256sum").args(check).current_dir(home.path().join("out")));
        }
        assert!(record.contains("  user-data\n") || record.contains("  bake.sh\n"), "{record}");
        fs::remove_dir_all(home.path().join("out")).unwrap();
    }
}

#[test]
fn files_of_another_machine_are_not_replaced() {
    let home = home();
    home.ok(&["create", "web2", "--address", "203.0.113.8", "--quiet"]);
    let other = ["render", "web2", "--format", "terraform", "--out", "out"];
    let image = ["bake", "--format", "packer", "--out", "out"];
    accepted(&home, FOLDERS[0]);
    let before = contents(&home.path().join("out"));
    for args in [&other[..], &image] {
        let stderr = home.fails(1, args);
        let expected = "error[would-overwrite] `out` has the files of the machine `web1`";
        assert!(is_printed(&stderr, expected) && stderr.contains("`--force`"), "{stderr}");
        assert_eq!(contents(&home.path().join("out")), before);
    }
    accepted(&home, FOLDERS[0]);
    // Earlier versions did not record the machine.
    let record = home.path().join("out/.hostseed.sha256");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("# Machine: web1\n", "")).unwrap();
    home.ok(&other);
    home.fails(1, &[FOLDERS[0], &["out"]].concat());
    home.ok(&[FOLDERS[0], &["out", "--force"]].concat());
    assert_eq!(contents(&home.path().join("out")), before);
}

#[test]
fn two_formats_in_one_folder_keep_each_others_record() {
    let home = home();
    for args in &FOLDERS[..3] {
        accepted(&home, args);
    }
    for args in &FOLDERS[..3] {
        accepted(&home, args);
    }
    let ignored = fs::read_to_string(home.path().join("out/.gitignore")).unwrap();
    for line in ["/user-data\n", "/user-data.gz\n", "/bake.sh\n"] {
        assert_eq!(ignored.matches(line).count(), 1, "{ignored}");
    }
    fs::write(home.path().join("out/variables.tf"), "mine\n").unwrap();
    refused(&home, FOLDERS[0], &["variables.tf"]);
    accepted(&home, FOLDERS[1]);
}

#[test]
fn a_file_with_the_same_content_is_no_difference() {
    let home = home();
    accepted(&home, FOLDERS[0]);
    fs::remove_file(home.path().join("out/.hostseed.sha256")).unwrap();
    accepted(&home, FOLDERS[0]);
    fs::write(home.path().join("out/.hostseed.sha256"), "\n").unwrap();
    fs::write(home.path().join("out/main.tf"), "").unwrap();
    refused(&home, FOLDERS[0], &["main.tf"]);
}

#[test]
fn a_users_gitignore_stays_if_it_says_something_about_each_secret() {
    let home = home();
    let path = home.path().join("out/.gitignore");
    fs::create_dir(home.path().join("out")).unwrap();
    for own in ["*\n", "user-data*\n", "/user-data\n!user-data.gz\n", "build/\n**/user-data\nuser-data.*\n"] {
        fs::write(&path, own).unwrap();
        accepted(&home, FOLDERS[0]);
        assert_eq!(fs::read_to_string(&path).unwrap(), own);
    }
    fs::write(&path, "*.log\n/user-data").unwrap();
    let stderr = refused(&home, FOLDERS[0], &[".gitignore", "/user-data.gz"]);
    assert!(!stderr.contains("`/user-data`"), "{stderr}");
    // Even `--force` only adds lines to it.
    accepted(&home, &force(FOLDERS[0]));
    assert_eq!(fs::read_to_string(&path).unwrap(), "*.log\n/user-data\n/user-data.gz\n");
    accepted(&home, FOLDERS[0]);
}

#[test]
fn a_file_with_the_name_of_the_record_stays_if_hostseed_did_not_write_it() {
    let home = home();
    accepted(&home, FOLDERS[0]);
    let path = home.path().join("out/.hostseed.sha256");
    let ours = fs::read_to_string(&path).unwrap();
    let own = ["my notes\n", "<<<<<<< HEAD\n", &"0".repeat(64), "# mine\n"].map(str::to_owned);
    for text in own.into_iter().chain([ours.clone() + "# mine\n", "mine\n".to_owned() + &ours]) {
        fs::write(&path, &text).unwrap();
        refused(&home, FOLDERS[0], &[".hostseed.sha256"]);
        // It vouches for no file.
        fs::write(home.path().join("out/main.tf"), "mine\n").unwrap();
        refused(&home, FOLDERS[0], &[".hostseed.sha256", "main.tf"]);
        accepted(&home, &force(FOLDERS[0]));
        assert_eq!(fs::read_to_string(&path).unwrap(), ours);
        accepted(&home, FOLDERS[0]);
    }
}

/// The commands that write a file, without the file.
const FILES: [&[&str]; 6] = [
    &["render", "web1", "--out"],
    &["render", "web1", "--gzip", "-o"],
    &["render", "web1", "--format", "ignition", "-o"],
    &["render", "web1", "--format", "nocloud", "-o"],
    &["bake", "-o"],
    &["bake", "--format", "imagebuilder", "-o"],
];

#[test]
fn a_file_of_the_users_own_stays() {
    let home = home();
    for args in FILES {
        let out = if args.contains(&"nocloud") { "out.img" } else { "out" };
        let path = home.path().join(out);
        let command = [args, &[out]].concat();
        for (own, mode) in
            [("mine\n", 0o600), ("mine\n", 0o644), ("#cloud-config\npackages: [htop]\n", 0o600)]
        {
            fs::write(&path, own).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let stderr = home.fails(1, &command);
            let message = format!("error[would-overwrite] `{out}` exists and has other content");
            assert!(is_printed(&stderr, &message), "{stderr}");
            assert!(stderr.contains("`--force`"), "{stderr}");
            assert_eq!(fs::read_to_string(&path).unwrap(), own);
            home.ok(&[&command[..], &["--force"]].concat());
            assert_ne!(fs::read(&path).unwrap(), own.as_bytes());
        }
        // The same content again is no difference, and an empty file has nothing to lose.
        home.ok(&command);
        let rendered = fs::read(&path).unwrap();
        fs::write(&path, "").unwrap();
        home.ok(&command);
        assert_eq!(fs::read(&path).unwrap(), rendered);
        // A change of the user's is one.
        fs::write(&path, [&rendered[..], b"# mine\n"].concat()).unwrap();
        assert!(is_printed(&home.fails(1, &command), "error[would-overwrite]"));
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_link_to_a_file_of_the_users_own_is_not_replaced_either() {
    let home = home();
    fs::write(home.path().join("mine"), "mine\n").unwrap();
    symlink("mine", home.path().join("link")).unwrap();
    let stderr = home.fails(1, &["bake", "-o", "link"]);
    assert!(is_printed(&stderr, "error[would-overwrite] `link` exists"), "{stderr}");
    assert_eq!(fs::read_to_string(home.path().join("mine")).unwrap(), "mine\n");
    home.ok(&["bake", "-o", "link", "--force"]);
    assert!(home.path().join("link").is_symlink());
    assert!(fs::read_to_string(home.path().join("mine")).unwrap().starts_with("#!/bin/sh\n"));
}

#[test]
fn a_gitignore_that_is_not_utf_8_keeps_its_bytes() {
    let home = home();
    let path = home.path().join("out/.gitignore");
    fs::create_dir(home.path().join("out")).unwrap();
    fs::write(&path, b"caf\xe9\nuser-data").unwrap();
    refused(&home, FOLDERS[0], &[".gitignore"]);
    accepted(&home, &force(FOLDERS[0]));
    assert_eq!(fs::read(&path).unwrap(), b"caf\xe9\nuser-data\n/user-data.gz\n");
}

#[test]
fn git_ignores_each_secret_file_and_no_other() {
    if !need("git") {
        return;
    }
    for args in FOLDERS {
        let home = home();
        fs::create_dir(home.path().join("out")).unwrap();
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(args).current_dir(home.path().join("out")).env("HOME", home.path());
            git
        };
        run(&mut git(&["init", "--quiet"]));
        accepted(&home, args);
        let open = run(&mut git(&["ls-files", "--others", "--exclude-standard"])).stdout;
        let open: Vec<PathBuf> = String::from_utf8(open).unwrap().lines().map(PathBuf::from).collect();
        for file in files_below(&home.path().join("out")) {
            if file.starts_with(".git") {
                continue;
            }
            let is_secret = mode(&home.path().join("out").join(&file)) == 0o600;
            assert_eq!(open.contains(&file), !is_secret, "{args:?} {}", file.display());
        }
        assert!(open.contains(&PathBuf::from(".hostseed.sha256")));
    }
}

#[test]
fn nothing_else_than_a_file_is_taken_for_the_record() {
    let home = home();
    accepted(&home, FOLDERS[0]);
    let record = home.path().join("out/.hostseed.sha256");
    for plant in [
        fifo as fn(&Path),
        |path| symlink("../precious", path).unwrap(),
        |path| {
            fs::create_dir(path).unwrap();
        },
    ] {
        fs::remove_file(&record).unwrap();
        plant(&record);
        let stderr = home.fails(1, &[FOLDERS[0], &["out"]].concat());
        assert!(is_printed(&stderr, "error[not-regular-file] `out/.hostseed.sha256` is a"), "{stderr}");
        assert!(fs::remove_file(&record).or_else(|_| fs::remove_dir(&record)).is_ok());
        fs::write(&record, "").unwrap();
    }
}

#[test]
fn an_ending_of_a_disk_or_an_archive_makes_no_folder() {
    let home = home();
    for args in FOLDERS {
        for out in ["x.qcow2", "X.VMDK", "x.raw", "web1.zip", "main.tf"] {
            let stderr = home.fails(2, &[args, &[out]].concat());
            assert!(is_printed(&stderr, "error[output-ending]"), "{stderr}");
            assert!(!home.path().join(out).exists());
            if args.contains(&"nocloud") {
                assert!(stderr.contains("`.img` or `.iso`"), "{stderr}");
            }
        }
        // A slash, or a folder that exists, shows that a folder is meant.
        home.ok(&[args, &["b.qcow2/"]].concat());
        home.ok(&[&force(args)[..], &["b.qcow2"]].concat());
        assert!(home.path().join("b.qcow2").is_dir());
        fs::remove_dir_all(home.path().join("b.qcow2")).unwrap();
    }
    for args in [&["render", "web1", "-o"][..], &["bake", "-o"]] {
        for out in ["image.qcow2", "image.iso", "image.tar", "script.gz", "main.tf", "a.pkr.hcl"] {
            let stderr = home.fails(2, &[args, &[out]].concat());
            assert!(is_printed(&stderr, "error[output-ending]"), "{stderr}");
            assert!(!home.path().join(out).exists());
        }
    }
    home.ok(&["create", "web1.example.com", "--address", "203.0.113.7", "--quiet"]);
    let name = ["render", "web1.example.com", "--format", "terraform", "--out", "web1.example.com"];
    home.ok(&name);
    assert!(home.path().join("web1.example.com/main.tf").exists());
}
