//! Host names, and the texts that other programs read as addresses.

use std::net::Ipv4Addr;

use crate::diag::{Code, Diagnostic};

/// Maximum length of a DNS label in bytes, RFC 1035 §2.3.4.
pub(super) const LABEL_MAX: usize = 63;
/// Maximum length of a host name in text form, without a final dot, in bytes, RFC 1035 §2.3.4.
const HOST_NAME_MAX: usize = 253;

/// Parses an address as inet_aton(3) does: one to four decimal, octal or hexadecimal numbers separated by dots, where the
/// last one fills the remaining bytes. Also accepts `0x` without digits and octal numbers with an 8 or a 9, as only some
/// systems do.
pub(super) fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| {
        if let Some(hex) = strip_hex(part) {
            return if hex.is_empty() { Some(0) } else { u32::from_str_radix(hex, 16).ok() };
        }
        let octal = part.strip_prefix('0').and_then(|octal| u32::from_str_radix(octal, 8).ok());
        octal.or_else(|| part.parse().ok())
    };
    let parts: Vec<&str> = text.split('.').collect();
    if !parts.iter().all(|part| is_number(part)) {
        return None;
    }
    let numbers: Vec<u32> = parts.into_iter().map(number).collect::<Option<_>>()?;
    let (last, bytes) = numbers.split_last().filter(|(_, bytes)| bytes.len() < 4)?;
    let rest = 8 * (4 - bytes.len());
    if bytes.iter().any(|byte| *byte > 0xff) || u64::from(*last) >> rest != 0 {
        return None;
    }
    let high = bytes.iter().enumerate().map(|(n, byte)| byte << (24 - 8 * n)).sum::<u32>();
    Some(Ipv4Addr::from_bits(high | last))
}

/// Returns whether URL parsers and resolvers read a host as IPv4, because its last label is a number (URL Standard, "ends in a
/// number").
pub(super) fn ends_in_number(text: &str) -> bool {
    text.rsplit('.').next().is_some_and(is_number)
}

/// Returns whether a label is a decimal, octal or hexadecimal number in C's notation.
fn is_number(label: &str) -> bool {
    match strip_hex(label) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()),
    }
}

fn strip_hex(number: &str) -> Option<&str> {
    number.strip_prefix("0x").or_else(|| number.strip_prefix("0X"))
}

/// The host in the part of a URL after the scheme, without a user, a password, a port or a path.
fn host_part(rest: &str) -> &str {
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    host.split(':').next().unwrap_or(host)
}

/// Checks that a text is a host name: labels of 1 to 63 letters, digits and hyphens (RFC 1123 §2.1).
pub(super) fn check_host_name(text: &str, code: Code) -> Result<(), Diagnostic> {
    let refuse = |why: String| Err(Diagnostic::error(code, why));
    if text.is_empty() {
        return refuse("must not be empty".into());
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return Err(Diagnostic::error(code, format!("must be only a host, but `{text}` is a URL"))
            .hint(format!("leave out `{scheme}://`: `{}`", host_part(rest))));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
        && !host.contains(':')
    {
        return Err(Diagnostic::error(code, format!("must be only a host, but `{text}` has a port"))
            .hint(format!("give the host as `{host}` and the port with `--port {port}`")));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return Err(Diagnostic::error(code, format!("must be without brackets, got `{text}`"))
            .hint(format!("`{inner}`")));
    }
    if text.contains('%') && text.contains(':') {
        return refuse(format!("`{text}` has a zone, which means nothing to another machine"));
    }
    if let Some(bare) = text.strip_suffix('.') {
        return Err(Diagnostic::error(code, format!("must be without a final dot, got `{text}`"))
            .hint(format!("`{bare}`")));
    }
    if !text.is_ascii() {
        return Err(Diagnostic::error(code, format!("must be in ASCII, got `{text}`"))
            .hint("write an international name in its `xn--` form"));
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.')) {
        return refuse(format!(
            "may have letters, digits, `-` and `.`, got `{}` in `{}`",
            bad.escape_default(),
            text.escape_debug()
        ));
    }
    if text.len() > HOST_NAME_MAX {
        return refuse(format!("must have at most {HOST_NAME_MAX} characters, got {}", text.len()));
    }
    for label in text.split('.') {
        if label.is_empty() {
            return refuse(format!("has an empty label in `{text}`"));
        }
        if label.len() > LABEL_MAX {
            return refuse(format!(
                "may have at most {LABEL_MAX} characters between dots, `{label}` has {}",
                label.len()
            ));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return refuse(format!("must not have a hyphen at the end of a label, got `{text}`"));
        }
    }
    Ok(())
}
