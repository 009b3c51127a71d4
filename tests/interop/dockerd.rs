//! `check` asks a real dockerd, and hosts behind real firewalls. `cli/check.rs` has the faults that no dockerd has.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::docker_machine::DockerMachine;
use crate::support::{Home, is_printed, need, need_root, run, skip};

/// Where `dockerd/install` puts Debian's packages.
const DEBIAN: &str = "/usr/local/lib/hostseed-tests/dockerd";

pub fn can_run() -> bool {
    need_root()
        && (PathBuf::from(DEBIAN).join("usr/sbin/dockerd").is_file() || skip("tests/interop/dockerd/install"))
}

/// Whether this computer can connect to itself over IPv6.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// A running dockerd with the server certificate of one machine and the CA of another.
pub struct Dockerd {
    child: Child,
    _dir: tempfile::TempDir,
}

impl Dockerd {
    /// Starts it on `port`, with TLS as the files of `server` and `clients` say, and waits until it listens.
    pub fn start(home: &Home, port: u16, tls: Option<(&str, &str)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(format!("{DEBIAN}/usr/sbin/dockerd"));
        let path = |name| dir.path().join(name).display().to_string();
        command
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .args(["--label", "role=web", "-H", &format!("tcp://127.0.0.1:{port}")])
            .env("PATH", format!("{DEBIAN}/usr/sbin:{DEBIAN}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log")).unwrap());
        if has_ipv6() {
            command.args(["-H", &format!("tcp://[::1]:{port}")]);
        }
        if let Some((server, clients)) = tls {
            let file = |machine, name| home.machine(machine).join(name).display().to_string();
            command
                .arg("--tlsverify")
                .args(["--tlscacert", &file(clients, "ca.pem")])
                .args(["--tlscert", &file(server, "server.pem")])
                .args(["--tlskey", &file(server, "server-key.pem")]);
        } else {
            command.arg("--tls=false");
        }
        let mut started = Self { child: command.spawn().unwrap(), _dir: dir };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || fs::read_to_string(started._dir.path().join("log")).unwrap_or_default();
            assert!(started.child.try_wait().unwrap().is_none(), "dockerd ended: {}", log());
            assert!(begin.elapsed() < Duration::from_secs(120), "dockerd does not listen: {}", log());
            thread::sleep(Duration::from_millis(100));
        }
        started
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its containerd too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Machines with a port on which nothing listens yet.
pub fn machines(names: &[&str]) -> (Home, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let home = Home::new();
    for name in names {
        home.ok(&["create", name, "--address", "127.0.0.1", "--port", &port.to_string(), "--quiet"]);
    }
    (home, port)
}

/// Runs hostseed at another time: `+3h`.
pub fn at(home: &Home, offset: &str, args: &[&str]) -> Output {
    let hostseed = home.command(args);
    let mut command = Command::new("faketime");
    command.args(["-f", offset]).arg(hostseed.get_program()).args(hostseed.get_args());
    command.env("HOME", home.path()).current_dir(home.path()).stdin(Stdio::null());
    command.env_remove("MACHINE_STORAGE_PATH").output().unwrap()
}

#[track_caller]
fn assert_told(output: &Output, status: i32, problem: &str) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(status), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_printed(&stdout, problem), "{stdout}");
}

#[test]
fn check_agrees_with_a_real_dockerd_and_tells_what_the_clocks_do() {
    if !can_run() || !need("faketime") {
        return;
    }
    let (home, port) = machines(&["web1", "other"]);
    let running = Dockerd::start(&home, port, Some(("web1", "web1")));
    let up = home.ok(&["check", "web1"]);
    assert!(up.starts_with("web1 is up: Docker 20.10."), "{up}");
    assert!(up.contains("labels        role=web\n"), "{up}");
    assert_told(&home.run(&["check", "other"]), 1, "error[other-ca]");
    // The host's clock is 800 days behind this computer's, on which the certificates have expired.
    assert_told(&at(&home, "+800d", &["check", "web1"]), 1, "error[certificate-time]");
    let expired = String::from_utf8(at(&home, "+800d", &["check", "web1"]).stdout).unwrap();
    assert!(expired.contains(", the host's ") && expired.contains("the clocks differ"), "{expired}");
    assert_told(&at(&home, "+40m", &["check", "web1"]), 0, "warning[clock-skew]");
    assert_told(&at(&home, "+720d", &["check", "web1"]), 3, "warning[certificate-expires-soon]");
    drop(running);

    // The host's clock is 3 hours behind: its dockerd refuses a client certificate that is not valid yet.
    let ahead = Home::new();
    let created = at(
        &ahead,
        "+3h",
        &["create", "web1", "--address", "127.0.0.1", "--port", &port.to_string(), "--quiet"],
    );
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let _running = Dockerd::start(&ahead, port, Some(("web1", "web1")));
    assert_told(&at(&ahead, "+3h", &["check", "web1"]), 1, "error[client-refused]");
}

#[test]
fn a_machine_of_docker_machine_works_as_hostseeds_own() {
    if !can_run() || !need("openssl") {
        return;
    }
    let home = Home::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    DockerMachine::new(&home.store()).machine("web1", "generic", "127.0.0.1", port);
    let _running = Dockerd::start(&home, port, Some(("web1", "web1")));
    assert!(home.ok(&["check", "web1"]).starts_with("web1 is up: Docker 20.10."));
    home.ok(&["import", "--docker-machine", "--quiet"]);
    let docker = |words: &[&str]| {
        let mut docker = Command::new(format!("{DEBIAN}/usr/bin/docker"));
        String::from_utf8(run(docker.args(words).env("DOCKER_CONFIG", home.path())).stdout).unwrap()
    };
    let flags = home.ok(&["config", "web1"]).replace('"', "");
    let flags: Vec<_> = flags.lines().collect();
    let asks = ["info", "--format", "{{.Name}} {{.Labels}}"];
    assert!(docker(&[&flags, &asks[..]].concat()).ends_with(" [role=web]\n"));
    let env = home.ok(&["env", "web1", "--shell", "sh"]);
    let line = format!("{env}\n{DEBIAN}/usr/bin/docker version --format '{{{{.Server.Version}}}}'");
    let version = run(Command::new("sh").args(["-c", &line]).env("DOCKER_CONFIG", home.path())).stdout;
    assert!(version.starts_with(b"20.10."));
    let up = home.ok(&["check", "web1", "--json"]);
    assert!(up.contains("\"up\": true") && up.contains("\"problems\": []"), "{up}");
    if has_ipv6() {
        home.ok(&["address", "web1", "::1", "--quiet"]);
        let up = home.ok(&["check", "web1"]);
        assert!(up.contains(&format!("docker host   tcp://[::1]:{port}\n")), "{up}");
    }
    // The dates of Docker Machine's certificates: 1080 days.
    if need("faketime") {
        let soon = at(&home, "+1060d", &["check", "web1"]);
        assert_told(&soon, 3, "warning[certificate-expires-soon]");
    }
}

#[test]
fn a_renewed_client_works_with_the_old_server_certificate_and_with_the_new_one() {
    if !can_run() || !need("docker") {
        return;
    }
    let (home, port) = machines(&["web1"]);
    // What a host has before `renew`.
    let before = home.machine("before");
    run(Command::new("cp").arg("-r").arg(home.machine("web1")).arg(&before));
    home.ok(&["renew", "web1", "--quiet"]);
    let version = |dir: &Path| {
        let mut docker = Command::new("docker");
        docker.env("DOCKER_HOST", format!("tcp://127.0.0.1:{port}")).env("DOCKER_TLS_VERIFY", "1");
        docker.env("DOCKER_CERT_PATH", dir).env("DOCKER_CONFIG", home.path());
        docker.args(["version", "--format", "{{.Server.Version}}"]).output().unwrap()
    };
    for server in ["before", "web1"] {
        let _running = Dockerd::start(&home, port, Some((server, server)));
        for client in [&home.machine("web1"), &before] {
            let told = version(client);
            assert!(told.status.success(), "{server}: {}", String::from_utf8_lossy(&told.stderr));
        }
        home.ok(&["check", "web1"]);
        assert_eq!(home.machine("web1").join("previous").exists(), server == "before");
    }
}

#[test]
fn a_dockerd_with_another_ca_or_without_tls_is_told() {
    if !can_run() {
        return;
    }
    let (home, port) = machines(&["web1", "other"]);
    let running = Dockerd::start(&home, port, Some(("web1", "other")));
    assert_told(&home.run(&["check", "web1"]), 1, "error[client-refused]");
    drop(running);
    let _running = Dockerd::start(&home, port, None);
    assert_told(&home.run(&["check", "web1"]), 1, "error[not-tls]");
}

#[test]
fn a_host_that_no_packet_reaches_is_told() {
    if !need_root() || !need("nft") || !need("unshare") || !need("ip") {
        return;
    }
    let (home, _) = machines(&["web1"]);
    let hostseed = env!("CARGO_BIN_EXE_hostseed");
    let drop = "nft add table ip t && nft 'add chain ip t input { type filter hook input priority 0; policy drop; }'";
    for network in ["true".to_owned(), format!("ip link set lo up && {drop}")] {
        let script = format!("{network} && exec {hostseed} check web1");
        let mut command = Command::new("unshare");
        command
            .args(["--net", "sh", "-c", &script])
            .env("HOME", home.path())
            .env_remove("MACHINE_STORAGE_PATH");
        assert_told(&command.output().unwrap(), 1, "error[host-unreachable]");
    }
}

#[test]
fn a_port_that_accepts_and_says_nothing_is_told() {
    if !crate::support::extent::is_full() {
        // It takes ten seconds.
        return;
    }
    let (home, port) = machines(&["web1"]);
    let silent = TcpListener::bind(("127.0.0.1", port)).unwrap();
    assert_told(&home.run(&["check", "web1"]), 1, "error[no-answer]");
    drop(silent);
}
