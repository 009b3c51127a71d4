//! Runs two commands in turn, so that load on the computer affects both alike, and prints the medians and their ratio.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 40;

/// Returns whether the program to compare with is installed. Prints a line if it is not.
pub fn is_here(program: &str) -> bool {
    let here =
        Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !here {
        println!("{program} is not here: nothing to compare with");
    }
    here
}

/// Runs each command in a new folder for each round, and prints the result.
pub fn compare(
    (our_name, ours): (&str, impl Fn() -> Command),
    (their_name, theirs): (&str, impl Fn() -> Command),
) {
    let dir = tempfile::tempdir().unwrap();
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let place = dir.path().join(round.to_string());
        std::fs::create_dir(&place).unwrap();
        let times = [time(ours(), &place), time(theirs(), &place)];
        // The first round warms up.
        if round > 0 {
            our_times.push(times[0]);
            their_times.push(times[1]);
        }
    }
    let (ours, theirs) = (median(our_times), median(their_times));
    let width = our_name.len().max(their_name.len()) + 1;
    for (name, time) in [(our_name, ours), (their_name, theirs)] {
        println!("{:<width$} {:.1} ms", format!("{name}:"), time.as_secs_f64() * 1e3);
    }
    println!("{:<width$} {:.1}", "ratio:", theirs.as_secs_f64() / ours.as_secs_f64());
}

fn time(mut command: Command, dir: &Path) -> Duration {
    let start = Instant::now();
    let output = command.current_dir(dir).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
