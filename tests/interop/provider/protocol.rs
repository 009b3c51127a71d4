//! The provider as a program: how it is started and ends, and what it logs.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::support::is_printed;

use super::*;

/// The lines of PEM keys in a state, of which none may be printed.
fn key_lines(state: &Value, found: &mut Vec<String>) {
    match state {
        Value::String(text) if text.contains("PRIVATE KEY") => {
            let lines = text.lines().filter(|line| !line.contains("-----") && line.len() > 20);
            found.extend(lines.map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| key_lines(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| key_lines(field, found)),
        _ => {}
    }
}

#[test]
fn no_private_key_is_logged_or_printed() {
    let text = format!(
        "{WEB1}resource \"hostseed_ca\" \"team\" {{\n  name = \"team\"\n}}\nresource \"hostseed_client\" \"a\" {{\n  cn = \"a\"\n  ca = hostseed_ca.team\n}}\n"
    );
    for program in terraforms() {
        let Some(root) = Root::new(program, &text) else { return };
        let mut said = Vec::new();
        for (args, more) in [
            (&["apply", "-auto-approve"][..], ""),
            (&["plan"], "  tls_sans = [\"x.example.com\"]\n}"),
            (&["destroy", "-auto-approve"], "}"),
        ] {
            if !more.is_empty() {
                root.write(&text.replace("7\"]\n}", &format!("7\"]\n{more}")));
            }
            let mut keys = Vec::new();
            let output = root.command(args).env("TF_LOG", "TRACE").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            said.extend([output.stdout, output.stderr].concat());
            if args[0] != "destroy" {
                let state: Value = serde_json::from_str(&root.ok(&["show", "-json"])).unwrap();
                key_lines(&state, &mut keys);
                assert!(keys.len() >= 8, "{}", keys.len());
            }
            let said = String::from_utf8_lossy(&said);
            let leaked: Vec<_> = keys.iter().filter(|line| said.contains(*line)).collect();
            assert!(leaked.is_empty(), "{program} {args:?}: {} lines", leaked.len());
        }
        // The provider's log is in Terraform's, with its level.
        let said = String::from_utf8_lossy(&said);
        let logged =
            |line: &str| line.contains("[DEBUG]") && line.contains("/tfplugin6.Provider/PlanResourceChange");
        assert!(said.lines().any(logged));
    }
}

#[test]
fn a_provider_that_terraform_did_not_start_says_so() {
    let Some(program) = program() else { return };
    let output = Command::new(program).env_remove("TF_PLUGIN_MAGIC_COOKIE").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(is_printed(&said, "error[not-started-by-terraform]"), "{said}");
}

#[test]
fn a_provider_ends_after_the_program_that_started_it() {
    let (Some(program), true) = (program(), need("openssl")) else { return };
    let home = Home::new();
    let file = |name: &str| home.path().join(name).display().to_string();
    let (key, certificate) = (file("key.pem"), file("cert.pem"));
    let words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:secp521r1",
        "-nodes",
        "-keyout",
        &key,
        "-out",
        &certificate,
        "-subj",
        "/O=HashiCorp/CN=localhost",
    ];
    assert!(Command::new("openssl").args(words).stderr(Stdio::null()).status().unwrap().success());
    let cookie = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
    let mut shell = Command::new("sh");
    // The shell is gone at once; the provider's standard output stays open until it ends.
    shell.args(["-c", "\"$0\" & sleep 1"]).arg(program).stdin(Stdio::null()).stdout(Stdio::piped());
    shell.env("TF_PLUGIN_MAGIC_COOKIE", cookie).env("PLUGIN_PROTOCOL_VERSIONS", "5,6");
    shell.env("PLUGIN_CLIENT_CERT", fs::read_to_string(&certificate).unwrap());
    let mut shell = shell.spawn().unwrap();
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("1|6|tcp|127.0.0.1:"), "{line}");
    shell.wait().unwrap();
    let begin = Instant::now();
    assert!(lines.next().is_none());
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[test]
fn terraform_reads_the_whole_schema() {
    let Some(root) = Root::new(NEW, "") else { return };
    let schemas: Value = serde_json::from_str(&root.ok(&["providers", "schema", "-json"])).unwrap();
    let schema = &schemas["provider_schemas"]["registry.terraform.io/hostseed/hostseed"];
    let names = |kind: &str| schema[kind].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names("resource_schemas"), ["hostseed_ca", "hostseed_client", "hostseed_machine"]);
    assert_eq!(names("data_source_schemas"), ["hostseed_machine"]);
    assert_eq!(names("ephemeral_resource_schemas"), ["hostseed_client"]);
    assert_eq!(names("functions"), ["env", "verify"]);
    let machine = &schema["resource_schemas"]["hostseed_machine"]["block"]["attributes"];
    // Each option of `create`, as the JSON Schema of a spec has them, but the CA's folder.
    let spec: Value = serde_json::from_str(&root.home.ok(&["schema"])).unwrap();
    let options = spec["properties"].as_object().unwrap();
    let singular = |attribute: &str| {
        let name = attribute.replace('_', "-");
        [name.clone(), name.trim_end_matches("es").to_owned(), name.trim_end_matches('s').to_owned()]
            .into_iter()
            .chain([name.replace("registries", "registry")])
            .find(|name| options.contains_key(name))
    };
    let attributes = machine.as_object().unwrap();
    let of_options: Vec<_> = attributes
        .iter()
        .filter(|(_, one)| one["computed"] != true)
        .filter_map(|(name, _)| singular(name))
        .collect();
    let missing: Vec<_> = options.keys().filter(|name| !of_options.contains(name)).collect();
    assert_eq!(missing, Vec::<&String>::new());
    // A key or what contains one is hidden.
    for (name, attribute) in attributes {
        let is_secret = name.ends_with("key_pem") || name.starts_with("user_data") || name == "ca";
        assert_eq!(attribute["sensitive"] == true, is_secret, "{name}");
        assert!(!text(attribute, "description").is_empty());
    }
    assert_eq!(machine["engine_labels"]["type"], serde_json::json!(["map", "string"]));
    assert_eq!(machine["engine_opts"]["type"], serde_json::json!(["list", "string"]));
    assert_eq!(machine["boot_issuer"]["type"], "bool");
}
