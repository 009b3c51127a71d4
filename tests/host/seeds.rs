//! Checks the rendered files with other programs: scripts with shells and shellcheck, user-data with cloud-init. Also
//! checks that no format of a seed contains a private key that does not belong there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::extent::{in_parallel, is_full};
use crate::support::openssl::quick_keys;
use crate::support::{Home, cloud_init, files_below, need, run, seed, snapshot};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

/// The golden files of that name, in a temporary folder and without duplicates. Files that are stored as a diff are
/// included only if all repetitions must run.
fn golden(name: &str, begins: &[u8]) -> (TempDir, Vec<PathBuf>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut different = BTreeMap::new();
    for kept in files_below(&root) {
        let path = snapshot::file_of(&kept);
        if path.file_name().unwrap() == name && (kept == path || is_full()) {
            different.entry(snapshot::read(&root.join(&path))).or_insert(path);
        }
    }
    different.retain(|content, _| content.starts_with(begins));
    assert!(!different.is_empty(), "{name}");
    let dir = tempfile::tempdir().unwrap();
    let write = |(content, path): (Vec<u8>, PathBuf)| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    };
    let files = different.into_iter().map(write).collect();
    (dir, files)
}

/// The different scripts of the golden cases, with their settings in them. Scripts in base64 are left out, because another case contains
/// them as plain text.
fn scripts() -> (Vec<TempDir>, Vec<PathBuf>) {
    let (mut dirs, files): (Vec<_>, Vec<_>) =
        ["user-data.sh", "bake.sh"].map(|name| golden(name, b"#!")).into_iter().unzip();
    let mut files = files.concat();
    let (host, settings) = golden("settings", b"# The settings");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    for file in &settings {
        let text = fs::read_to_string(file).unwrap();
        let lib = root.join(file.strip_prefix(host.path()).unwrap()).parent().unwrap().to_owned();
        for script in ["setup", "issue"].map(|name| lib.join(name)) {
            if !script.exists() && !script.with_extension("diff").exists() {
                continue;
            }
            let joined = String::from_utf8(snapshot::read(&script)).unwrap();
            let joined = joined.replacen("\n[ ! -r /usr/local/lib/hostseed/settings ] ||", "", 1);
            let read = "\n. /usr/local/lib/hostseed/settings\n";
            assert!(joined.contains(read), "{}", script.display());
            let path = file.with_file_name(script.file_name().unwrap());
            fs::write(
                &path,
                joined.replacen(
                    read,
                    &format!("\n# shellcheck disable=SC2034  # for the other script\n{{\n{text}\n}}\n"),
                    1,
                ),
            )
            .unwrap();
            files.push(path);
        }
    }
    let (ignition, issue) = golden("issue", b"#!");
    files.extend(issue.into_iter().filter(|file| !fs::read_to_string(file).unwrap().contains("\n. /")));
    dirs.extend([host, ignition]);
    (dirs, files)
}

#[test]
fn shellcheck_accepts_the_scripts() {
    if need("shellcheck") {
        let (_dirs, scripts) = scripts();
        in_parallel(scripts, 1, |script| run(Command::new("shellcheck").args(["-s", "sh"]).arg(script)));
    }
}

#[test]
fn dash_and_busybox_can_read_the_scripts() {
    let (_dirs, scripts) = scripts();
    for script in scripts {
        if need("dash") {
            run(Command::new("dash").arg("-n").arg(&script));
        }
        if need("busybox") {
            run(Command::new("busybox").args(["sh", "-n"]).arg(&script));
        }
    }
}

#[test]
fn cloud_init_accepts_each_user_data() {
    if !cloud_init::is_here() {
        return;
    }
    let (_dir, files) = golden("user-data", b"#cloud-config\n");
    for (user_data, (valid, said)) in files.iter().zip(cloud_init::schema(&files)) {
        assert!(valid && said.contains("Valid"), "{}: {said}", user_data.display());
    }
}

#[test]
fn the_smallest_user_data_fits_the_lowest_limit() {
    let home = Home::new();
    let address = ["--address", "203.0.113.7"];
    let issues = ["--boot-issuer", "--engine-label", "role=web", "--engine-opt", "log-opt=max-size=10m"];
    for (name, options, gzip) in [
        ("web1", &address[..], false),
        ("ed25519", &["--address", "203.0.113.7", "--key", "ed25519"], false),
        ("none", &["--address", "203.0.113.7", "--docker", "none"], false),
        ("blocks", &["--address", "203.0.113.7", "--block-metadata"], false),
        ("web2", &[], true),
        ("blocks2", &["--block-metadata"], true),
        ("web-server-production-01", &[&address[..], &issues].concat(), true),
        ("p384", &["--key", "p384"], true),
        ("rsa2048", &["--address", "203.0.113.7", "--key", "rsa2048"], true),
    ] {
        home.ok(&[&["create", name, "--quiet"], options].concat());
        // Amazon EC2: 16 384 bytes before base64 (EC2 User Guide, "Run commands at launch").
        let words = ["render", name, "--for", "aws", "-o", name];
        home.ok(&[&words[..], if gzip { &["--gzip"] } else { &[] }].concat());
        println!("{name}: {} bytes", fs::metadata(home.path().join(name)).unwrap().len());
    }
}

/// The environment of whoever runs `setup` has no settings. A user who cannot read the settings gets as far as the check for root.
#[test]
fn setup_takes_no_setting_from_its_environment_and_begins_without_its_settings() {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    let files = seed::on_the_host(home.ok(&["render", "web1"]).as_bytes());
    let (_, _, setup) = files.iter().find(|(path, ..)| path.ends_with("/setup")).unwrap();
    let setup = String::from_utf8(setup.clone()).unwrap();
    let (begin, _) = setup.split_once("\nstate=").unwrap();
    let begin = begin.replace("/usr/local/lib/hostseed/settings", "/nowhere/settings");
    let show = "printf '%s|' \"$proxy\" \"$block_metadata\" \"$open_firewall\" \"$daemon_json\" \"$docker_users\" \"${http_proxy-}\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{begin}\n{show}")]);
    for name in ["proxy", "block_metadata", "open_firewall", "daemon_json", "docker_users"] {
        shell.env(name, "foreign");
    }
    let output = run(shell.env_remove("http_proxy"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "||||||");
}

#[test]
fn no_seed_contains_the_key_of_the_ca_or_of_the_client() {
    let kinds = quick_keys();
    let hosts = [("server-key.pem", &["--address", "203.0.113.7"][..]), ("issuer-key.pem", &[])];
    for (kind, (hosts_key, options)) in kinds.into_iter().flat_map(|kind| hosts.map(|host| (kind, host))) {
        let home = Home::new();
        home.ok(&[&["create", "web1", "--quiet", "--key", kind], options].concat());
        let secrets: Vec<String> =
            [home.machine("web1").join("key.pem"), home.store().join("certs/web1/ca-key.pem")]
                .iter()
                .map(|path| fs::read_to_string(path).unwrap())
                .collect();
        let hosts_key = fs::read_to_string(home.machine("web1").join(hosts_key)).unwrap();
        for words in FORMS {
            let everything = everything(&home, &["render", "web1"], words);
            for secret in &secrets {
                for form in forms(secret) {
                    assert!(
                        !contains(&everything, &form),
                        "{kind} {words} holds a key that must stay at home"
                    );
                }
            }
            let found = forms(&hosts_key).iter().any(|form| contains(&everything, form));
            assert!(found, "{words}: the search would not find a key");
        }
    }
    for words in ["", "--format packer", "--format imagebuilder"] {
        let bake = everything(&Home::new(), &["bake"], words);
        assert!(!contains(&bake, b"PRIVATE KEY-----"), "{words}");
    }
}

#[test]
fn a_key_in_the_wrong_file_is_not_sent_to_the_host() {
    let home = Home::new();
    for name in ["web1", "web2"] {
        home.ok(&["create", name, "--quiet", "--address", "203.0.113.7"]);
    }
    let own = home.machine("web1").join("server-key.pem");
    let right = fs::read(&own).unwrap();
    for other in [
        home.store().join("certs/web1/ca-key.pem"),
        home.machine("web1").join("key.pem"),
        home.machine("web2").join("server-key.pem"),
    ] {
        fs::copy(&other, &own).unwrap();
        for words in FORMS {
            let words: Vec<_> =
                ["render", "web1", "-o", "out"].into_iter().chain(words.split_whitespace()).collect();
            let error = home.fails(1, &words);
            assert!(error.contains("is not the key of server.pem"), "{error}");
            assert!(!home.path().join("out").exists());
        }
    }
    fs::write(&own, right).unwrap();
    home.ok(&["render", "web1"]);
}

/// Every format of a machine's seed, as options of `render`.
const FORMS: [&str; 14] = [
    "--format cloud-config",
    "--format script",
    "--format bake",
    "--format mime",
    "--format ignition",
    "--format nocloud",
    "--format packer",
    "--format imagebuilder",
    "--format terraform",
    "--gzip",
    "--gzip --base64",
    "--format script --gzip",
    "--format mime --gzip --base64",
    "--format ignition --base64",
];

/// The output of a command, including everything that is encoded in it.
fn everything(home: &Home, command: &[&str], options: &str) -> Vec<u8> {
    let out = home.path().join("out");
    let options: Vec<_> = options.split_whitespace().collect();
    home.ok(&[command, &options, &["-o", "out"]].concat());
    let files = if out.is_dir() { files_below(&out) } else { vec![PathBuf::new()] };
    let read = |file: &PathBuf| fs::read(if out.is_dir() { out.join(file) } else { out.clone() }).unwrap();
    let everything = files.iter().flat_map(|file| [unpacked(&read(file)), b"\n".to_vec()].concat()).collect();
    if out.is_dir() {
        fs::remove_dir_all(&out).unwrap()
    } else {
        fs::remove_file(&out).unwrap()
    }
    everything
}

/// A text and, recursively, everything in it that is encoded as base64 or gzip.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    let mut plain = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) && flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).is_ok()
    {
        all.extend(unpacked(&plain));
        return all;
    }
    // A YAML string has the line breaks of a script as `\n`.
    let text = String::from_utf8_lossy(bytes).replace("\\n", "\n");
    // Line breaks inside base64 are removed.
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let mut runs = vec![String::new()];
    for line in text.lines() {
        if line.chars().all(is_base64) && !line.is_empty() && line != "END" {
            runs.last_mut().unwrap().push_str(line);
        } else {
            runs.extend(line.split(|c| !is_base64(c)).filter(|run| run.len() >= 40).map(str::to_owned));
            runs.push(String::new());
        }
    }
    for decoded in runs.iter().filter(|run| run.len() >= 40).filter_map(|run| STANDARD.decode(run).ok()) {
        let mut plain = Vec::new();
        let inner = match flate2::read::GzDecoder::new(&decoded[..]).read_to_end(&mut plain) {
            Ok(_) => plain,
            Err(_) => decoded,
        };
        all.push(b'\n');
        all.extend(unpacked(&inner));
    }
    all
}

/// Forms of a private key to search for: the PEM text, its base64, and the secret part of its DER. The public part also
/// occurs in a certificate.
fn forms(pem: &str) -> Vec<Vec<u8>> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(&body).unwrap();
    // PKCS#8 of a curve has its scalar around byte 40; RSA's private numbers come after the modulus.
    let secret = if der.len() < 300 { 36..48 } else { der.len() / 2..der.len() / 2 + 48 };
    let in_base64 = secret.start / 3 * 4 + 4..secret.end / 3 * 4;
    vec![pem.into(), body.clone().into(), body[in_base64].into(), der[secret].to_vec()]
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
