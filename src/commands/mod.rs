//! One verb a file; each reads as the steps of the verb.

mod address;
mod bake;
mod clouds;
mod completions;
mod config;
mod create;
mod env;
mod explain;
mod external;
mod inspect;
mod ls;
mod man;
pub mod render;
mod rm;
mod schema;
mod url;
mod verify;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Result;

pub use address::address;
pub use bake::bake;
pub use clouds::clouds;
pub use completions::completions;
pub use config::config;
pub use create::create;
pub use env::{env, env_unset};
pub use explain::explain;
pub use external::external;
pub use inspect::inspect;
pub use ls::ls;
pub use man::man;
pub use render::render;
pub use rm::rm;
pub use schema::schema;
pub use url::{ip, url};
pub use verify::{Question, verify};

use crate::diag::{Code, Diagnostic, Report};
use crate::names::MachineName;
use crate::plan::{Docker, Install, InstallScript};
use crate::spec::{self, Spec};
use crate::ui::{Ui, is_safe};

/// The spec of a file where one is given (`-`: standard input), else that of the flags. Reads no more than a spec may have.
pub fn read_spec(file: Option<PathBuf>, flags: impl FnOnce() -> Spec) -> Result<Spec> {
    let Some(file) = file else { return Ok(flags()) };
    let (name, read) = if file.as_os_str() == "-" {
        ("<stdin>".to_owned(), read_begin(spec::MAX_BYTES, std::io::stdin().lock()))
    } else {
        (file.display().to_string(), File::open(&file).and_then(|file| read_begin(spec::MAX_BYTES, file)))
    };
    let text = read.and_then(|bytes| match bytes.len() > spec::MAX_BYTES {
        // The spec's own finding says so.
        true => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        false => String::from_utf8(bytes).map_err(io::Error::other),
    });
    let text = text
        .map_err(|error| Diagnostic::error(Code::UnreadableFile, format!("cannot read `{name}`: {error}")))?;
    Ok(Spec::from_yaml(&name, &text)?)
}

/// A file that an option names, of at most the size that `verify` reads too.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let max = crate::verify::MAX_BYTES;
    let read = File::open(path).and_then(|file| read_begin(max, file));
    let read = read.and_then(|bytes| match bytes.len() > max {
        true => Err(io::Error::other(format!("it has more than {max} bytes"))),
        false => Ok(bytes),
    });
    Ok(read.map_err(|error| {
        Diagnostic::error(Code::UnreadableFile, format!("cannot read `{}`: {error}", path.display()))
    })?)
}

/// The first `max` bytes of a stream, and one more where there are more.
fn read_begin(max: usize, stream: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Prints who controls a host that runs a script from an install URL. Prints nothing where the script's SHA-256 is given.
fn note_install_url(ui: Ui, spec: &Spec, docker: &Docker) {
    let Install::Script(script @ InstallScript { url, sha256: None }) = &docker.install else { return };
    let whom = if script.is_https() { "that URL" } else { "that URL or the network on the way to it" };
    ui.note(format_args!(
        "setup runs the script at {url} as root, unchecked: whoever controls {whom} while it installs Docker controls the host; \
         {} accepts one script only",
        spec.flag("engine-install-sha256", "HEX")
    ));
}

/// Refuses values for a shell that would command the terminal on their way: they cannot be escaped and stay the same.
fn refuse_unsafe<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<()> {
    match values.into_iter().find(|value| !is_safe(value)) {
        Some(value) => {
            let text = format!("`{value}` has a control character, and no shell gets it from here");
            Err(Diagnostic::error(Code::UnsafeValue, text)
                .hint("keep the machines in a folder without any")
                .into())
        }
        None => Ok(()),
    }
}

/// A machine's name from the command line.
fn machine_name(text: &str) -> Result<MachineName> {
    MachineName::parse(text).map_err(|problem| Report::from(problem.about("`NAME`")).into())
}
