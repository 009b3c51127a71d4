# shellcheck shell=bash
# Whatever stands beside the expected key in a repository's answer, the apt of Debian 12 installs nothing that another key signed.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../repository.sh
. "$tests/repository.sh"

lay_network
keys=$work/keys
"$tests/repository-keys" "$keys"
repository_for_apt bookworm
serve_answers apt debian D D-with-subkey E F G
host_root=$(kept_root apt_host bookworm)
check_answers
