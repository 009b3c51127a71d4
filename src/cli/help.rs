//! Help texts of commands that follow their flags.

pub(super) const EXTERNAL: &str = "\
Terraform sends the query on standard input, one JSON object whose values are strings. Its keys are `name`, \
`addresses` and every option of `create` with `_` for `-` (`engine_label`, `key`, `docker_version`, …). A list has an \
item a line, or is `jsonencode([…])`. `for` names the target cloud and enforces its limit, `gzip = \"true\"` \
compresses the user-data, and `format` is cloud-config, script or ignition. Expired certificates are an error, unless \
`allow_expired` is `true`. With `create = \"false\"`, or with the machine's `fingerprint_authority`, the query never creates \
a machine: it fails if the store does not have it.

The answer has version, name, docker_host, cert_path, user_data, user_data_base64, fingerprint_authority, fingerprint_host, \
fingerprint_client and expiry. The machine is created by the first query and found by later ones, with the same \
answer. A query that differs from the machine, or lacks a field with which the machine was created, fails and names the \
fields. A query with no field but the name finds the machine whatever its settings are.";

pub(super) const APPLY: &str = "\
The whole file is checked before anything is written. A machine that is missing is created; one that differs gets the settings of the file, as with \
`update`: it keeps its CA, and gets new certificates only if the change needs them; one that is right stays byte for byte. The running hosts do not change.

Machines are written in batches. After an interruption, the same command makes the rest. `--prune` deletes machines that this fleet made and that are \
no longer in the file, and no others.

Exit status: 0 success, 1 failure, 2 wrong usage or an invalid file; then nothing was written.";

pub(super) const SWARM: &str = "\
Machines with `swarm: manager` or `swarm: worker` in the fleet file are its nodes; `swarm:` can also be a map with `role`, `advertise` (the \
address or network interface at which other nodes reach the host) and `labels`. `up` begins when Docker answers on all of them: the first \
manager makes the swarm, the others join it, roles and labels follow the file, and each node gets the label hostseed.machine. \
The same command goes on after an interruption. No node leaves: nodes that are not in the file stay, with a warning.

The nodes have to reach each other at TCP port 2377 (managers), TCP and UDP port 7946 and UDP port 4789. Autolock is not supported.

Exit status: 0 the swarm is as the file says, 3 (`status`) it is, and a certificate expires soon, 1 it is not, 2 wrong usage or an invalid file.";

pub(super) const CHECK: &str = "\
Exit status: 0 Docker answers on all machines, 3 it does, and a certificate expires soon, 1 it does not, 2 wrong usage. Soon is within 30 \
days, or within a third of the certificate's validity if that is less.";

pub(super) const WAIT_HELP: &str = "\
After `renew`, Docker has to answer with the new certificate.

Exit status: 0 Docker answers on all machines, also if a certificate expires soon, 1 it does not, 2 wrong usage.";

pub(super) const CONTEXT: &str = "\
The context is in DOCKER_CONFIG, which is ~/.docker by default. It has copies of the client certificate and key: run the command again \
after the machine's address or certificates have changed. A context of the same name that is not this machine's stays, unless \
`--force` is given.";

pub(super) const RENAME: &str = "\
The running host is not affected: its certificates and its console keep the old name. The user-data has the new name, so \
Terraform would replace the VM. Shells with the environment of the old name, docker contexts and other copies of the old folder's \
path have to be made again.";

pub(super) const UPDATE: &str = "\
An option that is given replaces the value that the machine has; one that is repeatable replaces all its values. `--unset OPTION` removes the values, or \
sets the default. A spec file has all options: those that it lacks get their defaults.

The machine keeps its CA and its client certificate. It gets a new server certificate only if its names change. The running host does not change \
until `renew --apply` brings the change to it, or the VM is replaced: `update` prints for each option which of them is needed. `renew` changes `key` and `valid-for`.";

pub(super) const RENEW: &str = "\
The machine's CA signs new certificates with new keys. Clients and hosts with the old certificates work with the new ones until the old \
ones expire, because the CA stays. Replace the VM with the new user-data. The old files stay in the folder `previous` of the machine until \
`check` or `wait` finds the new certificate on the host. With `--apply` the running host gets them at once: it restarts Docker with them, and puts the \
old ones back if Docker does not answer. If a machine has new certificates that no host has presented yet, `--apply` makes no others.

With `--authority --apply --yes` each run does the next of three steps: the host and the clients trust both CAs, the host gets a certificate of the \
new CA, all trust only the new CA. Nobody loses access if every other client gets new files between the first step and the second; each run \
prints the commands for that. Until the end `renew` and `update` are refused.

A client certificate that was lost or leaked works until it expires or the last step is done, so replace the CA at once: \
`hostseed renew --authority --apply --yes --at-once NAME`. All other clients lose access then. \
If several machines have the CA and one of their hosts is down, the others go on without it; `renew --apply` brings it the new files later. \
With `--authority` and without `--apply` the running host does not trust the new CA, so it is out of reach until the VM is replaced, except with the previous files. All \
machines with one shared CA must be named. For a CA in a folder of yours (`--ca DIR`), first put the new CA into that folder.";

pub(super) const COMPLETIONS: &str = "For zsh, put ~/.zfunc into $fpath before compinit.";

pub(super) const EXPORT: &str = "\
Without `--client` or `--client-only` the file has the whole machine: its settings, certificates and keys, its own CA with its key, and its \
clients. The key of a CA that signs for other machines is in it only with `--ca-key`. With `--passphrase` the file is a text that \
`age --decrypt` reads too.

With `--format` NAME is a fleet: its name, or its file, whose machines `apply` has made. `terraform-json` is a file for the folder of a Terraform \
configuration, which defines local.hostseed_FLEET for `for_each`; `json` is the same map, and `csv` has a line for each machine.";

pub(super) const CREATE_USAGE: &str = "\
hostseed create [OPTIONS] <NAME>
       hostseed create [OPTIONS] --file <SPEC>";

pub(super) const UPDATE_USAGE: &str = "\
hostseed update [OPTIONS] <NAME>
       hostseed update [OPTIONS] --file <SPEC>";

pub(super) const IMPORT_USAGE: &str = "\
hostseed import [OPTIONS] FILE
       hostseed import [OPTIONS] --docker-machine[=DIR] [NAME]...";

pub(super) const IMPORT: &str = "\
FILE is recognised by its content: plain, encrypted with a passphrase, or base64 of either. A machine that is here with the same files stays as it is. One of which only a client certificate is here is \
replaced with `--force`, and any other never.

With a client certificate only, all commands work but `client`, `external`, `render`, `renew`, `update` and `export` of the whole machine.

With `--docker-machine`: in Docker Machine's own store nothing is copied: each machine gets the files that hostseed adds. From another store the machine's keys, \
certificates and settings are copied, and the CA's key, but no disks. Docker Machine's commands keep working on both. \
A machine that cannot be taken over hides no other; then the exit status is 1.";

pub(super) const SCHEMA: &str = "\
Write it next to your spec files with
hostseed schema > hostseed.schema.json
and begin each spec file with the line
# yaml-language-server: $schema=hostseed.schema.json
For fleet files it is `hostseed schema fleet`.";
