//! Private keys in memory, which are never shown in debug output and are erased when dropped, and passwords in URLs, which are hidden in
//! what is printed. No other module erases memory or decides who else can read it.

use std::borrow::Cow;
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

/// Replaces the user and the password of each URL in a text by `…`, also without a scheme (`USER:PASSWORD@HOST`, `http-proxy=TOKEN@HOST`).
/// A password can have a slash, although it should not: all before the last `@` of the word is hidden.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\\');
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(ends) {
        match password(word) {
            Some((begin, end)) => shown.extend([&word[..begin], "…", &word[end..]]),
            None => shown.push_str(word),
        }
    }
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

/// Where the user and the password of a URL begin and end in a word.
fn password(word: &str) -> Option<(usize, usize)> {
    let end = word.rfind('@')?;
    let before = word[..end].to_ascii_lowercase();
    let after = |sign: &str| before.find(sign).map(|at| at + sign.len());
    let begin = after("://").or_else(|| after("proxy=")).or_else(|| user(word, end))?;
    (begin < end).then_some((begin, end))
}

/// Where `USER:PASSWORD` begins before the `@` at `end`, without a scheme.
fn user(word: &str, end: usize) -> Option<usize> {
    let colon = word[..end].find(':')?;
    let begin = word[..colon].rfind([',', ';', '=', '(', '[', '{', '<']).map_or(0, |at| at + 1);
    let begin = begin + if word[begin..].starts_with("./") { 2 } else { 0 };
    let user = &word[begin..colon];
    let is_user = !user.is_empty() && user.chars().all(|c| c.is_alphanumeric() || "._%+-".contains(c));
    // An image by its digest, and an address of mail.
    let is_other = word[end..].starts_with("@sha") || user.eq_ignore_ascii_case("mailto");
    (is_user && colon + 1 < end && !is_other).then_some(begin)
}

/// Disables core dumps, because they would contain private keys. Programs that collect core dumps, such as
/// systemd-coredump and apport, are told this limit by the system and obey it (core(5)).
///
/// # Errors
/// Fails if the system refuses.
pub fn forbid_core_dumps() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use anyhow::Context;
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        setrlimit(Resource::Core, none).context("cannot turn off core dumps")?;
    }
    Ok(())
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

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (text, shown) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("mail me@example.com, root@host:/x", "mail me@example.com, root@host:/x"),
            ("a=http://u:p@proxy:3128/x", "a=http://…@proxy:3128/x"),
            ("got `http-proxy=https://tok@proxy`, no `@`", "got `http-proxy=https://…@proxy`, no `@`"),
            ("HTTPS_PROXY=u:p@proxy:1", "HTTPS_PROXY=…@proxy:1"),
            (
                "{\"a\": \"http://u:p@x\", \"b\": \"http://u:q@y\"}",
                "{\"a\": \"http://…@x\", \"b\": \"http://…@y\"}",
            ),
            (r#""{\"a\":\"http://u:p@x\"}""#, r#""{\"a\":\"http://…@x\"}""#),
            ("http://u:p/a@ss@proxy", "http://…@proxy"),
            ("got `u:p@x`, `a,u:p/w@x`, `./me:p@x`", "got `…@x`, `a,…@x`, `./…@x`"),
            (
                "nginx:1.25@sha256:ab mailto:me@x git@x:y [::1]:2376 a:@x",
                "nginx:1.25@sha256:ab mailto:me@x git@x:y [::1]:2376 a:@x",
            ),
            ("http://@proxy http://ä:ö@ü", "http://@proxy http://…@ü"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
