//! The commands, one file each, which reads as the steps of the command.

mod address;
mod apply;
mod apply_to_host;
mod authority;
mod authority_steps;
mod authority_view;
mod bake;
mod check;
mod check_view;
mod client;
mod client_removal;
mod clients;
mod cloud_init;
mod clouds;
mod completions;
mod config;
mod context;
mod create;
mod diagnosis;
mod difference;
mod dry_run;
mod ending;
mod env;
mod expiry;
mod explain;
mod export;
mod export_fleet;
mod external;
mod host_steps;
mod import;
mod import_docker_machine;
mod init;
mod inspect;
mod ls;
mod machine_view;
mod man;
mod passphrase;
mod pending;
mod rename;
pub mod render;
mod renew;
mod rm;
mod schema;
mod swarm;
mod swarm_status;
mod swarm_up;
mod terraform_install;
mod update;
mod url;
mod verify;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use anyhow::Result;

pub use address::address;
pub use apply::{Request as ApplyRequest, apply};
pub use bake::bake;
pub use check::{Watch, check, seconds};
pub use client::{Request as ClientRequest, client};
pub use client_removal::remove_client;
pub use clients::clients;
pub use clouds::clouds;
pub use completions::completions;
pub use config::config;
pub use context::{Request as ContextRequest, context};
pub use create::{Request as CreateRequest, create};
pub use env::{env, env_unset};
pub use explain::explain;
pub use export::{Part as ExportPart, Request as ExportRequest, export};
pub use export_fleet::{FleetFormat, Request as ExportFleetRequest, export_fleet};
pub use external::external;
pub use import::{Request as ImportFileRequest, import};
pub use import_docker_machine::{Request as ImportRequest, check_store, import_docker_machine};
pub use init::{Example, init};
pub use inspect::inspect;
pub use ls::{Selection, ls};
pub use man::man;
pub use passphrase::From as PassphraseFrom;
pub use rename::rename;
pub use render::render;
pub use renew::{Request as RenewRequest, renew};
pub use rm::rm;
pub use schema::{check_schema, clients_schema, fleet_schema, machine_schema, schema};
pub use swarm_status::{Request as SwarmStatusRequest, swarm_status};
pub use swarm_up::{Request as SwarmUpRequest, swarm_up};
pub use terraform_install::terraform_install;
pub use update::{Request as UpdateRequest, update};
pub use url::{ip, url};
pub use verify::{Question, verify};

use crate::diag::{Code, Diagnostic, Report};
use crate::dockerd;
use crate::names::MachineName;
use crate::plan::{AuthoritySource, Docker, Install, InstallScript};
use crate::secret::without_passwords;
use crate::spec::{self, FleetFile, Spec};
use crate::ui::{Ui, is_safe};
use crate::userdata::encoding::is_utf16;

/// Reads the spec from a file if there is one (`-`: standard input), else from the flags. Reads at most `spec::MAX_BYTES` and one more.
pub fn read_spec(file: Option<PathBuf>, flags: impl FnOnce() -> Spec) -> Result<Spec> {
    let mut spec = match file {
        Some(file) => read_spec_file(&file)?,
        None => flags(),
    };
    read_daemon_json(&mut spec)?;
    Ok(spec)
}

fn read_spec_file(file: &Path) -> Result<Spec> {
    let (name, text) = read_text(file)?;
    let mut spec = Spec::from_yaml(&name, &text)?;
    if let Some(folder) = file.parent() {
        paths_from(folder, &mut spec);
    }
    Ok(spec)
}

/// Reads a fleet file (`-`: standard input), and the files that it names.
fn read_fleet_file(file: &Path) -> Result<FleetFile> {
    let (name, text) = read_text(file)?;
    let folder = match file.parent() {
        Some(folder) if file.as_os_str() != "-" => folder,
        _ => Path::new(""),
    };
    // The CA's folder is recorded in the machine, and has to be found from everywhere.
    let folder = if folder.is_absolute() { folder.to_owned() } else { std::env::current_dir()?.join(folder) };
    let fleet = FleetFile::from_yaml(&name, &text, |spec| {
        paths_from(&folder, spec);
        if let Err(error) = read_daemon_json(spec) {
            spec.problems.extend(error.0);
        }
    })?;
    Ok(fleet)
}

/// Reads a text of at most `spec::MAX_BYTES` and one more (`-`: standard input), and returns it with its name in messages.
fn read_text(file: &Path) -> Result<(String, String)> {
    let (name, read) = if file.as_os_str() == "-" {
        ("<stdin>".to_owned(), read_begin(spec::MAX_BYTES, std::io::stdin().lock()))
    } else {
        (file.display().to_string(), File::open(file).and_then(|file| read_begin(spec::MAX_BYTES, file)))
    };
    let bytes = read.map_err(|error| unreadable(&name, &error))?;
    let text = match bytes.len() > spec::MAX_BYTES {
        // Parsing the spec reports its size.
        true => String::from_utf8_lossy(&bytes).into_owned(),
        false => String::from_utf8(bytes).map_err(|error| not_utf8(&name, &error))?,
    };
    // Windows' editors write a byte order mark.
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok((name, text))
}

/// Makes the relative paths in a spec file begin at the spec's folder.
fn paths_from(folder: &Path, spec: &mut Spec) {
    let is_path = |text: &str| !text.is_empty() && !text.trim_start().starts_with('{');
    let is_ca_folder = |text: &str| matches!(AuthoritySource::parse(text), Ok(AuthoritySource::Dir(_)));
    let daemon_json = spec.host.daemon_json.as_mut().filter(|word| is_path(&word.text));
    let ca = spec.identity.ca.as_mut().filter(|word| is_ca_folder(&word.text));
    for word in daemon_json.into_iter().chain(ca) {
        word.text = folder.join(&word.text).display().to_string();
    }
}

/// Replaces the name of a file in `daemon-json` with the file's content. JSON stays as it is.
fn read_daemon_json(spec: &mut Spec) -> Result<(), Report> {
    let Some(word) = &spec.host.daemon_json else { return Ok(()) };
    if word.text.trim_start().starts_with('{') {
        return Ok(());
    }
    let name = word.text.clone();
    let read = File::open(&name).and_then(|file| read_begin(spec::MAX_BYTES, file));
    let read = read.and_then(|bytes| match bytes.len() > spec::MAX_BYTES {
        true => Err(io::Error::other(format!("it has more than {} bytes", spec::MAX_BYTES))),
        false => Ok(bytes),
    });
    let about = |diagnostic: Diagnostic| Report::from(spec.about("daemon-json", Some(word), diagnostic));
    let bytes = read.map_err(|error| {
        about(Diagnostic::error(
            Code::UnreadableFile,
            format!("names the file `{name}`, which cannot be read: {error}"),
        ))
    })?;
    let text = dockerd::decode_daemon_json(&bytes).map_err(|fault| {
        about(Diagnostic::error(fault.code, format!("names `{name}`, which {}", fault.why)))
    })?;
    let text = text.into_owned();
    if let Some(word) = &mut spec.host.daemon_json {
        word.text = text;
    }
    Ok(())
}

/// The error for an input file that cannot be read. All commands report it with exit status 2.
fn unreadable(name: impl Display, error: &io::Error) -> Report {
    Diagnostic::error(Code::UnreadableFile, format!("cannot read `{name}`: {error}")).into()
}

/// Makes a failure with one of these codes wrong usage, for a file that the command line names.
pub fn as_usage(failure: anyhow::Error, codes: &[Code]) -> anyhow::Error {
    match Diagnostic::of(&failure) {
        Some(problem) if codes.contains(&problem.code) => Report::from(problem).into(),
        _ => failure,
    }
}

/// The error for a spec that is not UTF-8.
fn not_utf8(name: &str, error: &FromUtf8Error) -> Report {
    let bytes = error.as_bytes();
    let text = if is_utf16(bytes) {
        format!("`{name}` is UTF-16")
    } else {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        format!("`{name}` is not UTF-8: line {line} has the byte 0x{:02x}", bytes[at])
    };
    Diagnostic::error(Code::UnreadableFile, text).hint("save the file as UTF-8").into()
}

/// Reads a file that an option names, of at most `verify::MAX_BYTES`.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let max = crate::verify::MAX_BYTES;
    let read = File::open(path).and_then(|file| read_begin(max, file));
    let read = read.and_then(|bytes| match bytes.len() > max {
        true => Err(io::Error::other(format!("it has more than {max} bytes"))),
        false => Ok(bytes),
    });
    Ok(read.map_err(|error| unreadable(path.display(), &error))?)
}

/// Reads at most `max` + 1 bytes of a stream: one more than `max` tells that it is too long.
fn read_begin(max: usize, stream: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Warns who can control a host that runs a script from an install URL without a SHA-256.
fn note_install_url(ui: Ui, spec: &Spec, docker: &Docker) {
    install_url_note(spec, docker).iter().for_each(|note| ui.note(note));
}

fn install_url_note(spec: &Spec, docker: &Docker) -> Option<String> {
    let Install::Script(script @ InstallScript { url, sha256: None }) = &docker.install else { return None };
    let whom = if script.is_https() { "that URL" } else { "that URL or the network path to it" };
    Some(format!(
        "the host runs the script at {url} as root without a check: anyone who controls {whom} at that moment controls the host; \
         to allow only one script, use {}",
        spec.flag("engine-install-sha256", "HEX")
    ))
}

/// Warns that everyone on the host can read a password in an engine option or variable.
fn note_passwords(ui: Ui, spec: &Spec) {
    password_notes(spec).iter().for_each(|note| ui.note(note));
}

fn password_notes(spec: &Spec) -> Vec<String> {
    let given = [("engine-opt", &spec.host.engine_opts), ("engine-env", &spec.host.engine_env)];
    let words = given.into_iter().flat_map(|(field, words)| words.iter().map(move |word| (field, word)));
    let with_password = words.filter(|(_, word)| without_passwords(&word.text) != word.text);
    let note = |(field, word): (&str, &spec::Word)| {
        let key = word.text.split('=').next().unwrap_or_default();
        format!(
            "everyone on the host can read the password in {}, in the unit of Docker and in the list of processes; in {} only root can read it",
            spec.flag(field, key),
            spec.flag("daemon-json", "FILE")
        )
    };
    with_password.map(note).collect()
}

/// Refuses values with control characters in output for a shell: a terminal would execute them, and they cannot be escaped.
fn refuse_unsafe<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<()> {
    match values.into_iter().find(|value| !is_safe(value)) {
        Some(value) => {
            let text = format!("`{value}` has a control character, which cannot be printed for a shell");
            Err(Diagnostic::error(Code::UnsafeValue, text)
                .hint("keep the machines in a folder without control characters in its path")
                .into())
        }
        None => Ok(()),
    }
}

/// Parses a machine's name from the command line.
fn machine_name(text: &str) -> Result<MachineName> {
    MachineName::parse(text).map_err(|problem| Report::from(problem.about("`NAME`")).into())
}
