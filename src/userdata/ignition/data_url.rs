//! The syntax of data URLs that Ignition accepts: that of github.com/vincent-petithory/dataurl, which is stricter than browsers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Checks a URL that begins with `data:`.
///
/// # Errors
/// A fault, in words that follow the field's name.
pub fn check(url: &str) -> Result<(), &'static str> {
    const INVALID: Result<(), &str> = Err("is not a valid data URL");
    let Some(rest) = url.strip_prefix("data:") else { return INVALID };
    let Some((head, data)) = split(rest) else { return Err("is a data URL without a comma before its data") };
    let (media_type, parameters) = match head.find(';') {
        Some(at) => (&head[..at], &head[at..]),
        None => (head, ""),
    };
    if !media_type.is_empty() && !is_media_type(media_type) {
        return INVALID;
    }
    let mut base64 = false;
    for parameter in split_parameters(parameters) {
        match parameter.split_once('=') {
            _ if base64 => return INVALID,
            Some((name, value)) => {
                let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
                if !is_token(name) || !(quoted || is_token(value)) {
                    return INVALID;
                }
            }
            None if parameter == "base64" => base64 = true,
            None => return INVALID,
        }
    }
    match base64 {
        true => check_base64(data),
        false if data.chars().all(is_url_char) && has_escapes(data) => Ok(()),
        false => Err("is a data URL with a character that must be percent-encoded"),
    }
}

/// Splits at the comma that is not in quotes.
fn split(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

/// The parameters between semicolons that are not in quotes.
fn split_parameters(text: &str) -> Vec<&str> {
    let mut parameters = Vec::new();
    let (mut quoted, mut begin) = (false, 0);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => {
                if at > 0 {
                    parameters.push(&text[begin..at]);
                }
                begin = at + 1;
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        parameters.push(&text[begin..]);
    }
    parameters
}

fn is_media_type(text: &str) -> bool {
    const TYPES: [&str; 7] = ["text", "image", "audio", "video", "application", "message", "multipart"];
    let Some((kind, subtype)) = text.split_once('/') else { return false };
    let known = TYPES.contains(&kind) || kind.starts_with("x-") || kind.starts_with("X-");
    known && is_token(kind) && subtype.chars().all(is_token_char)
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

/// RFC 2045 §5.1.
fn is_token_char(c: char) -> bool {
    c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c)
}

fn is_url_char(c: char) -> bool {
    c.is_ascii_graphic() && !"<>#\"{}|\\^[]`".contains(c)
}

fn has_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}

fn check_base64(data: &str) -> Result<(), &'static str> {
    let joined;
    let data = if data.contains('\n') {
        joined = data.replace('\n', "");
        &joined
    } else {
        data
    };
    match STANDARD.decode(data) {
        Ok(_) => Ok(()),
        // Go ignores bits that are left over at the end.
        Err(base64::DecodeError::InvalidLastSymbol { .. }) => Ok(()),
        Err(_) if data.len() % 4 != 0 => Err("has base64 without its padding (`=`)"),
        Err(_) => Err("has base64 with a character that does not belong there"),
    }
}
