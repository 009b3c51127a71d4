# shellcheck shell=bash
# Whatever stands beside the expected key in a repository's answer, Debian 12's dnf installs nothing that another key signed.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../repository.sh
. "$tests/repository.sh"

check_dnf bookworm
