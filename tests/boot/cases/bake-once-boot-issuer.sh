# shellcheck shell=bash
# One machine, baked once, whose hosts issue their own certificates: each that boots from a copy of the image is reached at
# its own address with the one client, and none has another's key.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

stored() { find "$work/store" -type f -exec sha256sum {} + | sort; }

lay_network
create_without_address fleet --docker distro
check 'the image renders' hs render fleet --format bake -o "$work/bake"
stored=$(stored)

copy_root bookworm image
install -m 0755 "$work/bake" "$root/root/bake"
in_chroot sh /root/bake >"$work/bake.out" 2>&1 || { cat "$work/bake.out"; fail 'the bake script runs in a chroot'; }
rm "$root/root/bake"
told 'the image is baked'

check 'it says so' grep -Eq '^hostseed\[fleet\]: baked: ' "$work/bake.out"
check 'status.json says baked' status_is baked
check_same 'nothing was started' '' "$(processes_in "$root")"
check_not 'docker has never run' test -e "$root/var/lib/docker/engine-id"
check_same 'the identity is the boot issuer, and no server' $'ca.pem\nissuer-key.pem\nissuer.pem' \
    "$(cd "$root/etc/docker" && find . -mindepth 1 -printf '%P\n' | sort)"
for unit in multi-user.target.wants/docker.service multi-user.target.wants/hostseed-issue.service \
    timers.target.wants/hostseed-issue.timer; do
    check "${unit##*/} is enabled" test -L "$root/etc/systemd/system/$unit"
done
image=$root

keys=()
for number in 2 3; do
    only_at "198.18.$slot.$number"
    copy_root "$image" "host$number"
    boot
    wait_for_answer "fleet@$address"
    check "host $number: the authority is the machine's" cmp "$root/etc/docker/ca.pem" "$work/store/machines/fleet/ca.pem"
    check "host $number: the console tells of the certificate" \
        console_has "hostseed\[fleet\]: issued a certificate until .*$address .*there was no valid one"
    check_same "host $number: the daemon was started once" 1 \
        "$(on_host journalctl --quiet --output=cat --unit=docker.service | grep -c '^Starting docker.service' || true)"
    check "host $number: the timer is active" on_host systemctl is-active hostseed-issue.timer
    wait_for 20 "host $number: status.json says ready" status_is ready
    keys+=("$(server_key)")
    stop_host
done
check_not 'each has a key of its own' test "${keys[0]}" = "${keys[1]}"
check_same 'nothing of this was recorded' "$stored" "$(stored)"
