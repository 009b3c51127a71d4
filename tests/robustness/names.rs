//! Names with a special meaning to other programs: numbers that are read as an address, and devices of Windows.

use std::fs;

use crate::support::{Home, files_below};

const NUMBERS: [&str; 8] = ["127.1", "0x7f", "0x7f.1", "1", "0177.0.0.1", "2130706433", "0", "10.0x20001"];
const DEVICES: [&str; 8] = ["CON", "prn", "AUX", "nul", "nul.txt", "COM1", "lpt9", "NUL.tar.gz"];

#[test]
fn reserved_names_are_refused_for_machines_and_addresses() {
    let home = Home::new();
    let refused = |args: &[&str], name: &str| {
        let said = home.fails(2, args);
        assert!(said.contains(&format!("`{name}`")) && said.contains("hint: "), "{args:?}: {said}");
        assert_eq!(files_below(&home.store()).len(), 0, "{name}: something was written");
    };
    for name in NUMBERS.iter().chain(&DEVICES) {
        refused(&["create", name, "--address", "203.0.113.7"], name);
        fs::write(home.path().join("spec.yaml"), format!("name: \"{name}\"\naddress: 203.0.113.7\n"))
            .unwrap();
        refused(&["create", "-f", "spec.yaml"], name);
        fs::write(home.path().join("query"), format!(r#"{{"name": "{name}", "addresses": "203.0.113.7"}}"#))
            .unwrap();
        let query = fs::File::open(home.path().join("query")).unwrap();
        let output = home.command(&["external"]).stdin(query).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert_eq!(files_below(&home.store()).len(), 0, "{name}: something was written");
    }
    for address in NUMBERS.iter().filter(|number| **number != "0") {
        refused(&["create", "web1", "--address", address], address);
        refused(&["create", "web1", "--address", "203.0.113.7", "--tls-san", address], address);
    }
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let said = home.fails(2, &["address", "web1", "0x7f.1"]);
    assert!(said.contains("127.0.0.1"), "{said}");
    home.fails(2, &["env", "web1", "--address", "0x7f.1"]);
}

#[test]
fn an_existing_machine_with_a_reserved_name_can_be_used_and_removed() {
    let home = Home::new();
    for name in ["nul", "127.1", "0x7f", "COM1.x"] {
        // A machine made by an earlier version.
        home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
        let certs = home.store().join("certs");
        fs::rename(home.machine("web1"), home.machine(name)).unwrap();
        fs::rename(certs.join("web1"), certs.join(name)).unwrap();
        for file in ["machine.yaml", "config.json"] {
            let path = home.machine(name).join(file);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("web1", name)).unwrap();
        }
        assert_eq!(home.ok(&["ls", "-q"]), format!("{name}\n"));
        assert!(home.ok(&["ls"]).contains("days left"));
        for command in ["inspect", "env", "url", "ip", "config", "render"] {
            home.ok(&[command, name]);
        }
        home.ok(&["address", name, "localhost"]);
        fs::write(home.path().join("query"), format!(r#"{{"name": "{name}"}}"#)).unwrap();
        let query = fs::File::open(home.path().join("query")).unwrap();
        let output = home.command(&["external"]).stdin(query).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        home.ok(&["rm", "-y", name]);
        assert!(!home.machine(name).exists() && !certs.join(name).exists(), "{name} is there still");
    }
}
