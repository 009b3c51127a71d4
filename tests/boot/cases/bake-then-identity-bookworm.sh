# shellcheck shell=bash
# An image builder runs the bake script where no systemd runs; a host from that image waits without an identity, and another
# one becomes web1 by a seed that brings nothing but the identity.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

lay_network
mapfile -d '' options < <(labels_and_env)
hs bake --docker distro --block-metadata "${options[@]}" >"$work/bake"
check_not 'it makes no machine' test -e "$work/store/machines"

copy_root bookworm image
before=$(machine_ids)
install -m 0755 "$work/bake" "$root/root/bake"
in_chroot sh /root/bake >"$work/bake.out" 2>&1 || { cat "$work/bake.out"; fail 'the bake script runs in a chroot'; }
rm "$root/root/bake"
told 'the image is baked'

check_image "$work/bake.out"
check_same 'nothing was started' '' "$(processes_in "$root")"
check_same 'the machine-id is untouched' "$before" "$(machine_ids)"
image=$root

copy_root "$image" nobody
boot
check_waits
stop_host

create_machine web1 --docker none
copy_root "$image" web1
give_seed "$work/store/machines/web1/user-data"
boot
check_ready web1
check_same 'apt was not asked for anything' '' "$(package_lists)"
check 'containers are kept from the metadata service' on_host nft list chain inet hostseed forward
