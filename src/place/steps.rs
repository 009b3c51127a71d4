//! What is to be done once a machine is made, in a cloud's own words where the cloud is known.

use std::fmt::Arguments;

use super::choose::Place;
use super::texts::Texts;
use crate::plan::{Limit, Plan};
use crate::store::Store;

/// A thing to do, and the lines that belong to it.
struct Step {
    text: String,
    lines: Vec<String>,
}

impl From<String> for Step {
    fn from(text: String) -> Self {
        Self { text, lines: Vec::new() }
    }
}

/// The steps from a machine to its first `docker info`, numbered. Prose is as wide as `columns`.
pub fn steps(store: &Store, plan: &Plan, place: Option<&Place>, columns: usize) -> Vec<String> {
    let name = &plan.name;
    let mut steps = match place {
        Some(place) => vm_there(store, plan, place, columns),
        None => vm_anywhere(store, plan),
    };
    steps.extend(address(store, plan).map(Step::from));
    let env = store.command(format_args!("env {name}"));
    steps.push(format!("once it is up: `eval \"$({env})\" && docker info`").into());
    numbered(&steps)
}

fn vm_anywhere(store: &Store, plan: &Plan) -> Vec<Step> {
    let render = store.command(format_args!("render {}", plan.name));
    vec![
        format!("`{render}` prints the user-data: give it to the new VM").into(),
        format!("let your address reach TCP port {} in the cloud's firewall", plan.host.port).into(),
    ]
}

/// A VM in a cloud that is known.
fn vm_there(store: &Store, plan: &Plan, place: &Place, columns: usize) -> Vec<Step> {
    let Place { cloud, way, size } = place;
    let command = |words: Arguments| store.command(words);
    let texts = Texts::of(plan, columns, &command);
    let file = cloud.file(way);
    let of = if matches!(cloud.limit, Limit::Base64(_)) { " of base64" } else { "" };
    let size = cloud.limit().map(|limit| format!("{size} bytes{of}, {} takes {limit}", cloud.name));
    vec![
        Step {
            text: format!("`{}` makes `{file}`", texts.render(cloud, way)),
            lines: size.into_iter().collect(),
        },
        Step {
            text: format!("let your address reach TCP port {}, and nobody else's", plan.host.port),
            lines: texts.firewall(cloud),
        },
        Step { text: format!("make the VM with it ({})", cloud.title), lines: texts.way(cloud, way) },
    ]
}

/// What the client has yet to be told of the machine's address.
fn address(store: &Store, plan: &Plan) -> Option<String> {
    let name = &plan.name;
    match (&plan.boot_issuer, plan.addresses.first(), plan.tls_sans.first()) {
        (_, Some(_), _) => None,
        (Some(_), None, _) => Some(format!(
            "once you know where it came up: `{}`",
            store.command(format_args!("address {name} ADDRESS"))
        )),
        (None, None, Some(san)) => Some(format!(
            "no address was given, so docker dials `{name}`: `{}` makes it dial another name of the certificate",
            store.command(format_args!("address {name} {san}"))
        )),
        (None, None, None) => Some(format!(
            "no address was given, so the certificate is for the name `{name}`: make it resolve to the VM, in DNS or with a line `ADDRESS {name}` in /etc/hosts"
        )),
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
