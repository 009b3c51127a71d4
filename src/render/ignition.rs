//! Renders an Ignition config for Flatcar Container Linux and Fedora CoreOS, which have Docker preinstalled and a read-only
//! `/usr`.

use anyhow::Result;

use super::host::Host;
use super::host_set;
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::userdata::ignition::{self, Merged};
use crate::userdata::paths::{DAEMON_JSON, OPT};

/// Renders the config.
///
/// # Errors
/// The plan chooses a Docker version or source, or a merged config replaces a file or unit of hostseed's.
pub fn render(host: &Host, merged: &[Merged]) -> Result<Artifact> {
    refuse_choices(host)?;
    refuse_users(host)?;
    refuse_open_firewall(host)?;
    let daemon_json = host.daemon_json(DAEMON_JSON)?;
    let files: Vec<Artifact> = host
        .identity()
        .into_iter()
        .chain(host.attachments()?)
        .chain(host_set::units()?)
        .chain(daemon_json)
        .collect();
    Ok(host.artifact("config.ign", ignition::write(&files, &host.drop_in(OPT)?, merged)?))
}

/// Rejects options that choose a Docker version or source. In these systems Docker is part of the image.
fn refuse_choices(host: &Host) -> Result<()> {
    let choices = host.plan.docker.choices();
    if choices.is_empty() {
        return Ok(());
    }
    let listed: Vec<_> = choices.iter().map(|field| format!("`{field}`")).collect();
    let failure = Diagnostic::error(
        Code::NoEffect,
        format!(
            "{} has no effect with Ignition: Flatcar and Fedora CoreOS come with their Docker",
            listed.join(", ")
        ),
    );
    Err(failure.hint("make the machine without it, and choose the image's release instead").into())
}

/// Rejects `open-firewall`: Ignition has no part that could read the rules of the image.
fn refuse_open_firewall(host: &Host) -> Result<()> {
    if !host.plan.open_firewall {
        return Ok(());
    }
    let text = "`open-firewall` has no effect with Ignition, which cannot change the rules of the image";
    let hint = "merge a config with the whole file of rules: `--merge FILE.ign`";
    Err(Diagnostic::error(Code::NoEffect, text).hint(hint).into())
}

/// Rejects users for the group `docker`: Ignition replaces the groups that an existing user has, such as `sudo`, by those of a config
/// (usermod(8), `--groups` without `--append`).
fn refuse_users(host: &Host) -> Result<()> {
    let Some(user) = host.plan.docker_users.first() else { return Ok(()) };
    let text = "`docker-group` has no effect with Ignition, which replaces all groups of a user";
    let hint =
        format!("merge a config that lists all groups of `{user}` in `passwd.users`: `--merge FILE.ign`");
    Err(Diagnostic::error(Code::NoEffect, text).hint(hint).into())
}
