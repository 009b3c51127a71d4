//! `renew --apply` with a real dockerd. The test plays the host's part after the upload, which `host/apply.rs` and the boots test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
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

fn can_run() -> bool {
    need_root()
        && ["unshare", "curl"].iter().all(|program| need(program))
        && (PathBuf::from(DEBIAN).join("usr/sbin/dockerd").is_file()
            || crate::support::skip("tests/interop/dockerd/install"))
}

/// A host with Docker, for the machine `web1`.
struct Host {
    home: Home,
    port: u16,
    docker: Option<Child>,
}

impl Host {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = Home::new();
        home.ok(&["create", "web1", "--address", "127.0.0.1", "--port", &port.to_string(), "--quiet"]);
        let mut host = Self { home, port, docker: None };
        fs::create_dir_all(host.etc("docker")).unwrap();
        fs::create_dir_all(host.etc("systemd/system")).unwrap();
        for file in ["ca.pem", "server.pem", "server-key.pem"] {
            fs::copy(host.home.machine("web1").join(file), host.etc("docker").join(file)).unwrap();
        }
        host.start();
        host
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("host")
    }

    fn etc(&self, path: &str) -> PathBuf {
        self.root().join("etc").join(path)
    }

    fn next(&self, file: &str) -> PathBuf {
        self.etc("docker/hostseed.next").join(file)
    }

    fn start(&mut self) {
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

    fn stop(&mut self) {
        if let Some(mut docker) = self.docker.take() {
            // SIGTERM, so that it ends its containerd too.
            let _ = Command::new("kill").arg(docker.id().to_string()).status();
            let _ = docker.wait();
        }
    }

    /// The host has the unit that waits for new files.
    fn waits(&self) {
        fs::write(self.etc("systemd/system/hostseed-apply.path"), "[Path]\n").unwrap();
    }

    fn renew(&self) -> Child {
        let mut command = self.home.command(&["renew", "--apply", "web1"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until the set is complete.
    fn wait_for_set(&self, client: &mut Child) {
        let mut ended = || client.try_wait().unwrap().map(|status| status.to_string()).unwrap_or_default();
        wait_for("a set", || self.next("ready").exists(), &mut ended);
    }

    fn tells(&self, state: &str, reason: &str) {
        let id = fs::read_to_string(self.next("ready")).unwrap();
        let json = serde_json::json!({ "set": id.trim(), "state": state, "reason": reason });
        fs::write(self.etc("docker/hostseed.result.new"), json.to_string()).unwrap();
        fs::rename(self.etc("docker/hostseed.result.new"), self.etc("docker/hostseed.result")).unwrap();
    }

    fn removes_set(&self) {
        fs::remove_dir_all(self.etc("docker/hostseed.next")).unwrap();
    }

    /// Asks Docker itself.
    fn api(&self, arguments: &[&str], path: &str) -> String {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--unix-socket"])
            .arg(self.root().join("sock"))
            .args(arguments);
        String::from_utf8(run(curl.arg(format!("http://docker{path}"))).stdout).unwrap()
    }

    #[track_caller]
    fn assert_clean(&self) {
        assert_eq!(self.api(&[], "/containers/json?all=1").trim(), "[]");
        assert_eq!(self.api(&[], "/images/json?all=1").trim(), "[]");
    }

    /// Makes an image without files, and with it a container of another client with these labels.
    fn held_by(&self, labels: &str) {
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
fn wait_for(what: &str, mut is_there: impl FnMut() -> bool, mut otherwise: impl FnMut() -> String) {
    let begin = Instant::now();
    while !is_there() {
        assert!(begin.elapsed() < Duration::from_secs(120), "no {what}: {}", otherwise());
        thread::sleep(Duration::from_millis(50));
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

#[test]
fn new_files_are_brought_to_a_real_dockerd() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    let machine = host.home.machine("web1");

    // A host without the units.
    let refused = host.home.fails(1, &["renew", "--apply", "web1"]);
    assert!(refused.contains("error[no-apply-units]"), "{refused}");
    host.assert_clean();
    assert!(!host.next("").exists() && machine.join("previous").exists());

    // The host puts the old files back.
    host.waits();
    let mut client = host.renew();
    host.wait_for_set(&mut client);
    for file in ["ca.pem", "server.pem", "server-key.pem"] {
        assert_eq!(fs::read(host.next(file)).unwrap(), fs::read(machine.join(file)).unwrap());
        let staged = fs::metadata(host.next(file)).unwrap();
        assert_eq!((staged.mode() & 0o7777, staged.uid(), staged.gid()), (0o600, 0, 0), "{file}");
    }
    assert_eq!(fs::metadata(host.next("")).unwrap().permissions().mode() & 0o7777, 0o700);
    assert!(!host.next("key.pem").exists());
    host.tells("working", "");
    host.tells("rolled-back", "docker does not start: \u{1b}[31mred");
    host.removes_set();
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = told(&output);
    assert!(said.contains("error[not-applied]") && said.contains("docker does not start: "), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    host.assert_clean();
    assert!(machine.join("previous").exists());

    // Another client works on it, then it is one of this computer that was killed.
    host.held_by(r#"{"hostseed.apply":"1","hostseed.apply.by":"alice@laptop","hostseed.apply.process":"1"}"#);
    let busy = host.home.fails(1, &["renew", "--apply", "web1"]);
    assert!(
        busy.contains("error[host-busy]") && busy.contains("alice@laptop changes the host since "),
        "{busy}"
    );
    host.api(&["-X", "DELETE"], "/containers/hostseed-apply");
    host.api(&["-X", "POST"], "/images/prune");
    let mut killed = host.renew();
    host.wait_for_set(&mut killed);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(host.api(&[], "/containers/json?all=1").contains("hostseed-apply"));

    // The next client goes on. Docker restarts with the new files, and the network is away for a moment.
    let mut client = host.renew();
    let process = format!("\"{}\"", client.id());
    let containers = || host.api(&[], "/containers/json?all=1");
    wait_for("container of the next client", || containers().contains(&process), containers);
    host.tells("working", "");
    host.stop();
    for file in ["ca.pem", "server.pem", "server-key.pem"] {
        copy(&host.next(file), &host.etc("docker").join(file));
    }
    host.tells("applied", "");
    host.removes_set();
    assert!(client.try_wait().unwrap().is_none(), "the client did not wait");
    host.start();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    host.assert_clean();
    assert!(!machine.join("previous").exists());
    host.home.ok(&["check", "web1"]);
}

#[test]
fn ctrl_c_leaves_no_container() {
    if !can_run() {
        return;
    }
    let host = Host::new();
    host.waits();
    let mut client = host.renew();
    host.wait_for_set(&mut client);
    run(Command::new("kill").args(["-INT", &client.id().to_string()]));
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("error[outcome-unknown]"), "{}", told(&output));
    host.assert_clean();
}

/// `update` keeps the plan of before, so that the set has the drop-in with the change.
#[test]
fn a_changed_label_is_brought_to_the_host_with_new_certificates() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    let machine = host.home.machine("web1");
    host.waits();
    let updated = host.home.run(&["update", "web1", "--engine-label", "role=db"]);
    assert!(
        updated.status.success() && told(&updated).contains("hostseed renew --apply web1"),
        "{}",
        told(&updated)
    );
    // The host presents the same certificate, which proves nothing.
    host.home.ok(&["check", "web1"]);
    let old = fs::read(machine.join("previous/server.pem")).unwrap();
    assert_eq!(fs::read(machine.join("server.pem")).unwrap(), old);

    let mut client = host.renew();
    host.wait_for_set(&mut client);
    let drop_in = fs::read_to_string(host.next("10-machine.conf")).unwrap();
    assert!(drop_in.contains("role=db"), "{drop_in}");
    assert_ne!(fs::read(host.next("server.pem")).unwrap(), old);
    host.tells("working", "");
    host.stop();
    for file in ["ca.pem", "server.pem", "server-key.pem"] {
        copy(&host.next(file), &host.etc("docker").join(file));
    }
    host.tells("applied", "");
    host.removes_set();
    host.start();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(!machine.join("previous").exists());
}
