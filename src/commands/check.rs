//! `check`: whether Docker answers on machines, and if not, why, with the next step.

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use time::OffsetDateTime;

use super::check_view::{Checked, View};
use super::diagnosis::{Diagnosis, passing};
use super::machine_name;
use crate::diag::{Code, Diagnostic};
use crate::docker::{Answer, Engine, Fault, Target};
use crate::names::{Address, MachineName};
use crate::pki::Certificate;
use crate::plan::{HostRole, split_unit};
use crate::store::Store;
use crate::ui::{Line, Ui};

/// The exit status if all machines are up, and a certificate of one expires soon.
pub(super) const EXPIRING: u8 = 3;
/// The most machines at a time.
const AT_A_TIME: usize = 64;
/// The longest attempt, and the longest one when the wait is over.
const ATTEMPT: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(5)];
/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// The arguments of the command.
pub struct Watch<'a> {
    pub names: &'a [String],
    /// How long to wait for machines that are not up yet.
    pub wait: Option<Duration>,
    pub json: bool,
    /// True for `wait`, after which a script goes on with any status but 0 as with a failure: it has no status 3.
    pub until_up: bool,
}

/// A machine of the store with its connection.
pub(super) struct Machine {
    pub name: MachineName,
    pub url: String,
    pub target: Target,
    pub engine: Engine,
    /// The certificate that the host has until it gets a new one, which is in the store.
    old: Option<Certificate>,
    /// True if the host accepts the client only when it has the new files.
    proves: bool,
}

/// Checks machines side by side. The exit status is 0 if all are up, 3 if all are up and a certificate expires soon and the command is
/// `check`, else 1.
///
/// # Errors
/// Fails before the first connection if a machine does not exist or its files cannot be used.
pub fn check(store: &Store, ui: Ui, now: OffsetDateTime, watch: &Watch) -> Result<ExitCode> {
    let mut seen = HashSet::new();
    let names = watch.names.iter().filter(|name| seen.insert(name.as_str()));
    let machines: Vec<Machine> = names
        .map(|name| machine(store, name).map_err(|error| watch.is_time(name, error)))
        .collect::<Result<_>>()?;
    let begin = Instant::now();
    let lines = ui.lines(watch.wait.is_some());
    // A reader sees each result at once. A program gets all in the order of the names.
    let printed = (!watch.json && io::stdout().is_terminal()).then(|| Mutex::new(Printed::default()));
    let checked = side_by_side(&machines, |machine| {
        let line = lines.add();
        let clock = || now + begin.elapsed();
        let end = watch.wait.map(|wait| begin + wait);
        let outcome = attempts(machine, &line, end, clock);
        line.finish();
        let diagnosis = Diagnosis {
            store,
            name: &machine.name,
            url: &machine.url,
            target: &machine.target,
            waited: watch.wait.is_some(),
        };
        let checked = Checked::new(&diagnosis, outcome, clock());
        if let Some(printed) = &printed {
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            lines.above(|| printed.print(ui, &checked));
        }
        checked
    });
    let mut is_old = false;
    for (machine, checked) in machines.iter().zip(&checked) {
        is_old |= is_previous(store, ui, machine, checked)?;
    }
    if let Some(printed) = printed {
        printed.into_inner().unwrap_or_else(PoisonError::into_inner).result?;
    } else if watch.json {
        ui.json(&checked.iter().map(Checked::view).collect::<Result<Vec<View>>>()?)?;
    } else {
        let mut printed = Printed::default();
        checked.iter().for_each(|one| printed.print(ui, one));
        printed.result?;
    }
    Ok(if checked.iter().any(|one| !one.is_up()) || is_old && watch.wait.is_some() {
        ExitCode::FAILURE
    } else if !watch.until_up && checked.iter().any(Checked::expires_soon) {
        ExitCode::from(EXPIRING)
    } else {
        ExitCode::SUCCESS
    })
}

/// Parses a time to wait: a whole number of seconds, minutes or hours, up to a day.
pub fn seconds(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = split_unit(text).and_then(|(number, unit)| {
        let unit = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(unit)
    });
    match seconds {
        Some(seconds @ 1..=DAY) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("must be a time like `90s`, `10m` or `1h`, up to `24h`, got `{text}`")),
    }
}

impl Watch<'_> {
    /// Adds to the error about a machine that does not exist how its name would be the time to wait: `--wait 1s`.
    fn is_time(&self, name: &str, error: Error) -> Error {
        let option = if self.until_up { "--timeout" } else { "--wait" };
        match Diagnostic::of(&error) {
            Some(missing)
                if missing.code == Code::NoSuchMachine && self.wait.is_some() && seconds(name).is_ok() =>
            {
                let missing = Diagnostic { commands: Vec::new(), ..missing };
                missing.hint(format!("the time to wait is given as `{option}={name}`")).into()
            }
            _ => error,
        }
    }
}

/// Prepares the connection to a machine.
///
/// # Errors
/// Fails if the machine does not exist, has no address or its files cannot be used.
pub(super) fn machine(store: &Store, name: &str) -> Result<Machine> {
    let name = machine_name(name)?;
    let record = store.record(&name)?;
    let address = Address::parse(&record.host).map_err(|_| {
        Diagnostic::error(Code::StoredRecord, format!("`{name}` has no address that can be connected to"))
            .hint("record its address:")
            .run(store.command(["address", name.as_str(), "ADDRESS"]))
    })?;
    let issues = store.host_role(&name) == HostRole::BootIssuer;
    let target = Target {
        address,
        port: record.port,
        client: store.client_identity(&name)?,
        issues,
        unaddressed: issues && record.host == name.as_str(),
    };
    let engine = Engine::new(&target).map_err(|error| {
        Diagnostic::error(
            Code::StoredPem,
            format!("the client's files of `{name}` cannot be used: {error:#}"),
        )
        .hint("restore them, or make new ones:")
        .run(store.command(["renew", name.as_str()]))
    })?;
    let old = store.has_unproved_certificate(&name).then(|| store.previous_certificate(&name).ok()).flatten();
    let proves = old.is_none() && store.has_unproved_client(&name);
    Ok(Machine { name, url: record.url, target, engine, old, proves })
}

impl Machine {
    /// Returns whether the host presents the certificate that it had before `renew` or `update`.
    fn has_old_certificate(&self, answer: &Answer) -> bool {
        self.old.as_ref().is_some_and(|old| answer.presented.contains(old))
    }
}

/// Asks a host until it answers, with its new certificate if it has a new one, until waiting cannot help, or until `end`. Without `end` it
/// asks once.
pub(super) fn attempts(
    machine: &Machine,
    line: &Line,
    end: Option<Instant>,
    clock: impl Fn() -> OffsetDateTime,
) -> Result<Answer, Fault> {
    let [mut pause, longest] = PAUSES;
    let [limit, shortest] = ATTEMPT;
    let left = || end.map(|end| end.saturating_duration_since(Instant::now()));
    line.set(format_args!("`{}`: connecting to {}", machine.name, machine.url));
    loop {
        let attempt = left().map_or(limit, |left| left.clamp(shortest, limit));
        let outcome = machine.engine.check(clock(), Instant::now() + attempt);
        let left = left().unwrap_or_default();
        let state = match &outcome {
            Ok(answer) if machine.has_old_certificate(answer) => "waiting for the new certificate".to_owned(),
            Err(fault) if fault.is_passing() => passing(fault),
            _ => return outcome,
        };
        if left.is_zero() {
            return outcome;
        }
        line.set(format_args!("`{}`: {state}", machine.name));
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(longest);
    }
}

/// Calls `work` for each item on a thread of its own, and returns the results in the order of the items.
pub(super) fn side_by_side<T: Sync, R: Send + Sync>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    thread::scope(|scope| {
        for _ in 0..items.len().min(AT_A_TIME) {
            scope.spawn(|| {
                while let Some((item, result)) = {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    items.get(n).zip(results.get(n))
                } {
                    result.get_or_init(|| work(item));
                }
            });
        }
    });
    results.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// The results that are printed, with an empty line between them.
struct Printed {
    any: bool,
    /// The first error of standard output.
    result: Result<()>,
}

impl Default for Printed {
    fn default() -> Self {
        Self { any: false, result: Ok(()) }
    }
}

impl Printed {
    fn print(&mut self, ui: Ui, checked: &Checked) {
        if self.result.is_err() {
            return;
        }
        let separated = if std::mem::replace(&mut self.any, true) { ui.out("\n") } else { Ok(()) };
        self.result = separated.and_then(|()| print(ui, checked));
    }
}

/// Returns whether the host presents the certificate from before `renew` or `update`, and notes that. Deletes the files from before if it
/// presents the new one.
fn is_previous(store: &Store, ui: Ui, machine: &Machine, checked: &Checked) -> Result<bool> {
    let name = &machine.name;
    let accepted = machine.target.client.chain.first();
    if machine.proves && checked.is_up() {
        let (_, certificate) = store.host_certificate(name)?;
        if let Some(accepted) = accepted
            && store.forget_previous(name, &certificate, accepted)?
        {
            ui.note(format_args!("`{name}` trusts its new CA: the previous files are deleted"));
        }
        return Ok(false);
    }
    let Some(old) = &machine.old else { return Ok(false) };
    let (_, certificate) = store.host_certificate(name)?;
    if checked.presents(&certificate) {
        if let Some(accepted) = accepted
            && store.forget_previous(name, &certificate, accepted)?
        {
            ui.note(format_args!("`{name}` has its new certificate: the previous files are deleted"));
        }
        return Ok(false);
    }
    let is_old = checked.presents(old);
    if is_old {
        ui.note_with(
            format_args!("the host of `{name}` still has its old certificate; to bring the new one to it:"),
            &store.command(["renew", "--apply", name.as_str()]),
        );
    }
    Ok(is_old)
}

fn print(ui: Ui, checked: &Checked) -> Result<()> {
    if let Some(headline) = checked.headline() {
        ui.verdict(true, headline)?;
        ui.details(&checked.rows()?)?;
    }
    checked.problems.iter().try_for_each(|problem| ui.problem(problem))
}
