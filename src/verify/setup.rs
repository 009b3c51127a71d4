//! Our own way of bringing files: they wait in a staging folder until `setup` has checked them, and it knows where they go.

use std::collections::HashMap;

use zeroize::Zeroizing;

use crate::report::Complaint;
use crate::userdata::budget::Budget;
use crate::userdata::digest::sha256;
use crate::userdata::host_state::{File, HostState};
use crate::userdata::paths::{self, ISSUE, LIB, OPT, SETUP};
use crate::userdata::problems::{Place, Problems};
use crate::userdata::script::here_documents;

/// What `setup` says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Empty for an image that is no machine.
    pub machine: String,
    pub port: Option<u16>,
    /// It starts nothing: it is for an image.
    pub image: bool,
}

/// Puts the files of a seed of ours where `setup` will put them. None where this is no seed of ours.
pub fn place(
    host: &mut HostState,
    ours: bool,
    seed: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<Setup> {
    let Some(file) = host.file(SETUP) else {
        if host.unreadable.contains(SETUP) {
            return None;
        }
        if ours || host.files().iter().any(|file| paths::is_staged(&file.path)) {
            let text =
                format!("was made by hostseed and lacks `{SETUP}`, which puts everything into its place");
            problems.error(seed, Complaint::new(text).hint("fetch or paste the seed again, whole"));
        }
        return None;
    };
    if !budget.take(4 * file.bytes.len()) {
        return None;
    }
    let text = file.text().into_owned();
    let place = file.place.clone();
    if file.mode & 0o100 == 0 {
        let text = format!("`{SETUP}` cannot be run (mode {:04o})", file.mode);
        problems.error(&place, Complaint::new(text).hint("give it mode 0755"));
    }
    if !host.runs_setup {
        let text = format!("brings `{SETUP}`, and nothing runs it");
        problems.error(&place.at(None), Complaint::new(text).hint("fetch or paste the seed again, whole"));
    }
    let payloads = variable(&text, "payloads");
    if payloads.is_none() {
        let text = format!("`{SETUP}` is none of hostseed's, or is cut short: it has no list of payloads");
        problems.error(&place, Complaint::new(text).hint("render the seed again"));
    }
    for line in payloads.unwrap_or_default().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [sum, mode, path] = words[..] {
            put_in_place(host, sum, mode, path, &place, problems);
        }
    }
    for file in host.files().iter().filter(|file| paths::is_staged(&file.path)) {
        let text = format!("`{}` is in the seed, and `setup` knows nothing of it", file.path);
        problems.error(&file.place, Complaint::new(text).hint("render the seed again"));
    }
    attach(host, &text, &place, problems);
    Some(Setup {
        machine: variable(&text, "machine").unwrap_or_default().to_owned(),
        port: variable(&text, "port").and_then(|port| port.parse().ok()),
        image: variable(&text, "mode") == Some("image"),
    })
}

/// What a boot issuer is to issue for, whatever it finds besides, as our `issue` has it (`DNS:web1`, `IP:203.0.113.7`).
pub fn names_to_issue_for(host: &HostState) -> Vec<String> {
    let issue =
        host.files().iter().filter(|file| [LIB, OPT].iter().any(|lib| file.path == format!("{lib}/{ISSUE}")));
    let names = issue
        .filter_map(|file| variable(&file.text(), "names").map(str::to_owned))
        .next()
        .unwrap_or_default();
    names.lines().filter_map(|name| Some(name.split_once(':')?.1.to_owned())).collect()
}

/// One payload: there, whole, and for root alone where it is a key.
fn put_in_place(
    host: &mut HostState,
    sum: &str,
    mode: &str,
    path: &str,
    setup: &Place,
    problems: &mut Problems,
) {
    let staged = paths::staged(path);
    let Some(file) = host.file(&staged) else {
        if host.unreadable.contains(&staged) {
            host.unreadable.insert(path.to_owned());
            return;
        }
        let text = format!("`{staged}` is missing, and `setup` waits for it to make `{path}`");
        return problems.error(setup, Complaint::new(text).hint("fetch or paste the seed again, whole"));
    };
    if sha256(&file.bytes) != sum {
        let text = format!("`{staged}` was damaged on its way: its SHA-256 is not {sum}");
        problems.error(
            &file.place,
            Complaint::new(text).hint("fetch or paste the seed again, whole and unchanged"),
        );
    }
    if file.mode & 0o077 != 0 && String::from_utf8_lossy(&file.bytes).contains("PRIVATE KEY") {
        let text = format!(
            "`{staged}` holds a private key and can be read by others than root (mode {:04o})",
            file.mode
        );
        problems.error(&file.place, Complaint::new(text).hint("give it mode 0600"));
    }
    host.rename(&staged, path, u32::from_str_radix(mode, 8).ok());
}

/// What `setup` brings within itself.
fn attach(host: &mut HostState, text: &str, setup: &Place, problems: &mut Problems) {
    for document in here_documents(text, "attach") {
        if let ([path, mode], Some(body)) = (&document.words[..], document.body) {
            let bytes = Zeroizing::new(body.as_bytes().to_vec());
            let mode = u32::from_str_radix(mode, 8).unwrap_or_default();
            host.put(
                File { place: setup.clone(), path: path.clone(), mode, owner: None, bytes },
                false,
                problems,
            );
        }
    }
}

/// Checksums that a command looks at before it goes on: `echo 'SUM  /path' | sha256sum -c && …`.
pub fn check_sums(host: &HostState, budget: &Budget, problems: &mut Problems) {
    let mut sums: HashMap<&str, String> = HashMap::new();
    let is_sum = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    for inline in host.inline.iter().filter(|inline| inline.text.contains("sha256sum")) {
        if !budget.take(4 * inline.text.len()) {
            return;
        }
        let words: Vec<&str> = inline
            .text
            .split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'))
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2).filter(|pair| is_sum(pair[0]) && pair[1].starts_with('/')) {
            let [sum, path] = [pair[0], pair[1]];
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
                    let text = format!(
                        "`{path}` was damaged on its way: `{}` waits for the SHA-256 {sum}",
                        inline.name
                    );
                    problems.error(
                        &file.place,
                        Complaint::new(text).hint("fetch or paste the seed again, whole and unchanged"),
                    );
                }
                None if host.unreadable.contains(path) => {}
                None => {
                    let text = format!(
                        "`{}` looks at the SHA-256 of `{path}`, which is not in the seed",
                        inline.name
                    );
                    problems.error(
                        &inline.place,
                        Complaint::new(text).hint("fetch or paste the seed again, whole"),
                    );
                }
            }
        }
    }
}

/// The value of a variable that our template sets at a line's beginning: in quotes, or a plain word.
fn variable<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text
        .match_indices(&format!("{name}="))
        .map(|(at, _)| at)
        .find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')?;
    let value = &text[start + name.len() + 1..];
    match value.strip_prefix('\'') {
        Some(quoted) => quoted.split_once('\'').map(|(value, _)| value),
        None => value.split(char::is_whitespace).next(),
    }
}
