//! The provider's log: lines of JSON on standard error, which Terraform prints by the level of `TF_LOG_PROVIDER` or `TF_LOG` (go-hclog,
//! "JSON format"). No value of a resource is ever in it.

use serde_json::json;
use time::{OffsetDateTime, format_description};

/// The form of the time, of which go-hclog accepts no other: microseconds, in UTC.
const TIME: &str = "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z";

/// Logs what is of use when the provider itself is examined.
pub fn debug(message: &str) {
    line("debug", message);
}

/// Logs why the provider ends.
pub fn error(message: &str) {
    line("error", message);
}

fn line(level: &str, message: &str) {
    let form = format_description::parse_borrowed::<2>(TIME).expect("the form is valid");
    let time = OffsetDateTime::now_utc().format(&form).unwrap_or_default();
    let line = json!({
        "@level": level,
        "@message": message,
        "@module": "hostseed",
        "@timestamp": time,
    });
    eprintln!("{line}");
}
