//! Rule: the files have the checksums that the commands of a seed expect.

use std::collections::HashMap;

use crate::diag::{Code, Diagnostic};
use crate::digest::{is_sha256, sha256};
use crate::userdata::budget::Budget;
use crate::userdata::host_state::HostState;
use crate::userdata::problems::{FETCH_AGAIN, Problems};

/// Checks the checksums in commands that verify a file before they continue: `echo 'SUM  /path' | sha256sum -c && …`.
pub fn check(host: &mut HostState, budget: &Budget, problems: &mut Problems) {
    let (mut sums, mut damaged): (HashMap<&str, String>, Vec<String>) = Default::default();
    for inline in host.inline.iter().filter(|inline| inline.text.expose().contains("sha256sum")) {
        if !budget.take(4 * inline.text.expose().len()) {
            return;
        }
        let words = || {
            let words = inline.text.expose().split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'));
            words.filter(|word| !word.is_empty())
        };
        let pairs = words().zip(words().skip(1));
        for (sum, path) in pairs.filter(|(sum, path)| is_sha256(sum) && path.starts_with('/')) {
            let file = host.file(path);
            if let Some(file) = file
                && !sums.contains_key(path)
            {
                if !budget.take(file.bytes.len()) {
                    return;
                }
                sums.insert(path, sha256(&file.bytes));
            }
            match file {
                Some(_) if sums[path].eq_ignore_ascii_case(sum) => {}
                Some(file) => {
                    damaged.push(path.to_owned());
                    let text = format!("`{path}` is damaged: `{}` expects the SHA-256 {sum}", inline.name);
                    problems
                        .add(&file.place, Diagnostic::error(Code::PayloadDamaged, text).hint(FETCH_AGAIN));
                }
                None if host.unreadable.contains(path) => {}
                None => {
                    let text = format!(
                        "`{}` checks the SHA-256 of `{path}`, which the user-data does not contain",
                        inline.name
                    );
                    problems
                        .add(&inline.place, Diagnostic::error(Code::PayloadMissing, text).hint(FETCH_AGAIN));
                }
            }
        }
    }
    host.damaged.extend(damaged);
}
