//! The headers of a MIME part, as Python's `email.message.Message` reads them (policy `compat32`).

/// Headers in their order, with continued lines joined.
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Reads lines with their line ends.
    pub fn new<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut is_ignored = true;
        for line in lines {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut().filter(|_| !is_ignored) {
                    value.push_str(line);
                }
                continue;
            }
            match line.split_once(':') {
                Some((name, value)) if !name.is_empty() && !line.starts_with("From ") => {
                    is_ignored = false;
                    headers.push((name.to_owned(), value.trim_start_matches([' ', '\t']).to_owned()));
                }
                _ => is_ignored = true,
            }
        }
        for (_, value) in &mut headers {
            value.truncate(value.trim_end_matches(['\r', '\n']).len());
        }
        Self(headers)
    }

    /// The first header with a name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The last header with exactly this name, as in a dictionary of the headers.
    pub fn get_exact(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
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

    #[test]
    fn headers_are_read_like_python() {
        let text = "Content-Type: Text/X-Shellscript;\n charset=us; NAME=\"a;b\\\"c.sh\"\nFrom x: y\nx-a:b\nX-A: c\n";
        let headers = Headers::new(text.split_inclusive('\n'));
        assert_eq!(headers.content_type("a/b"), "text/x-shellscript");
        assert_eq!(headers.file().as_deref(), Some("a;b\"c.sh"));
        assert_eq!((headers.get("X-a"), headers.get_exact("X-A")), (Some("b"), Some("c")));
        assert_eq!(Headers::new(["Content-Type: text\n"].into_iter()).content_type("a/b"), "text/plain");
        let encoded = Headers::new(["Content-Disposition: attachment; filename*=utf-8''a.sh\n"].into_iter());
        assert_eq!(encoded.file().as_deref(), Some("a.sh"));
    }
}
