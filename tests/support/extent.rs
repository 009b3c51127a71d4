//! How much of a long repetition is run: all of it in CI, a sample elsewhere.

/// The step from one repetition to the next: 1 where nothing may be left out (`HOSTSEED_REQUIRE_ALL`, as in CI), else `one_in`.
pub fn stride(one_in: usize) -> usize {
    if std::env::var_os("HOSTSEED_REQUIRE_ALL").is_some() { 1 } else { one_in }
}

/// The items that are tested: all of them in CI, elsewhere the first, each `one_in`th after it, and the last.
pub fn sample<T>(items: Vec<T>, one_in: usize) -> Vec<T> {
    let (step, last) = (stride(one_in), items.len().saturating_sub(1));
    let chosen = items.into_iter().enumerate().filter(|(n, _)| n % step == 0 || *n == last);
    chosen.map(|(_, item)| item).collect()
}
