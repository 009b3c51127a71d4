//! Rule: text that a host runs or reads line by line has no Windows line endings.

use crate::diag::{Code, Diagnostic};
use crate::userdata::content_type::Kind;
use crate::userdata::problems::Problems;
use crate::userdata::seed::Part;

const HINT: &str = "save it with Unix line endings";

/// Checks one part. In a cloud-config and a jinja template, cloud-init's readers replace Windows line endings themselves.
pub fn check(part: &Part, text: &str, problems: &mut Problems) {
    let is_script = matches!(part.kind, Kind::Script | Kind::Boothook);
    if !is_script || !text.contains("\r\n") {
        return;
    }
    // cloud-init replaces all line endings if the first one is Windows' (`dos2unix` in its `util.py`).
    let first = text.split_inclusive('\n').next().unwrap_or_default();
    let problem = match first.ends_with("\r\n") {
        true => Diagnostic::warning(
            Code::LineEnds,
            "is a script with Windows line endings: cloud-init replaces them, and other programs do not",
        ),
        false => Diagnostic::error(
            Code::LineEnds,
            "is a script with Windows line endings after its first line: `sh` reads the carriage return as part of the last word of each line",
        ),
    };
    problems.add(&part.place, problem.hint(HINT));
}
