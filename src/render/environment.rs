//! Prints the environment variables with which Docker's clients reach a machine. The output equals Docker Machine's byte for
//! byte, because scripts and users rely on it, with two exceptions: values are escaped, and the hint for POSIX shells quotes the
//! command's output.

use std::fmt::Write;

use anyhow::Result;

use crate::artifact::Artifact;
use crate::shell::{Shell, called};
use crate::templates;

/// The connection to a machine's Docker.
#[derive(Debug, Clone)]
pub struct Connection {
    pub machine: String,
    /// `tcp://HOST:PORT`.
    pub url: String,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`.
    pub cert_path: String,
}

impl Shell {
    /// Returns the lines that set `variables`.
    pub fn set(self, variables: &[(String, String)]) -> String {
        if self == Self::Nu {
            // A record for `from nuon | load-env`, because nushell cannot evaluate text.
            let fields: Vec<_> =
                variables.iter().map(|(name, value)| format!("{name}: {}", json(value))).collect();
            return format!("{{{}}}\n", fields.join(", "));
        }
        let (before, between, after) = match self {
            Self::Posix => ("export ", "=\"", "\"\n"),
            Self::Fish => ("set -gx ", " \"", "\";\n"),
            Self::PowerShell => ("$Env:", " = \"", "\"\n"),
            Self::Cmd => ("SET ", "=", "\n"),
            Self::Tcsh => ("setenv ", " \"", "\";\n"),
            Self::Emacs => ("(setenv \"", "\" \"", "\")\n"),
            Self::Nu | Self::Dotenv => ("", "=", "\n"),
        };
        let line = |(name, value): &(String, String)| {
            format!("{before}{name}{between}{}{after}", self.quoted(value))
        };
        variables.iter().map(line).collect()
    }

    /// Returns the lines that unset the variables with these names.
    pub fn unset(self, names: &[&str]) -> String {
        let (before, after) = match self {
            Self::Posix => ("unset ", "\n"),
            Self::Fish => ("set -e ", ";\n"),
            Self::PowerShell => (r"Remove-Item Env:\\", "\n"),
            Self::Cmd => ("SET ", "=\n"),
            Self::Tcsh => ("unsetenv ", ";\n"),
            Self::Emacs => ("(setenv \"", "\" nil)\n"),
            Self::Nu => ("hide-env --ignore-errors ", "\n"),
            Self::Dotenv => ("", "=\n"),
        };
        names.iter().map(|name| format!("{before}{name}{after}")).collect()
    }

    /// Returns the commands that set `variables` and run the docker CLI. `file` sets them in POSIX shells.
    pub fn connect_with(self, variables: &[(String, String)], file: &str) -> Vec<String> {
        let mut lines = match self {
            Self::Posix | Self::Emacs | Self::Dotenv => {
                return vec![format!(". {} && docker info", Self::Posix.word(file))];
            }
            Self::Nu => vec![format!("load-env {}", self.set(variables).trim_end())],
            _ => self.set(variables).lines().map(str::to_owned).collect(),
        };
        lines.push("docker info".to_owned());
        lines
    }

    /// Returns the line that sets one variable, for use next to the lines of [`unset`](Self::unset).
    pub fn set_one(self, variable: (String, String)) -> String {
        match (self, variable) {
            (Self::Nu, (name, value)) => format!("$env.{name} = {}\n", json(&value)),
            (_, variable) => self.set(&[variable]),
        }
    }

    /// Returns comments that explain how to evaluate the output of `command`. `unset` is true if that output unsets the
    /// variables.
    pub fn hint(self, command: &str, unset: bool) -> String {
        let (comment, evaluate) = match self {
            Self::Posix => ("#", format!("eval \"$({command})\"")),
            Self::Fish => ("#", format!("eval ({command})")),
            Self::PowerShell => ("#", format!("{} | Invoke-Expression", called(command))),
            Self::Cmd => ("REM", format!("\t@FOR /f \"tokens=*\" %i IN ('{command}') DO @%i")),
            Self::Tcsh => (":", format!("eval `{command}`")),
            Self::Emacs => (
                ";;",
                format!("(with-temp-buffer (shell-command \"{command}\" (current-buffer)) (eval-buffer))"),
            ),
            Self::Nu if !unset => ("#", format!("{command} | from nuon | load-env")),
            // No command evaluates nushell's `hide-env` or a file of variables.
            Self::Nu | Self::Dotenv => return String::new(),
        };
        format!("{comment} Run this command to configure your shell: \n{comment} {evaluate}\n")
    }

    /// Escapes a value for this shell's quotes. Ordinary paths and URLs stay unchanged.
    fn quoted(self, value: &str) -> String {
        let with = |escape: char, special: &str| {
            let mut quoted = String::with_capacity(value.len());
            for c in value.chars() {
                if special.contains(c) {
                    quoted.push(escape);
                }
                quoted.push(c);
            }
            quoted
        };
        match self {
            Self::Posix => with('\\', "\\\"$`"),
            Self::Fish => with('\\', "\\\"$"),
            Self::PowerShell => with('`', "`\"$"),
            Self::Emacs => with('\\', "\\\""),
            // In tcsh, double quotes do not protect `"`, `$`, `` ` `` and `!`. The first three are written outside the quotes,
            // each after a backslash.
            Self::Tcsh => value.chars().fold(String::new(), |mut quoted, c| {
                match c {
                    '"' | '$' | '`' => {
                        write!(quoted, "\"\\{c}\"").expect("writing to a string does not fail")
                    }
                    '!' => quoted.push_str("\\!"),
                    c => quoted.push(c),
                }
                quoted
            }),
            // In cmd, SET has no quotes. A caret escapes characters that would end the command.
            Self::Cmd => with('^', "&|<>^"),
            Self::Nu => json(value),
            Self::Dotenv => crate::templates::quote::shell_word(value),
        }
    }
}

impl Connection {
    /// Returns the file `env` for POSIX shells. In bash and zsh it finds the certificates beside itself, wherever their folder is.
    ///
    /// # Errors
    /// Fails if the template cannot be rendered.
    pub fn movable_env(&self) -> Result<Artifact> {
        let values =
            minijinja::context! { dir => &self.cert_path, url => &self.url, machine => &self.machine };
        Ok(Artifact::public("env", templates::render("client/env", values)?))
    }

    /// Returns the variables that Docker's clients read, in Docker Machine's order.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_HOST", &self.url),
            ("DOCKER_CERT_PATH", &self.cert_path),
            ("DOCKER_MACHINE_NAME", &self.machine),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
