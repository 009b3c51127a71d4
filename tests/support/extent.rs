//! How much of a long repetition is run: all of it in CI, a sample elsewhere; and repetitions on all processors.

use std::sync::Mutex;
use std::thread;

/// The step from one repetition to the next: 1 where nothing may be left out (`HOSTSEED_REQUIRE_ALL`, as in CI), else `one_in`.
pub fn stride(one_in: usize) -> usize {
    if is_full() { 1 } else { one_in }
}

/// Whether nothing may be left out.
pub fn is_full() -> bool {
    std::env::var_os("HOSTSEED_REQUIRE_ALL").is_some()
}

/// Does the same for each item, `at_once` items at a time for each processor, and returns what comes of it in the items' order.
/// More than one at once is for work that waits.
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

/// The items that are tested: all of them in CI, elsewhere the first, each `one_in`th after it, and the last.
pub fn sample<T>(items: Vec<T>, one_in: usize) -> Vec<T> {
    let (step, last) = (stride(one_in), items.len().saturating_sub(1));
    let chosen = items.into_iter().enumerate().filter(|(n, _)| n % step == 0 || *n == last);
    chosen.map(|(_, item)| item).collect()
}
