//! The files for a host: the payloads, and the `setup` script that installs them.

use anyhow::Result;
use minijinja::{Value, context};

use super::{host_set, issue};
use crate::artifact::Artifact;
use crate::pki::HostIdentity;
use crate::plan::{HostPlan, HostRole, Install, Plan, Proxy};
use crate::secret::Secret;
use crate::templates;
use crate::userdata::manifest::Entry;
use crate::userdata::paths::{
    self, CA, DAEMON_OPTIONS, DROP_IN, ISSUER, ISSUER_KEY, LIB, SERVER, SERVER_KEY,
};

/// A machine, or an image without an identity.
pub struct Host<'a> {
    pub plan: &'a HostPlan,
    /// None for an image.
    pub machine: Option<(&'a Plan, &'a HostIdentity)>,
}

impl<'a> Host<'a> {
    /// A host with a machine's identity.
    pub fn machine(plan: &'a Plan, identity: &'a HostIdentity) -> Self {
        Self { plan: &plan.host, machine: Some((plan, identity)) }
    }

    /// An image without an identity.
    pub fn image(plan: &'a HostPlan) -> Self {
        Self { plan, machine: None }
    }

    /// The machine's name. Empty for an image.
    pub fn name(&self) -> &'a str {
        self.machine.map_or("", |(plan, _)| plan.name.as_str())
    }

    /// The kind of identity that the host gets. None for an image.
    pub fn role(&self) -> Option<HostRole> {
        self.machine.map(|(plan, _)| plan.host_role())
    }

    /// The file name of the host's certificate and key without the extension. Empty for an image.
    pub fn stem(&self) -> &'static str {
        self.role().map_or("", HostRole::file_stem)
    }

    fn issues(&self) -> bool {
        self.role() == Some(HostRole::BootIssuer)
    }

    /// A file of this host's seed. Only its owner can read it if it can contain a private key.
    pub fn artifact(&self, path: &str, bytes: impl Into<Secret<Vec<u8>>>) -> Artifact {
        match self.machine {
            Some(_) => Artifact::private(path, bytes),
            None => Artifact::public(path, bytes),
        }
    }

    /// The files that `setup` installs, with paths relative to `/`.
    pub fn payloads(&self) -> Result<Vec<Artifact>> {
        let mut files = self.identity();
        // A machine on a baked image needs only its identity, because the image has the drop-in.
        if self.machine.is_none() || self.plan.docker.install != Install::None {
            files.push(Artifact::public(paths::relative(DROP_IN), self.drop_in(LIB)?));
            files.extend(self.daemon_json(DAEMON_OPTIONS)?);
        }
        Ok(files)
    }

    /// The certificates and the private key for the host, with paths relative to `/`. Empty for an image.
    pub fn identity(&self) -> Vec<Artifact> {
        let Some((plan, identity)) = self.machine else { return Vec::new() };
        let (certificate, key) = match plan.host_role() {
            HostRole::Server => (SERVER, SERVER_KEY),
            HostRole::BootIssuer => (ISSUER, ISSUER_KEY),
        };
        vec![
            Artifact::public(paths::relative(CA), identity.ca.pem()),
            Artifact::public(paths::relative(certificate), identity.chain_pem()),
            Artifact::private(paths::relative(key), identity.key.expose()),
        ]
    }

    /// The options for daemon.json, as a file at `path`. Only root can read it, because a proxy may have a password.
    pub fn daemon_json(&self, path: &str) -> Result<Option<Artifact>> {
        let Some(json) = &self.plan.engine.daemon_json else { return Ok(None) };
        let fields: serde_json::Value = serde_json::from_str(json)?;
        let text = serde_json::to_string_pretty(&fields)? + "\n";
        Ok(Some(Artifact::private(paths::relative(path), text.into_bytes())))
    }

    /// The files for a boot issuer, with `issue` in the folder `lib`. Empty without a boot issuer.
    pub fn attachments(&self, lib: &str) -> Result<Vec<Artifact>> {
        match self.machine {
            Some((plan, _)) if self.issues() => issue::attachments(plan, lib),
            _ => Ok(Vec::new()),
        }
    }

    /// Renders the drop-in. `lib` is the folder of `issue` on the host.
    pub fn drop_in(&self, lib: &str) -> Result<String> {
        let engine = &self.plan.engine;
        // Go also listens on IPv6 where the host has it (net.Listen: an unspecified address means every address).
        let mut args = vec![flag("-H", "fd://"), flag("-H", format!("tcp://0.0.0.0:{}", self.plan.port))];
        args.extend(engine.storage_driver.iter().map(|driver| flag("--storage-driver", driver)));
        args.push(context! { flag => "--tlsverify", value => () });
        args.push(flag("--tlscacert", CA));
        args.push(flag("--tlscert", SERVER));
        args.push(flag("--tlskey", SERVER_KEY));
        args.extend(engine.labels.iter().map(|label| flag("--label", label)));
        args.extend(engine.insecure_registries.iter().map(|r| flag("--insecure-registry", r)));
        args.extend(engine.registry_mirrors.iter().map(|m| flag("--registry-mirror", m)));
        args.extend(engine.opts.iter().map(|opt| context! { flag => format!("--{opt}"), value => () }));
        let values = context! {
            port => self.plan.port,
            waits_for_identity => self.machine.is_none(),
            issues => self.issues(),
            // A host without an identity may get a boot issuer later.
            keeps_containers => self.role() != Some(HostRole::Server) && engine.opt("live-restore").is_none(),
            block_metadata => self.plan.block_metadata,
            env => self.environment(),
            lib => Value::from_safe_string(lib.to_owned()),
            args,
        };
        templates::render("host/10-machine.conf", values)
    }

    /// The environment of dockerd: the proxy's variables, then the user's.
    fn environment(&self) -> Vec<String> {
        let proxy = self.plan.proxy.as_ref().map(Proxy::variables).unwrap_or_default();
        [proxy, self.plan.engine.env.clone()].concat()
    }

    /// Renders the `setup` script. With `image`, the script installs and enables everything but starts nothing.
    pub fn setup(&self, payloads: &[Artifact], image: bool) -> Result<String> {
        let docker = &self.plan.docker;
        let attachments = self.attachments(LIB)?;
        let text =
            |unit: &Artifact| Value::from_safe_string(String::from_utf8_lossy(&unit.bytes).into_owned());
        let units = host_set::units()?;
        let units = context! { path => text(&units[0]), service => text(&units[1]) };
        let payloads: Vec<String> = payloads.iter().map(|file| Entry::of(file).to_string()).collect();
        let values = context! {
            machine => self.name(),
            has_identity => self.machine.is_some(),
            issues => self.issues(),
            units,
            attachments => attachments.iter().map(attachment).collect::<Vec<_>>(),
            mode => mode(image),
            port => self.plan.port,
            docker => docker.install.name(),
            docker_version => docker.version.as_deref().unwrap_or_default(),
            docker_channel => docker.channel.name(),
            docker_mirror => docker.mirror.as_str(),
            docker_key_fingerprint => docker.key_fingerprint.as_deref().unwrap_or_default(),
            docker_install_url => docker.install.script_url(),
            block_metadata => self.plan.block_metadata,
            open_firewall => self.plan.open_firewall,
            daemon_json => self.plan.engine.daemon_json.is_some() && self.plan.docker.install != Install::None,
            docker_install_sha256 => docker.install.script_sha256(),
            payloads => payloads.join("\n"),
            proxy => self.plan.proxy.as_ref().map(|proxy| proxy.url.as_str()),
            no_proxy => self.plan.proxy.as_ref().map(|proxy| proxy.exceptions.join(",")),
            docker_users => self.plan.docker_users.clone(),
        };
        templates::render("host/setup", values)
    }
}

/// The name of the mode in the `setup` script.
pub fn mode(image: bool) -> &'static str {
    if image { "image" } else { "host" }
}

/// A file that `setup` contains in a here-document, without escaping.
fn attachment(file: &Artifact) -> Value {
    context! {
        path => format!("/{}", file.path),
        mode => format!("{:04o}", file.mode),
        text => Value::from_safe_string(String::from_utf8_lossy(&file.bytes).into_owned()),
        end => format!("END OF {}", file.file_name()),
    }
}

fn flag(flag: &str, value: impl Into<String>) -> Value {
    context! { flag, value => value.into() }
}
