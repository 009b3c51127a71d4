//! The headers of a MIME part, as Python's `email.message.Message` reads them (policy `compat32`).

/// The headers that cloud-init reads.
const WANTED: [&str; 5] =
    ["content-type", "content-transfer-encoding", "content-disposition", "merge-type", "x-merge-type"];
/// Maximum length of a header with its continued lines, in bytes. RFC 5322 §2.1.1 allows 998 in a line, and real headers have one or
/// a few lines.
const MAX_LENGTH: usize = 64 << 10;

/// The wanted headers, with continued lines joined. All others are left out, because an archive can have millions of them.
pub struct Headers {
    /// The value of the first header with each of the names.
    first: [Option<String>; WANTED.len()],
    /// As `first`, of the last header that is written as in [`EXACT`].
    exact: [Option<String>; EXACT.len()],
}

/// The names that cloud-init compares in their exact case (`handlers/cloud_config.py`), the preferred one first.
const EXACT: [&str; 2] = ["Merge-Type", "X-Merge-Type"];

/// A header is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// Joins the lines of headers.
#[derive(Default)]
pub struct Collector {
    first: [Option<String>; WANTED.len()],
    exact: [Option<String>; EXACT.len()],
    /// The wanted header whose lines are being read.
    open: Option<(String, String)>,
}

impl Collector {
    /// Adds a line with its line end.
    ///
    /// # Errors
    /// The header is too long.
    pub fn add(&mut self, line: &str) -> Result<(), TooLong> {
        if line.starts_with([' ', '\t']) {
            let Some((_, value)) = &mut self.open else { return Ok(()) };
            value.push_str(line);
            return if value.len() > MAX_LENGTH { Err(TooLong) } else { Ok(()) };
        }
        self.close();
        let Some((name, value)) = line.split_once(':').filter(|_| !line.starts_with("From ")) else {
            return Ok(());
        };
        if WANTED.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
            if value.len() > MAX_LENGTH {
                return Err(TooLong);
            }
            self.open = Some((name.to_owned(), value.trim_start_matches([' ', '\t']).to_owned()));
        }
        Ok(())
    }

    /// Ends the last header.
    fn close(&mut self) {
        let Some((name, mut value)) = self.open.take() else { return };
        value.truncate(value.trim_end_matches(['\r', '\n']).len());
        if let Some(n) = EXACT.iter().position(|exact| *exact == name) {
            self.exact[n] = Some(value.clone());
        }
        let wanted = WANTED.iter().position(|wanted| wanted.eq_ignore_ascii_case(&name));
        if let Some(empty) = wanted.map(|n| &mut self.first[n]).filter(|first| first.is_none()) {
            *empty = Some(value);
        }
    }

    /// The headers, after their last line.
    pub fn finish(mut self) -> Headers {
        self.close();
        Headers { first: self.first, exact: self.exact }
    }
}

impl Headers {
    /// The first header with a name of the wanted ones, in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let n = WANTED.iter().position(|wanted| *wanted == name)?;
        self.first[n].as_deref()
    }

    /// How cloud-init merges the part: the last header with exactly such a name, as in a dictionary of the headers, which is not
    /// empty.
    pub fn merge_type(&self) -> Option<&str> {
        self.exact.iter().flatten().map(String::as_str).find(|value| !value.is_empty())
    }

    /// The type in lower case (`get_content_type`).
    pub fn content_type(&self, default: &str) -> String {
        let Some(value) = self.get("content-type") else { return default.to_owned() };
        let mime = value.split(';').next().unwrap_or_default().trim().to_lowercase();
        if mime.matches('/').count() == 1 { mime } else { "text/plain".to_owned() }
    }

    /// A parameter of a header, without its quotes (`get_param`).
    pub fn parameter(&self, header: &str, name: &str) -> Option<String> {
        let parameters = parameters(self.get(header)?);
        let named = |wanted: &str| parameters.iter().find(|(known, _)| known == wanted);
        if let Some((_, value)) = named(name) {
            return Some(unquoted(value));
        }
        // The language and the character set before the text are left out (RFC 2231 §4).
        let (_, value) = named(&format!("{name}*"))?;
        let value = unquoted(value);
        Some(value.rsplit('\'').next().unwrap_or_default().to_owned())
    }

    /// The file name (`get_filename`).
    pub fn file(&self) -> Option<String> {
        let found = self
            .parameter("content-disposition", "filename")
            .or_else(|| self.parameter("content-type", "name"));
        found.filter(|name| !name.is_empty())
    }
}

/// The parameters after the first `;`, with their names in lower case (`_parseparam`).
fn parameters(value: &str) -> Vec<(String, String)> {
    let (mut found, mut start, mut is_quoted) = (Vec::new(), None, false);
    let mut add = |part: &str| {
        if let Some((name, value)) = part.split_once('=') {
            found.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    };
    let bytes = value.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if at == 0 || bytes[at - 1] != b'\\' => is_quoted = !is_quoted,
            b';' if !is_quoted => {
                if let Some(start) = start {
                    add(&value[start..at]);
                }
                start = Some(at + 1);
            }
            _ => {}
        }
    }
    if let Some(start) = start {
        add(&value[start..]);
    }
    found
}

/// Removes quotes (`email.utils.unquote`).
fn unquoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\\", "\\").replace("\\\"", "\""),
        None => {
            let bare = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
            bare.unwrap_or(text).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Headers, TooLong> {
        let mut lines = Collector::default();
        text.split_inclusive('\n').try_for_each(|line| lines.add(line))?;
        Ok(lines.finish())
    }

    #[test]
    fn headers_are_read_like_python() {
        let text = "Content-Type: Text/X-Shellscript;\n charset=us; NAME=\"a;b\\\"c.sh\"\nFrom x: y\nmerge-type:b\nMerge-Type: c\nMerge-Type: d\n";
        let headers = read(text).unwrap();
        assert_eq!(headers.content_type("a/b"), "text/x-shellscript");
        assert_eq!(headers.file().as_deref(), Some("a;b\"c.sh"));
        assert_eq!((headers.get("merge-type"), headers.merge_type()), (Some("b"), Some("d")));
        assert_eq!(read("Content-Type: text\n").unwrap().content_type("a/b"), "text/plain");
        let encoded = read("Content-Disposition: attachment; filename*=utf-8''a.sh\n").unwrap();
        assert_eq!(encoded.file().as_deref(), Some("a.sh"));
        assert_eq!(read("X-Merge-Type: a\nMerge-Type:\n").unwrap().merge_type(), Some("a"));
        assert_eq!(read("X-Merge-Type: a\nMerge-Type: b\n").unwrap().merge_type(), Some("b"));
    }

    #[test]
    fn a_long_header_is_refused_only_if_it_is_read() {
        let long = "a".repeat(MAX_LENGTH);
        let folded = " a\n".repeat(MAX_LENGTH / 2);
        for header in [format!("Content-Type: {long}\n"), format!("Content-Type: a\n{folded}")] {
            assert_eq!(read(&header).err(), Some(TooLong));
            assert!(read(&header.replace("Content-Type", "Subject")).is_ok());
        }
        assert!(read(&format!("Subject: {long}\nContent-Type: a/b\n")).is_ok());
    }
}
