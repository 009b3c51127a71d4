# shellcheck shell=bash
# A new virtual machine boots with a seed disk attached, and is web1, at the address that the disk says. Then the machine is made
# again, its seed comes on a CD, and the virtual machine becomes that one.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=../vm.sh
. "$tests/vm.sh"

render_disk() { hs render web1 --format nocloud --network-config "$work/network" --out "$work/$1"; }

lay_network cable_to_vm
create_machine web1 --docker distro
network_config >"$work/network"
check 'the seed disk renders' render_disk seed.img

copy_root "$(kept_root with_kernel bookworm)" web1
make_disk
boot_vm disk -drive file="$work/seed.img",format=raw,if=virtio,readonly=on
check_vm web1 /dev/vdb
stop_vm

cp -a "$work/store/machines/web1" "$work/before"
check 'hostseed rm web1' hs rm -y web1
create_machine web1 --docker distro
check 'its seed renders as a CD' render_disk seed.iso

boot_vm cd -device virtio-scsi-pci -drive file="$work/seed.iso",format=raw,if=none,id=seed,readonly=on \
    -device scsi-cd,drive=seed
check_vm web1 /dev/sr0
client_files before web1 "$work/before/cert.pem" "$work/before/key.pem"
check_refused 'the client of before is not served' 'certificate|connection reset|broken pipe' docker_with before
stop_vm
