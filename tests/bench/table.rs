//! Runs commands in turn, so that load on the computer affects all alike, and prints a table: the median time, the CPU time of a run, and
//! both as multiples of the first command's.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs of each command after one that warms up.
const ROUNDS: usize = 40;
/// A command that takes long runs less often: until its runs took this time, but at least [`MIN_ROUNDS`] times.
const TIME: Duration = Duration::from_millis(1500);
const MIN_ROUNDS: usize = 5;

/// A command of a table.
pub struct Row<'a> {
    name: String,
    command: Box<dyn Fn() -> Command + 'a>,
}

impl<'a> Row<'a> {
    pub fn new(name: impl Into<String>, command: impl Fn() -> Command + 'a) -> Self {
        Self { name: name.into(), command: Box::new(command) }
    }

    /// A shell script that needs these programs. None, with a line that says so, if one is missing.
    pub fn of_script(programs: &[&str], name: &str, script: &'static str) -> Option<Self> {
        if let Some(missing) = programs.iter().find(|program| !is_here(program)) {
            println!("{missing} is not installed: no row for {name}");
            return None;
        }
        Some(Self::new(name, move || {
            let mut shell = Command::new("sh");
            shell.args(["-euc", script]);
            shell
        }))
    }
}

/// Returns whether a program is in the path.
pub fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Runs each command in a new folder below `place` each time, and prints the table.
pub fn compare(title: &str, place: &Path, rows: Vec<Row>) {
    let dir = tempfile::tempdir_in(place).unwrap();
    let mut runs: Vec<(Vec<Duration>, Duration)> = rows.iter().map(|_| Default::default()).collect();
    for round in 0..=ROUNDS {
        for (n, (row, (times, cpu))) in rows.iter().zip(&mut runs).enumerate() {
            if times.len() >= MIN_ROUNDS && times.iter().sum::<Duration>() > TIME {
                continue;
            }
            let folder = dir.path().join(format!("{round}-{n}"));
            fs::create_dir(&folder).unwrap();
            let (before, start) = (cpu_of_children(), Instant::now());
            let output = (row.command)()
                .current_dir(&folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .output()
                .unwrap();
            let time = start.elapsed();
            assert!(output.status.success(), "{}: {}", row.name, String::from_utf8_lossy(&output.stderr));
            // The first round warms up.
            if round > 0 {
                times.push(time);
                *cpu += cpu_of_children() - before;
            }
        }
    }
    let width =
        rows.iter().map(|row| row.name.chars().count()).max().unwrap_or_default().max(title.chars().count());
    println!("\n{title:<width$}  median ms  times   CPU ms  times");
    let figures: Vec<_> =
        runs.into_iter().map(|(times, cpu)| (cpu / times.len() as u32, median(times))).collect();
    let (first_cpu, first_time) = figures[0];
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64().max(1e-9);
    for (row, (cpu, time)) in rows.iter().zip(&figures) {
        println!(
            "{:<width$}  {:>9.2}  {:>5.1}  {:>7.2}  {:>5.1}",
            row.name,
            time.as_secs_f64() * 1e3,
            ratio(*time, first_time),
            cpu.as_secs_f64() * 1e3,
            ratio(*cpu, first_cpu),
        );
    }
}

/// The CPU time of all processes that were waited for, in user and system mode (proc_pid_stat(5), fields 16 and 17, in ticks of 10 ms).
/// Zero on systems without it.
fn cpu_of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 =
        fields.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
