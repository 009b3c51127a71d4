//! The instructions of a cloud with a machine's name and port filled in.

use std::iter;

use textwrap::{Options, WordSplitter};

use crate::clouds::{Base64, Cloud, Delivery, Seed};
use crate::plan::Plan;
use crate::shell::Command;

/// The indentation of the lines of a step or a section.
const INDENT: usize = 5;

/// Puts a machine's name and port into a cloud's texts.
pub struct Texts<'a> {
    /// As it stands after `hostseed render`.
    machine: String,
    /// The VM's name in the cloud.
    vm: String,
    port: u16,
    columns: usize,
    /// Completes a command of hostseed that the user can paste.
    command: &'a dyn Fn(Vec<String>) -> Command,
}

impl<'a> Texts<'a> {
    /// The texts for a machine. Prose is as wide as `columns`.
    pub fn of(plan: &Plan, columns: usize, command: &'a dyn Fn(Vec<String>) -> Command) -> Self {
        let machine = plan.name.to_string();
        let vm = if is_name_everywhere(&machine) { machine.clone() } else { "NAME".into() };
        Self { machine, vm, port: plan.host.port, columns, command }
    }

    /// The texts with placeholders for the name.
    pub fn of_any(port: u16, columns: usize, command: &'a dyn Fn(Vec<String>) -> Command) -> Self {
        Self { machine: "NAME".into(), vm: "NAME".into(), port, columns, command }
    }

    /// A text with the values in it. All are plain words to a shell and to Terraform.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{name}", &self.vm).replace("{port}", &self.port.to_string())
    }

    /// A text with the values in it, and with the file of a delivery.
    pub fn fill_with(&self, text: &str, cloud: &Cloud, delivery: &Delivery) -> String {
        self.fill(text).replace("{file}", &self.file(cloud, delivery))
    }

    /// The name of the file that the commands of a delivery read.
    pub fn file(&self, cloud: &Cloud, delivery: &Delivery) -> String {
        cloud.file(delivery, &self.machine)
    }

    /// The menu path in the console.
    pub fn console(&self, cloud: &Cloud) -> String {
        self.fill_with(cloud.console, cloud, &cloud.deliveries[0])
    }

    /// The lines of a command or of a Terraform configuration, for copying.
    pub fn code(&self, text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    /// Prose in lines, `first` before the first and `next` before the others. Words are left whole.
    pub fn prose(&self, first: &str, next: &str, text: &str) -> String {
        prose(self.columns, first, next, text)
    }

    /// The command that writes the file for a delivery.
    pub fn render(&self, cloud: &Cloud, delivery: &Delivery) -> Command {
        let mut words = self.render_words(cloud, delivery);
        words.extend(["-o".to_owned(), self.file(cloud, delivery)]);
        (self.command)(words)
    }

    fn render_words(&self, cloud: &Cloud, delivery: &Delivery) -> Vec<String> {
        // For a cloud that uses a disk, nocloud is the default format.
        let form = cloud.seed == Seed::Disk && delivery.gzip;
        let form = if form { &["--format", "cloud-config"][..] } else { &[] };
        let gzip = delivery.gzip.then_some("--gzip");
        let base64 = delivery.base64.then_some("--base64");
        let words = ["render", &self.machine].into_iter().chain(form.iter().copied());
        words.chain(["--for", cloud.name]).chain(gzip).chain(base64).map(str::to_owned).collect()
    }

    /// How to create a VM with this delivery.
    pub fn create_vm(&self, cloud: &Cloud, delivery: &Delivery) -> Vec<String> {
        let (text, command) = self.paste(cloud, delivery);
        let mut lines = self.in_the_console(&text);
        lines.extend(command.map(|command| format!("  {command}")));
        let fill = |text| self.fill_with(text, cloud, delivery);
        lines.extend(self.or("on the command line", delivery.command.map(fill)));
        lines.extend(self.or("in Terraform, with its other arguments", delivery.terraform.map(fill)));
        lines
    }

    /// How to open the port.
    pub fn firewall(&self, cloud: &Cloud) -> Vec<String> {
        let mut lines = self.in_the_console(&self.fill(cloud.firewall.console));
        lines.extend(self.or("on the command line", cloud.firewall.command.map(|text| self.fill(text))));
        lines
    }

    fn in_the_console(&self, what: &str) -> Vec<String> {
        let text = prose(self.columns - INDENT, "in the console: ", "  ", what);
        text.lines().map(str::to_owned).collect()
    }

    fn or(&self, place: &str, code: Option<String>) -> Vec<String> {
        let Some(code) = code else { return Vec::new() };
        let code = self.code(&code).into_iter().map(|line| format!("  {line}"));
        iter::once(format!("or {place}:")).chain(code).collect()
    }

    /// Where to paste the file in the console, and what else to do there. With a command, its output is pasted instead.
    fn paste(&self, cloud: &Cloud, delivery: &Delivery) -> (String, Option<Command>) {
        let path = self.fill_with(cloud.console, cloud, delivery);
        let binary = delivery.gzip && !delivery.base64 && cloud.base64 == Base64::Envelope;
        match cloud.console_base64 {
            Some(besides) if binary => {
                let mut words = self.render_words(cloud, delivery);
                words.push("--base64".to_owned());
                (format!("{path}; {besides}, and paste the output of:"), Some((self.command)(words)))
            }
            None if binary => ("the console does not support compressed user-data".into(), None),
            Some(besides) if delivery.base64 => (format!("{path}; {besides}"), None),
            _ => (path, None),
        }
    }
}

fn prose(columns: usize, first: &str, next: &str, text: &str) -> String {
    let options = Options::new(columns).initial_indent(first).subsequent_indent(next);
    textwrap::fill(text, options.break_words(false).word_splitter(WordSplitter::NoHyphenation))
}

/// Returns whether every cloud accepts this name for a VM. Compute Engine is the strictest, with the labels of RFC 1035.
fn is_name_everywhere(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_some_cloud_refuses_is_left_to_the_user() {
        for good in ["web1", "a", "a-b"] {
            assert!(is_name_everywhere(good), "{good}");
        }
        for bad in ["1web", "Web1", "web1.example.com"] {
            assert!(!is_name_everywhere(bad), "{bad}");
        }
    }
}
