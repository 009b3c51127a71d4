//! Docker Machine's store, as its own code writes it (docker/machine 0.16.2, `libmachine/cert/cert.go` and `libmachine/host/host.go`):
//! RSA keys of 2048 bits in PKCS#1, subjects with only an organisation, 1080 days, and server certificates that are valid for clients
//! too.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::openssl::{openssl, text};

/// The CA's key of all stores, because making one takes long.
fn ca_key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| openssl(&["genrsa", "-traditional", "2048"]))
}

const USAGE: &str = "keyUsage=critical,digitalSignature,keyEncipherment,keyAgreement";

/// A store of Docker Machine's.
pub struct DockerMachine {
    pub root: PathBuf,
}

impl DockerMachine {
    /// Makes a store with a CA and a client.
    pub fn new(root: &Path) -> Self {
        let certs = root.join("certs");
        fs::create_dir_all(&certs).unwrap();
        fs::create_dir_all(root.join("machines")).unwrap();
        let (ca, key) = (certs.join("ca.pem"), certs.join("ca-key.pem"));
        fs::write(&key, ca_key()).unwrap();
        let usage = format!("{USAGE},keyCertSign");
        let extensions = ["-addext", &usage, "-addext", "basicConstraints=critical,CA:TRUE"];
        let words = ["req", "-x509", "-new", "-key", text(&key), "-subj", "/O=user.", "-days", "1080"];
        openssl(&[&words[..], &extensions, &["-out", text(&ca)]].concat());
        let store = Self { root: root.to_owned() };
        let usage = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n";
        store.sign(&certs, ["cert.pem", "key.pem"], "user.<bootstrap>", usage);
        store
    }

    fn sign(&self, dir: &Path, [certificate, key]: [&str; 2], organisation: &str, extensions: &str) {
        let certs = self.root.join("certs");
        let (key, request, file) = (dir.join(key), dir.join("request.tmp"), dir.join("extensions.tmp"));
        fs::write(&file, extensions).unwrap();
        let known = if certificate == "cert.pem" { "issuer-key.pem" } else { "server-key.pem" };
        let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identities/rsa2048").join(known);
        openssl(&["rsa", "-traditional", "-in", text(&known), "-out", text(&key)]);
        let subject = format!("/O={organisation}");
        openssl(&["req", "-new", "-key", text(&key), "-subj", &subject, "-out", text(&request)]);
        let ca = ["-CA", text(&certs.join("ca.pem")), "-CAkey", text(&certs.join("ca-key.pem"))]
            .map(str::to_owned);
        let ca = ca.each_ref().map(String::as_str);
        let words = [
            "x509",
            "-req",
            "-in",
            text(&request),
            "-days",
            "1080",
            "-set_serial",
            "4711",
            "-extfile",
            text(&file),
        ];
        openssl(&[&words[..], &ca, &["-out", text(&dir.join(certificate))]].concat());
        [request, file].iter().for_each(|file| fs::remove_file(file).unwrap());
    }

    pub fn dir(&self, name: &str) -> PathBuf {
        self.root.join("machines").join(name)
    }

    /// Makes a machine with its certificates, for `address` and what `--tls-san` gave, an SSH key, and a disk of its driver.
    pub fn machine(&self, name: &str, driver: &str, address: &str, port: u16) -> PathBuf {
        let dir = self.dir(name);
        fs::create_dir(&dir).unwrap();
        let kind = if address.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
        let extensions = format!(
            "{USAGE}\nextendedKeyUsage=clientAuth,serverAuth\nsubjectAltName={kind}:{address},DNS:localhost,DNS:docker.example.com,IP:::1\n"
        );
        self.sign(&dir, ["server.pem", "server-key.pem"], &format!("user.{name}"), &extensions);
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            fs::copy(self.root.join("certs").join(file), dir.join(file)).unwrap();
        }
        fs::write(dir.join("id_rsa"), "an SSH key\n").unwrap();
        fs::write(dir.join("id_rsa.pub"), "a public SSH key\n").unwrap();
        fs::write(dir.join("disk.vmdk"), "a disk").unwrap();
        fs::create_dir(dir.join(name)).unwrap();
        self.write(name, &self.record(name, driver, address, port));
        dir
    }

    /// The record of a machine, with settings of its driver.
    pub fn record(&self, name: &str, driver: &str, address: &str, port: u16) -> Value {
        let path = |path: &Path| path.display().to_string();
        let (dir, certs) = (self.dir(name), self.root.join("certs"));
        let mut record = json!({
            "ConfigVersion": 3,
            "Driver": {
                "IPAddress": address, "MachineName": name, "SSHUser": "ubuntu", "SSHPort": 22,
                "SSHKeyPath": path(&dir.join("id_rsa")), "StorePath": path(&self.root), "SwarmMaster": false,
                "SwarmHost": "tcp://0.0.0.0:3376", "SwarmDiscovery": "",
                "AccessKey": "AKIA<1>", "SecretKey": "driver-secret", "SpotPrice": 0.5, "Tags": null,
                "EnginePort": port,
            },
            "DriverName": driver,
            "HostOptions": {
                "Driver": "", "Memory": 0, "Disk": 0,
                "EngineOptions": {
                    "ArbitraryFlags": ["log-level=warn", "max-concurrent-uploads 2"], "Dns": null, "GraphDir": "",
                    "Env": ["FOO=a b"], "Ipv6": false, "InsecureRegistry": ["registry.example.com:5000"],
                    "Labels": ["role=web"], "LogLevel": "", "StorageDriver": "overlay2", "SelinuxEnabled": false,
                    "TlsVerify": true, "RegistryMirror": ["https://mirror.example.com"],
                    "InstallURL": "https://get.docker.com",
                },
                "SwarmOptions": { "IsSwarm": false, "Address": "", "Discovery": "", "Master": false },
                "AuthOptions": {
                    "CertDir": path(&certs), "CaCertPath": path(&certs.join("ca.pem")),
                    "CaPrivateKeyPath": path(&certs.join("ca-key.pem")), "CaCertRemotePath": "",
                    "ServerCertPath": path(&dir.join("server.pem")), "ServerKeyPath": path(&dir.join("server-key.pem")),
                    "ClientKeyPath": path(&certs.join("key.pem")), "ServerCertRemotePath": "",
                    "ServerKeyRemotePath": "", "ClientCertPath": path(&certs.join("cert.pem")),
                    "ServerCertSANs": ["docker.example.com", "::1"], "StorePath": path(&dir),
                },
            },
            "Name": name,
        });
        if driver == "none" {
            record["Driver"]["URL"] = format!("tcp://{address}:{port}").into();
            record["Driver"]["IPAddress"] = format!("{address}:{port}").into();
        }
        record
    }

    /// Writes a machine's record as Go does, with its escapes.
    pub fn write(&self, name: &str, record: &Value) {
        let text =
            serde_json::to_string_pretty(record).unwrap().replace('<', "\\u003c").replace('>', "\\u003e");
        let file = self.dir(name).join("config.json");
        fs::write(&file, text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
}
