//! How much is done for one input. Every loop over what somebody else wrote takes what it costs from here, so that no input
//! keeps `verify` busy for long, and what was left out is said.

use std::cell::Cell;

/// Bytes of a file that are looked at: more than any seed, and than any state of Terraform's that somebody looks at.
pub const MAX_BYTES: usize = 64 << 20;
/// Units of work for one input: a byte that is looked at once, or what costs as much. Sixteen for each byte of the largest
/// input, which a computer of today does in a few seconds.
pub const MAX_WORK: u64 = 16 * MAX_BYTES as u64;
/// Bytes that one stream may be decompressed to. User-data is 64 KB at most on nearly every cloud, and a seed disk a few hundred.
pub const MAX_INFLATED: usize = 16 << 20;
/// Bytes that all streams of an input may be decompressed to together.
pub const MAX_INFLATED_IN_ALL: usize = 64 << 20;
/// Units of work for a byte of YAML that is parsed.
pub const YAML: usize = 8;

/// The units of work, decompressed bytes that are left for one input.
pub struct Budget {
    work: Cell<u64>,
    inflated: Cell<usize>,
    exhausted: Cell<bool>,
    unseen: Cell<bool>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            work: Cell::new(MAX_WORK),
            inflated: Cell::new(MAX_INFLATED_IN_ALL),
            exhausted: Cell::new(false),
            unseen: Cell::new(false),
        }
    }
}

impl Budget {
    /// Takes units of work. Where they are not left, nothing more is to be done: it is so for good.
    #[must_use]
    pub fn take(&self, units: usize) -> bool {
        match self.work.get().checked_sub(units as u64) {
            Some(left) if !self.exhausted.get() => {
                self.work.set(left);
                true
            }
            _ => {
                self.exhaust();
                false
            }
        }
    }

    /// How many bytes the next stream may be decompressed to.
    pub fn inflated_limit(&self) -> usize {
        MAX_INFLATED.min(self.inflated.get())
    }

    /// Takes the bytes that a stream was decompressed to.
    #[must_use]
    pub fn take_inflated(&self, bytes: usize) -> bool {
        self.inflated.set(self.inflated.get().saturating_sub(bytes));
        self.take(bytes)
    }

    /// Says that something was not done because it would have been too much.
    pub fn exhaust(&self) {
        self.exhausted.set(true);
    }

    pub fn is_exhausted(&self) -> bool {
        self.exhausted.get()
    }

    /// Says that something is compressed or wrapped in a way that is not looked into.
    pub fn leave_unseen(&self) {
        self.unseen.set(true);
    }

    pub fn left_something_unseen(&self) -> bool {
        self.unseen.get()
    }

    /// The bytes that were decompressed so far.
    #[cfg(test)]
    pub fn inflated(&self) -> u64 {
        (MAX_INFLATED_IN_ALL - self.inflated.get()) as u64
    }

    /// The units taken so far.
    #[cfg(test)]
    pub fn spent(&self) -> u64 {
        MAX_WORK - self.work.get()
    }
}
