//! Tests how `issue` gets the host's public address from each cloud's metadata service, and how it handles errors. It
//! runs the script of a real machine in a separate network, where `metadata/cloud.py` plays the cloud.
//!
//! The tests do not change this computer: each host is a folder with read-only bind mounts of `/usr` and similar folders.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::extent::sample;
use crate::support::openssl::{assert_verifies, public_key_of_certificate, public_key_of_key, sans, text};
use crate::support::{Home, PYTHON, need, need_root, run, seed, skip};

/// The public addresses in `cloud.py`. An empty list means that the certificate must contain no public address.
const PUBLIC: &[&str] = &["198.51.100.7"];
const BOTH: &[&str] = &["198.51.100.7", "198.51.100.8"];
const FOUR: &[&str] = &["198.51.100.7", "198.51.100.8", "198.51.100.9", "2001:db8::7"];
const NONE: &[&str] = &[];
/// The host's names and addresses without a metadata service: those that the user gave, and those of its interfaces.
const OWN: [&str; 7] =
    ["web1", "localhost", "127.0.0.1", "docker.example.com", "host7", "host7.example.net", "10.0.0.5"];
/// Maximum duration of a run, however the metadata service answers.
const BOUND: Duration = Duration::from_secs(30);

const AWS: &[&str] = &[
    "PUT 169.254.169.254/latest/api/token x-aws-ec2-metadata-token-ttl-seconds=60",
    "GET 169.254.169.254/latest/meta-data/network/interfaces/macs/ x-aws-ec2-metadata-token=TOKEN",
    "GET 169.254.169.254/latest/meta-data/network/interfaces/macs/0e:49:61:0f:c3:11/public-ipv4s x-aws-ec2-metadata-token=TOKEN",
    "GET 169.254.169.254/latest/meta-data/network/interfaces/macs/0e:49:61:0f:c3:11/ipv6s x-aws-ec2-metadata-token=TOKEN",
];
const AWS_SEVERAL: &[&str] = &[
    AWS[0],
    AWS[1],
    AWS[2],
    AWS[3],
    "GET 169.254.169.254/latest/meta-data/network/interfaces/macs/0e:49:61:0f:c3:12/public-ipv4s x-aws-ec2-metadata-token=TOKEN",
    "GET 169.254.169.254/latest/meta-data/network/interfaces/macs/0e:49:61:0f:c3:12/ipv6s x-aws-ec2-metadata-token=TOKEN",
];
const ALIYUN: &[&str] = &[
    "PUT 100.100.100.200/latest/api/token x-aliyun-ecs-metadata-token-ttl-seconds=60",
    "GET 100.100.100.200/latest/meta-data/eipv4 x-aliyun-ecs-metadata-token=TOKEN",
    "GET 100.100.100.200/latest/meta-data/public-ipv4 x-aliyun-ecs-metadata-token=TOKEN",
];
const AKAMAI: &[&str] = &[
    "PUT 169.254.169.254/v1/token metadata-token-expiry-seconds=60",
    "GET 169.254.169.254/v1/network metadata-token=TOKEN",
];
const GCE: &[&str] = &[
    "GET 169.254.169.254/computeMetadata/v1/instance/network-interfaces/?recursive=true metadata-flavor=Google",
];
const AZURE: &[&str] = &[
    "GET 169.254.169.254/metadata/instance/network/interface?api-version=2021-02-01 metadata=true",
    "GET 169.254.169.254/metadata/loadbalancer?api-version=2020-10-01 metadata=true",
];
const DIGITALOCEAN: &[&str] = &[
    "GET 169.254.169.254/metadata/v1/interfaces/public/0/ipv4/address",
    "GET 169.254.169.254/metadata/v1/reserved_ip/ipv4/ip_address",
];
const HETZNER: &[&str] = &["GET 169.254.169.254/hetzner/v1/metadata/public-ipv4"];
const VULTR: &[&str] = &["GET 169.254.169.254/v1/interfaces/0/ipv4/address"];
const SCALEWAY: &[&str] = &["GET 169.254.42.42/conf"];
const EC2: &[&str] = &["GET 169.254.169.254/latest/meta-data/public-ipv4"];
const ROUTER: &[&str] = &["GET 10.1.1.1/latest/meta-data/public-ipv4"];
const TENCENT: &[&str] = &["GET 169.254.0.23/latest/meta-data/public-ipv4"];
const URL: &[&str] = &["GET 192.0.2.80:8080/ip?format=text"];

/// The name that cloud-init recorded, the real cloud, its public addresses, and the expected requests.
type Case = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const CLOUDS: &[Case] = &[
    ("aws", "aws", PUBLIC, AWS),
    ("aws-china", "aws", PUBLIC, AWS),
    ("aws-gov", "aws", PUBLIC, AWS),
    ("aws", "aws-private", NONE, AWS),
    ("aws", "aws-several", FOUR, AWS_SEVERAL),
    ("aliyun", "aliyun", PUBLIC, ALIYUN),
    ("aliyun", "aliyun-eip", PUBLIC, ALIYUN),
    ("akamai", "akamai", PUBLIC, AKAMAI),
    ("linode", "akamai", PUBLIC, AKAMAI),
    ("gce", "gce", PUBLIC, GCE),
    ("gce", "gce-private", NONE, GCE),
    ("gce", "gce-several", BOTH, GCE),
    ("azure", "azure", PUBLIC, AZURE),
    ("azure-china", "azure", PUBLIC, AZURE),
    ("azure", "azure-basic", PUBLIC, AZURE),
    ("azure", "azure-several", BOTH, AZURE),
    ("azure", "azure-both-families", &["198.51.100.7", "2001:db8::7"], AZURE),
    ("azure", "azure-behind-a-balancer", NONE, AZURE),
    ("digitalocean", "digitalocean", PUBLIC, DIGITALOCEAN),
    ("configdrive DMI_SYS_VENDOR=DigitalOcean", "digitalocean-reserved", BOTH, DIGITALOCEAN),
    ("digitalocean", "digitalocean-reserved", BOTH, DIGITALOCEAN),
    ("hetzner", "hetzner", PUBLIC, HETZNER),
    ("vultr", "vultr", PUBLIC, VULTR),
    ("scaleway", "scaleway", PUBLIC, SCALEWAY),
    ("scaleway", "scaleway-tags", PUBLIC, SCALEWAY),
    ("scaleway", "scaleway-several", &["198.51.100.7", "198.51.100.8", "2001:db8::7"], SCALEWAY),
    ("openstack", "openstack", PUBLIC, EC2),
    ("configdrive DMI_PRODUCT_NAME=OpenStack Nova", "openstack", PUBLIC, EC2),
    ("openstack", "openstack-private", NONE, EC2),
    ("exoscale", "openstack", PUBLIC, EC2),
    ("cloudstack metadata (http://10.1.1.1/)", "cloudstack", PUBLIC, ROUTER),
    ("configdrive DMI_SYS_VENDOR=Tencent Cloud", "tencent", PUBLIC, TENCENT),
    ("tencentcloud", "tencent", PUBLIC, TENCENT),
    ("none --public-address-url http://192.0.2.80:8080/ip?format=text", "url", PUBLIC, URL),
    (
        "none --public-address-url http://192.0.2.80:8080/ip?format=text",
        "url-several",
        &["198.51.100.7", "2001:db8::7"],
        URL,
    ),
    ("aws --public-address-url http://192.0.2.80:8080/ip?format=text", "url", PUBLIC, URL),
    ("oracle", "none", NONE, &[]),
    ("nocloud", "none", NONE, &[]),
    ("none", "none", NONE, &[]),
    ("configdrive", "none", NONE, &[]),
    ("", "none", NONE, &[]),
];

/// Faults of an answer that contains an address.
const FAULTS: [&str; 12] = [
    "silent", "slow", "huge", "refused", "garbage", "html", "shell", "notfound", "two", "remark", "spaces",
    "redirect",
];
/// Faults of an answer that contains a token.
const TOKEN_FAULTS: [&str; 2] = ["private-token-html", "private-token-newline"];

/// One cloud for each method to get an address. Clouds that differ only in their URL fail in the same way.
const WAYS: [&str; 8] = ["aws", "aliyun", "akamai", "azure", "digitalocean", "hetzner", "scaleway", "url"];

#[test]
fn the_certificate_covers_the_public_address_of_every_cloud() {
    if can_run() {
        all_at_once(sample(CLOUDS.iter().map(|case| (case, "")).collect(), 5));
    }
}

#[test]
fn a_metadata_service_that_misbehaves_puts_nothing_into_the_certificate() {
    if !can_run() {
        return;
    }
    let mut cases = Vec::new();
    for way in WAYS {
        let case = CLOUDS.iter().find(|(_, cloud, ..)| *cloud == way).unwrap();
        cases.extend(FAULTS.iter().map(|fault| (case, *fault)));
        if case.3.iter().any(|request| request.starts_with("PUT ")) {
            cases.extend(TOKEN_FAULTS.iter().map(|fault| (case, *fault)));
        }
    }
    all_at_once(sample(cases, 12));
}

#[test]
fn a_known_public_address_stays_if_the_service_does_not_answer_later() {
    if !can_run() {
        return;
    }
    let host = Host::new("hetzner");
    let names = host.names_after("hetzner", "");
    assert_eq!(names, expected(PUBLIC));
    let certificate = host.root.join("etc/docker/server.pem");
    let before = fs::read(&certificate).unwrap();
    for fault in ["refused", "notfound", "shell"] {
        assert_eq!(host.names_after("hetzner", fault), names, "{fault}");
        assert_eq!(
            fs::read(&certificate).unwrap(),
            before,
            "{fault}: one that covers everything was made anew"
        );
    }
    // A renewed certificate has it too.
    fs::remove_file(host.root.join("etc/docker/issued")).unwrap();
    assert_eq!(host.names_after("hetzner", "refused"), names);
    assert_ne!(fs::read(&certificate).unwrap(), before);
}

#[test]
fn a_late_public_address_is_in_the_next_certificate() {
    if !can_run() {
        return;
    }
    let host = Host::new("aws");
    assert_eq!(host.names_after("aws-private", ""), expected(NONE));
    assert_eq!(host.names_after("aws", ""), expected(PUBLIC));
}

fn can_run() -> bool {
    let tools = ["unshare", "chroot", "ip", "curl", "openssl", "hostname"];
    need_root() && tools.into_iter().all(need) && (Path::new(PYTHON).exists() || skip(PYTHON))
}

/// Runs each case on its own host. Runs several at once, because a case mostly waits.
fn all_at_once(cases: Vec<(&'static Case, &'static str)>) {
    let (queue, wrong) = (Mutex::new(cases), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 * thread::available_parallelism().map_or(1, |n| n.get()) {
            scope.spawn(|| {
                loop {
                    let Some((case, fault)) = queue.lock().unwrap().pop() else { break };
                    let found = check(case, fault);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The problems after one run with a fault.
fn check((recorded, cloud, public, requests): &Case, fault: &str) -> Option<String> {
    let host = Host::new(recorded);
    let ran = host.run(cloud, fault);
    let names = host.names();
    let mut wrong = host.wrong();
    let learned = if fault.is_empty() { public } else { NONE };
    if names != expected(learned) {
        writeln!(wrong, "  the certificate is for {names:?}, not {:?}", expected(learned)).unwrap();
    }
    let asked = match fault {
        "refused" => Vec::new(),
        // The other addresses of the interfaces are not asked for.
        "silent" | "slow" if *cloud == "aws" => requests[..3].to_vec(),
        fault if TOKEN_FAULTS.contains(&fault) => {
            requests.iter().copied().filter(|request| request.starts_with("PUT ")).collect()
        }
        _ => requests.to_vec(),
    };
    if ran.requests != asked {
        writeln!(wrong, "  it asked {:#?}, not {asked:#?}", ran.requests).unwrap();
    }
    if ran.status != "0\n" || ran.took > BOUND {
        writeln!(wrong, "  it ended with status {} after {:?}", ran.status.trim(), ran.took).unwrap();
    }
    (!wrong.is_empty()).then(|| format!("{recorded} {fault}:\n{wrong}{}", ran.said))
}

fn expected(public: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = OWN.iter().chain(public).map(|name| (*name).to_owned()).collect();
    names.sort();
    names
}

struct Host {
    root: PathBuf,
    _home: Home,
}

struct Ran {
    status: String,
    said: String,
    requests: Vec<String>,
    took: Duration,
}

impl Host {
    /// Makes a host that has its seed but no certificate yet. `recorded` is cloud-init's record: the cloud's name and its
    /// other details, followed by options for `create`.
    fn new(recorded: &str) -> Self {
        let (recorded, options) = recorded.split_once("--").unwrap_or((recorded, ""));
        let option = format!("--{options}");
        let mut create = vec!["create", "web1", "--quiet", "--tls-san", "docker.example.com"];
        if !options.is_empty() {
            create.extend(option.split_whitespace());
        }
        let home = Home::new();
        home.ok(&create);
        let seed = home.ok(&["render", "web1"]);
        let root = home.path().join("root");
        for (path, _, bytes) in seed::on_the_host(seed.as_bytes()) {
            put(&root.join(path.trim_start_matches("usr/")), &bytes);
        }
        put(&root.join("stub/cloud.py"), include_bytes!("metadata/cloud.py"));
        put(&root.join("etc/hosts"), b"127.0.0.1 localhost\n127.0.1.1 host7.example.net host7\n");
        put(&root.join("etc/nsswitch.conf"), b"hosts: files\n");
        for dir in ["proc", "dev", "run", "tmp", "root"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        record(&root.join("run/cloud-init"), recorded.trim());
        Self { root, _home: home }
    }

    /// Runs `issue` with this cloud and this fault.
    fn run(&self, cloud: &str, fault: &str) -> Ran {
        let started = Instant::now();
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]);
        unshare.args(["sh", "-euc", ENTER, "sh"]).arg(&self.root).args([cloud, fault, HOST]);
        unshare.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        // This proxy does not exist, so requests through it fail.
        unshare.envs(["http_proxy", "https_proxy", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:9")));
        run(&mut unshare);
        let read = |file: &str| fs::read_to_string(self.root.join(file)).unwrap_or_default();
        let requests = read("stub/requests").lines().skip(1).map(str::to_owned).collect();
        let said = read("stub/said") + &read("stub/errors") + &read("var/log/hostseed.log");
        Ran { status: read("stub/status"), said, requests, took: started.elapsed() }
    }

    fn names_after(&self, cloud: &str, fault: &str) -> Vec<String> {
        let ran = self.run(cloud, fault);
        assert_eq!(ran.status, "0\n", "{cloud} {fault}: {}", ran.said);
        assert_eq!(self.wrong(), "", "{cloud} {fault}");
        self.names()
    }

    fn names(&self) -> Vec<String> {
        let certificate = self.root.join("etc/docker/server.pem");
        let mut names = if certificate.exists() { sans(&certificate) } else { Vec::new() };
        names.sort();
        names
    }

    /// Checks the rules for every run: a client accepts the certificate, the key matches it, and no text of an answer was
    /// run as a command.
    fn wrong(&self) -> String {
        let mut wrong = String::new();
        let docker = self.root.join("etc/docker");
        let certificate = docker.join("server.pem");
        if !certificate.exists() {
            return "  there is no certificate\n".to_owned();
        }
        assert_verifies(
            &docker.join("ca.pem"),
            &certificate,
            &["-untrusted", text(&certificate), "-purpose", "sslserver", "-verify_hostname", "web1"],
        );
        if public_key_of_certificate(&certificate) != public_key_of_key(&docker.join("server-key.pem")) {
            wrong += "  the certificate is not for this key\n";
        }
        for left in fs::read_dir(self.root.join("tmp")).unwrap() {
            writeln!(wrong, "  it left {}", left.unwrap().path().display()).unwrap();
        }
        wrong
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes the files that cloud-init leaves in its folder. Older versions, here Exoscale's, have no `cloud-id`. With an
/// empty `recorded` the host has no cloud-init.
fn record(dir: &Path, recorded: &str) {
    let (cloud, more) = recorded.split_once(' ').unwrap_or((recorded, ""));
    if cloud.is_empty() {
        return;
    }
    let subplatform = if more.starts_with("metadata") { more } else { "unknown" };
    let data = format!(
        "{{\n \"base64_encoded_keys\": [],\n \"v1\": {{\n  \"_beta_keys\": [\n   \"subplatform\"\n  ],\n  \
         \"availability_zone\": null,\n  \"cloud-id\": \"{cloud}\",\n  \"cloud_id\": \"{cloud}\",\n  \
         \"cloud_name\": \"{cloud}\",\n  \"platform\": \"{cloud}\",\n  \"region\": null,\n  \
         \"subplatform\": \"{subplatform}\"\n }}\n}}\n"
    );
    put(&dir.join("instance-data.json"), data.as_bytes());
    if cloud != "exoscale" {
        put(&dir.join("cloud-id"), format!("{cloud}\n").as_bytes());
    }
    let seen = if more.starts_with("DMI") { more } else { "DMI_SYS_VENDOR=QEMU" };
    put(&dir.join("ds-identify.log"), format!("{seen}\nDMI_CHASSIS_ASSET_TAG=none\n").as_bytes());
}

/// Builds the host in separate namespaces, which end with it. Arguments: ROOT CLOUD FAULT SHELL.
const ENTER: &str = r#"
mount --make-rprivate /
cd "$1"
for dir in usr bin sbin lib lib32 lib64 libx32 etc/ssl etc/pki etc/crypto-policies etc/alternatives; do
    if [ -L "/$dir" ]; then
        [ -L "$dir" ] || cp -P "/$dir" "$dir"
    elif [ -d "/$dir" ]; then
        mkdir -p "$dir"
        mount -o bind "/$dir" "$dir"
        mount -o remount,bind,ro "$dir"
    fi
done
mount -o bind local usr/local
[ ! -e /etc/ld.so.cache ] || cp /etc/ld.so.cache etc/
for file in null random urandom; do
    : >>"dev/$file"
    mount -o bind "/dev/$file" "dev/$file"
done
mount -t proc proc proc
hostname host7
ip link set lo up
ip link add eth0 type veth peer name far0
ip address add 10.0.0.5/24 dev eth0
ip link set far0 up
ip link set eth0 up
# Every other address is here as well: who asks a stranger is noted.
ip route add local default dev lo
exec chroot . /bin/sh -euc "$4" sh "$2" "$3"
"#;

const HOST: &str = r#"
rm -f /stub/requests
/usr/bin/python3 -IS /stub/cloud.py "$1" "$2" >/stub/requests 2>/stub/errors &
until [ -s /stub/requests ]; do sleep 0.05; done
status=0
timeout 60 sh /usr/local/lib/hostseed/issue --no-restart >/stub/said 2>&1 || status=$?
echo "$status" >/stub/status
"#;
