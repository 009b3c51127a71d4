//! Runs a command and measures it: the time, the CPU time and the most memory. The system tells the most memory of all processes that were
//! waited for (getrusage(2)), so each command runs below a process of its own: this program again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// First argument of the process that runs a command and prints its [`Usage`].
const MEASURE: &str = "measure-command";

/// The use of a command.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub time: Duration,
    /// In user and system mode, of all threads.
    pub cpu: Duration,
    /// Most resident memory in KiB.
    pub memory: u64,
}

/// Measures a command, which must succeed.
pub fn measure(command: &Command, folder: &Path) -> Usage {
    let mut measuring = Command::new(std::env::current_exe().unwrap());
    measuring.arg(MEASURE).arg(command.get_program()).args(command.get_args()).current_dir(folder);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => measuring.env(name, value),
            None => measuring.env_remove(name),
        };
    }
    let output = measuring.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let [time, cpu, memory] = text.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{text:?}") };
    let micros = |text: &str| Duration::from_micros(text.parse().unwrap());
    Usage { time: micros(time), cpu: micros(cpu), memory: memory.parse().unwrap() }
}

/// Measures the command in the arguments and prints the result, if [`measure`] has started this process. Returns whether it has.
pub fn is_measuring() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != MEASURE) {
        return false;
    }
    let mut command = Command::new(arguments.next().unwrap());
    command.args(arguments).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap();
    let time = start.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let cpu = usage.user_time() + usage.system_time();
    // Linux counts in KiB; macOS in bytes.
    let memory = usage.max_rss() / if cfg!(target_os = "macos") { 1024 } else { 1 };
    println!("{} {} {memory}", time.as_micros(), cpu.num_microseconds());
    if !status.success() {
        std::process::exit(1);
    }
    true
}
