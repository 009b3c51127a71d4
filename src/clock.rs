//! This computer's clock, which must not show a time before the release of this version: certificates made by it would have wrong dates.

use anyhow::Result;
use time::{Date, Month, OffsetDateTime};

use crate::diag::{Code, Diagnostic};
use crate::shell::Command;

/// The release date of this version, in UTC. Update this together with the version in Cargo.toml.
const RELEASED: Date = match Date::from_calendar_date(2026, Month::November, 1) {
    Ok(date) => date,
    Err(_) => panic!("no such day"),
};

/// Checks the clock for what makes or verifies certificates.
///
/// # Errors
/// Fails if the clock shows a date before this version's release. Such a clock was never set, for example on a board
/// without a battery or in a new VM.
pub fn refuse_wrong(now: OffsetDateTime) -> Result<()> {
    if now.date() >= RELEASED {
        return Ok(());
    }
    Err(Diagnostic::error(
        Code::ClockTooEarly,
        format!(
            "this computer's clock shows {}, but hostseed {} was released on {RELEASED}; nothing was done",
            now.date(),
            env!("CARGO_PKG_VERSION")
        ),
    )
    .hint("set the clock, for example:")
    .run(Command::of("sudo", ["timedatectl", "set-ntp", "true"]))
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(file: &str) -> String {
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
    }

    #[test]
    fn the_release_date_is_not_in_the_future() {
        assert!(RELEASED <= OffsetDateTime::now_utc().date());
    }

    #[test]
    fn the_release_date_matches_the_changelog() {
        let heading = format!("## [{}] - ", env!("CARGO_PKG_VERSION"));
        let date =
            text("CHANGELOG.md").lines().find_map(|line| line.strip_prefix(&heading).map(str::to_owned));
        // An unreleased version has no heading with a date.
        if let Some(date) = date {
            assert_eq!(date, RELEASED.to_string());
        }
        assert!(text("CONTRIBUTING.md").contains("`RELEASED` in `src/clock.rs`"));
    }
}
