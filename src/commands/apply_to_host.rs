//! Brings a machine's new files to its running host: the end of `renew --apply`.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};
use time::OffsetDateTime;

use super::diagnosis::Diagnosis;
use crate::diag::{Code, Diagnostic};
use crate::docker::{
    self, Answer, Change, Engine, Failure, Fault, Holder, Known, Outcome, Step, Target, Unknown, Watch,
};
use crate::names::{Address, MachineName};
use crate::pki::{Certificate, ClientIdentity};
use crate::plan::HostRole;
use crate::render::{HostSet, NewFiles, host_files, host_set, host_units};
use crate::store::Store;
use crate::ui::Ui;

/// The longest wait for an answer before anything is changed.
const ASKING: Duration = Duration::from_secs(30);
/// The exit status of a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// Brings a machine's files to its host, and deletes the previous files when the host answers with the new ones.
///
/// With `installs_units`, a host that lacks the units for it gets them, too.
///
/// # Errors
/// Fails if the host does not answer with the new files. The machine's previous files are there then.
pub fn apply(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    name: &MachineName,
    installs_units: bool,
) -> Result<()> {
    let begin = Instant::now();
    let clock = || now + begin.elapsed();
    let machine = Machine::load(store, name)?;
    let stop = Stop::new().context("cannot handle Ctrl-C")?;
    let lines = ui.lines(true);
    let line = lines.add();
    let step = |step| line.set(format_args!("`{name}`: {}", in_words(step)));
    let units = host_units()?;
    let change = Change {
        now: &machine.old,
        then: &machine.new,
        set: &machine.set,
        presents: &machine.presents,
        known: &machine.known,
        units: installs_units.then_some(&units),
    };
    let had_sent = !store.sent(name)?.is_empty();
    // Before the upload: a client that is killed after it tells nobody.
    store.record_sent(name, &machine.set.id)?;
    let done = docker::apply(&change, &Watch { clock: &clock, step: &step, stops: &|| stop.is_set() });
    line.finish();
    let is_without = match &done {
        Ok(Outcome::Refused(_) | Outcome::RolledBack(_)) | Err(Failure::Asleep) => true,
        // Nothing was sent now.
        Err(
            Failure::Unreachable(_)
            | Failure::OtherHost(_)
            | Failure::Held(_)
            | Failure::NoUnits
            | Failure::UnitsNotStarted(_)
            | Failure::Busy
            | Failure::Stopped,
        ) => !had_sent,
        _ => false,
    };
    if is_without {
        store.forget_sent(name)?;
    }
    match done {
        Ok(Outcome::Applied(answer)) => {
            store.forget_previous(name, &machine.presents, &machine.accepted)?;
            let docker = &answer.version;
            ui.note(format_args!(
                "`{name}` answers with the new files (Docker {docker}): the old ones are deleted"
            ));
            Ok(())
        }
        Ok(Outcome::Refused(reason)) => Err(machine
            .not_applied(format_args!("the host refused the new files, and changed nothing: {reason}"))),
        Ok(Outcome::RolledBack(reason)) => Err(machine.not_applied(format_args!(
            "Docker failed with the new files, and has the old ones again: {reason}"
        ))),
        Err(failure) => Err(machine.failed(&failure)),
    }
}

/// Asks a host whether it answers, with the files that it has now, and whether it can put new ones in place, unless it gets the units for that.
///
/// # Errors
/// Fails with the cause if it does not: [`Code::NoApplyUnits`] if it answers, and lacks only the units, and [`Code::HostChangedElsewhere`] if it
/// shows something that the store does not have.
pub fn ask(store: &Store, now: OffsetDateTime, name: &MachineName, installs_units: bool) -> Result<()> {
    let machine = Machine::load(store, name)?;
    let asked = machine.old.check(now, Instant::now() + ASKING);
    let answer = asked.map_err(|fault| machine.diagnosis(&fault))?;
    let earlier = docker::earlier(&machine.old, &answer, &machine.set.id);
    match earlier.map_err(|failure| machine.failed(&failure))?.has_units || installs_units {
        true => machine.refuse_other_host(&answer),
        false => Err(machine.failed(&Failure::NoUnits)),
    }
}

/// Refuses to delete new files that a machine's host may have got, or may put in place at any time: nobody would have its keys.
///
/// # Errors
/// Fails if they were sent, and the host does not tell that it has none of them.
pub fn refuse_sent(store: &Store, now: OffsetDateTime, name: &MachineName) -> Result<()> {
    let sent = store.sent(name)?;
    if sent.is_empty() {
        return Ok(());
    }
    let machine = Machine::load(store, name)?;
    let refused = |why: &dyn Display| {
        let text = format!("the host of `{name}` got the new files, and {why} (nothing was changed)");
        let name = name.as_str();
        anyhow::Error::from(
            Diagnostic::error(Code::OutcomeUnknown, text)
                .hint("without the new files nobody may have access to it; end the change, or replace the VM with the new user-data:")
                .run(store.command(["renew", "--apply", name]))
                .run(store.command(["render", name])),
        )
    };
    let silent = |fault: &Fault| {
        let problem = machine.diagnosis(fault);
        refused(&format_args!(
            "does not tell with the old ones whether it has put them in place: {}",
            problem.message
        ))
    };
    let answer = machine.old.check(now, Instant::now() + ASKING).map_err(|fault| silent(&fault))?;
    let earlier =
        docker::earlier(&machine.old, &answer, &machine.set.id).map_err(|failure| match &failure {
            Failure::Unreachable(fault) => silent(fault),
            failure => machine.failed(failure),
        })?;
    if earlier.works {
        return Err(refused(&"puts them in place, or begins in some seconds"));
    }
    if earlier.applied.is_some_and(|set| sent.contains(&set)) {
        return Err(refused(&"has put them in place"));
    }
    Ok(())
}

/// Refuses a host that shows something that the store does not have, if it answers: it can have the new files, or those of before.
///
/// # Errors
/// Fails if it does, or if the machine cannot be read.
pub fn refuse_other_host(store: &Store, now: OffsetDateTime, name: &MachineName) -> Result<()> {
    let machine = Machine::load(store, name)?;
    let check = |engine: &Engine| engine.check(now, Instant::now() + ASKING);
    match check(&machine.old).or_else(|_| check(&machine.new)) {
        Ok(answer) => machine.refuse_other_host(&answer),
        Err(_) => Ok(()),
    }
}

/// A machine with its connections.
struct Machine<'a> {
    store: &'a Store,
    name: &'a MachineName,
    url: String,
    target: Target,
    old: Engine,
    new: Engine,
    set: HostSet,
    presents: Certificate,
    /// The certificates that the store has for the host, with those of the previous files.
    known: Known,
    /// The client certificate that it accepts afterwards.
    accepted: Certificate,
}

impl<'a> Machine<'a> {
    fn load(store: &'a Store, name: &'a MachineName) -> Result<Self> {
        let (plan, record) = (store.plan(name)?, store.record(name)?);
        let identity = store.host_identity(&plan)?;
        let (role, presents) = store.host_certificate(name)?;
        let client = store.client_identity(name)?;
        let (before, old_client) = match store.has_previous(name) {
            true => (store.previous(name)?.plan, store.previous_client(name)?),
            false => (plan.clone(), client.clone()),
        };
        let files = host_files(&before, &plan, &identity)?;
        let new = NewFiles {
            machine: name,
            port: plan.host.port,
            files: &files,
            removed: &[],
            client: &client.chain,
        };
        let set = host_set(&new)?;
        let address = Address::parse(&record.host).unwrap_or_else(|_| plan.dialled());
        let issues = role == HostRole::BootIssuer;
        let unaddressed = issues && record.host == name.as_str();
        // The host's present certificate may not cover a new address.
        let is_covered = issues || before.sans().iter().any(|san| san.covers(&address));
        let address_now = if is_covered { address.clone() } else { before.dialled() };
        let target = |address: Address, client: ClientIdentity, port| Target {
            address,
            port,
            client,
            issues,
            unaddressed,
        };
        let target_now = target(address_now, old_client, before.host.port);
        let old = Engine::new(&target_now)?;
        let accepted = client.chain.first().context("cert.pem has no certificate")?.clone();
        let new = Engine::new(&target(address, client, plan.host.port))?;
        let mut known = Known { certificates: vec![presents.clone()], cas: store.known_cas(name)? };
        if store.has_previous(name) {
            known.certificates.push(store.previous_certificate(name)?);
        }
        Ok(Self {
            store,
            name,
            url: record.url,
            target: target_now,
            old,
            new,
            set,
            presents,
            known,
            accepted,
        })
    }

    /// Refuses a host that shows something that this store does not have.
    fn refuse_other_host(&self, answer: &Answer) -> Result<()> {
        Ok(self.known.compare(answer).map_err(|unknown| self.other_host(unknown))?)
    }

    /// The error for a host that shows something that this store does not have: another computer has gone on, and what this store has is of an
    /// earlier time.
    fn other_host(&self, unknown: Unknown) -> Diagnostic {
        let name = self.name;
        let shows = match unknown {
            Unknown::Ca => "accepts clients of a CA",
            Unknown::Certificate => "presents a certificate",
        };
        let text = format!(
            "the host of `{name}` {shows} that is not in this store: another computer has changed the host, or its VM has earlier user-data (nothing was changed)"
        );
        let (name, file) = (name.as_str(), format!("{name}.hostseed"));
        Diagnostic::error(Code::HostChangedElsewhere, text)
            .hint("export the machine on that computer and replace it here by that file, or replace the VM with the user-data of this store:")
            .run(self.store.command(["export", name, "--passphrase", "-o", &file]))
            .run(self.store.command(["rm", name]))
            .run(self.store.command(["import", &file]))
            .run(self.store.command(["render", name]))
    }

    /// The error for files that the host did not keep.
    fn not_applied(&self, text: impl Display) -> anyhow::Error {
        let name = self.name.as_str();
        Diagnostic::error(Code::NotApplied, format!("`{name}`: {text}"))
            .hint(
                "the machine has both, the new files and the old ones; try again, or put the old ones back:",
            )
            .run(self.store.command(["renew", "--apply", name]))
            .run(self.store.command(["renew", "--undo", name]))
            .into()
    }

    fn failed(&self, failure: &Failure) -> anyhow::Error {
        let name = self.name.as_str();
        let again = || self.store.command(["renew", "--apply", name]);
        let unknown = |why: &dyn Display| {
            let text = format!("`{name}`: {why}");
            Diagnostic::error(Code::OutcomeUnknown, text)
                .hint(
                    "the host ends the change by itself, with the new files or with the old ones; ask again:",
                )
                .run(again())
        };
        match failure {
            Failure::Unreachable(fault) => self.diagnosis(fault),
            Failure::OtherHost(unknown) => self.other_host(*unknown),
            Failure::Held(holder) => Diagnostic::error(Code::HostBusy, format!("`{name}`: {}", held(holder)))
                .hint("wait until it has ended, then try again:")
                .run(again()),
            Failure::Busy => {
                Diagnostic::error(Code::HostBusy, format!("`{name}`: the host still works on other files"))
                    .hint("try again later:")
                    .run(again())
            }
            Failure::NoUnits => Diagnostic::error(
                Code::NoApplyUnits,
                format!("`{name}`: the host has no unit that puts new files in place (nothing was changed)"),
            )
            .hint("replace the VM with the new user-data, or install the units, for which a container runs as root on the host:")
            .run(self.store.command(["render", name]))
            .run(self.store.command(["renew", "--apply", "--install-units", name])),
            Failure::UnitsNotStarted(fault) => {
                Diagnostic::error(Code::NoApplyUnits, format!("`{name}`: the host has not started hostseed-apply.path: {fault}"))
                    .hint("replace the VM with the new user-data:")
                    .run(self.store.command(["render", name]))
            }
            Failure::Asleep => Diagnostic::error(
                Code::NoApplyUnits,
                format!("`{name}`: the host does not begin, although it has hostseed-apply.path (nothing was changed)"),
            )
            .hint("that unit may be disabled; replace the VM with the new user-data:")
            .run(self.store.command(["render", name])),
            Failure::Stopped => {
                Diagnostic::error(Code::NotApplied, format!("`{name}`: interrupted, nothing was changed on the host"))
                    .hint("to bring the new files to the host:")
                    .run(again())
            }
            Failure::Left => unknown(&"interrupted while the host works on the new files"),
            Failure::Unknown(None) => unknown(&"the host has not told within 10 minutes whether it has the new files"),
            Failure::Unknown(Some(fault)) => {
                unknown(&format_args!("the host has the new files, and does not answer: {fault}"))
            }
            Failure::Unproved(fault) => {
                unknown(&format_args!("the host has put the new files in place, but this computer cannot connect: {fault}"))
            }
            Failure::OtherCertificate => unknown(&"the host has put the new files in place, but presents another certificate"),
        }
        .into()
    }

    fn diagnosis(&self, fault: &Fault) -> Diagnostic {
        let Self { store, name, url, target, .. } = self;
        Diagnosis { store, name, url, target, waited: false }.of(fault)
    }
}

/// The other client that changes the host, for an error.
fn held(holder: &Holder) -> String {
    let since = holder
        .since
        .map(|since| format!(" since {} {:02}:{:02} UTC", since.date(), since.hour(), since.minute()));
    let by = if holder.by.is_empty() { "a container named hostseed-apply" } else { &holder.by };
    format!("{by} changes the host{}", since.unwrap_or_default())
}

/// A step, for a line that changes.
fn in_words(step: Step) -> &'static str {
    match step {
        Step::Connecting => "connecting",
        Step::InstallingUnits => "installing the units that put new files in place",
        Step::WaitingForEarlier => "waiting until the host has ended an earlier change",
        Step::Uploading => "uploading the new files",
        Step::Staged => "the host has the new files, and begins in some seconds",
        Step::Working => "the host checks the new files, and restarts Docker",
        Step::Restarting => "waiting for Docker to answer again",
        Step::Proving => "checking that Docker answers with the new files",
        Step::RemovingContainer => "removing the container for the upload",
    }
}

/// Keeps Ctrl-C until the container is removed from the host. The second one ends the program at once.
struct Stop {
    asked: Arc<AtomicBool>,
    handlers: Vec<SigId>,
}

impl Stop {
    fn new() -> io::Result<Self> {
        let mut stop = Self { asked: Arc::default(), handlers: Vec::new() };
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag not set.
            let asked = || stop.asked.clone();
            let handlers = [
                flag::register_conditional_shutdown(signal, INTERRUPTED, asked())?,
                flag::register(signal, asked())?,
            ];
            stop.handlers.extend(handlers);
        }
        Ok(stop)
    }

    fn is_set(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            low_level::unregister(handler);
        }
    }
}
