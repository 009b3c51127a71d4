//! `env`: the environment variables that connect the docker CLI to a machine. Uses no network.

use std::env::var;

use anyhow::Result;
use time::OffsetDateTime;

use super::address::refuse_uncovered;
use super::{expiry, machine_name, pending, refuse_unsafe};
use crate::names::host_of;
use crate::render::Shell;
use crate::store::Store;
use crate::ui::{Ui, safe};

/// Prints the commands that set the variables. An `address` replaces the recorded one in the output only.
pub fn env(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    name: &str,
    shell: Option<&str>,
    no_proxy: bool,
    address: Option<&str>,
) -> Result<()> {
    let name = machine_name(name)?;
    let record = store.record(&name)?;
    let (connection, host) = match address {
        Some(address) => {
            let address = super::address::parse(address)?;
            refuse_uncovered(store, &name, &address, "", None)?;
            (store.connection_at(&name, &address)?, address.to_string())
        }
        None => (store.connection(&name)?, record.host),
    };
    super::address::note_missing(store, ui, &name, &host);
    expiry::note(store, ui, now, &name);
    pending::note(store, ui, &name);
    let mut variables = connection.variables();
    if no_proxy {
        variables.push(with_no_proxy(host));
    }
    refuse_unsafe(variables.iter().map(|(_, value)| value.as_str()))?;
    let shell = shell_of(shell);
    ui.out(shell.set(&variables) + &shell.hint(&command_line(shell), false))
}

/// Prints the commands that unset the variables. With `no_proxy`, removes the host of DOCKER_HOST from NO_PROXY too, and keeps
/// all other entries.
pub fn env_unset(ui: Ui, shell: Option<&str>, no_proxy: bool) -> Result<()> {
    let mut names = vec!["DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"];
    let shell = shell_of(shell);
    let mut kept = String::new();
    if no_proxy && let Some((variable, rest)) = without_docker_host() {
        refuse_unsafe([rest.as_str()])?;
        match rest.is_empty() {
            true => names.push(variable),
            false => kept = shell.set_one((variable.to_owned(), rest)),
        }
    }
    ui.out(shell.unset(&names) + &kept + &shell.hint(&command_line(shell), true))
}

/// The shell named in the command, else the user's.
fn shell_of(asked: Option<&str>) -> Shell {
    asked.and_then(Shell::named).unwrap_or_else(Shell::of_user)
}

/// The variable that is in use; the lower-case one has precedence.
fn no_proxy_variable() -> &'static str {
    if var("no_proxy").is_ok_and(|value| !value.is_empty()) { "no_proxy" } else { "NO_PROXY" }
}

fn with_no_proxy(host: String) -> (String, String) {
    let variable = no_proxy_variable();
    let before = var(variable).unwrap_or_default();
    let value = match before.split(',').any(|entry| entry.trim() == host) {
        true => before,
        false if before.is_empty() => host,
        false => format!("{before},{host}"),
    };
    (variable.to_owned(), value)
}

/// The variable of `no_proxy_variable` without the host of DOCKER_HOST. Returns `None` if it does not contain that host.
fn without_docker_host() -> Option<(&'static str, String)> {
    let url: http::Uri = var("DOCKER_HOST").ok()?.parse().ok()?;
    let host = host_of(&url)?;
    let variable = no_proxy_variable();
    let before = var(variable).ok()?;
    let rest: Vec<_> = before.split(',').filter(|entry| entry.trim() != host).collect();
    (rest.len() < before.split(',').count()).then(|| (variable, rest.join(",")))
}

/// The command as typed, quoted for the hint in the language of `shell`.
fn command_line(shell: Shell) -> String {
    let mut words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let program = if words.is_empty() { String::new() } else { words.remove(0) };
    // A line break would begin a new command.
    safe(&shell.line(&program, &words)).into_owned()
}
