//! Other people's programs read what hostseed renders: shells and shellcheck the scripts, cloud-init the user-data.
//! And no form of a seed holds a key that has no business there.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use support::{Home, need, run};

/// The golden files of that name.
fn golden(name: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut found = Vec::new();
    for case in fs::read_dir(root).unwrap() {
        let case = case.unwrap().path();
        found.extend(
            support::files_below(&case)
                .into_iter()
                .filter(|path| path.ends_with(name))
                .map(|path| case.join(path)),
        );
    }
    assert!(!found.is_empty(), "{name}");
    found
}

fn scripts() -> Vec<PathBuf> {
    ["setup", "issue", "user-data.sh", "bake.sh"].into_iter().flat_map(golden).collect()
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    if need("shellcheck") {
        run(Command::new("shellcheck").args(["-s", "sh"]).args(scripts()));
    }
}

#[test]
fn dash_and_busybox_can_read_the_scripts() {
    for script in scripts() {
        if need("dash") {
            run(Command::new("dash").arg("-n").arg(&script));
        }
        if need("busybox") {
            run(Command::new("busybox").args(["sh", "-n"]).arg(&script));
        }
    }
}

#[test]
fn cloud_init_finds_every_user_data_valid() {
    if !need("cloud-init") {
        return;
    }
    let begins = |path: &PathBuf| fs::read(path).unwrap().starts_with(b"#cloud-config\n");
    for user_data in golden("user-data").into_iter().filter(begins) {
        let output = run(Command::new("cloud-init").args(["schema", "-c"]).arg(&user_data));
        assert!(String::from_utf8_lossy(&output.stdout).contains("Valid"), "{}", user_data.display());
    }
}

#[test]
fn the_smallest_user_data_fits_the_tightest_cloud() {
    let home = Home::new();
    let address = ["--address", "203.0.113.7"];
    let issues = ["--boot-issuer", "--engine-label", "role=web", "--engine-opt", "log-opt=max-size=10m"];
    for (name, options, compressed) in [
        ("web1", &address[..], false),
        ("ed25519", &["--address", "203.0.113.7", "--key", "ed25519"], false),
        ("none", &["--address", "203.0.113.7", "--docker", "none"], false),
        // With a boot issuer, compressed, which the README tells how to do.
        ("web2", &[], true),
        ("web-server-production-01", &[&address[..], &issues].concat(), true),
        ("p384", &["--key", "p384"], true),
    ] {
        home.ok(&[&["create", name, "--quiet"], options].concat());
        let mut user_data = home.ok(&["render", name]).into_bytes();
        if compressed {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            gzip.write_all(&user_data).unwrap();
            user_data = gzip.finish().unwrap();
        }
        println!("{name}: {} bytes", user_data.len());
        // Amazon EC2: 16 384 bytes before base64 (EC2 User Guide, "Run commands at launch").
        assert!(user_data.len() <= 16_384, "{name}: {} bytes", user_data.len());
    }
}

#[test]
fn no_seed_holds_the_key_of_the_authority_or_of_the_client() {
    let kinds = ["p256", "p384", "ed25519", "rsa2048"];
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
        for format in ["cloud-config", "script", "bake"] {
            let seed = home.ok(&["render", "web1", "--format", format]);
            let everything = unpacked(seed.as_bytes());
            for secret in &secrets {
                for form in forms(secret) {
                    assert!(
                        !contains(&everything, &form),
                        "{kind} {format} holds a key that must stay at home"
                    );
                }
            }
            assert!(contains(&everything, hosts_key.as_bytes()), "the search would not find a key");
        }
        let bake = unpacked(home.ok(&["bake"]).as_bytes());
        assert!(!contains(&bake, b"PRIVATE KEY-----"));
    }
}

/// A text and, again and again, everything in it that is base64 or gzip.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    let text = String::from_utf8_lossy(bytes);
    // Base64 in lines is one run: a line break inside it is nothing.
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

/// A key as PEM, as the base64 within, and the secret part of its DER: the public part is in a certificate.
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
