//! Rule: no two scripts of a seed have the same file name. cloud-init writes them into one folder, and the last one remains.

use std::collections::HashMap;

use crate::diag::{Code, Diagnostic};
use crate::userdata::content_type::Kind;
use crate::userdata::problems::{Problems, head};
use crate::userdata::seed::Part;

/// Checks the parts of a seed together.
pub fn check(parts: &[Part], problems: &mut Problems) {
    let mut seen: HashMap<(Kind, String), &Part> = HashMap::new();
    for part in parts.iter().filter(|part| matches!(part.kind, Kind::Script | Kind::Boothook)) {
        let Some(name) = part.file.as_deref().map(cleaned) else { continue };
        match seen.get(&(part.kind, name.clone())) {
            Some(earlier) if earlier.bytes.expose() != part.bytes.expose() => {
                let text = format!(
                    "has the file name `{}` of {}, so cloud-init runs only one of the two scripts",
                    head(&name),
                    earlier.place.name()
                );
                problems.add(
                    &part.place,
                    Diagnostic::error(Code::FileTwice, text).hint("give it another file name"),
                );
            }
            Some(_) => {}
            None => drop(seen.insert((part.kind, name), part)),
        }
    }
}

/// The name that cloud-init gives to the file (`clean_filename` in its `util.py`).
fn cleaned(name: &str) -> String {
    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '(' | ')');
    name.replace('/', "_").chars().filter(is_allowed).collect::<String>().trim().to_owned()
}
