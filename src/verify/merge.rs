//! Rule: if several cloud-configs of an archive set the same list, cloud-init merges the lists (cloud-init, "Merging user-data
//! sections").

use std::collections::HashMap;

use crate::diag::{Code, Diagnostic};
use crate::userdata::budget::Budget;
use crate::userdata::content_type::Kind;
use crate::userdata::document::{Document, get};
use crate::userdata::problems::Problems;
use crate::userdata::seed::Part;
use crate::yaml::{Node, Value};

/// The effect of a part on a list that an earlier part has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merging {
    Replaces,
    Keeps,
    Joins,
}

/// Checks the cloud-configs of a seed together. No part may drop or replace a list of another part.
pub fn judge(parts: &[Part], budget: &Budget, problems: &mut Problems) {
    if parts.iter().filter(|part| part.kind == Kind::CloudConfig).count() < 2 {
        return;
    }
    // The index of the first part with each field.
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (n, part) in parts.iter().enumerate().filter(|(_, part)| part.kind == Kind::CloudConfig) {
        let text = String::from_utf8_lossy(&part.bytes);
        // The part's reader has reported problems of the document.
        let Some((document, root)) = Document::read(&text, &part.place, budget, &mut Problems::default())
        else {
            continue;
        };
        let Value::Map(fields) = &root.value else { continue };
        let merging = merging(part, fields);
        for (key, value) in fields {
            let (Value::Text(name), Value::List(_)) = (&key.value, &value.value) else { continue };
            if matches!(name.as_str(), "merge_how" | "merge_type") {
                continue;
            }
            match seen.get(name).copied() {
                None => drop(seen.insert(name.clone(), n)),
                // The field is repeated in one part, which the part's reader has reported.
                Some(earlier) if earlier == n => {}
                Some(earlier) if merging != Merging::Joins => {
                    let earlier = parts[earlier].place.name();
                    let text = match merging {
                        Merging::Replaces => {
                            format!("`{name}` replaces the list of {earlier}, which cloud-init drops")
                        }
                        _ => format!("`{name}` is ignored, because {earlier} already has one"),
                    };
                    let hint = "add the line `merge_how: list(append)+dict(no_replace,recurse_list)+str()` to this cloud-config";
                    problems.add(&document.place(key), Diagnostic::error(Code::MergedLists, text).hint(hint));
                }
                Some(_) => {}
            }
        }
    }
}

/// The merge options come from the part's fields, else from its header, else from cloud-init's default,
/// `dict(replace)+list()+str()`. The options of the later part apply.
fn merging(part: &Part, fields: &[(Node, Node)]) -> Merging {
    let own = get(fields, "merge_how").or_else(|| get(fields, "merge_type"));
    let (dict, list) = match own {
        Some(node) => (options(node, "dict"), options(node, "list")),
        None => {
            let header = part.merge.as_deref().unwrap_or("dict(replace)+list()+str()");
            (options_of_text(header, "dict"), options_of_text(header, "list"))
        }
    };
    let has =
        |options: &[String], wanted: &[&str]| options.iter().any(|option| wanted.contains(&option.as_str()));
    if has(&dict, &["replace"]) {
        Merging::Replaces
    } else if !has(&dict, &["recurse_list", "recurse_array"]) {
        Merging::Keeps
    } else if has(&list, &["append", "prepend"]) {
        Merging::Joins
    } else {
        Merging::Replaces
    }
}

/// Parses options such as `list(append)+dict(no_replace,recurse_list)`.
fn options_of_text(text: &str, name: &str) -> Vec<String> {
    let found = text.split('+').find_map(|merger| merger.trim().strip_prefix(name)?.trim().strip_prefix('('));
    let options = found.map(|rest| rest.trim_end_matches(')')).unwrap_or_default();
    options.split(',').map(|option| option.trim().to_owned()).filter(|option| !option.is_empty()).collect()
}

/// Reads options such as `[{name: list, settings: [append]}, …]`, or the same as a text.
fn options(node: &Node, name: &str) -> Vec<String> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    match &node.value {
        Value::Text(written) => options_of_text(written, name),
        Value::List(mergers) => {
            let maps = mergers.iter().filter_map(|merger| match &merger.value {
                Value::Map(fields) if get(fields, "name").and_then(text).as_deref() == Some(name) => {
                    get(fields, "settings")
                }
                _ => None,
            });
            let settings = maps.into_iter().filter_map(|settings| match &settings.value {
                Value::List(items) => Some(items.iter().filter_map(text).collect()),
                _ => None,
            });
            settings.into_iter().next().unwrap_or_default()
        }
        _ => Vec::new(),
    }
}
