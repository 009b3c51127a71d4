//! Limits long tests: all repetitions run in CI, and a sample elsewhere. Also runs repetitions in parallel.

use std::sync::Mutex;
use std::thread;

/// The step from one repetition to the next: 1 if all must run (`HOSTSEED_REQUIRE_ALL`, as in CI), otherwise `one_in`.
pub fn stride(one_in: usize) -> usize {
    if is_full() { 1 } else { one_in }
}

/// Whether all repetitions must run.
pub fn is_full() -> bool {
    std::env::var_os("HOSTSEED_REQUIRE_ALL").is_some()
}

/// Runs `work` for each item and returns the results in the order of the items. Runs `at_once` items at a time for each
/// processor. Use more than one for work that mostly waits.
pub fn in_parallel<T: Send, R: Send>(items: Vec<T>, at_once: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || queue.lock().unwrap().next();
    let done = Mutex::new(Vec::new());
    let threads = at_once * thread::available_parallelism().map_or(1, |n| n.get());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((n, item)) = next() {
                    let result = work(item);
                    done.lock().unwrap().push((n, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The items to test in CI: the first, each `one_in`th after it, and the last. Elsewhere all, of which [`sample`] takes some.
pub fn sample_in_full<T>(items: Vec<T>, one_in: usize) -> Vec<T> {
    if is_full() { each(items, one_in) } else { items }
}

/// The items to test: all of them in CI; elsewhere the first, each `one_in`th after it, and the last.
pub fn sample<T>(items: Vec<T>, one_in: usize) -> Vec<T> {
    each(items, stride(one_in))
}

fn each<T>(items: Vec<T>, step: usize) -> Vec<T> {
    let last = items.len().saturating_sub(1);
    let chosen = items.into_iter().enumerate().filter(|(n, _)| n % step == 0 || *n == last);
    chosen.map(|(_, item)| item).collect()
}
