# shellcheck shell=bash
# Where rules of iptables reject the port, as on Oracle's Ubuntu images, the console has the rule that lets clients connect to a
# Debian 12.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../rejects.sh
. "$tests/rejects.sh"

boot_image_that_rejects iptables
check_warning 'iptables -I INPUT -p tcp --dport 2376 -j ACCEPT' /etc/iptables/rules.v4
