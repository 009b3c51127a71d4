//! Rule: text that a host runs or reads line by line has no Windows line endings.

use crate::diag::{Code, Diagnostic};
use crate::userdata::content_type::Kind;
use crate::userdata::problems::Problems;
use crate::userdata::seed::Part;

const HINT: &str = "save it with Unix line ends";

/// Checks one part.
pub fn check(part: &Part, text: &str, problems: &mut Problems) {
    if !text.contains("\r\n") {
        return;
    }
    match part.kind {
        Kind::Script | Kind::Boothook => {
            let problem = Diagnostic::error(
                Code::LineEnds,
                "is a script with Windows line ends: `sh` takes the return for a part of each last word",
            );
            problems.add(&part.place, problem.hint(HINT));
        }
        Kind::CloudConfig => {
            let problem = Diagnostic::warning(
                Code::LineEnds,
                "has Windows line ends, which stay in what is pasted from it into scripts",
            );
            problems.add(&part.place, problem.hint(HINT));
        }
        _ => {}
    }
}
