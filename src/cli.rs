//! The command line: clap's definitions, and the spec that the flags of a machine spell.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::commands::render::Request;
use crate::plan::{Cloud, DEFAULT_PORT};
use crate::render::{Format, Packing, Shell};
use crate::spec::{Spec, Word};

/// Makes a remote Docker host without SSH.
///
/// `create` makes the TLS identity here and the user-data that a new VM boots from; `env` prints what the docker
/// CLI needs to reach it.
#[derive(Debug, Parser)]
#[command(name = "hostseed", version, max_term_width = 100, infer_long_args = false)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 wrong usage or a wrong spec.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Where machines are kept [default: ~/.docker/machine]
    #[arg(
        short = 's',
        long = "store",
        visible_alias = "storage-path",
        env = "MACHINE_STORAGE_PATH",
        hide_env_values = true
    )]
    #[arg(value_name = "DIR", global = true)]
    pub store: Option<PathBuf>,

    /// Use a store or `--ca` folder even if another user owns it or can write to it; that user can replace keys
    #[arg(long, global = true, env = "HOSTSEED_ALLOW_INSECURE_STORE", hide_env_values = true)]
    #[arg(value_parser = consent)]
    pub allow_insecure_store: bool,

    /// Say nothing but results and errors
    #[arg(long, global = true)]
    pub quiet: bool,
}

const EXTERNAL: &str = "\
The query comes on standard input, as Terraform writes it, a flat JSON object of texts: `name`, `addresses`, and every \
option of `create` (`engine_label`, `key`, `docker_version`, …). A list is a line each, or `jsonencode([…])`. `for` \
names the cloud and looks whether the user-data fits, `gzip = \"true\"` compresses it, `format` is cloud-config, script \
or ignition.

The answer has name, docker_host, cert_path, user_data, user_data_base64, fingerprint_authority, fingerprint_host, \
fingerprint_client and expiry. Asked again, it is the same, and nothing new is made. A query that says otherwise than \
the machine is refused with the fields that differ.";

/// One verb each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a machine: its identity, what its VM boots from, and the client's side
    Create(Create),
    /// Print what a machine's VM boots from, always the same bytes
    Render(Render),
    /// Print the script that puts Docker into an image, without an identity
    Bake(Bake),
    /// Show what is known of clouds: limits, where to paste, how to open the port
    Clouds {
        /// All of one cloud, with its commands and Terraform's lines
        #[arg(value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
        cloud: Option<&'static Cloud>,
        /// The port to be opened
        #[arg(long, default_value_t = DEFAULT_PORT, value_parser = clap::value_parser!(u16).range(1..))]
        port: u16,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Take a seed back apart, whoever made it, and say what is wrong with it
    #[command(after_help = "Exit status: 0 fine, 1 something is wrong, 2 wrong usage.")]
    Verify {
        /// User-data in any form, a seed disk, a folder, what `terraform show` or a cloud's API prints (`-`: standard input)
        file: PathBuf,
        /// Where it is to go: its limits are errors then
        #[arg(long = "for", value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
        cloud: Option<&'static Cloud>,
        /// Fail on warnings too
        #[arg(long)]
        strict: bool,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Answer Terraform's data source `external`: find a queried machine, or make it
    #[command(after_help = EXTERNAL)]
    External,
    /// Print the environment that the docker CLI needs, for a shell to evaluate
    Env {
        /// The machine [default: default]
        #[arg(conflicts_with = "unset")]
        name: Option<String>,
        /// The shell's language [default: that of $SHELL]
        #[arg(long, value_parser = names(&Shell::ALL))]
        shell: Option<String>,
        /// Unset the variables instead
        #[arg(short, long)]
        unset: bool,
        /// Add the machine to NO_PROXY
        #[arg(long)]
        no_proxy: bool,
        /// Dial this IP address or DNS name, without recording it
        #[arg(long, value_name = "ADDRESS", conflicts_with = "unset")]
        address: Option<String>,
    },
    /// Print the docker CLI's flags for a machine
    Config {
        /// The machine
        name: String,
    },
    /// List the machines
    Ls {
        /// Names only
        #[arg(short = 'q', long = "names")]
        names: bool,
        /// For programs
        #[arg(long, conflicts_with = "names")]
        json: bool,
    },
    /// Show a machine: addresses, certificates, files
    Inspect {
        /// The machine
        name: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Print a machine's DOCKER_HOST
    Url {
        /// The machine
        name: String,
    },
    /// Print a machine's address
    Ip {
        /// The machine
        name: String,
    },
    /// Record the address where a machine came up
    Address {
        /// The machine
        name: String,
        /// The IP address or DNS name that clients dial from now on
        address: String,
        /// Also when the certificate does not cover it
        #[arg(long)]
        force: bool,
    },
    /// Remove machines and their own authorities from the store
    Rm {
        /// The machines
        #[arg(required = true)]
        names: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub struct Create {
    /// The machine's name: letters, digits, `-` and `.`, as a host is named
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,

    /// Take everything from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", conflicts_with_all = ["name", "identity", "host"])]
    pub file: Option<PathBuf>,

    /// Where the VM will be: its limits are kept to, and the next steps are told in its words; `hostseed clouds` has
    /// the names
    #[arg(long = "for", value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
    pub cloud: Option<&'static Cloud>,

    /// Print paths, addresses, fingerprints and expiry for programs
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub identity: Identity,

    #[command(flatten)]
    pub host: Host,
}

#[derive(Debug, Args)]
pub struct Render {
    /// The machine
    name: String,

    /// The form that the place takes [default: cloud-config]
    #[arg(long, value_parser = names(&Format::ALL))]
    format: Option<String>,

    /// Pack it as this cloud takes it, and refuse what does not fit; `hostseed clouds` tells of them
    #[arg(long = "for", value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
    cloud: Option<&'static Cloud>,

    /// Compress it as a whole
    #[arg(long)]
    gzip: bool,

    /// Print it in base64, after compressing it where that is asked for
    #[arg(long)]
    base64: bool,

    /// With the form mime: user-data of your own beside ours; its type is told from its first line; repeatable
    #[arg(long = "part", value_name = "FILE[:TYPE]")]
    parts: Vec<String>,

    /// With the form ignition: a config of your own to be merged into ours; repeatable
    #[arg(long = "merge", value_name = "FILE")]
    merged: Vec<PathBuf>,

    /// With the form nocloud: cloud-init's network configuration
    #[arg(long, value_name = "FILE")]
    network_config: Option<PathBuf>,

    /// Write to PATH, mode 0600, instead of standard output; a folder for forms of several files, and for nocloud
    /// FILE.img or FILE.iso is the disk
    #[arg(short, long, value_name = "PATH", visible_alias = "output")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Bake {
    /// Take everything from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", conflicts_with = "host")]
    pub file: Option<PathBuf>,

    /// The form that the builder of images takes
    #[arg(long, default_value = "bake", value_parser = names(&Format::OF_IMAGES))]
    format: String,

    /// Write to PATH instead of standard output; a folder for the form packer
    #[arg(short, long, value_name = "PATH", visible_alias = "output")]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub host: Host,
}

#[derive(Debug, Args)]
#[group(id = "identity", multiple = true)]
#[command(next_help_heading = "Identity")]
pub struct Identity {
    /// IP address or DNS name that clients dial; repeatable, the first goes into DOCKER_HOST
    #[arg(long = "address", value_name = "ADDRESS")]
    addresses: Vec<String>,

    /// Further address or name for the server's certificate; repeatable
    #[arg(long = "tls-san", value_name = "NAME")]
    tls_sans: Vec<String>,

    /// Let the host issue its own certificate, for these addresses and those that it finds; without any address
    /// that is so anyway
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    boot_issuer: Option<String>,

    /// Where such a host asks for its public address, without a proxy, in place of its cloud's metadata
    #[arg(long, value_name = "URL")]
    public_address_url: Option<String>,

    /// Kind of key: p256, p384, ed25519, rsa2048 or rsa4096 [default: p256]
    #[arg(long, value_name = "KIND")]
    key: Option<String>,

    /// How long the certificates of the client and of the server (or boot issuer) are valid [default: 730d]
    #[arg(long, value_name = "TIME")]
    valid_for: Option<String>,

    /// Who signs: the machine's `own` authority, the store's `shared` one, or ca.pem and ca-key.pem of a folder
    /// [default: own]
    #[arg(long, value_name = "WHO")]
    ca: Option<String>,
}

#[derive(Debug, Args)]
#[group(id = "host", multiple = true)]
#[command(next_help_heading = "Docker")]
pub struct Host {
    /// Port of the Docker API [default: 2376]
    #[arg(long, value_name = "PORT")]
    port: Option<String>,

    /// Whose Docker: auto, official, distro or none (the image has it) [default: auto]
    #[arg(long, value_name = "WHOSE")]
    docker: Option<String>,

    /// Exact version, or fail saying which there are
    #[arg(long, value_name = "VERSION")]
    docker_version: Option<String>,

    /// stable, test or nightly [default: stable]
    #[arg(long, value_name = "CHANNEL")]
    docker_channel: Option<String>,

    /// Mirror of Docker's repositories [default: https://download.docker.com]
    #[arg(long, value_name = "URL")]
    docker_mirror: Option<String>,

    /// Fingerprint of the mirror's key, 40 hex digits [default: Docker's keys]
    #[arg(long, value_name = "HEX")]
    docker_key_fingerprint: Option<String>,

    /// Keep containers from the cloud's metadata service, which hands out the user-data and the cloud's credentials;
    /// containers in the host's own network and privileged ones still reach it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    block_metadata: Option<String>,

    /// Option of dockerd without hyphens, `FLAG=VALUE` or `FLAG`; repeatable
    #[arg(
        long = "engine-opt",
        value_name = "FLAG=VALUE",
        help_heading = "Engine",
        allow_hyphen_values = true
    )]
    engine_opts: Vec<String>,

    /// Label of the daemon; repeatable
    #[arg(long = "engine-label", value_name = "KEY=VALUE", help_heading = "Engine")]
    engine_labels: Vec<String>,

    /// Mirror of Docker Hub; repeatable
    #[arg(long = "engine-registry-mirror", value_name = "URL", help_heading = "Engine")]
    engine_registry_mirrors: Vec<String>,

    /// Registry or network reached without verified TLS; repeatable
    #[arg(long = "engine-insecure-registry", value_name = "HOST", help_heading = "Engine")]
    engine_insecure_registries: Vec<String>,

    /// Storage driver [default: the daemon's choice]
    #[arg(long, value_name = "DRIVER", help_heading = "Engine")]
    engine_storage_driver: Option<String>,

    /// Variable in the daemon's environment; repeatable
    #[arg(long = "engine-env", value_name = "NAME=VALUE", help_heading = "Engine")]
    engine_env: Vec<String>,

    /// Run the script at URL, as root, instead of installing packages; whoever controls the URL controls the host
    #[arg(long, value_name = "URL", help_heading = "Engine")]
    engine_install_url: Option<String>,

    /// Run that script only if this is its SHA-256
    #[arg(long, value_name = "HEX", help_heading = "Engine")]
    engine_install_sha256: Option<String>,

    /// Accept an install URL that begins with `http://`: anyone between it and the host can replace the script
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = "Engine")]
    insecure_install_url: Option<String>,
}

fn names<T>(all: &[(&'static str, T)]) -> PossibleValuesParser {
    PossibleValuesParser::new(all.iter().map(|(name, _)| *name))
}

/// The value of a variable that accepts a risk. An empty one is as good as none.
fn consent(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "0" | "n" | "no" | "false" | "f" | "off" => Ok(false),
        "1" | "y" | "yes" | "true" | "t" | "on" => Ok(true),
        _ => Err("HOSTSEED_ALLOW_INSECURE_STORE is `1` or `0`".to_owned()),
    }
}

/// A cloud by its name.
fn cloud() -> impl TypedValueParser<Value = &'static Cloud> {
    let names = PossibleValuesParser::new(Cloud::ALL.map(|cloud| cloud.name));
    names.map(|name| Cloud::named(&name).expect("these are the names"))
}

impl Render {
    /// What the flags ask for.
    pub fn request(self) -> Request {
        Request {
            name: self.name,
            format: self.format.as_deref().and_then(Format::named),
            cloud: self.cloud,
            packing: Packing { gzip: self.gzip, base64: self.base64 },
            parts: self.parts,
            merged: self.merged,
            network_config: self.network_config,
            out: self.out,
        }
    }
}

impl Bake {
    /// The form asked for.
    pub fn format(&self) -> Format {
        Format::named(&self.format).unwrap_or(Format::Bake)
    }
}

impl Create {
    /// What the flags ask for.
    pub fn spec(self) -> Spec {
        let Identity { addresses, tls_sans, boot_issuer, public_address_url, key, valid_for, ca } =
            self.identity;
        Spec {
            name: self.name.map(Word::from),
            addresses: words(addresses),
            tls_sans: words(tls_sans),
            boot_issuer: boot_issuer.map(Word::from),
            public_address_url: public_address_url.map(Word::from),
            key: key.map(Word::from),
            valid_for: valid_for.map(Word::from),
            ca: ca.map(Word::from),
            ..self.host.spec()
        }
    }
}

impl Host {
    /// What the flags ask for.
    pub fn spec(self) -> Spec {
        Spec {
            port: self.port.map(Word::from),
            engine_opts: words(self.engine_opts),
            engine_labels: words(self.engine_labels),
            engine_registry_mirrors: words(self.engine_registry_mirrors),
            engine_insecure_registries: words(self.engine_insecure_registries),
            engine_storage_driver: self.engine_storage_driver.map(Word::from),
            engine_env: words(self.engine_env),
            engine_install_url: self.engine_install_url.map(Word::from),
            engine_install_sha256: self.engine_install_sha256.map(Word::from),
            insecure_install_url: self.insecure_install_url.map(Word::from),
            docker: self.docker.map(Word::from),
            docker_version: self.docker_version.map(Word::from),
            docker_channel: self.docker_channel.map(Word::from),
            docker_mirror: self.docker_mirror.map(Word::from),
            docker_key_fingerprint: self.docker_key_fingerprint.map(Word::from),
            block_metadata: self.block_metadata.map(Word::from),
            ..Spec::default()
        }
    }
}

fn words(texts: Vec<String>) -> Vec<Word> {
    texts.into_iter().map(Word::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_field_of_a_spec_is_a_flag_of_create() {
        let command = Cli::command();
        let create = command.find_subcommand("create").unwrap();
        for field in Spec::FIELDS.iter().filter(|field| **field != "name") {
            assert!(create.get_arguments().any(|arg| arg.get_long() == Some(field)), "--{field}");
        }
    }
}
