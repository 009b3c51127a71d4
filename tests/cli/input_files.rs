//! A file that an option names and that cannot be read is wrong usage in every command.

use std::fs;

use crate::support::{Home, is_printed};

/// Commands that read a file. `FILE` stands for its path.
const COMMANDS: [&[&str]; 8] = [
    &["create", "--file", "FILE"],
    &["create", "web2", "--daemon-json", "FILE"],
    &["bake", "--file", "FILE"],
    &["bake", "--daemon-json", "FILE"],
    &["render", "web1", "--format", "mime", "--part", "FILE"],
    &["render", "web1", "--format", "ignition", "--merge", "FILE"],
    &["render", "web1", "--format", "nocloud", "--out", "seed.img", "--network-config", "FILE"],
    &["verify", "FILE"],
];

#[test]
fn an_unreadable_file_gives_the_same_code_and_exit_status_in_every_command() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    fs::create_dir(home.path().join("folder")).unwrap();
    for command in COMMANDS {
        // Linux refuses to read the first byte of this file, also to root.
        for file in ["missing", "folder", "/proc/self/mem"] {
            // `verify` reads folders.
            if file == "folder" && command[0] == "verify" {
                continue;
            }
            let path = home.path().join(file).display().to_string();
            let args: Vec<_> =
                command.iter().map(|word| if *word == "FILE" { path.as_str() } else { word }).collect();
            let stderr = home.fails(2, &args);
            assert!(
                is_printed(&stderr, "error[unreadable-file] cannot") && stderr.contains(&path),
                "{args:?}: {stderr}"
            );
            assert_eq!(stderr.matches("error[").count(), 1, "{args:?}: {stderr}");
        }
    }
}

#[test]
fn a_file_of_another_type_is_wrong_usage_in_every_command() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    let files = [
        ("empty", &b""[..]),
        ("words", b"hello\n"),
        ("latin", b"caf\xe9: \xff\n"),
        ("binary", b"\x7fELF\0\0"),
    ];
    for (file, bytes) in files {
        fs::write(home.path().join(file), bytes).unwrap();
        for command in COMMANDS {
            let args: Vec<_> = command.iter().map(|word| if *word == "FILE" { file } else { word }).collect();
            match command {
                // dockerd reads an empty daemon.json as one without settings.
                [.., "--daemon-json", _] if file == "empty" => {
                    home.ok(&args);
                    if command[0] == "create" {
                        home.ok(&["rm", "-y", "web2"]);
                    }
                }
                // A fault of user-data is the result of `verify`.
                ["verify", _] => assert!(!home.run(&args).stdout.is_empty()),
                _ => assert!(home.fails(2, &args).starts_with("error["), "{args:?}"),
            }
        }
    }
}

#[test]
fn standard_input_that_cannot_be_read_is_wrong_usage_in_every_command() {
    let home = Home::new();
    for args in [&["create", "--file", "-"][..], &["bake", "--file", "-"], &["verify", "-"], &["external"]] {
        let folder = fs::File::open(home.path()).unwrap();
        let output = home.command(args).stdin(folder).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(is_printed(&stderr, "error[unreadable-file] cannot read `<stdin>`"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_folder_of_a_ca_without_a_usable_ca_is_wrong_usage() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let certs = home.store().join("certs/web1");
    let folder = |name: &str, certificate: Option<&[u8]>, key: Option<&[u8]>| {
        let dir = home.path().join(name);
        fs::create_dir(&dir).unwrap();
        for (file, bytes) in [("ca.pem", certificate), ("ca-key.pem", key)] {
            bytes.iter().for_each(|bytes| fs::write(dir.join(file), bytes).unwrap());
        }
    };
    let [certificate, key] = ["ca.pem", "ca-key.pem"].map(|file| fs::read(certs.join(file)).unwrap());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(home.path().join("file"), "").unwrap();
    folder("nothing", None, None);
    folder("no-key", Some(&certificate), None);
    folder("no-certificate", None, Some(&key));
    folder("empty", Some(b""), Some(b""));
    folder("latin", Some(b"caf\xe9"), Some(&key));
    folder("binary-key", Some(&certificate), Some(b"\0\xff"));
    folder("encrypted", Some(&certificate), Some(encrypted.as_bytes()));
    folder("folders", None, None);
    fs::create_dir(home.path().join("folders/ca.pem")).unwrap();
    for dir in [
        "missing",
        "file",
        "nothing",
        "no-key",
        "no-certificate",
        "empty",
        "latin",
        "binary-key",
        "encrypted",
        "folders",
    ] {
        let ca = format!("./{dir}");
        let create = ["create", "web2", "--address", "203.0.113.8", "--ca", &ca];
        let spec = format!("{{name: web2, address: 203.0.113.8, ca: {ca}}}");
        fs::write(home.path().join("spec.yaml"), spec).unwrap();
        for args in [&create[..], &[&create[..], &["--dry-run"]].concat(), &["create", "--file", "spec.yaml"]]
        {
            let stderr = home.fails(2, args);
            assert!(stderr.contains("error[") && stderr.contains(dir), "{args:?}: {stderr}");
        }
        fs::write(
            home.path().join("query"),
            format!("{{\"name\": \"web2\", \"addresses\": \"203.0.113.8\", \"ca\": \"{ca}\"}}"),
        )
        .unwrap();
        let query = fs::File::open(home.path().join("query")).unwrap();
        let output = home.command(&["external"]).stdin(query).output().unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]), "{dir}");
    }
    assert_eq!(home.ok(&["ls", "-q"]), "web1\n");
}

#[test]
fn the_relative_paths_in_a_spec_begin_at_the_folder_of_the_spec() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let specs = home.path().join("specs");
    fs::create_dir(&specs).unwrap();
    fs::rename(home.store().join("certs/web1"), specs.join("ca")).unwrap();
    fs::write(specs.join("daemon.json"), "{\"log-driver\": \"local\"}").unwrap();
    fs::write(home.path().join("daemon.json"), "{\"log-driver\": \"journald\"}").unwrap();
    let spec = "name: web2\naddress: 203.0.113.8\ndaemon-json: daemon.json\nca: ./ca\n";
    fs::write(specs.join("web2.yaml"), spec).unwrap();
    home.ok(&["create", "--quiet", "--file", "specs/web2.yaml"]);
    let shown = home.ok(&["inspect", "web2"]);
    assert!(shown.contains("local") && shown.contains(specs.join("ca").to_str().unwrap()), "{shown}");
    // The same machine, from another folder.
    let mut again = home.command(&["create", "--if-missing", "--file", "web2.yaml"]);
    let output = again.current_dir(&specs).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(home.ok(&["bake", "--quiet", "--file", "specs/web2.yaml"]).len() > 1000);
    // A file that is missing is named as it was looked for. JSON, and a spec on standard input, have no folder.
    fs::write(specs.join("web3.yaml"), "{name: web3, address: 203.0.113.8, daemon-json: other.json}")
        .unwrap();
    let stderr = home.fails(2, &["create", "--file", "specs/web3.yaml"]);
    assert!(stderr.contains("`specs/other.json`"), "{stderr}");
    fs::write(
        specs.join("web3.yaml"),
        "{name: web3, address: 203.0.113.8, daemon-json: '{\"debug\": true}'}",
    )
    .unwrap();
    home.ok(&["create", "--quiet", "--file", "specs/web3.yaml"]);
    let spec = fs::File::open(specs.join("web2.yaml")).unwrap();
    let output = home.command(&["bake", "--quiet", "--file", "-"]).stdin(spec).output().unwrap();
    assert!(output.status.success());
    // An option on the command line is relative to the current folder.
    home.ok(&["create", "web4", "--quiet", "--address", "203.0.113.8", "--daemon-json", "daemon.json"]);
    assert!(home.ok(&["inspect", "web4"]).contains("journald"));
}

#[test]
fn a_store_that_is_no_folder_is_wrong_usage_in_every_command() {
    let home = Home::new();
    fs::write(home.path().join("notes"), "mine\n").unwrap();
    for args in [
        &["ls"][..],
        &["create", "web1"],
        &["env", "web1"],
        &["config", "web1"],
        &["url", "web1"],
        &["ip", "web1"],
        &["inspect", "web1"],
        &["render", "web1"],
        &["address", "web1", "203.0.113.7"],
        &["rm", "-y", "web1"],
    ] {
        let stderr = home.fails(2, &[&["--store", "notes"], args].concat());
        assert!(is_printed(&stderr, "error[unreadable-file]"), "{args:?}: {stderr}");
        let output = home.command(args).env("MACHINE_STORAGE_PATH", "notes").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_spec_is_read_with_a_byte_order_mark_and_refused_in_other_encodings() {
    let home = Home::new();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(home.path().join(name), bytes).unwrap();
        home.path().join(name).display().to_string()
    };
    let spec = write("mark.yaml", b"\xef\xbb\xbfname: web1\naddress: 203.0.113.7\nkey: p384\n");
    home.ok(&["create", "--quiet", "--file", &spec]);
    let units = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "\u{feff}name: web2\n".encode_utf16().flat_map(unit).collect()
    };
    for (name, bytes, problem) in [
        ("little.yaml", units(u16::to_le_bytes), "is UTF-16"),
        ("big.yaml", units(u16::to_be_bytes), "is UTF-16"),
        (
            "latin.yaml",
            b"name: web2\nengine_label: [caf\xe9]\n".to_vec(),
            "is not UTF-8: line 2 has the byte 0xe9",
        ),
    ] {
        let spec = write(name, &bytes);
        let stderr = home.fails(2, &["create", "--file", &spec]);
        assert!(is_printed(&stderr, &format!("error[unreadable-file] `{spec}` {problem}")), "{stderr}");
        assert!(stderr.contains("hint: save the file as UTF-8"), "{stderr}");
    }
    assert_eq!(home.ok(&["ls", "-q"]), "web1\n");
}
