//! CAs that limit the certificates below them. Either all clients accept the certificates that `create` makes, or
//! `create` refuses the CA and writes nothing. The certificates are verified with openssl, rustls and the docker CLI,
//! which uses Go.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use webpki::KeyUsage;

use crate::support::openssl::{assert_verifies, openssl, sans, text, verify};
use crate::support::seed::on_the_host;
use crate::support::{Home, PYTHON, files_below, need, need_python_module, run, rustls};

const ADDRESS: &str = "203.0.113.7";

/// Makes a CA with further extensions, in the syntax of `openssl req -addext`.
fn ca(home: &Home, name: &str, extensions: &[&str]) -> PathBuf {
    let dir = home.path().join(name);
    fs::create_dir(&dir).unwrap();
    let (key, certificate) = (dir.join("ca-key.pem"), dir.join("ca.pem"));
    let mut req = Command::new("openssl");
    req.args([
        "req",
        "-x509",
        "-new",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-days",
        "99",
    ]);
    req.args(["-subj", &format!("/O=example/CN={name}"), "-keyout", text(&key), "-out", text(&certificate)]);
    req.args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
    extensions.iter().for_each(|extension| {
        req.args(["-addext", extension]);
    });
    run(&mut req);
    dir
}

/// A server for `docker version`, with a server certificate from the given files.
const DAEMON: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = b'{"Version": "1.2.3", "ApiVersion": "1.44", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}'
        self.send_response(200)
        self.send_header("Api-Version", "1.44")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
    do_GET = do_HEAD = answer
    def log_message(self, *args): pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
context.load_verify_locations(sys.argv[3])
context.verify_mode = ssl.CERT_REQUIRED
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

struct Daemon {
    child: Child,
    port: String,
}

impl Daemon {
    fn new(dir: &Path, server: &Path, key: &Path) -> Self {
        let mut child = Command::new(PYTHON)
            .args(["-c", DAEMON])
            .args([server, key, &dir.join("ca.pem")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().to_owned() }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the docker CLI accepts a server that it reaches as `host`, and the server accepts the CLI, with the CLI's
/// output. `None` if the CLI is missing.
fn docker_accepts(home: &Home, dir: &Path, server: &Path, key: &Path, host: &str) -> Option<(bool, String)> {
    if !need("docker") || !need_python_module("ssl") {
        return None;
    }
    let daemon = Daemon::new(dir, server, key);
    let file = |name: &str| dir.join(name);
    let output = Command::new("docker")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home.path())
        .args(["--host", &format!("tcp://{host}:{}", daemon.port), "--tlsverify"])
        .args([Path::new("--tlscacert"), &file("ca.pem"), Path::new("--tlscert"), &file("cert.pem")])
        .args([Path::new("--tlskey"), &file("key.pem"), Path::new("version")])
        .args(["--format", "{{.Server.Version}}"])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    Some((output.status.success(), said))
}

/// Verifies a machine's certificates with all verifiers, for `names`.
fn assert_accepted(home: &Home, name: &str, names: &[&str]) {
    let dir = home.machine(name);
    let (ca, server, client) = (dir.join("ca.pem"), dir.join("server.pem"), dir.join("cert.pem"));
    for name in names {
        let option = if name.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
        assert_verifies(&ca, &server, &["-purpose", "sslserver", option, name]);
    }
    assert_verifies(&ca, &client, &["-purpose", "sslclient"]);
    rustls::judge(&ca, &server, &[], KeyUsage::server_auth(), names).unwrap();
    rustls::judge(&ca, &client, &[], KeyUsage::client_auth(), &[]).unwrap();
    // Only a loopback address reaches this computer.
    let local = ["127.0.0.1", "localhost"].into_iter().find(|local| names.contains(local));
    if let Some(local) = local
        && let Some((accepted, said)) =
            docker_accepts(home, &dir, &server, &dir.join("server-key.pem"), local)
    {
        assert!(accepted, "{name}: {said}");
    }
}

/// Tries to create a machine under a CA in every way. Each must fail with one clear message and write nothing. Returns
/// the messages.
fn assert_refused(home: &Home, dir: &Path, options: &[&str], told: &[&str]) {
    let before = files_below(home.path());
    let words = [&["create", "web1.example.net", "--ca", text(dir)], options].concat();
    let said = home.fails(2, &words);
    assert!(said.starts_with("error[") && said.matches("error[").count() == 1, "{said}");
    assert!(said.contains("\nhint: "), "{said}");
    for told in told {
        assert!(said.contains(told), "it does not say `{told}`: {said}");
    }
    assert_eq!(files_below(home.path()), before, "something was written");
}

#[test]
fn default_names_that_a_ca_must_not_sign_are_omitted() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let all = |constraint: &str| format!("nameConstraints=critical,{constraint}");
    // The constraint, the requested names, and the omitted names.
    let cases: [(&str, &[&str], &[&str]); 8] = [
        ("permitted;DNS:example.com", &[ADDRESS], &["NAME", "localhost"]),
        ("permitted;DNS:example.com", &["web.example.com", ADDRESS], &["NAME", "localhost"]),
        ("permitted;DNS:.example.com", &["web.example.com"], &["NAME", "localhost"]),
        ("permitted;DNS:example.net", &[ADDRESS], &["localhost"]),
        ("excluded;DNS:localhost", &[ADDRESS], &["localhost"]),
        ("permitted;IP:203.0.113.0/255.255.255.0", &[ADDRESS], &["127.0.0.1"]),
        ("excluded;IP:127.0.0.0/255.0.0.0", &["web.example.com"], &["127.0.0.1"]),
        (
            "permitted;DNS:example.com,permitted;IP:203.0.113.0/255.255.255.0",
            &[ADDRESS, "*.example.com"],
            &["NAME", "localhost", "127.0.0.1"],
        ),
    ];
    for (n, (constraint, asked, left_out)) in cases.into_iter().enumerate() {
        let dir = ca(&home, &format!("ca{n}"), &[&all(constraint)]);
        let name = format!("web{n}.example.net");
        let left_out: Vec<_> =
            left_out.iter().map(|out| if *out == "NAME" { name.as_str() } else { out }).collect();
        let (wild, addresses): (Vec<&str>, Vec<&str>) =
            asked.iter().partition(|asked| asked.starts_with('*'));
        let mut words = vec!["create", &name, "--json", "--ca", text(&dir)];
        addresses.iter().for_each(|address| words.extend(["--address", address]));
        wild.iter().for_each(|wild| words.extend(["--tls-san", wild]));
        let output = home.run(&words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{constraint}: {said}");
        let note = said.lines().find(|line| line.starts_with("note: ") && line.contains("name constraints"));
        let note = note.unwrap_or_else(|| panic!("{constraint}: {said}"));
        let usual = [asked, &[&name, "localhost", "127.0.0.1"]].concat();
        let covered: Vec<_> = usual.iter().filter(|usual| !left_out.contains(*usual)).copied().collect();
        for usual in &usual {
            assert_eq!(
                note.contains(&format!("`{usual}`")),
                left_out.contains(usual),
                "{constraint}: {note}"
            );
        }
        let covered_by = sans(&home.machine(&name).join("server.pem"));
        assert_eq!(covered_by, covered, "{constraint}");
        let dialled: Vec<_> =
            covered.iter().map(|name| if name.starts_with('*') { "any.example.com" } else { name }).collect();
        assert_accepted(&home, &name, &dialled);

        // The other commands print the names in the certificate.
        let covered = serde_json::Value::from(covered);
        for json in [String::from_utf8(output.stdout).unwrap(), home.ok(&["inspect", "--json", &name])] {
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&json).unwrap()["sans"],
                covered,
                "{constraint}"
            );
        }
        for out in &left_out {
            let said = home.fails(1, &["address", &name, out]);
            assert!(said.contains("does not cover"), "{said}");
            let said = home.fails(1, &["env", &name, "--address", out]);
            assert!(said.contains("does not cover"), "{said}");
        }
        let out = home.path().join(format!("module{n}"));
        home.ok(&["render", &name, "--format", "terraform", "--out", text(&out)]);
        let variables = fs::read_to_string(out.join("variables.tf")).unwrap();
        for usual in &usual {
            let quoted = format!("\"{}\"", usual.to_ascii_lowercase());
            assert_eq!(variables.contains(&quoted), !left_out.contains(usual), "{usual}: {variables}");
        }
        let user_data = home.machine(&name).join("user-data");
        let seed = on_the_host(&fs::read(&user_data).unwrap());
        let landed = seed.iter().find(|(path, ..)| path == "etc/docker/server.pem").unwrap();
        assert!(landed.2 == fs::read(home.machine(&name).join("server.pem")).unwrap());
        home.ok(&["verify", "--strict", text(&user_data)]);
    }
}

#[test]
fn requested_names_that_a_ca_must_not_sign_are_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let names = ca(&home, "names", &["nameConstraints=critical,permitted;DNS:example.com"]);
    let not_critical = ca(&home, "noncritical", &["nameConstraints=permitted;DNS:example.com"]);
    let addresses =
        ca(&home, "addresses", &["nameConstraints=critical,permitted;IP:192.0.2.0/255.255.255.0"]);
    for ca in [&names, &not_critical] {
        assert_refused(
            &home,
            ca,
            &["--address", "web.example.org"],
            &["error[ca-name-constraints]: ", "`web.example.org`", "name constraints"],
        );
        assert_refused(
            &home,
            ca,
            &["--address", ADDRESS, "--tls-san", "*.example.org"],
            &["`*.example.org`"],
        );
        let both = ["--address", "a.example.org", "--address", "b.example.org"];
        assert_refused(&home, ca, &both, &["`a.example.org`, `b.example.org`"]);
        // Clients connect to this name.
        assert_refused(&home, ca, &["--boot-issuer=false"], &["`web1.example.net`"]);
        assert_refused(&home, ca, &["--address", "localhost"], &["`localhost`"]);
    }
    assert_refused(&home, &addresses, &["--address", ADDRESS], &["`203.0.113.7`"]);
}

/// Extensions of a CA under which docker accepts no certificate, with the expected part of the message.
const UNSUPPORTED: [(&str, &str, &str); 8] = [
    ("unknown", "1.2.3.4=critical,ASN1:UTF8String:x", "`1.2.3.4`"),
    ("policy", "policyConstraints=critical,requireExplicitPolicy:3", "`2.5.29.36`"),
    ("inhibit", "inhibitAnyPolicy=critical,3", "`2.5.29.54`"),
    ("directory", "nameConstraints=critical,permitted;dirName:dn", "directory names"),
    ("not", "nameConstraints=critical,excluded;dirName:dn", "directory names"),
    ("noncritical", "nameConstraints=permitted;dirName:dn", "directory names"),
    ("number", "nameConstraints=critical,permitted;RID:1.2.3.4", "names other than"),
    ("mask", "nameConstraints=critical,permitted;IP:203.0.113.0/255.0.255.0", "an address range"),
];

#[test]
fn a_ca_that_docker_does_not_accept_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for (name, extension, told) in UNSUPPORTED {
        let dir = match extension.split_once("dirName:dn") {
            None => ca(&home, name, &[extension]),
            Some((before, _)) => in_directory(&home, name, before),
        };
        for options in [&["--address", ADDRESS][..], &["--boot-issuer"]] {
            assert_refused(&home, &dir, options, &[told, text(&dir)]);
        }
        let certs = home.store().join("certs");
        fs::create_dir_all(&certs).unwrap();
        for file in ["ca.pem", "ca-key.pem"] {
            fs::copy(dir.join(file), certs.join(file)).unwrap();
        }
        let said = home.fails(1, &["create", "web1", "--address", ADDRESS, "--ca", "shared"]);
        assert!(said.contains(told), "{said}");
        fs::remove_dir_all(home.store()).unwrap();
    }
}

#[test]
fn a_ca_with_a_negative_serial_number_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let dir = ca(&home, "ca", &[]);
    let (key, certificate) = (dir.join("ca-key.pem"), dir.join("ca.pem"));
    let words = ["req", "-x509", "-new", "-subj", "/CN=ca", "-set_serial", "-7", "-key", text(&key)];
    openssl(&[&words[..], &["-out", text(&certificate)]].concat());
    assert_refused(&home, &dir, &["--address", ADDRESS], &["a negative serial number", text(&dir)]);
}

/// The CA's extended key usage is malformed, which only shows when the certificates below it are verified.
#[test]
fn a_ca_whose_certificates_docker_would_refuse_is_refused() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let dir = ca(&home, "ca", &["extendedKeyUsage=DER:04:00"]);
    let told = "error[ca-rejected]: docker would not accept the server certificate";
    assert_refused(&home, &dir, &["--address", ADDRESS], &[told]);
    let dir = ca(&home, "dot", &["nameConstraints=critical,excluded;DNS:."]);
    let told = "error[unusable-ca]: the CA's name constraints cannot be read: ";
    assert_refused(&home, &dir, &["--address", ADDRESS], &[told]);
}

/// Makes a CA with a constraint of directory names, which openssl can only read from a file.
fn in_directory(home: &Home, name: &str, constraint: &str) -> PathBuf {
    let dir = ca(home, name, &[]);
    let config = home.path().join(format!("{name}.cnf"));
    let wording = format!(
        "[req]\ndistinguished_name = subject\nx509_extensions = extensions\nprompt = no\n[subject]\nCN = {name}\n\
         [extensions]\nbasicConstraints = critical,CA:TRUE\nsubjectKeyIdentifier = hash\n{}dirName:dn\n[dn]\nO = example\n",
        constraint.replace("nameConstraints=", "nameConstraints = ")
    );
    fs::write(&config, wording).unwrap();
    let (key, certificate) = (dir.join("ca-key.pem"), dir.join("ca.pem"));
    openssl(&[
        "req",
        "-x509",
        "-new",
        "-config",
        text(&config),
        "-key",
        text(&key),
        "-out",
        text(&certificate),
    ]);
    dir
}

#[test]
fn verify_reports_a_ca_that_docker_does_not_accept() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let dir = ca(&home, "ca", &[]);
    let key = dir.join("ca-key.pem");
    for (name, options) in [("plain", &["--address", ADDRESS][..]), ("issues", &["--boot-issuer"])] {
        home.ok(&[&["create", name, "--quiet", "--ca", text(&dir)], options].concat());
        let stored = home.machine(name).join("ca.pem");
        let words = ["req", "-x509", "-new", "-subj", "/O=example/CN=ca", "-key", text(&key)];
        let extensions = ["-addext", "1.2.3.4=critical,ASN1:UTF8String:x", "-out", text(&stored)];
        openssl(&[&words[..], &extensions].concat());
        let seed = home.path().join(name);
        home.ok(&["render", name, "-o", text(&seed)]);
        let output = home.run(&["verify", text(&seed)]);
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("a critical extension that docker does not support: `1.2.3.4`"), "{said}");
    }
}

#[test]
fn docker_refuses_certificates_of_the_refused_cas() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    // For the other CAs, the result depends on the Go version that docker was built with.
    for (name, extension) in [
        ("unknown", "1.2.3.4=critical,ASN1:UTF8String:x"),
        ("number", "nameConstraints=critical,permitted;RID:1.2.3.4"),
        ("mask", "nameConstraints=critical,permitted;IP:127.0.0.0/255.0.255.0"),
        // The docker CLI accepts certificates of these CAs. This shows that the test calls it correctly.
        ("plain", "nsComment=nothing"),
        ("critical", "crlDistributionPoints=critical,URI:http://example.com/crl"),
    ] {
        let dir = ca(&home, name, &[extension]);
        let (ca, key) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        for (leaf, usage) in [("server", "serverAuth"), ("", "clientAuth")] {
            let stem = if leaf.is_empty() {
                (dir.join("cert.pem"), dir.join("key.pem"))
            } else {
                (dir.join("server.pem"), dir.join("server-key.pem"))
            };
            let mut req = Command::new("openssl");
            req.args([
                "req",
                "-x509",
                "-new",
                "-nodes",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ]);
            req.args([
                "-subj",
                "/CN=leaf",
                "-CA",
                text(&ca),
                "-CAkey",
                text(&key),
                "-out",
                text(&stem.0),
                "-keyout",
                text(&stem.1),
            ]);
            req.args([
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ]);
            run(req.args(["-addext", &format!("extendedKeyUsage={usage}")]));
        }
        let refused =
            docker_accepts(&home, &dir, &dir.join("server.pem"), &dir.join("server-key.pem"), "127.0.0.1");
        if let Some((accepted, said)) = refused {
            assert_eq!(accepted, ["plain", "critical"].contains(&name), "{name}: {said}");
        }
    }
}

#[test]
fn a_ca_with_extensions_that_docker_supports_signs() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    for (n, extensions) in [
        &["certificatePolicies=critical,1.2.3.4"][..],
        &["crlDistributionPoints=critical,URI:http://example.com/crl"],
        &["extendedKeyUsage=critical,serverAuth,clientAuth"],
        &["extendedKeyUsage=anyExtendedKeyUsage,serverAuth,clientAuth"],
        &["1.2.3.4=ASN1:UTF8String:x", "inhibitAnyPolicy=3"],
        &["subjectAltName=critical,email:ca@example.com"],
        &["nameConstraints=critical,permitted;email:example.com,excluded;URI:.example.com"],
    ]
    .into_iter()
    .enumerate()
    {
        let dir = ca(&home, &format!("ca{n}"), extensions);
        let name = format!("web{n}");
        home.ok(&["create", &name, "--quiet", "--address", ADDRESS, "--ca", text(&dir)]);
        assert_eq!(sans(&home.machine(&name).join("server.pem")), [ADDRESS, &name, "localhost", "127.0.0.1"]);
        assert_accepted(&home, &name, &[ADDRESS, &name, "127.0.0.1"]);
    }
}

#[test]
fn a_machines_own_ca_signs_no_further_ca_unless_the_host_needs_one() {
    let home = Home::new();
    home.ok(&["create", "plain", "--quiet", "--address", ADDRESS]);
    home.ok(&["create", "issues", "--quiet"]);
    home.ok(&["create", "shares", "--quiet", "--address", ADDRESS, "--ca", "shared"]);
    // The CA of a machine without a boot issuer has path length 0.
    let own = home.store().join("certs/plain");
    let words = ["create", "web1", "--boot-issuer", "--ca", text(&own)];
    let said = home.fails(2, &words);
    assert!(said.contains("path length 0"), "{said}");
    assert!(!home.machine("web1").exists());
    home.ok(&["create", "web1", "--quiet", "--boot-issuer", "--ca", "shared"]);
    if !need("openssl") {
        return;
    }
    for (name, length) in [("plain", 0), ("issues", 1), ("shares", 1)] {
        let ca = home.machine(name).join("ca.pem");
        let said = crate::support::openssl::extension(&ca, "basicConstraints");
        assert_eq!(said, format!("critical CA:TRUE, pathlen:{length}"), "{name}");
    }
    // An intermediate that was made with the CA's key cannot sign valid certificates.
    let (ca, key) = (own.join("ca.pem"), own.join("ca-key.pem"));
    let path = |file: &str| home.path().join(file);
    let sign = |file: &str, above: [&Path; 2], extensions: &[&str]| {
        let mut req = Command::new("openssl");
        req.args([
            "req",
            "-x509",
            "-new",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-days",
            "9",
        ]);
        req.args(["-subj", &format!("/CN={file}"), "-CA", text(above[0]), "-CAkey", text(above[1])]);
        req.args([
            "-out",
            text(&path(&format!("{file}.pem"))),
            "-keyout",
            text(&path(&format!("{file}-key.pem"))),
        ]);
        extensions.iter().for_each(|extension| {
            req.args(["-addext", extension]);
        });
        run(&mut req);
    };
    sign("between", [&ca, &key], &["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"]);
    sign("leaf", [&path("between.pem"), &path("between-key.pem")], &["basicConstraints=critical,CA:FALSE"]);
    let output = verify(&ca, &path("leaf.pem"), &["-untrusted", text(&path("between.pem"))]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("path length constraint exceeded"), "{said}");
}
