//! `clouds`: the limits of each cloud and how to use it.

use anyhow::Result;
use serde::Serialize;

use crate::clouds::{Base64, Cloud, Delivery, Gzip, Limit};
use crate::delivery::Texts;
use crate::shell::Command;
use crate::ui::Ui;

/// Shows all clouds in a few lines each, or one in full, with `port` in the firewall rules.
pub fn clouds(ui: Ui, cloud: Option<&'static Cloud>, port: u16, json: bool) -> Result<()> {
    let command = |words: Vec<String>| Command::own(words);
    let texts = Texts::of_any(port, ui.columns(), &command);
    match cloud {
        Some(cloud) if json => ui.json(&View::new(cloud, &texts)),
        Some(cloud) => ui.out(whole(cloud, &texts)),
        None if json => ui.json(&Cloud::ALL.map(|cloud| View::new(cloud, &texts))),
        None => {
            ui.out(Cloud::ALL.map(|cloud| summary(cloud, &texts)).join("\n"))?;
            let one = Command::own(["clouds", "CLOUD"]);
            ui.note_with("for the commands and Terraform arguments of one cloud:", &one);
            Ok(())
        }
    }
}

/// Limit, encoding, and where to paste and to open the port.
fn summary(cloud: &Cloud, texts: &Texts) -> String {
    heading(cloud) + &rows(&basics(cloud, texts), texts)
}

/// Everything about a cloud.
fn whole(cloud: &Cloud, texts: &Texts) -> String {
    let mut basics = basics(cloud, texts);
    basics.insert(1, ("", cloud.source.into()));
    basics.extend(
        cloud.notes.iter().enumerate().map(|(n, note)| (if n == 0 { "note" } else { "" }, texts.fill(note))),
    );
    let mut text = heading(cloud) + &rows(&basics, texts);
    if let Some(command) = cloud.firewall.command {
        text += &section("to open the port", &texts.code(&texts.fill(command)));
    }
    for delivery in cloud.deliveries {
        let heading = if delivery.gzip { "with compressed user-data" } else { "with plain user-data" };
        let mut lines = vec![texts.render(cloud, delivery).to_string()];
        lines.extend(texts.create_vm(cloud, delivery));
        text += &section(heading, &lines);
    }
    text
}

fn heading(cloud: &Cloud) -> String {
    format!("{}   {}\n", cloud.name, cloud.title)
}

fn section(heading: &str, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("\n{heading}\n{lines}")
}

fn basics(cloud: &Cloud, texts: &Texts) -> Vec<(&'static str, String)> {
    vec![
        ("limit", limit(cloud)),
        ("encoding", cloud.encoding.into()),
        ("gzip", gzip(cloud).into()),
        ("paste at", texts.console(cloud)),
        ("open port", texts.fill(cloud.firewall.console)),
    ]
}

fn rows(rows: &[(&str, String)], texts: &Texts) -> String {
    rows.iter()
        .map(|(name, value)| texts.prose(&format!("  {name:<9}   "), "              ", value) + "\n")
        .collect()
}

fn limit(cloud: &Cloud) -> String {
    match cloud.limit {
        Limit::Raw(bytes) => format!("{bytes} bytes"),
        Limit::Base64(bytes) => {
            let raw = cloud.raw_limit(false).unwrap_or(bytes);
            format!("{bytes} bytes of base64, or {raw} of user-data")
        }
        Limit::Unpublished => "not published".into(),
    }
}

fn gzip(cloud: &Cloud) -> &'static str {
    match cloud.gzip() {
        Gzip::Raw => "supported",
        Gzip::InBase64 => "supported in base64",
        Gzip::No => "not supported, or not documented",
    }
}

/// A cloud in JSON.
#[derive(Serialize)]
struct View {
    name: &'static str,
    title: &'static str,
    /// None if the cloud publishes none.
    limit: Option<LimitView>,
    source: &'static str,
    encoding: &'static str,
    /// `envelope`, `value` or `text`.
    base64: &'static str,
    /// `raw`, `base64` or null.
    gzip: Option<&'static str>,
    console: String,
    console_base64: Option<&'static str>,
    firewall: FirewallView,
    deliveries: Vec<DeliveryView>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct LimitView {
    bytes: usize,
    /// The encoding that is counted: `raw` or `base64`.
    counts: &'static str,
    /// The most bytes of user-data that fit.
    raw_bytes: usize,
}

#[derive(Serialize)]
struct FirewallView {
    console: String,
    command: Option<String>,
}

#[derive(Serialize)]
struct DeliveryView {
    gzip: bool,
    base64: bool,
    render: String,
    file: String,
    command: Option<String>,
    terraform: Option<String>,
}

impl View {
    fn new(cloud: &'static Cloud, texts: &Texts) -> Self {
        let fill = |text: &str| texts.fill(text);
        Self {
            name: cloud.name,
            title: cloud.title,
            limit: LimitView::new(cloud),
            source: cloud.source,
            encoding: cloud.encoding,
            base64: match cloud.base64 {
                Base64::Envelope => "envelope",
                Base64::Value => "value",
                Base64::Text => "text",
            },
            gzip: match cloud.gzip() {
                Gzip::Raw => Some("raw"),
                Gzip::InBase64 => Some("base64"),
                Gzip::No => None,
            },
            console: texts.console(cloud),
            console_base64: cloud.console_base64,
            firewall: FirewallView {
                console: fill(cloud.firewall.console),
                command: cloud.firewall.command.map(fill),
            },
            deliveries: cloud
                .deliveries
                .iter()
                .map(|delivery| DeliveryView::new(cloud, delivery, texts))
                .collect(),
            notes: cloud.notes.iter().map(|note| fill(note)).collect(),
        }
    }
}

impl LimitView {
    fn new(cloud: &Cloud) -> Option<Self> {
        let (bytes, counts) = match cloud.limit {
            Limit::Raw(bytes) => (bytes, "raw"),
            Limit::Base64(bytes) => (bytes, "base64"),
            Limit::Unpublished => return None,
        };
        Some(Self { bytes, counts, raw_bytes: cloud.raw_limit(false)? })
    }
}

impl DeliveryView {
    fn new(cloud: &Cloud, delivery: &Delivery, texts: &Texts) -> Self {
        Self {
            gzip: delivery.gzip,
            base64: delivery.base64,
            render: texts.render(cloud, delivery).to_string(),
            file: texts.file(cloud, delivery),
            command: delivery.command.map(|text| texts.fill_with(text, cloud, delivery)),
            terraform: delivery.terraform.map(|text| texts.fill_with(text, cloud, delivery)),
        }
    }
}
