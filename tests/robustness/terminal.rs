//! The author of a spec, a query, a file name, user-data or a record cannot control the terminal that hostseed prints to,
//! change the direction of its text, or add lines to its messages.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Home;

/// Hostile texts, each with its effect on a terminal.
const HOSTILE: [(&str, &str); 8] = [
    ("an escape sequence", "a\u{1b}[2J\u{1b}]0;x\u{7}b"),
    ("an escape in one byte", "a\u{9b}2Jb"),
    ("a return", "a\rb\u{8}c"),
    ("a delete", "a\u{7f}b"),
    ("a turned text", "a\u{202e}b\u{2066}c\u{200f}"),
    ("line ends of Unicode", "a\u{2028}b\u{2029}c\u{85}d"),
    ("what is not seen", "a\u{feff}b\u{e0041}c\u{200b}d\u{3164}e\u{115f}f\u{34f}g\u{2800}h"),
    ("lines", "a\nerror: all is lost\nhint: run this\nb"),
];

/// Whether a character must never be printed.
fn is_raw(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0041}' | '\u{3164}' | '\u{115f}' | '\u{34f}' | '\u{2800}')
}

struct Run {
    entrance: String,
    command: Command,
    input: Vec<u8>,
}

fn run(home: &Home, entrance: &str, args: &[&str]) -> Run {
    Run { entrance: entrance.to_owned(), command: home.command(args), input: Vec::new() }
}

/// Passes a text to hostseed through each possible input.
fn entrances(home: &Home, text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let argument = !text.contains('\0');
    let quoted = json!(text).to_string();
    if argument {
        for flag in [
            "--address",
            "--tls-san",
            "--key",
            "--valid-for",
            "--ca",
            "--port",
            "--docker",
            "--engine-label",
            "--engine-env",
            "--engine-opt",
            "--engine-registry-mirror",
            "--engine-storage-driver",
            "--engine-install-url",
            "--docker-version",
            "--for",
            "--file",
        ] {
            runs.push(run(home, flag, &["create", "web9", flag, text]));
        }
        runs.push(run(home, "a name", &["create", text]));
        runs.push(run(home, "a store", &["--store", text, "url", "web1"]));
        runs.push(run(home, "no subcommand", &[text]));
        runs.push(run(home, "no flag", &["ls", &format!("--{text}")]));
        runs.push(run(home, "no value", &["render", "web1", "--format", text]));
        runs.push(run(home, "one too many", &["url", "web1", text]));
        runs.push(run(home, "a shell", &["env", "web1", "--shell", text]));
        runs.push(run(home, "a cloud", &["clouds", text]));
        runs.push(run(home, "rm", &["rm", "-y", text]));
        runs.push(run(home, "a new address", &["address", "web1", text]));
        // Names of existing and of missing files.
        let name = text.replace('/', "_");
        let path = home.path().join(&name);
        fs::write(&path, format!("#cloud-config\n{quoted}: {quoted}\nruncmd: {quoted}\nwrite_files:\n- path: {quoted}\n  permissions: {quoted}\n  encoding: {quoted}\n  owner: {quoted}\n  content: x\n")).unwrap();
        runs.push(run(home, "verify", &["verify", &name]));
        runs.push(run(home, "verify --json", &["verify", &name, "--json"]));
        runs.push(run(home, "a spec's name and content", &["create", "-f", &name]));
        runs.push(run(
            home,
            "--part",
            &["render", "web1", "--format", "mime", "--part", &name, "-o", "out.mime"],
        ));
        runs.push(run(
            home,
            "--part with a type",
            &["render", "web1", "--format", "mime", "--part", &format!("{name}:{text}")],
        ));
        runs.push(run(home, "--merge", &["render", "web1", "--format", "ignition", "--merge", &name]));
        runs.push(run(home, "-o", &["render", "web1", "-o", &format!("nowhere/{name}")]));
        runs.push(run(
            home,
            "-o with an ending",
            &["render", "web1", "--format", "nocloud", "-o", &format!("{name}.qcow2")],
        ));
        runs.push(run(home, "no file", &["verify", &format!("nowhere/{name}")]));
    }
    let mut with_input = |entrance: &str, args: &[&str], input: Vec<u8>| {
        runs.push(Run { input, ..run(home, entrance, args) });
    };
    for spec in [
        format!("name: {quoted}\naddress: [{quoted}]\nport: {quoted}\nkey: {quoted}\n{quoted}: 1\n"),
        format!(
            "name: web9\nengine-label: {{{quoted}: {quoted}}}\nengine-opt: [{quoted}]\ndocker: {quoted}\n"
        ),
        format!("name: web9\nport: !{text} 1\n"),
        format!("name: [{text}\n"),
    ] {
        with_input("a spec", &["create", "-f", "-"], spec.into_bytes());
    }
    for query in [
        json!({"name": text}),
        json!({"name": "web9", text: "1"}),
        json!({"name": "web9", "for": text, "format": text, "gzip": text}),
        json!({"name": "web9", "addresses": text, "engine_label": text, "port": text}),
        json!({"name": "web9", "engine_label": json!({text: text}).to_string()}),
        json!({"name": "web9", "engine_label": format!("role={text}")}),
    ] {
        with_input("a query", &["external"], query.to_string().into_bytes());
    }
    with_input("no query", &["external"], text.as_bytes().to_vec());
    let ignition = json!({"ignition": {"version": text}, "storage": {"files": [
        {"path": text, "mode": 600, "contents": {"source": format!("{text}://x"), "compression": text}},
        {"path": format!("/{text}"), "contents": {"source": "data:,x", "compression": text, "verification": {"hash": text}}}]},
        "systemd": {"units": [{"name": text, "contents": format!("[Service]\nExecStart=dockerd -H tcp://{text}:1 --tlscacert {text}\n")},
        {"name": "docker.service", "contents": format!("[Service]\nExecStart=dockerd -H tcp://{text}:1 --tlsverify --tlskey {text}\n")}]}});
    let inputs = [
        text.as_bytes().to_vec(),
        format!("#{text}").into_bytes(),
        format!("#cloud-config\nhostname: {text}\n").into_bytes(),
        format!("#cloud-config\nx: !{text} y\n").into_bytes(),
        format!("#include\nhttps://example.com/{text}\n").into_bytes(),
        format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{text}\"\n\n--{text}\nContent-Type: text/{text}\nContent-Transfer-Encoding: {text}\n\nx\n--{text}--\n").into_bytes(),
        format!("{text} = <<EOT\nuser_data = \"{text}\"\n").into_bytes(),
        format!("user_data_{text} = <<EOT\n#!/bin/sh\n").into_bytes(),
        format!("schemaVersion: 1.0\nphases:\n- name: {quoted}\n  steps:\n  - name: {quoted}\n    inputs: {{commands: [1]}}\n").into_bytes(),
        json!({text: {"UserData": format!("#cloud-config\n{quoted}: 1\n")}}).to_string().into_bytes(),
        ignition.to_string().into_bytes(),
        format!("#cloud-config\nwrite_files:\n- path: /etc/docker/daemon.json\n  content: {}\n", json!(format!("{{{quoted}: x"))).into_bytes(),
    ];
    for input in inputs {
        with_input("user-data", &["verify", "-"], input.clone());
        with_input("user-data, for programs", &["verify", "-", "--json"], input);
    }
    runs
}

#[test]
fn untrusted_text_is_escaped_on_the_terminal() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let mut wrong = Vec::new();
    let mut ran = 0;
    for (kind, text) in HOSTILE {
        for Run { entrance, mut command, input } in entrances(&home, text) {
            ran += 1;
            let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let mut child = child.unwrap();
            let _ = child.stdin.take().unwrap().write_all(&input);
            let output = child.wait_with_output().unwrap();
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
            let faked =
                said.lines().any(|line| line == "error: all is lost" || line.starts_with("hint: run this"));
            if said.contains(is_raw) || faked {
                wrong.push(format!("{kind} by {entrance}: {said:?}"));
            }
            assert!(!said.contains("panicked"), "{kind} by {entrance}: {said}");
        }
    }
    assert!(ran > 400, "{ran}");
    assert!(wrong.is_empty(), "{} of {ran}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn json_contains_the_original_values() {
    let home = Home::new();
    for (kind, text) in HOSTILE {
        let name = format!("{text}.yaml");
        // YAML accepts these characters only as escapes.
        let path: String = text.chars().map(|c| format!("\\U{:08x}", c as u32)).collect();
        let spec = format!("#cloud-config\nwrite_files:\n- {{path: \"/{path}\", content: x}}\n");
        fs::write(home.path().join(&name), spec).unwrap();
        let said = String::from_utf8(home.run(&["verify", &name, "--json"]).stdout).unwrap();
        assert!(!said.contains(is_raw), "{kind}: {said:?}");
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["input"], name.as_str(), "{kind}");
        assert_eq!(said["seeds"][0]["files"][0]["path"], format!("/{text}"), "{kind}");
    }
}

/// Another user's record, or one from a backup, becomes part of a shell command in `env` and `config`.
#[test]
fn a_hostile_record_cannot_run_commands_or_control_the_terminal() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let path = home.machine("web1").join("config.json");
    let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let hostile = [
        "$(touch${IFS}owned)",
        "`touch owned`",
        ";touch\u{a0}owned;",
        "\u{202e}",
        "a\u{1b}[2J",
        "&touch",
        "a\ntouch owned\n",
    ];
    for host in hostile {
        for url in [format!("tcp://{host}:2376"), format!("tcp://203.0.113.7:2376/{host}")] {
            let mut record = record.clone();
            record["Driver"]["URL"] = url.clone().into();
            record["Driver"]["IPAddress"] = host.into();
            record["DriverName"] = host.into();
            fs::write(&path, record.to_string()).unwrap();
            for args in [
                &["env", "web1"][..],
                &["config", "web1"],
                &["url", "web1"],
                &["ip", "web1"],
                &["ls"],
                &["ls", "--json"],
                &["inspect", "web1"],
                &["inspect", "web1", "--json"],
                &["env", "web1", "--shell", "fish"],
            ] {
                let output = home.run(args);
                let said =
                    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
                assert!(!said.contains(is_raw), "{args:?} of {url:?}: {said:?}");
                assert!(!said.lines().any(|line| line.starts_with("touch")), "{args:?} of {url:?}: {said:?}");
                if !matches!(args, ["ls", ..]) {
                    assert_eq!(output.status.code(), Some(1), "{args:?} of {url:?}: {said:?}");
                }
            }
            let eval = format!(
                "eval \"$({0} env web1)\"; eval \"echo $({0} config web1)\"",
                env!("CARGO_BIN_EXE_hostseed")
            );
            let mut shell = Command::new("sh");
            shell.args(["-c", &eval]).env("HOME", home.path()).current_dir(home.path()).output().unwrap();
            assert!(!home.path().join("owned").exists(), "{url:?} was run");
        }
    }
}

#[test]
fn a_folder_with_a_hostile_name_is_not_a_machine() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    for (_, text) in HOSTILE {
        fs::create_dir_all(home.store().join("machines").join(text)).unwrap();
    }
    for args in [&["ls"][..], &["ls", "-q"], &["ls", "--json"]] {
        let output = home.run(args);
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!said.contains(is_raw) && !said.contains("all is lost"), "{args:?}: {said:?}");
        assert!(said.contains("web1"), "{args:?}: {said:?}");
    }
}

/// `env` prints a comment that contains its own command line.
#[test]
fn a_line_break_in_a_value_of_env_starts_no_command() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let store = home.path().join("a\ntouch owned\n");
    std::os::unix::fs::symlink(home.store(), &store).unwrap();
    let output = home.run(&["--store", store.to_str().unwrap(), "env", "web1"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.lines().any(|line| line.starts_with("touch")), "{said:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("has a control character"));
}

#[test]
fn help_and_version_are_not_errors() {
    let home = Home::new();
    assert!(home.ok(&["--help"]).contains("Usage:"));
    assert!(home.ok(&["--version"]).starts_with("hostseed "));
    assert!(home.fails(2, &["create", "--nope"]).starts_with("error: unexpected argument '--nope' found\n"));
}
