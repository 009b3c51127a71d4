//! `create`, `inspect`, `ls` and `external` print a machine in one shape of JSON, which `schema machine` describes.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Home, PYTHON, need_python_module};

/// Machines of each kind, as each command prints them.
fn printed(home: &Home) -> Vec<(&'static str, Value)> {
    let json = |args: &[&str]| serde_json::from_str::<Value>(&home.ok(args)).unwrap();
    let options =
        ["--engine-label", "a=b", "--engine-opt", "debug", "--block-metadata", "--docker-version", "28.0.4"];
    let web1 = [&["create", "web1", "--address", "203.0.113.7", "--json", "--quiet"], &options[..]].concat();
    let mut printed = vec![
        ("planned", json(&[&web1[..], &["--dry-run"]].concat())),
        ("created", json(&web1)),
        ("found", json(&[&web1[..], &["--if-missing"]].concat())),
        ("for a cloud", json(&["create", "web2", "--for", "aws", "--json", "--quiet"])),
        ("inspected", json(&["inspect", "web1", "--json"])),
        ("with a boot issuer", json(&["inspect", "web2", "--json"])),
    ];
    // In the middle of a change of the CA.
    home.ok(&["create", "web3", "--quiet"]);
    let ca = |name: &str| fs::read_to_string(home.machine(name).join("ca.pem")).unwrap();
    fs::write(home.machine("web3").join("ca.pem"), ca("web3") + &ca("web1")).unwrap();
    printed.push(("with two CAs", json(&["inspect", "web3", "--json"])));
    home.ok(&["rm", "-y", "web3"]);
    let mut child = home.command(&["external"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{"name": "web1"}"#).unwrap();
    let answer = child.wait_with_output().unwrap();
    printed.push(("answered", serde_json::from_slice(&answer.stdout).unwrap()));
    fs::create_dir(home.machine("broken")).unwrap();
    fs::write(home.machine("broken").join("config.json"), "{").unwrap();
    printed.push(("listed", json(&["ls", "--json"])));
    let expiring = home.run(&["ls", "--expiring", "1000d", "--json"]);
    assert_eq!(expiring.status.code(), Some(3));
    printed.push(("expiring", serde_json::from_slice(&expiring.stdout).unwrap()));
    printed
}

#[test]
fn the_shape_is_the_same_in_each_command() {
    let home = Home::new();
    let printed: std::collections::BTreeMap<_, _> = printed(&home).into_iter().collect();
    let created = &printed["created"];
    assert_eq!(created["version"], 1);
    assert_eq!(printed["answered"]["version"], "1");
    assert_eq!(created, &printed["inspected"]);
    assert_eq!(created, &printed["found"]);
    assert_eq!((&created["address"], &created["port"]), (&json!("203.0.113.7"), &json!(2376)));
    let options = &created["options"];
    assert_eq!(options["engine-label"], json!(["a=b"]));
    assert_eq!(options["block-metadata"], true);
    assert_eq!(options["docker-version"], "28.0.4");
    // A dry run has no certificates, and everything else.
    for (key, value) in created.as_object().unwrap() {
        match key.as_str() {
            "authority" | "server" | "client" => assert!(printed["planned"][key].is_null(), "{key}"),
            _ => assert_eq!(&printed["planned"][key], value, "{key}"),
        }
    }
    let listed = &printed["listed"];
    for key in ["version", "name", "docker_host", "cert_path", "driver", "server"] {
        assert_eq!(listed[1][key], created[key], "{key}");
    }
    assert_eq!((&listed[0]["name"], &listed[0]["docker_host"]), (&json!("broken"), &Value::Null));
    assert!(listed[0]["error"].is_string() && listed[1]["error"].is_null());
    let expiring = &printed["expiring"][1]["expiring"];
    assert_eq!(expiring["certificate"], "server certificate");
    assert_eq!(expiring["not_after"], created["server"]["not_after"]);
    assert_eq!(listed[2]["issuer"], printed["with a boot issuer"]["issuer"]);
    for key in ["name", "docker_host", "cert_path"] {
        assert_eq!(printed["answered"][key], created[key], "{key}");
    }
}

/// Every property of the schema is printed by some command, and nothing else is.
#[test]
fn the_schema_describes_each_command() {
    if !need_python_module("jsonschema") {
        return;
    }
    let home = Home::new();
    let printed = printed(&home);
    let schema: Value = serde_json::from_str(&home.ok(&["schema", "machine"])).unwrap();
    fs::write(home.path().join("schema.json"), schema.to_string()).unwrap();
    let check = "import json, sys, jsonschema\n\
        schema = json.load(open('schema.json'))\n\
        jsonschema.Draft7Validator.check_schema(schema)\n\
        jsonschema.Draft7Validator(schema).validate(json.load(open(sys.argv[1])))";
    let judge = |value: &Value| {
        fs::write(home.path().join("machine.json"), value.to_string()).unwrap();
        Command::new(PYTHON).args(["-c", check, "machine.json"]).current_dir(home.path()).output().unwrap()
    };
    for (which, value) in &printed {
        let output = judge(value);
        assert!(output.status.success(), "{which}: {}", String::from_utf8_lossy(&output.stderr));
        if let Some(map) = value.as_object() {
            let mut more = map.clone();
            more.insert("other".into(), json!(1));
            assert!(!judge(&more.into()).status.success(), "{which} with an unknown property");
            let mut fewer = map.clone();
            fewer.remove("cert_path");
            assert!(!judge(&fewer.into()).status.success(), "{which} without `cert_path`");
        }
    }
    for (definition, properties) in schema["definitions"].as_object().unwrap() {
        for property in properties["properties"].as_object().unwrap().keys() {
            let quoted = format!("\"{property}\":");
            let is_printed = printed.iter().any(|(_, value)| value.to_string().contains(&quoted));
            assert!(is_printed, "no command prints `{property}` of `{definition}`");
        }
    }
}

#[test]
fn commands_at_the_same_time_create_a_missing_machine_once() {
    let home = Home::new();
    let args = ["create", "web1", "--address", "203.0.113.7", "--if-missing", "--json", "--quiet"];
    let printed: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| home.ok(&args))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // A command that is a second later has one whole day less.
    let facts = |json: &String| -> Vec<String> {
        json.lines().filter(|line| !line.contains("days_left")).map(str::to_owned).collect()
    };
    assert!(printed.iter().all(|json| facts(json) == facts(&printed[0])), "{printed:?}");
    assert_eq!(home.ok(&["ls", "-q"]), "web1\n");
}
