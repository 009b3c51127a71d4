//! Kills a script of the host between any two of its steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A program for `bash -c` that runs the script in `$0`. Before each step it reads a byte from a pipe, from which all subshells read.
pub const COUNTED: &str = "set -T; exec 7<&0; trap 'read -r -n 1 -u 7 || kill -KILL 0' DEBUG; . \"$0\"";

/// Runs a command with [`COUNTED`], and kills it and all its child processes after `steps` steps. Returns whether it was killed.
pub fn killed_after(mut command: Command, steps: usize, log: impl Fn() -> String) -> bool {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn().unwrap();
    // A child that has exited has closed it.
    let _ = child.stdin.take().unwrap().write_all(&vec![b'x'; steps]);
    let status = child.wait().unwrap();
    let is_killed = status.signal() == Some(9) || status.code() == Some(137);
    assert!(status.success() || is_killed, "{status}: {}", log());
    if is_killed {
        wait_until_gone(child.id());
    }
    !status.success()
}

/// Waits until no process of a group that was killed is left: one in a system call, such as a rename, ends the call first.
fn wait_until_gone(group: u32) {
    let is_left = |stat: &str| {
        // proc_pid_stat(5): the name in parentheses, then the state, the parent and the group.
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
        let is_dead = matches!(fields.next(), Some("Z" | "X") | None);
        !is_dead && fields.nth(1).and_then(|number| number.parse().ok()) == Some(group)
    };
    let processes =
        || fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path().join("stat")));
    while processes().any(|stat| fs::read_to_string(stat).is_ok_and(|stat| is_left(&stat))) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Calls `attempt` with a growing number of steps, `stride` apart, until it returns `None`, because the script ended before it could be
/// killed. `attempt` returns the problems. It gets a worker that `begin` made, and a function that returns whether a state of the host is
/// new: many steps leave the same state for the next run. Returns the number of steps and of states.
pub fn between_any_two_steps<W, S: Ord + Send>(
    (workers, stride): (usize, usize),
    begin: impl Fn() -> W + Sync,
    attempt: impl Fn(&W, usize, &dyn Fn(S) -> bool) -> Option<Vec<String>> + Sync,
) -> (usize, usize) {
    let (next, end) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let seen: Mutex<BTreeSet<S>> = Mutex::default();
    let wrong: Mutex<BTreeMap<usize, Vec<String>>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let worker = begin();
                loop {
                    let steps = next.fetch_add(stride, Ordering::SeqCst);
                    if steps >= end.load(Ordering::SeqCst) {
                        return;
                    }
                    match attempt(&worker, steps, &|state| seen.lock().unwrap().insert(state)) {
                        None => {
                            end.fetch_min(steps, Ordering::SeqCst);
                            return;
                        }
                        Some(found) if found.is_empty() => {}
                        Some(found) => {
                            wrong.lock().unwrap().insert(steps, found);
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let wrong: Vec<_> = wrong.iter().map(|(step, found)| format!("{step}: {}", found.join("; "))).collect();
    assert!(wrong.is_empty(), "killed after so many steps:\n{}", wrong.join("\n"));
    (end.into_inner(), seen.into_inner().unwrap().len())
}
