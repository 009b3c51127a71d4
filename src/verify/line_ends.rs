//! Rule: text that a host runs or reads line by line has no Windows line endings.

use crate::diag::{Code, Diagnostic};
use crate::userdata::content_type::Kind;
use crate::userdata::problems::Problems;
use crate::userdata::seed::Part;

const HINT: &str = "save it with Unix line endings";

/// Checks one part.
pub fn check(part: &Part, text: &str, problems: &mut Problems) {
    if !text.contains("\r\n") {
        return;
    }
    match part.kind {
        Kind::Script | Kind::Boothook => {
            let problem = Diagnostic::error(
                Code::LineEnds,
                "is a script with Windows line endings: `sh` reads the carriage return as part of the last word of each line",
            );
            problems.add(&part.place, problem.hint(HINT));
        }
        Kind::CloudConfig => {
            let problem = Diagnostic::warning(
                Code::LineEnds,
                "has Windows line endings, which stay in scripts that are copied from it",
            );
            problems.add(&part.place, problem.hint(HINT));
        }
        _ => {}
    }
}
