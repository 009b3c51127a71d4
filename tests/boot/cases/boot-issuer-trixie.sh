# shellcheck shell=bash
# A Debian 13 whose address nobody knows yet issues its own certificate, for IPv6 as well. That containers do not outlive a
# restart is said beforehand, and so the host can be a Swarm.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

live_restore() {
    on_host /usr/local/lib/hostseed/issue --live-restore
    on_host cat /run/hostseed/docker.env
}

lay_network
lay_ipv6
create_without_address web1 --docker distro --engine-opt live-restore=false

copy_root trixie web1
give_seed "$work/store/machines/web1/user-data"
boot
record_address web1
wait_for_answer web1
wait_for_cloud_init
check_cloud_init
check_console web1
check_idle ''

check 'the certificate is for the address of IPv6, too' console_has "issued a certificate until .*$address6"
check 'docker is reached by it' with_env "web1@$address6" docker version

process=$(on_host systemctl show docker --property=MainPID --value)
check_same 'of live-restore the daemon got the option that was said, and no other' '--live-restore=false' \
    "$(on_host cat "/proc/$process/cmdline" | tr '\0' '\n' | grep live-restore)"
check_same 'and has it so' false "$(with_env web1 docker info --format '{{.LiveRestoreEnabled}}')"
check_same 'else it would be on' HOSTSEED_LIVE_RESTORE=--live-restore "$(live_restore)"
check 'the host becomes a Swarm' with_env web1 docker swarm init --advertise-addr 127.0.0.1
check_same 'now it would be off, which Swarm demands' HOSTSEED_LIVE_RESTORE= "$(live_restore)"
