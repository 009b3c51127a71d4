//! `config.json`: Docker Machine's record of a machine. hostseed writes records with the driver `none`, complete enough
//! for Docker Machine's `ls`, `env`, `config`, `url`, `ip` and `inspect`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::{CERTS, json_text};
use crate::names::{Address, MachineName, host_of};
use crate::plan::{DEFAULT_PORT, Field, Plan};
use crate::secret::Secret;
use crate::userdata::paths;

/// The address and driver of a machine that hostseed or Docker Machine created.
#[derive(Debug, Clone)]
pub struct Record {
    /// `tcp://HOST:PORT`.
    pub url: String,
    /// The host without the port. IPv6 addresses have no brackets.
    pub host: String,
    pub port: u16,
    /// `none` for hostseed's machines.
    pub driver: String,
    json: Value,
    /// The record as it is. A driver's settings can contain secrets.
    text: Secret,
}

/// The `DOCKER_HOST` URL of an address.
pub fn url(address: &Address, port: u16) -> String {
    format!("tcp://{}:{port}", address.in_url())
}

impl Record {
    /// Reads the record of a machine that hostseed or Docker Machine created.
    pub fn from_json(source: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(source).context("it is not JSON")?;
        let text =
            |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let driver = text("/DriverName");
        let mut url = text("/Driver/URL");
        let address = text("/Driver/IPAddress");
        if url.is_empty() && !address.is_empty() {
            // Drivers other than `none` record only the address, and the port if the driver has an option for it.
            let port = json.pointer("/Driver/EnginePort").and_then(Value::as_u64);
            let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
            let address = Address::parse(&address).ok().context("its address is invalid")?;
            url = self::url(&address, port.unwrap_or(DEFAULT_PORT));
        }
        // The URL becomes part of a shell command. These characters neither end a word nor start a command.
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:/@[]+,=".contains(&b);
        ensure!(
            url.bytes().all(is_plain),
            "its address `{url}` contains a character that is not allowed in an address"
        );
        let uri: http::Uri = url.parse().ok().context("it contains no valid address")?;
        let port = uri.port_u16().unwrap_or(DEFAULT_PORT);
        // Docker Machine's driver `none` stores the port in `IPAddress` too, so the host is read from the URL.
        let host = host_of(&uri).unwrap_or_default().to_owned();
        Ok(Self { url, host, port, driver, json, text: Secret::new(source.to_owned()) })
    }

    /// The options of dockerd and the SANs that the record has, by their names in a spec.
    pub fn options(&self) -> Vec<Field> {
        let list = |name: &'static str, pointer: &str| {
            let values = self.json.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            Field::Many(name, values.filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let one = |name: &'static str, pointer: &str| {
            Field::One(
                name,
                self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned(),
            )
        };
        let mut fields = vec![
            list("tls-san", "/HostOptions/AuthOptions/ServerCertSANs"),
            list("engine-opt", "/HostOptions/EngineOptions/ArbitraryFlags"),
            list("engine-label", "/HostOptions/EngineOptions/Labels"),
            list("engine-registry-mirror", "/HostOptions/EngineOptions/RegistryMirror"),
            list("engine-insecure-registry", "/HostOptions/EngineOptions/InsecureRegistry"),
            one("engine-storage-driver", "/HostOptions/EngineOptions/StorageDriver"),
            list("engine-env", "/HostOptions/EngineOptions/Env"),
            one("engine-install-url", "/HostOptions/EngineOptions/InstallURL"),
        ];
        fields.retain(|field| match field {
            Field::One(_, value) => !value.is_empty(),
            Field::Many(_, values) => !values.is_empty(),
        });
        fields
    }

    /// Returns the record with another address and all other fields unchanged.
    pub fn moved(&self, address: &Address, url: &str) -> Result<String> {
        let texts: [(&[&str], _); 2] =
            [(&["Driver", "IPAddress"], address.to_string()), (&["Driver", "URL"], url.to_owned())];
        json_text::set(self.text.expose(), &texts.each_ref().map(|(path, text)| (*path, text.as_str())))
    }

    /// Returns the record with the paths of a machine in another store, and all other fields unchanged. `certs` is the folder of its CA.
    pub fn placed(&self, root: &Path, dir: &Path, certs: &Path) -> Result<String> {
        let mut texts: Vec<(&[&str], String)> = vec![(&["Driver", "StorePath"], root.display().to_string())];
        let key = Path::new(self.text_at("/Driver/SSHKeyPath"));
        // Other keys are the user's own.
        let is_machines =
            key.parent().and_then(Path::file_name).is_some_and(|name| Some(name) == dir.file_name());
        if let (true, Some(file)) = (is_machines, key.file_name()) {
            texts.push((&["Driver", "SSHKeyPath"], dir.join(file).display().to_string()));
        }
        let paths = auth_paths(root, dir, certs);
        let names: Vec<[&str; 3]> =
            paths.iter().map(|(name, _)| ["HostOptions", "AuthOptions", *name]).collect();
        texts.extend(names.iter().zip(&paths).map(|(path, (_, text))| (&path[..], text.clone())));
        let texts: Vec<_> = texts.iter().map(|(path, text)| (*path, text.as_str())).collect();
        json_text::set(self.text.expose(), &texts)
    }

    /// Returns the text of a record with another name of the machine, and all other fields unchanged.
    pub fn named(text: &str, name: &MachineName) -> Result<String> {
        json_text::set(text, &[(&["Driver", "MachineName"], name.as_str()), (&["Name"], name.as_str())])
    }

    fn text_at(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The version of the record's format. Docker Machine 0.16 writes 3.
    pub fn version(&self) -> u64 {
        self.json.get("ConfigVersion").and_then(Value::as_u64).unwrap_or_default()
    }

    /// The scheme of [`url`](Self::url), in lower case.
    pub fn scheme(&self) -> String {
        self.url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default()
    }

    /// Returns whether a record has no address. Docker Machine writes the record before the VM has one.
    pub fn lacks_address(json: &str) -> bool {
        let Ok(json) = serde_json::from_str::<Value>(json) else { return false };
        let is_empty = |name| json.pointer(name).and_then(Value::as_str).unwrap_or_default().is_empty();
        is_empty("/Driver/URL") && is_empty("/Driver/IPAddress")
    }

    /// Returns whether Docker Machine set up a standalone Swarm on the host.
    pub fn is_swarm(&self) -> bool {
        self.json.pointer("/HostOptions/SwarmOptions/IsSwarm") == Some(&Value::Bool(true))
    }

    /// The files of the CA's certificate and of its key, as Docker Machine's `--tls-ca-cert` and `--tls-ca-key` name them.
    pub fn authority_files(&self) -> [PathBuf; 2] {
        ["CaCertPath", "CaPrivateKeyPath"]
            .map(|name| self.text_at(&format!("/HostOptions/AuthOptions/{name}")).into())
    }

    /// Returns the record of a machine with another plan and another address. All other fields are unchanged.
    pub fn changed(&self, plan: &Plan, address: &Address, url: &str) -> Result<String> {
        let options = options(plan);
        let fields = options.iter().flat_map(|(section, fields)| {
            fields.iter().map(|(name, value)| (["HostOptions", section, name.as_str()], value))
        });
        let is_other = |path: &[&str; 3], value: &Value| {
            self.json.pointer(&format!("/{}", path.join("/"))) != Some(value)
        };
        let fields: Vec<_> = fields.filter(|(path, value)| is_other(path, value)).collect();
        let fields: Vec<_> = fields.iter().map(|(path, value)| (&path[..], value)).collect();
        json_text::set(&self.moved(address, url)?, &fields)
    }

    /// The folder of the store in which Docker Machine made the record. Empty if the record has none.
    pub fn driver_store(&self) -> PathBuf {
        self.text_at("/Driver/StorePath").into()
    }

    /// Returns the record of the same machine with another name, with the new paths of folders that moved, and all other fields
    /// unchanged.
    pub fn renamed(&self, name: &MachineName, moved: &[Moved]) -> Result<String> {
        Self::named(&self.with_paths(moved)?, name)
    }

    /// Returns the record with the new paths of folders that moved, and all other fields unchanged.
    pub fn with_paths(&self, moved: &[Moved]) -> Result<String> {
        let mut texts = Vec::new();
        moved_paths(&self.json, moved, &mut Vec::new(), &mut texts);
        let texts: Vec<_> = texts.iter().map(|(path, text)| (&path[..], text.as_str())).collect();
        json_text::set(self.text.expose(), &texts)
    }

    /// Makes the record of a new machine.
    pub fn json(
        plan: &Plan,
        address: &Address,
        url: &str,
        root: &Path,
        dir: &Path,
        certs: &Path,
    ) -> Result<String> {
        let paths_of_auth = auth_paths(root, dir, certs);
        let path = |name| {
            paths_of_auth
                .iter()
                .find(|(of, _)| *of == name)
                .map(|(_, path)| path.as_str())
                .unwrap_or_default()
        };
        let mut json = json!({
            "ConfigVersion": 3,
            "Driver": {
                "IPAddress": address.to_string(),
                "MachineName": plan.name.as_str(),
                "SSHUser": "",
                "SSHPort": 0,
                "SSHKeyPath": "",
                "StorePath": root.display().to_string(),
                "SwarmMaster": false,
                "SwarmHost": "",
                "SwarmDiscovery": "",
                "URL": url,
            },
            "DriverName": "none",
            "HostOptions": {
                "Driver": "",
                "Memory": 0,
                "Disk": 0,
                // The fields that are null here are filled in below; this is Docker Machine's order.
                "EngineOptions": {
                    "ArbitraryFlags": null,
                    "Dns": null,
                    "GraphDir": "",
                    "Env": null,
                    "Ipv6": false,
                    "InsecureRegistry": null,
                    "Labels": null,
                    "LogLevel": "",
                    "StorageDriver": null,
                    "SelinuxEnabled": false,
                    "TlsVerify": true,
                    "RegistryMirror": null,
                    "InstallURL": null,
                },
                "SwarmOptions": { "IsSwarm": false, "Master": false },
                "AuthOptions": {
                    "CertDir": path("CertDir"),
                    "CaCertPath": path("CaCertPath"),
                    "CaPrivateKeyPath": path("CaPrivateKeyPath"),
                    "CaCertRemotePath": paths::CA,
                    "ServerCertPath": path("ServerCertPath"),
                    "ServerKeyPath": path("ServerKeyPath"),
                    "ClientKeyPath": path("ClientKeyPath"),
                    "ServerCertRemotePath": paths::SERVER,
                    "ServerKeyRemotePath": paths::SERVER_KEY,
                    "ClientCertPath": path("ClientCertPath"),
                    "ServerCertSANs": null,
                    "StorePath": path("StorePath"),
                },
            },
            "Name": plan.name.as_str(),
        });
        for (section, fields) in options(plan) {
            json["HostOptions"][section].as_object_mut().context("a section is an object")?.extend(fields);
        }
        pretty(&json)
    }
}

/// The members of `AuthOptions` that name files of a machine's folder `dir`, of its CA's folder `certs`, or the store.
fn auth_paths(root: &Path, dir: &Path, certs: &Path) -> [(&'static str, String); 8] {
    let file = |dir: &Path, name: &str| dir.join(name).display().to_string();
    [
        ("CertDir", file(root, CERTS)),
        ("CaCertPath", file(dir, "ca.pem")),
        ("CaPrivateKeyPath", file(certs, "ca-key.pem")),
        ("ServerCertPath", file(dir, "server.pem")),
        ("ServerKeyPath", file(dir, "server-key.pem")),
        ("ClientKeyPath", file(dir, "key.pem")),
        ("ClientCertPath", file(dir, "cert.pem")),
        ("StorePath", dir.display().to_string()),
    ]
}

/// The fields of a record that a plan decides, by the section of `HostOptions`.
fn options(plan: &Plan) -> [(&'static str, Map<String, Value>); 2] {
    let engine = &plan.host.engine;
    let fields = |value: Value| value.as_object().cloned().unwrap_or_default();
    let engine = json!({
        "ArbitraryFlags": engine.opts,
        "Env": engine.env,
        "InsecureRegistry": engine.insecure_registries,
        "Labels": engine.labels,
        "StorageDriver": engine.storage_driver.as_deref().unwrap_or_default(),
        "RegistryMirror": engine.registry_mirrors,
        "InstallURL": plan.host.docker.install.script_url(),
    });
    let sans: Vec<_> = plan.tls_sans.iter().map(Address::to_string).collect();
    [("EngineOptions", fields(engine)), ("AuthOptions", fields(json!({ "ServerCertSANs": sans })))]
}

/// A folder that moves.
#[derive(Debug, Clone)]
pub struct Moved {
    pub from: PathBuf,
    pub to: PathBuf,
}

/// Finds the members of objects below `path` that are paths in a folder that moved, and their new values.
fn moved_paths<'a>(
    json: &'a Value,
    moved: &[Moved],
    path: &mut Vec<&'a str>,
    found: &mut Vec<(Vec<&'a str>, String)>,
) {
    match json {
        Value::String(text) => {
            let new = moved.iter().find_map(|Moved { from, to }| {
                // Joining an empty path would add a slash.
                let below = Path::new(text).strip_prefix(from).ok()?;
                Some(if below.as_os_str().is_empty() { to.clone() } else { to.join(below) })
            });
            found.extend(new.map(|new| (path.clone(), new.display().to_string())));
        }
        Value::Object(members) => {
            for (name, value) in members {
                path.push(name);
                moved_paths(value, moved, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn pretty(json: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(json)? + "\n")
}
