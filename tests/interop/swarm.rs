//! `swarm up` and `swarm status` with three real dockerds, each in a network namespace of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Home, is_printed, need, need_root, skip};

/// Where `dockerd/install` puts Debian's packages.
const DEBIAN: &str = "/usr/local/lib/hostseed-tests/dockerd";
/// `NAME ROOT ADDRESS FILES [OPTION]`: runs dockerd with the certificates in FILES. All ends with the first process.
const SANDBOX: &str = r#"
set -eu
name=$1 root=$2 address=$3 files=$4
shift 4
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs none /run
hostname "$name"
exec dockerd --bridge=none --iptables=false --ip6tables=false --storage-driver=vfs --data-root "$root" --exec-root /run/exec \
    --pidfile /run/pid -H unix:///run/sock -H "tcp://$address:2376" --tlsverify --tlscacert "$files/ca.pem" \
    --tlscert "$files/server.pem" --tlskey "$files/server-key.pem" "$@"
"#;
/// `PREFIX`: makes a network of four namespaces: a switch, where the client runs, and three hosts.
const NETWORK: &str = r#"
set -eu
ip netns add "$1-0"
ip -n "$1-0" link add br0 type bridge
ip -n "$1-0" addr add 10.213.0.254/24 dev br0
ip -n "$1-0" link set br0 up
for n in 1 2 3; do
    ip netns add "$1-$n"
    ip -n "$1-0" link add "v$n" type veth peer name eth0 netns "$1-$n"
    ip -n "$1-0" link set "v$n" master br0 up
    ip -n "$1-$n" addr add "10.213.0.$n/24" dev eth0
    ip -n "$1-$n" link set eth0 up
    ip -n "$1-$n" link set lo up
    ip -n "$1-$n" route add default via 10.213.0.254
done
"#;

/// Three hosts with Docker, for the machines `m1`, `m2` and `m3`, and the client.
struct Hosts {
    home: Home,
    network: String,
    docker: [Option<Child>; 3],
}

fn can_run() -> bool {
    need_root()
        && ["docker", "unshare", "nsenter", "ip", "nft"].iter().all(|program| need(program))
        && (PathBuf::from(DEBIAN).join("usr/sbin/dockerd").is_file() || skip("tests/interop/dockerd/install"))
}

impl Hosts {
    fn new() -> Self {
        let network = format!("hostseed-{}", std::process::id());
        let mut hosts = Self { home: Home::new(), network, docker: [None, None, None] };
        let made = Command::new("sh").args(["-c", NETWORK, "network", &hosts.network]).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        hosts.write("fleet.yaml", "worker", "worker");
        hosts.home.ok(&["apply", "fleet.yaml", "--quiet"]);
        (1..=3).for_each(|n| hosts.start(n, &[]));
        (1..=3).for_each(|n| hosts.listens(n));
        hosts
    }

    /// Writes a fleet file with `m1` as a manager. `m2` and `m3` have a value of `swarm`.
    fn write(&self, file: &str, m2: &str, m3: &str) {
        let text = format!(
            "fleet: test\nclient: shared\nmachines:\n  m1: {{address: 10.213.0.1, swarm: manager}}\n  m2: {{address: 10.213.0.2, swarm: {m2}}}\n  m3: {{address: 10.213.0.3, swarm: {m3}}}\n"
        );
        fs::write(self.home.path().join(file), text).unwrap();
    }

    fn data(&self, n: usize) -> PathBuf {
        self.home.path().join(format!("host{n}"))
    }

    fn inside(&self, n: usize, program: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}-{n}", self.network));
        command.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null()).current_dir(self.home.path());
        command
    }

    fn start(&mut self, n: usize, options: &[&str]) {
        fs::create_dir_all(self.data(n)).unwrap();
        let name = format!("m{n}");
        let mut docker = Command::new("unshare");
        docker
            .args([
                "--mount",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                SANDBOX,
                "dockerd",
                &name,
            ])
            .arg(self.data(n))
            .arg(format!("10.213.0.{n}"))
            .arg(self.home.machine(&name))
            .args(options)
            .env("PATH", format!("{DEBIAN}/usr/sbin:{DEBIAN}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        let log = fs::File::create(self.home.path().join(format!("log{n}"))).unwrap();
        self.docker[n - 1] = Some(self.inside(n, &docker).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    fn listens(&self, n: usize) {
        let output = self.run(&["wait", &format!("m{n}"), "--timeout", "60s"]);
        let log = || fs::read_to_string(self.home.path().join(format!("log{n}"))).unwrap_or_default();
        assert!(output.status.success(), "{}{}", text(&output.stderr), log());
    }

    fn stop(&mut self, n: usize) {
        if let Some(mut docker) = self.docker[n - 1].take() {
            let _ = docker.kill();
            let _ = docker.wait();
            // The processes of the host end after its first one, and until then dockerd takes connections.
            let mut connect = Command::new("bash");
            connect.args(["-c", &format!(": </dev/tcp/10.213.0.{n}/2376")]);
            let end = Instant::now() + Duration::from_secs(10);
            let takes = |mut connect: Command| connect.output().is_ok_and(|output| output.status.success());
            while takes(self.inside(0, &connect)) && Instant::now() < end {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Starts the host again, without its former data.
    fn replace(&mut self, n: usize, options: &[&str]) {
        self.stop(n);
        // Another process of the host may still write there.
        let end = Instant::now() + Duration::from_secs(10);
        while fs::remove_dir_all(self.data(n)).is_err() {
            assert!(Instant::now() < end, "{} cannot be deleted", self.data(n).display());
            thread::sleep(Duration::from_millis(50));
        }
        self.start(n, options);
        self.listens(n);
    }

    fn client(&self, args: &[&str]) -> Command {
        self.inside(0, &self.home.command(args))
    }

    fn run(&self, args: &[&str]) -> Output {
        self.client(args).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that fails, and returns both of its outputs.
    #[track_caller]
    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        said
    }

    /// Runs the docker CLI with a host.
    #[track_caller]
    fn docker(&self, n: usize, args: &[&str]) {
        let mut docker = Command::new("docker");
        docker
            .args(args)
            .env("DOCKER_HOST", format!("tcp://10.213.0.{n}:2376"))
            .env("DOCKER_TLS_VERIFY", "1")
            .env("DOCKER_CERT_PATH", self.home.machine(&format!("m{n}")));
        let output = self.inside(0, &docker).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// The names of the changes of `swarm up`, for each machine.
    #[track_caller]
    fn changes(&self, args: &[&str]) -> Vec<Vec<String>> {
        let words = [&["swarm", "up", "--json"], args].concat();
        let told = self.json(&words);
        let texts = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
        told["nodes"].as_array().unwrap().iter().map(|node| texts(&node["changes"])).collect()
    }

    /// Drops the packets of `m3` to the managers' ports of `m1` and `m2`. Docker joins by any manager.
    fn close_port(&self) {
        let rules = "table inet closed {\nchain input {\ntype filter hook input priority 0\nip saddr 10.213.0.3 tcp dport 2377 drop\n}\n}\n";
        fs::write(self.home.path().join("rules"), rules).unwrap();
        let mut nft = Command::new("nft");
        nft.arg("-f").arg(self.home.path().join("rules"));
        for n in [1, 2] {
            assert!(self.inside(n, &nft).status().unwrap().success());
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        (1..=3).for_each(|n| self.stop(n));
        for n in 0..=3 {
            let _ = Command::new("ip").args(["netns", "delete", &format!("{}-{n}", self.network)]).status();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_fleets_hosts_form_a_swarm() {
    if !can_run() {
        return;
    }
    let mut hosts = Hosts::new();
    let is_whole = std::env::var_os("HOSTSEED_REQUIRE_ALL").is_some();

    // Another fleet has `m3` in its swarm: nothing is changed.
    let other = "fleet: other\nclient: shared\nmachines:\n  m3: {address: 10.213.0.3, swarm: manager}\n";
    fs::write(hosts.home.path().join("other.yaml"), other).unwrap();
    assert_eq!(hosts.changes(&["other.yaml"]), [["init", "label"]]);
    let said = hosts.fails(&["swarm", "up", "fleet.yaml"]);
    assert!(is_printed(&said, "error[swarm-other] `m3`") && said.contains("nothing was changed"), "{said}");
    // A swarm with autolock is locked when Docker starts again.
    hosts.docker(3, &["swarm", "update", "--autolock"]);
    let key = hosts.data(3).join("swarm/certificates/swarm-node.key");
    let end = Instant::now() + Duration::from_secs(10);
    while !fs::read_to_string(&key).unwrap().contains("ENCRYPTED") {
        assert!(Instant::now() < end, "Docker does not encrypt {}", key.display());
        thread::sleep(Duration::from_millis(20));
    }
    hosts.stop(3);
    hosts.start(3, &[]);
    hosts.listens(3);
    let said = hosts.fails(&["swarm", "up", "other.yaml"]);
    assert!(is_printed(&said, "error[swarm-unfit] `m3` has a locked swarm"), "{said}");
    // Docker would not join a swarm with this option.
    hosts.replace(3, &["--live-restore"]);
    let said = hosts.fails(&["swarm", "up", "fleet.yaml"]);
    assert!(is_printed(&said, "error[swarm-live-restore] `m3`"), "{said}");
    hosts.replace(3, &[]);

    let said = hosts.fails(&["swarm", "status", "fleet.yaml"]);
    assert!(is_printed(&said, "error[swarm-differs] `m1` is in no swarm"), "{said}");
    let planned = [&["init", "label"][..], &["join-worker", "label"], &["join-worker", "label"]];
    assert_eq!(hosts.changes(&["fleet.yaml", "--dry-run"]), planned);
    // Docker refuses this interface.
    let wrong = "fleet: test\nclient: shared\nmachines:\n  m1: {address: 10.213.0.1, swarm: {role: manager, advertise: nosuch0}}\n";
    fs::write(hosts.home.path().join("wrong.yaml"), wrong).unwrap();
    let said = hosts.fails(&["swarm", "up", "wrong.yaml"]);
    assert!(is_printed(&said, "error[swarm-refused] `m1`"), "{said}");

    // A run that is killed after its first step, and one that goes on.
    let mut run = hosts.client(&["swarm", "up", "fleet.yaml"]).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = { lines }.find(|line| line.contains("made the swarm"));
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(first.is_some());
    let changes = hosts.changes(&["fleet.yaml"]);
    assert!(!changes[0].iter().any(|change| change == "init"), "{changes:?}");
    assert!(hosts.changes(&["fleet.yaml"]).iter().all(Vec::is_empty));
    let said = hosts.ok(&["swarm", "up", "fleet.yaml"]);
    assert_eq!(said, "the swarm is as the file says: 3 nodes, nothing to change\n");
    let status = hosts.json(&["swarm", "status", "fleet.yaml", "--json"]);
    let roles: Vec<_> = status["nodes"].as_array().unwrap().iter().map(|node| &node["role"]).collect();
    assert_eq!(roles, ["manager", "worker", "worker"]);
    assert_eq!(status["nodes"][0]["leader"], true);

    // A role and a label that change.
    hosts.write("fleet.yaml", "{role: manager, labels: {zone: b}}", "manager");
    assert_eq!(hosts.changes(&["fleet.yaml"]), [&[][..], &["promote", "label"], &["promote"]]);
    assert!(hosts.changes(&["fleet.yaml"]).iter().all(Vec::is_empty));
    // A node that is not in the file, and then two managers.
    hosts.write("fewer.yaml", "manager", "none");
    let output = hosts.run(&["swarm", "up", "fewer.yaml"]);
    let said = text(&output.stderr);
    assert!(output.status.success() && is_printed(&said, "warning[swarm-unlisted]"), "{said}");
    assert!(is_printed(&said, "warning[swarm-even-managers]"), "{said}");

    // A host that is down: known at once by this computer, and after a while by the swarm.
    hosts.stop(3);
    let said = hosts.fails(&["swarm", "status", "fleet.yaml"]);
    assert!(is_printed(&said, "error[connection-refused] `m3`"), "{said}");
    let said = hosts.fails(&["swarm", "up", "fleet.yaml"]);
    assert!(said.contains("nothing was changed"), "{said}");
    if !is_whole {
        return;
    }
    let end = Instant::now() + Duration::from_secs(60);
    while !hosts.fails(&["swarm", "status", "fleet.yaml"]).contains("`m3` is down") {
        assert!(Instant::now() < end, "the swarm does not notice that m3 is down");
        thread::sleep(Duration::from_millis(500));
    }
    // A port that is closed between the nodes: the join does not end.
    hosts.replace(3, &[]);
    hosts.write("fleet.yaml", "manager", "worker");
    hosts.close_port();
    let said = hosts.fails(&["swarm", "up", "fleet.yaml"]);
    assert!(is_printed(&said, "error[swarm-join] `m3`") && said.contains("2377"), "{said}");
    // Docker may go on with the join, or have given it up.
    let said = hosts.fails(&["swarm", "up", "fleet.yaml"]);
    let is_told = |code: &str| is_printed(&said, &format!("error[{code}] `m3`"));
    assert!(is_told("swarm-unfit") || is_told("swarm-join"), "{said}");
}
