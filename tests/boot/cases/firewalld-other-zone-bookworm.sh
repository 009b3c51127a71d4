# shellcheck shell=bash
# With firewalld and the interface in another zone than the default one, Docker is reachable on Debian 12, also after a reboot.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

# has_port OPTION…: whether firewalld opens the port there.
has_port() { on_host firewall-cmd "$@" --query-port=2376/tcp; }

lay_network
create_machine web1 --docker distro

copy_root bookworm web1
install_in_root firewalld
check 'the interface is in the zone external' in_chroot firewall-offline-cmd --zone=external --add-interface=host0
give_seed "$work/store/machines/web1/user-data"
boot
wait_for 60 'firewalld runs' on_host firewall-cmd --state
wait_for_answer web1
wait_for_cloud_init
check_cloud_init
check_console web1
check_same 'the zone of the interface is external' external "$(on_host firewall-cmd --get-zone-of-interface=host0)"
check_same 'the default zone is another one' public "$(on_host firewall-cmd --get-default-zone)"
for zone in external public; do
    check "the port is open in $zone" has_port --zone="$zone"
    check "and stays open in $zone" has_port --zone="$zone" --permanent
done
check_not 'another port is closed' answers_tcp "$address" 2375
check_not 'the console has no warning about the firewall' console_has WARNING
check 'docker version answers' with_env web1 docker version
check_after_reboot web1
