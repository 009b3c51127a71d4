//! Rules for dockerd's configuration in units, drop-ins and daemon.json: the addresses that it listens on, and its certificates.

use std::collections::HashSet;

use serde_json::Value;

use super::command_line::{Flag, command_line, flags};
use crate::diag::{Code, Diagnostic, Severity};
use crate::dockerd::{self, DaemonJson, Fault, Target};
use crate::userdata::budget::Budget;
use crate::userdata::host_state::{File, HostState};
use crate::userdata::paths::{DAEMON_JSON, DAEMON_OPTIONS, DOCKER_UNIT, ISSUER};
use crate::userdata::problems::Problems;

/// The most faults of a command line. A reader does not need more, and a suggestion for each unknown flag takes time.
const MAX_FAULTS: usize = 100;

/// The configuration of the daemon, as far as the seed sets it.
#[derive(Debug, Default)]
pub struct Daemon {
    /// The addresses that it listens on, from its command line.
    hosts: Vec<String>,
    /// The addresses that it listens on, from daemon.json.
    json_hosts: Vec<String>,
    pub tls: bool,
    pub tlsverify: bool,
    pub tlscacert: Option<String>,
    pub tlscert: Option<String>,
    pub tlskey: Option<String>,
}

impl Daemon {
    fn all_hosts(&self) -> impl Iterator<Item = &String> {
        self.hosts.iter().chain(&self.json_hosts)
    }

    /// The first TCP port that the daemon listens on.
    pub fn port(&self) -> Option<u16> {
        self.all_hosts().find_map(|host| {
            host.strip_prefix("tcp://")?.rsplit_once(':')?.1.trim_end_matches('/').parse().ok()
        })
    }
}

/// Reads the daemon's configuration in the seed and checks it.
/// With `allow_unknown`, options that hostseed does not know are warnings.
pub fn judge(host: &HostState, allow_unknown: bool, budget: &Budget, problems: &mut Problems) -> Daemon {
    let mut daemon = Daemon::default();
    let command = command_line(host, budget, problems);
    let flags = command.as_ref().map(|(file, words)| flags(words, file, problems)).unwrap_or_default();
    let json = host
        .file(DAEMON_JSON)
        .or_else(|| host.file(DAEMON_OPTIONS))
        .and_then(|file| Some((file, daemon_json(file, allow_unknown, budget, problems)?)));
    if let Some((file, _)) = &command {
        check_flags(&flags, file, allow_unknown, problems);
        flags.iter().for_each(|flag| apply_flag(&mut daemon, &flag.name, flag.value.as_deref()));
        check_reachable(&daemon, file, problems);
    }
    if let Some((file, fields)) = &json {
        fields.iter().for_each(|(name, value)| apply_field(&mut daemon, name, value));
        check_set_twice(file, fields, command.as_ref().map(|_| &flags[..]), problems);
    }
    let [by_flags, by_json] = [command.as_ref().map(|(file, _)| *file), json.as_ref().map(|(file, _)| *file)];
    for (hosts, file) in [(&daemon.hosts, by_flags), (&daemon.json_hosts, by_json)] {
        if let Some(file) = file {
            check_open(&daemon, hosts, file, problems);
        }
    }
    if let Some(file) = by_flags.or(by_json) {
        check_files(&daemon, host, file, problems);
        check_enabled(&daemon, host, file, problems);
    }
    daemon
}

fn apply_flag(daemon: &mut Daemon, name: &str, value: Option<&str>) {
    let on = || !matches!(value, Some("false" | "0" | "f" | "F" | "False" | "FALSE"));
    match name {
        "host" => daemon.hosts.extend(value.map(str::to_owned)),
        "tls" => daemon.tls = on(),
        "tlsverify" => daemon.tlsverify = on(),
        "tlscacert" => daemon.tlscacert = value.map(str::to_owned),
        "tlscert" => daemon.tlscert = value.map(str::to_owned),
        "tlskey" => daemon.tlskey = value.map(str::to_owned),
        _ => {}
    }
}

fn apply_field(daemon: &mut Daemon, name: &str, value: &Value) {
    let text = || value.as_str().map(str::to_owned);
    match name {
        "hosts" => {
            let hosts = value.as_array().into_iter().flatten();
            daemon.json_hosts.extend(hosts.filter_map(|host| host.as_str().map(str::to_owned)));
        }
        "tls" => daemon.tls |= value == &Value::Bool(true),
        "tlsverify" => daemon.tlsverify |= value == &Value::Bool(true),
        "tlscacert" => daemon.tlscacert = daemon.tlscacert.take().or_else(text),
        "tlscert" => daemon.tlscert = daemon.tlscert.take().or_else(text),
        "tlskey" => daemon.tlskey = daemon.tlskey.take().or_else(text),
        _ => {}
    }
}

/// Reads and checks daemon.json. None if it cannot be read.
fn daemon_json(
    file: &File,
    allow_unknown: bool,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<serde_json::Map<String, Value>> {
    if !budget.take(8 * file.bytes.len()) {
        return None;
    }
    let DaemonJson { fields, faults } = dockerd::check_daemon_json(&file.bytes, Target::Newest);
    for (key, fault) in faults {
        let diagnostic = match key {
            Some(key) => {
                about(fault, allow_unknown, format_args!("`{}` sets `{}`", file.path, key.escape_debug()))
            }
            None => Diagnostic {
                severity: fault.severity,
                ..Diagnostic::error(fault.code, format!("`{}` {}", file.path, fault.why))
                    .maybe_hint(fault.hint)
            },
        };
        problems.add(&file.place, diagnostic);
    }
    Some(fields)
}

/// A fault of an option. Unknown options are warnings if they are allowed.
fn about(fault: Fault, allow_unknown: bool, subject: impl std::fmt::Display) -> Diagnostic {
    let is_unknown = fault.is_unknown();
    let fault = match is_unknown && !allow_unknown {
        true => fault.or_hint("accept it with `--allow-unknown-engine-opts`"),
        false => fault,
    };
    let diagnostic = fault.diagnostic(subject);
    match is_unknown && allow_unknown {
        true => Diagnostic { severity: Severity::Warning, ..diagnostic },
        false => diagnostic,
    }
}

/// Reports options on the command line that dockerd does not have, and values that it does not accept. Values with variables and
/// specifiers, which systemd replaces, are not checked.
fn check_flags(flags: &[Flag], file: &File, allow_unknown: bool, problems: &mut Problems) {
    let mut checked = HashSet::new();
    let mut faults = 0;
    for flag in flags.iter().filter(|flag| checked.insert(*flag)) {
        let value = flag.value.as_deref();
        if faults == MAX_FAULTS {
            return;
        }
        if value.is_some_and(|value| value.contains(['$', '%'])) {
            continue;
        }
        let Err(fault) = dockerd::check_flag(&flag.name, value, Target::Newest) else { continue };
        faults += 1;
        let subject = format!("`{}` has `--{}`", file.path, flag.name.escape_debug());
        problems.add(&file.place, about(fault, allow_unknown, subject));
    }
}

/// Reports options that are both a flag and in daemon.json. dockerd then does not start, even if the values are equal ("the
/// following directives are specified both as a flag and in the configuration file").
fn check_set_twice(
    file: &File,
    fields: &serde_json::Map<String, Value>,
    flags: Option<&[Flag]>,
    problems: &mut Problems,
) {
    let mut reported: HashSet<&str> = HashSet::new();
    for Flag { name: flag, .. } in flags.unwrap_or_default() {
        let Some(field) = dockerd::conflicting_key(flag, fields) else { continue };
        if reported.insert(field) {
            let short = if flag == "host" { "-H".to_owned() } else { format!("--{flag}") };
            let text = format!(
                "`{}` sets `{field}`, but the command line has {short}: dockerd does not start if both are set",
                file.path
            );
            problems.add(
                &file.place,
                Diagnostic::error(Code::DaemonOptionTwice, text)
                    .hint(format!("remove `{field}` from {DAEMON_JSON}")),
            );
        }
    }
    // The unit of Docker's and the distributions' packages has `-H fd://`. It applies if the seed does not replace it.
    if flags.is_none() && fields.contains_key("hosts") {
        let text = format!(
            "`{}` sets `hosts`, but docker.service has -H: dockerd does not start if both are set",
            file.path
        );
        let hint = "remove `hosts` and set -H in a drop-in, or add a drop-in that sets ExecStart without -H";
        problems.add(&file.place, Diagnostic::error(Code::DaemonOptionTwice, text).hint(hint));
    }
}

/// Reports TCP ports without client authentication. Anyone who can send commands to dockerd is root on the host, so such a port
/// gives root to everyone who can connect (Docker, "Protect the Docker daemon socket").
fn check_open(daemon: &Daemon, hosts: &[String], file: &File, problems: &mut Problems) {
    if daemon.tlsverify {
        return;
    }
    for host in hosts.iter().filter(|host| host.starts_with("tcp://")) {
        let address = host.trim_start_matches("tcp://");
        let local = ["127.", "localhost", "[::1]"].iter().any(|local| address.starts_with(local));
        let hint = "add `--tlsverify` with --tlscacert, --tlscert and --tlskey";
        if local {
            let text = format!(
                "`{}` opens {host} without TLS: every process on the host can become root through it",
                file.path
            );
            problems.add(
                &file.place,
                Diagnostic::warning(Code::OpenDockerPort, text)
                    .hint("remove it: local programs can use the Unix socket"),
            );
        } else if daemon.tls {
            let text = format!(
                "`{}` opens {host} with --tls, which does not check client certificates: anyone who can connect is root",
                file.path
            );
            problems.add(&file.place, Diagnostic::error(Code::OpenDockerPort, text).hint(hint));
        } else {
            let text = format!("`{}` opens {host} without TLS: anyone who can connect is root", file.path);
            problems.add(&file.place, Diagnostic::error(Code::OpenDockerPort, text).hint(hint));
        }
    }
}

fn check_reachable(daemon: &Daemon, file: &File, problems: &mut Problems) {
    if daemon.tlsverify && !daemon.all_hosts().any(|host| host.starts_with("tcp://")) {
        let text =
            format!("`{}` has --tlsverify but no `-H tcp://…`, so remote clients cannot connect", file.path);
        problems.add(
            &file.place,
            Diagnostic::error(Code::DaemonUnreachable, text).hint("add `-H tcp://0.0.0.0:2376`"),
        );
    }
    if daemon.all_hosts().next().is_some()
        && !daemon.all_hosts().any(|host| host.starts_with("fd:") || host.starts_with("unix:"))
    {
        let text = format!(
            "`{}` has neither `-H fd://` nor `-H unix://…`, so the docker CLI on the host cannot connect",
            file.path
        );
        problems.add(&file.place, Diagnostic::warning(Code::DaemonUnreachable, text).hint("add `-H fd://`"));
    }
}

/// Checks that Docker starts at boot. Flatcar and Fedora CoreOS start Docker only at the first use of its Unix socket, and the
/// port is closed until then. With cloud-init, Docker's packages and scripts enable the unit.
fn check_enabled(daemon: &Daemon, host: &HostState, file: &File, problems: &mut Problems) {
    let enabled = |name: &str| host.enabled.iter().any(|unit| unit == name);
    if host.ignition && daemon.port().is_some() && !enabled(DOCKER_UNIT) {
        let text = format!(
            "`{}` opens a port, but `docker.service` is not enabled: the port stays closed until a program on the host uses Docker",
            file.path
        );
        problems.add(
            &file.place,
            Diagnostic::error(Code::DaemonUnreachable, text).hint("set `\"enabled\": true` for the unit"),
        );
    }
}

/// Checks that the three files for TLS are configured. They must be in the seed if it has any PEM file.
fn check_files(daemon: &Daemon, host: &HostState, file: &File, problems: &mut Problems) {
    if !daemon.tlsverify {
        return;
    }
    let issues = host.files().iter().any(|file| file.path == ISSUER);
    let comes_with_pem = host.files().iter().any(|file| file.path.ends_with(".pem"));
    for (flag, path) in
        [("tlscacert", &daemon.tlscacert), ("tlscert", &daemon.tlscert), ("tlskey", &daemon.tlskey)]
    {
        match path {
            None => {
                let text = format!(
                    "`{}` has --tlsverify without --{flag}, so dockerd looks for the file in /root/.docker",
                    file.path
                );
                problems.add(
                    &file.place,
                    Diagnostic::error(Code::DaemonTlsFiles, text)
                        .hint(format!("add `--{flag} /etc/docker/…`")),
                );
            }
            Some(path) if host.file(path).is_some() || host.unreadable.contains(path) || !comes_with_pem => {}
            // The host creates these two files itself.
            Some(_) if issues && flag != "tlscacert" => {}
            Some(path) => {
                let text =
                    format!("`{}` has --{flag} {path}, which the user-data does not contain", file.path);
                problems.add(
                    &file.place,
                    Diagnostic::error(Code::DaemonTlsFiles, text)
                        .hint("add the file to the user-data, or correct the path"),
                );
            }
        }
    }
}
