//! Limits on the work for one input. Every loop over untrusted input takes its cost from the [`Budget`], so that no input keeps
//! `verify` busy for long. `verify` reports when it skipped something.

use std::cell::Cell;

use crate::diag::{Code, Diagnostic};

/// Maximum size of an input file in bytes. Every seed and every Terraform state of a realistic size is smaller.
pub const MAX_BYTES: usize = 64 << 20;
/// Units of work for one input. One unit is the cost of reading one byte once. The limit is 16 units for each byte of the largest
/// input, which a current computer does in a few seconds.
pub const MAX_WORK: u64 = 16 * MAX_BYTES as u64;
/// Maximum size of one decompressed stream in bytes. User-data is at most 64 KB on nearly every cloud, and a seed disk has a few
/// hundred KB.
pub const MAX_INFLATED: usize = 16 << 20;
/// Maximum size of all decompressed streams of an input together, in bytes.
pub const MAX_INFLATED_IN_ALL: usize = 64 << 20;
/// Maximum size of a document that is parsed as a whole in bytes: eight times the largest limit of a cloud (Google's 256 KiB). The
/// YAML reader needs up to 80 times as much memory.
pub const MAX_DOCUMENT: usize = 2 << 20;
/// Maximum size of an Ignition config in bytes. It contains files, and is served by an HTTP server where a cloud's limit is too small.
pub const MAX_IGNITION: usize = 24 << 20;
/// Units of work for each byte of YAML that is parsed.
pub const YAML: usize = 8;

/// The problem of a document of `bytes` bytes that has more than the limit of its reader. `kind` names the document.
pub fn too_long(kind: &str, bytes: usize, most: usize) -> Diagnostic {
    let text = format!("has {bytes} bytes of {kind}, and the limit is {} MiB", most >> 20);
    Diagnostic::error(Code::VerifyLimit, text)
}

/// The units of work and the decompressed bytes that are left for one input.
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
    /// Takes `units` of work. Returns false if fewer are left; every later call then returns false too.
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

    /// Maximum size of the next decompressed stream, in bytes.
    pub fn inflated_limit(&self) -> usize {
        MAX_INFLATED.min(self.inflated.get())
    }

    /// Takes the bytes of a decompressed stream. Returns false if the budget is exhausted.
    #[must_use]
    pub fn take_inflated(&self, bytes: usize) -> bool {
        self.inflated.set(self.inflated.get().saturating_sub(bytes));
        self.take(bytes)
    }

    /// Marks the budget as exhausted: some work was skipped because it was too much.
    pub fn exhaust(&self) {
        self.exhausted.set(true);
    }

    /// Returns whether some work was skipped.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.get()
    }

    /// Records that some content was not checked because of its compression or nesting.
    pub fn leave_unseen(&self) {
        self.unseen.set(true);
    }

    /// Returns whether some content was not checked because of its compression or nesting.
    pub fn left_something_unseen(&self) -> bool {
        self.unseen.get()
    }

    /// Bytes that were decompressed so far.
    #[cfg(test)]
    pub fn inflated(&self) -> u64 {
        (MAX_INFLATED_IN_ALL - self.inflated.get()) as u64
    }

    /// Units of work that were taken so far.
    #[cfg(test)]
    pub fn spent(&self) -> u64 {
        MAX_WORK - self.work.get()
    }
}
