//! A file that an option names and that cannot be read is wrong usage in every command.

use std::fs;

use crate::support::{Home, is_printed};

/// Commands that read a file. `FILE` stands for its path.
const COMMANDS: [&[&str]; 6] = [
    &["create", "--file", "FILE"],
    &["bake", "--file", "FILE"],
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
        for file in ["missing", "folder"] {
            // `verify` reads folders.
            if file == "folder" && command[0] == "verify" {
                continue;
            }
            let path = home.path().join(file).display().to_string();
            let args: Vec<_> =
                command.iter().map(|word| if *word == "FILE" { path.as_str() } else { word }).collect();
            let stderr = home.fails(2, &args);
            let wanted = format!("error[unreadable-file] cannot read `{path}`");
            assert!(is_printed(&stderr, &wanted), "{args:?}: {stderr}");
        }
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
