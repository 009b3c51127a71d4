//! `renew --apply` with a real dockerd. The test plays the host's part after the upload, which `host/apply.rs` and the boots test.

use std::fs;
use std::io::Read;
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
        self.begins(&["renew", "--apply", "web1"])
    }

    /// Does the next step of a change of the CA.
    fn next_step(&self) -> Child {
        self.begins(&["renew", "--authority", "--apply", "--yes", "web1"])
    }

    fn begins(&self, words: &[&str]) -> Child {
        self.home.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Puts the files of a client's set in place, and restarts Docker with them. Returns what the client has said before.
    fn puts_in_place(&mut self, client: &mut Child) -> String {
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
    fn does_next_step(&mut self) -> String {
        let mut client = self.next_step();
        let said = self.puts_in_place(&mut client);
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        self.assert_clean();
        assert!(!self.home.machine("web1").join("previous").exists());
        said + &told(&output)
    }

    /// Returns whether Docker answers a client with the files of a folder.
    fn answers(&self, files: &Path) -> bool {
        let file = |name: &str| files.join(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--cacert", &ca, "--cert", &certificate, "--key", &key]);
        let output = curl.arg(format!("https://127.0.0.1:{}/_ping", self.port)).output().unwrap();
        output.stdout == b"OK"
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

/// Waits until a client has seen that the host has its set. There can be one of a client that was killed, and Docker must not restart before
/// this client has found it. Returns what it has said.
#[track_caller]
fn wait_until_it_waits(client: &mut Child) -> String {
    let stderr = client.stderr.as_mut().unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("the host has the new files, and begins") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.extend(byte);
    }
    String::from_utf8_lossy(&said).into_owned()
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
    assert!(!host.next("").exists() && !machine.join("previous").exists() && !refused.contains("--undo"));
    // Nor is a CA replaced for it.
    for words in [
        &["renew", "--authority", "--apply", "--yes", "web1"][..],
        &["renew", "--authority", "--apply", "--at-once", "--yes", "web1"],
    ] {
        let refused = host.home.fails(1, words);
        assert!(refused.contains("error[no-apply-units]") && !machine.join("previous").exists(), "{refused}");
    }

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
    wait_until_it_waits(&mut client);
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
    let said = told(&output);
    assert!(said.contains("error[outcome-unknown]") && !said.contains("--undo"), "{said}");
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

/// Copies the files of a client.
fn keep(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    ["ca.pem", "cert.pem", "key.pem"].iter().for_each(|file| copy(&from.join(file), &to.join(file)));
}

#[test]
fn a_ca_is_replaced_in_steps_and_each_client_needs_new_files_once() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    let (old, alice, new) =
        (host.home.path().join("old"), machine.join("clients/alice"), host.home.path().join("new"));
    host.home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    keep(&machine, &old);
    let old_alice = host.home.path().join("old-alice");
    keep(&machine, &old_alice);
    ["cert.pem", "key.pem"].iter().for_each(|file| copy(&alice.join(file), &old_alice.join(file)));
    let states = |host: &Host| [&old, &old_alice, &new].map(|files| host.answers(files));

    // Without --yes nothing is done.
    let told = host.home.ok(&["renew", "--authority", "--apply", "web1"]);
    assert!(
        told.contains("next") && told.contains("alice of web1") && !machine.join("previous").exists(),
        "{told}"
    );

    let said = host.does_next_step();
    assert!(
        said.contains("step 1 of 3 is done") && said.contains("hostseed client web1 --cn alice"),
        "{said}"
    );
    keep(&machine, &new);
    assert_eq!(states(&host), [true; 3], "after step 1");
    host.home.ok(&["check", "web1"]);

    // Nothing else makes certificates now.
    for words in [
        &["renew", "web1"][..],
        &["renew", "--apply", "web1"],
        &["renew", "--authority", "--yes", "web1"],
        &["update", "web1", "--engine-label", "role=db"],
    ] {
        let refused = host.home.fails(1, words);
        assert!(refused.contains("error[ca-change-open]"), "{refused}");
    }
    // Alice would be locked out.
    let refused = host.home.fails(1, &["renew", "--authority", "--apply", "--yes", "web1"]);
    assert!(refused.contains("error[clients-of-old-ca]") && refused.contains("`alice`"), "{refused}");
    assert!(host.home.ok(&["clients", "web1"]).contains("of the old CA"));
    let dir = host.home.path().join("alice");
    host.home.ok(&["client", "web1", "--cn", "alice", "--quiet", "--out", dir.to_str().unwrap()]);
    assert!(host.answers(&dir));

    let said = host.does_next_step();
    assert!(said.contains("step 2 of 3 is done"), "{said}");
    // The old client's certificate is accepted, but its CA file lacks the new CA.
    assert_eq!(states(&host), [false, false, true], "after step 2");
    assert!(host.answers(&dir));
    copy(&new.join("ca.pem"), &old.join("ca.pem"));
    assert!(host.answers(&old), "the old certificate with the new file of CAs");

    let said = host.does_next_step();
    assert!(said.contains("step 3 of 3 is done"), "{said}");
    assert_eq!(states(&host), [false, false, true], "after step 3");
    assert!(host.answers(&dir) && host.answers(&machine));
    assert_eq!(
        fs::read(machine.join("ca.pem")).unwrap(),
        fs::read(host.home.store().join("certs/web1/ca.pem")).unwrap()
    );
    host.home.ok(&["check", "web1"]);
    // Now it is a machine with one CA, which another change can replace.
    host.home.ok(&["renew", "web1", "--dry-run"]);
}

#[test]
fn a_step_that_was_not_proved_is_brought_to_the_host_or_taken_back() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    let read = |file: &str| fs::read_to_string(machine.join(file)).unwrap();
    let first = read("ca.pem");
    let mut cas = Vec::new();
    for step in 1..=3 {
        let before = ["ca.pem", "cert.pem", "server.pem", "user-data"].map(read);
        // The client is killed while the host works, and the step is taken back.
        let mut killed = host.next_step();
        host.wait_for_set(&mut killed);
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert!(machine.join("previous").exists(), "step {step}");
        // The host may put the files in place at any time, so they are not deleted.
        let refused = host.home.fails(1, &["renew", "--undo", "web1"]);
        assert!(refused.contains("error[outcome-unknown]"), "{refused}");
        host.tells("applied", "");
        let set = fs::read_to_string(host.next("ready")).unwrap();
        let recorded = fs::read_to_string(machine.join("previous/sent")).unwrap();
        assert_eq!(recorded, set);
        host.removes_set();
        let refused = host.home.fails(1, &["renew", "--undo", "web1"]);
        assert!(refused.contains("has put them in place"), "{refused}");
        fs::write(
            host.etc("docker/hostseed.result"),
            format!(r#"{{"set":"{}","state":"refused"}}"#, set.trim()),
        )
        .unwrap();
        host.home.ok(&["renew", "--undo", "web1"]);
        assert_eq!(["ca.pem", "cert.pem", "server.pem", "user-data"].map(read), before, "step {step}");
        let mut killed = host.next_step();
        host.wait_for_set(&mut killed);
        killed.kill().unwrap();
        killed.wait().unwrap();
        let after = ["ca.pem", "cert.pem", "server.pem", "user-data"].map(read);
        assert_ne!(after, before, "step {step}");
        // The next run goes on, and makes nothing new.
        let said = host.does_next_step();
        assert!(said.contains(&format!("step {step} of 3 is done")), "{said}");
        assert_eq!(["ca.pem", "cert.pem", "server.pem", "user-data"].map(read), after, "step {step}");
        cas.push(read("ca.pem"));
    }
    assert!(cas[0] == cas[1] && cas[0] == format!("{}{first}", cas[2]), "{cas:#?}");
}

#[test]
fn the_rest_of_a_change_is_done_at_once() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    host.home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    host.does_next_step();
    let mut client = host.begins(&["renew", "--authority", "--apply", "--at-once", "--yes", "web1"]);
    host.puts_in_place(&mut client);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success() && told(&output).contains("the CA was replaced"), "{}", told(&output));
    assert!(told(&output).contains("hostseed client web1 --cn alice"));
    assert_eq!(fs::read(machine.join("ca.pem")).unwrap(), fs::read(host.etc("docker/ca.pem")).unwrap());
    assert!(host.answers(&machine) && !machine.join("previous").exists());
    assert!(host.home.ok(&["clients", "web1"]).contains("revoked"));
}

#[test]
fn a_pending_change_is_not_taken_for_a_step() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    let first = fs::read(machine.join("ca.pem")).unwrap();
    host.home.ok(&["renew", "web1", "--quiet"]);
    let said = host.does_next_step();
    assert!(!said.contains("is done") && said.contains("the CA of `web1` has not been replaced"), "{said}");
    assert_eq!(fs::read(machine.join("ca.pem")).unwrap(), first);
    // A new CA for one switch.
    host.home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    host.home.ok(&["renew", "--authority", "--yes", "web1", "--quiet"]);
    let refused = host.home.fails(1, &["renew", "--authority", "--apply", "--yes", "web1"]);
    assert!(
        refused.contains("error[clients-of-old-ca]") && refused.contains("`alice` of `web1`"),
        "{refused}"
    );
    host.home.ok(&["renew", "--undo", "--yes", "web1"]);
    assert_eq!(fs::read(machine.join("ca.pem")).unwrap(), first);
}

#[test]
fn a_copy_of_the_store_brings_no_dropped_ca_back() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    host.does_next_step();
    let (store, copied) = (host.home.store(), host.home.path().join("copy"));
    run(Command::new("cp").arg("-a").args([&store, &copied]));
    host.does_next_step();
    let copied = copied.to_str().unwrap();
    let next = ["--store", copied, "renew", "--authority", "--apply", "--yes", "web1"];
    let refused = host.home.fails(1, &next);
    assert!(refused.contains("error[host-changed-elsewhere]"), "{refused}");
    assert!(!Path::new(copied).join("machines/web1/previous").exists());
    host.does_next_step();
    let refused = host.home.fails(1, &next);
    assert!(refused.contains("error[host-changed-elsewhere]"), "{refused}");
}

#[test]
fn at_once_goes_on_to_the_end_from_a_step_that_was_not_proved() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    let mut killed = host.next_step();
    host.wait_for_set(&mut killed);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut client = host.begins(&["renew", "--authority", "--apply", "--at-once", "--yes", "web1"]);
    host.puts_in_place(&mut client);
    host.puts_in_place(&mut client);
    let output = client.wait_with_output().unwrap();
    let said = told(&output);
    assert!(output.status.success() && said.contains("the CA was replaced"), "{said}");
    assert!(!said.contains("step 1 of 3") && !machine.join("previous").exists(), "{said}");
    assert!(host.answers(&machine));
}
