//! Tests `external` as Terraform uses it: it reads a query from standard input and writes one JSON object with string
//! values to standard output. A repeated query gives the same result and creates no file.

use std::io::Write;
use std::process::{Output, Stdio};

use crate::support::{Home, files_below, is_printed, mode, need, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

fn ask(home: &Home, query: &Value) -> Output {
    ask_text(home, &query.to_string())
}

fn ask_text(home: &Home, query: &str) -> Output {
    let mut command = home.command(&["external"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(query.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The result: one object with string values, and no other output.
fn answer(home: &Home, query: &Value) -> Map<String, Value> {
    let output = ask(home, query);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{query}: {stderr}");
    let answer: Map<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer.values().all(Value::is_string), "{answer:?}");
    answer
}

/// The error, which must be on standard error only, with `status`, which is 1 or 2.
fn error(home: &Home, query: &Value, status: i32) -> String {
    let output = ask(home, query);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{query}: {stderr}");
    assert!(output.stdout.is_empty(), "{query}");
    assert!(stderr.starts_with("error["), "{stderr}");
    stderr
}

#[test]
fn the_settings_of_an_existing_machine_are_read_once() {
    if !need("strace") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let log = home.path().join("log");
    let script = |command: &str| {
        format!("strace -f -e trace=openat -o log {} {command}", env!("CARGO_BIN_EXE_hostseed"))
    };
    for command in [
        "external <query >answer",
        "create web1 --address 203.0.113.7 --if-missing",
        "create web1 --address 203.0.113.7 --if-missing --for hetzner",
    ] {
        std::fs::write(home.path().join("query"), r#"{"name": "web1", "addresses": "203.0.113.7"}"#).unwrap();
        let mut sh = std::process::Command::new("sh");
        sh.args(["-c", &script(command)]).current_dir(home.path()).env("HOME", home.path());
        run(sh.env_remove("MACHINE_STORAGE_PATH"));
        let reads = std::fs::read_to_string(&log).unwrap();
        assert_eq!(reads.matches("/machine.yaml\"").count(), 1, "{command}: {reads}");
    }
}

#[test]
fn repeated_queries_give_the_same_result_and_create_one_machine() {
    let home = Home::new();
    let query = json!({"name": "web1", "addresses": "203.0.113.7,web1.example.com", "engine_label": "role=web\nrack=7"});
    let first = ask(&home, &query);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let files: Vec<_> = files_below(&home.store());
    let changed =
        |path: &std::path::PathBuf| std::fs::metadata(home.store().join(path)).unwrap().modified().unwrap();
    let times: Vec<_> = files.iter().map(changed).collect();
    for _ in 0..2 {
        assert_eq!(ask(&home, &query).stdout, first.stdout);
        assert_eq!(files_below(&home.store()), files);
        assert_eq!(files.iter().map(changed).collect::<Vec<_>>(), times);
    }
    // The same applies if the query has only a name, and if `create` has made the machine.
    assert_eq!(ask(&home, &json!({"name": "web1"})).stdout, first.stdout);
    home.ok(&["create", "web2", "--quiet", "--address", "203.0.113.8"]);
    assert_eq!(
        answer(&home, &json!({"name": "web2", "address": "203.0.113.8"}))["docker_host"],
        "tcp://203.0.113.8:2376"
    );
}

#[test]
fn the_result_equals_the_output_of_other_commands() {
    let home = Home::new();
    let answer = answer(&home, &json!({"name": "web1", "addresses": "203.0.113.7", "port": "2377"}));
    let seed = home.ok(&["render", "web1"]);
    assert_eq!(answer["user_data"], seed);
    assert_eq!(STANDARD.decode(answer["user_data_base64"].as_str().unwrap()).unwrap(), seed.as_bytes());
    assert_eq!(format!("{}\n", answer["docker_host"].as_str().unwrap()), home.ok(&["url", "web1"]));
    assert_eq!(answer["cert_path"], home.machine("web1").to_str().unwrap());
    let inspect: Value = serde_json::from_str(&home.ok(&["inspect", "web1", "--json"])).unwrap();
    for (key, role) in [("authority", "authority"), ("host", "server"), ("client", "client")] {
        assert_eq!(answer[&format!("fingerprint_{key}")], inspect[role]["fingerprint"]);
    }
    assert_eq!(answer["expiry"], inspect["server"]["not_after"]);
    assert_eq!(mode(&home.machine("web1").join("key.pem")), 0o600);
    for secret in ["key.pem", "../../certs/web1/ca-key.pem"] {
        let pem = std::fs::read_to_string(home.machine("web1").join(secret)).unwrap();
        assert!(!Value::from(answer.clone()).to_string().contains(pem.lines().nth(1).unwrap()), "{secret}");
    }
}

#[test]
fn a_query_that_differs_from_the_machine_lists_the_fields_and_changes_nothing() {
    let home = Home::new();
    answer(&home, &json!({"name": "web1", "addresses": "203.0.113.7", "engine_label": "a=b"}));
    let before = home.ok(&["render", "web1"]);
    let error = error(
        &home,
        &json!({"name": "web1", "addresses": "203.0.113.8", "engine_label": "a=c", "key": "p384", "port": "2376"}),
        1,
    );
    for field in [
        "`address` is `203.0.113.7` in the machine and `203.0.113.8` in the query",
        "`engine-label`",
        "`key` is `p256`",
    ] {
        assert!(error.contains(field), "{error}");
    }
    assert!(!error.contains("`port`"), "{error}");
    assert_eq!(home.ok(&["render", "web1"]), before);
}

#[test]
fn a_query_that_lacks_a_setting_of_the_machine_says_how_to_add_it() {
    let home = Home::new();
    let fields = [
        ("addresses", "203.0.113.7,web.example.com"),
        ("tls_san", "x.example.com"),
        ("boot_issuer", "true"),
        ("public_address_url", "https://address.example.com"),
        ("port", "2377"),
        ("key", "p384"),
        ("valid_for", "100d"),
        ("engine_label", "[\"a=${b}\",\"c=\\\"d\\\"\"]"),
        ("engine_env", "HTTP_PROXY=http://proxy.example.com"),
        ("engine_opt", "log-level=debug"),
        ("docker", "official"),
        ("docker_version", "28.0.4"),
        ("block_metadata", "true"),
        ("open_firewall", "true"),
    ];
    let query = |without: &str| -> Value {
        let fields = fields.iter().filter(|(key, _)| *key != without);
        let fields = fields.map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
        Value::Object(fields.chain([("name".to_owned(), "web1".into())]).collect())
    };
    answer(&home, &query(""));
    answer(&home, &json!({"name": "web1"}));
    // These keys are no settings of the machine.
    answer(
        &home,
        &json!({"name": "web1", "create": "false", "format": "script", "gzip": "true", "allow_expired": "true"}),
    );
    for (key, line) in [
        ("addresses", "addresses = \"203.0.113.7,web.example.com\""),
        ("tls_san", "tls_san = \"x.example.com\""),
        ("public_address_url", "public_address_url = \"https://address.example.com\""),
        ("port", "port = \"2377\""),
        ("key", "key = \"p384\""),
        ("valid_for", "valid_for = \"100d\""),
        ("engine_label", "engine_label = jsonencode([\"a=$${b}\", \"c=\\\"d\\\"\"])"),
        // Its values can contain a password.
        ("engine_env", "engine_env = jsonencode([\"…\"])"),
        ("engine_opt", "engine_opt = jsonencode([\"…\"])"),
        ("docker_version", "docker_version = \"28.0.4\""),
        ("block_metadata", "block_metadata = \"true\""),
        ("open_firewall", "open_firewall = \"true\""),
    ] {
        let told = error(&home, &query(key), 1);
        let field = if key == "addresses" { "address".to_owned() } else { key.replace('_', "-") };
        let value = if matches!(key, "engine_env" | "engine_opt") { "set " } else { "`" };
        assert!(told.contains(&format!("`{field}` is {value}")), "{key}: {told}");
        assert!(told.contains("in the machine and missing in the query"), "{key}: {told}");
        assert!(told.contains(&format!("add `{line}`")), "{key}: {told}");
    }
    // The default of this one depends on the addresses.
    let told = error(&home, &json!({"name": "web1", "addresses": "203.0.113.7,web.example.com"}), 1);
    assert!(told.contains("`boot_issuer = \"true\"`") && told.contains("`key = \"p384\"`"), "{told}");
    // A setting with its default may be left out.
    answer(
        &home,
        &json!({"name": "web2", "addresses": "203.0.113.7", "port": "2376", "key": "p256", "docker": "auto"}),
    );
    answer(&home, &json!({"name": "web2", "addresses": "203.0.113.7"}));
}

/// A variable of Terraform that is not set must not create a second identity.
#[test]
fn an_empty_guard_is_an_error() {
    let home = Home::new();
    for key in ["create", "fingerprint_authority"] {
        let told = error(&home, &json!({"name": "web1", "addresses": "203.0.113.7", key: ""}), 2);
        assert!(
            is_printed(&told, "error[invalid-choice]") && told.contains(&format!("`{key}` is empty")),
            "{told}"
        );
    }
    assert_eq!(home.ok(&["ls", "-q"]), "");
}

#[test]
fn the_expected_fingerprint_may_be_written_with_or_without_colons() {
    let home = Home::new();
    let first = answer(&home, &json!({"name": "web1", "addresses": "203.0.113.7"}));
    let fingerprint = first["fingerprint_authority"].as_str().unwrap();
    for text in
        [fingerprint.to_owned(), fingerprint.to_lowercase(), fingerprint.replace(':', "").to_lowercase()]
    {
        answer(&home, &json!({"name": "web1", "fingerprint_authority": text}));
    }
    let told = error(&home, &json!({"name": "web1", "fingerprint_authority": "AA:BB"}), 2);
    assert!(is_printed(&told, "error[invalid-checksum] 64 hex digits"), "{told}");
    let other = "ab".repeat(32);
    let told = error(&home, &json!({"name": "web1", "fingerprint_authority": other}), 1);
    assert!(is_printed(&told, "error[machine-differs]"), "{told}");
    answer(&home, &json!({"name": "web2", "addresses": "203.0.113.7", "for": "ec2", "gzip": "true"}));
}

#[test]
fn equivalent_settings_do_not_differ() {
    let home = Home::new();
    answer(&home, &json!({"name": "web1", "addresses": "Web1.example.com", "engine_label": "b=1\na=2"}));
    answer(
        &home,
        &json!({"name": "web1", "addresses": "web1.Example.com", "engine_label": r#"{"a": "2", "b": "1"}"#}),
    );
    // A string with commas is not a list here.
    answer(&home, &json!({"name": "web2", "addresses": "203.0.113.7", "engine_label": "a=1, b=2"}));
    let told = error(&home, &json!({"name": "web2", "engine_label": "a=1\nb=2"}), 1);
    assert!(told.contains("is `a=1, b=2` in the machine and `a=1`, `b=2` in the query"), "{told}");

    // A recorded address is one of the machine's addresses.
    home.ok(&["create", "web3", "--quiet"]);
    home.ok(&["address", "web3", "203.0.113.9", "--quiet"]);
    answer(&home, &json!({"name": "web3", "addresses": "203.0.113.9"}));
    error(&home, &json!({"name": "web3", "addresses": "203.0.113.8"}), 1);
    error(&home, &json!({"name": "web2", "addresses": "[]"}), 1);

    // A query with only some settings need not be a valid spec, but is compared as a whole.
    home.ok(&["create", "web4", "--quiet", "--address", "203.0.113.7", "--ca", "shared"]);
    let told = error(&home, &json!({"name": "web4", "ca": "shared"}), 1);
    assert!(told.contains("`address` is `203.0.113.7` in the machine and missing in the query"), "{told}");
    error(&home, &json!({"name": "web5", "ca": "shared"}), 2);

    // `false` equals a missing option.
    let all = json!({"name": "web4", "addresses": "203.0.113.7", "ca": "shared", "block_metadata": "false"});
    answer(&home, &all);
    let told = error(&home, &json!({"name": "web4", "block_metadata": "true"}), 1);
    assert!(told.contains("`block-metadata`"), "{told}");
    answer(&home, &json!({"name": "web7", "addresses": "203.0.113.7", "block_metadata": "true"}));
    error(&home, &json!({"name": "web7", "block_metadata": "false"}), 1);

    std::fs::create_dir(home.path().join("ca")).unwrap();
    for file in ["ca.pem", "ca-key.pem"] {
        std::fs::copy(home.store().join("certs").join(file), home.path().join("ca").join(file)).unwrap();
    }
    for folder in ["./ca", "./ca/", "ca/../ca", home.path().join("ca").to_str().unwrap()] {
        answer(&home, &json!({"name": "web6", "addresses": "203.0.113.7", "ca": folder}));
    }
}

#[test]
fn a_result_with_a_key_is_not_written_to_a_world_readable_file() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let out = std::fs::File::create(home.path().join("answer")).unwrap();
    let mut child = home.command(&["external"]).stdin(Stdio::piped()).stdout(out).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"name\": \"web1\"}").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // The file is private before the first byte; `tests/robustness/standard_output.rs` checks the order.
    assert_eq!(mode(&home.path().join("answer")), 0o600);
}

#[test]
fn the_limit_of_the_cloud_is_checked_before_a_machine_is_created() {
    let home = Home::new();
    let error = error(&home, &json!({"name": "web1", "for": "aws"}), 1);
    assert!(
        error.contains("the limit of aws is 16384") && error.contains("`gzip = \"true\"` brings it to"),
        "{error}"
    );
    assert!(files_below(&home.store()).is_empty());

    let packed = answer(&home, &json!({"name": "web1", "for": "aws", "gzip": "true"}));
    let bytes = STANDARD.decode(packed["user_data_base64"].as_str().unwrap()).unwrap();
    assert!(bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() <= 16_384);
    // Terraform refuses binary data in a string attribute.
    assert!(!packed.contains_key("user_data"));

    // cloud-init decodes base64 there.
    let packed = answer(&home, &json!({"name": "web1", "for": "gce", "gzip": "true"}));
    assert_eq!(packed["user_data"], packed["user_data_base64"]);

    let ignition = answer(&home, &json!({"name": "web1", "format": "ignition"}));
    assert_eq!(ignition["user_data"], home.ok(&["render", "web1", "--format", "ignition"]));
}

#[test]
fn all_problems_of_a_query_are_reported_together() {
    let home = Home::new();
    let told = error(&home, &json!({"nmae": "web1", "port": "99999", "addresses": "1.2.3"}), 2);
    for finding in [
        "error[unknown-field]: `nmae`",
        "did you mean `name`?",
        "error[missing-field]: `name`",
        "error[invalid-port]: `port`",
        "error[invalid-address]: `address` `1.2.3`",
    ] {
        assert!(told.contains(finding), "{finding}: {told}");
    }
    let blank = error(&home, &json!({"name": "web1", "addresses": " , "}), 2);
    assert!(blank.contains("`addresses` names nothing"), "{blank}");
    for query in [
        "",
        "[]",
        "{\"name\": 1}",
        "{\"name\": [\"web1\"]}",
        "{\"name\": \"web1\"",
        "{\"name\": null}",
        "\"web1\"",
    ] {
        let output = ask_text(&home, query);
        assert_eq!(output.status.code(), Some(2), "{query}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("error[query-json]: "), "{query}");
    }
    for (key, value) in [("for", "awz"), ("gzip", "yes"), ("format", "mime")] {
        let error = self::error(&home, &json!({"name": "web1", key: value}), 2);
        assert!(error.contains(&format!("`{key}` must be one of")), "{error}");
    }
    assert!(files_below(&home.store()).is_empty());
}

#[test]
fn a_query_for_a_machine_that_must_exist_does_not_create_one() {
    let home = Home::new();
    let query = json!({"name": "web1", "addresses": "203.0.113.7"});
    let with = |key: &str, value: &str| {
        let mut query = query.clone();
        query[key] = value.into();
        query
    };
    let fingerprint = ["AB"; 32].join(":");
    for query in [with("create", "false"), with("fingerprint_authority", &fingerprint)] {
        let error = self::error(&home, &query, 1);
        let path = home.machine("web1").display().to_string();
        assert!(error.starts_with(&format!("error[no-such-machine]: `{path}` does not exist")), "{error}");
        assert!(files_below(&home.store()).is_empty(), "{query}");
    }
    let first = answer(&home, &with("create", "true"));
    let right = first["fingerprint_authority"].as_str().unwrap().to_owned();
    for query in [
        with("create", "false"),
        with("fingerprint_authority", &right),
        with("fingerprint_authority", &right.to_lowercase()),
    ] {
        assert_eq!(answer(&home, &query), first, "{query}");
    }
    let error = error(&home, &with("fingerprint_authority", &fingerprint), 1);
    assert!(error.starts_with("error[machine-differs]: ") && error.contains(&right), "{error}");
    let wrong = with("create", "no");
    assert!(self::error(&home, &wrong, 2).contains("`create` must be one of `true`, `false`"));
}

#[test]
fn eight_concurrent_queries_create_one_machine() {
    let home = Home::new();
    let query = json!({"name": "web1", "addresses": "203.0.113.7"});
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(&home, &query))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    for output in &answers {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout, answers[0].stdout);
    }
    assert_eq!(home.ok(&["ls", "-q"]), "web1\n");
}
