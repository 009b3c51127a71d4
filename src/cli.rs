//! The command line: clap's definitions, and the spec that the flags of a machine spell.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};

use crate::commands::render::Request;
use crate::diag::Code;
use crate::options::{self, Host, Identity, Word};
use crate::plan::{self, Cloud, DEFAULT_PORT};
use crate::render::{Format, Packing, Shell};
use crate::spec::Spec;

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
    #[arg(value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
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

const COMPLETIONS: &str = "\
bash: hostseed completions bash > ~/.local/share/bash-completion/completions/hostseed
zsh:  hostseed completions zsh > ~/.zfunc/_hostseed, with ~/.zfunc in $fpath before compinit
fish: hostseed completions fish > ~/.config/fish/completions/hostseed.fish";

const SCHEMA: &str = "\
Write it beside the spec files with `hostseed schema > hostseed.schema.json`, and begin a spec file with the line
# yaml-language-server: $schema=hostseed.schema.json";

/// One verb each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a machine: its identity, what its VM boots from, and the client's side
    Create(Box<Create>),
    /// Print what a machine's VM boots from, always the same bytes
    Render(Render),
    /// Print the script that puts Docker into an image, without an identity
    Bake(Box<Bake>),
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
        #[arg(value_hint = ValueHint::AnyPath)]
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
    /// Explain the code of an error or a warning
    Explain {
        /// The code in brackets, for example `invalid-port`; without it all codes are listed
        #[arg(value_name = "CODE", value_parser = code(), hide_possible_values = true)]
        code: Option<Code>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell to load
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all commands into a folder
    Man {
        /// The folder; without it hostseed(1) goes to standard output
        #[arg(value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// Print the JSON Schema of a spec file, for editors
    #[command(after_help = SCHEMA)]
    Schema,
}

#[derive(Debug, Args)]
pub struct Create {
    /// The machine's name: letters, digits, `-` and `.`, as a host is named
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,

    /// Take everything from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", value_hint = ValueHint::FilePath, conflicts_with_all = ["name", "identity", "host"])]
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
    #[arg(long = "part", value_name = "FILE[:TYPE]", value_hint = ValueHint::FilePath)]
    parts: Vec<String>,

    /// With the form ignition: a config of your own to be merged into ours; repeatable
    #[arg(long = "merge", value_name = "FILE", value_hint = ValueHint::FilePath)]
    merged: Vec<PathBuf>,

    /// With the form nocloud: cloud-init's network configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    network_config: Option<PathBuf>,

    /// Write to PATH, mode 0600, instead of standard output; a folder for forms of several files, and for nocloud
    /// FILE.img or FILE.iso is the disk
    #[arg(short, long, value_name = "PATH", visible_alias = "output", value_hint = ValueHint::AnyPath)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Bake {
    /// Take everything from a spec file (`-`: standard input)
    #[arg(short, long, value_name = "SPEC", value_hint = ValueHint::FilePath, conflicts_with = "host")]
    pub file: Option<PathBuf>,

    /// The form that the builder of images takes
    #[arg(long, default_value = "bake", value_parser = names(&Format::OF_IMAGES))]
    format: String,

    /// Write to PATH instead of standard output; a folder for the form packer
    #[arg(short, long, value_name = "PATH", visible_alias = "output", value_hint = ValueHint::AnyPath)]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub host: Host,
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

/// The command line for completions and manual pages: it also names the values that `plan/` checks.
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
    Cli::command().mut_subcommand("create", named).mut_subcommand("bake", named)
}

/// A diagnostic's code by its name.
fn code() -> impl TypedValueParser<Value = Code> {
    let names = PossibleValuesParser::new(Code::ALL.iter().map(|code| code.name()));
    names.map(|name| Code::named(&name).expect("these are the names"))
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
        Spec { name: self.name.map(Word::from), identity: self.identity, ..Spec::of_image(self.host) }
    }
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
