//! Finds parts that would take hostseed's own part away: cloud-init merges them with it, and it would drop hostseed's lists, not run
//! them, or overwrite hostseed's files.

use crate::diag::{Code, Diagnostic, Place};
use crate::userdata::archive;
use crate::userdata::budget::Budget;
use crate::userdata::cloud_config::created_later;
use crate::userdata::cloud_config::fatal::{self, Tree};
use crate::userdata::content_type::{BY_FIRST_LINE, CLOUD_CONFIG, Kind, SHELL_SCRIPT};
use crate::userdata::document::get;
use crate::userdata::include;
use crate::userdata::jinja::{self, Effort, Gap};
use crate::userdata::paths;
use crate::userdata::problems::{Problems, head};
use crate::yaml::{Node, Value, pyyaml};

/// The lists in hostseed's cloud-config. If an earlier part has another type under one of these keys, cloud-init drops hostseed's
/// list.
const LISTS: [&str; 2] = ["runcmd", "write_files"];
/// cloud-init's lists of modules, each with the module that hostseed needs in it (cloud-init, `config/cloud.cfg.tmpl`).
const MODULES: [(&str, &str); 3] = [
    ("cloud_init_modules", "write_files"),
    ("cloud_config_modules", "runcmd"),
    ("cloud_final_modules", "scripts_user"),
];

/// Checks a part with this MIME type.
///
/// # Errors
/// The part would take hostseed's part away. For a jinja template and a cloud-config-archive, this is true if any result of the
/// template and any entry would.
pub fn check(content_type: &str, bytes: &[u8]) -> Result<(), Diagnostic> {
    let text = String::from_utf8_lossy(bytes);
    match kind(content_type, &text) {
        Some(kind) => check_kind(kind, &text),
        None => Ok(()),
    }
}

/// Returns what cloud-init reads a part as. For some types, the first line decides (`_process_msg` in its `user_data.py`).
pub fn kind(content_type: &str, text: &str) -> Option<Kind> {
    // Parameters, such as `charset`, do not count.
    let mime = content_type.split(';').next().unwrap_or_default().trim().to_lowercase();
    let by_first_line = mime == SHELL_SCRIPT || BY_FIRST_LINE.contains(&mime.as_str());
    by_first_line.then(|| Kind::of(text)).flatten().or_else(|| Kind::of_mime(&mime))
}

fn check_kind(kind: Kind, text: &str) -> Result<(), Diagnostic> {
    match kind {
        Kind::CloudConfig => match pyyaml::read(text) {
            Ok(document) => config(&document),
            Err(fault) if fault.is_limit => Err(refuse(format!("cannot be checked: {}", fault.text))),
            // cloud-init drops the whole part, and nothing else.
            Err(_) => Ok(()),
        },
        Kind::Jinja => template(text),
        Kind::Include => match include::urls(text).find(|(_, url)| include::is_impossible(url)) {
            Some((_, url)) => {
                let text = format!(
                    "has the line `{}`, which is no URL, and cloud-init would apply nothing",
                    head(url)
                );
                Err(refuse(text).hint("write one URL with `https://` a line, or put `#` before the line"))
            }
            None => Ok(()),
        },
        Kind::Archive => {
            if pyyaml::read(text).is_ok_and(|document| document.has_half_characters) {
                return Err(half_character("in the archive, and cloud-init would apply nothing"));
            }
            let (place, budget) = (Place::file("the archive"), Budget::default());
            let mut problems = Problems::default();
            let entries = archive::entries(text, &place, &budget, &mut problems);
            // cloud-init opens the archive before it applies anything, and stops at such an entry.
            let stops = |problem: &Diagnostic| {
                use Code::{ContentType, UserDataCutShort, UserDataDamaged, YamlType};
                matches!(problem.code, YamlType | ContentType | UserDataDamaged | UserDataCutShort)
            };
            if let Some(problem) = problems.into_sorted().into_iter().find(stops) {
                let text = format!("has an entry with which cloud-init applies nothing: {}", problem.message);
                return Err(refuse(text).maybe_hint(problem.hint));
            }
            entries.iter().try_for_each(|entry| check(&entry.mime, &entry.content))
        }
        Kind::JsonPatch => patch(text),
        Kind::PartHandler if text.contains(CLOUD_CONFIG) => {
            let text = format!(
                "is a part-handler for `{CLOUD_CONFIG}`, so cloud-init would give it hostseed's part"
            );
            Err(refuse(text).hint("let it handle another type"))
        }
        _ => Ok(()),
    }
}

/// Checks a template: each text that it can become.
fn template(text: &str) -> Result<(), Diagnostic> {
    let jinja::Results { texts, fields, gap } = jinja::results(text, Effort::Thorough, &Budget::default());
    let own_part = "move what needs no template into a part of its own";
    let unchecked = match gap {
        // cloud-init drops the whole part, and nothing else.
        None | Some(Gap::Fails { is_certain: true, .. }) => None,
        Some(Gap::Syntax { line }) => {
            let hint = "close each `{{`, `{%` and block";
            Some((format!("is not a valid jinja template in line {line}"), hint))
        }
        Some(Gap::Unknown { line } | Gap::Fails { line, .. }) => {
            Some((format!("is a jinja template that hostseed cannot evaluate in line {line}"), own_part))
        }
        Some(Gap::Limit) => Some(("is a jinja template that takes too long to check".to_owned(), own_part)),
    };
    if let Some((text, hint)) = unchecked {
        return Err(refuse(text).hint(hint));
    }
    // cloud-init gives what a template becomes to the handlers of these kinds, too.
    texts.iter().filter(|text| Kind::of(text) == Some(Kind::JsonPatch)).try_for_each(|text| patch(text))?;
    for text in texts.iter().filter(|text| Kind::of(text) == Some(Kind::CloudConfig)) {
        match pyyaml::read(text) {
            Ok(document) => config(&document).map_err(|problem| {
                let message =
                    format!("is a jinja template that can become a cloud-config that {}", problem.message);
                let hint =
                    problem.hint.map(|hint| format!("for example, {hint}, or put the placeholder in quotes"));
                refuse(message).maybe_hint(hint)
            })?,
            Err(fault) if fault.is_limit => return Err(refuse(format!("cannot be checked: {}", fault.text))),
            Err(_) => {}
        }
    }
    let is_config = |text: &&String| Kind::of(text) == Some(Kind::CloudConfig);
    let mut documents = fields.iter().filter(is_config).filter_map(|text| pyyaml::read(text).ok());
    documents.try_for_each(|document| unknown_field(&document.root))
}

/// Refuses a placeholder that is a field of the cloud-config, because it can be any.
fn unknown_field(root: &Node) -> Result<(), Diagnostic> {
    let is_unknown =
        |key: &Node| matches!(&key.value, Value::Text(name) if name.to_lowercase().contains(jinja::FIELD));
    match &root.value {
        Value::Map(fields) if fields.iter().any(|(key, _)| is_unknown(key)) => {
            let text = "is a jinja template in which a placeholder is a field of the cloud-config, and it could be `runcmd` or `write_files`";
            Err(refuse(text.to_owned())
                .hint("write the name of the field, and use the placeholder only as its value"))
        }
        _ => Ok(()),
    }
}

fn config(document: &pyyaml::Document) -> Result<(), Diagnostic> {
    let Value::Map(fields) = &document.root.value else { return Ok(()) };
    for (key, value) in fields {
        let Value::Text(name) = &key.value else { continue };
        if LISTS.contains(&name.as_str()) && !matches!(value.value, Value::List(_)) {
            let text =
                format!("has {} for `{name}`, which would replace hostseed's list", value.value.kind());
            return Err(refuse(text).hint(format!("remove `{name}`, or make it a list")));
        }
        if document.has_half_characters && LISTS.contains(&name.as_str()) && has_replacement(value) {
            return Err(half_character(&format!(
                "in `{name}`, and cloud-init would apply nothing of that list"
            )));
        }
        if let Some((list, module)) = MODULES.iter().find(|(list, _)| list == name)
            && !has_module(value, module)
        {
            let module = module.replace('_', "-");
            let text =
                format!("has `{list}` without `{module}`, so cloud-init would not apply hostseed's part");
            return Err(refuse(text).hint(format!("add `{module}` to `{list}`, or remove `{list}`")));
        }
        match (name.as_str(), &value.value) {
            ("write_files", Value::List(files)) => {
                let mut tree = Tree::default();
                files.iter().try_for_each(|file| check_file(file, fields, &mut tree))?
            }
            ("runcmd", Value::List(commands)) => commands.iter().try_for_each(check_command)?,
            _ => {}
        }
    }
    Ok(())
}

fn half_character(place: &str) -> Diagnostic {
    refuse(format!("has half of a surrogate pair {place}")).hint("write the character itself, not `\\ud83d…`")
}

/// Returns whether a text in a value has the sign for half of a surrogate pair.
fn has_replacement(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => text.contains(char::REPLACEMENT_CHARACTER),
        Value::List(items) => items.iter().any(has_replacement),
        Value::Map(fields) => {
            fields.iter().any(|(key, value)| has_replacement(key) || has_replacement(value))
        }
        _ => false,
    }
}

/// Refuses a command with which cloud-init runs none of the joined list (`shellify` in its `util.py`).
fn check_command(command: &Node) -> Result<(), Diagnostic> {
    match &command.value {
        Value::Text(_) if fatal::is_string(command) && !command.written.has_tag("binary") => Ok(()),
        Value::List(_) | Value::Null => Ok(()),
        other => {
            let text = format!(
                "has {} as a command of `runcmd`, with which cloud-init runs none of the commands, hostseed's included",
                other.kind()
            );
            Err(refuse(text).hint("put the command in quotes"))
        }
    }
}

/// Refuses a file with which cloud-init writes no further files, and one that takes the place of hostseed's.
fn check_file(file: &Node, config: &[(Node, Node)], tree: &mut Tree) -> Result<(), Diagnostic> {
    let Value::Map(fields) = &file.value else {
        let text = format!(
            "has {} in `write_files`, with which cloud-init writes none of the files, hostseed's included",
            file.value.kind()
        );
        return Err(refuse(text).hint("begin each file with `- path: …`"));
    };
    let stops = |what: String| {
        let text = format!(
            "has {what}, with which cloud-init stops: it writes neither this file nor those after it"
        );
        Err(refuse(text).hint("correct the file, or remove it"))
    };
    // cloud-init skips a file without a path before it reads its other fields.
    let path = match get(fields, "path") {
        None => return Ok(()),
        Some(node) => match &node.value {
            Value::Null | Value::Bool(false) => return Ok(()),
            Value::Text(path) if fatal::is_string(node) && path.is_empty() => return Ok(()),
            Value::Text(path) if fatal::is_string(node) => path,
            other => return stops(format!("{} as `path` of a file", other.kind())),
        },
    };
    if paths::is_own(&paths::normal(path)) {
        return Err(
            refuse(format!("writes `{}`, which is a file of hostseed", head(path))).hint("use another path")
        );
    }
    if let Some(what) = tree.add(path).or_else(|| fatal::of_fields(fields, &Budget::default())) {
        return stops(what);
    }
    let is_deferred = matches!(get(fields, "defer").map(|node| &node.value), Some(Value::Bool(true)));
    let owner = match get(fields, "owner").map(|node| &node.value) {
        Some(Value::Text(owner)) => Some(owner.as_str()),
        _ => None,
    };
    match owner.and_then(|owner| created_later(owner, config)) {
        Some(user) if !is_deferred => {
            let text = format!(
                "gives `{path}` to `{}`, which does not exist yet when cloud-init writes files: it would write none of the files after it",
                head(user)
            );
            Err(refuse(text).hint("add `defer: true` to the file"))
        }
        _ => Ok(()),
    }
}

/// Returns whether a list of modules has a module, in any of the forms that cloud-init accepts (`_read_modules` and
/// `form_module_name` in its `config/modules.py`).
fn has_module(list: &Node, wanted: &str) -> bool {
    let name = |node: &Node| match &node.value {
        Value::Text(name) => {
            let name = name.trim().replace('-', "_");
            let name = name.strip_suffix(".py").unwrap_or(&name);
            name.strip_prefix("cc_").unwrap_or(name).to_owned()
        }
        _ => String::new(),
    };
    let Value::List(items) = &list.value else { return false };
    items.iter().any(|item| match &item.value {
        Value::List(words) => words.first().is_some_and(|word| name(word) == wanted),
        Value::Map(fields) => get(fields, "name").is_some_and(|node| name(node) == wanted),
        _ => name(item) == wanted,
    })
}

/// Checks a cloud-config-jsonp, a list of changes of the merged cloud-config (RFC 6902). cloud-init applies it before hostseed's
/// part.
fn patch(text: &str) -> Result<(), Diagnostic> {
    let body = text.trim_start().trim_start_matches("#cloud-config-jsonp");
    let changes = match serde_json::from_str(body) {
        Ok(serde_json::Value::Array(changes)) => changes,
        Ok(_) => return Ok(()),
        // Python also reads `NaN` and `Infinity`, which are not JSON.
        Err(_)
            if LISTS.iter().chain(MODULES.iter().map(|(list, _)| list)).any(|name| body.contains(name)) =>
        {
            return Err(refuse("is not JSON, and cannot be checked".into())
                .hint("use a cloud-config instead of a patch"));
        }
        Err(_) => return Ok(()),
    };
    for change in &changes {
        let at = |name: &str| change.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let (operation, path) = (at("op"), at("path"));
        let field = path.trim_start_matches('/');
        let is_ours = LISTS.contains(&field) || MODULES.iter().any(|(list, _)| *list == field);
        let value = change.get("value").unwrap_or(&serde_json::Value::Null);
        let is_list = value.is_array() && LISTS.contains(&field);
        let sets = matches!(operation, "add" | "replace" | "copy" | "move");
        if sets && (path.is_empty() || is_ours && !is_list) {
            let text = format!("changes `{}`, which would replace hostseed's list", head(path));
            return Err(refuse(text).hint("use a cloud-config instead of a patch"));
        }
        let list = LISTS.iter().find(|list| field.split('/').next() == Some(**list));
        if let (true, Some(list)) = (sets, list) {
            // JSON is YAML, so the items can be checked like those of a cloud-config.
            let items = if is_list { value.clone() } else { serde_json::json!([value]) };
            let is_inside = field.matches('/').count() > 1;
            match pyyaml::read(&serde_json::json!({ *list: items }).to_string()) {
                Ok(document) if !is_inside => config(&document)?,
                _ => return Err(refuse(format!("changes `{}` in a way that cannot be checked", head(path)))),
            }
        }
    }
    Ok(())
}

fn refuse(text: String) -> Diagnostic {
    Diagnostic::error(Code::PartRejected, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_take_hostseeds_part_away_are_refused() {
        for (content_type, text) in [
            ("text/cloud-config", "runcmd:\n"),
            ("text/Cloud-Config", "runcmd: {a: b}\n"),
            ("text/cloud-config", "write_files: a\n"),
            ("text/cloud-config", "<<: {runcmd: }\nhostname: web\n"),
            ("text/cloud-config", "x: 123456789012345678901\nruncmd:\n"),
            ("text/cloud-config", "runcmd: [a]\nruncmd:\n"),
            ("text/cloud-config", "cloud_config_modules: [ntp, timezone]\n"),
            ("text/cloud-config", "cloud_config_modules:\n"),
            ("text/cloud-config", "cloud_init_modules: [write-file]\n"),
            ("text/cloud-config", "cloud_final_modules: []\n"),
            ("text/cloud-config", "write_files: [{path: //usr/local/lib/./hostseed/setup, content: x}]\n"),
            ("text/cloud-config", "users: [{name: a}]\nwrite_files: [{path: /b, owner: 'a:a'}]\n"),
            ("text/cloud-config", "write_files: [{path: /b, owner: 'root:ubuntu'}]\n"),
            ("text/cloud-config", "runcmd:\n- echo a: b\n"),
            ("text/cloud-config", "runcmd: [ls, 7]\n"),
            ("text/cloud-config", "runcmd: [2001-01-01]\n"),
            ("text/cloud-config", "write_files:\n-\n- {path: /a, content: x}\n"),
            ("text/cloud-config", "write_files: [7]\n"),
            ("text/cloud-config", "write_files: [defer]\n"),
            ("text/cloud-config", "write_files: [{path: 7, content: x}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: }]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: 7}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: x, encoding: 7}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: aGk, encoding: b64}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: aGk=, encoding: gz+b64}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: x, owner: 'a:b:c'}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: x, owner: root.root}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: x, owner: 7}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: x, permissions: 99999999999}]\n"),
            ("text/cloud-config", "write_files: [{path: \"/a\\0\", content: x}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: x}, {path: /a/b, content: x}]\n"),
            ("text/cloud-config", "write_files: [{path: /a/b, content: x}, {path: /a/, content: x}]\n"),
            ("text/cloud-config", "write_files: [{path: /etc, content: x}]\n"),
            ("text/cloud-config", "write_files: [{path: /usr/local/lib/hostseed, content: x}]\n"),
            ("text/cloud-config", "runcmd: [\"echo \\ud83d\\udc33\"]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: \"\\ud800\"}]\n"),
            ("text/cloud-config-archive", "- \"#cloud-config\\n\\ud800: 1\"\n"),
            ("text/cloud-config-archive", "- {content: a, filename: \"\\ud800\"}\n"),
            ("text/x-include-url", "#include\nfoo bar\n"),
            ("text/x-include-once-url", "https://a.example/b\nftp://a.example/b\n"),
            ("text/plain", "#include http:/a.example\n"),
            ("text/cloud-config", "cloud_config_modules: [RunCmd]\n"),
            ("text/cloud-config; charset=utf-8", "runcmd:\n"),
            (
                "text/cloud-config-archive",
                "- {type: text/cloud-config; charset=utf-8, content: 'runcmd: '}\n",
            ),
            ("text/cloud-config-archive", "- {content: 'runcmd: [7]'}\n"),
            (
                "text/cloud-config-jsonp",
                "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/runcmd\", \"value\": [7]}]",
            ),
            (
                "text/cloud-config-jsonp",
                "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/runcmd/-\", \"value\": 7}]",
            ),
            (
                "text/cloud-config-jsonp",
                "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/write_files\", \"value\": [{\"path\": 7}]}]",
            ),
            (
                "text/cloud-config-jsonp",
                "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/x\", \"value\": NaN}, {\"op\": \"add\", \"path\": \"/runcmd\", \"value\": null}]",
            ),
            ("text/plain", "#cloud-config\nruncmd:\n"),
            ("text/x-shellscript", "#cloud-config\nruncmd:\n"),
            ("text/x-not-multipart", "#cloud-config\nruncmd:\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd:\n# - ls\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd:\n{% if a %}\n- b\n{% endif %}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{% if a %}\nruncmd:\n{% endif %}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd: {{ a }}\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nruncmd: {% for a in b %}[{{ a }}{% endfor %}]\n",
            ),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{{ 'runcmd:' }}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{% set a = 'runcmd' %}\n{{ a }}: b\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% for k in ['runcmd', 'write_files'] %}\n{{ k }}: {{ v1.region }}\n{% endfor %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% filter lower %}\nRUNCMD:\n{% endfilter %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% macro a(b) %}{{ b }}cmd:{% endmacro %}\n{{ a('run') }}\n",
            ),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{{ 'DMCNUR:'.swapcase() }}\n"),
            ("text/jinja2", "## template: jinja\n{{ '#cloud-config' }}\nruncmd:\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd:\n- {{ v1.region }}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd:\n- {{ 3 * 4 }}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd:\n- {{ {'a': 'b'} }}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd: [ls{% if v1.a %}, 7{% endif %}]\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nwrite_files:\n- path: /a\n  content: {{ v1.region }}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% if v1.distro == 'ubuntu' %}\nruncmd:\n{% endif %}\n{% if a %}\n- b\n{% endif %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nruncmd:\n{% if v1.distro == 'a' %}\n- b\n{% elif v1.distro == 'c' %}\n- d\n{% endif %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% for a in ds.b %}\nruncmd: {{ a }}\n{% endfor %}\n",
            ),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{{ ds.meta_data.config }}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\nhostname: a\n{{ ds.meta_data.name }}: b\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% for k, v in ds.meta_data.config.items() %}\n{{ k }}: {{ v }}\n{% endfor %}\n",
            ),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{{ {'runcmd': 7} | tojson }}\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{{ 'runcmd:' if v1.region == 'us-east-1' }}\n",
            ),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{{ '%scmd:' % 'run' }}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{{ 'run' 'cmd:' }}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{{ '\\x72uncmd:' }}\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{% if true -%}\nruncmd:{% endif %}\n"),
            ("text/jinja2", "##TEMPLATE:JINJA\n#cloud-config\nruncmd:\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config-jsonp\n[{\"op\":\"add\",\"path\":\"/runcmd\",\"value\":null}]\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\npackages: [a]\n{% if v1.region|length == 12 %}\nruncmd:\n{% endif %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\npackages: [a]\n{% if v1.a == 'b' %}{% if v1.c == 'd' %}{% if v1.e == 'f' %}\nruncmd:\n{% endif %}{% endif %}{% endif %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\npackages: [a]\n{% for k, v in ds.items() %}{% if k == 'meta_data' %}\nruncmd:\n{% endif %}{% endfor %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% if a %}\npackages: [a]\n{% elif v1.vendor_data is none %}\nwrite_files:\n{% endif %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nruncmd:\n- {{ v1.kernel_release.split('.')[0] }}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{{ {'ubuntu': 'runcmd', 'fedora': 'yum_repos'}[v1.distro] }}:\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{{ {'ubuntu': 'runcmd'}.get(v1.distro, 'hostname') }}:\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{{ v1.distro|replace('ubuntu', 'write_files') }}: null\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\npackages: [a]\n{% if v1.a|length > 5 and v1.a|length < 25 %}runcmd:\n{% endif %}\n",
            ),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd:\n{{ a\n"),
            ("text/cloud-config-archive", "- type: text/cloud-config\n  content: 'runcmd: '\n"),
            ("text/cloud-config-archive", "- {content: 'runcmd: '}\n"),
            ("text/cloud-config-archive", "- {content: 7}\n"),
            ("text/cloud-config-archive", "- {content: }\n"),
            ("text/cloud-config-archive", "- {type: shell, content: a}\n"),
            ("text/cloud-config-archive", "- {type: 7, content: a}\n"),
            ("text/cloud-config-archive", "- {type: text/x-shellscript, content: !!binary /w==}\n"),
            ("text/cloud-config-archive", "- {content: 'hostname: a', X-Note: 7}\n"),
            ("text/cloud-config-archive", "- {contnt: 7}\n"),
            ("text/cloud-config-archive", "- \"## template: jinja\\n#cloud-config\\nruncmd:\\n\"\n"),
            (
                "text/cloud-config-jsonp",
                "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/runcmd\", \"value\": null}]",
            ),
            ("text/part-handler", "#part-handler\ndef list_types():\n  return ['text/cloud-config']\n"),
        ] {
            assert!(check(content_type, text.as_bytes()).is_err(), "{content_type}: {text:?}");
        }
    }

    #[test]
    fn parts_beside_hostseeds_part_are_accepted() {
        for (content_type, text) in [
            ("text/cloud-config", "runcmd: [a]\nwrite_files: []\npackages: a\n"),
            ("text/cloud-config", "runcmd: [a\n"),
            ("text/cloud-config", "runcmd: [a, [b, 7], null]\n"),
            (
                "text/cloud-config",
                "write_files: [{content: 7}, {path: '', content: 7}, {path: /a, encoding: null}]\n",
            ),
            ("text/cloud-config", "write_files: [{path: /a, content: 'aGk=', encoding: b64, owner: ''}]\n"),
            ("text/cloud-config", "write_files: [{path: /a, content: x, permissions: rw}]\n"),
            ("text/cloud-config", "write_files: [{path: /a/b, content: x}, {path: /a/c, content: x}]\n"),
            ("text/cloud-config", "hostname: \"\\ud800\"\nruncmd: [ls]\n"),
            ("text/x-include-url", "#include\nhttps://a.example/b\n# c\n"),
            ("text/cloud-config", "#cloud-config\n\u{feff}runcmd:\n"),
            ("text/cloud-config", "cloud_config_modules: [ntp, [runcmd, always]]\n"),
            (
                "text/cloud-config",
                "cloud_init_modules: [cc_write_files]\ncloud_final_modules: [{name: scripts-user}]\n",
            ),
            (
                "text/cloud-config",
                "users: [{name: a}]\nwrite_files: [{path: /b, owner: 'a:a', defer: true}]\n",
            ),
            ("text/cloud-config", "write_files: [{path: /b, owner: 'www-data:www-data'}]\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nhostname: {{ v1.region }}\nruncmd:\n- a {{ b }}\n{% if c %}\n- d\n{% endif %}\n",
            ),
            ("text/jinja2", "## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nruncmd:\n- echo {{ ds.meta_data.instance_id }}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% if v1.distro == 'ubuntu' %}\npackages: [a]\n{% elif v1.distro in ['b', 'c'] %}\npackages: [d]\n{% endif %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nwrite_files:\n- path: /etc/{{ v1.region }}\n  content: |\n    {{ v1.local_hostname }}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nruncmd:\n{% for a in ['b', 'c'] %}\n- echo {{ a | upper }} {{ v1.d.split('-')[0] | default('e') }}\n{% endfor %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nfqdn: {{ v1.a }}.example.com\nruncmd:\n- [curl, '{{ v1.b }}']\n- curl https://a.example/{{ v1.region }}?b={{ ds.c['d-e'] }}\n",
            ),
            ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd:\n- '{{ v1.region }}'\n"),
            ("text/jinja2", "## template: jinja\n#cloud-config\n{% include 'a' %}\nruncmd:\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% set major = v1.distro_version.split('.')[0]|int %}\n{% if major >= 22 %}\npackages: [a]\n{% endif %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nruncmd:\n{% if v1.a %}\n- b\n{% else %}\n- c\n{% endif %}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nruncmd: [a{% if v1.b %}, c{% endif %}{% for d in e %}, {{ d }}x{% endfor %}]\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\nhostname: web-{{ ds.meta_data.hostname.split('-')|last|int }}\n",
            ),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% raw %}\nx: '{{ runcmd }}'\n{% endraw %}\n",
            ),
            ("text/jinja2", "\n## template: jinja\n#cloud-config\nruncmd:\n"),
            ("text/jinja2", "## template: jinja\n#!/bin/sh\nruncmd:\n"),
            (
                "text/jinja2",
                "## template: jinja\n#cloud-config\n{% if a %}\nhostname: b\n{% else %}\nhostname: c\n{% endif %}\n",
            ),
            (
                "text/cloud-config-archive",
                "- type: text/x-shellscript\n  content: \"#!/bin/sh\\nruncmd:\\n\"\n",
            ),
            (
                "text/cloud-config-jsonp",
                "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/runcmd/-\", \"value\": \"a\"}]",
            ),
            ("text/x-shellscript", "#!/bin/sh\nruncmd:\n"),
            ("text/plain", "runcmd:\n"),
            ("text/part-handler", "#part-handler\ndef list_types():\n  return ['text/x-own']\n"),
        ] {
            let refused = check(content_type, text.as_bytes()).err().map(|problem| problem.message);
            assert_eq!(refused, None, "{content_type}: {text:?}");
        }
    }
}
