# shellcheck shell=bash
# Whatever stands beside the expected key in a repository's answer, the dnf of Debian 13 installs nothing that another key signed. Its
# rpm reads keys with Sequoia.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../repository.sh
. "$tests/repository.sh"

check_dnf trixie
