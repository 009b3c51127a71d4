//! Reads `#include` as cloud-init does (`_do_include` in its `user_data.py`): a list of URLs. If it cannot fetch one, it applies
//! nothing of the whole user-data.

/// Returns the URLs, each with the number of its line.
pub fn urls(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // The line ends of Python's `splitlines`.
    let is_end = |c: char| matches!(c, '\n' | '\u{b}'..='\u{d}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut number = 1;
    text.split_inclusive(is_end).filter_map(move |line| {
        let own = number;
        number += usize::from(line.ends_with('\n'));
        url(line.trim_end_matches(is_end)).map(|url| (own, url))
    })
}

fn url(line: &str) -> Option<&str> {
    let is = |word: &&str| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let word = ["#include-once", "#include"].into_iter().find(is);
    let rest = word.map_or(line, |word| line[word.len()..].trim_start());
    Some(rest.trim()).filter(|url| !url.is_empty() && !rest.starts_with('#'))
}

/// Returns whether no host can fetch a URL: cloud-init reads files, and URLs with `http` and `https`. A name without a scheme is a URL
/// with `http` (`_cleanurl` in its `url_helper.py`).
pub fn is_impossible(url: &str) -> bool {
    if url.starts_with('/') || url.to_lowercase().starts_with("file://") {
        return false;
    }
    let rest = match url.split_once(':') {
        None => url,
        Some((scheme, rest)) => match scheme.to_lowercase().as_str() {
            "http" | "https" => match rest.strip_prefix("//") {
                Some(rest) => rest,
                None => return true,
            },
            // A host with a port is read as a scheme, too.
            _ if scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) => {
                return true;
            }
            _ => url,
        },
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let after_name = host.rsplit(']').next().unwrap_or_default();
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    if after_name.rsplit_once(':').is_some_and(|(_, port)| !is_port(port)) {
        return true;
    }
    let is_open = host.starts_with('[') != host.contains(']');
    host.is_empty()
        || host.starts_with(':')
        || is_open
        || host.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_those_of_cloud_init() {
        for (text, expected) in [
            ("#include\nhttps://a/b\n\n# c\n /d\n", &[(2, "https://a/b"), (5, "/d")][..]),
            ("#include https://a\n#Include-Once http://b\r\n", &[(1, "https://a"), (2, "http://b")]),
            ("#include # c\n", &[]),
            ("#include\u{2028}a b\u{85}c\n", &[(1, "a b"), (1, "c")]),
        ] {
            assert_eq!(urls(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }

    /// Each was given to cloud-init 22.4.2.
    #[test]
    fn urls_that_no_host_can_fetch_are_found() {
        for url in [
            "foo bar",
            "ftp://x/y",
            "http://",
            "http:/x",
            "http://[::1",
            "https:///x",
            "mailto:a",
            "example.com:80/x",
            "http://a b/",
            "- https://a",
            "http://a:b/",
            "http://a:99999/",
            "http://:80/",
        ] {
            assert!(is_impossible(url), "{url}");
        }
        for url in
            ["https://a/b c", "HTTP://[::1]:80/x", "example.com/x", "/etc/a", "file:///a", "https://u:p@a/"]
        {
            assert!(!is_impossible(url), "{url}");
        }
    }
}
