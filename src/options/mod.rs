//! Every option of a machine and of an image, defined once. From a definition come the flag of `create` and `bake` with its help,
//! the field of a spec file, the key of a query to `external`, and the field of the JSON Schema. What the values mean, and what is
//! wrong with them, is decided in `plan/`.

use clap::{Args, ValueHint};

use crate::diag::Position;

/// A value as written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// Where the value begins in its file; none outside files.
    pub position: Option<Position>,
}

impl From<String> for Word {
    /// A word that stands in no file.
    fn from(text: String) -> Self {
        Self { text, position: None }
    }
}

/// The values that one option accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One text or whole number.
    One,
    /// `true` or `false`, in a file without quotes too. As a flag it needs no value.
    Switch,
    /// One or more texts: a repeatable flag, a list in a file.
    Many,
    /// As [`Many`](Self::Many), each item `K=V`; in a file also a map.
    Pairs,
}

/// An option's name and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The flag without its hyphens, and the field of a spec file.
    pub name: &'static str,
    pub kind: Kind,
}

/// Where an option's values go.
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

/// Defines a group of options: each has its help, clap's attributes, its kind, its name, and the field with its values.
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
            pub const DEFINITIONS: &[Definition] = &[$(Definition { name: $name, kind: Kind::$kind }),*];

            /// Where the values of an option of this group go.
            pub fn slot(&mut self, name: &str) -> Option<Slot<'_>> {
                match name {
                    $($name => Some(Slot::from(&mut self.$field)),)*
                    _ => None,
                }
            }
        }
    };
}

options! {
    /// Options that make a machine's identity. They mean nothing to an image.
    #[group(id = "identity", multiple = true)]
    #[command(next_help_heading = "Identity")]
    pub struct Identity {
        /// IP address or DNS name that clients dial; repeatable, the first goes into DOCKER_HOST
        #[arg(value_name = "ADDRESS", value_hint = ValueHint::Hostname)]
        Many "address" => addresses: Vec<Word>,

        /// Further address or name for the server's certificate; repeatable
        #[arg(value_name = "NAME", value_hint = ValueHint::Hostname)]
        Many "tls-san" => tls_sans: Vec<Word>,

        /// Let the host issue its own certificate, for these addresses and those that it finds; without any address
        /// that is so anyway
        #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        Switch "boot-issuer" => boot_issuer: Option<Word>,

        /// Where such a host asks for its public address, without a proxy, in place of its cloud's metadata
        #[arg(value_name = "URL", value_hint = ValueHint::Url)]
        One "public-address-url" => public_address_url: Option<Word>,

        /// Kind of key: p256, p384, ed25519, rsa2048 or rsa4096 [default: p256]
        #[arg(value_name = "KIND")]
        One "key" => key: Option<Word>,

        /// How long the certificates of the client and of the server (or boot issuer) are valid [default: 730d]
        #[arg(value_name = "TIME", value_hint = ValueHint::Other)]
        One "valid-for" => valid_for: Option<Word>,

        /// Who signs: the machine's `own` authority, the store's `shared` one, or ca.pem and ca-key.pem of a folder
        /// [default: own]
        #[arg(value_name = "WHO", value_hint = ValueHint::DirPath)]
        One "ca" => ca: Option<Word>,
    }
}

options! {
    /// Options of Docker on the host. A machine and an image have them.
    #[group(id = "host", multiple = true)]
    #[command(next_help_heading = "Docker")]
    pub struct Host {
        /// Port of the Docker API [default: 2376]
        #[arg(value_name = "PORT", value_hint = ValueHint::Other)]
        One "port" => port: Option<Word>,

        /// Whose Docker: auto, official, distro or none (the image has it) [default: auto]
        #[arg(value_name = "WHOSE")]
        One "docker" => docker: Option<Word>,

        /// Exact version, or fail saying which there are
        #[arg(value_name = "VERSION", value_hint = ValueHint::Other)]
        One "docker-version" => docker_version: Option<Word>,

        /// stable, test or nightly [default: stable]
        #[arg(value_name = "CHANNEL")]
        One "docker-channel" => docker_channel: Option<Word>,

        /// Mirror of Docker's repositories [default: https://download.docker.com]
        #[arg(value_name = "URL", value_hint = ValueHint::Url)]
        One "docker-mirror" => docker_mirror: Option<Word>,

        /// Fingerprint of the mirror's key, 40 hex digits [default: Docker's keys]
        #[arg(value_name = "HEX", value_hint = ValueHint::Other)]
        One "docker-key-fingerprint" => docker_key_fingerprint: Option<Word>,

        /// Keep containers from the cloud's metadata service, which hands out the user-data and the cloud's credentials;
        /// containers in the host's own network and privileged ones still reach it
        #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        Switch "block-metadata" => block_metadata: Option<Word>,

        /// Option of dockerd without hyphens, `FLAG=VALUE` or `FLAG`; repeatable
        #[arg(value_name = "FLAG=VALUE", help_heading = "Engine", allow_hyphen_values = true, value_hint = ValueHint::Other)]
        Pairs "engine-opt" => engine_opts: Vec<Word>,

        /// Label of the daemon; repeatable
        #[arg(value_name = "KEY=VALUE", help_heading = "Engine", value_hint = ValueHint::Other)]
        Pairs "engine-label" => engine_labels: Vec<Word>,

        /// Mirror of Docker Hub; repeatable
        #[arg(value_name = "URL", help_heading = "Engine", value_hint = ValueHint::Url)]
        Many "engine-registry-mirror" => engine_registry_mirrors: Vec<Word>,

        /// Registry or network reached without verified TLS; repeatable
        #[arg(value_name = "HOST", help_heading = "Engine", value_hint = ValueHint::Hostname)]
        Many "engine-insecure-registry" => engine_insecure_registries: Vec<Word>,

        /// Storage driver [default: the daemon's choice]
        #[arg(value_name = "DRIVER", help_heading = "Engine", value_hint = ValueHint::Other)]
        One "engine-storage-driver" => engine_storage_driver: Option<Word>,

        /// Variable in the daemon's environment; repeatable
        #[arg(value_name = "NAME=VALUE", help_heading = "Engine", value_hint = ValueHint::Other)]
        Pairs "engine-env" => engine_env: Vec<Word>,

        /// Run the script at URL, as root, instead of installing packages; whoever controls the URL controls the host
        #[arg(value_name = "URL", help_heading = "Engine", value_hint = ValueHint::Url)]
        One "engine-install-url" => engine_install_url: Option<Word>,

        /// Run that script only if this is its SHA-256
        #[arg(value_name = "HEX", help_heading = "Engine", value_hint = ValueHint::Other)]
        One "engine-install-sha256" => engine_install_sha256: Option<Word>,

        /// Accept an install URL that begins with `http://`: anyone between it and the host can replace the script
        #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(help_heading = "Engine")]
        Switch "insecure-install-url" => insecure_install_url: Option<Word>,
    }
}

/// All options, those of the identity first.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    Identity::DEFINITIONS.iter().chain(Host::DEFINITIONS)
}

impl Identity {
    /// The names of the options that have a value.
    pub fn given(&self) -> Vec<&'static str> {
        let mut values = self.clone();
        let names = Self::DEFINITIONS.iter().map(|definition| definition.name);
        names.filter(|name| values.slot(name).is_some_and(|slot| !slot.is_empty())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definitions_kind_is_that_of_its_field() {
        let (mut identity, mut host) = (Identity::default(), Host::default());
        for Definition { name, kind } in all() {
            let slot = identity.slot(name).or_else(|| host.slot(name)).unwrap();
            let is_one = matches!(kind, Kind::One | Kind::Switch);
            assert_eq!(matches!(slot, Slot::One(_)), is_one, "{name}");
        }
        let mut names: Vec<_> = all().map(|definition| definition.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count());
    }
}
