//! Commands that share a machine: `context`, `client`, `export` and `import`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::OsStringValueParser;
use clap::error::ErrorKind;
use clap::{Args, ValueHint};

use super::replace;
use crate::cli::values::{duration, key_type, names};
use crate::commands::{
    ClientRequest, ContextRequest, ExportFleetRequest, ExportPart, ExportRequest, FleetFormat,
    ImportFileRequest, PassphraseFrom,
};
use crate::plan::{KeyType, ValidFor};

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

    /// Also write it to PATH: a folder for DOCKER_CERT_PATH, which can be moved, with the environment for it in `env`, or FILE.tar for `docker context
    /// import`
    #[arg(short, long, value_name = "PATH", visible_alias = "output", value_hint = ValueHint::AnyPath)]
    out: Option<PathBuf>,

    /// Replace a client that has not expired, and existing files of PATH; the old certificate stays valid
    #[arg(long)]
    force: bool,

    /// Remove the client's certificate and key from the store; this does not revoke the certificate
    #[arg(long, conflicts_with_all = ["valid_for", "key", "out", "force"])]
    pub remove: bool,
}

impl Client {
    /// The machine and the client.
    pub fn names(&self) -> (&str, &str) {
        (&self.name, &self.cn)
    }

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

#[derive(Debug, Args)]
pub struct Export {
    /// The machine; with `--format` the fleet: its name or its file
    name: String,

    /// Write the machines of a fleet instead: one map from names to user_data, address, docker_host and paths
    #[arg(long, value_name = "FORMAT", value_parser = names(&FleetFormat::ALL))]
    #[arg(conflicts_with_all = ["client", "client_only", "ca_key", "base64", "passphrase", "passphrase_file"])]
    format: Option<String>,

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
    /// Returns whether this is a fleet: `--format` says so, because a machine may have the name of a fleet or of a file.
    pub fn is_of_fleet(&self) -> bool {
        self.format.is_some()
    }

    /// The request for a fleet.
    pub fn fleet(self) -> ExportFleetRequest {
        let named = FleetFormat::ALL.into_iter().find(|(name, _)| self.format.as_deref() == Some(*name));
        ExportFleetRequest {
            fleet: self.name,
            format: named.map_or(FleetFormat::Json, |(_, format)| format),
            out: self.out,
            replace: replace(self.force),
        }
    }

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
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    words: Vec<OsString>,

    /// The machine's name here [default: the name in the file]
    #[arg(long, value_name = "NAME", conflicts_with = "docker_machine")]
    name: Option<String>,

    /// Read the passphrase from the first line of FILE instead of asking for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "docker_machine")]
    passphrase_file: Option<PathBuf>,

    /// Replace a machine of which only a client certificate is here, by this file's client or whole machine
    #[arg(long, conflicts_with = "docker_machine")]
    force: bool,

    /// With --docker-machine: print what would be taken over, and write nothing
    #[arg(long, requires = "docker_machine")]
    pub dry_run: bool,
}

impl Import {
    /// Checks that there is one file, if a file is to be imported.
    ///
    /// # Errors
    /// The kind and the text of the wrong usage.
    pub fn check(&self) -> Result<(), (ErrorKind, String)> {
        match &self.words[..] {
            [] if self.is_of_file() => Err((
                ErrorKind::MissingRequiredArgument,
                "name the file that `hostseed export` wrote (`-`: standard input), or use `--docker-machine`"
                    .to_owned(),
            )),
            [_, other, ..] if self.is_of_file() => Err((
                ErrorKind::UnknownArgument,
                format!(
                    "unexpected argument '{}' found: only one file can be imported",
                    other.to_string_lossy()
                ),
            )),
            _ => Ok(()),
        }
    }

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
            force: self.force,
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
