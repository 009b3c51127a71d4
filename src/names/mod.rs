//! Validated names and addresses. Values can only be made by parsing, so they are always valid. An error says what is
//! wrong with the text and suggests another one.

mod address;
mod client;
mod context;
mod fleet;
mod host_name;
mod machine;

pub use address::{Address, host_of};
pub use client::ClientName;
pub use context::ContextName;
pub use fleet::FleetName;
pub use machine::MachineName;

/// Maximum length of a common name in a certificate, `ub-common-name` of RFC 5280 Appendix A.1. A machine's name is the
/// common name of its certificates.
const COMMON_NAME_MAX: usize = 64;

/// Device names of Windows, with or without an extension (Microsoft, "Naming Files, Paths, and Namespaces"). `CONIN$`,
/// `CONOUT$` and `CLOCK$` are missing because `$` is not valid in a host name.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
/// Device names that are followed by one digit.
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

/// Returns whether Windows opens a device by this name in every folder.
fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.into_iter().any(numbered)
}
