# shellcheck shell=bash
# Whatever stands beside the expected key in a repository's answer, the apt of Debian 13 installs nothing that another key signed.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../repository.sh
. "$tests/repository.sh"

check_apt trixie
