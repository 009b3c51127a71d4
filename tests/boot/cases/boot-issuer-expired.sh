# shellcheck shell=bash
# The boot issuer has expired: a new host says so and opens no port, and becomes web1 by the seed of the renewed machine. A
# host that is at work says so, goes on with the certificate it has, and recovers by itself.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

stored=$work/store/machines/web1
expired='the boot issuer expired on .* and cannot issue a certificate'

status() { cat "$root/var/lib/hostseed/status.json"; }

# tried_again: whether a timer is going to start the unit.
tried_again() {
    local next
    next=$(on_host systemctl show hostseed-issue-again.timer --property=NextElapseUSecMonotonic --value)
    [[ -n $next && $next != infinity ]]
}

# said_since LINES PATTERN: the console has it after so many lines.
said_since() { grep -Eq "$2" <<<"$(tail -n "+$(($1 + 1))" "$console")"; }

lay_network
# hostseed makes nothing by a clock before its release.
check 'hostseed create web1, for an hour that is over' faketime '2026-11-02 00:00:00' "$hostseed" --store "$work/store" \
    create web1 --docker distro --ca shared --boot-issuer --valid-for 1h

copy_root bookworm web1
give_seed "$stored/user-data"
boot
wait_for 300 'setup ends' status_is failed
wait_for 60 'cloud-init has ended' on_host test -e /var/lib/cloud/instance/boot-finished
check 'the console says why' console_has "hostseed\[web1\]: FAILED at 2/6: $expired: run hostseed renew"
check 'status.json says why' grep -Eq "\"step\":2,.*\"error\":\"$expired\",\"hint\":\"run hostseed renew" <<<"$(status)"
check 'cloud-init knows that it failed' grep -q 'status: error' <<<"$(on_host cloud-init status --long || true)"
check_same 'there is no certificate' '' "$(find "$root/etc/docker" -name 'issued*' -o -name 'server*')"
check_not 'the port is closed' answers_tcp "$address" 2376

mkdir "$work/expired"
cp "$stored"/issuer*.pem "$work/expired"
check 'hostseed renew web1' hs renew web1 --valid-for 730d
record_address web1
check 'the new seed renders as a script' hs render web1 --format script -o "$root/root/seed"
check 'the host applies it' on_host sh /root/seed
check 'docker version answers' with_env web1 docker version
check 'status.json says ready' status_is ready

ready=$(status) pair=$(server_pair) process=$(docker_process)
cp "$work"/expired/*.pem "$root/etc/docker"
lines=$(wc -l <"$console")
check_not 'hostseed-issue.service fails' look_after
wait_for 20 'the console says why' said_since "$lines" "hostseed\[web1\]: FAILED: $expired"
check 'status.json says failed' status_is failed
check 'and why' grep -Eq "\"error\":\"$expired\"" <<<"$(status)"
check_same 'the pair is the one of before' "$pair" "$(server_pair)"
check_same 'the daemon is the same process' "$process" "$(docker_process)"
check 'docker version answers' with_env web1 docker version
check 'it is going to be tried again' tried_again

reboot_host
wait_for 60 'docker answers' with_env web1 docker version
check_same 'the pair is the one of before' "$pair" "$(server_pair)"
check 'status.json says failed still' status_is failed
check_not 'hostseed-issue.service fails again' look_after
check 'it is going to be tried again' tried_again

cp "$stored"/issuer*.pem "$root/etc/docker"
check_idle ' with a good issuer'
check_same 'status.json is what it was' "$ready" "$(status)"
