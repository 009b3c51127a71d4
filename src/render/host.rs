//! The files for a host: the payloads, the `setup` script that installs them, and its settings.

use anyhow::Result;
use minijinja::{Value, context};

use super::issue;
use crate::artifact::Artifact;
use crate::pki::HostIdentity;
use crate::plan::{Channel, DEFAULT_PORT, HostPlan, HostRole, Install, OFFICIAL_MIRROR, Plan, Proxy};
use crate::secret::Secret;
use crate::templates;
use crate::userdata::manifest::Entry;
use crate::userdata::paths::{
    self, CA, DAEMON_OPTIONS, DROP_IN, ISSUER, ISSUER_KEY, LIB, SERVER, SERVER_KEY,
};
use crate::userdata::setup::Script;

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

    /// The files for a boot issuer on a system without `setup`. Empty without a boot issuer.
    pub fn attachments(&self) -> Result<Vec<Artifact>> {
        match self.machine {
            Some((plan, _)) if self.issues() => issue::attachments(plan),
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

    /// The `setup` script. With `image`, the script installs and enables everything but starts nothing.
    pub fn setup(&self, image: bool) -> Script {
        Script::of(image, self.issues())
    }

    /// Renders the settings that the `setup` script reads. They may contain the password of a proxy.
    pub fn settings(&self, payloads: &[Artifact], image: bool) -> Result<String> {
        let docker = &self.plan.docker;
        let payloads: Vec<String> = payloads.iter().map(|file| Entry::of(file).to_string()).collect();
        let issue = match self.machine {
            Some((plan, _)) if self.issues() => issue::settings(plan),
            _ => context! {},
        };
        let values = context! {
            machine => self.name(),
            issues => self.issues(),
            mode => if image { "image" } else { "host" },
            // None for the defaults, which `setup` has.
            port => Some(self.plan.port).filter(|port| *port != DEFAULT_PORT),
            docker => (docker.install != Install::Auto).then(|| docker.install.name()),
            docker_version => docker.version.as_deref(),
            docker_channel => (docker.channel != Channel::Stable).then(|| docker.channel.name()),
            docker_mirror => Some(docker.mirror.as_str()).filter(|mirror| *mirror != OFFICIAL_MIRROR),
            docker_key_fingerprint => docker.key_fingerprint.as_deref(),
            docker_install_url => docker.install.script_url(),
            block_metadata => self.plan.block_metadata,
            open_firewall => self.plan.open_firewall,
            daemon_json => self.plan.engine.daemon_json.is_some() && self.plan.docker.install != Install::None,
            docker_install_sha256 => docker.install.script_sha256(),
            payloads => payloads.join("\n"),
            proxy => self.plan.proxy.as_ref().map(|proxy| proxy.url.as_str()),
            no_proxy => self.plan.proxy.as_ref().map(|proxy| proxy.exceptions.join(",")),
            docker_users => self.plan.docker_users.clone(),
            ..issue
        };
        templates::render("host/settings", values)
    }
}

fn flag(flag: &str, value: impl Into<String>) -> Value {
    context! { flag, value => value.into() }
}
