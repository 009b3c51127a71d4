//! `apply` that is killed at any moment, and stores that cannot be written.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::interruption::{Call, calls, may_trace, tamper, unfinished};
use crate::support::Home;
use crate::support::extent::{is_full, sample, sample_in_full};

/// Outside CI only one of this many system calls is tested.
const ONE_IN: usize = 41;

const APPLY: [&str; 4] = ["apply", "fleet.yaml", "--prune", "--yes"];

/// The calls of `apply` that change something. Which of its threads reads a file can differ from run to run.
fn changes(home: &Home) -> Vec<Call> {
    calls(home, &APPLY).into_iter().filter(|call| !call.line.contains("O_RDONLY")).collect()
}

/// A fleet of which one machine is missing, one differs, one is right and one is no longer in the file.
fn home() -> Home {
    let home = Home::new();
    let write = |text: &str| fs::write(home.path().join("fleet.yaml"), text).unwrap();
    write(
        "fleet: ci\nmachines: {a: {address: 10.0.0.1}, b: {address: 10.0.0.2}, old: {address: 10.0.0.3}}\n",
    );
    home.ok(&APPLY);
    write(
        "fleet: ci\nmachines: {a: {address: 10.0.0.1}, b: {address: 10.0.0.9}, new: {address: 10.0.0.4}, new2: {address: 10.0.0.5}}\n",
    );
    home
}

/// Checks that each machine is whole, and that the same command makes the rest.
fn check(home: &Home, at: &str) {
    let names = home.ok(&["ls", "-q"]);
    let names: Vec<&str> = names.lines().collect();
    for name in &names {
        let user_data = fs::read_to_string(home.machine(name).join("user-data")).unwrap();
        assert_eq!(home.ok(&["render", name]), user_data, "{at}: {name}");
        assert_eq!(fs::read_to_string(home.machine(name).join("fleet")).unwrap(), "ci\n", "{at}: {name}");
    }
    // The machines of a batch appear together.
    assert_eq!(names.contains(&"new"), names.contains(&"new2"), "{at}: {names:?}");
    home.ok(&APPLY);
    assert_eq!(home.ok(&["ls", "-q"]), "a\nb\nnew\nnew2\n", "{at}");
    assert_eq!(home.ok(&["url", "b"]), "tcp://10.0.0.9:2376\n", "{at}");
    let json: Value = serde_json::from_str(&home.ok(&["apply", "fleet.yaml", "--json", "--quiet"])).unwrap();
    assert_eq!(json["keep"].as_array().unwrap().len(), 4, "{at}: {json}");
}

#[test]
fn kill_9_at_any_moment_leaves_whole_machines_and_the_next_run_makes_the_rest() {
    if !may_trace() {
        return;
    }
    let calls = sample(sample_in_full(changes(&home()), 3), ONE_IN);
    eprintln!("apply: {} points", calls.len());
    for call in calls {
        let home = home();
        let output = tamper(&home, &call, "signal=KILL", &APPLY);
        let at = format!("KILL at {}", call.line);
        assert!(!output.status.success(), "{at}: it was not stopped");
        check(&home, &at);
    }
}

#[test]
fn a_full_disk_at_any_moment_leaves_whole_machines_and_the_next_run_makes_the_rest() {
    if !may_trace() {
        return;
    }
    for call in sample(sample_in_full(changes(&home()), 7), 2 * ONE_IN) {
        let home = home();
        let output = tamper(&home, &call, "error=ENOSPC", &APPLY);
        let at = format!("ENOSPC at {}: {}", call.line, String::from_utf8_lossy(&output.stderr));
        assert!(matches!(output.status.code(), Some(0 | 1)), "{at}");
        check(&home, &at);
    }
}

#[test]
fn a_failure_says_what_was_done_before() {
    if !may_trace() {
        return;
    }
    let journals: Vec<_> = (calls(&home(), &APPLY).into_iter())
        .filter(|call| call.name.starts_with("rename") && call.line.contains("journal"))
        .collect();
    // The new machines, the one that changes, and the one that is deleted.
    assert_eq!(journals.len(), 3);
    for (n, state) in [(1, "2 created; "), (2, "2 created, 1 changed; ")] {
        let home = home();
        let output = tamper(&home, &journals[n], "error=ENOSPC", &APPLY);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let note =
            format!("machines before this batch: {state}the batch had no effect, and {} are left", 3 - n);
        assert!(stderr.contains(&note), "{stderr}");
        check(&home, state);
    }
}

#[test]
fn a_batch_is_on_the_disk_before_its_journal() {
    if !may_trace() {
        return;
    }
    // So many files that the file system is synced as a whole.
    let new = || {
        let home = Home::new();
        let fleet = "fleet: ci\nmachines: [{name: 'ci-{{ index }}', count: 6, addresses: 10.0.0.0/24}]\n";
        fs::write(home.path().join("fleet.yaml"), fleet).unwrap();
        home
    };
    let calls = calls(&new(), &APPLY);
    let at = |name: &str, part: &str| -> Vec<usize> {
        let is_it = |call: &Call| call.name.starts_with(name) && call.line.contains(part);
        calls.iter().enumerate().filter(|(_, call)| is_it(call)).map(|(n, _)| n).collect()
    };
    let syncs = at("syncfs", "");
    if syncs.is_empty() {
        // Linux before 5.8 does not tell whether it has succeeded.
        return assert!(at("fsync", "/machines/.hostseed-").len() > 6);
    }
    let (written, journal) = (at("write", "/machines/.hostseed-"), at("rename", "journal"));
    assert_eq!((syncs.len(), journal.len()), (1, 1));
    assert!(written.len() >= 6 * 10, "{}", written.len());
    assert!(written.iter().chain(&at("mkdir", "/.hostseed-")).all(|n| *n < syncs[0]));
    assert!(syncs[0] < journal[0]);

    let home = new();
    let output = tamper(&home, &calls[syncs[0]], "error=EIO", &APPLY);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(home.ok(&["ls", "-q"]), "");
    assert_eq!(unfinished(&home.store()), Vec::<PathBuf>::new());
    home.ok(&APPLY);
    assert_eq!(home.ok(&["ls", "-q"]).lines().count(), 6);
}

#[test]
fn the_batches_before_an_interruption_stay() {
    // The first batch takes seconds without optimisation.
    if !is_full() || !may_trace() {
        return;
    }
    let home = Home::new();
    let fleet = "fleet: ci\nmachines: [{name: 'ci-{{ index }}', count: 70, addresses: 10.0.0.0/24}]\n";
    fs::write(home.path().join("fleet.yaml"), fleet).unwrap();
    // The first batch's journal is the first one, the second batch's the second one.
    let journals: Vec<_> = {
        let twin = Home::new();
        fs::write(twin.path().join("fleet.yaml"), fleet).unwrap();
        calls(&twin, &APPLY)
            .into_iter()
            .filter(|call| call.name.starts_with("rename") && call.line.contains("journal"))
            .collect()
    };
    assert_eq!(journals.len(), 2);
    assert!(!tamper(&home, &journals[1], "signal=KILL", &APPLY).status.success());
    let json: Value = serde_json::from_str(&home.ok(&["apply", "fleet.yaml", "--json", "--quiet"])).unwrap();
    let count = |list: &str| json[list].as_array().unwrap().len();
    assert_eq!((count("keep"), count("create")), (64, 6));
}

#[test]
fn nothing_is_opened_for_writing_if_all_is_right() {
    if !may_trace() {
        return;
    }
    let home = home();
    home.ok(&APPLY);
    let made: Vec<String> = changes(&home).into_iter().map(|call| call.line).collect();
    assert!(made.is_empty(), "{made:?}");
}
