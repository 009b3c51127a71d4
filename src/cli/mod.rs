//! The command line: clap's definitions of the commands and their flags.

mod docker_machine;
mod examples;
mod suggestions;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

use crate::clouds::Cloud;
use crate::commands::render::Request;
use crate::commands::{
    ClientRequest, ContextRequest, ExportPart, ExportRequest, ImportFileRequest, PassphraseFrom, seconds,
};
use crate::diag::Code;
use crate::options::{self, Host, Identity, Word};
use crate::plan::{self, DEFAULT_PORT, KeyType, ValidFor};
use crate::render::{Format, Packing, Shell};
use crate::spec::Spec;
use crate::store::Replace;

/// Create remote Docker hosts without SSH.
///
/// `create` makes the TLS certificates on this computer and the user-data for a new VM. `env` prints the environment
/// with which the docker CLI connects to it.
#[derive(Debug, Parser)]
#[command(name = "hostseed", version = env!("HOSTSEED_VERSION"), max_term_width = 100, infer_long_args = false)]
#[command(
    after_help = "Exit status: 0 success, 1 failure, 2 wrong usage or an invalid spec, 3 `check` or `ls --expiring` found certificates that expire soon."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// The folder with all machines [default: ~/.docker/machine]
    #[arg(
        short = 's',
        long = "store",
        visible_alias = "storage-path",
        env = "MACHINE_STORAGE_PATH",
        hide_env_values = true
    )]
    #[arg(value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub store: Option<PathBuf>,

    /// Use a store or `--ca` folder even if another user owns it or can write to it: that user can replace the keys
    #[arg(long, global = true, env = "HOSTSEED_ALLOW_INSECURE_STORE", hide_env_values = true)]
    #[arg(value_parser = consent)]
    pub allow_insecure_store: bool,

    /// Print only results and errors
    #[arg(long, global = true)]
    pub quiet: bool,
}

/// The machine of a command without a name, as in Docker Machine.
const DEFAULT_MACHINE: &str = "default";

const EXTERNAL: &str = "\
Terraform sends the query on standard input, one JSON object whose values are strings. Its keys are `name`, \
`addresses` and every option of `create` with `_` for `-` (`engine_label`, `key`, `docker_version`, …). A list has an \
item a line, or is `jsonencode([…])`. `for` names the target cloud and enforces its limit, `gzip = \"true\"` \
compresses the user-data, and `format` is cloud-config, script or ignition. Expired certificates are an error, unless \
`allow_expired` is `true`. With `create = \"false\"`, or with the machine's `fingerprint_authority`, the query never creates \
a machine: it fails if the store does not have it.

The answer has version, name, docker_host, cert_path, user_data, user_data_base64, fingerprint_authority, fingerprint_host, \
fingerprint_client and expiry. The machine is created by the first query and found by later ones, with the same \
answer. A query that differs from the machine, or lacks a field with which the machine was created, fails and names the \
fields. A query with no field but the name finds the machine whatever its settings are.";

const CHECK: &str = "\
Exit status: 0 Docker answers on all machines, 3 it does, and a certificate expires within 30 days, 1 it does not, 2 wrong usage.";

const WAIT_HELP: &str = "\
Exit status: 0 Docker answers on all machines, also if a certificate expires soon, 1 it does not, 2 wrong usage.";

const CONTEXT: &str = "\
The context is in DOCKER_CONFIG, which is ~/.docker by default. It has copies of the client certificate and key: run the command again \
after the machine's address or certificates have changed. A context of the same name that is not this machine's stays, unless \
`--force` is given.";

const RENAME: &str = "\
The running host is not affected: its certificates and its console keep the old name. The user-data has the new name, so \
Terraform would replace the VM. Shells with the environment of the old name, docker contexts and other copies of the old folder's \
path have to be made again.";

/// How long `wait` waits: most VMs boot and install Docker in less than half of it.
const WAIT: &str = "10m";

const UPDATE: &str = "\
An option that is given replaces the value that the machine has; one that is repeatable replaces all its values. `--unset OPTION` removes the values, or \
sets the default. A spec file has all options: those that it lacks get their defaults.

The machine keeps its CA and its client certificate. It gets a new server certificate only if its names change. The running host does not change \
until `renew --apply` brings the change to it, or the VM is replaced: `update` prints for each option which of them is needed. `renew` changes `key` and `valid-for`.";

const RENEW: &str = "\
The machine's CA signs new certificates with new keys. Clients and hosts with the old certificates work with the new ones until the old \
ones expire, because the CA stays. Replace the VM with the new user-data. The old files stay in the folder `previous` of the machine until \
`check` or `wait` finds the new certificate on the host. With `--apply` the running host gets them at once: it restarts Docker with them, and puts the \
old ones back if Docker does not answer. If a machine has new certificates that no host has presented yet, `--apply` makes no others.

A client certificate that was lost or leaked works until it expires or the CA is replaced: `hostseed renew --authority --apply --yes NAME`. \
Without `--apply` the running host does not trust the new CA, so it is out of reach until the VM is replaced, except with the previous files. All \
machines with one shared CA must be named. For a CA in a folder of yours (`--ca DIR`), first put the new CA into that folder.";

const COMPLETIONS: &str = "For zsh, put ~/.zfunc into $fpath before compinit.";

const EXPORT: &str = "\
Without `--client` or `--client-only` the file has the whole machine: its settings, certificates and keys, its own CA with its key, and its \
clients. The key of a CA that signs for other machines is in it only with `--ca-key`. With `--passphrase` the file is a text that \
`age --decrypt` reads too.";

const IMPORT: &str = "\
FILE is recognised by its content: plain, encrypted with a passphrase, or base64 of either. A machine that exists is never replaced.

With `--docker-machine`: in Docker Machine's own store nothing is copied: each machine gets the files that hostseed adds. From another store the machine's keys, \
certificates and settings are copied, and the CA's key, but no disks. Docker Machine's commands keep working on both. \
A machine that cannot be taken over hides no other; then the exit status is 1.";

const SCHEMA: &str = "\
Write it next to your spec files with
hostseed schema > hostseed.schema.json
and begin each spec file with the line
# yaml-language-server: $schema=hostseed.schema.json";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a machine: certificates, user-data and client files
    Create(Box<Create>),
    /// Print a machine's user-data in any format, always the same bytes
    Render(Render),
    /// Print the script that installs Docker into an image
    Bake(Box<Bake>),
    /// Show the clouds' user-data limits and instructions
    Clouds {
        /// Show one cloud in full, with its commands and Terraform arguments
        #[arg(value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
        cloud: Option<&'static Cloud>,
        /// The port in the firewall commands
        #[arg(long, default_value_t = DEFAULT_PORT, value_parser = clap::value_parser!(u16).range(1..))]
        port: u16,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check user-data from any source and report problems
    #[command(
        after_help = "Exit status: 0 no errors, 1 errors (with --strict also warnings), 2 wrong usage."
    )]
    Verify {
        /// User-data in any format, a seed disk, a folder, or the output of `terraform show -json` or a cloud's API (`-`:
        /// standard input)
        #[arg(value_hint = ValueHint::AnyPath)]
        file: PathBuf,
        /// Target cloud: enforce its limit
        #[arg(long = "for", value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
        cloud: Option<&'static Cloud>,
        /// Report options of dockerd that hostseed does not know as warnings
        #[arg(long)]
        allow_unknown_engine_opts: bool,
        /// Treat warnings as errors
        #[arg(long)]
        strict: bool,
        /// Also check each cloud-config with `cloud-init schema`; cloud-init must be installed
        #[arg(long)]
        schema: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check whether Docker answers on machines, and say why not
    #[command(after_help = CHECK, alias = "status")]
    Check {
        /// The machines
        #[arg(default_value = DEFAULT_MACHINE)]
        names: Vec<String>,
        /// Wait for machines that are not up yet, at most this time, such as 90s, 10m or 1h
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = WAIT)]
        #[arg(value_parser = seconds)]
        wait: Option<Duration>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Wait until Docker answers on machines: `check --wait`
    #[command(after_help = WAIT_HELP)]
    Wait {
        /// The machines
        #[arg(default_value = DEFAULT_MACHINE)]
        names: Vec<String>,
        /// The longest wait, such as 90s, 10m or 1h
        #[arg(long, value_name = "TIME", default_value = WAIT, value_parser = seconds)]
        timeout: Duration,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Answer Terraform's data source `external`
    #[command(after_help = EXTERNAL)]
    External,
    /// Print the environment for the docker CLI, for a shell to evaluate
    Env {
        /// The machine
        #[arg(conflicts_with = "unset", default_value = DEFAULT_MACHINE)]
        name: String,
        /// The shell that reads the output [default: from $SHELL]
        #[arg(long, value_parser = names(&Shell::ALL))]
        shell: Option<String>,
        /// Print commands that unset the variables
        #[arg(short, long)]
        unset: bool,
        /// Add the machine to NO_PROXY
        #[arg(long)]
        no_proxy: bool,
        /// Use this IP address or DNS name, without recording it
        #[arg(long, value_name = "ADDRESS", conflicts_with = "unset")]
        address: Option<String>,
    },
    /// Make a docker context from a machine, for `docker --context`
    #[command(after_help = CONTEXT)]
    Context(Context),
    /// Print the docker CLI's flags for a machine
    Config {
        /// The machine
        #[arg(default_value = DEFAULT_MACHINE)]
        name: String,
    },
    /// List the machines
    #[command(alias = "list")]
    Ls {
        /// Print only the names; so does `--quiet`
        #[arg(short = 'q', long = "names")]
        names: bool,
        /// List only machines with a certificate that expires within this time, such as 30d, or has expired, and machines that
        /// cannot be read; the exit status is 3 if there are any
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expiring: Option<ValidFor>,
        /// Print JSON
        #[arg(long, conflicts_with = "names")]
        json: bool,
    },
    /// Show a machine's addresses, certificates and files
    Inspect {
        /// The machine
        #[arg(default_value = DEFAULT_MACHINE)]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the DOCKER_HOST of machines, one per line
    Url {
        /// The machines
        #[arg(default_value = DEFAULT_MACHINE)]
        names: Vec<String>,
    },
    /// Print the addresses of machines, one per line
    Ip {
        /// The machines
        #[arg(default_value = DEFAULT_MACHINE)]
        names: Vec<String>,
    },
    /// Record a machine's address
    Address {
        /// The machine
        name: String,
        /// The IP address or DNS name that clients will connect to
        address: String,
        /// Record it even if the certificate does not cover it
        #[arg(long)]
        force: bool,
    },
    /// Change a machine's options: labels, addresses, the version of Docker, and others
    #[command(after_help = UPDATE)]
    Update(Box<Update>),
    /// Make new certificates for machines, and the user-data with them
    #[command(after_help = RENEW)]
    Renew(Renew),
    /// Rename a machine; its keys, certificates and address stay
    #[command(after_help = RENAME, alias = "mv")]
    Rename {
        /// The machine
        old: String,
        /// Its new name
        new: String,
    },
    /// Make a further client certificate of a machine, for a person or a program
    Client(Client),
    /// List the client certificates of a machine
    Clients {
        /// The machine
        #[arg(default_value = DEFAULT_MACHINE)]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete machines with their keys and own CAs from the store
    #[command(aliases = ["delete", "remove"])]
    Rm {
        /// The machines
        #[arg(required = true)]
        names: Vec<String>,
        /// Do not ask for confirmation
        #[arg(short, long, visible_short_alias = 'f', visible_alias = "force")]
        yes: bool,
    },
    /// Write a machine, or one client of it, as one file for another computer or for CI
    #[command(after_help = EXPORT)]
    Export(Export),
    /// Import a file that `export` wrote, or machines of Docker Machine
    #[command(after_help = IMPORT)]
    Import(Import),
    /// Explain the code of an error or a warning
    Explain {
        /// The code from the message, for example `invalid-port`; without it all codes are listed
        #[arg(value_name = "CODE", value_parser = code(), hide_possible_values = true)]
        code: Option<Code>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the completion script for a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of all commands into a folder
    Man {
        /// The folder; without it hostseed(1) is printed
        #[arg(value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// Print the JSON Schema of a spec file, or of what commands print as JSON
    #[command(after_help = SCHEMA)]
    Schema {
        /// `spec` for a spec file, `machine` for what `create`, `inspect`, `ls` and `external` print as JSON, `check` for what
        /// `check` prints, `clients` for what `clients` prints
        #[arg(value_parser = ["spec", "machine", "check", "clients"], default_value = "spec", hide_possible_values = true)]
        subject: String,
    },
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub struct Context {
    /// The machine
    #[arg(value_name = "NAME")]
    machine: String,

    /// The context's name [default: the machine's]
    #[arg(long, value_name = "CONTEXT")]
    name: Option<String>,

    /// Make it the current context, which docker uses without `--context`
    #[arg(long = "use")]
    use_it: bool,

    /// Write a file for `docker context import` instead, with mode 0600 (`-`: standard output)
    #[arg(short, long, value_name = "FILE", visible_alias = "output", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["use_it", "remove"])]
    out: Option<PathBuf>,

    /// Remove the context; the machine need not exist
    #[arg(long, conflicts_with = "use_it")]
    remove: bool,

    /// Replace or remove a context that is not this machine's, or replace an existing file
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub struct Create {
    /// The machine's name: a host name of letters, digits, `-` and `.`
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,

    /// Read all options from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", value_hint = ValueHint::FilePath, conflicts_with_all = ["name", "identity", "host"])]
    pub file: Option<PathBuf>,

    /// Target cloud: enforce its size limit and print its instructions; `hostseed clouds` lists the names
    #[arg(long = "for", value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
    pub cloud: Option<&'static Cloud>,

    /// Accept an existing machine with the same settings, and print its next steps
    #[arg(long)]
    pub if_missing: bool,

    /// Print what would be created, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print the machine as JSON: paths, addresses, fingerprints, expiry dates and options
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

    /// The format [default: cloud-config]
    #[arg(long, value_parser = names(&Format::ALL))]
    format: Option<String>,

    /// Target cloud: use its encoding and enforce its size limit; `hostseed clouds` lists the names
    #[arg(long = "for", value_name = "CLOUD", value_parser = cloud(), hide_possible_values = true)]
    cloud: Option<&'static Cloud>,

    /// Compress the user-data
    #[arg(long)]
    gzip: bool,

    /// Encode the user-data in base64, after compression
    #[arg(long)]
    base64: bool,

    /// For the format mime: add user-data of your own; its type comes from its first line if you give none; repeatable
    #[arg(long = "part", value_name = "FILE[:TYPE]", value_hint = ValueHint::FilePath)]
    parts: Vec<String>,

    /// For the format ignition: merge a config of your own; repeatable
    #[arg(long = "merge", value_name = "FILE", value_hint = ValueHint::FilePath)]
    merged: Vec<PathBuf>,

    /// For the format nocloud: add cloud-init's network configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    network_config: Option<PathBuf>,

    /// Write to PATH, with mode 0600, instead of standard output: a folder for formats of several files; for nocloud
    /// FILE.img or FILE.iso is a disk
    #[arg(short, long, value_name = "PATH", visible_alias = "output", value_hint = ValueHint::AnyPath)]
    out: Option<PathBuf>,

    /// Copy to the clipboard instead of printing; over SSH to that of your terminal
    #[arg(long, conflicts_with = "out")]
    copy: bool,

    /// Replace existing files, also those that hostseed did not write or that have changed since
    #[arg(long)]
    force: bool,

    /// Render even if a certificate of the machine has expired
    #[arg(long)]
    allow_expired: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The machine
    name: String,

    /// Only what this client needs to connect: its certificate and key, the CA's certificate and the address
    #[arg(long, value_name = "CN", conflicts_with_all = ["client_only", "ca_key"])]
    client: Option<String>,

    /// Only what the machine's own client needs to connect
    #[arg(long, conflicts_with = "ca_key")]
    client_only: bool,

    /// Include the private key of a CA that signs for other machines too (`--ca shared`, `--ca DIR`)
    #[arg(long)]
    ca_key: bool,

    /// Write to FILE, with mode 0600, instead of standard output
    #[arg(short, long, value_name = "FILE", visible_alias = "output", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,

    /// Print one line in base64, for a variable
    #[arg(long)]
    base64: bool,

    /// Encrypt the file with a passphrase that is asked for
    #[arg(short, long)]
    passphrase: bool,

    /// Encrypt the file with the passphrase in the first line of FILE
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "passphrase")]
    passphrase_file: Option<PathBuf>,

    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

impl Export {
    /// The request that the flags make.
    pub fn request(self) -> ExportRequest {
        let part = match self.client {
            Some(client) => ExportPart::Client(client),
            None if self.client_only => ExportPart::OwnClient,
            None => ExportPart::Machine { ca_key: self.ca_key },
        };
        let asked = self.passphrase.then_some(PassphraseFrom::Terminal);
        ExportRequest {
            machine: self.name,
            part,
            out: self.out,
            base64: self.base64,
            passphrase: self.passphrase_file.map(PassphraseFrom::File).or(asked),
            replace: replace(self.force),
        }
    }
}

#[derive(Debug, Args)]
pub struct Import {
    /// Take over machines of Docker Machine
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    #[arg(value_parser = OsStringValueParser::new(), hide_default_value = true)]
    docker_machine: Option<OsString>,

    /// The file (`-`: standard input). With --docker-machine: Docker Machine's store, written with a slash [default:
    /// MACHINE_STORAGE_PATH or ~/.docker/machine], and the names of machines [default: all]
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath, required_unless_present = "docker_machine")]
    words: Vec<OsString>,

    /// The machine's name here [default: the name in the file]
    #[arg(long, value_name = "NAME", conflicts_with = "docker_machine")]
    name: Option<String>,

    /// Read the passphrase from the first line of FILE instead of asking for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "docker_machine")]
    passphrase_file: Option<PathBuf>,

    /// With --docker-machine: print what would be taken over, and write nothing
    #[arg(long, requires = "docker_machine")]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Update {
    /// The machine
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,

    /// Read all options from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["name", "unset", "identity", "host"])]
    pub file: Option<PathBuf>,

    /// Remove the values of an option, or set its default; repeatable
    #[arg(long, value_name = "OPTION", value_parser = option_names(), hide_possible_values = true)]
    pub unset: Vec<String>,

    /// Print what would be changed, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub identity: Identity,

    #[command(flatten)]
    pub host: Host,
}

#[derive(Debug, Args)]
pub struct Renew {
    /// The machines
    #[arg(required = true)]
    pub names: Vec<String>,

    /// Validity of the new certificates, such as 720h, 90d or 2y, now and at later renewals [default: as before]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "undo")]
    pub valid_for: Option<ValidFor>,

    /// Type of the new keys, now and at later renewals: p256, p384, ed25519, rsa2048 or rsa4096 [default: as before]
    #[arg(long, value_name = "KIND", value_parser = key_type(), hide_possible_values = true, conflicts_with = "undo")]
    pub key: Option<KeyType>,

    /// Replace the CA, too, which revokes all client certificates; with --yes, otherwise print what would be done
    #[arg(long, conflicts_with = "undo")]
    pub authority: bool,

    /// Bring the new files to the running host through Docker's API, and restart Docker there
    #[arg(long, conflicts_with = "undo")]
    pub apply: bool,

    /// Install the units for --apply on a host that lacks them: a container runs systemctl there as root
    #[arg(long, requires = "apply")]
    pub install_units: bool,

    /// Put the previous files back, if the new ones were not put on a host
    #[arg(long)]
    pub undo: bool,

    /// Print what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Bake {
    /// Read all options from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", value_hint = ValueHint::FilePath, conflicts_with = "host")]
    pub file: Option<PathBuf>,

    /// The format, for the image builder
    #[arg(long, default_value = "bake", value_parser = names(&Format::OF_IMAGES))]
    format: String,

    /// Write to PATH instead of standard output: a folder for the format packer
    #[arg(short, long, value_name = "PATH", visible_alias = "output", value_hint = ValueHint::AnyPath)]
    pub out: Option<PathBuf>,

    /// Replace existing files, also those that hostseed did not write or that have changed since
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    pub host: Host,
}

/// How long a further client certificate is valid. It leaves this computer and cannot be revoked alone, so it is valid for a much shorter
/// time than the machine's own: 90 days, as the certificates that a host issues.
const CLIENT_VALID_FOR: &str = "90d";

#[derive(Debug, Args)]
pub struct Client {
    /// The machine
    name: String,

    /// The name in the certificate: who or what will use it, such as alice, alice@example.com or ci
    #[arg(long, value_name = "CN")]
    cn: String,

    /// How long the certificate is valid, such as 12h, 7d or 1y, at most as long as the CA
    #[arg(long, value_name = "TIME", default_value = CLIENT_VALID_FOR, value_parser = duration)]
    valid_for: ValidFor,

    /// Type of the private key [default: as the machine's]
    #[arg(long, value_name = "TYPE", value_parser = key_type())]
    key: Option<KeyType>,

    /// Also write it to PATH: a folder for DOCKER_CERT_PATH with the environment for it in `env`, or FILE.tar for `docker context
    /// import`
    #[arg(short, long, value_name = "PATH", visible_alias = "output", value_hint = ValueHint::AnyPath)]
    out: Option<PathBuf>,

    /// Replace a client that has not expired, and existing files of PATH; the old certificate stays valid
    #[arg(long)]
    force: bool,
}

impl Client {
    /// The request that the flags make.
    pub fn request(self) -> ClientRequest {
        ClientRequest {
            machine: self.name,
            client: self.cn,
            valid_for: self.valid_for,
            key: self.key,
            out: self.out,
            force: self.force,
        }
    }
}

/// The first command on the command line, by its name.
fn typed_command(command: &clap::Command) -> Option<&str> {
    let words = std::env::args_os().skip(1);
    words.filter_map(|word| command.find_subcommand(word)).map(clap::Command::get_name).next()
}

/// The files that `--force` allows to replace.
fn replace(force: bool) -> Replace {
    if force { Replace::All } else { Replace::Unchanged }
}

fn names<T>(all: &[(&'static str, T)]) -> PossibleValuesParser {
    PossibleValuesParser::new(all.iter().map(|(name, _)| *name))
}

fn duration(text: &str) -> Result<ValidFor, String> {
    ValidFor::parse(text).map_err(|problem| problem.message)
}

/// Reads the variable that accepts a risk. An empty value means no.
fn consent(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "0" | "n" | "no" | "false" | "f" | "off" => Ok(false),
        "1" | "y" | "yes" | "true" | "t" | "on" => Ok(true),
        _ => Err("HOSTSEED_ALLOW_INSECURE_STORE must be `1` or `0`".to_owned()),
    }
}

/// The version, as `--version` prints it.
pub fn version() -> String {
    Cli::command().render_version()
}

/// The command line for completions and manual pages, with the values that `plan/` checks as possible values.
pub fn described() -> clap::Command {
    let named = |mut command: clap::Command| {
        for option in options::all() {
            let is_there = command.get_arguments().any(|arg| arg.get_long() == Some(option.name));
            if is_there && let Some(choices) = plan::choices(option.name) {
                let id = option.name.replace('-', "_");
                command = command.mut_arg(id, |arg| arg.value_parser(PossibleValuesParser::new(choices)));
            }
        }
        command
    };
    examples::add(Cli::command())
        .mut_subcommand("create", named)
        .mut_subcommand("bake", named)
        .mut_subcommand("update", named)
}

/// Parses the name of a diagnostic's code.
fn code() -> impl TypedValueParser<Value = Code> {
    let names = PossibleValuesParser::new(Code::ALL.iter().map(|code| code.name()));
    names.map(|name| Code::named(&name).expect("these are the names"))
}

/// Parses the name of an option.
fn option_names() -> PossibleValuesParser {
    PossibleValuesParser::new(options::all().map(|option| option.name))
}

/// Parses the type of keys.
fn key_type() -> impl TypedValueParser<Value = KeyType> {
    let names = PossibleValuesParser::new(plan::choices("key").unwrap_or_default());
    names.map(|name| KeyType::named(&name).expect("these are the names"))
}

/// Parses the name of a cloud.
fn cloud() -> impl TypedValueParser<Value = &'static Cloud> {
    let names = Cloud::ALL.map(|cloud| PossibleValue::new(cloud.name).aliases(cloud.aliases));
    PossibleValuesParser::new(names).map(|name| Cloud::named(&name).expect("these are the names"))
}

impl Cli {
    /// Reads the command line. An empty MACHINE_STORAGE_PATH means the default store.
    ///
    /// # Errors
    /// Fails if the command line is wrong, or if it asks for the help or the version.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = examples::add(Self::command());
        let parsed = command.try_get_matches_from_mut(std::env::args_os());
        let cli = parsed
            .and_then(|matches| Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command)));
        let mut cli = cli.map_err(|error| {
            docker_machine::with_tip(suggestions::with_suggestion(error), typed_command(&command))
        })?;
        if let Command::Import(import) = &cli.command
            && import.is_of_file()
            && let [_, other, ..] = &import.words[..]
        {
            let text = format!("unexpected argument '{}' found", other.to_string_lossy());
            return Err(command.error(ErrorKind::UnknownArgument, text));
        }
        if cli.store.as_ref().is_some_and(|dir| dir.as_os_str().is_empty()) {
            if std::env::var_os("MACHINE_STORAGE_PATH").is_none_or(|dir| !dir.is_empty()) {
                let text = "a value is required for '--store <DIR>' but none was supplied";
                return Err(Self::command().error(ErrorKind::InvalidValue, text));
            }
            cli.store = None;
        }
        Ok(cli)
    }
}

impl Render {
    /// The request that the flags make.
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
            copy: self.copy,
            replace: replace(self.force),
            allow_expired: self.allow_expired,
        }
    }
}

impl Import {
    /// Returns whether a file is to be imported, and not Docker Machine's machines.
    pub fn is_of_file(&self) -> bool {
        self.docker_machine.is_none()
    }

    /// The request to import a file.
    pub fn file(&self) -> ImportFileRequest {
        ImportFileRequest {
            file: self.words.first().map(PathBuf::from).unwrap_or_default(),
            name: self.name.clone(),
            passphrase_file: self.passphrase_file.clone(),
        }
    }

    /// Docker Machine's store, if it is given, and the names of machines. A word with a slash, or of dots, is the store.
    pub fn source(&self) -> (Option<PathBuf>, Vec<String>) {
        let is_path = |word: &OsString| {
            let text = word.to_string_lossy();
            text.contains(['/', '\\']) || text == "." || text == ".."
        };
        let mut words = self.words.as_slice();
        let mut dir = self.docker_machine.as_ref().filter(|dir| !dir.is_empty());
        if let ([first, rest @ ..], None) = (words, dir)
            && is_path(first)
        {
            (dir, words) = (Some(first), rest);
        }
        (dir.map(PathBuf::from), words.iter().map(|word| word.to_string_lossy().into_owned()).collect())
    }
}

impl Context {
    /// The request that the flags make.
    pub fn request(self) -> ContextRequest {
        ContextRequest {
            machine: self.machine,
            name: self.name,
            use_it: self.use_it,
            out: self.out,
            remove: self.remove,
            replace: replace(self.force),
        }
    }
}

impl Bake {
    /// The format of `--format`.
    pub fn format(&self) -> Format {
        Format::named(&self.format).unwrap_or(Format::Bake)
    }

    /// The existing files that may be replaced.
    pub fn replace(&self) -> Replace {
        replace(self.force)
    }
}

impl Create {
    /// The spec that the flags make.
    pub fn spec(self) -> Spec {
        spec(self.name, self.identity, self.host)
    }
}

impl Update {
    /// The spec that the flags make.
    pub fn spec(self) -> Spec {
        spec(self.name, self.identity, self.host)
    }
}

fn spec(name: Option<String>, identity: Identity, host: Host) -> Spec {
    let given = [identity.given(), host.given()].concat().into_iter().map(str::to_owned).collect();
    Spec { name: name.map(Word::from), identity, given, ..Spec::of_image(host) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }
}
