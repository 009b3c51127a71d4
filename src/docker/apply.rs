//! Brings new files to a running host: stages them, waits until the host has put them in place or has rolled back, and proves that it
//! answers as it should.
//!
//! The host does the change by itself, with the script in the set (`templates/host/etc/docker/hostseed.next/apply.j2`), so that it ends
//! well without this computer too.

use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use time::OffsetDateTime;

use super::mailbox::{Holder, Mailbox, Unopened};
use super::{Answer, Engine, Fault, Known, Unknown, units};
use crate::artifact::Artifact;
use crate::pki::Certificate;
use crate::render::{HostSet, WITHDRAWN};
use crate::userdata::paths::{self, APPLY_PATH};

/// The longest request.
const REQUEST: Duration = Duration::from_secs(20);
/// The longest question with one set of credentials.
const QUESTION: Duration = Duration::from_secs(5);
/// The longest preparation, up to the upload, and the longest proof.
const PREPARATION: Duration = Duration::from_secs(60);
/// The longest wait for the host's verdict: twice the host's own limit for Docker's restart, and its pauses.
const VERDICT: Duration = Duration::from_secs(10 * 60);
/// The longest time in which the host must have begun, while it answers.
const BEGIN: Duration = Duration::from_secs(60);
/// The first and the longest pause between two questions.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];
/// How often a pause looks for Ctrl-C.
const TICK: Duration = Duration::from_millis(100);
/// The longest reason that is shown, in characters.
const MAX_REASON: usize = 600;

/// A change of a running host.
pub struct Change<'a> {
    /// The connection with the credentials that the host accepts now.
    pub now: &'a Engine,
    /// The connection with the credentials that it accepts afterwards. The same as `now` if they do not change.
    pub then: &'a Engine,
    /// The files, with the script that puts them in place.
    pub set: &'a HostSet,
    /// The certificate that the host presents afterwards, as its own or in its chain: the server's, or the boot issuer's.
    pub presents: &'a Certificate,
    /// Everything that the host may show now. Another computer has changed a host that shows something else, and this change would undo that.
    pub known: &'a Known,
    /// The units that put the files in place, with paths relative to `/etc/systemd/system`, for a host that lacks them. None if the host must
    /// have them: to start them, a container has the rights of root on the host.
    pub units: Option<&'a [Artifact]>,
}

/// How the caller follows a change.
pub struct Watch<'a> {
    pub clock: &'a dyn Fn() -> OffsetDateTime,
    /// Called before each step.
    pub step: &'a dyn Fn(Step),
    /// Returns whether to stop: after Ctrl-C.
    pub stops: &'a dyn Fn() -> bool,
}

/// A step of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Connecting,
    InstallingUnits,
    /// The host still works on an earlier set.
    WaitingForEarlier,
    Uploading,
    /// The host has the files and has not begun.
    Staged,
    /// The host checks the files, puts them in place and restarts Docker.
    Working,
    /// The host does not answer, which is normal while Docker restarts.
    Restarting,
    Proving,
    RemovingContainer,
}

/// The host's verdict on a set.
#[derive(Debug)]
pub enum Outcome {
    /// It answers with the new files.
    Applied(Box<Answer>),
    /// It has refused the files, and has changed nothing.
    Refused(String),
    /// It has put them in place, has failed, and answers with the old ones again.
    RolledBack(String),
}

/// Why the outcome is not known, or nothing was done.
#[derive(Debug)]
pub enum Failure {
    /// The host does not answer. Nothing was changed.
    Unreachable(Fault),
    /// The host shows something that is not known. Nothing was changed.
    OtherHost(Unknown),
    /// Another client changes the host. Nothing was changed.
    Held(Holder),
    /// The host lacks the units that apply a set. Nothing was changed.
    NoUnits,
    /// The host has got the units, and has not started them. Nothing else was changed.
    UnitsNotStarted(Fault),
    /// The host has the units, and does not begin. Nothing was changed, and the set is withdrawn.
    Asleep,
    /// The host still works on another set. Nothing was changed.
    Busy,
    /// Ctrl-C. Nothing was changed.
    Stopped,
    /// Ctrl-C, while the host works on the set: it goes on.
    Left,
    /// The host has the set and has not told the outcome within the time: the last fault, if it does not answer.
    Unknown(Option<Fault>),
    /// The host has applied the set by its own account, and this computer cannot connect.
    Unproved(Fault),
    /// The host has applied the set by its own account, and presents another certificate.
    OtherCertificate,
}

impl From<Unopened> for Failure {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Held(holder) => Self::Held(holder),
            Unopened::Fault(fault) => Self::Unreachable(fault),
        }
    }
}

/// The host's account of a set: `/etc/docker/hostseed.result`.
#[derive(Deserialize)]
struct Verdict {
    set: String,
    state: State,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum State {
    Staged,
    Working,
    Applied,
    Refused,
    RolledBack,
}

/// Applies a set. Whatever happens, it removes the container from the host, unless the host does not answer; then the next run does so.
///
/// # Errors
/// See [`Failure`].
pub fn apply(change: &Change, watch: &Watch) -> Result<Outcome, Failure> {
    let deadline = Instant::now() + PREPARATION;
    (watch.step)(Step::Connecting);
    let (now, answer) = match change.now.check((watch.clock)(), deadline) {
        Ok(answer) => (change.now, answer),
        // The host can have the new files already: an earlier run has ended before the proof.
        Err(fault) => match change.then.check((watch.clock)(), deadline) {
            Ok(answer) => (change.then, answer),
            Err(_) => return Err(Failure::Unreachable(fault)),
        },
    };
    change.known.compare(&answer).map_err(Failure::OtherHost)?;
    let change = &Change { now, ..*change };
    let id = &change.set.id;
    let mailbox = Mailbox::open(change.now, &answer.api, id, deadline)?;
    let mut host = Host { change, watch, mailbox, arch: answer.arch };
    let done = host.stage().and_then(|()| host.outcome());
    host.close();
    done
}

/// The traces of earlier changes on a host.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// It has the unit that waits for a set.
    pub has_units: bool,
    /// It works on a set, or begins with one in some seconds.
    pub works: bool,
    /// The set that it has applied last, if it has not refused another one since.
    pub applied: Option<String>,
}

/// Reads what a host has of earlier changes, with the credentials that it accepts now. `set` is for the container's label.
///
/// # Errors
/// Fails if another client changes the host, or if the host does not answer.
pub fn earlier(engine: &Engine, answer: &Answer, set: &str) -> Result<Earlier, Failure> {
    let mailbox = Mailbox::open(engine, &answer.api, set, Instant::now() + PREPARATION)?;
    let read = || -> Result<Earlier, Fault> {
        // The host removes it only after its verdict.
        let ready = mailbox.read(engine, paths::NEXT_READY, soon())?;
        let result = mailbox.read(engine, paths::RESULT, soon())?;
        let verdict: Option<Verdict> = result.and_then(|json| serde_json::from_slice(&json).ok());
        let is_in = |state| verdict.as_ref().is_some_and(|verdict| verdict.state == state);
        Ok(Earlier {
            has_units: mailbox.read_unit(engine, APPLY_PATH, soon())?.is_some(),
            works: ready.is_some_and(|ready| ready != WITHDRAWN.as_bytes()) || is_in(State::Working),
            applied: if is_in(State::Applied) { verdict.map(|verdict| verdict.set) } else { None },
        })
    };
    let earlier = read();
    // If the host does not answer, the next client removes the container.
    let _ = mailbox.close(engine, soon());
    earlier.map_err(Failure::Unreachable)
}

/// A host with the container.
struct Host<'a> {
    change: &'a Change<'a>,
    watch: &'a Watch<'a>,
    mailbox: Mailbox,
    /// The host's architecture, as Docker names it.
    arch: String,
}

impl Host<'_> {
    /// Uploads the set, unless the host has it already.
    fn stage(&self) -> Result<(), Failure> {
        let (engine, set) = (self.change.now, self.change.set);
        let unit = self.mailbox.read_unit(engine, APPLY_PATH, soon()).map_err(Failure::Unreachable)?;
        if unit.is_none() {
            let units = self.change.units.ok_or(Failure::NoUnits)?;
            (self.watch.step)(Step::InstallingUnits);
            let written = self.mailbox.write_units(engine, units, soon());
            let deadline = Instant::now() + PREPARATION;
            let started = written.and_then(|()| units::start(engine, &self.mailbox, &self.arch, deadline));
            started.map_err(Failure::UnitsNotStarted)?;
        }
        if self.wait_for_earlier()? || self.has_it() {
            return Ok(());
        }
        (self.watch.step)(Step::Uploading);
        self.mailbox.write(engine, &set.files, soon()).map_err(Failure::Unreachable)?;
        if (self.watch.stops)() {
            return Err(Failure::Stopped);
        }
        // From here on the host works by itself. A fault does not tell whether it has this file; `outcome` asks.
        let _ = self.mailbox.write(engine, std::slice::from_ref(&set.ready), soon());
        Ok(())
    }

    /// Waits until the host has ended its work on an earlier set. Returns whether that is this set, which a client that was killed has
    /// uploaded.
    fn wait_for_earlier(&self) -> Result<bool, Failure> {
        let deadline = Instant::now() + VERDICT;
        let mut pauses = Pauses::new();
        loop {
            match self.read(paths::NEXT_READY) {
                Ok(None) => return Ok(false),
                Ok(Some(ready)) if ready == WITHDRAWN.as_bytes() => return Ok(false),
                Ok(Some(ready)) if ready == self.change.set.ready.bytes.expose() => return Ok(true),
                Ok(Some(_)) => (self.watch.step)(Step::WaitingForEarlier),
                Err(fault) if fault.is_passing() => (self.watch.step)(Step::Restarting),
                Err(fault) => return Err(Failure::Unreachable(fault)),
            }
            if Instant::now() > deadline {
                return Err(Failure::Busy);
            }
            if pauses.wait(self.watch) {
                return Err(Failure::Stopped);
            }
        }
    }

    /// Returns whether the host has put this set in place, for a client that was killed before the proof, and answers with it. Docker need not
    /// restart once more then.
    fn has_it(&self) -> bool {
        let is_applied = matches!(self.verdict(), Ok(Some(Verdict { state: State::Applied, .. })));
        is_applied
            && (self.change.then.check((self.watch.clock)(), soon()))
                .is_ok_and(|answer| answer.presented.contains(self.change.presents))
    }

    /// Waits for the host's verdict, and proves it.
    fn outcome(&mut self) -> Result<Outcome, Failure> {
        let begin = Instant::now();
        // Since when the host has answered without a pause and has not begun.
        let mut asleep = begin;
        let mut pauses = Pauses::new();
        loop {
            let mut last = None;
            let ready = self.read(paths::NEXT_READY);
            match self.verdict() {
                Ok(Some(Verdict { state: State::Applied, .. })) => return self.prove(),
                Ok(Some(Verdict { state: State::Refused, reason, .. })) => {
                    return Ok(Outcome::Refused(reason));
                }
                Ok(Some(Verdict { state: State::RolledBack, reason, .. })) => {
                    return Ok(Outcome::RolledBack(reason));
                }
                Ok(Some(Verdict { state: State::Working, .. })) => {
                    asleep = Instant::now();
                    (self.watch.step)(Step::Working);
                }
                Ok(Some(Verdict { state: State::Staged, .. })) => {
                    (self.watch.step)(Step::Staged);
                    // The host removes the file only after its verdict, so the upload has failed.
                    if matches!(ready, Ok(None)) {
                        let ready = std::slice::from_ref(&self.change.set.ready);
                        let _ = self.mailbox.write(self.change.now, ready, soon());
                    }
                    if asleep.elapsed() > BEGIN {
                        return self.withdraw();
                    }
                }
                Ok(None) => self.reopen(),
                Err(fault) => {
                    (asleep, last) = (Instant::now(), Some(fault));
                    (self.watch.step)(Step::Restarting);
                }
            }
            if begin.elapsed() > VERDICT {
                return Err(Failure::Unknown(last));
            }
            if pauses.wait(self.watch) {
                return Err(Failure::Left);
            }
        }
    }

    /// Makes the container again if somebody has removed it, for example with `docker container prune`.
    fn reopen(&mut self) {
        for engine in [self.change.then, self.change.now] {
            if let Ok(false) = self.mailbox.exists(engine, soon()) {
                let again = self.mailbox.reopen(engine, &self.change.set.id, soon());
                // Tried again after the pause.
                if let Ok(mailbox) = again {
                    self.mailbox = mailbox;
                }
                return;
            }
        }
    }

    /// Replaces the set by one that removes itself, for a host that does not begin.
    fn withdraw(&self) -> Result<Outcome, Failure> {
        let withdrawn = self.mailbox.write(self.change.now, &self.change.set.withdrawal, soon());
        Err(withdrawn.err().map_or(Failure::Asleep, |fault| Failure::Unknown(Some(fault))))
    }

    /// The host's account of this set. None if it has none, or one of another set.
    fn verdict(&self) -> Result<Option<Verdict>, Fault> {
        let Some(json) = self.read(paths::RESULT)? else { return Ok(None) };
        // An account that cannot be read is one that somebody has damaged.
        let verdict: Option<Verdict> = serde_json::from_slice(&json).ok();
        let verdict = verdict.filter(|verdict| verdict.set == self.change.set.id);
        let short = |reason: String| reason.chars().take(MAX_REASON).collect();
        Ok(verdict.map(|verdict| Verdict { reason: short(verdict.reason), ..verdict }))
    }

    /// Asks with the new credentials, and if the host does not accept them, with the old ones.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let read = |engine| self.mailbox.read(engine, name, Instant::now() + QUESTION);
        read(self.change.then).or_else(|_| read(self.change.now))
    }

    /// Connects with the new credentials, and compares the certificate that the host presents.
    fn prove(&self) -> Result<Outcome, Failure> {
        (self.watch.step)(Step::Proving);
        let begin = Instant::now();
        let mut pauses = Pauses::new();
        loop {
            let fault = match self.change.then.check((self.watch.clock)(), soon()) {
                Ok(answer) if answer.presented.contains(self.change.presents) => {
                    return Ok(Outcome::Applied(Box::new(answer)));
                }
                Ok(_) => return Err(Failure::OtherCertificate),
                Err(fault) => fault,
            };
            if !fault.is_passing() || begin.elapsed() > PREPARATION || pauses.wait(self.watch) {
                return Err(Failure::Unproved(fault));
            }
        }
    }

    /// Removes the container and the image. If the host does not answer, the next client removes them.
    fn close(&self) {
        (self.watch.step)(Step::RemovingContainer);
        let close = |engine| self.mailbox.close(engine, soon());
        let _ = close(self.change.then).or_else(|_| close(self.change.now));
    }
}

fn soon() -> Instant {
    Instant::now() + REQUEST
}

/// Pauses that grow.
struct Pauses(Duration);

impl Pauses {
    fn new() -> Self {
        Self(PAUSES[0])
    }

    /// Waits, and returns whether to stop.
    fn wait(&mut self, watch: &Watch) -> bool {
        let end = Instant::now() + self.0;
        self.0 = (self.0 * 3 / 2).min(PAUSES[1]);
        while Instant::now() < end {
            if (watch.stops)() {
                return true;
            }
            thread::sleep(TICK);
        }
        false
    }
}
