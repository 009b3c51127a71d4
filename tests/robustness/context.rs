//! `context` is killed at any moment, or finds settings, folders and links that it must not change.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::interruption::{calls, may_trace, points, tamper, unfinished};
use crate::support::{Home, files_below, is_printed, mode};

const SETTINGS: &str = "{\n  \"auths\": {},\n  \"HttpHeaders\": { \"a\": 1.0 }\n}\n";

fn home() -> Home {
    let home = Home::new();
    for (name, address) in [("web1", "203.0.113.7"), ("web2", "203.0.113.8")] {
        home.ok(&["create", name, "--address", address, "--quiet"]);
    }
    fs::write(home.path().join(".docker/config.json"), SETTINGS).unwrap();
    home
}

/// The files of the docker CLI, without those of the store and temporary ones.
fn state(home: &Home) -> BTreeMap<PathBuf, Vec<u8>> {
    let dir = home.path().join(".docker");
    let files = files_below(&dir).into_iter().filter(|file| {
        !file.starts_with("machine")
            && !file.iter().any(|part| part.to_string_lossy().starts_with(".hostseed"))
    });
    files.map(|file| (file.clone(), fs::read(dir.join(file)).unwrap_or_default())).collect()
}

/// Restores the state without contexts.
fn reset(home: &Home) {
    let dir = home.path().join(".docker");
    for entry in
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap()).filter(|e| e.file_name() != "machine")
    {
        match entry.file_type().unwrap().is_dir() {
            true => fs::remove_dir_all(entry.path()).unwrap(),
            false => fs::remove_file(entry.path()).unwrap(),
        }
    }
    fs::write(dir.join("config.json"), SETTINGS).unwrap();
}

fn left(home: &Home) -> Vec<PathBuf> {
    unfinished(&home.path().join(".docker"))
}

/// Makes temporary files and folders so old that the next command removes them.
fn age(path: &Path) {
    if let Ok(file) = fs::File::open(path) {
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3600)).unwrap();
    }
}

/// Interrupts `args` at its system calls. After the next command the context is the old or the new one, and whole.
fn is_old_or_new(prepare: impl Fn(&Home), args: &[&str]) {
    if !may_trace() {
        return;
    }
    let home = home();
    prepare(&home);
    let is_of_docker = |line: &str| line.contains("/.docker/") && !line.contains("/.docker/machine");
    let calls: Vec<_> = calls(&home, args).into_iter().filter(|call| is_of_docker(&call.line)).collect();
    assert!(calls.len() > 10, "{args:?}: {} calls", calls.len());
    let calls = points(calls);
    eprintln!("{args:?}: {} points", 2 * calls.len());
    for call in &calls {
        for how in ["signal=KILL", "error=ENOSPC"] {
            reset(&home);
            prepare(&home);
            let old = state(&home);
            let output = tamper(&home, call, how, args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            let at = format!("{args:?}, {how} at {} {}: {stderr}", call.name, call.line);
            assert!(!stderr.contains("panicked"), "{at}");
            let committed = home.path().join(".docker/.hostseed.journal").exists();
            if !committed && stderr.contains("nothing was changed") {
                assert!(state(&home) == old, "{at}: changed");
                let lock = (call.name == "flock").then(|| home.path().join(".docker/.hostseed.lock"));
                assert_eq!(left(&home), Vec::from_iter(lock), "{at}");
            }
            for left in left(&home) {
                let below = if left.is_dir() { files_below(&left) } else { Vec::new() };
                for file in
                    below.iter().map(|file| left.join(file)).filter(|file| !file.ends_with("meta.json"))
                {
                    assert_eq!(mode(&file) & 0o077, 0, "{at}: {}", file.display());
                }
                age(&left);
            }
            // A command about another context finishes a committed change before it does anything else.
            home.ok(&["context", "web2", "--quiet"]);
            home.ok(&["context", "web2", "--remove", "--quiet"]);
            assert_eq!(left(&home), Vec::<PathBuf>::new(), "{at}: leftovers");
            let found = state(&home);
            let again = home.run(args);
            let new = state(&home);
            assert!(found == old && !committed || found == new, "{at}: a mixture");
            // Removing it a second time is an error.
            assert!(again.status.success() || args.contains(&"--remove") && found == new, "{at}");
            assert_eq!(left(&home), Vec::<PathBuf>::new(), "{at}: leftovers");
        }
    }
}

#[test]
fn a_new_context_is_complete_or_missing() {
    is_old_or_new(|_| {}, &["context", "web1", "--use", "--quiet"]);
}

#[test]
fn an_updated_context_is_the_old_or_the_new_one() {
    let prepare = |home: &Home| {
        home.ok(&["context", "web1", "--quiet"]);
        home.ok(&["address", "web1", "web1", "--quiet"]);
        let tls = home.path().join(".docker/contexts/tls");
        for file in files_below(&tls).iter().filter(|file| !file.ends_with("ca.pem")) {
            fs::write(tls.join(file), "old\n").unwrap();
        }
    };
    is_old_or_new(prepare, &["context", "web1", "--use", "--quiet"]);
}

#[test]
fn a_replaced_context_is_the_old_or_the_new_one() {
    let prepare = |home: &Home| drop(home.ok(&["context", "web2", "--name", "web1", "--quiet"]));
    is_old_or_new(prepare, &["context", "web1", "--use", "--force", "--quiet"]);
}

#[test]
fn a_removed_context_is_whole_or_gone() {
    let prepare = |home: &Home| drop(home.ok(&["context", "web1", "--use", "--quiet"]));
    is_old_or_new(prepare, &["context", "web1", "--remove", "--quiet"]);
}

#[test]
fn only_the_current_context_changes_in_the_settings() {
    let home = home();
    let path = home.path().join(".docker/config.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    home.ok(&["context", "web1", "--use", "--quiet"]);
    let used = fs::read_to_string(&path).unwrap();
    assert_eq!(used, SETTINGS.replace("\n}\n", ",\n  \"currentContext\": \"web1\"\n}\n"));
    assert_eq!(mode(&path), 0o640);
    home.ok(&["context", "web1", "--remove", "--quiet"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), SETTINGS);
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn settings_that_are_a_link_stay_a_link() {
    let home = home();
    let (path, target) = (home.path().join(".docker/config.json"), home.path().join("dotfiles/docker.json"));
    fs::create_dir(home.path().join("dotfiles")).unwrap();
    fs::rename(&path, &target).unwrap();
    symlink("../dotfiles/docker.json", &path).unwrap();
    home.ok(&["context", "web1", "--use", "--quiet"]);
    assert!(fs::read_to_string(&target).unwrap().contains("\"currentContext\": \"web1\""));
    home.ok(&["context", "web1", "--remove", "--quiet"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), SETTINGS);
    assert!(path.is_symlink());
    assert_eq!(left(&home), Vec::<PathBuf>::new());
    fs::remove_file(&target).unwrap();
    let before = state(&home);
    home.fails(1, &["context", "web1", "--use"]);
    assert!(state(&home) == before);
}

#[test]
fn settings_that_cannot_be_changed_are_an_error_and_nothing_changes() {
    let home = home();
    let path = home.path().join(".docker/config.json");
    home.ok(&["context", "web1", "--use", "--quiet"]);
    for text in ["{\"auths\": {\"r\": {\"auth\": \"c2VjcmV0\"},}}", "[]", "\"c2VjcmV0\"", "c2VjcmV0", "{} {}"]
    {
        fs::write(&path, text).unwrap();
        let before = state(&home);
        for args in [&["context", "web1", "--name", "other", "--use"][..], &["context", "web1", "--remove"]] {
            let stderr = home.fails(1, args);
            assert!(is_printed(&stderr, "error[docker-config] is not a JSON object"), "{stderr}");
            assert!(!stderr.contains("c2VjcmV0"), "{stderr}");
            assert!(state(&home) == before, "{args:?}: {text}");
            assert_eq!(left(&home), Vec::<PathBuf>::new());
        }
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    home.fails(1, &["context", "web1", "--use"]);
    assert_eq!(left(&home), Vec::<PathBuf>::new());
}

#[test]
fn a_folder_that_others_can_write_is_refused() {
    let home = home();
    let dir = home.path().join("shared");
    for below in ["", "contexts", "contexts/tls"] {
        fs::create_dir_all(dir.join(below)).unwrap();
        fs::set_permissions(dir.join(below), fs::Permissions::from_mode(0o777)).unwrap();
        let mut command = home.command(&["context", "web1", "--use"]);
        let output = command.env("DOCKER_CONFIG", &dir).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(is_printed(&stderr, "error[writable-by-others] "), "{below}: {stderr}");
        assert_eq!(files_below(&dir), Vec::<PathBuf>::new(), "{below}");
        fs::set_permissions(dir.join(below), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn damaged_contexts_are_not_replaced_without_force() {
    let home = home();
    home.ok(&["context", "web1", "--quiet"]);
    let meta = home.path().join(".docker/contexts/meta");
    let file = meta.join(&files_below(&meta)[0]);
    for text in ["", "null", "{}", "[1]", "{\"Metadata\": {\"hostseed\": {\"machine\": 1}}}"] {
        fs::write(&file, text).unwrap();
        let stderr = home.fails(1, &["context", "web1"]);
        assert!(is_printed(&stderr, "error[context-exists] "), "{stderr}");
    }
    home.ok(&["context", "web1", "--force", "--quiet"]);
    // Without the certificates, and without its own field, the context is still the machine's or not at all.
    fs::remove_dir_all(home.path().join(".docker/contexts/tls")).unwrap();
    home.ok(&["context", "web1", "--quiet"]);
    let whole = state(&home);
    home.ok(&["context", "web1", "--force", "--quiet"]);
    assert!(state(&home) == whole);
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    home.ok(&["context", "web1", "--quiet"]);
    assert!(state(&home) == whole);
}
