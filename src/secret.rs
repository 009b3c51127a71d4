//! Private keys in memory. They are never shown in debug output, and are erased when dropped. No other module erases
//! memory.

use std::fmt;
use std::ops::{Deref, DerefMut};

use zeroize::{Zeroize, Zeroizing};

/// A text or bytes that are a private key or can contain one.
///
/// The value is not shown by `Debug`, and there is no `Display`, so it cannot reach a log or an error by accident. To
/// read a text, call [`expose`](Self::expose). Bytes are the content of a file that usually contains no key, and can be
/// read as a slice.
///
/// Copies of the value are not erased. Growing the value also leaves a copy behind, so reserve enough capacity before
/// filling it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a value and erases it when dropped.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value, so that it can be filled.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize + Deref> Secret<T> {
    /// The value, so that it can be written to its destination.
    pub fn expose(&self) -> &T::Target {
        &self.0
    }
}

impl Secret<String> {
    /// Converts a text to bytes without copying it.
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

/// Copies the text.
impl From<&str> for Secret<Vec<u8>> {
    fn from(text: &str) -> Self {
        Self::new(text.into())
    }
}

/// Copies the bytes.
impl From<&[u8]> for Secret<Vec<u8>> {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes.into())
    }
}

/// Takes over a value that another crate erases when it is dropped.
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
    fn debug_output_contains_no_key() {
        let text = Secret::new("PRIVATE KEY".to_owned());
        assert_eq!(format!("{text:?} {:?}", text.clone().into_bytes()), "Secret(…) Secret(…)");
        let artifact = crate::artifact::Artifact::private("key.pem", "PRIVATE KEY");
        assert!(!format!("{artifact:?}").contains("PRIVATE"));
    }

    /// Other modules must use `Secret`. Otherwise a private key could stay in memory or appear in debug output.
    #[test]
    fn no_other_module_erases_memory() {
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
