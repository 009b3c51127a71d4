//! The contents of a seed that hostseed renders, independent of its format.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use minijinja::{Value, context};

use super::manifest::{Entry, Manifest};
use super::paths::{self, SETTINGS, SETUP};
use super::payload::{Payload, PayloadEncoding};
use super::setup::Script;
use crate::artifact::Artifact;
use crate::plan::HostRole;
use crate::secret::Secret;
use crate::templates::{self, quote};

/// The settings and files of a seed.
pub struct Contents {
    /// The machine's name. Empty for an image that is not a machine yet.
    pub machine: String,
    pub port: u16,
    /// True if the seed only prepares an image and starts nothing.
    pub image: bool,
    pub has_identity: bool,
    /// True if the identity is a boot issuer.
    pub issues: bool,
    /// The files that `setup` installs. Their paths are relative to `/`.
    pub payloads: Vec<Artifact>,
    /// The script that installs the files.
    pub setup: Script,
    /// The machine's settings, which the script reads.
    pub settings: Secret,
}

/// The differences between a cloud-config and a script.
pub struct Form {
    pub template: &'static str,
    /// True if the manifest names the encoding of all files. Otherwise each file has its own.
    pub names_encoding: bool,
    /// True if the template has the files line by line.
    pub has_lines: bool,
}

impl Contents {
    /// The file name of the identity without its extension. Empty if there is no identity.
    pub fn stem(&self) -> &'static str {
        match (self.has_identity, self.issues) {
            (false, _) => "",
            (true, false) => HostRole::Server.file_stem(),
            (true, true) => HostRole::BootIssuer.file_stem(),
        }
    }

    /// Renders the text, including its manifest.
    pub fn render(
        &self,
        form: &Form,
        encoding: PayloadEncoding,
        phases: BTreeMap<String, String>,
    ) -> Result<String> {
        let setup = Payload::of_script(&self.setup, encoding);
        let settings = Payload::new(self.settings.expose().as_bytes(), encoding);
        // Texts first, and certificates and keys last: this is the order that compresses best as a whole.
        let (pem, texts): (Vec<_>, _) = self.payloads.iter().partition(|file| file.path.ends_with(".pem"));
        // Compressing PEM saves nothing, and whoever reads the user-data can pass it to openssl.
        let pem_encoding = if form.names_encoding { encoding } else { PayloadEncoding::Plain };
        let staged = |file: &Artifact, encoding| {
            carry(&Payload::new(&file.bytes, encoding), &paths::staged(&file.path), 0o600, form.has_lines)
        };
        let mut files = vec![carry(&setup, SETUP, 0o755, form.has_lines)];
        files.extend(texts.into_iter().map(|file| staged(file, encoding)));
        files.push(carry(&settings, SETTINGS, 0o600, form.has_lines));
        files.extend(pem.into_iter().map(|file| staged(file, pem_encoding)));
        // The manifest has one entry for `setup`: its SHA-256 covers the files inside the script. User-data has little room, so other files
        // are not listed twice: the settings list the payloads, and the commands that check `setup` also check the settings.
        let own = Entry { sha256: setup.sha256.clone(), mode: 0o755, path: SETUP.to_owned() };
        let mut manifest = Manifest::new(vec![own]);
        manifest.phases = phases;
        // `Plain` is the default, so the manifest leaves it out.
        manifest.encoding =
            Some(encoding).filter(|encoding| form.names_encoding && *encoding != PayloadEncoding::Plain);
        let checked = quote::shell(&format!("{}  {SETUP}\n{}  {SETTINGS}", setup.sha256, settings.sha256));
        let values = context! {
            machine => self.machine.as_str(),
            port => self.port,
            mode => if self.image { "image" } else { "host" },
            packed => encoding == PayloadEncoding::GzipBase64,
            has_identity => self.has_identity,
            issues => self.issues,
            files,
            run_setup => format!("echo {checked} | sha256sum -c && exec {SETUP}"),
        };
        let line = manifest.to_line();
        let values = context! { manifest => Value::from_safe_string(line.clone()), ..values };
        let text = Secret::new(templates::render(form.template, values)?);
        // The number of lines does not depend on the value of `lines`, so they are counted before it is there.
        manifest.lines = Some(text.expose().lines().count());
        let (before, after) = text.expose().split_once(&line).context("the template has the manifest")?;
        Ok([before, &manifest.to_line(), after].concat())
    }
}

/// A file for the template, which puts it at `path`: its lines, or its text as a whole.
fn carry(payload: &Payload, path: &str, mode: u32, has_lines: bool) -> Value {
    let end = match payload.encoding {
        PayloadEncoding::GzipBase64 => "END".to_owned(),
        // No file contains a line with its own name, so this line cannot occur in the file.
        PayloadEncoding::Plain => format!("END OF {}", paths::file_name(path)),
    };
    context! {
        path,
        mode => format!("{mode:04o}"),
        packed => payload.encoding == PayloadEncoding::GzipBase64,
        end,
        sha256 => payload.sha256.as_str(),
        text => if has_lines { "" } else { payload.text.expose() },
        lines => if has_lines { payload.lines() } else { Vec::new() },
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::diag::Place;
    use crate::userdata::budget::Budget;
    use crate::userdata::host_state::HostState;
    use crate::userdata::problems::Problems;

    /// A seed with texts that each format must quote or encode, or that look like the format's own syntax.
    pub fn sample() -> Contents {
        Contents {
            machine: "web1".to_owned(),
            port: 2376,
            image: false,
            has_identity: true,
            issues: false,
            payloads: vec![
                Artifact::public("etc/docker/ca.pem", "END\n\"'$HOME ${a} {{ b }} %n \\ \t\n"),
                Artifact::private("etc/docker/server-key.pem", "\u{e4}\u{1f433}\n\n- a: b\n"),
            ],
            setup: Script::new("#!/bin/sh\necho 'a  b' <<'END OF ca.pem'\nEND OF ca.pem\n"),
            settings: Secret::new("machine='web1'\nno_proxy='a\n\nb  '\n".to_owned()),
        }
    }

    /// Runs `read` on a text without problems and returns the host state. Panics if `read` reports a problem.
    pub fn read_back(read: impl FnOnce(&Place, &Budget, &mut HostState, &mut Problems)) -> HostState {
        let (mut host, mut problems) = (HostState::default(), Problems::default());
        read(&Place::file("seed"), &Budget::default(), &mut host, &mut problems);
        let problems = problems.into_sorted();
        assert!(problems.is_empty(), "{problems:?}");
        host
    }

    /// Asserts that all files of the contents are staged for `setup` and that the manifest names them.
    pub fn assert_staged(host: &HostState, contents: &Contents) {
        let manifest = host.manifests[0].manifest.as_ref().unwrap();
        assert_eq!(host.manifests[0].lines, manifest.lines.unwrap());
        for file in &contents.payloads {
            let found = host.file(&paths::staged(&file.path)).unwrap();
            assert_eq!(found.text(), String::from_utf8_lossy(&file.bytes));
            assert_eq!(found.mode, 0o600);
        }
        let own =
            [(SETUP, contents.setup.text.as_ref(), 0o755), (SETTINGS, contents.settings.expose(), 0o600)];
        for (path, text, mode) in own {
            let file = host.file(path).unwrap();
            assert_eq!((file.text().as_ref(), file.mode), (text, mode));
        }
        assert_eq!(host.files().len(), contents.payloads.len() + own.len());
        assert_eq!(manifest.files.len(), 1);
        assert!(host.runs_setup && host.unmarked.is_none());
    }
}
