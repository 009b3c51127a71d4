//! Every option of a machine and of an image, defined once. A definition makes the flag of `create` and `bake` with its help, the
//! field of a spec file, the key of a query to `external`, the attribute of Terraform's resources, and the field of the JSON Schema. `plan/`
//! checks the values.

use clap::{Args, ValueHint};

use crate::diag::Position;

/// A value as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// Where the value begins in its file; none for a flag or a query.
    pub position: Option<Position>,
}

impl From<String> for Word {
    /// A word without a position.
    fn from(text: String) -> Self {
        Self { text, position: None }
    }
}

/// The values that one option accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One text or whole number.
    One,
    /// `true` or `false`, in a file with or without quotes. A flag without a value means `true`.
    Switch,
    /// One or more texts: a repeatable flag, a list in a file.
    Many,
    /// As [`Many`](Self::Many), each item `K=V`; in a file also a map.
    Pairs,
    /// The name of a file or a JSON object; in a spec file also a map.
    Object,
}

/// An option's names and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The flag without its hyphens, and the field of a spec file.
    pub name: &'static str,
    /// The attribute of Terraform's resources. That of a list is in the plural.
    pub attribute: &'static str,
    pub kind: Kind,
}

/// The field that receives an option's values.
pub enum Slot<'a> {
    One(&'a mut Option<Word>),
    Many(&'a mut Vec<Word>),
}

impl Slot<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Self::One(word) => word.is_none(),
            Self::Many(words) => words.is_empty(),
        }
    }
}

impl<'a> From<&'a mut Option<Word>> for Slot<'a> {
    fn from(word: &'a mut Option<Word>) -> Self {
        Self::One(word)
    }
}

impl<'a> From<&'a mut Vec<Word>> for Slot<'a> {
    fn from(words: &'a mut Vec<Word>) -> Self {
        Self::Many(words)
    }
}

/// Defines a group of options: for each its help, clap's attributes, its kind, its name, and the field for its values.
macro_rules! options {
    (
        $(#[$group:meta])*
        pub struct $Group:ident {
            $($(#[$option:meta])* $kind:ident $name:literal => $field:ident: $values:ty,)*
        }
    ) => {
        #[derive(Debug, Clone, Default, Args)]
        $(#[$group])*
        pub struct $Group {
            $($(#[$option])* #[arg(long = $name)] pub $field: $values,)*
        }

        impl $Group {
            /// The options of this group, in the order of the help.
            pub const DEFINITIONS: &[Definition] = &[
                $(Definition { name: $name, attribute: stringify!($field), kind: Kind::$kind }),*
            ];

            /// The field of the option `name`; none if it is not in this group.
            pub fn slot(&mut self, name: &str) -> Option<Slot<'_>> {
                match name {
                    $($name => Some(Slot::from(&mut self.$field)),)*
                    _ => None,
                }
            }

            /// The names of the options that have a value.
            pub fn given(&self) -> Vec<&'static str> {
                let mut values = self.clone();
                let names = Self::DEFINITIONS.iter().map(|definition| definition.name);
                names.filter(|name| values.slot(name).is_some_and(|slot| !slot.is_empty())).collect()
            }
        }
    };
}

options! {
    /// Options of a machine's certificates and addresses. An image has none of them.
    #[group(id = "identity", multiple = true)]
    #[command(next_help_heading = "Identity")]
    pub struct Identity {
        /// IP address or DNS name that clients connect to; repeatable, DOCKER_HOST has the first
        #[arg(value_name = "ADDRESS", value_hint = ValueHint::Hostname)]
        Many "address" => addresses: Vec<Word>,

        /// Additional address or name in the server certificate; repeatable
        #[arg(value_name = "NAME", value_hint = ValueHint::Hostname)]
        Many "tls-san" => tls_sans: Vec<Word>,

        /// Let the host issue its own server certificate at boot, for these addresses and all others that it has (the
        /// default when no address is given)
        #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        Switch "boot-issuer" => boot_issuer: Option<Word>,

        /// With a boot issuer: the URL where the host gets its public address, instead of the cloud's metadata service; no
        /// proxy is used
        #[arg(value_name = "URL", value_hint = ValueHint::Url)]
        One "public-address-url" => public_address_url: Option<Word>,

        /// Type of the keys: p256, p384, ed25519, rsa2048 or rsa4096 [default: p256]
        #[arg(value_name = "KIND")]
        One "key" => key: Option<Word>,

        /// Validity of the client and server (or boot issuer) certificates, such as 720h, 90d or 2y [default: 730d]
        #[arg(value_name = "TIME", value_hint = ValueHint::Other)]
        One "valid-for" => valid_for: Option<Word>,

        /// CA that signs the certificates: `own` (a new one for this machine), `shared` (the store's), or a folder with
        /// ca.pem and ca-key.pem [default: own]; HOSTSEED_CA_PASSPHRASE has the passphrase of its key, or the terminal asks
        #[arg(value_name = "CA", value_hint = ValueHint::DirPath)]
        One "ca" => ca: Option<Word>,
    }
}

options! {
    /// Options of Docker on the host, for a machine and for an image.
    #[group(id = "host", multiple = true)]
    #[command(next_help_heading = "Docker")]
    pub struct Host {
        /// Port of the Docker API [default: 2376]
        #[arg(value_name = "PORT", value_hint = ValueHint::Other)]
        One "port" => port: Option<Word>,

        /// Docker packages to install: auto, official, distro, or none if the image has Docker [default: auto]
        #[arg(value_name = "SOURCE")]
        One "docker" => docker: Option<Word>,

        /// Exact version of Docker; if it is not available, setup fails and lists the versions
        #[arg(value_name = "VERSION", value_hint = ValueHint::Other)]
        One "docker-version" => docker_version: Option<Word>,

        /// Channel of Docker's repository: stable, test or nightly [default: stable]
        #[arg(value_name = "CHANNEL")]
        One "docker-channel" => docker_channel: Option<Word>,

        /// Mirror of Docker's repositories [default: https://download.docker.com]
        #[arg(value_name = "URL", value_hint = ValueHint::Url)]
        One "docker-mirror" => docker_mirror: Option<Word>,

        /// Fingerprint of the repository's signing key, 40 hex digits [default: Docker's keys]
        #[arg(value_name = "HEX", value_hint = ValueHint::Other)]
        One "docker-key-fingerprint" => docker_key_fingerprint: Option<Word>,

        /// Proxy through which the host downloads packages and Docker pulls images
        #[arg(value_name = "URL", value_hint = ValueHint::Url)]
        One "proxy" => proxy: Option<Word>,

        /// Hosts, domains and networks that are reached without the proxy, separated by commas; repeatable
        #[arg(value_name = "LIST", value_hint = ValueHint::Other)]
        Many "no-proxy" => no_proxy: Vec<Word>,

        /// User of the host who may use docker without sudo, which makes the user equal to root; not with Ignition; repeatable
        #[arg(value_name = "USER", value_hint = ValueHint::Username)]
        Many "docker-group" => docker_group: Vec<Word>,

        /// Block containers from the cloud's metadata service, which serves the user-data and the cloud's credentials;
        /// privileged containers and those with the host's network still reach it
        #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        Switch "block-metadata" => block_metadata: Option<Word>,

        /// Accept the port in rules of iptables and nftables that the image loads at boot and that reject it, as in Oracle's images;
        /// not with Ignition. firewalld and ufw are opened without this option
        #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        Switch "open-firewall" => open_firewall: Option<Word>,

        /// Option of dockerd, without hyphens in front: `FLAG=VALUE` or `FLAG`; repeatable
        #[arg(value_name = "FLAG=VALUE", help_heading = "Engine", allow_hyphen_values = true, value_hint = ValueHint::Other)]
        Pairs "engine-opt" => engine_opts: Vec<Word>,

        /// Allow options of dockerd that hostseed does not know, or that this version of Docker does not have
        #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(help_heading = "Engine")]
        Switch "allow-unknown-engine-opts" => allow_unknown_engine_opts: Option<Word>,

        /// File with options for /etc/docker/daemon.json, or the JSON itself (`{"log-driver": "local"}`; in a spec file also a
        /// map); if the image has that file, these keys replace its keys and the others stay
        #[arg(value_name = "FILE", help_heading = "Engine", value_hint = ValueHint::FilePath)]
        Object "daemon-json" => daemon_json: Option<Word>,

        /// Label of the Docker daemon; repeatable
        #[arg(value_name = "KEY=VALUE", help_heading = "Engine", value_hint = ValueHint::Other)]
        Pairs "engine-label" => engine_labels: Vec<Word>,

        /// URL of a Docker Hub mirror; repeatable
        #[arg(value_name = "URL", help_heading = "Engine", value_hint = ValueHint::Url)]
        Many "engine-registry-mirror" => engine_registry_mirrors: Vec<Word>,

        /// Registry or network that Docker uses without TLS verification; repeatable
        #[arg(value_name = "HOST", help_heading = "Engine", value_hint = ValueHint::Hostname)]
        Many "engine-insecure-registry" => engine_insecure_registries: Vec<Word>,

        /// Storage driver of Docker [default: chosen by Docker]
        #[arg(value_name = "DRIVER", help_heading = "Engine", value_hint = ValueHint::Other)]
        One "engine-storage-driver" => engine_storage_driver: Option<Word>,

        /// Environment variable of the Docker daemon; repeatable
        #[arg(value_name = "NAME=VALUE", help_heading = "Engine", value_hint = ValueHint::Other)]
        Pairs "engine-env" => engine_env: Vec<Word>,

        /// Install Docker by running the script at URL as root: anyone who controls the URL controls the host
        #[arg(value_name = "URL", help_heading = "Engine", value_hint = ValueHint::Url)]
        One "engine-install-url" => engine_install_url: Option<Word>,

        /// Run that script only if it has this SHA-256
        #[arg(value_name = "HEX", help_heading = "Engine", value_hint = ValueHint::Other)]
        One "engine-install-sha256" => engine_install_sha256: Option<Word>,

        /// Allow an install URL that begins with `http://`: anyone on the network path can replace the script
        #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(help_heading = "Engine")]
        Switch "insecure-install-url" => insecure_install_url: Option<Word>,
    }
}

/// All options, first those of a machine only.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    Identity::DEFINITIONS.iter().chain(Host::DEFINITIONS)
}

/// The help of an option.
pub fn help(name: &str) -> String {
    let command = Host::augment_args(Identity::augment_args(clap::Command::new("create")));
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(name));
    argument.and_then(clap::Arg::get_help).map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definitions_kind_is_that_of_its_field() {
        let (mut identity, mut host) = (Identity::default(), Host::default());
        for Definition { name, kind, .. } in all() {
            let slot = identity.slot(name).or_else(|| host.slot(name)).unwrap();
            let is_one = matches!(kind, Kind::One | Kind::Switch | Kind::Object);
            assert_eq!(matches!(slot, Slot::One(_)), is_one, "{name}");
        }
        let mut names: Vec<_> = all().map(|definition| definition.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count());
    }
}
