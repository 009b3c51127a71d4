//! Examples in the help of each command. A test parses each of them.

use clap::Command;

/// Each command with its examples: commands that can be pasted, with `create` first.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "create",
        &[
            "hostseed create web1 --address 203.0.113.7",
            "hostseed create web2 --for aws --engine-label role=web",
            "hostseed create -f web3.yaml --if-missing",
            "hostseed create web4 --address web4.example.com --dry-run",
        ],
    ),
    ("init", &["hostseed init", "hostseed init spec -o web2.yaml"]),
    (
        "apply",
        &[
            "hostseed apply fleet.yaml --dry-run",
            "hostseed apply fleet.yaml --prune --yes",
            "hostseed apply fleet.yaml --json | jq .create",
        ],
    ),
    (
        "swarm",
        &[
            "hostseed swarm up fleet.yaml --dry-run",
            "hostseed swarm up fleet.yaml --wait=10m",
            "hostseed swarm status fleet.yaml",
            "hostseed swarm status fleet.yaml --json | jq '.nodes[].state'",
        ],
    ),
    (
        "render",
        &[
            "hostseed render web1 -o web1.user-data",
            "hostseed render web1 --copy",
            "hostseed render web1 --for aws --gzip -o web1.user-data.gz",
            "hostseed render web1 --format mime --part tools.yaml --part after.sh -o web1.user-data",
            "hostseed render web1 --format nocloud --out web1.img",
        ],
    ),
    (
        "bake",
        &["hostseed bake --engine-label image=base -o bake.sh", "hostseed bake --format packer --out image"],
    ),
    ("clouds", &["hostseed clouds", "hostseed clouds hetzner"]),
    ("verify", &["hostseed verify user-data --for aws", "terraform show -json | hostseed verify - --strict"]),
    (
        "check",
        &[
            "hostseed check web1 web2",
            "hostseed check web1 --wait=5m",
            "hostseed check web1 --json | jq '.[].up'",
        ],
    ),
    ("wait", &["hostseed wait web1", "hostseed wait web1 web2 --timeout 5m"]),
    (
        "external",
        &[
            "echo '{\"name\": \"web1\", \"addresses\": \"203.0.113.7\"}' | hostseed external | jq .docker_host",
        ],
    ),
    (
        "env",
        &[
            "eval \"$(hostseed env web1)\"",
            "hostseed env web1 --shell fish | source",
            "eval \"$(hostseed env --unset)\"",
        ],
    ),
    (
        "context",
        &[
            "hostseed context web1 --use",
            "hostseed context web1 --out web1.tar",
            "hostseed context web1 --remove",
        ],
    ),
    ("config", &["eval \"docker $(hostseed config web1 | tr '\\n' ' ') info\""]),
    ("ls", &["hostseed ls", "hostseed ls --expiring 30d", "hostseed ls --json | jq -r '.[].docker_host'"]),
    ("inspect", &["hostseed inspect web1", "hostseed inspect web1 --json | jq .options"]),
    ("url", &["hostseed url web1 web2"]),
    ("ip", &["hostseed ip web1 web2"]),
    ("address", &["hostseed address web2 203.0.113.8"]),
    (
        "update",
        &[
            "hostseed update web1 --engine-label role=db --unset engine-env",
            "hostseed update web1 --address 203.0.113.8 --dry-run",
            "hostseed update -f web1.yaml",
        ],
    ),
    (
        "renew",
        &[
            "hostseed renew web1",
            "hostseed renew web1 web2 --valid-for 1y --dry-run",
            "hostseed renew web1 --apply",
            "hostseed renew web1 --authority --apply",
            "hostseed renew web1 --authority --apply --yes",
            "hostseed renew web1 --authority --apply --yes --at-once",
            "hostseed renew web1 --undo",
        ],
    ),
    ("rename", &["hostseed rename web1 frontend"]),
    (
        "client",
        &[
            "hostseed client web1 --cn alice --valid-for 7d --out web1-alice",
            "hostseed client web1 --cn ci@example.com",
            "hostseed client web1 --cn alice --remove",
        ],
    ),
    ("clients", &["hostseed clients web1", "hostseed clients web1 --json | jq '.[].certificate.not_after'"]),
    ("rm", &["hostseed rm web1", "hostseed rm --yes web1 web2"]),
    (
        "export",
        &[
            "hostseed export web1 --passphrase -o web1.hostseed",
            "hostseed export web1 --client alice -o web1-alice.hostseed",
            "hostseed export web1 --client ci --base64",
            "hostseed export fleet.yaml --format terraform-json -o ci.tf.json",
        ],
    ),
    (
        "import",
        &[
            "hostseed import web1.hostseed",
            "echo \"$HOSTSEED_WEB1\" | hostseed import -",
            "hostseed import --docker-machine",
            "hostseed import --docker-machine web1 --dry-run",
            "hostseed import --docker-machine ~/old/.docker/machine web1 web2",
        ],
    ),
    ("explain", &["hostseed explain invalid-port"]),
    (
        "completions",
        &[
            "hostseed completions bash > ~/.local/share/bash-completion/completions/hostseed",
            "hostseed completions zsh > ~/.zfunc/_hostseed",
            "hostseed completions fish > ~/.config/fish/completions/hostseed.fish",
        ],
    ),
    ("terraform", &["hostseed terraform install", "hostseed terraform install ./providers"]),
    ("man", &["hostseed man | man -l -", "hostseed man ~/.local/share/man/man1"]),
    (
        "schema",
        &[
            "hostseed schema > hostseed.schema.json",
            "hostseed schema fleet > hostseed-fleet.schema.json",
            "hostseed schema machine",
        ],
    ),
    ("version", &["hostseed version"]),
];

/// Adds the examples to the end of each command's help.
pub fn add(mut command: Command) -> Command {
    for (name, examples) in EXAMPLES {
        command = command.mut_subcommand(name, |subcommand| {
            let word = if examples.len() == 1 { "Example" } else { "Examples" };
            let examples: String = examples.iter().map(|example| format!("\n  {example}")).collect();
            let before = subcommand.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
            subcommand.after_help(format!("{before}{word}:{examples}"))
        });
    }
    command
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::{CommandFactory, Parser};

    /// The words of each `hostseed` command in a line, without the shell around it.
    fn commands(line: &str) -> Vec<Vec<String>> {
        let begins = line
            .match_indices("hostseed ")
            .filter(|(at, _)| matches!(line[..*at].trim_end().chars().next_back(), None | Some('|' | '(')));
        let end = |rest: &str| rest.find([')', '|', '>']).unwrap_or(rest.len());
        begins.map(|(at, _)| shell_words::split(&line[at..at + end(&line[at..])]).unwrap()).collect()
    }

    #[test]
    fn each_command_has_examples_that_parse() {
        let names: Vec<_> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        let described: Vec<_> = EXAMPLES.iter().map(|(name, _)| *name).collect();
        assert_eq!(described, names);
        for &(name, examples) in EXAMPLES {
            for example in examples {
                let commands = commands(example);
                assert!(!commands.is_empty(), "{example}");
                for words in commands {
                    assert_eq!(words[1], name, "{example}");
                    Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{example}: {error}"));
                }
            }
        }
    }
}
