# shellcheck shell=bash
# Where rules of iptables reject the port, as on Oracle's Ubuntu images, the console has the rule that lets clients connect to a
# Debian 12.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

lay_network
create_machine web1 --docker distro

copy_root bookworm web1
check 'the package lists are fetched' in_chroot apt-get -q update
check 'iptables is installed' in_chroot env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install iptables
mkdir -p "$root/etc/iptables"
cat >"$root/etc/iptables/rules.v4" <<'RULES'
*filter
:INPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p udp --sport 123 -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
RULES
cat >"$root/etc/systemd/system/rules.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Before=network-pre.target
[Service]
Type=oneshot
ExecStart=iptables-restore /etc/iptables/rules.v4
UNIT
mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
ln -s ../rules.service "$root/etc/systemd/system/sysinit.target.wants/rules.service"
give_seed "$work/store/machines/web1/user-data"
boot
wait_for 300 'status.json says ready' status_is ready
wait_for_cloud_init
check_console web1
check_not 'nobody outside can connect' answers_tcp "$address" 2376
rule=$(sed -n 's/.*WARNING: .* Add: \(iptables .*\) (and in .*/\1/p' "$console" | tr -d '\r')
check_same 'the console has the rule' 'iptables -I INPUT -p tcp --dport 2376 -j ACCEPT' "$rule"
check 'and the file that keeps the rules' console_has 'WARNING: .*\(and in /etc/iptables/rules\.v4\)'
check 'the rule is added' on_host sh -c "$rule"
wait_for_answer web1
check 'docker version answers' with_env web1 docker version
check 'setup runs again' on_host /usr/local/lib/hostseed/setup
check_same 'without another warning' 1 "$(grep -c WARNING "$console")"
