# shellcheck shell=bash
# An image builder runs the bake script where no systemd runs; a host from that image waits without an identity, and another
# one becomes web1 by a seed that brings nothing but the identity.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

drop_in=etc/systemd/system/docker.service.d/10-machine.conf

machine_ids() { find "$root/etc/machine-id" "$root/var/lib/dbus" -name machine-id -printf '%P %s %l %T@\n'; }
package_lists() { find "$root/var/lib/apt/lists" "$root/var/cache/apt" -type f ! -name lock; }

lay_network
mapfile -d '' options < <(labels_and_env)
hs bake --docker distro "${options[@]}" >"$work/bake"
check_not 'it makes no machine' test -e "$work/store/machines"

copy_root bookworm image
before=$(machine_ids)
install -m 0755 "$work/bake" "$root/root/bake"
in_chroot sh /root/bake >"$work/bake.out" 2>&1 || { cat "$work/bake.out"; fail 'the bake script runs in a chroot'; }
rm "$root/root/bake"
told 'the image is baked'

check 'it says so' grep -Eq '^hostseed\[image\]: baked: ' "$work/bake.out"
check 'status.json says baked' status_is baked
check_same 'nothing was started' '' "$(processes_in "$root")"
check_same 'no package lists or packages are left' '' "$(package_lists)"
check_same 'the machine-id is untouched' "$before" "$(machine_ids)"
check_same 'the drop-in is there' '644 root root' "$(stat --format '%a %U %G' "$root/$drop_in")"
check 'the drop-in waits for an identity' grep -qx 'ConditionPathExists=/etc/docker/server-key.pem' "$root/$drop_in"
check 'docker is enabled' test -L "$root/etc/systemd/system/multi-user.target.wants/docker.service"
check_same 'no identity is in it' '' "$(find "$root/etc/docker" -name '*.pem' 2>/dev/null)"
check_not 'no policy-rc.d is left' test -e "$root/usr/sbin/policy-rc.d"
check_not 'docker has never run' test -e "$root/var/lib/docker/engine-id"
image=$root

copy_root "$image" nobody
boot
wait_for 60 'the host without an identity is up' on_host systemctl is-active multi-user.target
wait_for 60 'its first boot is over' on_host cloud-init status --wait
check_same 'docker waits: its condition does not hold' no "$(on_host systemctl show docker --property=ConditionResult --value)"
check_same 'docker is not active' inactive "$(on_host systemctl show docker --property=ActiveState --value)"
check_same 'docker is enabled nonetheless' enabled "$(on_host systemctl show docker --property=UnitFileState --value)"
check_not 'the port is closed' answers_tcp "$address" 2376
stop_host

create_machine web1 --docker none
copy_root "$image" web1
give_seed "$work/store/machines/web1/user-data"
boot
check_ready web1
check_same 'apt was not asked for anything' '' "$(package_lists)"
