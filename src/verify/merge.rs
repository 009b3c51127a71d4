//! Rule: if several cloud-configs of an archive set the same list, cloud-init merges the lists (cloud-init, "Merging user-data
//! sections").

use std::collections::HashMap;

use crate::diag::{Code, Diagnostic};
use crate::userdata::budget::{self, Budget};
use crate::userdata::content_type::Kind;
use crate::userdata::document::{Document, get};
use crate::userdata::jinja::{self, Effort};
use crate::userdata::problems::Problems;
use crate::userdata::seed::Part;
use crate::yaml::{Node, Value, pyyaml};

/// The effect of a part on a list or a map that an earlier part has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merging {
    Replaces,
    Keeps,
    Joins,
}

/// How a part is merged.
struct Mergers {
    list: Merging,
    map: Merging,
}

/// Checks the cloud-configs of a seed together. No part may drop or replace a list or a map of another part.
pub fn judge(parts: &[Part], budget: &Budget, problems: &mut Problems) {
    let has_options = |part: &Part| {
        part.merge.is_some() || ["merge_how", "merge_type"].iter().any(|name| contains(&part.bytes, name))
    };
    for part in parts.iter().filter(|part| part.kind == Kind::Jinja && has_options(part)) {
        judge_template(part, budget, problems);
    }
    let configs: Vec<&Part> = parts.iter().filter(|part| part.kind == Kind::CloudConfig).collect();
    if configs.is_empty() || (configs.len() == 1 && !has_options(configs[0])) {
        return;
    }
    // The index of the first part with each field, and the kind of its value.
    let mut seen: HashMap<String, (usize, &'static str)> = HashMap::new();
    for (n, part) in parts.iter().enumerate().filter(|(_, part)| part.kind == Kind::CloudConfig) {
        let text = String::from_utf8_lossy(&part.bytes);
        // The part's reader has reported problems of the document.
        let Some((document, root)) = Document::read(&text, &part.place, budget, &mut Problems::default())
        else {
            continue;
        };
        let Value::Map(fields) = &root.value else { continue };
        let Some(mergers) = mergers(part, fields) else {
            problems.add(&part.place, dropped());
            continue;
        };
        for (key, value) in fields {
            let Value::Text(name) = &key.value else { continue };
            if matches!(name.as_str(), "merge_how" | "merge_type") {
                continue;
            }
            let (kind, merging) = match &value.value {
                Value::List(_) => ("list", mergers.list),
                Value::Map(_) => ("map", mergers.map),
                // `no_replace` keeps what is there.
                Value::Null if mergers.map == Merging::Replaces => ("value", Merging::Replaces),
                _ => continue,
            };
            match seen.get(name).copied() {
                None if kind != "value" => drop(seen.insert(name.clone(), (n, kind))),
                None => {}
                // The field is repeated in one part, which the part's reader has reported.
                Some((earlier, _)) if earlier == n => {}
                Some((earlier, earlier_kind)) if merging != Merging::Joins || earlier_kind != kind => {
                    let earlier = parts[earlier].place.name();
                    let text = match merging {
                        Merging::Replaces => {
                            format!(
                                "`{name}` replaces the {earlier_kind} of {earlier}, which cloud-init drops"
                            )
                        }
                        _ => format!("`{name}` is ignored, because {earlier} already has one"),
                    };
                    let hint = format!("add the line `merge_how: {JOINING}` to this cloud-config");
                    problems.add(&document.place(key), Diagnostic::error(Code::MergedLists, text).hint(hint));
                }
                Some(_) => {}
            }
        }
    }
}

/// Checks the merge options of a jinja template. All that it becomes has the options of its header.
fn judge_template(part: &Part, budget: &Budget, problems: &mut Problems) {
    let text = String::from_utf8_lossy(&part.bytes);
    let texts = jinja::results(&text, Effort::Proportional, budget).texts;
    let configs = texts.iter().filter(|text| Kind::of(text) == Some(Kind::CloudConfig));
    let mut read = configs.filter_map(|text| {
        let is_affordable = budget.take(budget::YAML * text.len());
        is_affordable.then(|| pyyaml::read(text).ok()).flatten()
    });
    let is_dropped = |document: pyyaml::Document| matches!(&document.root.value, Value::Map(fields) if mergers(part, fields).is_none());
    if read.next().is_some_and(is_dropped) {
        problems.add(&part.place, dropped());
    }
}

fn dropped() -> Diagnostic {
    let text = "has merge options without `dict(…)`, or that cloud-init does not know, so it drops the whole cloud-config";
    Diagnostic::error(Code::MergedLists, text).hint(format!("use `{JOINING}`"))
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// The merge options with which nothing is lost.
const JOINING: &str = "list(append)+dict(no_replace,recurse_list)+str()";

/// Reads the merge options of a part: those in its fields, then those in its header, or else cloud-init's default (`_extract_mergers`
/// in its `handlers/cloud_config.py`). For each type, the first merger counts. None if
/// cloud-init refuses them, or has no merger for the cloud-config itself.
fn mergers(part: &Part, fields: &[(Node, Node)]) -> Option<Mergers> {
    let own = ["merge_how", "merge_type"].iter().filter_map(|name| get(fields, name));
    let own = own.into_iter().find(|node| !matches!(node.value, Value::Null));
    let mut all = own.map_or(Some(Vec::new()), of_node)?;
    all.extend(of_text(part.merge.as_deref().unwrap_or_default())?);
    if all.is_empty() {
        all = of_text("dict(replace)+list()+str()")?;
    }
    let is_known = |name: &str| matches!(name, "list" | "dict" | "str");
    if !all.iter().all(|(name, _)| is_known(name.strip_prefix("m_").unwrap_or(name))) {
        return None;
    }
    let options = |wanted: &str| {
        all.iter()
            .find(|(name, _)| name.strip_prefix("m_").unwrap_or(name) == wanted)
            .map(|(_, options)| options)
    };
    let has =
        |options: &[String], names: &[&str]| options.iter().any(|option| names.contains(&option.as_str()));
    // Without a merger for a type, the earlier value stays.
    let of_lists = match options("list") {
        None => Merging::Keeps,
        // The first of these that an option names counts (`MERGE_TYPES` in `mergers/m_list.py`).
        Some(options) if has(options, &["append", "prepend"]) => Merging::Joins,
        Some(options) if has(options, &["no_replace"]) => Merging::Keeps,
        Some(_) => Merging::Replaces,
    };
    // A cloud-config is a map. Without a merger for maps, what is there stays.
    let of_maps = options("dict")?;
    let replaces = has(of_maps, &["replace"]);
    let recurses = has(of_maps, &["recurse_list", "recurse_array"]);
    let list = match (replaces, recurses) {
        (true, _) => Merging::Replaces,
        (false, true) => of_lists,
        (false, false) => Merging::Keeps,
    };
    Some(Mergers { list, map: if replaces { Merging::Replaces } else { Merging::Joins } })
}

/// The options of all mergers.
const OPTIONS: [&str; 9] = [
    "append",
    "prepend",
    "replace",
    "no_replace",
    "recurse_str",
    "recurse_dict",
    "recurse_array",
    "recurse_list",
    "allow_delete",
];

/// A merger with its options.
type Merger = (String, Vec<String>);

/// Parses options such as `list(append)+dict(no_replace,recurse_list)` (`string_extract_mergers`).
fn of_text(text: &str) -> Option<Vec<Merger>> {
    let mergers = text.split('+').map(|merger| merger.trim().to_lowercase().replace('-', "_"));
    mergers
        .filter(|merger| !merger.is_empty())
        .map(|merger| {
            let (name, rest) = merger.split_once('(')?;
            let options = rest.strip_suffix(')')?.split(',').map(|option| option.trim().to_owned());
            Some((name.to_owned(), options.filter(|option| !option.is_empty()).collect()))
        })
        .collect()
}

/// Reads options such as `[{name: list, settings: [append]}, …]`, or the same as a text (`dict_extract_mergers`).
fn of_node(node: &Node) -> Option<Vec<Merger>> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let texts = |node: &Node| match &node.value {
        Value::List(items) => Some(items.iter().filter_map(text).collect()),
        // Python looks for an option in the text: `no_replace` has `replace` in it.
        Value::Text(text) => {
            Some(OPTIONS.map(str::to_owned).into_iter().filter(|name| text.contains(name)).collect())
        }
        _ => None,
    };
    match &node.value {
        Value::Text(written) => of_text(written),
        Value::Map(fields) if fields.is_empty() => Some(Vec::new()),
        Value::List(mergers) => {
            let each = mergers.iter().map(|merger| match &merger.value {
                Value::Map(fields) => {
                    let name = get(fields, "name").and_then(text)?;
                    Some((name.trim().replace('-', "_"), get(fields, "settings").and_then(texts)?))
                }
                Value::List(words) => {
                    let name = words.first().and_then(text)?;
                    Some((name, words[1..].iter().filter_map(text).collect()))
                }
                _ => None,
            });
            each.collect()
        }
        _ => None,
    }
}
