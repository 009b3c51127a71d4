# shellcheck shell=bash
# Where a ruleset of nftables rejects the port, the console has the rule that lets clients connect to a Debian 12.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../rejects.sh
. "$tests/rejects.sh"

boot_image_that_rejects nftables
check_warning 'nft insert rule inet own incoming tcp dport 2376 accept' /etc/nftables.conf
