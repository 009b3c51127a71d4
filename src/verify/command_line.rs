//! Finds dockerd's effective command line among a seed's units and drop-ins, and parses it.

use super::unit::{self, Setting};
use crate::diag::{Code, Diagnostic};
use crate::userdata::budget::Budget;
use crate::userdata::host_state::{File, HostState};
use crate::userdata::paths::{self, DOCKER_UNIT, DROP_IN, UNITS};
use crate::userdata::problems::Problems;

/// The folders in which systemd looks for Docker's unit and its drop-ins (systemd.unit(5), system unit search path).
const UNIT_DIRS: [&str; 3] = [UNITS, "/run/systemd/system", "/usr/lib/systemd/system"];

/// Returns the file that sets the effective `ExecStart`, and the words of that command.
pub fn command_line<'a>(
    host: &'a HostState,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<(&'a File, Vec<String>)> {
    let mut effective: Option<(&File, String)> = None;
    // The image's own unit already has an ExecStart.
    let mut commands = 1;
    for file in files(host) {
        if !budget.take(4 * file.bytes.len()) {
            return None;
        }
        if file.name() == DOCKER_UNIT {
            commands = 0;
        }
        for setting in unit::settings(&file.text()).into_iter().filter(|setting| setting.key == "ExecStart") {
            if &*setting.section != "Service" {
                problems.add(&file.place, exec_start_outside_service(file, &setting));
            } else if setting.value.is_empty() {
                commands = 0;
            } else {
                commands += 1;
                if commands > 1 {
                    problems.add(&file.place, second_exec_start(file, &setting));
                }
                if effective.is_some_and(|(earlier, _)| earlier.name() == paths::file_name(DROP_IN)) {
                    let text = format!(
                        "`{}` sets ExecStart after 10-machine.conf, and so replaces hostseed's TLS options",
                        file.path
                    );
                    problems.add(
                        &file.place,
                        Diagnostic::error(Code::DaemonCommandLine, text).hint("remove its ExecStart lines"),
                    );
                }
                effective = Some((file, setting.value));
            }
        }
    }
    let (file, line) = effective?;
    let words = shell_words::split(&line);
    if words.is_err() {
        let text = format!("`{}` has an ExecStart with an unclosed quote", file.path);
        problems.add(&file.place, Diagnostic::error(Code::DaemonCommandLine, text).hint("close the quote"));
    }
    Some((file, words.ok()?))
}

/// Returns the unit, and then its drop-ins in the order of their names, regardless of their folders (systemd.unit(5)).
fn files(host: &HostState) -> Vec<&File> {
    let below = |file: &&File, rest: &str| {
        UNIT_DIRS.iter().any(|dir| file.path.strip_prefix(dir).is_some_and(|path| path.starts_with(rest)))
    };
    let all = || host.files().iter();
    let mut drop_ins: Vec<&File> =
        all().filter(|file| below(file, "/docker.service.d/") && file.path.ends_with(".conf")).collect();
    drop_ins.sort_by_key(|file| file.name());
    let unit = all().filter(|file| below(file, "/docker.service") && file.name() == DOCKER_UNIT);
    unit.chain(drop_ins).collect()
}

fn exec_start_outside_service(file: &File, setting: &Setting) -> Diagnostic {
    let text = format!(
        "`{}` line {} sets ExecStart outside of the section [Service], where systemd ignores it",
        file.path, setting.line
    );
    Diagnostic::error(Code::DaemonCommandLine, text).hint("put a line `[Service]` above it")
}

fn second_exec_start(file: &File, setting: &Setting) -> Diagnostic {
    let text = format!(
        "`{}` line {} adds a second ExecStart, so systemd does not start {DOCKER_UNIT}",
        file.path, setting.line
    );
    Diagnostic::error(Code::DaemonCommandLine, text).hint("put a line `ExecStart=` without a value before it")
}

/// Parses flags and their values as dockerd's parser (pflag) does: a boolean flag has a value only after `=`.
pub fn flags(words: &[String]) -> Vec<(String, Option<String>)> {
    const SWITCHES: [&str; 12] = [
        "tls",
        "tlsverify",
        "debug",
        "live-restore",
        "iptables",
        "ip6tables",
        "ip-forward",
        "ip-masq",
        "ipv6",
        "userland-proxy",
        "icc",
        "experimental",
    ];
    let mut flags = Vec::new();
    let mut words = words.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            match long.split_once('=') {
                Some((name, value)) => flags.push((name.to_owned(), Some(value.to_owned()))),
                None if SWITCHES.contains(&long) => flags.push((long.to_owned(), None)),
                None => {
                    let value = words.next_if(|word| !word.starts_with('-'));
                    flags.push((long.to_owned(), value.cloned()));
                }
            }
        } else if let Some(value) = word.strip_prefix("-H") {
            let value = value.strip_prefix('=').unwrap_or(value);
            let value = if value.is_empty() { words.next().cloned() } else { Some(value.to_owned()) };
            flags.push(("host".to_owned(), value));
        } else if word == "-D" {
            flags.push(("debug".to_owned(), None));
        }
    }
    flags
}
