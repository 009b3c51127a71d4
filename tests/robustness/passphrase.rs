//! CAs whose private key has a passphrase. It comes from a variable or from the terminal, and reaches no file, no output and no
//! argument. The keys are encrypted by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::extent::is_full;
use crate::support::openssl::{assert_verifies, text};
use crate::support::{Home, PYTHON, commands_of_hint, files_below, is_printed, need, run};

const PASSPHRASE: &str = "correct horse ü $'\"";
const VARIABLE: &str = "HOSTSEED_CA_PASSPHRASE";
const CREATE: [&str; 6] = ["create", "web1", "--address", "203.0.113.7", "--ca", "./ca"];

/// A home folder with a CA in the folder `ca`, whose key is not encrypted.
fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "signs", "--quiet", "--address", "203.0.113.7"]);
    fs::rename(home.store().join("certs/signs"), home.path().join("ca")).unwrap();
    fs::remove_dir_all(home.store()).unwrap();
    home
}

/// Encrypts the key of a CA folder with these options of `openssl pkcs8 -topk8`. Returns the key as it was.
fn encrypt(dir: &Path, options: &[&str]) -> String {
    let key = dir.join("ca-key.pem");
    let plain = fs::read_to_string(&key).unwrap();
    let encrypted = dir.join("encrypted.pem");
    let mut openssl = Command::new("openssl");
    openssl.args(["pkcs8", "-topk8", "-in", text(&key), "-out", text(&encrypted)]).args(options);
    run(openssl.args(["-passout", &format!("pass:{PASSPHRASE}")]));
    fs::rename(encrypted, key).unwrap();
    plain
}

fn with_passphrase(home: &Home, args: &[&str], passphrase: &str) -> Output {
    home.command(args).env(VARIABLE, passphrase).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that neither the passphrase nor the decrypted key is in a file below the home folder or in the output.
fn assert_nowhere(home: &Home, plain: &str, output: &Output) {
    let body: String = plain.lines().filter(|line| !line.starts_with("-----")).collect();
    let is_secret = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace(['\n', '\r'], "");
        text.contains(PASSPHRASE) || text.contains(&body)
    };
    for file in files_below(home.path()) {
        assert!(!is_secret(&fs::read(home.path().join(&file)).unwrap()), "{}", file.display());
    }
    assert!(!is_secret(&output.stdout) && !is_secret(&output.stderr), "{output:?}");
}

#[test]
fn a_key_that_openssl_encrypted_signs_with_its_passphrase() {
    if !need("openssl") {
        return;
    }
    let ways: [&[&str]; 6] = [
        &[],
        &["-v2", "aes-256-cbc"],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
        &["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA256", "-iter", "10000"],
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384"],
        &["-scrypt", "-scrypt_N", "1024"],
    ];
    for way in ways {
        let home = home();
        let plain = encrypt(&home.path().join("ca"), way);
        let before = fs::read(home.path().join("ca/ca-key.pem")).unwrap();
        let output = with_passphrase(&home, &CREATE, PASSPHRASE);
        assert!(output.status.success(), "{way:?}: {}", told(&output));
        let machine = home.machine("web1");
        assert_verifies(
            &home.path().join("ca/ca.pem"),
            &machine.join("server.pem"),
            &["-purpose", "sslserver"],
        );
        assert_verifies(
            &home.path().join("ca/ca.pem"),
            &machine.join("cert.pem"),
            &["-purpose", "sslclient"],
        );
        assert_nowhere(&home, &plain, &output);
        assert_eq!(fs::read(home.path().join("ca/ca-key.pem")).unwrap(), before);
    }
}

#[test]
fn each_type_of_key_may_have_a_passphrase() {
    if !need("openssl") {
        return;
    }
    for algorithm in [
        &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"][..],
        &["ED25519"],
        &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    ] {
        let home = home();
        let ca = home.path().join("ca");
        let (key, certificate) = (ca.join("ca-key.pem"), ca.join("ca.pem"));
        run(Command::new("openssl").args(["genpkey", "-out", text(&key), "-algorithm"]).args(algorithm));
        run(Command::new("openssl")
            .args(["req", "-x509", "-new", "-days", "99", "-subj", "/CN=ca", "-key", text(&key)])
            .args(["-addext", "keyUsage=critical,keyCertSign", "-out", text(&certificate)]));
        encrypt(&ca, &[]);
        let output = with_passphrase(&home, &CREATE, PASSPHRASE);
        assert!(output.status.success(), "{algorithm:?}: {}", told(&output));
        assert_verifies(&certificate, &home.machine("web1").join("server.pem"), &["-purpose", "sslserver"]);
    }
}

/// Needs no openssl.
#[test]
fn fixed_keys_are_decrypted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identities/encrypted");
    for key in ["pbkdf2.pem", "scrypt.pem"] {
        let home = Home::new();
        let ca = home.path().join("ca");
        fs::create_dir(&ca).unwrap();
        fs::copy(folder.join("ca.pem"), ca.join("ca.pem")).unwrap();
        fs::copy(folder.join(key), ca.join("ca-key.pem")).unwrap();
        let output = with_passphrase(&home, &CREATE, "correct");
        assert!(output.status.success(), "{key}: {}", told(&output));
        for wrong in ["Correct", "correct ", "x"] {
            refused(&home, wrong, "is wrong");
        }
    }
}

/// Checks that `create` fails with one error about the passphrase and writes nothing, and returns the messages.
#[track_caller]
fn refused(home: &Home, passphrase: &str, words: &str) -> String {
    let before = files_below(home.path());
    let create = ["create", "web2", "--address", "203.0.113.8", "--ca", "./ca"];
    let output = with_passphrase(home, &create, passphrase);
    let stderr = told(&output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(is_printed(&stderr, &format!("error[ca-passphrase] {words}")), "{stderr}");
    assert_eq!(stderr.matches("error[").count(), 1, "{stderr}");
    assert!(stderr.contains("\nhint: ") && !stderr.contains(PASSPHRASE), "{stderr}");
    assert_eq!(files_below(home.path()), before, "something was written");
    stderr
}

#[test]
fn a_missing_or_wrong_passphrase_is_one_error() {
    if !need("openssl") {
        return;
    }
    let home = home();
    encrypt(&home.path().join("ca"), &[]);
    // An empty variable is like none.
    let missing = refused(&home, "", "there is no terminal to ask for it");
    assert!(missing.contains("HOSTSEED_CA_PASSPHRASE"), "{missing}");
    refused(&home, "wrong", "is wrong");
    // A wrong passphrase gives valid padding one time in 256.
    let home = self::home();
    encrypt(&home.path().join("ca"), &["-iter", "1"]);
    for n in 0..if is_full() { 1000 } else { 5 } {
        refused(&home, &format!("wrong{n}"), "is wrong");
    }
    // A key without a passphrase ignores it.
    let other = self::home();
    assert!(with_passphrase(&other, &CREATE, "anything").status.success());
}

#[test]
fn a_key_in_an_older_format_is_named_and_the_hint_converts_it() {
    if !need("openssl") {
        return;
    }
    let pass = format!("pass:{PASSPHRASE}");
    let ways: [&[&str]; 4] = [
        &["ec", "-aes256"],
        &["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"],
        &["pkcs8", "-topk8", "-v2", "des3"],
        &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"],
    ];
    for way in ways {
        let home = home();
        let key = home.path().join("ca/ca-key.pem");
        let old = home.path().join("old.pem");
        let mut openssl = Command::new("openssl");
        openssl.args(way).args(["-in", text(&key), "-out", text(&old), "-passout", &pass]);
        run(&mut openssl);
        fs::rename(&old, &key).unwrap();
        let stderr = refused(&home, PASSPHRASE, "is encrypted in a way that hostseed does not support");
        for command in commands_of_hint(&stderr) {
            // openssl would ask for both passphrases.
            let given = if command.starts_with("openssl") { " -passin \"$P\" -passout \"$P\"" } else { "" };
            run(Command::new("sh").args(["-c", &format!("{command}{given}")]).env("P", &pass));
        }
        let output = with_passphrase(&home, &CREATE, PASSPHRASE);
        assert!(output.status.success(), "{way:?}: {}", told(&output));
    }
}

#[test]
fn the_shared_ca_may_have_a_passphrase() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7", "--ca", "shared"]);
    let certs = home.store().join("certs");
    let plain = encrypt(&certs, &[]);
    let before = fs::read(certs.join("ca-key.pem")).unwrap();
    for name in ["web2", "web3"] {
        let create = ["create", name, "--quiet", "--address", "203.0.113.7", "--ca", "shared"];
        home.fails(2, &create);
        let output = with_passphrase(&home, &create, PASSPHRASE);
        assert!(output.status.success(), "{}", told(&output));
        assert_nowhere(&home, &plain, &output);
    }
    assert_eq!(fs::read(certs.join("ca-key.pem")).unwrap(), before);
    home.ok(&["render", "web3"]);
    home.ok(&["rm", "-y", "web2"]);
}

/// Runs a program on a terminal of its own. Each time that it asks, answers with the next text. Prints what the terminal showed.
const TERMINAL: &str = r#"
import os, pty, sys, termios, time
answers = sys.argv[1].split("|") if sys.argv[1] else []
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
asked = 0
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    shown += more
    if shown.count(b"Passphrase of ") > asked:
        asked += 1
        # A person types after the prompt. It never becomes invisible if the program shows what is typed.
        for _ in range(1000):
            if not termios.tcgetattr(terminal)[3] & termios.ECHO:
                break
            time.sleep(0.01)
        os.write(terminal, (answers.pop(0) if answers else "").encode() + b"\n")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(shown)
sys.exit(status)
"#;

/// The output on a terminal, and the exit status.
fn on_terminal(home: &Home, answers: &[&str], args: &[&str]) -> (String, Option<i32>) {
    let mut python = Command::new(PYTHON);
    python.args(["-c", TERMINAL, &answers.join("|"), env!("CARGO_BIN_EXE_hostseed")]).args(args);
    for (name, value) in home.command(&[]).get_envs() {
        match value {
            Some(value) => python.env(name, value),
            None => python.env_remove(name),
        };
    }
    let output = python.current_dir(home.path()).output().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

#[test]
fn the_terminal_asks_once_and_shows_no_passphrase() {
    if !need("openssl") || !need(PYTHON) {
        return;
    }
    let home = home();
    encrypt(&home.path().join("ca"), &[]);
    let (shown, status) = on_terminal(&home, &[PASSPHRASE], &CREATE);
    assert_eq!(status, Some(0), "{shown}");
    assert_eq!(shown.matches("Passphrase of `").count(), 1, "{shown}");
    assert!(shown.contains("/ca/ca-key.pem`: ") && !shown.contains("correct"), "{shown}");
    let dry: Vec<&str> = CREATE.iter().map(|word| if *word == "web1" { "web2" } else { *word }).collect();
    let (shown, status) = on_terminal(&home, &[PASSPHRASE], &[&dry[..], &["--dry-run"]].concat());
    assert_eq!(status, Some(0), "{shown}");

    let (shown, status) = on_terminal(&home, &["wrong"], &dry);
    assert_eq!(status, Some(2), "{shown}");
    assert_eq!(shown.matches("Passphrase of `").count(), 1, "{shown}");
    assert!(shown.contains("error[ca-passphrase]") && !home.machine("web2").exists(), "{shown}");

    // A machine with a CA of its own, and a CA without a passphrase, need none.
    let (shown, status) = on_terminal(&home, &[], &["create", "web3", "--address", "203.0.113.7"]);
    assert!(status == Some(0) && !shown.contains("Passphrase"), "{shown}");
}

#[test]
fn external_never_asks() {
    if !need("openssl") || !need(PYTHON) {
        return;
    }
    let home = home();
    encrypt(&home.path().join("ca"), &[]);
    let query: PathBuf = home.path().join("query");
    fs::write(&query, r#"{"name": "web1", "addresses": "203.0.113.7", "ca": "./ca"}"#).unwrap();
    // On a terminal, with the query from a file.
    let mut python = Command::new(PYTHON);
    python.args([
        "-c",
        TERMINAL,
        "",
        "sh",
        "-c",
        &format!("{} external < query", env!("CARGO_BIN_EXE_hostseed")),
    ]);
    let output = python.current_dir(home.path()).env("HOME", home.path()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("error[ca-passphrase]") && !shown.contains("Passphrase of"), "{shown}");
    assert!(!home.machine("web1").exists());
    let mut external = home.command(&["external"]);
    external.stdin(fs::File::open(&query).unwrap()).env(VARIABLE, PASSPHRASE);
    let output = external.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    // The machine is found without a passphrase.
    let mut external = home.command(&["external"]);
    assert!(external.stdin(fs::File::open(&query).unwrap()).output().unwrap().status.success());
}
