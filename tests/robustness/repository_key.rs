//! A package repository can answer with more than the expected key, or with another one. Only the expected key must reach
//! the file that apt and rpm trust, however gpg handles the rest. `install_official` of a rendered `setup` runs here with
//! the real curl and gpg. `tests/boot/cases/repository-key-*.sh` test how apt and dnf use the file.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::support::seed::{on_the_host, with_settings};
use crate::support::{Home, need, run};

/// The beginning of `setup` without its main part, followed by one of its steps, with all paths below a folder.
const HARNESS: &str = r#"
root=$1 tmp=$1/tmp state=$1/state log=$1/log family=apt published=debian
mkdir -p "$tmp" "$state"
exec 3>&1 >>"$log" 2>&1
os_release() { echo bookworm; }
dpkg() { echo amd64; }
install_missing() { :; }
install_docker_packages() { echo installed; }
write_file() { replace "$root$1" "$2"; }
step 3 'installing docker-ce'
install_official
"#;

struct Mirror {
    folder: PathBuf,
    url: String,
}

impl Mirror {
    /// Makes the keys. Serves each answer at `/VARIANT/linux/debian/gpg` with its length, and at
    /// `/chunked/VARIANT/linux/debian/gpg` without.
    fn new(home: &Home) -> Self {
        let folder = home.path().join("keys");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boot/repository-keys");
        run(Command::new(script).arg(&folder));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = folder.join("answer");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client can close the connection early.
                let _ = serve(stream, &answers);
            }
        });
        Self { folder, url }
    }

    fn fingerprint(&self, key: &str) -> String {
        fs::read_to_string(self.folder.join("fingerprint").join(key)).unwrap().trim().to_owned()
    }

    /// Lets a host fetch an answer while it expects `key`.
    fn ask(&self, home: &Home, answer: &str, key: &str) -> (Output, Option<Vec<u8>>) {
        let name = host_name(answer);
        let mirror = format!("{}/{answer}", self.url);
        home.ok(&[
            "create",
            &name,
            "--quiet",
            "--address",
            "203.0.113.7",
            "--docker",
            "official",
            "--docker-mirror",
            &mirror,
            "--docker-key-fingerprint",
            &self.fingerprint(key),
        ]);
        let seed = home.ok(&["render", &name]);
        let files = on_the_host(seed.as_bytes());
        let setup = with_settings(&files);
        let (functions, _) = setup.split_once("\nbegin\n").expect("`setup` works from there on");
        // If `setup` used another path for one of these, it would write to this computer.
        for replaced in HARNESS.lines().filter_map(|line| line.split_once("() {")).map(|(name, _)| name) {
            let is_function = functions.contains(&format!("\n{replaced}() {{"));
            assert!(is_function || replaced == "dpkg", "`setup` has no function `{replaced}`");
        }
        let root = home.path().join(&name);
        fs::create_dir(&root).unwrap();
        let script = root.join("script");
        fs::write(&script, functions.to_owned() + HARNESS).unwrap();
        let mut command = Command::new("sh");
        command.arg(&script).arg(&root).stdin(Stdio::null()).env("no_proxy", "127.0.0.1");
        let output = command.output().unwrap();
        let trusted = fs::read(root.join("etc/apt/keyrings/docker.asc")).ok();
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words);
            assert!(!words.contains(root.to_str().unwrap()), "{answer}: still running: {words}");
        }
        (output, trusted)
    }
}

fn host_name(answer: &str) -> String {
    let words: Vec<_> =
        answer.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!("host-{}", words.join("-"))
}

fn serve(mut stream: TcpStream, answers: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (chunked, path) = match path.strip_prefix("/chunked") {
        Some(path) => (true, path),
        None => (false, path),
    };
    let variant = path.trim_start_matches('/').trim_end_matches("/linux/debian/gpg");
    let Ok(body) = fs::read(answers.join(variant)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    if !chunked {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes())?;
        return stream.write_all(&body);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")?;
    for chunk in body.chunks(10_000) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
        stream.write_all(chunk)?;
        stream.write_all(b"\r\n")?;
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Runs gpg with its own keyring and without an agent, and returns its output.
fn gpg(home: &Path, words: &[&str]) -> Vec<u8> {
    let homedir = home.to_str().unwrap();
    run(Command::new("gpg").args(["--quiet", "--batch", "--no-autostart", "--homedir", homedir]).args(words))
        .stdout
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn only_the_expected_key_becomes_trusted_by_apt_and_rpm() {
    if !(need("curl") && need("gpg") && need("gpgsplit") && need("sh")) {
        return;
    }
    let home = Home::new();
    let mirror = Mirror::new(&home);
    let ring = home.path().join("ring");
    fs::create_dir(&ring).unwrap();
    run(Command::new("chmod").arg("0700").arg(&ring));
    // The modulus of a key of 2048 bits begins some 20 bytes after the packet's head (RFC 4880 §5.5.2).
    let stretch = |key: &str| {
        let binary = gpg(
            &ring,
            &["--dearmor", "--output", "-", mirror.folder.join("public").join(key).to_str().unwrap()],
        );
        binary[40..104].to_vec()
    };
    let (ours, others) = (stretch("D"), ["E", "F", "G"].map(stretch));

    for answer in [
        "plain",
        "chunked/plain",
        "secret-key-beside",
        "certificate-beside",
        "second-key",
        "own-subkey",
        "foreign-subkey",
        "binary",
    ] {
        let (output, trusted) = mirror.ask(&home, answer, "D");
        assert!(output.status.success(), "{answer}: {}", String::from_utf8_lossy(&output.stdout));
        let trusted = trusted.unwrap_or_else(|| panic!("{answer}: nothing was written"));
        let text = String::from_utf8(trusted.clone()).unwrap_or_else(|_| panic!("{answer}: not armored"));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.first(), Some(&"-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{answer}");
        assert_eq!(lines.last(), Some(&"-----END PGP PUBLIC KEY BLOCK-----"), "{answer}");
        let marks = lines.iter().filter(|line| line.starts_with("-----")).count();
        assert_eq!(marks, 2, "{answer}: more than one block in\n{text}");
        let file = ring.join("trusted");
        fs::write(&file, &trusted).unwrap();
        let binary = gpg(&ring, &["--dearmor", "--output", "-", file.to_str().unwrap()]);
        assert!(contains(&binary, &ours), "{answer}: the expected key is not in it");
        for other in &others {
            assert!(!contains(&binary, other), "{answer}: another key is in it");
        }
        let subkeys = text_of(&gpg(&ring, &["--with-colons", "--show-keys", file.to_str().unwrap()]))
            .lines()
            .filter(|line| line.starts_with("sub:"))
            .count();
        assert_eq!(subkeys, usize::from(answer == "own-subkey"), "{answer}: D's own subkeys alone");
    }
}

#[test]
fn a_host_refuses_a_repository_without_the_expected_key() {
    if !(need("curl") && need("gpg") && need("gpgsplit") && need("sh")) {
        return;
    }
    let home = Home::new();
    let mirror = Mirror::new(&home);
    for (answer, expected, reason) in [
        ("plain", "E", "instead of"),
        ("subkey-of-another", "D", "instead of"),
        ("expired", "expired", "is expired"),
        ("revoked", "revoked", "is revoked"),
        ("ten-megabytes", "D", "curl: (63) "),
        ("chunked/ten-megabytes", "D", "curl: (63) "),
        ("nothing", "D", "error: 404"),
        // With globbing, curl would read this as two existing URLs.
        ("{plain,binary}", "D", "error: 404"),
    ] {
        let (output, trusted) = mirror.ask(&home, answer, expected);
        let console = text_of(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{answer}: {console}");
        assert!(trusted.is_none(), "{answer}: a key was written");
        assert!(!console.contains("installed"), "{answer}: {console}");
        assert!(console.contains("FAILED at 3/6: ") && console.contains(reason), "{answer}: {console}");
        let key = home.path().join(host_name(answer)).join("tmp/key");
        let size = fs::metadata(key).map_or(0, |key| key.len());
        assert!(size <= (1 << 20) + 1, "{answer}: {size} bytes were kept");
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
