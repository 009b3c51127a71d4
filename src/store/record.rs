//! `config.json`: Docker Machine's record of a machine. hostseed writes records with the driver `none`, complete enough
//! for Docker Machine's `ls`, `env`, `config`, `url`, `ip` and `inspect`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::names::{Address, host_of};
use crate::plan::{DEFAULT_PORT, Field, Plan};
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
}

/// The `DOCKER_HOST` URL of an address.
pub fn url(address: &Address, port: u16) -> String {
    format!("tcp://{}:{port}", address.in_url())
}

impl Record {
    /// Reads the record of a machine that hostseed or Docker Machine created.
    pub fn from_json(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).context("it is not JSON")?;
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
        Ok(Self { url, host, port, driver, json })
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
        let mut json = self.json.clone();
        let driver =
            json.get_mut("Driver").and_then(Value::as_object_mut).context("config.json has no `Driver`")?;
        driver.insert("IPAddress".into(), address.to_string().into());
        driver.insert("URL".into(), url.into());
        pretty(&json)
    }

    /// Returns the record of a machine with another plan and another address. All fields that hostseed does not set are unchanged.
    pub fn changed(&self, plan: &Plan, address: &Address, url: &str) -> Result<String> {
        let mut json: Value = serde_json::from_str(&self.moved(address, url)?)?;
        for (section, fields) in options(plan) {
            let object = json.pointer_mut(&format!("/HostOptions/{section}")).and_then(Value::as_object_mut);
            object.with_context(|| format!("config.json has no `{section}`"))?.extend(fields);
        }
        pretty(&json)
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
        let file = |dir: &Path, name: &str| dir.join(name).display().to_string();
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
                    "CertDir": file(root, "certs"),
                    "CaCertPath": file(dir, "ca.pem"),
                    "CaPrivateKeyPath": file(certs, "ca-key.pem"),
                    "CaCertRemotePath": paths::CA,
                    "ServerCertPath": file(dir, "server.pem"),
                    "ServerKeyPath": file(dir, "server-key.pem"),
                    "ClientKeyPath": file(dir, "key.pem"),
                    "ServerCertRemotePath": paths::SERVER,
                    "ServerKeyRemotePath": paths::SERVER_KEY,
                    "ClientCertPath": file(dir, "cert.pem"),
                    "ServerCertSANs": null,
                    "StorePath": dir.display().to_string(),
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

fn pretty(json: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(json)? + "\n")
}
