//! `render`: the user-data of a stored machine in any format, always the same bytes.

use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::{ending, expiry, machine_name, read_file};
use crate::artifact::Artifact;
use crate::clipboard::{self, Clipboard};
use crate::clouds::{Cloud, Delivery, Seed};
use crate::delivery::{self, SizeHints};
use crate::diag::{Code, Diagnostic, Report};
use crate::names::MachineName;
use crate::render::{self, Connection, Form, Format, Medium, Merged, Packing, Part, Rendered};
use crate::shell::Command;
use crate::store::{self, Owner, Replace, Store};
use crate::ui::Ui;
use crate::verify::{self, Input};
use crate::yaml::{self, Node, Value};

/// cloud-init's network configuration needs only a few.
const MAX_FLOW_DEPTH: usize = 32;

/// The arguments of the command.
pub struct Request {
    pub name: String,
    pub format: Option<Format>,
    /// The target cloud.
    pub cloud: Option<&'static Cloud>,
    pub packing: Packing,
    /// Each `FILE` or `FILE:TYPE`.
    pub parts: Vec<String>,
    pub merged: Vec<PathBuf>,
    pub network_config: Option<PathBuf>,
    pub out: Option<PathBuf>,
    /// Copy to the clipboard instead of printing.
    pub copy: bool,
    /// The existing files that may be replaced.
    pub replace: Replace,
    /// Expired certificates are rendered too.
    pub allow_expired: bool,
}

/// Prints the user-data, or writes it to `out`. Writes no key to a world-readable file.
pub fn render(store: &Store, ui: Ui, now: OffsetDateTime, request: Request) -> Result<()> {
    let name = machine_name(&request.name)?;
    request.refuse_what_has_no_effect()?;
    let plan = store.plan(&name)?;
    let form = request.form(|| store.connection(&name))?;
    let identity = store.host_identity(&plan)?;
    expiry::check(store, ui, now, &name, request.allow_expired, "`--allow-expired`")?;
    store.client_use(&name, &identity, now).iter().for_each(|warning| ui.warning(warning));
    let rendered = match request.delivery()? {
        Some((cloud, delivery)) => {
            let base64 = delivery.base64 || request.packing.base64;
            let hints = SizeHints {
                gzip: Some(format!("`--for {} --gzip`", cloud.name)),
                small_key: "`--key p256` at `create`".into(),
                address: None,
                image: "`--docker none` at `create`".into(),
            };
            let seed = delivery::render_for(cloud, delivery, (&plan, &identity), &form, base64, &hints)?;
            Rendered::File(Packing { gzip: false, base64 }.pack(seed))
        }
        None => render::render_seed(&plan, &identity, &form, request.packing)?,
    };
    if let (Some(alone), Rendered::File(seed)) = (without_the_users(&form), &rendered) {
        let breaks = what_breaks(seed, &delivery::rendered(&plan, &identity, &alone, false)?, now);
        match form {
            // Ignition does not boot from a config with an error.
            Form::Ignition(_) => Report::check(breaks)?,
            // cloud-init runs the other parts, ours included, so this is only a note.
            _ => breaks.iter().for_each(|problem| ui.note(problem)),
        }
    }
    request.file().map_or(Ok(()), |path| store.refuse_output(path))?;
    match rendered {
        Rendered::File(seed) => match request.file() {
            Some(path) => store::put_artifact(path, &seed, request.replace, now),
            None if request.copy => copy(ui, &name, &seed),
            None => {
                let hint = "write it to a file, or print it as text with `--base64`:";
                ui.artifact_or(&seed, &store.command(request.words(&name)), hint)
            }
        },
        Rendered::Folder(files) => {
            let dir = request.file().expect("a folder has to have a name");
            refuse_left_behind(dir, &files)?;
            store::put_folder(dir, files, &Owner::machine(&name), request.replace, now)
        }
    }
}

/// Copies user-data to the clipboard.
fn copy(ui: Ui, name: &MachineName, seed: &Artifact) -> Result<()> {
    let Ok(text) = std::str::from_utf8(&seed.bytes) else {
        let failure =
            Diagnostic::error(Code::BinaryToTerminal, "the output is binary and cannot be copied as text");
        return Err(failure.hint("add `--base64`, or write a file with `-o FILE`").into());
    };
    let clipboard = match clipboard::copy(text)? {
        Clipboard::Desktop => "in the clipboard",
        Clipboard::Terminal => {
            "sent to your terminal, which fills its clipboard if it accepts OSC 52 (tmux: with `set -g set-clipboard on` or `set -g allow-passthrough on`)"
        }
    };
    ui.note(format_args!("the user-data of `{name}` is {clipboard}; it contains the host's private key: copy something else after pasting it"));
    Ok(())
}

impl Request {
    fn format(&self) -> Format {
        let usual = match self.cloud {
            Some(cloud) if cloud.seed == Seed::Disk => Format::NoCloud,
            _ => Format::CloudConfig,
        };
        self.format.unwrap_or(usual)
    }

    /// How the user-data is delivered to the target cloud, if there is one. A seed disk has no limit.
    fn delivery(&self) -> Result<Option<(&'static Cloud, &'static Delivery)>, Report> {
        match self.cloud {
            Some(cloud) if !(cloud.seed == Seed::Disk && self.format() == Format::NoCloud) => {
                let delivery = delivery::delivery(cloud, self.format(), self.packing);
                Ok(Some((cloud, delivery?)))
            }
            _ => Ok(None),
        }
    }

    /// The file or folder to write; none for standard output.
    fn file(&self) -> Option<&Path> {
        self.out.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// The command with a file of its own as output.
    fn words(&self, name: &MachineName) -> Vec<String> {
        let mut words = vec!["render".to_owned(), name.to_string()];
        let mut option = |option: &str, value: &str| words.extend([option, value].map(str::to_owned));
        if let Some(format) = self.format {
            option("--format", format.name());
        }
        if let Some(cloud) = self.cloud {
            option("--for", cloud.name);
        }
        self.parts.iter().for_each(|part| option("--part", part));
        self.merged.iter().for_each(|file| option("--merge", &file.to_string_lossy()));
        let switches = [("--gzip", self.packing.gzip), ("--base64", self.packing.base64)];
        words.extend(switches.into_iter().filter(|(_, on)| *on).map(|(word, _)| word.to_owned()));
        let gzip = if self.packing.gzip && !self.packing.base64 { ".gz" } else { "" };
        words.extend(["-o".to_owned(), format!("{name}.{}{gzip}", self.format().file_name())]);
        words
    }

    /// Refuses options that have no effect with the format, and a missing folder.
    fn refuse_what_has_no_effect(&self) -> Result<(), Report> {
        let format = self.format();
        let mut complaints = Vec::new();
        let mut only_with = |given: bool, option: &str, wanted: Format| {
            if given && format != wanted {
                let complaint = Diagnostic::error(
                    Code::FormatOption,
                    format!("`{option}` has no effect with the format `{}`", format.name()),
                );
                complaints.push(complaint.hint(format!("use it with `--format {}`", wanted.name())));
            }
        };
        only_with(!self.parts.is_empty(), "--part", Format::Mime);
        only_with(!self.merged.is_empty(), "--merge", Format::Ignition);
        only_with(self.network_config.is_some(), "--network-config", Format::NoCloud);
        if format.is_folder() {
            if self.packing != Packing::default() {
                complaints.push(Diagnostic::error(
                    Code::FormatOption,
                    format!(
                        "`--gzip` and `--base64` encode one file, and the format `{}` has several",
                        format.name()
                    ),
                ));
            }
            if self.copy {
                let text =
                    format!("`--copy` copies one file, and the format `{}` has several", format.name());
                complaints.push(Diagnostic::error(Code::FormatOption, text));
            } else if self.file().is_none() {
                complaints.push(needs_folder(format));
            }
        }
        if let Some(path) = self.file() {
            complaints.extend(ending::check(path, format, self.packing, Some(&self.name)).err());
        }
        Report::check(complaints)
    }

    /// The format with its additional files. Reports all problems of the files together.
    fn form(&self, connection: impl FnOnce() -> Result<Connection>) -> Result<Form> {
        Ok(match self.format() {
            Format::CloudConfig => Form::CloudConfig,
            Format::Script => Form::Script,
            Format::Mime => Form::Mime(self.parts()?),
            Format::Ignition => {
                let files = self.merged.iter().map(PathBuf::as_path);
                Form::Ignition(read_each("--merge", files, |_, bytes| Merged::new(bytes))?)
            }
            Format::NoCloud => {
                let files = self.network_config.iter().map(PathBuf::as_path);
                let read = read_each("--network-config", files, |_, bytes| check_network_config(bytes))?;
                Form::NoCloud { network_config: read.into_iter().next(), medium: medium(self.file()) }
            }
            Format::Bake => Form::Bake,
            Format::Packer => Form::Packer,
            Format::ImageBuilder => Form::ImageBuilder,
            Format::Terraform => Form::Terraform(connection()?),
        })
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let files: Vec<_> = self.parts.iter().map(|part| split_type(part)).collect();
        let mut types = files.iter().map(|(_, content_type)| *content_type);
        let parts = read_each("--part", files.iter().map(|(file, _)| Path::new(*file)), |path, bytes| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Part::new(&name, types.next().flatten(), bytes)
        })?;
        Part::check_together(&parts).map_err(Report::from)?;
        Ok(parts)
    }
}

/// The problem that a format of several files has no folder.
pub(super) fn needs_folder(format: Format) -> Diagnostic {
    let disk =
        if format == Format::NoCloud { ", or a disk with `--out seed.img` or `--out seed.iso`" } else { "" };
    let name = format.name();
    Diagnostic::error(
        Code::NeedsFolder,
        format!("the format `{name}` has several files and cannot be printed"),
    )
    .hint(format!("write a folder with `--out DIR`{disk}"))
}

/// Reads the files that one option names. Reports all problems together.
fn read_each<'a, T>(
    option: &str,
    files: impl Iterator<Item = &'a Path>,
    mut read: impl FnMut(&Path, Vec<u8>) -> Result<T, Diagnostic>,
) -> Result<Vec<T>> {
    let (mut values, mut complaints) = (Vec::new(), Vec::new());
    for path in files {
        match read(path, read_file(path)?) {
            Ok(value) => values.push(value),
            Err(problem) => complaints.push(problem.about(format_args!("`{option} {}`", path.display()))),
        }
    }
    Report::check(complaints)?;
    Ok(values)
}

/// Splits `FILE:TYPE`. A colon in a file's name stays, unless a MIME type follows it.
fn split_type(part: &str) -> (&str, Option<&str>) {
    let kinds = ["text/", "application/", "multipart/", "message/"];
    match part.rsplit_once(':') {
        Some((file, content_type)) if kinds.iter().any(|kind| content_type.starts_with(kind)) => {
            (file, Some(content_type))
        }
        _ => (part, None),
    }
}

/// The same format without the user's files; none if there are none.
fn without_the_users(form: &Form) -> Option<Form> {
    match form {
        Form::Mime(parts) if !parts.is_empty() => Some(Form::Mime(Vec::new())),
        Form::Ignition(merged) if !merged.is_empty() => Some(Form::Ignition(Vec::new())),
        _ => None,
    }
}

/// The errors of a seed with codes that it does not have without the user's files.
fn what_breaks(seed: &Artifact, alone: &Artifact, now: OffsetDateTime) -> Vec<Diagnostic> {
    let faults = |seed: &Artifact| verify::faults(Input::File("the seed".into(), seed.bytes.clone()), now);
    let known: Vec<Code> = faults(alone).iter().map(|fault| fault.code).collect();
    let new = faults(seed).into_iter().filter(|fault| !known.contains(&fault.code));
    let problem = |fault: Diagnostic| {
        let rejected = Diagnostic::error(Code::PartRejected, fault.to_string()).maybe_hint(fault.hint);
        Diagnostic { commands: fault.commands, ..rejected }
    };
    new.map(problem).collect()
}

/// A disk if the file's extension says so.
fn medium(path: Option<&Path>) -> Medium {
    let path = path.filter(|path| !ending::has_slash(path) && !path.is_dir());
    let extension = path.and_then(Path::extension).unwrap_or_default().to_ascii_lowercase();
    match extension.to_str() {
        Some("img") => Medium::Fat,
        Some("iso") => Medium::Iso,
        _ => Medium::Folder,
    }
}

fn check_network_config(bytes: Vec<u8>) -> Result<Vec<u8>, Diagnostic> {
    match std::str::from_utf8(&bytes) {
        Ok(text) => match yaml::read(text, MAX_FLOW_DEPTH) {
            Ok(Node { value: Value::Map(_), .. }) => Ok(bytes),
            Ok(node) => Err(Diagnostic::error(
                Code::NetworkConfig,
                format!("must be a map, got {}", node.value.kind()),
            )),
            Err(fault) => Err(Diagnostic::error(
                Code::NetworkConfig,
                match fault.position {
                    Some(place) => {
                        format!("is not valid YAML at {}:{}: {}", place.line, place.column, fault.text)
                    }
                    None => format!("is not valid YAML: {}", fault.text),
                },
            )),
        },
        Err(_) => Err(Diagnostic::error(Code::NetworkConfig, "is not text")),
    }
}

/// Refuses an existing folder with a network-config of an earlier run, because cloud-init would apply it.
fn refuse_left_behind(dir: &Path, files: &[Artifact]) -> Result<()> {
    let path = dir.join("network-config");
    let is_seed = files.iter().any(|file| file.path == "meta-data");
    if !is_seed || files.iter().any(|file| path.ends_with(&file.path)) || path.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Diagnostic::error(
        Code::StaleNetworkConfig,
        format!("`{}` exists, and cloud-init would apply it too; nothing was written", path.display()),
    )
    .hint("pass it with `--network-config`, or delete it:")
    .run(Command::of("rm", [path.display().to_string()]))
    .into())
}
