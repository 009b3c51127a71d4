# shellcheck shell=bash
# With --open-firewall, clients connect to a Debian 12 whose rules of iptables reject the port, also after a reboot.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../rejects.sh
. "$tests/rejects.sh"

boot_image_that_rejects iptables --open-firewall
check_opened '-A INPUT -p tcp --dport 2376 -j ACCEPT' /etc/iptables/rules.v4
