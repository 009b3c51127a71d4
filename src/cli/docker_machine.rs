//! Tips for users who type a command or a flag of Docker Machine that hostseed does not have.

use clap::error::{ContextKind, ContextValue};

use crate::clouds::Cloud;
use crate::names::Address;

const NO_DRIVERS: &str = "hostseed creates no VMs: `hostseed create NAME --for CLOUD` makes the user-data and shows how to create the VM with it";
const NO_SSH: &str = "hostseed uses no SSH: the host sets itself up from its user-data";
const NO_VM: &str = "hostseed does not control VMs: use your cloud's console or command line";
const NO_SWARM: &str = "Docker's old standalone Swarm has ended: `hostseed swarm up FLEET` forms a swarm of Docker's swarm mode from a fleet file with `swarm:`";
const NO_LOGIN: &str = "hostseed uses no SSH: `docker`, after `hostseed env`, runs commands in containers; for a shell on the host use your cloud's console";
const NO_COPY: &str = "hostseed uses no SSH: `docker cp` and volumes, after `hostseed env`, bring files to the host, or a `--part` of `hostseed render --format mime`";
const NO_TEMPLATE: &str = "hostseed has no templates: `--json` prints JSON for programs such as jq";
const CA_FOLDER: &str =
    "use `hostseed create NAME --ca DIR` with a folder that contains `ca.pem` and `ca-key.pem`";
const OWN_CLIENT: &str = "`create` makes the client certificate, and `hostseed client` makes further ones";

/// Commands of Docker Machine (docker/machine 0.16.2, `commands/commands.go`), each with what to do instead.
const COMMANDS: [(&str, &str); 11] = [
    ("active", "`hostseed ls` marks the active machine, and `echo $DOCKER_MACHINE_NAME` prints it"),
    ("kill", NO_VM),
    ("mount", NO_COPY),
    ("provision", "`hostseed update NAME` changes the options, and says how the host gets them"),
    (
        "regenerate-certs",
        "`hostseed renew NAME --apply` makes new certificates and puts them on the running host",
    ),
    ("restart", NO_VM),
    ("scp", NO_COPY),
    ("ssh", NO_LOGIN),
    ("start", NO_VM),
    ("stop", NO_VM),
    (
        "upgrade",
        "Docker's own packages do it, with the host's package manager; or use `hostseed update NAME --docker-version VERSION` and replace the VM",
    ),
];

/// Flags of Docker Machine and its drivers, each with the command that has it (empty for all) and with what to do instead. A flag that
/// ends with `-` stands for all flags that begin with it. The flags of a command come before those of all.
const FLAGS: [(&str, &str, &str); 40] = [
    ("create", "-d", NO_DRIVERS),
    ("rm", "-d", "hostseed deletes no VMs: delete the VM in your cloud's console"),
    ("inspect", "-f", NO_TEMPLATE),
    ("inspect", "--format", NO_TEMPLATE),
    ("ls", "-f", NO_TEMPLATE),
    ("ls", "--format", NO_TEMPLATE),
    (
        "ls",
        "--filter",
        "choose machines with other programs: `hostseed ls -q | grep WORD`, or jq after `hostseed ls --json`",
    ),
    ("ls", "-t", "`hostseed ls` connects to no machine, so it needs no timeout"),
    ("ls", "--timeout", "`hostseed ls` connects to no machine, so it needs no timeout"),
    (
        "",
        "-D",
        "hostseed has no debug output: its errors are complete, and the host logs to /var/log/hostseed.log",
    ),
    (
        "",
        "--debug",
        "hostseed has no debug output: its errors are complete, and the host logs to /var/log/hostseed.log",
    ),
    ("", "--github-api-token", "hostseed downloads nothing from GitHub"),
    ("", "--bugsnag-api-token", "hostseed sends no reports"),
    ("", "--driver", NO_DRIVERS),
    ("", "--generic-ip-address", "use `--address IP`"),
    ("", "--generic-engine-port", "use `--port PORT`"),
    ("", "--generic-", NO_SSH),
    ("", "--url", "use `--address IP`, and `--port PORT` for another port than 2376"),
    ("", "--native-ssh", NO_SSH),
    ("", "--swarm", NO_SWARM),
    ("", "--swarm-", NO_SWARM),
    ("", "--tls-ca-cert", CA_FOLDER),
    ("", "--tls-ca-key", CA_FOLDER),
    ("", "--tls-client-cert", OWN_CLIENT),
    ("", "--tls-client-key", OWN_CLIENT),
    ("", "--amazonec2-", NO_DRIVERS),
    ("", "--azure-", NO_DRIVERS),
    ("", "--digitalocean-", NO_DRIVERS),
    ("", "--exoscale-", NO_DRIVERS),
    ("", "--google-", NO_DRIVERS),
    ("", "--hyperv-", NO_DRIVERS),
    ("", "--kvm-", NO_DRIVERS),
    ("", "--openstack-", NO_DRIVERS),
    ("", "--rackspace-", NO_DRIVERS),
    ("", "--softlayer-", NO_DRIVERS),
    ("", "--virtualbox-", NO_DRIVERS),
    ("", "--vmwarefusion-", NO_DRIVERS),
    ("", "--vmwarevcloudair-", NO_DRIVERS),
    ("", "--vmwarevsphere-", NO_DRIVERS),
    ("", "--xhyve-", NO_DRIVERS),
];

/// The tip for a flag, or for an address, that `command` does not accept.
fn of_flag(typed: &str, command: Option<&str>) -> Option<&'static str> {
    // Other tools take the host's address as an argument.
    if command == Some("create") && Address::parse(typed).is_ok() {
        return Some("give the VM's address as an option: `hostseed create NAME --address ADDRESS`");
    }
    let typed = typed.split_once('=').map_or(typed, |(flag, _)| flag);
    let matches = |flag: &str| flag == typed || flag.ends_with('-') && typed.starts_with(flag);
    let found = FLAGS.iter().find(|(of, flag, _)| (of.is_empty() || Some(*of) == command) && matches(flag));
    // Drivers that are programs of their own have the name of their cloud.
    let is_driver = || typed.strip_prefix("--")?.split_once('-').and_then(|(cloud, _)| Cloud::named(cloud));
    found.map(|(_, _, tip)| *tip).or_else(|| is_driver().map(|_| NO_DRIVERS))
}

/// Adds a tip to an error about a command, or about a flag of `command`, that Docker Machine has and hostseed has not.
pub fn with_tip(mut error: clap::Error, command: Option<&str>) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let of_command = |typed: &str| COMMANDS.iter().find(|(name, _)| *name == typed).map(|(_, tip)| *tip);
    let tip = text(ContextKind::InvalidSubcommand)
        .and_then(of_command)
        .or_else(|| text(ContextKind::InvalidArg).and_then(|typed| of_flag(typed, command)));
    if let Some(tip) = tip {
        for suggestion in
            [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
        {
            error.remove(suggestion);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    /// All commands of Docker Machine.
    const ALL: [&str; 22] = [
        "active",
        "config",
        "create",
        "env",
        "help",
        "inspect",
        "ip",
        "kill",
        "ls",
        "mount",
        "provision",
        "regenerate-certs",
        "restart",
        "rm",
        "scp",
        "ssh",
        "start",
        "status",
        "stop",
        "upgrade",
        "url",
        "version",
    ];

    /// The texts in backquotes.
    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        text.split('`').skip(1).step_by(2)
    }

    /// The commands of hostseed that a text names.
    fn named(text: &str) -> BTreeSet<&str> {
        quoted(text).filter_map(|words| words.strip_prefix("hostseed ")?.split(' ').next()).collect()
    }

    /// Each row of the README's comparison: the commands of Docker Machine, and what does the same here.
    fn rows() -> Vec<(Vec<&'static str>, &'static str)> {
        let readme = include_str!("../../README.md");
        let (_, table) = readme.split_once("| Docker Machine | hostseed |").unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let cells = |row: &'static str| {
            let mut cells = row.trim_matches('|').splitn(2, '|');
            (quoted(cells.next().unwrap()).collect(), cells.next().unwrap())
        };
        rows.map(cells).collect()
    }

    #[test]
    fn the_readme_compares_each_command_once() {
        let mut compared: Vec<_> = rows().into_iter().flat_map(|(commands, _)| commands).collect();
        compared.sort_unstable();
        assert_eq!(compared, ALL);
    }

    #[test]
    fn the_readme_says_what_the_tips_say() {
        let mut own = Cli::command();
        own.build();
        for (commands, text) in rows() {
            for command in commands {
                match (own.find_subcommand(command), COMMANDS.iter().find(|(name, _)| *name == command)) {
                    // `status` is a name of `check`.
                    (Some(same), None) => assert!(named(text).contains(same.get_name()), "{command}: {text}"),
                    (None, Some((_, tip))) => {
                        // A tip names more commands where it tells how to go on.
                        let missing: Vec<_> =
                            named(text).into_iter().filter(|name| !named(tip).contains(name)).collect();
                        assert!(missing.is_empty(), "{command}: the tip lacks {missing:?}");
                        assert_eq!(named(text).is_empty(), is_impossible(tip), "{command}: {tip}");
                    }
                    (own, tip) => panic!("{command}: {:?}, {tip:?}", own.map(clap::Command::get_name)),
                }
            }
        }
    }

    /// Returns whether a tip names no command that does the same.
    fn is_impossible(tip: &str) -> bool {
        [NO_VM, NO_LOGIN].contains(&tip) || named(tip).is_empty()
    }
}
