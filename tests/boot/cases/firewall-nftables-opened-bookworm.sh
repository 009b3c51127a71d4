# shellcheck shell=bash
# With --open-firewall, clients connect to a Debian 12 whose nftables ruleset rejects the port, also after a reboot.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../rejects.sh
. "$tests/rejects.sh"

boot_image_that_rejects nftables --open-firewall
check_opened 'insert rule inet own incoming tcp dport 2376 accept' /etc/nftables.conf
