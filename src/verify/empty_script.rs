//! Rule: a script has at least one command. A script without one was probably cut short.

use crate::diag::{Code, Diagnostic};
use crate::userdata::content_type::Kind;
use crate::userdata::problems::{FETCH_AGAIN, Problems};
use crate::userdata::seed::Part;

/// Checks one part.
pub fn check(part: &Part, text: &str, problems: &mut Problems) {
    let is_script = matches!(part.kind, Kind::Script | Kind::Boothook);
    if is_script && text.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
        problems.add(
            &part.place,
            Diagnostic::error(Code::UserDataEmpty, "is a script without any command").hint(FETCH_AGAIN),
        );
    }
}
