//! Reads a cloud-config-archive as cloud-init does (`_explode_archive` in its `user_data.py`): one YAML list with a document in each
//! entry.

use super::budget::Budget;
use super::content_type::{CLOUD_CONFIG, ContentType};
use super::document::{Document, get, kind_of};
use super::encoding::{self, Bytes};
use super::problems::{Problems, head};
use crate::diag::{Code, Diagnostic, Place};
use crate::secret::Secret;
use crate::yaml::{Node, Value};

/// A document of an archive.
pub struct Entry {
    pub place: Place,
    /// The MIME type. If the entry has no `type`, the content's first line decides, and otherwise it is a cloud-config.
    pub mime: String,
    /// How cloud-init merges the entry, from its key `Merge-Type` or `X-Merge-Type`.
    pub merge: Option<String>,
    pub file: Option<String>,
    pub content: Bytes,
}

/// Keys of an entry that do not become headers, in lower case.
const NO_HEADERS: [&str; 7] = [
    "content",
    "filename",
    "type",
    "launch-index",
    "content-disposition",
    "number-attachments",
    "content-type",
];

/// Returns the documents of an archive in their order. Reports entries without usable content to `problems`.
pub fn entries(text: &str, place: &Place, budget: &Budget, problems: &mut Problems) -> Vec<Entry> {
    let Some((document, root)) = Document::read(text, place, budget, problems) else { return Vec::new() };
    let Value::List(items) = &root.value else {
        let text = format!("is a cloud-config-archive, which must be a list, got {}", kind_of(&root.value));
        problems.add(&document.place(&root), Diagnostic::error(Code::CloudConfigShape, text));
        return Vec::new();
    };
    let each = items.iter().enumerate();
    each.filter_map(|(n, item)| {
        entry(item, &document, place.at(None).within(format!("entry {}", n + 1)), budget, problems)
    })
    .collect()
}

fn entry(
    item: &Node,
    document: &Document,
    place: Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<Entry> {
    let fields = match &item.value {
        Value::Map(fields) => fields.as_slice(),
        _ => &[],
    };
    let is_no_header = |name: &str| NO_HEADERS.contains(&name.to_lowercase().as_str());
    for (key, value) in fields {
        let Some(name) = document.text(key, "a key of an entry", problems) else { continue };
        if !is_no_header(name) && !matches!(value.value, Value::Null) {
            document.text(value, &format!("the `{}` of an entry", head(name)), problems);
        }
    }
    let node = match &item.value {
        Value::Map(fields) => get(fields, "content"),
        _ => Some(item),
    };
    let Some(node) = node else {
        let problem = Diagnostic::error(Code::UserDataEmpty, "has no `content`");
        problems.add(&document.place(item), problem);
        return None;
    };
    let text = document.text(node, "the `content` of an entry", problems)?;
    let content = match document.is_binary(node) {
        true => match encoding::unbase64(text.as_bytes(), budget) {
            Ok(bytes) => bytes,
            Err((_, problem)) => {
                problems.add(&document.place(node), problem);
                return None;
            }
        },
        false => Secret::new(text.as_bytes().to_vec()),
    };
    let mut field = |name: &str| {
        let node = get(fields, name).filter(|node| !matches!(node.value, Value::Null))?;
        document.text(node, &format!("the `{name}` of an entry"), problems).map(str::to_owned)
    };
    let given = field("type").filter(|mime| !mime.is_empty());
    let merge = field("Merge-Type").or_else(|| field("X-Merge-Type"));
    let file = field("filename");
    let mime = given.unwrap_or_else(|| {
        let found = std::str::from_utf8(&content).ok().and_then(ContentType::by_first_line);
        found.map_or(CLOUD_CONFIG, |found| found.mime).to_owned()
    });
    let is_valid =
        mime.contains('/') && (!mime.starts_with("text/") || std::str::from_utf8(&content).is_ok());
    if !is_valid {
        let text = format!(
            "has the type `{}` or a content that cloud-init cannot read, so it applies nothing of the whole user-data",
            head(&mime)
        );
        problems.add(
            &place,
            Diagnostic::error(Code::ContentType, text)
                .hint("use `text/cloud-config` or `text/x-shellscript`"),
        );
        return None;
    }
    // cloud-init makes a header of the type, and reads it without its parameters.
    let mime = mime.split(';').next().unwrap_or_default().trim().to_lowercase();
    Some(Entry { place, mime, merge, file, content })
}
