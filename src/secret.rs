//! Key material in memory: shown by nothing, wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A private key in PEM.
///
/// `Debug` shows nothing of it and there is no `Display`, so it cannot reach a log or an error by
/// accident: reading it takes the word [`expose`](Self::expose).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(pem: impl Into<Zeroizing<String>>) -> Self {
        Self(pem.into())
    }

    /// The key itself, for writing it to where it belongs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_key() {
        assert_eq!(format!("{:?}", Secret::new("PRIVATE KEY".to_owned())), "Secret(…)");
    }
}
