//! `check` and `wait`: each reason why a host does not answer, against servers of the test's own. `interop/dockerd.rs` asks a real dockerd.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto::ring};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::support::{Home, PYTHON, is_printed, need, need_python_module, need_root, run, skip};

/// Answers of dockerd 20.10, shortened.
const VERSION: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64","KernelVersion":"6.1.0"}"#;
const INFO: &str =
    r#"{"Name":"web1","OperatingSystem":"Debian GNU/Linux 12 (bookworm)","Labels":["role=web"]}"#;

/// A port of 127.0.0.1 on which nothing listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Answers each connection to `address` with `serve`, until the test ends.
fn listen(address: impl ToSocketAddrs, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// A host with TLS. It accepts clients of `clients`' CA, and answers a path with what `answer` returns.
struct Host {
    home: Home,
    config: ServerConfig,
}

impl Host {
    /// A host with the files of the machine `web1`, whose port is recorded by [`serve`](Self::serve).
    fn new() -> Self {
        let home = Home::new();
        home.ok(&["create", "web1", "--address", "127.0.0.1", "--quiet"]);
        home.ok(&["create", "other", "--address", "127.0.0.1", "--quiet"]);
        let config =
            config(&home, "web1", &fs::read_to_string(home.machine("web1").join("server.pem")).unwrap());
        Self { home, config }
    }

    /// Makes the host present a certificate of the machine's CA with these SANs and days of validity, counted from today.
    fn with_certificate(mut self, sans: &[&str], days: Range<i64>) -> Self {
        let certificate = sign(&self.home, "server-key.pem", ExtendedKeyUsagePurpose::ServerAuth, sans, days);
        self.config = config(&self.home, "web1", &certificate);
        self
    }

    /// Starts the host, and records its port in the machines.
    fn serve(self, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Home {
        record_port(&self.home, listen("127.0.0.1:0", speak(self.config, answer)));
        self.home
    }
}

/// The host's side of a connection.
fn speak(
    config: ServerConfig,
    answer: impl Fn(&str) -> String + Send + Sync,
) -> impl Fn(TcpStream) + Send + Sync {
    let config = Arc::new(config);
    move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            request.extend(&buffer[..n]);
            while let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(request.drain(..end + 4).collect()).unwrap();
                if stream.write_all(answer(head.split(' ').nth(1).unwrap()).as_bytes()).is_err() {
                    return;
                }
            }
        }
    }
}

/// Signs a certificate for a key of `web1` with its CA.
fn sign(home: &Home, key: &str, purpose: ExtendedKeyUsagePurpose, sans: &[&str], days: Range<i64>) -> String {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let authority = home.store().join("certs/web1");
    let ca_key = KeyPair::from_pem(&read(authority.join("ca-key.pem"))).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read(authority.join("ca.pem")), ca_key).unwrap();
    let key = KeyPair::from_pem(&read(home.machine("web1").join(key))).unwrap();
    let mut params =
        CertificateParams::new(sans.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    let day = |day| OffsetDateTime::now_utc() + time::Duration::days(day);
    (params.not_before, params.not_after) = (day(days.start), day(days.end));
    params.extended_key_usages = vec![purpose];
    params.signed_by(&key, &issuer).unwrap().pem()
}

/// The TLS of a host with a certificate and the key of `machine`'s server. Clients need a certificate of its CA.
fn config(home: &Home, machine: &str, certificate: &str) -> ServerConfig {
    let dir = home.machine(machine);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(dir.join("server-key.pem")).unwrap())
        .unwrap()
}

/// Changes the port in the machines' records.
fn record_port(home: &Home, port: u16) {
    for name in ["web1", "other"] {
        let path = home.machine(name).join("config.json");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(":2376", &format!(":{port}"))).unwrap();
    }
}

fn answer(status: &str, api: &str, body: &str) -> String {
    let date = OffsetDateTime::now_utc().format(&Rfc2822).unwrap().replace("+0000", "GMT");
    format!(
        "HTTP/1.1 {status}\r\nApi-Version: {api}\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The answer of a healthy dockerd to a path.
fn docker(path: &str) -> String {
    match path {
        "/_ping" => answer("200 OK", "1.41", "OK"),
        "/v1.41/version" => answer("200 OK", "1.41", VERSION),
        "/v1.41/info" => answer("200 OK", "1.41", INFO),
        _ => answer("404 Not Found", "1.41", r#"{"message":"page not found"}"#),
    }
}

fn check(home: &Home) -> Output {
    home.run(&["check", "web1"])
}

/// Asserts that `check` fails with this problem on standard output: `error[CODE] WORDS`.
#[track_caller]
fn assert_down(output: &Output, problem: &str) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_printed(&stdout, problem), "{stdout}");
}

/// A machine whose port is served by `serve`, without TLS.
fn plain(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Output {
    let host = Host::new();
    record_port(&host.home, listen("127.0.0.1:0", serve));
    check(&host.home)
}

#[test]
fn a_healthy_host_tells_its_facts() {
    let home = Host::new().serve(docker);
    let output = check(&home);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(
        stdout.starts_with("web1 is up: Docker 20.10.24 on Debian GNU/Linux 12 (bookworm), linux/amd64\n"),
        "{stdout}"
    );
    for words in ["API           1.41", "labels        role=web", "729 days left"] {
        assert!(stdout.contains(words), "{stdout}");
    }
}

#[test]
fn the_previous_files_stay_until_the_host_presents_the_new_certificate() {
    let Host { home, config: old } = Host::new();
    home.ok(&["renew", "web1", "--quiet"]);
    let certificate = fs::read_to_string(home.machine("web1").join("server.pem")).unwrap();
    let new = config(&home, "web1", &certificate);
    let record = home.machine("web1").join("config.json");
    let text = fs::read_to_string(&record).unwrap();
    let previous = home.machine("web1").join("previous");
    let home = Host { home, config: old }.serve(docker);
    let told = check(&home);
    assert!(told.status.success(), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stderr).contains("still has its old certificate"), "{told:?}");
    assert_eq!(home.run(&["wait", "web1", "--timeout", "1s"]).status.code(), Some(1));
    assert!(previous.is_dir());
    fs::write(record, text).unwrap();
    let home = Host { home, config: new }.serve(docker);
    let told = check(&home);
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && stderr.contains("the previous files are deleted"), "{stderr}");
    assert!(!previous.exists());
    assert_eq!(String::from_utf8_lossy(&check(&home).stderr), "");
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let home = Home::new();
    // RFC 6761 §6.4: no name below `invalid` exists.
    home.ok(&["create", "web1", "--address", "web1.invalid", "--quiet"]);
    assert_down(&check(&home), "error[host-unresolved] `web1`, tcp://web1.invalid:2376: ");
}

#[test]
fn a_port_on_which_nothing_listens_is_told() {
    let host = Host::new();
    record_port(&host.home, free_port());
    let output = check(&host.home);
    assert_down(&output, "error[connection-refused]");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n  hostseed wait web1\n"));
}

#[test]
fn what_is_not_tls_is_told() {
    for banner in ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"] {
        let output = plain(move |mut stream| {
            let _ = stream.write_all(banner.as_bytes());
            let _ = stream.read(&mut [0; 4096]);
        });
        assert_down(&output, "error[not-tls]");
    }
}

#[test]
fn a_connection_that_is_closed_at_once_is_told() {
    assert_down(&plain(drop), "error[no-answer]");
}

/// Runs `check web1` where the name `both.example` has an address of IPv4 and one of IPv6. Returns `None` if this computer does not
/// allow that.
fn check_both(home: &Home) -> Option<Output> {
    if TcpListener::bind("[::1]:0").is_err() {
        assert!(!skip("IPv6"));
        return None;
    }
    if !need_root() || !need("unshare") {
        return None;
    }
    let hosts = home.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 both.example\n::1 both.example\n").unwrap();
    let hostseed = home.command(&[]);
    let line = "mount --bind \"$1\" /etc/hosts && exec \"$2\" check web1";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", line, "sh"]).args([hosts.as_os_str(), hostseed.get_program()]);
    Some(command.env("HOME", home.path()).env_remove("MACHINE_STORAGE_PATH").output().unwrap())
}

#[test]
fn of_several_addresses_the_most_telling_fault_is_told() {
    // The system decides which address comes first, so each has each fault once.
    for (first, second) in [("127.0.0.1", "[::1]"), ("[::1]", "127.0.0.1")] {
        let home = Home::new();
        home.ok(&["create", "web1", "--address", "both.example", "--quiet"]);
        home.ok(&["create", "other", "--address", "both.example", "--quiet"]);
        let certificate = fs::read_to_string(home.machine("other").join("server.pem")).unwrap();
        let stranger = config(&home, "other", &certificate);
        let port = listen(format!("{first}:0"), speak(stranger, docker));
        record_port(&home, port);
        // Nothing listens at the other address, and then something that closes each connection.
        let Some(told) = check_both(&home) else { return };
        assert_down(&told, "error[other-ca]");
        listen(format!("{second}:{port}"), drop);
        assert_down(&check_both(&home).unwrap(), "error[other-ca]");
    }
    // At one address Docker is well, and at the other nothing listens.
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "both.example", "--quiet"]);
    home.ok(&["create", "other", "--quiet", "--address", "both.example"]);
    let certificate = fs::read_to_string(home.machine("web1").join("server.pem")).unwrap();
    record_port(&home, listen("127.0.0.1:0", speak(config(&home, "web1", &certificate), docker)));
    assert!(check_both(&home).unwrap().status.success());
}

#[test]
fn a_host_at_an_address_of_ipv6_is_asked() {
    if TcpListener::bind("[::1]:0").is_err() {
        assert!(!skip("IPv6"));
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "::1", "--quiet"]);
    home.ok(&["create", "other", "--address", "::1", "--quiet"]);
    let certificate = fs::read_to_string(home.machine("web1").join("server.pem")).unwrap();
    let config = config(&home, "web1", &certificate);
    record_port(&home, listen("[::1]:0", speak(config, docker)));
    assert!(home.ok(&["check", "web1"]).starts_with("web1 is up: Docker 20.10.24"));
    let other = home.run(&["check", "other", "--json"]);
    let view: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert!(view[0]["docker_host"].as_str().unwrap().starts_with("tcp://[::1]:"), "{view}");
    assert_eq!(view[0]["problems"][0]["code"], "other-ca");
}

#[test]
fn long_labels_are_shortened_for_a_reader() {
    let long = format!("role={}", "ä".repeat(200));
    let info = INFO.replace("role=web", &long);
    let home = Host::new().serve(move |path| match path {
        path if path.ends_with("/info") => answer("200 OK", "1.41", &info),
        path => docker(path),
    });
    let told = home.ok(&["check", "web1"]);
    let label = told.lines().find_map(|line| line.strip_prefix("labels")).unwrap().trim();
    assert_eq!(label, format!("role={}…", "ä".repeat(74)));
    assert!(home.ok(&["check", "web1", "--json"]).contains(&long));
}

#[test]
fn a_certificate_that_expires_between_two_requests_is_told() {
    // Docker is restarted after the first answer, with a certificate that has expired.
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "127.0.0.1", "--quiet"]);
    home.ok(&["create", "other", "--address", "127.0.0.1", "--quiet"]);
    let good = fs::read_to_string(home.machine("web1").join("server.pem")).unwrap();
    let expired =
        sign(&home, "server-key.pem", ExtendedKeyUsagePurpose::ServerAuth, &["127.0.0.1"], -20..-10);
    let [good, expired] = [good, expired].map(|certificate| config(&home, "web1", &certificate));
    let connections = AtomicUsize::new(0);
    let once = speak(good, |path| docker(path).replacen("\r\n", "\r\nConnection: close\r\n", 1));
    let again = speak(expired, docker);
    let serve = move |stream| match connections.fetch_add(1, Ordering::Relaxed) {
        0 => once(stream),
        _ => again(stream),
    };
    record_port(&home, listen("127.0.0.1:0", serve));
    assert_down(&check(&home), "error[certificate-time] the server certificate expired");
}

#[test]
fn a_certificate_of_another_ca_is_told_with_both_fingerprints() {
    let mut host = Host::new();
    let server = fs::read_to_string(host.home.machine("other").join("server.pem")).unwrap();
    host.config = config(&host.home, "other", &server);
    let json: Value = serde_json::from_str(&host.home.ok(&["inspect", "other", "--json"])).unwrap();
    let own: Value = serde_json::from_str(&host.home.ok(&["inspect", "web1", "--json"])).unwrap();
    let output = check(&host.serve(docker));
    assert_down(&output, "error[other-ca]");
    let stdout = String::from_utf8(output.stdout).unwrap();
    for fingerprint in [&json["server"]["fingerprint"], &own["authority"]["fingerprint"]] {
        assert!(stdout.contains(fingerprint.as_str().unwrap()), "{stdout}");
    }
}

#[test]
fn an_address_that_the_certificate_does_not_cover_is_told_with_those_that_it_covers() {
    let host = Host::new().with_certificate(&["web1", "198.51.100.9"], -1..400);
    let stored =
        sign(&host.home, "server-key.pem", ExtendedKeyUsagePurpose::ServerAuth, &["198.51.100.9"], -1..400);
    fs::write(host.home.machine("web1").join("server.pem"), stored).unwrap();
    let output = check(&host.serve(docker));
    assert_down(&output, "error[address-not-covered]");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("`127.0.0.1`; it covers `web1`, `198.51.100.9`\n"), "{stdout}");
    assert!(stdout.ends_with("\n  hostseed address web1 198.51.100.9\n"), "{stdout}");
}

#[test]
fn a_certificate_that_is_not_valid_now_is_told_with_both_clocks() {
    for (days, words) in [(-60..-30, "expired on "), (30..60, "is not valid before ")] {
        let output = check(&Host::new().with_certificate(&["127.0.0.1"], days).serve(docker));
        assert_down(&output, "error[certificate-time]");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.contains(words) && stdout.contains(", the host's "), "{stdout}");
    }
}

#[test]
fn a_certificate_that_expires_soon_has_status_3() {
    let output = check(&Host::new().with_certificate(&["127.0.0.1"], -70..20).serve(docker));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{stdout}");
    assert!(
        is_printed(&stdout, "warning[certificate-expires-soon] `web1`: the server certificate"),
        "{stdout}"
    );
}

#[test]
fn a_certificate_for_a_few_days_does_not_expire_soon_from_its_first_day() {
    let host = Host::new();
    host.home.ok(&["renew", "web1", "--valid-for", "7d", "--quiet"]);
    host.home.ok(&["client", "web1", "--cn", "alice", "--valid-for", "7d", "--quiet"]);
    let output = check(&host.with_certificate(&["127.0.0.1"], 0..20).serve(docker));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(!stdout.contains("warning["), "{stdout}");
}

#[test]
fn a_script_goes_on_after_wait_if_a_certificate_expires_soon() {
    let home = Host::new().with_certificate(&["127.0.0.1"], -70..20).serve(docker);
    let output = home.run(&["wait", "web1"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(is_printed(&stdout, "warning[certificate-expires-soon]"), "{stdout}");
    assert_eq!(home.run(&["check", "web1", "--wait=1m"]).status.code(), Some(3));
}

#[test]
fn a_time_in_the_place_of_a_machine_is_told() {
    let home = Host::new().serve(docker);
    for (args, hint) in [
        (&["check", "web1", "--wait", "1s"][..], Some("`--wait=1s`")),
        (&["wait", "web1", "30s"], Some("`--timeout=30s`")),
        (&["check", "web1", "1s"], None),
        (&["check", "web1", "--wait", "web9"], None),
    ] {
        let stderr = home.fails(1, args);
        assert!(is_printed(&stderr, "error[no-such-machine]"), "{stderr}");
        match hint {
            Some(hint) => assert!(stderr.contains(hint), "{stderr}"),
            None => assert!(!stderr.contains("the time to wait"), "{stderr}"),
        }
    }
    // A machine can have such a name.
    home.ok(&["create", "1s", "--address", "127.0.0.1", "--quiet"]);
    record_port(&home, free_port());
    assert!(String::from_utf8_lossy(&home.run(&["wait", "1s", "--timeout=1s"]).stdout).contains("`1s`"));
}

#[test]
fn a_refused_client_certificate_is_told() {
    let mut host = Host::new();
    let server = fs::read_to_string(host.home.machine("web1").join("server.pem")).unwrap();
    fs::copy(host.home.machine("other").join("ca.pem"), host.home.machine("web1").join("ca.pem")).unwrap();
    host.config = config(&host.home, "web1", &server);
    let own = host.home.store().join("certs/web1/ca.pem");
    fs::copy(own, host.home.machine("web1").join("ca.pem")).unwrap();
    let home = host.serve(docker);
    let output = check(&home);
    assert_down(&output, "error[client-refused]");
    // The certificate is new, so the clock of a booting host may be before it.
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n  hostseed wait web1\n"));
    let begin = Instant::now();
    assert_down(&home.run(&["wait", "web1", "--timeout=1s"]), "error[client-refused]");
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn an_expired_client_certificate_is_told_as_such() {
    let home = Host::new().serve(docker);
    let expired = sign(&home, "key.pem", ExtendedKeyUsagePurpose::ClientAuth, &["client"], -60..-30);
    fs::write(home.machine("web1").join("cert.pem"), expired).unwrap();
    assert_down(&check(&home), "error[certificate-time] `web1`, ");
    assert!(String::from_utf8_lossy(&check(&home).stdout).contains("the client certificate expired on "));
}

#[test]
fn a_server_with_tls_that_is_not_docker_is_told() {
    for other in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", "220 mail.example.com ESMTP\r\n"] {
        assert_down(&check(&Host::new().serve(move |_| other.to_owned())), "error[not-docker]");
    }
    let broken =
        |path: &str| if path == "/v1.41/info" { answer("200 OK", "1.41", "[") } else { docker(path) };
    assert_down(&check(&Host::new().serve(broken)), "error[not-docker]");
}

#[test]
fn an_answer_without_an_end_is_refused() {
    let endless = |path: &str| match path {
        "/v1.41/info" => answer("200 OK", "1.41", &format!("{{\"Name\":\"{}\"}}", "x".repeat(5 << 20))),
        other => docker(other),
    };
    assert_down(&check(&Host::new().serve(endless)), "error[not-docker]");
}

#[test]
fn an_error_of_docker_is_told_in_its_words_and_escaped() {
    for failing in ["/_ping", "/v1.41/info"] {
        let message = r#"{"message":"containerd is \u001b[31mnot ready"}"#;
        let answers = move |path: &str| match path == failing {
            true => answer("500 Internal Server Error", "1.41", message),
            false => docker(path),
        };
        let output = check(&Host::new().serve(answers));
        assert_down(&output, "error[daemon-error]");
        assert!(
            String::from_utf8_lossy(&output.stdout)
                .contains(r"status 500: containerd is \u{1b}[31mnot ready")
        );
    }
}

#[test]
fn a_docker_that_is_too_old_is_told() {
    let output = check(&Host::new().serve(|_| answer("200 OK", "1.23", "OK")));
    assert_down(&output, "error[daemon-too-old]");
}

#[test]
fn a_clock_that_differs_is_a_warning() {
    let late =
        |path: &str| docker(path).replacen("Date: ", "Date: Thu, 01 Jan 2015 00:00:00 GMT\r\nOld-Date: ", 1);
    let output = check(&Host::new().serve(late));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(is_printed(&stdout, "warning[clock-skew] `web1`: the host's clock is "), "{stdout}");
}

#[test]
fn a_key_of_another_certificate_is_told_before_the_first_connection() {
    let home = Host::new().serve(docker);
    fs::copy(home.machine("other").join("key.pem"), home.machine("web1").join("key.pem")).unwrap();
    let stderr = home.fails(1, &["check", "web1"]);
    assert!(is_printed(&stderr, "error[stored-pem]") && !stderr.contains("PRIVATE KEY-----"), "{stderr}");
    assert!(is_printed(&home.fails(1, &["check", "other", "nobody"]), "error[no-such-machine]"));
}

#[test]
fn statuses_are_told_by_who_answers_and_whether_they_pass() {
    let page = "<html>Bad Gateway</html>";
    for (status, body, problem, words, waits) in [
        (
            "503 Service Unavailable",
            r#"{"message":""}"#,
            "error[daemon-error]",
            "503, without a message\n",
            true,
        ),
        ("503 Service Unavailable", "", "error[daemon-error]", "503, without a message\n", true),
        ("502 Bad Gateway", page, "error[not-docker]", "502 and is not Docker's\n", true),
        ("403 Forbidden", r#"{"message":"no"}"#, "error[daemon-error]", "status 403: no\n", false),
        ("403 Forbidden", page, "error[not-docker]", "", false),
        ("307 Temporary Redirect", "", "error[not-docker]", "", false),
    ] {
        let output = check(&Host::new().serve(move |_| answer(status, "1.41", body)));
        assert_down(&output, problem);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.contains(words) && !stdout.contains("<html>"), "{stdout}");
        assert_eq!(stdout.contains("hostseed wait web1"), waits, "{stdout}");
    }
}

#[test]
fn a_page_of_a_proxy_without_dockers_version_is_not_docker() {
    for (status, waits) in [("502 Bad Gateway", true), ("403 Forbidden", false)] {
        let json = format!("HTTP/1.1 {status}\r\nContent-Length: 16\r\n\r\n{{\"message\":\"no\"}}");
        let output = check(&Host::new().serve(move |_| json.clone()));
        assert_down(&output, "error[not-docker]");
        assert_eq!(String::from_utf8_lossy(&output.stdout).contains("hostseed wait web1"), waits);
    }
}

#[test]
fn a_body_that_is_not_utf_8_is_not_dockers() {
    let output = check(&Host::new().serve(|path| match path {
        // Two bytes of a text, of which the length allows one: the first byte of a character alone.
        "/v1.41/info" => answer("200 OK", "1.41", "\u{e9}").replace("Content-Length: 2", "Content-Length: 1"),
        other => docker(other),
    }));
    assert_down(&output, "error[not-docker]");
}

#[test]
fn facts_that_docker_does_not_tell_are_left_out() {
    let home = Host::new().serve(|path| match path {
        "/v1.41/version" => answer("200 OK", "1.41", r#"{"Version":"","Os":null}"#),
        "/v1.41/info" => answer("200 OK", "1.41", r#"{"Name":null,"Labels":null}"#),
        other => docker(other),
    });
    let stdout = home.ok(&["check", "web1"]);
    let headline = "web1 is up: Docker of an unknown version on an unknown system, unknown/unknown\n";
    assert!(stdout.starts_with(headline) && !stdout.contains("kernel"), "{stdout}");
}

#[test]
fn all_requests_together_have_one_deadline() {
    if !crate::support::extent::is_full() {
        // It takes five seconds.
        return;
    }
    let stalls = |path: &str| match path {
        "/v1.41/info" => {
            thread::sleep(Duration::from_secs(60));
            docker(path)
        }
        _ => docker(path),
    };
    let home = Host::new().serve(stalls);
    let begin = Instant::now();
    let output = home.run(&["check", "web1", "--wait=1s"]);
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
    assert_down(&output, "error[no-answer]");
    assert!(String::from_utf8_lossy(&output.stdout).contains("the host did not answer in time"));
}

#[test]
fn a_fault_of_this_computer_is_not_blamed_on_the_host() {
    let host = Host::new();
    let names: Vec<String> = (0..12).map(|n| format!("many{n}")).collect();
    for name in &names {
        host.home.ok(&["create", name, "--address", "127.0.0.1", "--quiet"]);
    }
    let port = listen("127.0.0.1:0", |stream| {
        thread::sleep(Duration::from_millis(700));
        drop(stream);
    });
    for name in &names {
        let path = host.home.machine(name).join("config.json");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(":2376", &format!(":{port}"))).unwrap();
    }
    let script = format!("ulimit -n 8 && exec {} check {}", env!("CARGO_BIN_EXE_hostseed"), names.join(" "));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env("HOME", host.home.path()).env_remove("MACHINE_STORAGE_PATH");
    let output = command.output().unwrap();
    assert_down(&output, "error[local-network]");
    assert_down(&output, "error[no-answer]");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("error[host-unreachable]"));
}

#[test]
fn a_host_that_asks_no_client_for_a_certificate_is_told_as_open() {
    let mut host = Host::new();
    let dir = host.home.machine("web1");
    let chain = CertificateDer::pem_file_iter(dir.join("server.pem")).unwrap().map(Result::unwrap).collect();
    host.config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(dir.join("server-key.pem")).unwrap())
        .unwrap();
    assert_down(&check(&host.serve(docker)), "error[open-docker-port]");
}

#[test]
fn a_ca_certificate_as_server_certificate_is_told() {
    let mut host = Host::new();
    let authority = host.home.store().join("certs/web1");
    fs::copy(authority.join("ca-key.pem"), host.home.machine("web1").join("server-key.pem")).unwrap();
    host.config = config(&host.home, "web1", &fs::read_to_string(authority.join("ca.pem")).unwrap());
    let output = check(&host.serve(docker));
    assert_down(&output, "error[certificate-chain]");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("uses the CA certificate as its server certificate")
    );
}

#[test]
fn certificates_besides_the_path_to_the_ca_are_ignored() {
    let mut host = Host::new();
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let expired = sign(&host.home, "key.pem", ExtendedKeyUsagePurpose::ClientAuth, &["x"], -60..-30);
    let server = read(host.home.machine("web1").join("server.pem"));
    let (own, other) =
        (read(host.home.machine("web1").join("ca.pem")), read(host.home.machine("other").join("ca.pem")));
    host.config = config(&host.home, "web1", &[server, own, expired, other].concat());
    let stdout = host.serve(docker).ok(&["check", "web1"]);
    assert!(!stdout.contains("boot issuer"), "{stdout}");
}

#[test]
fn a_certificate_without_addresses_is_told() {
    let output = check(&Host::new().with_certificate(&[], -1..400).serve(docker));
    assert_down(&output, "error[address-not-covered]");
    assert!(String::from_utf8_lossy(&output.stdout).contains("; it covers no address\n"));
}

#[test]
fn an_alert_before_any_certificate_is_a_failure_of_tls() {
    for (alert, words) in [
        (70, "does not support TLS 1.2 or newer"),
        (40, "no common kind of encryption"),
        (48, "ends the connection with alert 48"),
    ] {
        let output = plain(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, alert]);
        });
        assert_down(&output, "error[tls-failed]");
        assert!(String::from_utf8_lossy(&output.stdout).contains(words), "{output:?}");
    }
}

#[test]
fn addresses_are_suggested_only_if_they_can_be_recorded() {
    // The store's certificate covers only the recorded one, its name and those of the loopback interface.
    let sans = ["web1", "*.example.com", "172.17.0.1", "169.254.1.1", "127.0.0.2", "198.51.100.9"];
    let stdout = check(&Host::new().with_certificate(&sans, -1..400).serve(docker)).stdout;
    let stdout = String::from_utf8_lossy(&stdout);
    assert!(is_printed(&stdout, "error[address-not-covered]"), "{stdout}");
    assert!(!stdout.contains("hostseed address"), "{stdout}");
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "web1.invalid", "--quiet"]);
    home.ok(&["create", "web2", "--address", "web2.invalid", "--address", "198.51.100.9", "--quiet"]);
    let output = home.run(&["check", "web1", "web2"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout.matches("hostseed address").count(), 1, "{stdout}");
    assert!(stdout.ends_with("\n  hostseed address web2 198.51.100.9\n"), "{stdout}");
    home.ok(&["address", "web2", "198.51.100.9"]);
}

#[test]
fn a_host_that_issues_its_certificate_may_issue_another_one() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    home.ok(&["create", "other", "--address", "127.0.0.1", "--quiet"]);
    home.ok(&["address", "web1", "127.0.0.1"]);
    let dir = home.machine("web1");
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let (authority, key) = (read("issuer.pem"), KeyPair::from_pem(&read("issuer-key.pem")).unwrap());
    let issuer = Issuer::from_ca_cert_pem(&authority, key).unwrap();
    let key = KeyPair::generate().unwrap();
    fs::write(dir.join("server-key.pem"), key.serialize_pem()).unwrap();
    let host = |address: &str| {
        let mut params = CertificateParams::new(vec![address.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server = params.signed_by(&key, &issuer).unwrap().pem();
        config(&home, "web1", &(server + &authority))
    };
    let (before, after) = (host("198.51.100.9"), host("127.0.0.1"));
    let set_port = |from: u16, config| {
        let port = listen("127.0.0.1:0", speak(config, docker));
        let path = dir.join("config.json");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(&format!(":{from}"), &format!(":{port}"))).unwrap();
        port
    };
    let port = set_port(2376, before);
    let output = check(&home);
    assert_down(&output, "error[address-not-covered]");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n  hostseed wait web1\n"));
    let begin = Instant::now();
    assert_down(&home.run(&["wait", "web1", "--timeout=1s"]), "error[address-not-covered]");
    assert!(begin.elapsed() >= Duration::from_secs(1));
    set_port(port, after);
    let stdout = home.ok(&["check", "web1"]);
    assert!(stdout.contains("boot issuer"), "{stdout}");
}

#[test]
fn a_machine_without_an_address_is_not_waited_for() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    let begin = Instant::now();
    let output = home.run(&["wait", "web1", "--timeout=10m"]);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    assert_down(&output, "error[host-unresolved]");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n  hostseed address web1 ADDRESS\n"));
}

#[test]
fn waiting_ends_when_the_host_is_up() {
    let Host { home, config } = Host::new();
    let port = free_port();
    record_port(&home, port);
    let mut command = home.command(&["wait", "web1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let waits = said.find(|line| line.contains("waiting for Docker to be installed"));
    assert!(waits.is_some(), "it ended");
    listen(("127.0.0.1", port), speak(config, docker));
    let rest: Vec<_> = said.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
}

#[test]
fn waiting_ends_at_once_if_it_cannot_help_and_otherwise_after_its_time() {
    let begin = Instant::now();
    let mut host = Host::new();
    let server = fs::read_to_string(host.home.machine("other").join("server.pem")).unwrap();
    host.config = config(&host.home, "other", &server);
    assert_down(&host.serve(docker).run(&["check", "web1", "--wait"]), "error[other-ca]");
    let refused = Host::new();
    record_port(&refused.home, free_port());
    assert_down(&refused.home.run(&["check", "web1", "--wait=1s"]), "error[connection-refused]");
    assert!(begin.elapsed() < Duration::from_secs(300), "it waited for ten minutes");
    let stderr = refused.home.fails(2, &["check", "web1", "--wait=soon"]);
    assert!(stderr.contains("`10m`"), "{stderr}");
}

#[test]
fn several_machines_are_answered_in_their_order() {
    let home = Host::new().serve(docker);
    let output = home.run(&["check", "other", "web1", "web1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told: Vec<_> = json.as_array().unwrap().iter().map(|one| (&one["name"], &one["up"])).collect();
    assert_eq!(told, [(&Value::from("other"), &Value::from(false)), (&"web1".into(), &true.into())]);
    assert_eq!(json[0]["problems"][0]["code"], "other-ca");
    assert_eq!(json[1]["docker"]["labels"], serde_json::json!(["role=web"]));
}

#[test]
fn the_schema_describes_what_clients_prints() {
    if !need_python_module("jsonschema") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    home.ok(&["client", "web1", "--cn", "bob", "--quiet"]);
    fs::write(home.machine("web1").join("clients/bob/cert.pem"), "damaged").unwrap();
    fs::write(home.path().join("schema.json"), home.ok(&["schema", "clients"])).unwrap();
    fs::write(home.path().join("clients.json"), home.ok(&["clients", "web1", "--json"])).unwrap();
    let validate = "import json, jsonschema\n\
        schema = json.load(open('schema.json'))\n\
        jsonschema.Draft7Validator.check_schema(schema)\n\
        printed = json.load(open('clients.json'))\n\
        jsonschema.validate(printed, schema)\n\
        assert {key for one in printed for key in one} == set(schema['items']['properties'])\n";
    run(Command::new(PYTHON).args(["-c", validate]).current_dir(home.path()));
}

#[test]
fn the_schema_describes_what_check_prints() {
    if !need_python_module("jsonschema") {
        return;
    }
    let home = Host::new().with_certificate(&["127.0.0.1"], -70..20).serve(docker);
    fs::write(home.path().join("schema.json"), home.ok(&["schema", "check"])).unwrap();
    fs::write(home.path().join("checked.json"), home.run(&["check", "web1", "other", "--json"]).stdout)
        .unwrap();
    let validate = "import json, jsonschema\n\
        schema = json.load(open('schema.json'))\n\
        jsonschema.Draft7Validator.check_schema(schema)\n\
        jsonschema.validate(json.load(open('checked.json')), schema)\n";
    let output = Command::new(PYTHON).args(["-c", validate]).current_dir(home.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
