//! Each code of `hostseed explain` is the answer to some command of the tests: it stands in a transcript, in another snapshot of
//! what is said, or in what a test in Rust expects. A code that nothing produces is dead, or is tested by nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Home, files_below};

/// Codes that no command can produce, each with the reason.
const NOT_TO_BE_PRODUCED: [(&str, &str); 2] = [
    (
        "ca-rejected",
        "the last of the checks of a CA: what is known to be refused by docker has a code of its own",
    ),
    ("user-data-beginning", "it would report a fault of hostseed's own renderer"),
];

/// The codes in a text, as they are printed: `error[CODE]` or `warning[CODE]`.
fn codes_in(text: &str) -> BTreeSet<String> {
    let after = ["error[", "warning["].into_iter().flat_map(|word| text.split(word).skip(1));
    let codes = after.filter_map(|rest| rest.split_once(']')).map(|(code, _)| code);
    let is_code = |code: &&str| {
        !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
    };
    codes.filter(is_code).map(str::to_owned).collect()
}

fn all_codes() -> BTreeSet<String> {
    let told: Value = serde_json::from_str(&Home::new().ok(&["explain", "--json"])).unwrap();
    told.as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_code_is_produced_by_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut produced = BTreeSet::new();
    for file in files_below(&tests) {
        // A snapshot is compared as a whole. In Rust it is what a test asserts; this file has no code's name in that form.
        let is_snapshot = file.starts_with("cli/transcripts") || file.starts_with("verify/foreign");
        let is_test = file.extension().is_some_and(|extension| extension == "rs");
        if is_snapshot || is_test {
            produced.extend(codes_in(&String::from_utf8_lossy(&fs::read(tests.join(file)).unwrap())));
        }
    }
    let all = all_codes();
    assert!(all.len() >= 50, "{all:?}");
    let excepted: BTreeSet<String> = NOT_TO_BE_PRODUCED.iter().map(|(code, _)| (*code).to_owned()).collect();
    let missing: Vec<_> =
        all.iter().filter(|code| !produced.contains(*code) && !excepted.contains(*code)).collect();
    assert!(
        missing.is_empty(),
        "no test produces {missing:?}: add a command to tests/cli/transcripts/each-code.txt"
    );
    let needless: Vec<_> =
        excepted.iter().filter(|code| produced.contains(*code) || !all.contains(*code)).collect();
    assert!(needless.is_empty(), "{needless:?} need no exception");
    let unknown: Vec<_> = produced.difference(&all).collect();
    assert!(unknown.is_empty(), "the tests expect {unknown:?}, which `hostseed explain` does not know");
}

#[test]
fn codes_are_found_as_they_are_printed() {
    let text = format!("! {}[a-code]: x\n{}[b2] {}[CODE] error: [no]", "error", "warning", "error");
    assert_eq!(codes_in(&text).into_iter().collect::<Vec<_>>(), ["a-code", "b2"]);
}
