//! Rule: beside hostseed's `setup`, nothing adds Docker's repository to apt with another key. apt refuses to read its sources if two
//! entries of a repository name different keys (apt, sources.list(5), `Signed-By`).

use crate::diag::{Code, Diagnostic};
use crate::userdata::budget::Budget;
use crate::userdata::content_type::Kind;
use crate::userdata::problems::{Lines, Problems};
use crate::userdata::seed::Part;
use crate::userdata::setup::Setup;

/// Where `setup` puts the key, see `install_official`.
const KEY: &str = "/etc/apt/keyrings/docker.asc";

/// The distributions for which Docker has a repository for apt, see `read_distribution` in `setup`.
const DISTRIBUTIONS: [&str; 3] = ["debian", "ubuntu", "raspbian"];

/// Checks the parts of a seed with `setup`.
pub fn check(parts: &[Part], setup: Option<&Setup>, budget: &Budget, problems: &mut Problems) {
    let Some(mirror) = setup.and_then(|setup| setup.repository.as_ref()) else { return };
    let is_run =
        |part: &&Part| matches!(part.kind, Kind::CloudConfig | Kind::Script | Kind::Boothook | Kind::Jinja);
    for part in parts.iter().filter(is_run).filter(|part| budget.take(part.bytes.len())) {
        let text = String::from_utf8_lossy(&part.bytes);
        let lines = Lines::new(&part.bytes);
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            if adds_repository(line, mirror, &text) {
                let problem = Diagnostic::warning(
                    Code::RepositoryTwice,
                    format!(
                        "adds Docker's repository, as `setup` does with the key `{KEY}`: if the keys differ, apt refuses both entries and installs nothing more"
                    ),
                );
                let hint =
                    format!("remove this entry, or add `signed-by={KEY}` to it; or use `--docker distro`");
                problems.add(&part.place.at(Some(lines.position(offset))), problem.hint(hint));
            }
            offset += line.len();
        }
    }
}

/// Returns whether a line adds the repository to apt with another key: `deb […] URL …`, or `URIs: URL` of a deb822 entry.
fn adds_repository(line: &str, mirror: &str, text: &str) -> bool {
    let Some((before, after)) = line.split_once(mirror) else { return false };
    let Some(after) = after.strip_prefix("/linux/") else { return false };
    let is_for_apt = DISTRIBUTIONS.iter().any(|name| after.starts_with(name)) || after.starts_with('$');
    let one_line = before.rsplit_once("deb ").is_some_and(|(_, options)| !options.contains(KEY));
    let deb822 = before.trim_start().ends_with("URIs: ") && !text.contains(KEY);
    is_for_apt && !line.trim_start().starts_with('#') && (one_line || deb822)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_with_another_key_is_found_in_each_form() {
        let mirror = "https://download.docker.com";
        let adds = |line: &str| adds_repository(line, mirror, line);
        for line in [
            "deb https://download.docker.com/linux/ubuntu noble stable",
            "- echo \"deb [signed-by=/usr/share/keyrings/docker.gpg] https://download.docker.com/linux/debian bookworm stable\" >/x",
            "      source: deb [arch=amd64 signed-by=$KEY_FILE] https://download.docker.com/linux/ubuntu $RELEASE stable",
            "    URIs: https://download.docker.com/linux/ubuntu",
            "add-apt-repository 'deb [arch=amd64] https://download.docker.com/linux/ubuntu jammy stable'",
            "echo deb https://download.docker.com/linux/$ID bookworm stable",
        ] {
            assert!(adds(line), "{line}");
        }
        for line in [
            "# deb https://download.docker.com/linux/ubuntu noble stable",
            "- curl -fsSL https://download.docker.com/linux/ubuntu/gpg -o /etc/apt/keyrings/docker.asc",
            "deb [signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/ubuntu noble stable",
            "baseurl=https://download.docker.com/linux/centos/9/x86_64/stable",
            "deb https://mirror.example/linux/ubuntu noble stable",
            "deb https://download.docker.com/other noble stable",
        ] {
            assert!(!adds(line), "{line}");
        }
    }
}
