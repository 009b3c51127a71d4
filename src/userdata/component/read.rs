//! Extracts the scripts from a component.

use std::rc::Rc;

use super::MAX_BYTES;
use crate::diag::{Code, Diagnostic, Place};
use crate::digest::sha256;
use crate::secret::Secret;
use crate::userdata::budget::Budget;
use crate::userdata::content_type::Kind;
use crate::userdata::document::{Document, get};
use crate::userdata::host_state::HostState;
use crate::userdata::problems::{FETCH_AGAIN, Problems, head};
use crate::userdata::seed::{Part, Seed};
use crate::yaml::{Node, Value};

/// Returns whether a text is probably a component. Only components have these two fields.
pub fn is_component(text: &str) -> bool {
    let has = |line: &str| text.starts_with(&line[1..]) || text.contains(line);
    has("\nschemaVersion:") && has("\nphases:")
}

/// Returns the scripts of all steps, in the order in which they run.
pub fn open(
    text: &str,
    place: &Place,
    budget: &Budget,
    host: &mut HostState,
    problems: &mut Problems,
) -> Seed {
    let mut seed =
        Seed { place: place.clone(), layers: vec!["Image Builder component"], sent: None, parts: Vec::new() };
    if text.len() > MAX_BYTES {
        let text = format!("is {} bytes, and the limit of EC2 Image Builder is {MAX_BYTES}", text.len());
        problems.add(place, Diagnostic::error(Code::ImageBuilderComponent, text));
    }
    // The text around the scripts, including comments, may contain a private key.
    let whole = Rc::new(Secret::new(text.as_bytes().to_vec()));
    seed.parts.push(Part { place: place.clone(), kind: Kind::Beside, bytes: whole, merge: None, file: None });
    let Some((document, root)) = Document::read(text, place, budget, problems) else { return seed };
    let phases = list(field(&root, "phases"));
    if phases.is_empty() {
        problems.add(
            place,
            Diagnostic::error(
                Code::ImageBuilderComponent,
                "is a component without `phases`, so it does nothing",
            ),
        );
    }
    for phase in phases {
        let name = |node| match field(node, "name").map(|node| &node.value) {
            Some(Value::Text(name)) => name.clone(),
            _ => "?".to_owned(),
        };
        let steps = list(field(phase, "steps"));
        if steps.is_empty() {
            let text = format!("the phase `{}` has no `steps`", head(&name(phase)));
            problems.add(
                &document.place(phase),
                Diagnostic::error(Code::ImageBuilderComponent, text).hint(FETCH_AGAIN),
            );
        }
        for step in steps {
            let place = place.within(format!("{} {}", name(phase), name(step)));
            let action = match field(step, "action").map(|node| &node.value) {
                Some(Value::Text(action)) => action.as_str(),
                _ => "",
            };
            let commands = list(field(step, "inputs").and_then(|inputs| field(inputs, "commands")));
            let runs_commands = matches!(action, "ExecuteBash" | "ExecutePowerShell");
            if action.is_empty() || runs_commands && commands.is_empty() {
                let missing = if action.is_empty() { "action" } else { "commands" };
                let text = format!("the step `{}` has no `{missing}`", head(&name(step)));
                problems.add(
                    &document.place(step),
                    Diagnostic::error(Code::ImageBuilderComponent, text).hint(FETCH_AGAIN),
                );
            }
            for command in commands {
                if let Some(text) = document.text(command, "a command", problems) {
                    let bytes = Rc::new(Secret::new(text.as_bytes().to_vec()));
                    if budget.take(text.len()) {
                        host.phases.insert(name(phase), sha256(&bytes));
                    }
                    seed.parts.push(Part {
                        place: place.clone(),
                        kind: Kind::Script,
                        bytes,
                        merge: None,
                        file: None,
                    });
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
