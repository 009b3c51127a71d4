//! Tips for users who type a command or a flag of Docker Machine that hostseed does not have.

use clap::error::{ContextKind, ContextValue};

const NO_DRIVERS: &str = "hostseed creates no VMs: `hostseed create NAME --for CLOUD` makes the user-data and shows how to create the VM with it";
const NO_SSH: &str = "hostseed uses no SSH: the host sets itself up from its user-data";
const NO_VM: &str = "hostseed does not control VMs: use your cloud's console or command line";
const NO_SWARM: &str = "hostseed does not set up Swarm: run `docker swarm init` on the machine";

/// Commands of Docker Machine (docker/machine 0.16.2, `commands/commands.go`), each with what to do instead.
const COMMANDS: [(&str, &str); 11] = [
    ("active", "`echo $DOCKER_MACHINE_NAME` prints the active machine"),
    ("kill", NO_VM),
    ("mount", NO_SSH),
    ("provision", "change the options with `hostseed create`, and replace the VM"),
    ("regenerate-certs", "remove the machine with `hostseed rm`, create it again, and replace the VM"),
    ("restart", NO_VM),
    ("scp", NO_SSH),
    ("ssh", NO_SSH),
    ("start", NO_VM),
    ("stop", NO_VM),
    ("upgrade", "the host's package manager upgrades Docker; or create the machine again and replace the VM"),
];

/// Flags of `docker-machine create`, each with what to do instead. A name that ends with `-` stands for all flags that begin with it.
const FLAGS: [(&str, &str); 25] = [
    ("-d", NO_DRIVERS),
    ("--driver", NO_DRIVERS),
    ("--generic-ip-address", "use `--address IP`"),
    ("--generic-engine-port", "use `--port PORT`"),
    ("--generic-", NO_SSH),
    ("--url", "use `--address IP`, and `--port PORT` for another port than 2376"),
    ("--native-ssh", NO_SSH),
    ("--swarm", NO_SWARM),
    ("--swarm-", NO_SWARM),
    ("--tls-ca-cert", "use `--ca DIR` with a folder that contains `ca.pem` and `ca-key.pem`"),
    ("--tls-ca-key", "use `--ca DIR` with a folder that contains `ca.pem` and `ca-key.pem`"),
    ("--tls-client-cert", "`create` makes the client certificate"),
    ("--tls-client-key", "`create` makes the client certificate"),
    ("--amazonec2-", NO_DRIVERS),
    ("--azure-", NO_DRIVERS),
    ("--digitalocean-", NO_DRIVERS),
    ("--exoscale-", NO_DRIVERS),
    ("--google-", NO_DRIVERS),
    ("--hyperv-", NO_DRIVERS),
    ("--openstack-", NO_DRIVERS),
    ("--rackspace-", NO_DRIVERS),
    ("--softlayer-", NO_DRIVERS),
    ("--virtualbox-", NO_DRIVERS),
    ("--vmwarefusion-", NO_DRIVERS),
    ("--vmwarevsphere-", NO_DRIVERS),
];

/// Adds a tip to an error about a command or a flag that Docker Machine has and hostseed has not.
pub fn with_tip(mut error: clap::Error) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let command = text(ContextKind::InvalidSubcommand)
        .and_then(|typed| COMMANDS.iter().find(|(command, _)| *command == typed));
    let flag = text(ContextKind::InvalidArg).and_then(|typed| {
        let typed = typed.split_once('=').map_or(typed, |(flag, _)| flag);
        let matches = |flag: &str| flag == typed || flag.ends_with('-') && typed.starts_with(flag);
        FLAGS.iter().find(|(flag, _)| matches(flag))
    });
    if let Some((_, tip)) = command.or(flag) {
        for suggestion in
            [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
        {
            error.remove(suggestion);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![(*tip).into()]));
    }
    error
}
