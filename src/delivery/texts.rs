//! The instructions of a cloud with a machine's name and port filled in.

use std::fmt::Arguments;
use std::iter;

use textwrap::{Options, WordSplitter};

use crate::clouds::{Base64, Cloud, Delivery, Seed};
use crate::plan::Plan;

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
    command: &'a dyn Fn(Arguments) -> String,
}

impl<'a> Texts<'a> {
    /// The texts for a machine. Prose is as wide as `columns`.
    pub fn of(plan: &Plan, columns: usize, command: &'a dyn Fn(Arguments) -> String) -> Self {
        let machine = plan.name.to_string();
        let vm = if is_name_everywhere(&machine) { machine.clone() } else { "NAME".into() };
        Self { machine, vm, port: plan.host.port, columns, command }
    }

    /// The texts with placeholders for the name.
    pub fn of_any(port: u16, columns: usize, command: &'a dyn Fn(Arguments) -> String) -> Self {
        Self { machine: "NAME".into(), vm: "NAME".into(), port, columns, command }
    }

    /// A text with the values in it. Both are plain words to a shell and to Terraform.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{name}", &self.vm).replace("{port}", &self.port.to_string())
    }

    /// The lines of a command or of a Terraform configuration, for copying.
    pub fn code(&self, text: &str) -> Vec<String> {
        self.fill(text).lines().map(str::to_owned).collect()
    }

    /// Prose in lines, `first` before the first and `next` before the others. Words are left whole.
    pub fn prose(&self, first: &str, next: &str, text: &str) -> String {
        prose(self.columns, first, next, text)
    }

    /// The command that writes the file for a delivery.
    pub fn render(&self, cloud: &Cloud, delivery: &Delivery) -> String {
        (self.command)(format_args!("{} -o {}", self.render_words(cloud, delivery), cloud.file(delivery)))
    }

    fn render_words(&self, cloud: &Cloud, delivery: &Delivery) -> String {
        // For a cloud that uses a disk, nocloud is the default format.
        let form = if cloud.seed == Seed::Disk && delivery.gzip { " --format cloud-config" } else { "" };
        let gzip = if delivery.gzip { " --gzip" } else { "" };
        let base64 = if delivery.base64 { " --base64" } else { "" };
        format!("render {}{form} --for {}{gzip}{base64}", self.machine, cloud.name)
    }

    /// How to create a VM with this delivery.
    pub fn create_vm(&self, cloud: &Cloud, delivery: &Delivery) -> Vec<String> {
        let mut lines = self.in_the_console(&self.paste(cloud, delivery));
        lines.extend(self.or("on the command line", delivery.command));
        lines.extend(self.or("in Terraform, with its other arguments", delivery.terraform));
        lines
    }

    /// How to open the port.
    pub fn firewall(&self, cloud: &Cloud) -> Vec<String> {
        let mut lines = self.in_the_console(&self.fill(cloud.firewall.console));
        lines.extend(self.or("on the command line", cloud.firewall.command));
        lines
    }

    fn in_the_console(&self, what: &str) -> Vec<String> {
        let text = prose(self.columns - INDENT, "in the console: ", "  ", what);
        text.lines().map(str::to_owned).collect()
    }

    fn or(&self, place: &str, code: Option<&str>) -> Vec<String> {
        let Some(code) = code else { return Vec::new() };
        let code = self.code(code).into_iter().map(|line| format!("  {line}"));
        iter::once(format!("or {place}:")).chain(code).collect()
    }

    /// Where to paste the file in the console, and what else to do there.
    fn paste(&self, cloud: &Cloud, delivery: &Delivery) -> String {
        let path = self.fill(cloud.console);
        let binary = delivery.gzip && !delivery.base64 && cloud.base64 == Base64::Envelope;
        match cloud.console_base64 {
            Some(besides) if binary => {
                let text = (self.command)(format_args!("{} --base64", self.render_words(cloud, delivery)));
                format!("{path}; paste the output of `{text}`, and {besides}")
            }
            None if binary => "the console does not support compressed user-data".into(),
            Some(besides) if delivery.base64 => format!("{path}; {besides}"),
            _ => path,
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
