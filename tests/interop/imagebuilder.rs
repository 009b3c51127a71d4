//! Compares the component of `--format imagebuilder` with EC2 Image Builder's documentation.
//! `tests/boot/cases/imagebuilder-bookworm.sh` runs its phases.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Home, PYTHON, mode, need, need_python_module, run, seed};

/// Parses a document as YAML, checks it, and prints the commands of its steps.
const READ: &str = r#"
import json, sys, yaml, jsonschema
document = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))
jsonschema.validate(document, json.load(open(sys.argv[2])))
commands = {phase["name"]: step["inputs"]["commands"] for phase in document["phases"] for step in phase["steps"]}
json.dump({phase: command for phase, (command,) in commands.items()}, sys.stdout)
"#;

/// Labels and variables with characters that are special in YAML and in Image Builder.
const NASTY: [&str; 6] = [
    "--engine-label",
    "a={{ build.Bake.outputs.stdout }}",
    "--engine-label",
    "b=: - # \"'\\ |",
    "--engine-env",
    "C={{ loop.value }} grün",
];

/// The documents of an image without an identity, of a machine with each kind of identity, and of a machine on a finished
/// image.
fn documents(home: &Home) -> Vec<(&'static str, String)> {
    home.ok(&[&["create", "web1.example.com", "--quiet", "--address", "203.0.113.7"], &NASTY[..]].concat());
    home.ok(&["create", "fleet", "--quiet", "--key", "rsa2048"]);
    home.ok(&["create", "late", "--quiet", "--address", "203.0.113.7", "--docker", "none"]);
    let mut documents = vec![("", home.ok(&[&["bake", "--format", "imagebuilder"], &NASTY[..]].concat()))];
    documents.extend(
        ["web1.example.com", "fleet", "late"]
            .map(|name| (name, home.ok(&["render", name, "--format", "imagebuilder"]))),
    );
    documents
}

fn commands(home: &Home, document: &str) -> serde_json::Value {
    let file = home.path().join("component.yaml");
    fs::write(&file, document).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/imagebuilder/schema.json");
    let read = run(Command::new(PYTHON).args(["-c", READ]).arg(file).arg(schema));
    serde_json::from_slice(&read.stdout).unwrap()
}

#[test]
fn the_component_matches_the_component_schema() {
    if !need_python_module("yaml") || !need_python_module("jsonschema") {
        return;
    }
    let home = Home::new();
    for (machine, document) in documents(&home) {
        // Image Builder reads text between these braces as a reference.
        assert!(!document.contains("{{") && !document.contains("}}"), "{machine}");
        let commands = commands(&home, &document);
        let bake = match machine {
            "" => home.ok(&[&["bake"], &NASTY[..]].concat()),
            machine => home.ok(&["render", machine, "--format", "bake"]),
        };
        // The manifest also lists the scripts of the other phases.
        let is_manifest = |line: &&str| line.starts_with("# hostseed-manifest: ");
        let others = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !is_manifest(line)).map(str::to_owned).collect()
        };
        let build = commands["build"].as_str().unwrap();
        assert_eq!(others(build), others(&bake), "{machine}");
        let manifest = build.lines().find(is_manifest).unwrap();
        for phase in ["validate", "test"] {
            let sum = seed::sha256(commands[phase].as_str().unwrap().as_bytes());
            assert!(manifest.contains(&format!("\"{phase}\":\"{sum}\"")), "{machine}: {manifest}");
        }
        let phases: Vec<_> = commands.as_object().unwrap().keys().collect();
        assert_eq!(phases, ["build", "validate", "test"], "they run in this order");
    }
}

#[test]
fn shellcheck_accepts_the_scripts_of_a_component() {
    if !need("shellcheck") || !need_python_module("yaml") || !need_python_module("jsonschema") {
        return;
    }
    let home = Home::new();
    for (machine, document) in documents(&home) {
        let commands = commands(&home, &document);
        for phase in ["build", "validate", "test"] {
            let script = home.path().join(format!("{phase}.sh"));
            fs::write(&script, commands[phase].as_str().unwrap()).unwrap();
            println!("{machine} {phase}");
            run(Command::new("shellcheck").args(["-s", "bash"]).arg(&script));
        }
    }
}

/// `data` has at most 16 000 characters (EC2 Image Builder API Reference, CreateComponent).
#[test]
fn the_component_has_instructions_in_a_comment() {
    let home = Home::new();
    let image = home.ok(&["bake", "--format", "imagebuilder"]);
    println!("without an identity: {} characters", image.chars().count());
    assert!(image.chars().count() <= 16_000);
    for (machine, document) in documents(&home) {
        let inline = document.chars().count() <= 16_000;
        assert_eq!(document.contains("--data file://component.yaml\n"), inline, "{machine}");
        assert_eq!(document.contains("--uri s3://"), !inline, "{machine}");
    }
    assert!(image.contains(" create-component --name \"hostseed\" "));
    let web1 = home.ok(&["render", "web1.example.com", "--format", "imagebuilder"]);
    assert!(web1.contains(" create-component --name \"hostseed-web1-example-com\" "));
}

#[test]
fn a_component_that_image_builder_does_not_accept_is_refused() {
    use std::fmt::Write;

    let home = Home::new();
    let mut spec = String::from("engine-label:\n");
    let mut random = 1u64;
    for number in 0..4000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        writeln!(spec, "- l{number}={random:016x}{:016x}", random.rotate_left(17) ^ number).unwrap();
    }
    fs::write(home.path().join("spec.yaml"), spec).unwrap();
    let said =
        home.fails(1, &["bake", "-f", "spec.yaml", "--format", "imagebuilder", "--out", "component.yaml"]);
    assert!(said.contains("error[user-data-too-large]: "), "{said}");
    assert!(said.contains("the limit of EC2 Image Builder is 65536"), "{said}");
    assert!(!home.path().join("component.yaml").exists());
}

#[test]
fn a_component_with_a_key_is_readable_only_by_its_owner() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    home.ok(&["render", "web1", "--format", "imagebuilder", "--out", "web1.yaml"]);
    home.ok(&["bake", "--format", "imagebuilder", "--out", "image.yaml"]);
    assert_eq!(mode(&home.path().join("web1.yaml")), 0o600);
    assert_eq!(mode(&home.path().join("image.yaml")), 0o644);
}
