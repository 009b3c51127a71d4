//! The data about clouds is complete, its limits are enforced to the byte, and `create --for` prints instructions that
//! match it. The printed commands are run here as a user would run them, up to the cloud itself.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::extent::{is_full, sample};
use crate::support::{Home, files_below, mode, need};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Maximum size of user-data in bytes according to each cloud's documentation: for raw user-data, and for user-data that
/// hostseed encodes as base64. Computed by hand.
const LIMITS: [(&str, usize, Option<usize>); 11] = [
    ("alibaba", 32_768, Some(32_768)),
    ("aws", 16_384, Some(16_384)),
    ("azure", 65_535, Some(65_535)),
    ("digitalocean", 65_536, None),
    // 8191 groups of four characters are 32764, one more is 32768, which is too many.
    ("exoscale", 24_573, Some(24_573)),
    // If the user passes base64, its length counts: 65536 groups.
    ("gce", 262_144, Some(196_608)),
    ("hetzner", 32_768, Some(24_576)),
    ("linode", 16_384, Some(16_384)),
    // 7667 groups are 30668.
    ("oci", 23_001, Some(23_001)),
    // 16383 groups are 65532, one more is 65536.
    ("openstack", 49_149, Some(49_149)),
    ("ovh", 49_149, Some(49_149)),
];

fn clouds(home: &Home, port: &str) -> Vec<Value> {
    serde_json::from_str(&home.ok(&["clouds", "--json", "--port", port])).unwrap()
}

fn names(home: &Home) -> Vec<String> {
    clouds(home, "2376").iter().map(|cloud| cloud["name"].as_str().unwrap().to_owned()).collect()
}

/// All strings in a JSON value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn each_cloud_is_listed_once_with_all_its_texts() {
    let home = Home::new();
    let known = names(&home);
    let wanted = "alibaba aws azure digitalocean exoscale gce hetzner linode nocloud oci openstack ovh proxmox \
                  scaleway tencent upcloud vmware vultr";
    assert_eq!(known.join(" "), wanted);
    for cloud in clouds(&home, "12345") {
        let name = cloud["name"].as_str().unwrap();
        for field in ["title", "source", "encoding", "console"] {
            assert!(!cloud[field].as_str().unwrap().is_empty(), "{name}: {field}");
        }
        let way = &cloud["deliveries"][0];
        assert!(way["command"].is_string() && way["terraform"].is_string(), "{name}");
        assert!(cloud["firewall"]["console"].as_str().unwrap().contains("12345"), "{name}");
        if let Some(command) = cloud["firewall"]["command"].as_str() {
            assert!(command.contains("12345") && !command.contains("2376"), "{name}");
        }
        for text in texts(&cloud) {
            assert!(!text.contains("{name}") && !text.contains("{port}"), "{name}: {text}");
            assert!(text.is_ascii() && text.trim() == text, "{name}: {text}");
        }
        // The human-readable output has the same content.
        let shown = home.ok(&["clouds", name, "--port", "12345"]);
        let way = texts(&cloud["deliveries"]).into_iter().chain(texts(&cloud["firewall"]["command"]));
        for line in way.flat_map(str::lines) {
            assert!(shown.contains(line), "{name}: {line}\n{shown}");
        }
    }
}

#[test]
fn the_list_fits_into_the_width_of_help() {
    let home = Home::new();
    for line in home.ok(&["clouds"]).lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn commands_are_shell_and_terraforms_lines_are_in_its_own_format() {
    let home = Home::new();
    let filter = |program: &str, args: &[&str], input: &str| {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{input}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let terraform = need("terraform");
    for cloud in clouds(&home, "2376") {
        let ways = cloud["deliveries"].as_array().unwrap();
        for command in ways.iter().map(|way| &way["command"]).chain([&cloud["firewall"]["command"]]) {
            filter("sh", &["-n"], command.as_str().unwrap_or_default());
        }
        for lines in ways.iter().filter_map(|way| way["terraform"].as_str()).filter(|_| terraform) {
            let lines = format!("{lines}\n");
            assert_eq!(filter("terraform", &["fmt", "-"], &lines), lines, "{}", cloud["name"]);
        }
    }
}

const MIME: [&str; 6] = ["render", "web1", "--format", "mime", "--part", "part"];

/// Makes a script that is longer by `pad` bytes.
fn part(pad: usize) -> String {
    let comment: String =
        std::iter::repeat_n('x', pad).enumerate().map(|(n, x)| if n % 60 == 59 { '\n' } else { x }).collect();
    // In a here-document, lines after a line break need not be comments.
    format!("#!/bin/sh\n: <<'END'\n{comment}\nEND\n")
}

/// Renders user-data of `bytes` bytes by adding a script as padding, where `bare` is its size without padding. Returns
/// the user-data, or the error message if it is refused.
fn render_padded(
    home: &Home,
    bare: usize,
    bytes: usize,
    cloud: &str,
    base64: bool,
) -> Result<Vec<u8>, String> {
    let write = |pad| fs::write(home.path().join("part"), part(pad)).unwrap();
    write(bytes - bare);
    // Just above a limit, the rest of the user-data is compressed better, so that there is room for more.
    let size = home.ok(&MIME).len();
    write(bytes - bare + (bytes - size));
    let mut args = [&MIME[..], &["--for", cloud]].concat();
    args.extend(base64.then_some("--base64"));
    let output = home.run(&args);
    match output.status.code() {
        Some(0) => Ok(output.stdout),
        Some(1) => Err(String::from_utf8(output.stderr).unwrap()),
        status => panic!("{args:?}: {status:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn user_data_of_exactly_the_limit_is_accepted() {
    let home = Home::new();
    // The smallest user-data, so that a part fits beside it into each limit.
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--docker", "none"]);
    fs::write(home.path().join("part"), part(0)).unwrap();
    let bare = home.ok(&MIME).len();
    for (cloud, plain, in_base64) in sample(LIMITS.to_vec(), 3) {
        for (most, base64) in [(Some(plain), false), (in_base64, true)] {
            let Some(most) = most else {
                let refusal = home.fails(2, &["render", "web1", "--for", cloud, "--base64"]);
                assert!(refusal.contains("error[encoding-not-supported]: "), "{refusal}");
                continue;
            };
            for bytes in [most - 1, most] {
                let taken = render_padded(&home, bare, bytes, cloud, base64);
                let seed = taken.unwrap_or_else(|refusal| panic!("{cloud} {bytes} {base64}: {refusal}"));
                let seed = if base64 { STANDARD.decode(seed).unwrap() } else { seed };
                assert_eq!(seed.len(), bytes, "{cloud}");
            }
            let refusal = render_padded(&home, bare, most + 1, cloud, base64).unwrap_err();
            assert_eq!(home.ok(&MIME).len(), most + 1);
            assert!(refusal.contains(&format!("the limit of {cloud} is ")), "{refusal}");
        }
    }
    let limited = clouds(&home, "2376").iter().filter(|cloud| !cloud["limit"].is_null()).count();
    assert_eq!(limited, LIMITS.len() + 1, "Tencent's is below what any machine needs");
}

#[test]
fn printed_limits_are_the_enforced_ones() {
    let home = Home::new();
    let told = clouds(&home, "2376");
    for (name, plain, _) in LIMITS.into_iter().chain([("tencent", 12_288, None)]) {
        let cloud = told.iter().find(|cloud| cloud["name"] == name).unwrap();
        assert_eq!(cloud["limit"]["raw_bytes"], plain, "{name}");
    }
}

/// Runs `create --for`. Returns its messages, and the output of the first command that it prints.
fn create_for(home: &Home, cloud: &str, args: &[&str]) -> (String, Vec<u8>) {
    let output = home.run(&[&["create", cloud, "--for", cloud], args].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{cloud}: {told}");
    let mut lines = told.lines().skip_while(|line| !line.starts_with("  1. "));
    let file = lines.next().unwrap().split('`').nth(1).unwrap();
    let command = lines.next().unwrap().trim();
    let args: Vec<_> = command.strip_prefix("hostseed ").unwrap().split(' ').collect();
    home.ok(&args);
    let path = home.path().join(file);
    assert_eq!(mode(&path), 0o600, "{cloud}");
    let seed = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    (told, seed)
}

#[test]
fn the_first_step_is_a_command_that_renders_the_described_user_data() {
    let home = Home::new();
    for cloud in clouds(&home, "2376") {
        let name = cloud["name"].as_str().unwrap();
        if name == "tencent" {
            continue;
        }
        let (told, seed) = create_for(&home, name, &["--port", "2377", "--address", "203.0.113.7"]);
        assert!(told.contains("TCP 2377") && !told.contains("2376"), "{told}");
        let text = match name {
            "vmware" => STANDARD.decode(&seed).unwrap(),
            _ => seed.clone(),
        };
        let first: &[u8] = if name == "nocloud" { b"\xeb" } else { b"#cloud-config\n" };
        assert!(text.starts_with(first), "{name}");
        if let Some(limit) = cloud["limit"]["bytes"].as_u64() {
            let size = match cloud["limit"]["counts"] == "base64" {
                true => format!("{} bytes of base64", STANDARD.encode(&seed).len()),
                false => format!("{} bytes", seed.len()),
            };
            assert!(
                told.contains(&format!("     ({size}; the limit of {name} is {limit})\n")),
                "{size}: {told}"
            );
        }
        let ways = cloud["deliveries"][0]["command"].as_str().unwrap();
        for line in ways.lines().map(|line| line.replace("NAME", name)) {
            assert!(told.contains(&line), "{line}: {told}");
        }
    }
}

#[test]
fn each_delivery_can_be_rendered_and_contains_the_same_machine() {
    let home = Home::new();
    home.ok(&["create", "NAME", "--address", "203.0.113.7"]);
    for cloud in clouds(&home, "2376").iter().filter(|cloud| cloud["name"] != "tencent") {
        let name = cloud["name"].as_str().unwrap();
        for way in cloud["deliveries"].as_array().unwrap() {
            let command = way["render"].as_str().unwrap().strip_prefix("hostseed ").unwrap();
            home.ok(&command.split(' ').collect::<Vec<_>>());
            let path = home.path().join(way["file"].as_str().unwrap());
            let file = fs::read(&path).unwrap();
            let bytes = if way["base64"] == true { STANDARD.decode(&file).unwrap() } else { file };
            assert_eq!(bytes.starts_with(b"\x1f\x8b"), way["gzip"] == true, "{name}: {command}");
            let verdict = home.run(&["verify", path.to_str().unwrap(), "--for", name]);
            assert!(verdict.status.success(), "{command}: {}", String::from_utf8_lossy(&verdict.stdout));
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn user_data_that_fits_only_compressed_gets_instructions_for_gzip() {
    let home = Home::new();
    let (told, seed) = create_for(&home, "aws", &[]);
    assert!(seed.starts_with(b"\x1f\x8b") && seed.len() <= 16_384);
    assert!(told.contains(&format!("({} bytes; the limit of aws is 16384)", seed.len())), "{told}");
    assert!(told.contains("fileb://aws.user-data.gz") && told.contains("user_data_base64"), "{told}");
    // The text for the console is the same.
    assert!(told.contains("\n       hostseed render aws --for aws --gzip --base64\n"), "{told}");
    let pasted = home.ok(&["render", "aws", "--for", "aws", "--gzip", "--base64"]);
    assert_eq!(STANDARD.decode(pasted).unwrap(), seed);
    let json: Value = serde_json::from_str(&home.ok(&["create", "web2", "--for", "aws", "--json"])).unwrap();
    assert_eq!((&json["for"]["cloud"], &json["for"]["gzip"]), (&"aws".into(), &true.into()));
}

#[test]
fn user_data_that_is_too_large_leaves_no_machine() {
    let home = Home::new();
    let refusal = home.fails(1, &["create", "web1", "--for", "tencent"]);
    assert!(
        refusal.contains("in base64, and the limit of tencent is 16384 without gzip; nothing was changed"),
        "{refusal}"
    );
    assert_eq!(home.ok(&["ls", "-q"]), "");
    let left: Vec<_> = files_below(home.path());
    assert!(left.iter().all(|file| file.ends_with("hostseed.lock")), "{left:?}");
}

#[test]
fn the_hint_of_a_size_error_makes_the_user_data_fit() {
    let cases: [&[&str]; 5] = [
        &["--for", "linode"],
        &["--for", "linode", "--key", "rsa2048"],
        &["--for", "linode", "--key", "rsa4096"],
        &["--for", "linode", "--boot-issuer", "--address", "203.0.113.7"],
        &["--for", "aws", "--key", "rsa2048"],
    ];
    for case in cases {
        // The larger RSA keys take the most time to generate, and rsa2048 gets the same hints.
        if case.contains(&"rsa4096") && !is_full() {
            continue;
        }
        let home = Home::new();
        let refusal = home.fails(1, &[&["create", "web1"], case].concat());
        let hint = refusal.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
        assert!(!hint.is_empty(), "{refusal}");
        for advice in hint.split("; or ") {
            let (change, size) = advice.rsplit_once(" it to about ").unwrap();
            let mut args = [&["create", "web1", "--json"], case].concat();
            if change.contains("no `--boot-issuer`") {
                args.retain(|arg| *arg != "--boot-issuer");
            }
            let quoted = change.split('`').skip(1).step_by(2);
            let flags = quoted.filter(|word| word.starts_with("--") && *word != "--boot-issuer");
            let mut words: Vec<_> = flags.flat_map(|flag| flag.split(' ')).collect();
            if let Some(kept) =
                args.iter().position(|arg| *arg == "--key").filter(|_| words.contains(&"--key"))
            {
                args.drain(kept..kept + 2);
            }
            words.iter_mut().filter(|word| **word == "ADDRESS").for_each(|word| *word = "203.0.113.255");
            args.extend(words);
            let json: Value = serde_json::from_str(&home.ok(&args)).unwrap();
            let about: i64 = size.split(' ').next().unwrap().parse().unwrap();
            let really = json["for"]["size"].as_i64().unwrap();
            // Other keys compress a little better or worse. An RSA key has the modulus of its certificate in it, which gzip finds
            // only where both begin at the same place of base64's groups: eight seeds had 12 047 to 12 380 bytes.
            assert!((about - really).abs() < really / 20, "{args:?}: {about} was told, it is {really}");
            home.ok(&["rm", "-y", "web1"]);
        }
    }
}

#[test]
fn a_cloud_can_be_given_with_a_spec_file_and_is_not_stored() {
    let home = Home::new();
    fs::write(home.path().join("spec.yaml"), "name: web1\naddress: 203.0.113.7\n").unwrap();
    home.ok(&["create", "-f", "spec.yaml", "--for", "aws"]);
    let stored = fs::read_to_string(home.machine("web1").join("machine.yaml")).unwrap();
    assert!(!stored.contains("aws"), "{stored}");
    fs::write(home.path().join("spec.yaml"), "name: web2\nkey: rsa4096\naddress: 203.0.113.7\n").unwrap();
    let refusal = home.fails(1, &["create", "-f", "spec.yaml", "--for", "linode"]);
    assert!(refusal.contains("hint: `key: p256` brings it to about "), "{refusal}");
}

#[test]
fn a_name_that_a_cloud_does_not_allow_becomes_a_placeholder() {
    let home = Home::new();
    let output = home.run(&["create", "Web1.example.com", "--address", "203.0.113.7", "--for", "gce"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("gcloud compute instances create NAME "), "{told}");
    let render = "     hostseed render Web1.example.com --for gce -o Web1.example.com.user-data\n";
    assert!(told.contains(render), "{told}");
}
