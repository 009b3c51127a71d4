//! A component of EC2 Image Builder: YAML whose steps hold scripts ("Use the AWSTOE component document framework").

use zeroize::Zeroizing;

use super::budget::Budget;
use super::content_type::Kind;
use super::document::{Document, get};
use super::problems::{Place, Problems};
use super::seed::{Part, Seed};
use crate::report::Complaint;
use crate::yaml::{Node, Value};

/// Bytes of a component (AWS General Reference, "EC2 Image Builder endpoints and quotas").
const MAX_BYTES: usize = 64 * 1024;

/// Whether a text is most likely one, by its two fields that nothing else has.
pub fn is_component(text: &str) -> bool {
    let has = |field: &str| text.lines().any(|line| line.starts_with(field));
    has("schemaVersion:") && has("phases:")
}

/// The scripts of all steps, as they run.
pub fn open(text: &str, place: &Place, budget: &Budget, problems: &mut Problems) -> Seed {
    let mut seed =
        Seed { place: place.clone(), layers: vec!["Image Builder component"], sent: None, parts: Vec::new() };
    if text.len() > MAX_BYTES {
        let text = format!("is {} bytes, EC2 Image Builder takes {MAX_BYTES}", text.len());
        problems.error(place, Complaint::new(text));
    }
    // What is around the scripts, comments too, may hold a key.
    let whole = Zeroizing::new(text.as_bytes().to_vec());
    seed.parts.push(Part { place: place.clone(), kind: Kind::Beside, bytes: whole, merge: None });
    let Some((document, root)) = Document::read(text, place, budget, problems) else { return seed };
    let phases = list(field(&root, "phases"));
    if phases.is_empty() {
        problems.error(place, Complaint::new("is a component without `phases`, which does nothing"));
    }
    for phase in phases {
        let name = |node| match field(node, "name").map(|node| &node.value) {
            Some(Value::Text(name)) => name.clone(),
            _ => "?".to_owned(),
        };
        for step in list(field(phase, "steps")) {
            let place = place.within(format!("{} {}", name(phase), name(step)));
            for command in list(field(step, "inputs").and_then(|inputs| field(inputs, "commands"))) {
                if let Some(text) = document.text(command, "a command", problems) {
                    let bytes = Zeroizing::new(text.as_bytes().to_vec());
                    seed.parts.push(Part { place: place.clone(), kind: Kind::Script, bytes, merge: None });
                }
            }
        }
    }
    seed
}

fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(fields) => get(fields, name),
        _ => None,
    }
}

fn list(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}
