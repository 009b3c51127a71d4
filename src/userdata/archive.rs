//! Reads a cloud-config-archive: one YAML list with a document in each entry.

use super::budget::Budget;
use super::document::{Document, get, kind_of};
use super::problems::Problems;
use crate::diag::{Code, Diagnostic, Place};
use crate::yaml::Value;

/// A document of an archive.
pub struct Entry {
    pub place: Place,
    /// The MIME type. None if the entry has no `type`; then the content's first line decides.
    pub mime: Option<String>,
    pub content: String,
}

/// Returns the documents of an archive in their order. Reports entries without usable content to `problems`.
pub fn entries(text: &str, place: &Place, budget: &Budget, problems: &mut Problems) -> Vec<Entry> {
    let Some((document, root)) = Document::read(text, place, budget, problems) else { return Vec::new() };
    let Value::List(items) = &root.value else {
        let text = format!("is a cloud-config-archive, which must be a list, got {}", kind_of(&root.value));
        problems.add(&document.place(&root), Diagnostic::error(Code::CloudConfigShape, text));
        return Vec::new();
    };
    let mut entries = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let place = place.at(None).within(format!("entry {}", n + 1));
        let (content, mime) = match &item.value {
            Value::Map(fields) => (get(fields, "content"), get(fields, "type")),
            _ => (Some(item), None),
        };
        let Some(content) =
            content.and_then(|node| document.text(node, "the `content` of an entry", problems))
        else {
            continue;
        };
        let mime = mime.and_then(|node| document.text(node, "the `type` of an entry", problems));
        entries.push(Entry { place, mime: mime.map(str::to_owned), content: content.to_owned() });
    }
    entries
}
