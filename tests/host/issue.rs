//! A host with a boot issuer makes its own certificate. The script is tested with each shell, at other times, and killed
//! between any two steps.
//!
//! The script runs in separate namespaces: its `/etc/docker`, `/usr/local`, `/run` and `/var` are folders of the test,
//! and it has its own network and host name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use time::{Duration, OffsetDateTime};

use crate::kill;
use crate::support::extent::{is_full, sample, stride};
use crate::support::openssl::*;
use crate::support::rustls::judge_server;
use crate::support::seed::on_the_host;
use crate::support::{Home, mode, need, need_root, run};

/// Commands that restart dockerd. The first one is needed because systemd's limit for starts of Docker's unit counts
/// hostseed's restarts too.
const RESTART: [&str; 2] =
    ["systemctl reset-failed docker.service docker.socket", "systemctl --no-block restart docker.service"];
/// `ROOT COMMAND…`: runs the command with the folders below ROOT as the host's. The command cannot change other files.
const SANDBOX: &str = r#"
set -eu
root=$1
shift
mount --make-rprivate /
mount -t overlay -o "lowerdir=$root/etc:/etc" none /etc
mount --bind "$root/etc/docker" /etc/docker
mount --bind "$root/usr-local" /usr/local
mount --bind "$root/run" /run
mount --bind "$root/var" /var
printf %s "$HOST_NAME" >/proc/sys/kernel/hostname
ip -batch - <<END
link set lo up
link add eth0 type veth peer name peer0
link set peer0 up
link set eth0 up
address add 10.0.0.5/24 dev eth0
address add 2001:db8::5/64 dev eth0 nodad
END
eval "$PREPARE"
exec "$@"
"#;
/// A stub of systemctl that records each call. `/run/docker` contains Docker's state: whether it is active, and whether
/// it is enabled.
const SYSTEMCTL: &str = r#"#!/bin/sh
read -r active enabled </run/docker
case $1 in
    is-active) echo "$active" && [ "$active" = active ] ;;
    is-enabled) [ "$enabled" = enabled ] ;;
    *) echo "systemctl $*" >>/var/calls ;;
esac
"#;
const SYSTEMD_RUN: &str = "#!/bin/sh\necho \"systemd-run $*\" >>/var/calls\n";
const ISSUE: &str = "/usr/local/lib/hostseed/issue";
/// The names in every certificate, unless a test changes something.
const USUAL_NAMES: [&str; 6] = ["10.0.0.5", "127.0.0.1", "2001:db8::5", "host1", "localhost", "web1"];
const ONE_MORE_ADDRESS: &str = "ip address add 10.0.0.6/24 dev eth0";

/// A host that has the seed of `web1`.
struct Host {
    home: Home,
    shell: Vec<&'static str>,
    host_name: String,
    /// A shell script that runs in the host before the issuing script.
    prepare: String,
    /// The host's clock as an argument of `faketime`, relative to now.
    at: Option<&'static str>,
}

fn can_run() -> bool {
    need_root() && ["unshare", "ip", "openssl", "bash"].iter().all(|program| need(program))
}

impl Host {
    fn new(options: &[&str]) -> Self {
        let host = Self {
            home: Home::new(),
            shell: vec!["sh"],
            host_name: "host1".into(),
            prepare: String::new(),
            at: None,
        };
        for dir in
            ["etc/docker", "usr-local/sbin", "usr-local/lib/hostseed", "run/hostseed", "run/cloud-init"]
        {
            fs::create_dir_all(host.root().join(dir)).unwrap();
        }
        for dir in ["var/log", "var/tmp", "var/lib/hostseed"] {
            fs::create_dir_all(host.root().join(dir)).unwrap();
        }
        // A separate resolver without a name server, which could cause delays.
        for (file, text) in [
            ("etc/hosts", "127.0.0.1 localhost\n"),
            ("etc/nsswitch.conf", "hosts: files\n"),
            ("etc/resolv.conf", ""),
            ("run/docker", "inactive enabled\n"),
            ("var/calls", ""),
        ] {
            fs::write(host.root().join(file), text).unwrap();
        }
        host.put_program("systemctl", SYSTEMCTL);
        host.put_program("systemd-run", SYSTEMD_RUN);
        host.apply_seed(options);
        host
    }

    /// Creates a machine and copies its certificates and script to the host, as `setup` does.
    fn apply_seed(&self, options: &[&str]) {
        self.home.run(&["rm", "-y", "web1"]);
        self.home.ok(&[&["create", "web1", "--quiet"], options].concat());
        let files = on_the_host(self.home.ok(&["render", "web1"]).as_bytes());
        for (path, mode, bytes) in &files {
            if path.starts_with("etc/docker/") {
                self.put(&self.root().join(path), bytes, *mode);
            }
            if path == "usr/local/lib/hostseed/settings" {
                self.put(&self.root().join("usr-local/lib/hostseed/settings"), bytes, *mode);
            }
        }
        let (_, _, setup) = files.iter().find(|(path, ..)| path.ends_with("/setup")).unwrap();
        let setup = String::from_utf8(setup.clone()).unwrap();
        let begin = format!("attach '{ISSUE}' '0755' <<'END OF issue'\n");
        let script = setup.split_once(&begin).unwrap().1.split_once("END OF issue\n").unwrap().0;
        self.put(&self.root().join("usr-local/lib/hostseed/issue"), script.as_bytes(), 0o755);
    }

    fn put(&self, path: &Path, bytes: &[u8], mode: u32) {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn put_program(&self, name: &str, text: &str) {
        self.put(&self.root().join("usr-local/sbin").join(name), text.as_bytes(), 0o755);
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("host")
    }

    fn docker_dir(&self) -> PathBuf {
        self.root().join("etc/docker")
    }

    fn state(&self, file: &str) -> PathBuf {
        self.root().join("var/lib/hostseed").join(file)
    }

    fn certificate(&self) -> PathBuf {
        self.docker_dir().join("server.pem")
    }

    fn key(&self) -> PathBuf {
        self.docker_dir().join("server-key.pem")
    }

    fn pair(&self) -> [Vec<u8>; 2] {
        [self.certificate(), self.key()].map(|file| fs::read(file).unwrap())
    }

    fn is_waiting_for_restart(&self) -> bool {
        self.state("restart-docker").exists()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root().join("var/log/hostseed.log")).unwrap()
    }

    /// Sets Docker's state, for example `active enabled`.
    fn docker_is(&self, state: &str) {
        fs::write(self.root().join("run/docker"), format!("{state}\n")).unwrap();
    }

    /// Returns the calls of systemctl since the last call of this function.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.root().join("var/calls")).unwrap();
        fs::write(self.root().join("var/calls"), "").unwrap();
        calls.lines().map(str::to_owned).collect()
    }

    fn inside(&self, command: &[&str]) -> Command {
        let mut inside = Command::new("unshare");
        inside.args(["--mount", "--net", "--uts", "sh", "-c", SANDBOX, "sandbox"]).arg(self.root());
        if let Some(at) = self.at {
            inside.args(["faketime", "-f", at]);
        }
        inside.args(command).env("TMPDIR", "/var/tmp").env("HOST_NAME", &self.host_name);
        inside.env("PREPARE", &self.prepare).stdin(Stdio::null());
        inside
    }

    fn issue(&self, options: &[&str]) -> Command {
        self.inside(&[&self.shell, &[ISSUE][..], options].concat())
    }

    /// Runs the script, which must succeed, and returns its output on the console.
    #[track_caller]
    fn issues(&self, options: &[&str]) -> String {
        let output = self.issue(options).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}{stderr}{}", output.status, self.log());
        said
    }

    /// Runs the script, which must fail, and returns its error message. With `--no-restart` the caller is `setup`, which
    /// reads the message in the log and prints it.
    #[track_caller]
    fn fails(&self, options: &[&str]) -> String {
        let output = self.issue(options).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}{}", self.log());
        let log = self.log();
        let last = log.lines().rfind(|line| line.contains(" FAILED: "));
        let why = last.unwrap_or_else(|| panic!("nothing is told: {log}")).split_once(" FAILED: ").unwrap().1;
        assert!(
            options.contains(&"--no-restart") || said.contains(&format!("FAILED: {why}")),
            "{why}: {said}"
        );
        why.to_owned()
    }

    /// The reason why dockerd cannot start with the pair, or why its clients do not accept it.
    fn wrong_with_pair(&self) -> Option<String> {
        let (ca, certificate, key) = (self.docker_dir().join("ca.pem"), self.certificate(), self.key());
        // The client gets only the intermediates in this file.
        let output = verify(&ca, &certificate, &["-untrusted", text(&certificate), "-purpose", "sslserver"]);
        if !output.status.success() {
            return Some(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let public = Command::new("openssl").args(["pkey", "-pubout", "-in", text(&key)]).output().unwrap();
        if String::from_utf8_lossy(&public.stdout) != public_key_of_certificate(&certificate) {
            return Some("the key is not the certificate's".into());
        }
        (mode(&key) != 0o600).then(|| format!("the key has mode {:o}", mode(&key)))
    }

    #[track_caller]
    fn assert_good(&self) {
        assert_eq!(self.wrong_with_pair(), None, "{}", self.log());
        assert_eq!(self.leftovers(), Vec::<String>::new());
    }

    /// Files that must not exist after a successful run.
    fn leftovers(&self) -> Vec<String> {
        let current = fs::read_link(self.docker_dir().join("issued")).unwrap_or_default();
        let wanted = [
            "ca.pem",
            "issuer.pem",
            "issuer-key.pem",
            "server.pem",
            "server-key.pem",
            "issued",
            text(&current),
        ];
        let mut left = Vec::new();
        for dir in [self.docker_dir(), self.root().join("var/lib/hostseed"), self.root().join("run/hostseed")]
        {
            for name in names_in(&dir) {
                let is_known =
                    if dir == self.docker_dir() { wanted.contains(&&*name) } else { !name.ends_with(".new") };
                if !is_known {
                    left.push(name);
                }
            }
        }
        left
    }

    /// Runs the script, which must not change anything.
    #[track_caller]
    fn assert_leaves_all(&self, options: &[&str], why: &str) -> String {
        let before = (self.pair(), fs::read_link(self.docker_dir().join("issued")).unwrap());
        fs::remove_file(self.state("restart-docker")).ok();
        self.calls();
        let said = self.issues(options);
        let after = (self.pair(), fs::read_link(self.docker_dir().join("issued")).unwrap());
        assert!(before == after, "{why}: {said}");
        assert!(!self.is_waiting_for_restart(), "{why}: docker would be restarted");
        assert_eq!(self.calls(), Vec::<String>::new(), "{why}");
        said
    }

    /// Runs the script, which must replace the pair.
    #[track_caller]
    fn assert_renews(&self, options: &[&str], why: &str) -> String {
        let before = [self.certificate(), self.key()].map(|file| fs::read(file).unwrap_or_default());
        let said = self.issues(options);
        let after = self.pair();
        assert!(
            before[0] != after[0] && before[1] != after[1],
            "{why}: nothing was issued: {said}{}",
            self.log()
        );
        said
    }
}

fn names_in(dir: &Path) -> BTreeSet<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    fs::read_dir(dir).unwrap().map(name).collect()
}

fn sorted_sans(certificate: &Path) -> Vec<String> {
    let mut names = sans(certificate);
    names.sort();
    names
}

fn with_usual(names: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = USUAL_NAMES.iter().chain(names).map(|name| (*name).to_owned()).collect();
    all.sort();
    all
}

#[test]
fn a_host_gets_a_certificate_for_each_kind_of_key_under_each_shell() {
    if !can_run() {
        return;
    }
    let shells: [(&str, &[&str]); 3] =
        [("dash", &["dash"]), ("busybox", &["busybox", "sh"]), ("bash", &["bash", "--posix"])];
    for (n, (program, shell)) in shells.into_iter().enumerate() {
        if !need(program) {
            continue;
        }
        // Outside CI each shell and each kind of key runs once.
        let kinds = if is_full() { keys() } else { vec![keys()[n]] };
        for kind in kinds {
            let mut host = Host::new(&["--key", kind]);
            host.shell = shell.to_vec();
            let now = OffsetDateTime::now_utc();
            let said = host.issues(&["--no-restart"]);
            let case = format!("{program} {kind}");
            assert!(said.starts_with("hostseed[web1]: issued a certificate until "), "{case}: {said}");
            assert!(said.ends_with("(there was no valid one)\n"), "{case}: {said}");
            host.assert_good();

            let certificate = host.certificate();
            let usage = match kind.starts_with("rsa") {
                true => "critical Digital Signature, Key Encipherment",
                false => "critical Digital Signature",
            };
            assert_eq!(extension(&certificate, "keyUsage"), usage, "{case}");
            assert_eq!(
                extension(&certificate, "extendedKeyUsage"),
                "TLS Web Server Authentication",
                "{case}"
            );
            assert_eq!(extension(&certificate, "basicConstraints"), "critical CA:FALSE", "{case}");
            assert_eq!(field(&certificate, "-subject"), "CN=web1,O=hostseed server", "{case}");
            assert_eq!(field(&certificate, "-issuer"), "CN=web1,O=hostseed boot issuer", "{case}");
            assert!((32..=40).contains(&field(&certificate, "-serial").len()), "{case}");
            assert_close(not_before(&certificate), now - Duration::HOUR);
            assert_close(not_after(&certificate), now + Duration::days(90));
            assert_eq!(sorted_sans(&certificate), with_usual(&[]), "{case}");
            let ca = host.docker_dir().join("ca.pem");
            assert_eq!(judge_server(&ca, &certificate, &USUAL_NAMES), Ok(()), "{case}");

            let wanted = match kind {
                "p256" => "prime256v1",
                "p384" => "secp384r1",
                "ed25519" => "ED25519 Public-Key",
                "rsa2048" => "(2048 bit)",
                _ => "(4096 bit)",
            };
            let text_of = openssl(&["x509", "-noout", "-text", "-in", text(&certificate)]);
            assert!(text_of.contains(wanted), "{case}: {text_of}");
            let pem = fs::read_to_string(&certificate).unwrap();
            assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2, "{case}: {pem}");
            assert!(fs::read_to_string(host.key()).unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));

            host.assert_leaves_all(&["--no-restart"], &case);
        }
    }
}

#[test]
fn addresses_of_the_host_are_covered_and_those_of_containers_are_not() {
    if !can_run() {
        return;
    }
    let mut host = Host::new(&[]);
    host.prepare = "
        for bridge in docker0 docker_gwbridge br-0a1b2c3d4e5f virbr0 cni0; do
            ip link add $bridge type bridge
            ip link set $bridge up
        done
        ip address add 172.17.0.1/16 dev docker0
        ip -6 address add 2001:db8:d::1/64 dev docker0 nodad
        ip address add 172.18.0.1/16 dev docker_gwbridge
        ip address add 172.19.0.1/16 dev br-0a1b2c3d4e5f
        ip address add 192.168.122.1/24 dev virbr0
        ip address add 10.88.0.1/16 dev cni0
        ip link add veth1a2b3c type veth peer name peer1
        ip link set peer1 up
        ip link set veth1a2b3c up
        ip address add 172.20.0.1/16 dev veth1a2b3c
        ip link add down0 type veth peer name peer2
        ip address add 10.99.0.1/16 dev down0
        ip link add br0 type bridge
        ip link set br0 up
        ip address add 192.168.7.7/24 dev br0
        ip link add br-lan type bridge
        ip link set br-lan up
        ip address add 192.168.8.8/24 dev br-lan
        ip address add 10.0.0.9/24 dev eth0
        ip address add 10.1.1.1 peer 10.1.1.2/32 dev eth0
        ip address add 198.51.100.9/32 dev lo
        ip address add 169.254.7.7/16 dev eth0 scope link
        echo 2 >/proc/sys/net/ipv6/conf/eth0/use_tempaddr
        ip -6 address add 2001:db8:7::7/64 dev eth0 nodad mngtmpaddr valid_lft 7200 preferred_lft 3600
        ip -6 address add 2001:db8::dead/64 dev eth0 nodad valid_lft 7200 preferred_lft 0
        ip -6 address add fd00::5/64 dev eth0 nodad
        ip -o address show >/var/addresses
    "
    .into();
    host.issues(&["--no-restart"]);
    let there = fs::read_to_string(host.root().join("var/addresses")).unwrap();
    for flag in [" temporary", " deprecated"] {
        assert!(there.contains(flag), "no address is{flag}, so none can be left out: {there}");
    }
    let more =
        ["10.0.0.9", "10.1.1.1", "192.168.7.7", "192.168.8.8", "198.51.100.9", "2001:db8:7::7", "fd00::5"];
    assert_eq!(sorted_sans(&host.certificate()), with_usual(&more), "{there}");
}

#[test]
fn a_host_name_is_covered_if_it_is_a_valid_dns_name() {
    if !can_run() {
        return;
    }
    let mut host = Host::new(&[]);
    let without_name: Vec<String> = with_usual(&[]).into_iter().filter(|name| name != "host1").collect();
    let (longest, too_long) = ("a".repeat(63), "a".repeat(64));
    let cases: [(&str, bool); 13] = [
        ("host2", true),
        ("HOST3", true),
        ("host4.example.com", true),
        ("4th", true),
        (&longest, true),
        ("host_5", false),
        ("host5-", false),
        ("-host5", false),
        ("host5.", false),
        ("host..5", false),
        ("host-.example", false),
        ("host 5", false),
        (&too_long, false),
    ];
    let mut wrong = Vec::new();
    for (name, is_covered) in sample(cases.to_vec(), 3) {
        fs::remove_file(host.docker_dir().join("issued")).ok();
        host.host_name = name.into();
        host.issues(&["--no-restart"]);
        let mut wanted = without_name.clone();
        wanted.extend(is_covered.then(|| name.to_owned()));
        wanted.sort();
        let covered = sorted_sans(&host.certificate());
        if covered != wanted {
            wrong.push(format!("{name:?}: {covered:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_full_host_name_is_covered_too() {
    if !can_run() || !need("hostname") {
        return;
    }
    let host = Host::new(&[]);
    fs::write(host.root().join("etc/hosts"), "127.0.0.1 localhost\n10.0.0.5 host1.example.com host1\n")
        .unwrap();
    host.issues(&["--no-restart"]);
    assert_eq!(sorted_sans(&host.certificate()), with_usual(&["host1.example.com"]));
    // An invalid DNS name is omitted, and a name that disappears does not cause a new certificate.
    fs::write(host.root().join("etc/hosts"), "10.0.0.5 host_1.example.com host1\n").unwrap();
    host.assert_leaves_all(&["--no-restart"], "the full name is gone");
}

#[test]
fn requested_names_are_covered_on_every_host() {
    if !can_run() {
        return;
    }
    let words = ["--boot-issuer", "--address", "203.0.113.7", "--address", "docker.example.com"];
    let more = ["--address", "2001:DB8::0007", "--address", "2001:db8:0::5", "--tls-san", "*.example.org"];
    let host = Host::new(&[&words[..], &more].concat());
    host.issues(&["--no-restart"]);
    let asked = ["203.0.113.7", "docker.example.com", "2001:db8::7", "*.example.org"];
    assert_eq!(sorted_sans(&host.certificate()), with_usual(&asked));
    let dialled = ["203.0.113.7", "2001:db8::7", "docker.example.com", "any.example.org"];
    let ca = host.docker_dir().join("ca.pem");
    assert_eq!(judge_server(&ca, &host.certificate(), &dialled), Ok(()));
}

#[test]
fn a_certificate_stays_until_the_host_gets_a_new_address() {
    if !can_run() {
        return;
    }
    let mut host = Host::new(&[]);
    host.prepare = ONE_MORE_ADDRESS.into();
    host.issues(&["--no-restart"]);
    assert_eq!(sorted_sans(&host.certificate()), with_usual(&["10.0.0.6"]));
    host.docker_is("active enabled");
    host.assert_leaves_all(&["--no-restart"], "all is as before");
    host.assert_leaves_all(&[], "all is as before");
    host.prepare.clear();
    host.assert_leaves_all(&["--no-restart"], "an address is gone");
    host.prepare = format!("{ONE_MORE_ADDRESS}; ip address add 10.0.0.7/24 dev eth0");
    let said = host.assert_renews(&["--no-restart"], "an address has come");
    assert!(said.contains("lacks IP:10.0.0.7"), "{said}");
    assert_eq!(sorted_sans(&host.certificate()), with_usual(&["10.0.0.6", "10.0.0.7"]));
    host.assert_good();
    host.host_name = "host2".into();
    let said = host.assert_renews(&["--no-restart"], "the host has another name");
    assert!(said.contains("lacks DNS:host2"), "{said}");
    host.assert_good();
}

#[test]
fn an_unusable_pair_is_replaced() {
    if !can_run() {
        return;
    }
    type Damage = fn(&Host);
    let cases: [(&str, Damage); 11] = [
        ("another one's key", |host| {
            let key = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
            fs::write(host.key(), key).unwrap();
        }),
        ("an empty key", |host| fs::write(host.key(), "").unwrap()),
        ("a certificate cut short", |host| cut(&host.certificate(), 200)),
        ("an empty certificate", |host| fs::write(host.certificate(), "").unwrap()),
        ("a certificate without its issuer", |host| {
            let pem = fs::read_to_string(host.certificate()).unwrap();
            let end = pem.find("-----END CERTIFICATE-----\n").unwrap() + "-----END CERTIFICATE-----\n".len();
            cut(&host.certificate(), end);
        }),
        ("a certificate whose issuer is cut short", |host| {
            let length = fs::read(host.certificate()).unwrap().len();
            cut(&host.certificate(), length - 100);
        }),
        ("a folder that is gone", |host| {
            let folder = fs::read_link(host.docker_dir().join("issued")).unwrap();
            fs::remove_dir_all(host.docker_dir().join(folder)).unwrap();
        }),
        ("a link that is gone", |host| fs::remove_file(host.docker_dir().join("issued")).unwrap()),
        ("an issuer of another seed", |host| host.apply_seed(&[])),
        ("an issuer of another seed and kind", |host| host.apply_seed(&["--key", "ed25519"])),
        ("a pair that is no link", |host| {
            // The files of an earlier seed with a server certificate.
            let home = Home::new();
            let dir = create(&home, "web1", &[]);
            for file in ["server.pem", "server-key.pem"] {
                fs::remove_file(host.docker_dir().join(file)).unwrap();
                fs::copy(dir.join(file), host.docker_dir().join(file)).unwrap();
            }
        }),
    ];
    let mut wrong = Vec::new();
    for (case, damage) in sample(cases.to_vec(), 3) {
        let host = Host::new(&[]);
        host.issues(&["--no-restart"]);
        fs::remove_file(host.state("restart-docker")).unwrap();
        damage(&host);
        let damaged = [host.certificate(), host.key()].map(|file| fs::read(file).unwrap_or_default());
        let said = host.issues(&["--no-restart"]);
        let found = host.wrong_with_pair().or_else(|| {
            let left = host.leftovers();
            (!left.is_empty()).then(|| format!("left over: {left:?}"))
        });
        wrong.extend(found.map(|found| format!("{case}: {found}{said}")));
        if host.pair() != damaged && !host.is_waiting_for_restart() {
            wrong.push(format!("{case}: the daemon would go on with it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cut(file: &Path, length: usize) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..length]).unwrap();
}

#[test]
fn missing_links_are_restored() {
    if !can_run() {
        return;
    }
    let mut wrong = Vec::new();
    for gone in [&["server.pem"][..], &["server-key.pem"], &["server.pem", "server-key.pem"]] {
        let host = Host::new(&[]);
        host.issues(&["--no-restart"]);
        for file in gone {
            fs::remove_file(host.docker_dir().join(file)).unwrap();
        }
        host.issues(&["--no-restart"]);
        if !host.certificate().exists() || !host.key().exists() {
            wrong.push(format!("{gone:?}: {:?}", names_in(&host.docker_dir())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_new_address_is_noticed_without_the_list_of_earlier_ones() {
    if !can_run() {
        return;
    }
    let mut host = Host::new(&[]);
    host.issues(&["--no-restart"]);
    fs::remove_file(host.docker_dir().join("issued/names")).unwrap();
    host.prepare = ONE_MORE_ADDRESS.into();
    host.assert_renews(&["--no-restart"], "an address has come");
    assert_eq!(sorted_sans(&host.certificate()), with_usual(&["10.0.0.6"]));
}

#[test]
fn the_pair_in_use_is_never_written_to() {
    if !can_run() {
        return;
    }
    // Process numbers can repeat at each boot, and certificates near the issuer's expiry expire with it.
    let mut host = Host::new(&["--valid-for", "60d"]);
    host.shell = vec!["unshare", "--pid", "--fork", "sh"];
    host.issues(&["--no-restart"]);
    let folder = host.docker_dir().join(fs::read_link(host.docker_dir().join("issued")).unwrap());
    let kept = host.root().join("kept");
    fs::create_dir(&kept).unwrap();
    for file in ["server.pem", "server-key.pem"] {
        fs::hard_link(folder.join(file), kept.join(file)).unwrap();
    }
    let before = host.pair();
    host.prepare = ONE_MORE_ADDRESS.into();
    host.assert_renews(&["--no-restart"], "an address has come");
    host.assert_good();
    let after = ["server.pem", "server-key.pem"].map(|file| fs::read(kept.join(file)).unwrap());
    assert!(before == after, "the old pair was overwritten while a daemon could read it");
}

#[test]
fn two_concurrent_runs_do_not_disturb_each_other() {
    if !can_run() || !need("flock") {
        return;
    }
    let host = Host::new(&[]);
    let spawn = |_| host.issue(&["--no-restart"]).stdout(Stdio::null()).spawn().unwrap();
    let children: Vec<Child> = (0..4).map(spawn).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success(), "{}", host.log());
    }
    host.assert_good();
    assert_eq!(host.log().matches(" issued a certificate").count(), 1, "{}", host.log());
}

#[test]
fn a_missing_console_does_not_stop_the_issue() {
    if !can_run() {
        return;
    }
    let mut host = Host::new(&[]);
    for shell in [&["sh"][..], &["bash", "--posix"]] {
        fs::remove_file(host.docker_dir().join("issued")).ok();
        host.shell = shell.to_vec();
        let mut child = host.issue(&["--no-restart"]).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let status = child.wait().unwrap();
        assert!(status.success(), "{shell:?}: {status}: {}", host.log());
        host.assert_good();
    }
}

#[test]
fn a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
    if !can_run() || !need("faketime") {
        return;
    }
    let mut host = Host::new(&[]);
    host.issues(&["--no-restart"]);
    host.at = Some("+59d");
    host.assert_leaves_all(&["--no-restart"], "31 days are left");
    host.at = Some("+61d");
    let said = host.assert_renews(&["--no-restart"], "29 days are left");
    assert!(said.contains("less than a third"), "{said}");
    assert_close(not_after(&host.certificate()), OffsetDateTime::now_utc() + Duration::days(61 + 90));
    assert_close(
        not_before(&host.certificate()),
        OffsetDateTime::now_utc() + Duration::days(61) - Duration::HOUR,
    );
    assert_eq!(host.leftovers(), Vec::<String>::new());
    host.assert_leaves_all(&["--no-restart"], "it is new");
    // The host was switched off for a long time.
    host.at = Some("+400d");
    let said = host.assert_renews(&["--no-restart"], "it has expired");
    assert!(said.contains("there was no valid one"), "{said}");
    // The clock was corrected.
    host.at = None;
    host.assert_renews(&["--no-restart"], "it is not valid yet");
    host.assert_good();
}

#[test]
fn a_certificate_that_expires_with_its_issuer_is_not_renewed_repeatedly() {
    if !can_run() || !need("faketime") {
        return;
    }
    for (valid_for, later) in [("12h", ["+1h", "+11h"]), ("60d", ["+31d", "+59d"])] {
        let mut host = Host::new(&["--valid-for", valid_for]);
        let said = host.issues(&["--no-restart"]);
        let issuer = host.docker_dir().join("issuer.pem");
        assert_eq!(not_after(&host.certificate()), not_after(&issuer), "{valid_for}");
        assert!(not_before(&host.certificate()) >= not_before(&issuer), "{valid_for}");
        assert_eq!(said.contains("the boot issuer expires on"), valid_for == "12h", "{valid_for}: {said}");
        for at in later {
            host.at = Some(at);
            let said = host.assert_leaves_all(&["--no-restart"], at);
            assert!(said.contains("the boot issuer expires on"), "{valid_for} {at}: {said}");
            assert!(said.contains("run hostseed renew on your computer before"), "{valid_for} {at}: {said}");
        }
    }
    // It is renewed once more, until the issuer expires, and then not again.
    let mut host = Host::new(&["--valid-for", "100d"]);
    host.issues(&["--no-restart"]);
    let issuer = host.docker_dir().join("issuer.pem");
    host.at = Some("+61d");
    let said = host.assert_renews(&["--no-restart"], "29 days are left");
    assert!(!said.contains("the boot issuer expires on"), "39 days of the issuer are left: {said}");
    assert_eq!(not_after(&host.certificate()), not_after(&issuer));
    host.at = Some("+75d");
    let said = host.assert_leaves_all(&["--no-restart"], "25 days are left, of the issuer too");
    assert!(said.contains("the boot issuer expires on"), "{said}");
}

const READY: &str = "{\"machine\":\"web1\",\"state\":\"ready\",\"step\":6,\"steps\":6,\"what\":\"docker answers\",\
    \"error\":\"\",\"hint\":\"\",\"time\":\"2026-01-01T00:00:00Z\"}\n";

#[test]
fn an_expired_issuer_is_reported_until_a_valid_one_is_installed() {
    if !can_run() || !need("faketime") {
        return;
    }
    let mut host = Host::new(&["--valid-for", "60d"]);
    fs::write(host.state("status.json"), READY).unwrap();
    host.issues(&["--no-restart"]);
    fs::remove_file(host.state("restart-docker")).unwrap();
    host.docker_is("active enabled");
    let before = host.pair();
    for at in ["+61d", "+62d"] {
        host.at = Some(at);
        let said = host.fails(&[]);
        assert!(said.contains("the boot issuer expired on ") && said.contains("hostseed renew"), "{said}");
        assert!(host.pair() == before, "the old pair was touched");
        assert!(!host.is_waiting_for_restart());
        let status: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(host.state("status.json")).unwrap()).unwrap();
        assert_eq!(status["state"], "failed", "{status}");
        assert_eq!(status["machine"], "web1", "{status}");
        assert!(status["error"].as_str().unwrap().starts_with("the boot issuer expired on "), "{status}");
        assert!(status["hint"].as_str().unwrap().contains("hostseed renew"), "{status}");
        let calls = host.calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert!(
            calls[0].starts_with("systemd-run ") && calls[0].contains("hostseed-issue.service"),
            "{calls:?}"
        );
    }
    // `setup` reports the problem itself.
    fs::write(host.state("status.json"), READY).unwrap();
    fs::remove_file(host.state("status.before")).unwrap();
    host.fails(&["--no-restart"]);
    assert_eq!(fs::read_to_string(host.state("status.json")).unwrap(), READY);
    assert_eq!(host.calls(), Vec::<String>::new());

    host.fails(&[]);
    host.calls();
    host.at = None;
    host.apply_seed(&[]);
    host.assert_renews(&[], "a good issuer is back");
    assert_eq!(fs::read_to_string(host.state("status.json")).unwrap(), READY);
    assert!(!host.state("status.before").exists());
    assert_eq!(host.calls(), RESTART);
    host.assert_good();
}

#[test]
fn a_fixed_first_issue_leaves_no_failure_in_the_status() {
    if !can_run() {
        return;
    }
    let host = Host::new(&[]);
    let issuer = host.docker_dir().join("issuer.pem");
    let good = fs::read(&issuer).unwrap();
    fs::write(&issuer, "").unwrap();
    host.fails(&[]);
    fs::write(&issuer, good).unwrap();
    host.issues(&[]);
    let status = fs::read_to_string(host.state("status.json")).unwrap_or_default();
    assert!(!status.contains("failed"), "{status}");
    // Later runs change nothing.
    let before = names_in(&host.root().join("var/lib/hostseed"));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    host.assert_leaves_all(&[], "all is well");
    assert_eq!(fs::read_to_string(host.state("status.json")).unwrap_or_default(), status);
    assert_eq!(names_in(&host.root().join("var/lib/hostseed")), before);
}

#[test]
fn a_first_boot_waits_for_its_clock_to_be_set() {
    if !can_run() || !need("faketime") {
        return;
    }
    let mut host = Host::new(&[]);
    // The issuer is valid from an hour before its creation. The clock runs ten times as fast as a real one.
    host.at = Some("-3640s x10");
    let said = host.issues(&["--no-restart"]);
    assert!(said.contains("not valid yet: waiting for up to 10 minutes"), "{said}");
    assert!(host.certificate().exists() && host.key().exists());
}

#[test]
fn a_wrong_clock_is_reported() {
    if !can_run() || !need("faketime") {
        return;
    }
    let mut host = Host::new(&[]);
    host.at = Some("-2d");
    let said = host.fails(&[]);
    assert!(said.contains("by this host's clock, 2") && said.contains("set the clock"), "{said}");
    assert!(!host.certificate().exists() && !host.key().exists());
    assert_eq!(host.leftovers(), Vec::<String>::new());
    // A host with a pair keeps it.
    host.at = None;
    host.issues(&["--no-restart"]);
    let before = host.pair();
    host.at = Some("-2d");
    let said = host.fails(&[]);
    assert!(said.contains("set the clock"), "{said}");
    assert!(host.pair() == before, "the pair was touched");
    host.at = None;
    host.assert_leaves_all(&["--no-restart"], "the clock is right again");
}

#[test]
fn an_issuer_of_another_ca_is_reported() {
    if !can_run() {
        return;
    }
    let host = Host::new(&[]);
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet"]);
    fs::copy(home.machine("web1").join("issuer.pem"), host.docker_dir().join("issuer.pem")).unwrap();
    let said = host.fails(&["--no-restart"]);
    assert!(
        said.contains("issuer.pem is not signed by") && said.contains("with the whole user-data"),
        "{said}"
    );
    // The certificate is valid, but its key is not.
    let host = Host::new(&[]);
    let key = host.docker_dir().join("issuer-key.pem");
    fs::copy(home.machine("web1").join("issuer-key.pem"), key).unwrap();
    let said = host.fails(&["--no-restart"]);
    assert!(said.contains("cannot make a certificate"), "{said}");
    assert!(!host.certificate().exists() && !host.key().exists());
}

#[test]
fn the_daemon_is_restarted_once_and_only_for_a_new_certificate() {
    if !can_run() {
        return;
    }
    const START: &str = "systemctl --no-block start docker.service";
    let nothing: [&str; 0] = [];
    let mut host = Host::new(&[]);
    // Before `setup` has installed Docker, or before it restarts Docker itself.
    host.docker_is("inactive disabled");
    host.issues(&["--no-restart"]);
    assert!(host.is_waiting_for_restart());
    assert_eq!(host.calls(), nothing);
    // That restart did not happen, so the next run does it.
    host.docker_is("active enabled");
    host.issues(&[]);
    assert_eq!(host.calls(), RESTART);
    assert!(!host.is_waiting_for_restart());
    host.issues(&[]);
    assert_eq!(host.calls(), nothing);

    host.prepare = ONE_MORE_ADDRESS.into();
    let said = host.assert_renews(&[], "an address has come");
    assert!(said.contains("restarting docker"), "{said}");
    assert_eq!(host.calls(), RESTART);
    assert!(!host.is_waiting_for_restart());

    // A user has stopped Docker, so it stays stopped.
    host.docker_is("inactive enabled");
    host.prepare.push_str("; ip address add 10.0.0.7/24 dev eth0");
    host.assert_renews(&[], "an address has come");
    assert_eq!(host.calls(), nothing);
    assert!(!host.is_waiting_for_restart());

    // Docker was waiting for a certificate.
    for (state, told) in [("inactive enabled", &[START][..]), ("inactive disabled", &[])] {
        let host = Host::new(&[]);
        host.docker_is(state);
        host.issues(&[]);
        assert_eq!(host.calls(), told, "{state}");
        assert!(!host.is_waiting_for_restart(), "{state}");
    }
}

#[test]
fn a_starting_daemon_is_restarted_too() {
    if !can_run() {
        return;
    }
    // Docker may have read the old pair already.
    let mut host = Host::new(&[]);
    host.issues(&["--no-restart"]);
    fs::remove_file(host.state("restart-docker")).unwrap();
    host.docker_is("activating enabled");
    host.prepare = ONE_MORE_ADDRESS.into();
    host.assert_renews(&[], "an address has come");
    assert_eq!(host.calls(), RESTART);
}

#[test]
fn containers_survive_a_restart_except_in_a_swarm_or_if_the_user_disables_it() {
    if !can_run() {
        return;
    }
    let with = "HOSTSEED_LIVE_RESTORE=--live-restore\n";
    let without = "HOSTSEED_LIVE_RESTORE=\n";
    let swarm = |root: &str| format!("mkdir -p {root}/swarm; echo '{{}}' >{root}/swarm/docker-state.json; ");
    let daemon = |json: &str| format!("echo '{json}' >/etc/docker/daemon.json; ");
    let elsewhere = daemon(r#"{"log-driver": "local", "data-root" : "/var/elsewhere"}"#);
    let cases: [(&[&str], String, &str); 10] = [
        (&[], String::new(), with),
        (&[], daemon(r#"{"log-driver": "local"}"#), with),
        (&[], daemon(r#"{"live-restore": false}"#), without),
        (&[], daemon(r#"{"live-restore":true}"#), without),
        (&[], swarm("/var/lib/docker"), without),
        (&[], elsewhere.clone(), with),
        (&[], elsewhere.clone() + &swarm("/var/elsewhere"), without),
        (&["--engine-opt", "data-root=/var/my data"], swarm("'/var/my data'"), without),
        (&["--engine-opt", "data-root=/var/mine"], swarm("/var/lib/docker"), with),
        (&["--engine-opt", "data-root=/var/mine"], String::new(), with),
    ];
    for (options, prepare, wanted) in cases {
        let mut host = Host::new(options);
        host.prepare = prepare;
        assert_eq!(host.issues(&["--live-restore"]), "", "{}", host.prepare);
        let said = fs::read_to_string(host.root().join("run/hostseed/docker.env")).unwrap();
        assert_eq!(said, wanted, "{options:?} {}", host.prepare);
        assert_eq!(mode(&host.root().join("run/hostseed/docker.env")), 0o644);
        assert!(!host.certificate().exists());
    }
}

#[test]
fn a_full_disk_is_reported_and_the_pair_in_use_stays() {
    if !can_run() {
        return;
    }
    let mut wrong = Vec::new();
    for (dir, options) in
        [("/etc/docker", [&["--no-restart"][..], &[]]), ("/var/lib/hostseed", [&[], &["--no-restart"]])]
    {
        // Outside CI each folder and each option is tested once.
        for option in &options[..if is_full() { 2 } else { 1 }] {
            let mut host = Host::new(&[]);
            host.issues(&["--no-restart"]);
            fs::remove_file(host.state("restart-docker")).unwrap();
            host.docker_is("active enabled");
            let before = host.pair();
            let read_only = format!("mount --bind {dir} {dir}; mount -o remount,bind,ro {dir}");
            host.prepare = format!("{ONE_MORE_ADDRESS}; {read_only}");
            let status = host.issue(option).stdout(Stdio::null()).status().unwrap();
            let log = host.log();
            if status.code() != Some(1) || !log.contains(" FAILED: ") {
                wrong.push(format!("{dir} {option:?}: {status}, and nothing is told: {log}"));
            }
            assert!(host.pair() == before, "{dir}: the pair was touched: {log}");
            assert!(!host.calls().iter().any(|call| call.contains("restart docker")), "{dir}");
            // It continues when there is space again.
            host.prepare = ONE_MORE_ADDRESS.into();
            host.assert_renews(&[], dir);
            host.assert_good();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_terminated_run_leaves_only_the_pair_in_use() {
    if !can_run() {
        return;
    }
    let mut host = Host::new(&[]);
    host.issues(&["--no-restart"]);
    let before = host.pair();
    // systemd terminates a script that takes too long; here it is making the key.
    let openssl = "#!/bin/sh\n[ \"$1\" != genpkey ] || kill -TERM $PPID\nexec /usr/bin/openssl \"$@\"\n";
    host.put_program("openssl", openssl);
    host.prepare = ONE_MORE_ADDRESS.into();
    for shell in [&["sh"][..], &["bash", "--posix"]] {
        host.shell = shell.to_vec();
        let status = host.issue(&["--no-restart"]).stdout(Stdio::null()).status().unwrap();
        assert!(!status.success(), "{shell:?}: {status}: {}", host.log());
        assert!(host.pair() == before, "{shell:?}: the pair was touched: {}", host.log());
        assert_eq!(names_in(&host.root().join("var/tmp")), BTreeSet::new(), "{shell:?}");
    }
    fs::remove_file(host.root().join("usr-local/sbin/openssl")).unwrap();
    host.assert_renews(&["--no-restart"], "nobody stops it");
    host.assert_good();
}

#[test]
fn a_missing_tool_is_reported() {
    if !can_run() {
        return;
    }
    for tool in ["openssl", "ip"] {
        let mut host = Host::new(&[]);
        host.prepare = format!(
            "for file in /bin /sbin /usr/bin /usr/sbin; do
            [ ! -x $file/{tool} ] || mount --bind /dev/null $(readlink -f $file/{tool})
        done"
        );
        let said = host.fails(&[]);
        assert!(
            said.contains(&format!("{tool} is not installed")) && said.contains("hostseed/setup"),
            "{said}"
        );
        let status = fs::read_to_string(host.state("status.json")).unwrap();
        assert!(status.contains(&format!("{tool} is not installed")), "{status}");
        assert!(!host.certificate().exists());
    }
}

#[test]
fn keys_are_only_readable_by_root_and_are_not_logged() {
    if !can_run() {
        return;
    }
    for kind in quick_keys() {
        let mut host = Host::new(&["--key", kind]);
        host.shell = vec!["sh", "-c", "umask 0; . \"$0\""];
        host.issues(&["--no-restart"]);
        let dir = host.docker_dir();
        assert_eq!(mode(&dir.join("issued/server-key.pem")), 0o600, "{kind}");
        assert_eq!(mode(&dir.join("issued/server.pem")), 0o644, "{kind}");
        assert_eq!(mode(&dir.join("issued")), 0o755, "{kind}");
        assert_eq!(mode(&host.root().join("var/log/hostseed.log")), 0o600, "{kind}");
        let said = host.log();
        assert!(!said.contains("PRIVATE"), "{kind}: {said}");
        for key in ["issued/server-key.pem", "issuer-key.pem"] {
            let pem = fs::read_to_string(dir.join(key)).unwrap();
            for line in pem.lines().filter(|line| !line.starts_with('-')) {
                assert!(!said.contains(line), "{kind}: {key} is in the log");
            }
        }
        // Its temporary files are deleted too.
        assert_eq!(names_in(&host.root().join("var/tmp")), BTreeSet::new(), "{kind}");
    }
}

#[test]
fn an_unknown_argument_is_refused() {
    if !can_run() {
        return;
    }
    let host = Host::new(&[]);
    let output = host.issue(&["--restart"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("usage: issue "));
    assert!(!host.certificate().exists());
}

/// Runs the script with bash, and kills it and all its child processes after `steps` commands. Returns whether it was
/// killed.
fn killed_after(host: &Host, steps: usize) -> bool {
    let command = host.inside(&["bash", "-c", kill::COUNTED, ISSUE, "--no-restart"]);
    kill::killed_after(command, steps, || host.log())
}

/// The files of the host, without anything that differs from run to run.
fn shape(host: &Host) -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, shape: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = without_number(text(path.strip_prefix(root).unwrap()));
            let metadata = fs::symlink_metadata(&path).unwrap();
            let what = if metadata.is_symlink() {
                without_number(text(&fs::read_link(&path).unwrap()))
            } else if metadata.is_dir() {
                walk(&path, root, shape);
                "folder".into()
            } else {
                format!("{:o} {}", metadata.permissions().mode(), metadata.len() > 0)
            };
            // The old folder and the new one.
            let name = if shape.contains_key(&name) { name + "'" } else { name };
            shape.insert(name, what);
        }
    }
    fn without_number(name: &str) -> String {
        name.chars().filter(|c| !c.is_ascii_digit()).collect()
    }
    let mut shape = BTreeMap::new();
    for dir in ["etc/docker", "var/lib/hostseed"] {
        walk(&host.root().join(dir), &host.root(), &mut shape);
    }
    if host.certificate().exists() {
        shape.insert("names".into(), sorted_sans(&host.certificate()).join(" "));
    }
    shape
}

/// Kills the script after each number of steps, on a host that `begin` prepares, until it finishes. `check` returns the
/// problems after a kill and after the following run.
fn killed_between_any_two_steps(begin: fn(&mut Host), check: fn(&Host, bool) -> Vec<String>) {
    let copy = |from: &Path, to: &Path| {
        fs::remove_dir_all(to).ok();
        run(Command::new("cp").arg("-a").args([from, to]));
    };
    let prepare = || {
        let mut host = Host::new(&[]);
        // Each sync would write all cached data of this computer to disk.
        host.put_program("sync", "#!/bin/sh\n");
        begin(&mut host);
        let saved = host.home.path().join("saved");
        copy(&host.root(), &saved);
        (host, saved)
    };
    let attempt = |(host, saved): &(Host, PathBuf), steps: usize, is_new: &dyn Fn(_) -> bool| {
        copy(saved, &host.root());
        if !killed_after(host, steps) {
            return None;
        }
        let mut found = check(host, false);
        if found.is_empty() && is_new(shape(host)) {
            let status = host.issue(&[]).stdout(Stdio::null()).status().unwrap();
            if !status.success() {
                found.push(format!("the next run fails: {status}: {}", host.log()));
            }
            found.extend(check(host, true));
        }
        Some(found)
    };
    let (steps, states) = kill::between_any_two_steps((4, stride(17)), prepare, attempt);
    assert!(steps > 150 && states > 5, "{steps} steps, {states} states: they are not counted");
}

/// The problems that must not occur after a kill at any step.
fn wrong_with_keys(host: &Host) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in names_in(&host.docker_dir()).iter().filter(|name| name.starts_with("issued-")) {
        let key = host.docker_dir().join(name).join("server-key.pem");
        if key.exists() && mode(&key) != 0o600 {
            wrong.push(format!("{name}/server-key.pem has mode {:o}", mode(&key)));
        }
    }
    wrong
}

#[test]
fn a_killed_first_issue_leaves_no_incomplete_pair_and_the_next_run_finishes() {
    if !can_run() {
        return;
    }
    killed_between_any_two_steps(
        |_| {},
        |host, ended| {
            let mut wrong = wrong_with_keys(host);
            // Docker's unit waits for the key, so all other files must exist before it.
            if host.key().exists() || ended {
                wrong.extend(host.wrong_with_pair());
            }
            if ended {
                wrong.extend(host.leftovers());
                let calls = host.calls();
                if calls != ["systemctl --no-block start docker.service"] {
                    wrong.push(format!("the daemon, which has waited for it, is not started: {calls:?}"));
                }
            }
            wrong
        },
    );
}

#[test]
fn a_killed_renewal_leaves_the_old_or_the_new_pair_and_the_next_run_finishes() {
    if !can_run() {
        return;
    }
    killed_between_any_two_steps(
        |host| {
            host.docker_is("active enabled");
            host.issues(&["--no-restart"]);
            fs::remove_file(host.state("restart-docker")).unwrap();
            for file in ["server.pem", "server-key.pem"] {
                fs::copy(host.docker_dir().join(file), host.root().join(file)).unwrap();
            }
            host.prepare = ONE_MORE_ADDRESS.into();
        },
        |host, ended| {
            let mut wrong = wrong_with_keys(host);
            let old = ["server.pem", "server-key.pem"].map(|file| fs::read(host.root().join(file)).unwrap());
            let is_new = host.pair() != old;
            if is_new {
                wrong.extend(host.wrong_with_pair());
            }
            if is_new && !ended && !host.is_waiting_for_restart() {
                wrong.push("the daemon would go on with the old pair".into());
            }
            if ended {
                wrong.extend(host.leftovers());
                if !is_new || host.is_waiting_for_restart() {
                    wrong.push("the next run did not end it".into());
                }
                let calls = host.calls();
                if calls != RESTART {
                    wrong.push(format!("the daemon is not restarted once: {calls:?}"));
                }
            }
            wrong
        },
    );
}

#[test]
fn a_seed_with_a_boot_issuer_replaces_one_with_a_server_certificate() {
    if !can_run() {
        return;
    }
    let host = Host::new(&[]);
    for (file, mode) in [("server.pem", 0o644), ("server-key.pem", 0o600)] {
        host.put(&host.docker_dir().join(file), b"of another seed", mode);
    }
    host.docker_is("active enabled");
    host.issues(&[]);
    host.assert_good();
    assert_eq!(host.calls(), RESTART);
}

#[test]
fn remains_of_a_killed_run_are_deleted() {
    if !can_run() {
        return;
    }
    let host = Host::new(&[]);
    host.issues(&["--no-restart"]);
    symlink("issued-20200101000000-1", host.docker_dir().join("issued.new")).unwrap();
    fs::create_dir(host.docker_dir().join("issued-20200101000000-1")).unwrap();
    host.assert_leaves_all(&[], "all is well");
    host.assert_good();
}
