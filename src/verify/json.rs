//! User-data somewhere in JSON: in the answer of a cloud's API, in `terraform show -json`, in a state file.

use serde_json::Value;
use zeroize::Zeroizing;

use super::finding::{Place, Problems};
use super::mime;
use super::packing::{self, Bytes, GZIP};
use super::seed::Kind;
use crate::report::Complaint;

/// A text that is user-data, or stands where user-data does.
pub struct Candidate {
    pub place: Place,
    pub bytes: Bytes,
}

/// All of them, in the document's order. Places are paths as `jq` takes them.
pub fn candidates(value: &Value, place: &Place, problems: &mut Problems) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut hidden = Vec::new();
    walk(value, "", false, &mut |path, named, text| match judge(named, text) {
        Judged::Seed => {
            found.push(Candidate {
                place: place.within(path),
                bytes: Zeroizing::new(text.as_bytes().to_vec()),
            });
        }
        Judged::Digest => hidden.push(path.to_owned()),
        Judged::Nothing => {}
    });
    for path in hidden {
        problems.warning(&place.within(path), only_its_digest());
    }
    found
}

/// What a text is, by its looks and by the name of its field.
pub enum Judged {
    Seed,
    /// Terraform's AWS provider before 6.0 keeps the SHA-1 in its place.
    Digest,
    Nothing,
}

/// Whether a text is user-data; `named`: it stands where that does, so if it is none there is something wrong.
pub fn judge(named: bool, text: &str) -> Judged {
    let is_digest = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match named {
        true if is_digest => Judged::Digest,
        true if !text.trim().is_empty() => Judged::Seed,
        _ if is_seed(text) => Judged::Seed,
        _ => Judged::Nothing,
    }
}

pub fn only_its_digest() -> Complaint {
    Complaint::new("is only the SHA-1 of the user-data, as older providers of Terraform's keep it")
        .hint("verify the file that it was made from, or what the cloud's API answers")
}

/// Whether a field of that name is user-data: `user_data`, `UserData`, `customData`, `user_data_base64`, `guestinfo.userdata`, …
pub fn is_user_data(name: &str) -> bool {
    let bare: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_lowercase();
    let bare = bare.trim_end_matches("base64").trim_end_matches("gzip").trim_end_matches("encoded");
    bare.ends_with("userdata") || bare.ends_with("customdata")
}

fn is_seed(text: &str) -> bool {
    let begins = |text: &str| {
        Kind::of(text).is_some()
            || mime::is_message(text)
            || (text.trim_start().starts_with('{') && text.contains("\"ignition\""))
    };
    begins(text)
        || (packing::is_base64(text.as_bytes())
            && packing::unbase64(text.as_bytes())
                .is_ok_and(|plain| plain.starts_with(&GZIP) || std::str::from_utf8(&plain).is_ok_and(begins)))
}

/// Calls `take` with each text, its path, and whether a field around it is called user-data.
fn walk(value: &Value, path: &str, named: bool, take: &mut dyn FnMut(&str, bool, &str)) {
    match value {
        Value::String(text) => take(path, named, text),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{n}]"), named, take);
            }
        }
        Value::Object(fields) => {
            // Google's metadata: `{"key": "user-data", "value": …}`.
            let key = fields.get("key").and_then(Value::as_str).is_some_and(is_user_data);
            for (name, value) in fields {
                // A state file's description of a value's type.
                if name == "type" && value.is_array() && fields.contains_key("value") {
                    continue;
                }
                let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                let step =
                    if plain && !name.is_empty() { format!(".{name}") } else { format!(".[{:?}]", name) };
                // What Terraform says about a value is none: `user_data: true` in `sensitive_values`.
                let named = is_user_data(name)
                    || (key && name == "value")
                    || (named && matches!(name.as_str(), "Value" | "value"));
                walk(value, &format!("{path}{step}"), named, take);
            }
        }
        _ => {}
    }
}
