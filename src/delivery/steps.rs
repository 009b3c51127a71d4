//! The next steps after `create`, with the cloud's own terms if the cloud is known.

use std::fmt::Display;
use std::iter;

use super::choice::Choice;
use super::texts::Texts;
use crate::clouds::Limit;
use crate::plan::Plan;
use crate::shell::Shell;
use crate::store::Store;

/// One step and its details.
struct Step {
    text: String,
    lines: Vec<String>,
}

impl From<String> for Step {
    fn from(text: String) -> Self {
        Self { text, lines: Vec::new() }
    }
}

/// The numbered steps from a new machine to its first `docker info`. Prose is wrapped at `columns`.
pub fn steps(store: &Store, plan: &Plan, choice: Option<&Choice>, columns: usize) -> Vec<String> {
    let name = &plan.name;
    let mut steps = match choice {
        Some(choice) => vm_in_cloud(store, plan, choice, columns),
        None => vm_anywhere(store, plan),
    };
    steps.extend(address(store, plan));
    let wait = store.command(["wait", name.as_str()]).to_string();
    let connect = Shell::of_user().connect(&store.command(["env", name.as_str()]));
    steps.push(Step {
        text: "Wait until Docker answers, then connect:".into(),
        lines: iter::once(wait).chain(connect).collect(),
    });
    numbered(&steps)
}

fn vm_anywhere(store: &Store, plan: &Plan) -> Vec<Step> {
    let file = format!("{}.user-data", plan.name);
    let render = store.command(["render", plan.name.as_str(), "-o", &file]);
    vec![
        Step {
            text: format!("Write the user-data to `{file}`, and create a VM with it:"),
            lines: vec![render.to_string()],
        },
        format!("Allow inbound TCP {} from your IP address in the cloud's firewall.", plan.host.port).into(),
    ]
}

/// The steps for a known cloud.
fn vm_in_cloud(store: &Store, plan: &Plan, choice: &Choice, columns: usize) -> Vec<Step> {
    let Choice { cloud, delivery, size } = choice;
    let command = |words: Vec<String>| store.command(words);
    let texts = Texts::of(plan, columns, &command);
    let file = texts.file(cloud, delivery);
    let of = if matches!(cloud.limit, Limit::Base64(_)) { " of base64" } else { "" };
    let size =
        cloud.limit().map(|limit| format!("({size} bytes{of}; the limit of {} is {limit})", cloud.name));
    vec![
        Step {
            text: format!("Write the user-data to `{file}`:"),
            lines: iter::once(texts.render(cloud, delivery).to_string()).chain(size).collect(),
        },
        Step {
            text: format!("Allow inbound TCP {} from your IP address only:", plan.host.port),
            lines: texts.firewall(cloud),
        },
        Step {
            text: format!("Create the VM with `{file}` in {}:", cloud.title),
            lines: texts.create_vm(cloud, delivery),
        },
    ]
}

/// The step that tells the docker CLI the machine's address; none if that is known.
fn address(store: &Store, plan: &Plan) -> Option<Step> {
    let name = &plan.name;
    let record =
        |address: &dyn Display| store.command(["address", name.as_str(), &address.to_string()]).to_string();
    match (&plan.boot_issuer, plan.addresses.first(), plan.tls_sans.first()) {
        (_, Some(_), _) => None,
        (Some(_), None, _) => Some(Step {
            text: "When you know the VM's address, record it:".into(),
            lines: vec![record(&"ADDRESS")],
        }),
        (None, None, Some(san)) => Some(Step {
            text: format!(
                "There is no address, so docker connects to `{name}`. To use another name of the certificate:"
            ),
            lines: vec![record(san)],
        }),
        (None, None, None) => Some(Step {
            text: format!(
                "There is no address, so the certificate is for the name `{name}`. Make it resolve to the VM: in DNS, or in /etc/hosts with the line"
            ),
            lines: vec![format!("ADDRESS {name}")],
        }),
    }
}

fn numbered(steps: &[Step]) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        lines.push(format!("{}. {}", n + 1, step.text));
        lines.extend(step.lines.iter().map(|line| format!("   {line}")));
    }
    lines
}
