//! Finds dockerd's effective command line among a seed's units and drop-ins, and parses it.

use super::unit::{self, Setting};
use crate::diag::{Code, Diagnostic};
use crate::dockerd;
use crate::userdata::budget::Budget;
use crate::userdata::host_state::{File, HostState};
use crate::userdata::paths::{self, DOCKER_UNIT, DROP_IN, UNITS};
use crate::userdata::problems::Problems;

/// The folders in which systemd looks for Docker's unit and its drop-ins (systemd.unit(5), system unit search path).
const UNIT_DIRS: [&str; 3] = [UNITS, "/run/systemd/system", "/usr/lib/systemd/system"];

/// Maximum length of a line in a unit in bytes (`LONG_LINE_MAX` in systemd's `src/basic/fileio.h`).
const MAX_LINE: usize = 1 << 20;

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
        for setting in unit::settings(&file.text()).filter(|setting| setting.key == "ExecStart") {
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
    if line.len() > MAX_LINE {
        let text = format!(
            "`{}` has an ExecStart of more than {MAX_LINE} bytes, so systemd does not read the file",
            file.path
        );
        problems.add(&file.place, Diagnostic::error(Code::DaemonCommandLine, text));
        return None;
    }
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

/// A flag of dockerd without its hyphens, and its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flag {
    pub name: String,
    pub value: Option<String>,
}

/// Parses flags and their values as dockerd's parser (pflag) does: a switch has a value only after `=`, every other flag takes the
/// next word if it has no `=`. Only the flags of dockerd itself are parsed, and not those of a program that starts it.
pub fn flags(words: &[String], file: &File, problems: &mut Problems) -> Vec<Flag> {
    // Prefixes that systemd.service(5) has for the path of a command.
    let program =
        words.first().map(|word| word.trim_start_matches(['@', '-', ':', '+', '!'])).unwrap_or_default();
    let is_dockerd = paths::file_name(program) == "dockerd";
    let mut flags = Vec::new();
    let mut words = words.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => match dockerd::by_flag(long) {
                    Some(option) if option.kind.is_switch() => (long, None),
                    Some(_) => (long, words.next().cloned()),
                    None => (long, words.next_if(|word| !word.starts_with('-')).cloned()),
                },
            };
            flags.push(Flag { name: name.to_owned(), value });
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            short_flags(letters, &mut words, &mut flags);
        } else if is_dockerd && !word.starts_with('$') {
            let text = format!(
                "`{}` has the word `{}`, and dockerd does not start with words that are no flags",
                file.path,
                word.escape_debug()
            );
            let problem =
                Diagnostic::error(Code::DaemonCommandLine, text).hint("remove it, or write `--FLAG=VALUE`");
            problems.add(&file.place, problem);
        }
    }
    if !is_dockerd {
        flags.retain(|flag| dockerd::by_flag(&flag.name).is_some());
    }
    flags
}

/// Parses short flags that share a word: switches, and then one with a value, which is the rest or the next word.
fn short_flags<'a>(letters: &str, words: &mut impl Iterator<Item = &'a String>, flags: &mut Vec<Flag>) {
    for (n, letter) in letters.char_indices() {
        let Some((name, option)) = dockerd::by_short(letter).and_then(|option| Some((option.flag?, option)))
        else {
            flags.push(Flag { name: letter.to_string(), value: None });
            return;
        };
        let rest = &letters[n + letter.len_utf8()..];
        let attached = match rest.strip_prefix('=') {
            Some(value) => Some(value.to_owned()),
            None if option.kind.is_switch() => {
                flags.push(Flag { name: name.to_owned(), value: None });
                continue;
            }
            None if rest.is_empty() => None,
            None => Some(rest.to_owned()),
        };
        let value = attached.or_else(|| words.next().cloned());
        flags.push(Flag { name: name.to_owned(), value });
        return;
    }
}
