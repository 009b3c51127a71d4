//! Key material in memory: shown by nothing, wiped when dropped. The only module that knows how it is wiped.

use std::fmt;
use std::ops::{Deref, DerefMut};

use zeroize::{Zeroize, Zeroizing};

/// A text or bytes that are, or may hold, a private key.
///
/// `Debug` shows nothing of it and there is no `Display`, so it cannot reach a log or an error by accident. Reading a text takes the
/// word [`expose`](Self::expose). Bytes are the content of a file, most of which holds no key, and are read as a slice.
///
/// What was copied out of it, or moved while it grew, is not wiped: reserve enough before filling one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes over a value, from now on wiped when dropped.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself, for filling it.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize + Deref> Secret<T> {
    /// The text or bytes, for writing them to where they belong.
    pub fn expose(&self) -> &T::Target {
        &self.0
    }
}

impl Secret<String> {
    /// The same memory as bytes.
    pub fn into_bytes(mut self) -> Secret<Vec<u8>> {
        Secret::new(std::mem::take(&mut *self.0).into_bytes())
    }
}

impl Deref for Secret<Vec<u8>> {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Secret<Vec<u8>> {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl From<Vec<u8>> for Secret<Vec<u8>> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl From<String> for Secret<Vec<u8>> {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

/// A copy.
impl From<&str> for Secret<Vec<u8>> {
    fn from(text: &str) -> Self {
        Self::new(text.into())
    }
}

/// A copy.
impl From<&[u8]> for Secret<Vec<u8>> {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes.into())
    }
}

/// What other crates hand out to be wiped.
impl<T: Zeroize> From<Zeroizing<T>> for Secret<T> {
    fn from(value: Zeroizing<T>) -> Self {
        Self(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_key() {
        let text = Secret::new("PRIVATE KEY".to_owned());
        assert_eq!(format!("{text:?} {:?}", text.clone().into_bytes()), "Secret(…) Secret(…)");
        let artifact = crate::artifact::Artifact::private("key.pem", "PRIVATE KEY");
        assert!(!format!("{artifact:?}").contains("PRIVATE"));
    }

    /// Elsewhere a text with a key would be in memory that nobody wipes, or in a type that `Debug` shows.
    #[test]
    fn no_other_module_wipes_memory_itself() {
        fn walk(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else if std::fs::read_to_string(&path).unwrap().to_lowercase().contains("zeroiz") {
                    found.push(path);
                }
            }
        }
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        walk(&src, &mut found);
        assert_eq!(found, [src.join("secret.rs")]);
    }
}
