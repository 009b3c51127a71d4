//! The command line: clap's definitions of the commands and their flags.

mod docker_machine;
mod examples;
mod flags;
mod help;
mod suggestions;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

use crate::clouds::Cloud;
use crate::commands::seconds;
use crate::diag::Code;
use crate::options;
use crate::plan::{self, DEFAULT_PORT, ValidFor};
use crate::render::Shell;
pub use flags::SwarmRequest;
use flags::{Apply, Bake, Client, Context, Create, Export, Import, Init, Render, Renew, Swarm, Update};
use values::{cloud, code, consent, duration, names};

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

/// How long `wait` waits: most VMs boot and install Docker in less than half of it.
const WAIT: &str = "10m";

/// The commands for Terraform.
#[derive(Debug, Subcommand)]
pub enum Terraform {
    /// Put the provider where Terraform and OpenTofu find it, and print what a configuration needs
    Install {
        /// Folder for providers, which Terraform's configuration file names [default: ~/.terraform.d/plugins, where Terraform looks first]
        #[arg(value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a machine: certificates, user-data and client files
    #[command(override_usage = help::CREATE_USAGE)]
    Create(Box<Create>),
    /// Write an example of a fleet file or of a spec file
    Init(Init),
    /// Create and change the machines of a fleet file, and leave alone what is right
    #[command(after_help = help::APPLY)]
    Apply(Apply),
    /// Form the Docker Swarm of a fleet file, or print its nodes
    #[command(subcommand, after_help = help::SWARM)]
    Swarm(Swarm),
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
    #[command(after_help = help::CHECK, alias = "status")]
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
    #[command(after_help = help::WAIT_HELP)]
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
    #[command(after_help = help::EXTERNAL)]
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
    #[command(after_help = help::CONTEXT)]
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
        /// cannot be read; the exit status is 3 if there are any. Of the clients that `client` made, only those count that have not expired
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
    #[command(after_help = help::UPDATE, override_usage = help::UPDATE_USAGE)]
    Update(Box<Update>),
    /// Make new certificates for machines, and the user-data with them
    #[command(after_help = help::RENEW)]
    Renew(Renew),
    /// Rename a machine; its keys, certificates and address stay
    #[command(after_help = help::RENAME, alias = "mv")]
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
    /// Write a machine, or one client of it, as one file; or a fleet for Terraform
    #[command(after_help = help::EXPORT)]
    Export(Export),
    /// Import a file that `export` wrote, or machines of Docker Machine
    #[command(after_help = help::IMPORT, override_usage = help::IMPORT_USAGE)]
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
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Install the provider for Terraform
    #[command(subcommand)]
    Terraform(Terraform),
    /// Print the manual page, or write the pages of all commands into a folder
    Man {
        /// The folder; without it hostseed(1) is printed
        #[arg(value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// Print the JSON Schema of spec files, fleet files and JSON output
    #[command(after_help = help::SCHEMA)]
    Schema {
        /// `spec` for a spec file, `fleet` for a fleet file, `machine` for what `create`, `inspect`, `ls` and `external` print as JSON, `check` for what
        /// `check` prints, `clients` for what `clients` prints
        #[arg(value_parser = ["spec", "fleet", "machine", "check", "clients"], default_value = "spec", hide_possible_values = true)]
        subject: String,
    },
    /// Print the version
    Version,
}

/// The first command on the command line, by its name.
fn typed_command(command: &clap::Command) -> Option<&str> {
    let words = std::env::args_os().skip(1);
    words.filter_map(|word| command.find_subcommand(word)).map(clap::Command::get_name).next()
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
            && let Err((kind, text)) = import.check()
        {
            let import = command.find_subcommand_mut("import").expect("there is such a command");
            return Err(import.error(kind, text));
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }
}
