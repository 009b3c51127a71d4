//! A running host puts new files in place and proves that Docker answers with them, or puts the old ones back. The script is tested with
//! each shell, with each fault of a set, and killed between any two steps.
//!
//! The script runs in separate namespaces, with folders of the test as the host's. A stub of systemctl starts `openssl s_server` in Docker's
//! place, with the files of `/etc/docker`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hostseed::artifact::Artifact;
use hostseed::names::MachineName;
use hostseed::pki::Certificate;
use hostseed::render::{HostSet, NewFiles, host_set};

use crate::kill;
use crate::support::extent::{is_full, stride};
use crate::support::{Home, mode, need, need_root, run};

/// `ROOT COMMAND…`: runs the command with the folders below ROOT as the host's, with its own processes and network. The command cannot change
/// other files.
const SANDBOX: &str = r#"
set -eu
root=$1
shift
mount --make-rprivate /
mount -t proc proc /proc
mount -t overlay -o "lowerdir=$root/etc:/etc" none /etc
mount --bind "$root/etc/docker" /etc/docker
mount --bind "$root/etc/systemd/system" /etc/systemd/system
mount --bind "$root/usr-local" /usr/local
mount --bind "$root/run" /run
mount --bind "$root/var" /var
ip link set lo up
exec "$@"
"#;
/// A stub of systemctl that records each call. Docker does not start with `unknown-flag` in its drop-in, and answers with no TLS with
/// `no-tls`. `/var/stopping` is there while the host shuts down.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "systemctl $*" >>/var/calls
case $* in
    'restart docker.service')
        [ ! -e /run/docker.pid ] || kill -KILL "$(cat /run/docker.pid)" 2>/dev/null
        rm -f /run/docker.pid
        # The old process keeps the port for a moment. Nothing else listens in this network.
        while ss -Hltn | grep -q .; do sleep; done
        drop_in=/etc/systemd/system/docker.service.d/10-machine.conf
        ! grep -q unknown-flag $drop_in || exit 1
        port=$(sed -n 's|.*tcp://[^ ]*:\([0-9]*\).*|\1|p' $drop_in)
        ! grep -q no-tls $drop_in || port=9
        openssl s_server -accept "$port" -www -cert /etc/docker/server.pem -cert_chain /etc/docker/server.pem \
            -key /etc/docker/server-key.pem </dev/null >/dev/null 2>&1 &
        echo $! >/run/docker.pid
        while kill -0 $! 2>/dev/null; do
            ! ss -Hltn "sport = :$port" | grep -q . || exit 0
            sleep
        done
        exit 1
        ;;
    'is-active docker.service') kill -0 "$(cat /run/docker.pid)" ;;
    daemon-reload) [ ! -e /var/kill ] || kill -KILL "$PPID" ;;
    is-system-running) if [ -e /var/stopping ]; then echo stopping; else echo running; fi ;;
esac
"#;
const JOURNALCTL: &str =
    "#!/bin/sh\necho 'Status: unknown flag: --unknown-flag'\necho \"See 'dockerd --help'., Code: 125\"\n";
/// A second of the script's, in which nothing happens.
const SLEEP: &str = "#!/bin/sh\nexec /usr/bin/sleep 0.02\n";
const APPLY: &str = "/etc/docker/hostseed.next/apply";
const DROP_IN: &str = "etc/systemd/system/docker.service.d/10-machine.conf";

/// A host that has the files of `old`, and `new`, another machine of the same CA.
struct Host {
    home: Home,
    shell: Vec<&'static str>,
}

fn can_run() -> bool {
    need_root() && ["unshare", "ip", "ss", "openssl", "bash"].iter().all(|program| need(program))
}

impl Host {
    fn new() -> Self {
        let host = Self { home: Home::new(), shell: vec!["sh"] };
        for name in ["old", "new"] {
            host.home.ok(&["create", name, "--ca", "shared", "--quiet", "--address", "203.0.113.7"]);
        }
        host.home.ok(&["create", "other", "--quiet", "--address", "203.0.113.7"]);
        for dir in [
            "etc/docker",
            "etc/systemd/system/docker.service.d",
            "usr-local/sbin",
            "run",
            "var/tmp",
            "var/log",
        ] {
            fs::create_dir_all(host.root().join(dir)).unwrap();
        }
        for (name, text) in
            [("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL), ("sleep", SLEEP), ("sync", "#!/bin/sh\n")]
        {
            host.put(&format!("usr-local/sbin/{name}"), text, 0o755);
        }
        for file in ["ca.pem", "server.pem", "server-key.pem"] {
            host.put(
                &format!("etc/docker/{file}"),
                &host.file("old", file),
                if file == "server-key.pem" { 0o600 } else { 0o644 },
            );
        }
        host.put(DROP_IN, &drop_in("--label role=old"), 0o644);
        host
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("host")
    }

    fn put(&self, path: &str, text: &str, mode: u32) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A file of a machine of the store.
    fn file(&self, machine: &str, file: &str) -> String {
        fs::read_to_string(self.home.machine(machine).join(file)).unwrap()
    }

    /// The set with these files, and the client certificate of `client`.
    fn set(&self, files: &[Artifact], removed: &[&str], client: &str) -> HostSet {
        let machine = MachineName::parse("web1").unwrap();
        let client = Certificate::chain_from_pem(&self.file(client, "cert.pem")).unwrap();
        host_set(&NewFiles { machine: &machine, port: 2376, files, removed, client: &client }).unwrap()
    }

    /// The files of a machine, with this drop-in.
    fn files(&self, certificate: &str, key: &str, drop_in_has: &str) -> Vec<Artifact> {
        vec![
            Artifact::public("etc/docker/ca.pem", self.file("new", "ca.pem").into_bytes()),
            Artifact::public("etc/docker/server.pem", self.file(certificate, "server.pem").into_bytes()),
            Artifact::private("etc/docker/server-key.pem", self.file(key, "server-key.pem").into_bytes()),
            Artifact::public(DROP_IN, drop_in(drop_in_has).into_bytes()),
        ]
    }

    /// The set that succeeds.
    fn good(&self) -> HostSet {
        self.set(&self.files("new", "new", "--label role=new"), &[], "new")
    }

    /// Puts a set where a client uploads it.
    fn stage(&self, set: &HostSet) {
        for file in set.files.iter().chain([&set.ready]) {
            self.put(&format!("etc/docker/{}", file.path), &String::from_utf8_lossy(&file.bytes), file.mode);
        }
    }

    fn inside(&self, command: &[&str]) -> Command {
        let mut inside = Command::new("unshare");
        inside.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", SANDBOX, "sandbox"]);
        inside.arg(self.root()).args(command).stdin(Stdio::null());
        inside
    }

    /// Starts Docker with the files that are there, runs the script, and returns the fingerprint that Docker then presents.
    fn run(&self) -> Output {
        const THEN: &str = r#"
            PATH=/usr/local/sbin:$PATH
            systemctl restart docker.service
            "$@" || echo "status $?"
            openssl s_client -connect 127.0.0.1:2376 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 2>/dev/null || :
        "#;
        let shell = self.shell.iter().copied();
        let words: Vec<&str> = ["sh", "-c", THEN, "run"].into_iter().chain(shell).chain([APPLY]).collect();
        self.inside(&words).output().unwrap()
    }

    /// Applies a set, and returns its state and the reason.
    #[track_caller]
    fn applies(&self, set: &HostSet) -> (String, String) {
        self.stage(set);
        let output = self.run();
        let verdict = self.verdict(set).unwrap_or_else(|| panic!("no verdict: {output:?}{}", self.log()));
        let presented = String::from_utf8_lossy(&output.stdout).into_owned();
        // Docker answers with what is in place, whatever it is.
        assert_eq!(presented.trim(), self.fingerprint(), "{verdict:?}{}", self.log());
        assert_eq!(self.leftovers(), Vec::<String>::new());
        verdict
    }

    fn verdict(&self, set: &HostSet) -> Option<(String, String)> {
        let path = self.root().join("etc/docker/hostseed.result");
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).ok()?).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(json["set"], set.id.as_str());
        let text = |key: &str| json[key].as_str().unwrap().to_owned();
        Some((text("state"), text("reason")))
    }

    fn fingerprint(&self) -> String {
        let path = self.root().join("etc/docker/server.pem");
        let arguments = ["x509", "-noout", "-fingerprint", "-sha256", "-in"];
        String::from_utf8(run(Command::new("openssl").args(arguments).arg(path)).stdout)
            .unwrap()
            .trim()
            .to_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root().join("var/log/hostseed.log")).unwrap_or_default()
    }

    /// The files that a change can touch, with their modes.
    fn shape(&self) -> BTreeMap<String, (u32, String)> {
        let mut shape = BTreeMap::new();
        for dir in ["etc/docker", "etc/systemd/system"] {
            for file in crate::support::files_below(&self.root().join(dir)) {
                let path = self.root().join(dir).join(&file);
                let text = fs::read_to_string(&path).unwrap_or_default();
                shape.insert(format!("{dir}/{}", file.display()), (mode(&path), text));
            }
        }
        shape
    }

    /// The files without those of the script's own.
    fn in_place(&self) -> BTreeMap<String, (u32, String)> {
        let mut shape = self.shape();
        shape.retain(|path, _| !path.contains("hostseed."));
        shape
    }

    /// Files of the script's own that stay.
    fn leftovers(&self) -> Vec<String> {
        let shape = self.shape().into_keys();
        shape
            .filter(|path| {
                (path.contains("hostseed.") && !path.ends_with(".result")) || path.ends_with(".new")
            })
            .collect()
    }

    /// Copies everything, to return to it.
    fn save(&self) -> PathBuf {
        let saved = self.home.path().join("saved");
        copy(&self.root(), &saved);
        saved
    }
}

fn copy(from: &Path, to: &Path) {
    fs::remove_dir_all(to).ok();
    run(Command::new("cp").arg("-a").args([from, to]));
}

fn drop_in(flag: &str) -> String {
    format!(
        "[Service]\nExecStart=\nExecStart=dockerd \\\n    -H fd:// \\\n    -H tcp://0.0.0.0:2376 \\\n    {flag}\n"
    )
}

#[test]
fn a_host_puts_new_files_in_place_under_each_shell() {
    if !can_run() {
        return;
    }
    let shells: [(&str, &[&str]); 3] =
        [("dash", &["dash"]), ("busybox", &["busybox", "sh"]), ("bash", &["bash", "--posix"])];
    let mut host = Host::new();
    let saved = host.save();
    for (program, shell) in shells {
        if !need(program) {
            continue;
        }
        copy(&saved, &host.root());
        host.shell = shell.to_vec();
        let set = host.good();
        assert_eq!(host.applies(&set), ("applied".into(), String::new()), "{program}: {}", host.log());
        let put = host.in_place();
        for file in host.files("new", "new", "--label role=new") {
            let wanted = (file.mode, String::from_utf8(file.bytes.to_vec()).unwrap());
            assert_eq!(put[&file.path], wanted, "{program}: {}", file.path);
        }
        let calls = fs::read_to_string(host.root().join("var/calls")).unwrap();
        let calls: Vec<_> = calls.lines().skip(1).collect();
        assert_eq!(
            calls[..3],
            [
                "systemctl daemon-reload",
                "systemctl reset-failed docker.service docker.socket",
                "systemctl restart docker.service"
            ]
        );
        assert!(!host.log().contains("PRIVATE KEY"));
    }
}

#[test]
fn shellcheck_accepts_the_scripts_of_a_set() {
    if !need("shellcheck") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    let machine = MachineName::parse("web1").unwrap();
    let client = fs::read_to_string(home.machine("web1").join("cert.pem")).unwrap();
    let client = Certificate::chain_from_pem(&client).unwrap();
    let files = [Artifact::public("etc/docker/ca.pem", "new")];
    let removed = &["/etc/docker/issuer.pem"][..];
    let set = host_set(&NewFiles { machine: &machine, port: 2376, files: &files, removed, client: &client })
        .unwrap();
    for list in [&set.files, &set.withdrawal] {
        let script = list.iter().find(|file| file.path.ends_with("/apply")).unwrap();
        let path = home.path().join("apply");
        fs::write(&path, script.bytes.expose()).unwrap();
        run(Command::new("shellcheck").args(["-s", "sh"]).arg(&path));
    }
}

#[test]
fn a_set_with_a_fault_changes_nothing() {
    if !can_run() {
        return;
    }
    let host = Host::new();
    let before = host.in_place();
    let files = host.files("new", "new", "");
    let foreign_ca = |files: &[Artifact]| {
        let mut files = files.to_vec();
        files[0] = Artifact::public("etc/docker/ca.pem", host.file("other", "ca.pem").into_bytes());
        files
    };
    let ca = |file: &str| host.home.store().join("certs").join(file);
    let expired = |begin: &str| {
        let server = host.home.machine("new").join("server.pem");
        let request = host.home.path().join("request");
        run(Command::new("openssl")
            .args(["x509", "-x509toreq", "-copy_extensions", "copy", "-in"])
            .arg(&server)
            .arg("-signkey")
            .arg(host.home.machine("new").join("server-key.pem"))
            .arg("-out")
            .arg(&request));
        let arguments = ["openssl", "x509", "-req", "-copy_extensions", "copy", "-days", "30", "-in"];
        let signed = run(Command::new("faketime")
            .args(["-f", begin])
            .args(arguments)
            .arg(&request)
            .arg("-CA")
            .arg(ca("ca.pem"))
            .arg("-CAkey")
            .arg(ca("ca-key.pem")));
        let mut files = files.clone();
        files[1] = Artifact::public("etc/docker/server.pem", signed.stdout);
        files
    };
    let mut damaged = host.set(&files, &[], "new");
    damaged.files[0].bytes = b"-----BEGIN CERT".to_vec().into();
    let mut incomplete = host.set(&files, &[], "new");
    incomplete.files.remove(1);
    let mut cases = vec![
        (host.set(&host.files("new", "old", ""), &[], "new"), "server-key.pem is not the key of server.pem"),
        (
            host.set(&host.files("other", "other", ""), &[], "new"),
            "server.pem cannot be used: unable to get local issuer certificate",
        ),
        (
            host.set(&foreign_ca(&files), &[], "other"),
            "server.pem cannot be used: unable to get local issuer certificate",
        ),
        (
            host.set(&files, &[], "other"),
            "ca.pem does not accept the client certificate: unable to get local issuer certificate",
        ),
        (damaged, "a file of the set is missing or damaged"),
        (incomplete, "a file of the set is missing or damaged"),
    ];
    if need("faketime") {
        cases.push((
            host.set(&expired("-90d"), &[], "new"),
            "server.pem cannot be used: certificate has expired",
        ));
        cases.push((
            host.set(&expired("+2d"), &[], "new"),
            "server.pem cannot be used: certificate is not yet valid",
        ));
    }
    for (set, why) in cases {
        fs::remove_file(host.root().join("var/calls")).ok();
        assert_eq!(host.applies(&set), ("refused".into(), why.into()));
        assert!(host.in_place() == before, "{why}: something was changed");
        let calls = fs::read_to_string(host.root().join("var/calls")).unwrap();
        assert_eq!(calls.matches("restart docker").count(), 1, "{why}: docker was restarted: {calls}");
    }
}

#[test]
fn a_docker_that_does_not_answer_with_the_new_files_gets_the_old_ones_back() {
    if !can_run() {
        return;
    }
    let host = Host::new();
    let before = host.in_place();
    for (flag, why) in [
        ("--unknown-flag", "docker does not start: unknown flag: --unknown-flag"),
        ("--no-tls", "nothing listens on port 2376"),
    ] {
        let mut files = host.files("new", "new", flag);
        files.push(Artifact::public("etc/docker/absent.pem", "new"));
        let set = host.set(&files, &[], "new");
        let set = if flag == "--no-tls" { with_limit(set, 4) } else { set };
        assert_eq!(host.applies(&set), ("rolled-back".into(), why.into()), "{}", host.log());
        assert!(host.in_place() == before, "{why}: the old files are not back: {:?}", host.in_place().keys());
    }
    // A file that is removed comes back, too.
    let mut files = host.files("new", "new", "--unknown-flag");
    files.retain(|file| !file.path.ends_with("ca.pem"));
    host.put("etc/docker/issuer.pem", "old", 0o644);
    let before = host.in_place();
    let set = host.set(&files, &["/etc/docker/issuer.pem"], "new");
    assert_eq!(host.applies(&set).0, "rolled-back");
    assert!(host.in_place() == before);
    // And is gone if all is well.
    let set = host.set(&host.files("new", "new", ""), &["/etc/docker/issuer.pem"], "new");
    assert_eq!(host.applies(&set).0, "applied");
    assert!(!host.in_place().contains_key("etc/docker/issuer.pem"));
}

/// Shortens the wait for Docker to some seconds.
fn with_limit(mut set: HostSet, seconds: u32) -> HostSet {
    let script = set.files.iter_mut().find(|file| file.path.ends_with("/apply")).unwrap();
    let text = String::from_utf8(script.bytes.to_vec()).unwrap();
    assert!(text.contains("\nlimit=120\n"));
    script.bytes = text.replace("\nlimit=120\n", &format!("\nlimit={seconds}\n")).into_bytes().into();
    set
}

#[test]
fn the_drop_in_keeps_what_setup_has_chosen_on_this_host() {
    if !can_run() {
        return;
    }
    let host = Host::new();
    let unix = |text: &str| text.replace("-H fd:// ", "-H unix:///var/run/docker.sock ");
    host.put(DROP_IN, &unix(&drop_in("")), 0o644);
    let set = host.set(&host.files("new", "new", "--label role=new"), &[], "new");
    assert_eq!(host.applies(&set).0, "applied");
    assert_eq!(host.in_place()[DROP_IN].1, unix(&drop_in("--label role=new")));
}

#[test]
fn a_host_that_shuts_down_leaves_the_rest_to_the_next_boot() {
    if !can_run() {
        return;
    }
    let host = Host::new();
    let set = host.set(&host.files("new", "new", "--unknown-flag"), &[], "new");
    host.stage(&set);
    host.put("var/stopping", "", 0o644);
    let output = host.run();
    assert!(String::from_utf8_lossy(&output.stdout).contains("status 1"), "{output:?}");
    assert_eq!(host.verdict(&set).unwrap().0, "working", "{}", host.log());
    assert!(host.root().join("etc/docker/hostseed.next/ready").exists());
    fs::remove_file(host.root().join("var/stopping")).unwrap();
    host.run();
    assert_eq!(host.verdict(&set).unwrap().0, "rolled-back", "{}", host.log());
    assert_eq!(host.leftovers(), Vec::<String>::new());
}

#[test]
fn a_set_of_another_time_does_not_hide_the_files_that_were_proved() {
    if !can_run() {
        return;
    }
    let host = Host::new();
    let before = host.in_place();
    // Somebody has removed the set of an interrupted change, which has put a drop-in in place.
    let first = host.set(&host.files("new", "new", "--unknown-flag"), &[], "new");
    host.stage(&first);
    host.put("var/kill", "", 0o644);
    host.run();
    fs::remove_file(host.root().join("var/kill")).unwrap();
    fs::remove_dir_all(host.root().join("etc/docker/hostseed.next")).unwrap();
    assert!(host.in_place() != before);
    let mut files = host.files("new", "old", "");
    files.truncate(3);
    let second = host.set(&files, &[], "new");
    assert_eq!(host.applies(&second).0, "refused");
    assert!(host.in_place() == before, "{}", host.log());
}

/// Runs the script with bash, and kills it and all its child processes after `steps` commands. Returns whether it was killed.
fn killed_after(host: &Host, steps: usize) -> bool {
    const BOOT: &str =
        r#"PATH=/usr/local/sbin:$PATH; systemctl restart docker.service </dev/null; exec "$@""#;
    let mut command = host.inside(&["sh", "-c", BOOT, "boot", "bash", "-c", kill::COUNTED, APPLY]);
    command.stderr(Stdio::null());
    kill::killed_after(command, steps, || host.log())
}

/// A host with a set, for a kill.
struct Staged {
    host: Host,
    set: HostSet,
    saved: PathBuf,
    old: BTreeMap<String, (u32, String)>,
    new: BTreeMap<String, (u32, String)>,
}

/// Kills the script between any two steps, and boots the host again. `state` is the verdict of a set with this in its drop-in.
fn killed_between_any_two_steps(drop_in_has: &str, state: &str) {
    let begin = || {
        let host = Host::new();
        let old = host.in_place();
        let set = host.set(&host.files("new", "new", drop_in_has), &[], "new");
        host.stage(&set);
        let saved = host.save();
        // The last step leaves this.
        assert!(!killed_after(&host, 100_000));
        let new = host.in_place();
        Staged { host, set, saved, old, new }
    };
    let attempt = |staged: &Staged, steps: usize, is_new: &dyn Fn(_) -> bool| {
        let Staged { host, set, saved, old, new } = staged;
        copy(saved, &host.root());
        if !killed_after(host, steps) {
            return None;
        }
        if !is_new(host.shape()) {
            return Some(Vec::new());
        }
        let mut presented = String::new();
        if host.root().join("etc/docker/hostseed.next/ready").exists() {
            presented = String::from_utf8_lossy(&host.run().stdout).trim().to_owned();
        }
        let left = host.leftovers();
        let ended = if state == "applied" { new } else { old };
        let problem = if host.verdict(set).is_none_or(|verdict| verdict.0 != state) {
            "no verdict".to_owned()
        } else if host.in_place() != *ended {
            "the files are neither the old nor the new ones".to_owned()
        } else if !presented.is_empty() && presented != host.fingerprint() {
            format!("docker does not answer with them, but with `{presented}`")
        } else if left.iter().any(|path| !path.contains("hostseed.done/")) {
            "something is left".to_owned()
        } else {
            return Some(Vec::new());
        };
        Some(vec![format!("{problem}: {left:?}{}", host.log())])
    };
    let workers = if is_full() { 4 } else { 1 };
    let (steps, states) = kill::between_any_two_steps((workers, stride(97)), begin, attempt);
    assert!(
        steps > 150 && states > if is_full() { 12 } else { 1 },
        "{steps} steps, {states} states: they are not counted"
    );
}

#[test]
fn a_killed_change_is_finished_by_the_next_run() {
    if can_run() {
        killed_between_any_two_steps("--label role=new", "applied");
    }
}

#[test]
fn a_killed_return_to_the_old_files_is_finished_by_the_next_run() {
    if can_run() {
        killed_between_any_two_steps("--unknown-flag", "rolled-back");
    }
}

/// The steps of `renew --authority --apply`, from the machine `old` to `other`, whose CA has the same kind of name.
#[test]
fn a_host_trusts_two_cas_while_its_ca_is_replaced() {
    if !can_run() {
        return;
    }
    let host = Host::new();
    let both = host.file("other", "ca.pem") + &host.file("old", "ca.pem");
    let set = |ca: &str, server: &str, client: &str| {
        let mut files = host.files(server, server, "--label role=old");
        let file = files.iter_mut().find(|file| file.path == "etc/docker/ca.pem").unwrap();
        *file = Artifact::public("etc/docker/ca.pem", ca);
        host.set(&files, &[], client)
    };
    let applied = |set: &HostSet| host.applies(set).0;
    // Without the old CA the host's own certificate leads nowhere, and without the new one the client's does.
    assert_eq!(applied(&set(&host.file("other", "ca.pem"), "old", "other")), "refused");
    assert_eq!(applied(&set(&host.file("old", "ca.pem"), "old", "other")), "refused");
    assert_eq!(applied(&set(&both, "old", "other")), "applied", "{}", host.log());
    assert_eq!(applied(&set(&both, "other", "other")), "applied", "{}", host.log());
    assert_eq!(applied(&set(&host.file("other", "ca.pem"), "other", "other")), "applied", "{}", host.log());
    assert_eq!(
        fs::read_to_string(host.root().join("etc/docker/ca.pem")).unwrap(),
        host.file("other", "ca.pem")
    );
}
