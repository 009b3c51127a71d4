//! A cloud's texts with a machine's values in them, for people.

use std::fmt::Arguments;
use std::iter;

use textwrap::{Options, WordSplitter};

use crate::plan::{Base64, Cloud, Plan, Seed, Way};

/// How far the lines of a step are indented, or of a section.
const INDENT: usize = 5;

/// Puts a machine's name and port into a cloud's texts.
pub struct Texts<'a> {
    /// As it stands after `hostseed render`.
    machine: String,
    /// What the VM is called.
    vm: String,
    port: u16,
    columns: usize,
    /// A command of hostseed's, for the user to type.
    command: &'a dyn Fn(Arguments) -> String,
}

impl<'a> Texts<'a> {
    /// The texts for a machine. Prose is as wide as `columns`.
    pub fn of(plan: &Plan, columns: usize, command: &'a dyn Fn(Arguments) -> String) -> Self {
        let machine = plan.name.to_string();
        let vm = if is_name_everywhere(&machine) { machine.clone() } else { "NAME".into() };
        Self { machine, vm, port: plan.host.port, columns, command }
    }

    /// The texts for a machine that is yet to be named.
    pub fn of_any(port: u16, columns: usize, command: &'a dyn Fn(Arguments) -> String) -> Self {
        Self { machine: "NAME".into(), vm: "NAME".into(), port, columns, command }
    }

    /// A text with the values in it. Both are plain words to a shell and to Terraform.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{name}", &self.vm).replace("{port}", &self.port.to_string())
    }

    /// The lines of a command, or of Terraform's language, as they are to be copied.
    pub fn code(&self, text: &str) -> Vec<String> {
        self.fill(text).lines().map(str::to_owned).collect()
    }

    /// Prose in lines, `first` before the first and `next` before the others. Words are left whole.
    pub fn prose(&self, first: &str, next: &str, text: &str) -> String {
        prose(self.columns, first, next, text)
    }

    /// What makes the file that a way needs.
    pub fn render(&self, cloud: &Cloud, way: &Way) -> String {
        (self.command)(format_args!("{} -o {}", self.render_words(cloud, way), cloud.file(way)))
    }

    fn render_words(&self, cloud: &Cloud, way: &Way) -> String {
        // For a place that takes a disk, that is the usual form.
        let form = if cloud.seed == Seed::Disk && way.gzip { " --format cloud-config" } else { "" };
        let gzip = if way.gzip { " --gzip" } else { "" };
        let base64 = if way.base64 { " --base64" } else { "" };
        format!("render {}{form} --for {}{gzip}{base64}", self.machine, cloud.name)
    }

    /// How a VM is made in a way.
    pub fn way(&self, cloud: &Cloud, way: &Way) -> Vec<String> {
        let mut lines = self.in_the_console(&self.paste(cloud, way));
        lines.extend(self.or("on the command line", way.command));
        lines.extend(self.or("in Terraform, among its other arguments", way.terraform));
        lines
    }

    /// How the port is opened.
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

    /// Where the file's text goes in the console, and what is to be done besides.
    fn paste(&self, cloud: &Cloud, way: &Way) -> String {
        let path = self.fill(cloud.console);
        let binary = way.gzip && !way.base64 && cloud.base64 == Base64::Envelope;
        match cloud.console_base64 {
            Some(besides) if binary => {
                let text = (self.command)(format_args!("{} --base64", self.render_words(cloud, way)));
                format!("{path}; paste what `{text}` prints, and {besides}")
            }
            None if binary => "it takes no compressed user-data".into(),
            Some(besides) if way.base64 => format!("{path}; {besides}"),
            _ => path,
        }
    }
}

fn prose(columns: usize, first: &str, next: &str, text: &str) -> String {
    let options = Options::new(columns).initial_indent(first).subsequent_indent(next);
    textwrap::fill(text, options.break_words(false).word_splitter(WordSplitter::NoHyphenation))
}

/// Whether every cloud lets a VM be called so: Compute Engine is the strictest, with RFC 1035's labels.
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
