//! The next steps after a change of a machine's files, which its host does not have yet.

use crate::names::MachineName;
use crate::store::Store;

/// The kind of new files that a machine's host needs, by which they get to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewFiles {
    /// New certificates, for the running host or for a new VM.
    Certificates,
    /// Other options, for the running host or for a new VM.
    Options,
    /// Options that only a new VM can have.
    OptionsOfNewVm,
}

impl NewFiles {
    /// The steps that bring them to the host, with their commands.
    pub(super) fn bring_to_host(self, store: &Store, name: &MachineName) -> Vec<String> {
        let name = name.as_str();
        let file = format!("{name}.user-data");
        let command = |words: &[&str]| format!("   {}", store.command(words));
        let replace = "eplace the VM with new user-data (Terraform sees that it has changed):";
        let to_running = match self {
            Self::Certificates => Some("Bring them to the running host:"),
            Self::Options => Some("Bring the change to the running host, which restarts Docker:"),
            Self::OptionsOfNewVm => None,
        };
        let wait = match self {
            Self::Certificates => "Wait until Docker answers with the new certificate:",
            Self::Options | Self::OptionsOfNewVm => "Wait until Docker answers:",
        };
        let mut lines = match to_running {
            Some(to_running) => vec![
                format!("1. {to_running}"),
                command(&["renew", "--apply", name]),
                format!("   Or r{replace}"),
            ],
            None => vec![format!("1. R{replace}")],
        };
        lines.extend([
            command(&["render", name, "--force", "-o", &file]),
            format!("2. {wait}"),
            command(&["wait", name]),
        ]);
        lines
    }
}

/// Where the previous files are, and the command that puts them back.
pub(super) fn put_back(store: &Store, name: &MachineName) -> [String; 2] {
    [
        format!("Until then the old files stay in {}. To put them back:", store.previous_dir(name).display()),
        format!("   {}", store.command(["renew", "--undo", name.as_str()])),
    ]
}
