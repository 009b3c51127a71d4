//! Each code that `hostseed explain` knows is produced by a test: it occurs in a transcript, in another snapshot, or, as
//! it is printed, in a string of a Rust test. A code that no test produces is unused or untested.
//!
//! A snapshot proves that the code was printed. A string in a Rust test does not prove that: the test can assert that the
//! code is not printed, or be skipped because a program is missing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use serde_json::Value;

use crate::support::{Home, files_below};

/// Codes that no command can produce, with the reason.
const NOT_TO_BE_PRODUCED: [(&str, &str); 1] =
    [("user-data-beginning", "it would report a fault of hostseed's own renderer")];

/// The codes in a text in the format in which they are printed: `error[CODE]` or `warning[CODE]`.
fn codes_in(text: &str) -> BTreeSet<String> {
    let after = ["error[", "warning["].into_iter().flat_map(|word| text.split(word).skip(1));
    let codes = after.filter_map(|rest| rest.split_once(']')).map(|(code, _)| code);
    let is_code = |code: &&str| {
        !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
    };
    codes.filter(is_code).map(str::to_owned).collect()
}

/// The string literals of a Rust file in source form, without comments and documentation.
fn string_literals(rust: TokenStream) -> Vec<String> {
    let is_documentation = |group: &Group| {
        let first = group.stream().into_iter().next();
        group.delimiter() == Delimiter::Bracket && first.is_some_and(|token| token.to_string() == "doc")
    };
    let literals = rust.into_iter().map(|token| match token {
        TokenTree::Group(group) if !is_documentation(&group) => string_literals(group.stream()),
        TokenTree::Literal(literal) => vec![literal.to_string()],
        _ => Vec::new(),
    });
    literals.flatten().collect()
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
        // A snapshot is compared as a whole.
        let is_snapshot = file.starts_with("cli/transcripts") || file.starts_with("verify/foreign");
        let is_test = file.extension().is_some_and(|extension| extension == "rs");
        if is_snapshot {
            produced.extend(codes_in(&String::from_utf8_lossy(&fs::read(tests.join(file)).unwrap())));
        } else if is_test {
            let rust = fs::read_to_string(tests.join(file)).unwrap().parse().unwrap();
            produced.extend(string_literals(rust).iter().flat_map(|literal| codes_in(literal)));
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

#[test]
fn only_strings_of_a_rust_test_count() {
    let rust = r##"
        //! "E[module]"
        /// "E[documentation]"
        fn f() { // "E[comment]"
            assert!(g(["E[string]", r#"E[raw]"#]));
        }
    "##
    .replace("E[", "error[");
    let codes: BTreeSet<String> =
        string_literals(rust.parse().unwrap()).iter().flat_map(|literal| codes_in(literal)).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["raw", "string"]);
}
