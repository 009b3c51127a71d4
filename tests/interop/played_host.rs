//! A host whose part the tests play: a real dockerd with the machine's files, and the unit that puts new files in place, which
//! `host/apply.rs` and the boots test.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Home, need, need_root, run};

/// Where `dockerd/install` puts Debian's packages.
const DEBIAN: &str = "/usr/local/lib/hostseed-tests/dockerd";
/// `ROOT PORT`: runs dockerd with ROOT's `/etc/docker` and `/etc/systemd/system`.
const SANDBOX: &str = r#"
set -eu
root=$1 port=$2
mount --make-rprivate /
mount -t overlay -o "lowerdir=$root/etc:/etc" none /etc
mount --bind "$root/etc/docker" /etc/docker
mount --bind "$root/etc/systemd/system" /etc/systemd/system
exec dockerd --bridge=none --iptables=false --ip6tables=false --storage-driver=vfs --data-root "$root/data" \
    --exec-root "$root/exec" --pidfile "$root/pid" -H "unix://$root/sock" -H "tcp://127.0.0.1:$port" --tlsverify \
    --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem --tlskey /etc/docker/server-key.pem
"#;

pub fn can_run() -> bool {
    need_root()
        && ["unshare", "curl"].iter().all(|program| need(program))
        && (PathBuf::from(DEBIAN).join("usr/sbin/dockerd").is_file()
            || crate::support::skip("tests/interop/dockerd/install"))
}

/// A host with Docker, for a machine.
pub struct Host {
    pub home: Rc<Home>,
    name: &'static str,
    pub port: u16,
    docker: Option<Child>,
}

impl Host {
    /// The host of `web1` in a store of its own.
    pub fn new() -> Self {
        Self::of(Rc::new(Home::new()), "web1", &[])
    }

    /// The host of a machine that is created with these options.
    pub fn of(home: Rc<Home>, name: &'static str, options: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let words = ["create", name, "--address", "127.0.0.1", "--port", &port.to_string(), "--quiet"];
        home.ok(&[&words, options].concat());
        let mut host = Self { home, name, port, docker: None };
        fs::create_dir_all(host.etc("docker")).unwrap();
        fs::create_dir_all(host.etc("systemd/system")).unwrap();
        for file in ["ca.pem", "server.pem", "server-key.pem"] {
            fs::copy(host.machine().join(file), host.etc("docker").join(file)).unwrap();
        }
        host.start();
        host
    }

    /// The machine's folder.
    pub fn machine(&self) -> PathBuf {
        self.home.machine(self.name)
    }

    pub fn root(&self) -> PathBuf {
        self.home.path().join("hosts").join(self.name)
    }

    pub fn etc(&self, path: &str) -> PathBuf {
        self.root().join("etc").join(path)
    }

    pub fn next(&self, file: &str) -> PathBuf {
        self.etc("docker/hostseed.next").join(file)
    }

    pub fn start(&mut self) {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", SANDBOX, "dockerd"])
            .arg(self.root())
            .arg(self.port.to_string())
            .env("PATH", format!("{DEBIAN}/usr/sbin:{DEBIAN}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.root().join("log")).unwrap());
        self.docker = Some(command.spawn().unwrap());
        let log = || fs::read_to_string(self.root().join("log")).unwrap_or_default();
        wait_for("dockerd listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok(), log);
    }

    pub fn stop(&mut self) {
        if let Some(mut docker) = self.docker.take() {
            // SIGTERM, so that it ends its containerd too.
            let _ = Command::new("kill").arg(docker.id().to_string()).status();
            let _ = docker.wait();
        }
    }

    /// The host has the unit that waits for new files.
    pub fn waits(&self) {
        fs::write(self.etc("systemd/system/hostseed-apply.path"), "[Path]\n").unwrap();
    }

    pub fn renew(&self) -> Child {
        self.begins(&["renew", "--apply", self.name])
    }

    /// Does the next step of a change of the CA.
    pub fn next_step(&self) -> Child {
        self.begins(&["renew", "--authority", "--apply", "--yes", self.name])
    }

    pub fn begins(&self, words: &[&str]) -> Child {
        self.home.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Puts the files of a client's set in place, and restarts Docker with them. Returns what the client has said before.
    pub fn puts_in_place(&mut self, client: &mut Child) -> String {
        let said = wait_until_it_waits(client);
        self.wait_for_set(client);
        self.tells("working", "");
        self.stop();
        for file in ["ca.pem", "server.pem", "server-key.pem"] {
            copy(&self.next(file), &self.etc("docker").join(file));
        }
        self.tells("applied", "");
        self.removes_set();
        self.start();
        said
    }

    /// Does the next step, and returns what the command said.
    #[track_caller]
    pub fn does_next_step(&mut self) -> String {
        let mut client = self.next_step();
        let said = self.puts_in_place(&mut client);
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        self.assert_clean();
        assert!(!self.machine().join("previous").exists());
        said + &told(&output)
    }

    /// Returns whether Docker answers a client with the files of a folder.
    pub fn answers(&self, files: &Path) -> bool {
        let file = |name: &str| files.join(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--cacert", &ca, "--cert", &certificate, "--key", &key]);
        let output = curl.arg(format!("https://127.0.0.1:{}/_ping", self.port)).output().unwrap();
        output.stdout == b"OK"
    }

    /// Waits until the set is complete.
    pub fn wait_for_set(&self, client: &mut Child) {
        let mut ended = || client.try_wait().unwrap().map(|status| status.to_string()).unwrap_or_default();
        wait_for("a set", || self.next("ready").exists(), &mut ended);
    }

    pub fn tells(&self, state: &str, reason: &str) {
        let id = fs::read_to_string(self.next("ready")).unwrap();
        let json = serde_json::json!({ "set": id.trim(), "state": state, "reason": reason });
        fs::write(self.etc("docker/hostseed.result.new"), json.to_string()).unwrap();
        fs::rename(self.etc("docker/hostseed.result.new"), self.etc("docker/hostseed.result")).unwrap();
    }

    pub fn removes_set(&self) {
        fs::remove_dir_all(self.etc("docker/hostseed.next")).unwrap();
    }

    /// Asks Docker itself.
    pub fn api(&self, arguments: &[&str], path: &str) -> String {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--unix-socket"])
            .arg(self.root().join("sock"))
            .args(arguments);
        String::from_utf8(run(curl.arg(format!("http://docker{path}"))).stdout).unwrap()
    }

    #[track_caller]
    pub fn assert_clean(&self) {
        assert_eq!(self.api(&[], "/containers/json?all=1").trim(), "[]");
        assert_eq!(self.api(&[], "/images/json?all=1").trim(), "[]");
    }

    /// Makes an image without files, and with it a container of another client with these labels.
    pub fn held_by(&self, labels: &str) {
        let tar = self.root().join("empty");
        fs::write(&tar, [0; 1024]).unwrap();
        let data = format!("@{}", tar.display());
        let made = self.api(
            &["--data-binary", &data, "-H", "Content-Type: application/x-tar"],
            "/images/create?fromSrc=-",
        );
        let made: serde_json::Value = serde_json::from_str(made.lines().last().unwrap()).unwrap();
        let body = format!(r#"{{"Image":{},"Cmd":["x"],"Labels":{labels}}}"#, made["status"]);
        let created = self.api(
            &["-H", "Content-Type: application/json", "-d", &body],
            "/containers/create?name=hostseed-apply",
        );
        assert!(created.contains("\"Id\""), "{created}");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}

#[track_caller]
pub fn wait_for(what: &str, mut is_there: impl FnMut() -> bool, mut otherwise: impl FnMut() -> String) {
    let begin = Instant::now();
    while !is_there() {
        assert!(begin.elapsed() < Duration::from_secs(120), "no {what}: {}", otherwise());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a client has seen that the host has its set. There can be one of a client that was killed, and Docker must not restart before
/// this client has found it. Returns what it has said.
#[track_caller]
pub fn wait_until_it_waits(client: &mut Child) -> String {
    let stderr = client.stderr.as_mut().unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("the host has the new files, and begins") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.extend(byte);
    }
    String::from_utf8_lossy(&said).into_owned()
}

pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

pub fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

/// Copies the files of a client.
pub fn keep(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    ["ca.pem", "cert.pem", "key.pem"].iter().for_each(|file| copy(&from.join(file), &to.join(file)));
}
