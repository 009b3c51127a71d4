//! The users that cloud-init creates. Its module `users-groups` runs after `write-files`, so a file cannot belong to them unless
//! it has `defer: true`.

use crate::userdata::document::get;
use crate::yaml::{Node, Value};

/// The users that images let cloud-init create (cloud-init, `config/cloud.cfg.tmpl`, `system_info.default_user`).
const DEFAULT_USERS: [&str; 16] = [
    "almalinux",
    "alpine",
    "amazon",
    "arch",
    "centos",
    "cloud-user",
    "cloudlinux",
    "debian",
    "ec2-user",
    "eurolinux",
    "fedora",
    "opensuse",
    "photon",
    "rocky",
    "sles",
    "ubuntu",
];

/// Returns the user or group in `owner` (`USER:GROUP`) that does not exist yet when cloud-init writes the file of `owner`. `fields`
/// is the whole cloud-config.
pub fn created_later<'o>(owner: &'o str, fields: &[(Node, Node)]) -> Option<&'o str> {
    let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
    let is_created = |name: &str| {
        let is_number = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
        DEFAULT_USERS.contains(&name) || is_number || is_listed(name, fields)
    };
    [user, group].map(str::trim).into_iter().find(|name| is_created(name))
}

/// Returns whether `users`, `user` or `groups` creates the name.
fn is_listed(name: &str, fields: &[(Node, Node)]) -> bool {
    let is_text = |node: &Node| matches!(&node.value, Value::Text(text) if text == name);
    let in_list = |node: &Node| match &node.value {
        Value::Text(names) => names.split(',').any(|listed| listed.trim() == name),
        Value::Map(user) => {
            get(user, "name").is_some_and(is_text) || user.iter().any(|(key, _)| is_text(key))
        }
        _ => false,
    };
    ["users", "user", "groups"].iter().filter_map(|field| get(fields, field)).any(|node| match &node.value {
        Value::List(items) => items.iter().any(in_list),
        _ => in_list(node),
    })
}
