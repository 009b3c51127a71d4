# shellcheck shell=bash
# A host that is a virtual machine: a kernel of its own, a disk to start from, and a seed disk beside it. The processor is
# emulated, so that it boots on any machine. Sourced by the cases that need it.

for program in qemu-system-x86_64 mkfs.ext4; do
    command -v "$program" >/dev/null || die "\`$program\` is missing: run tests/boot/install"
done

# The machine whose docker lets on_host in.
entrance=

# An emulated processor takes its time.
export ANSWER_LIMIT=900 CLIENT_LIMIT=180

# cable_to_vm: the other end is the virtual machine's network card. It has its address from its seed.
cable_to_vm() { ip tuntap add mode tap name "hostseed$slot"; }

# with_kernel FOLDER SUITE: a Debian as a cloud's image is, kernel included, without anything of Docker. cloud-init is as Debian
# has it, and looks for its seed itself. Of packages it takes what is needed alone: to unpack all that Docker's recommend, or to
# sort translations, takes an emulated processor longer than all the rest.
with_kernel() {
    local modules='virtio_pci\nvirtio_blk\nvirtio_scsi\nsr_mod\next4\n'
    make_root "$1" "$2" --variant=minbase --include=systemd,systemd-sysv,dbus,udev,iproute2,netbase,ifupdown,cloud-init \
        --include=ca-certificates,kmod,procps,openssl,python3,login,sudo,linux-image-cloud-amd64,initramfs-tools \
        --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"' \
        --essential-hook='echo MODULES=list >"$1/etc/initramfs-tools/conf.d/boot-test"' \
        --essential-hook="printf '$modules' >\"\$1/usr/share/initramfs-tools/modules.d/boot-test\""
    # Nobody logs in.
    sed -i -E '/^ *- *(locale|ssh|set[-_]passwords)$/d' "$1/etc/cloud/cloud.cfg"
    printf '%s "%s";\n' APT::Install-Recommends false Acquire::Languages none >"$1/etc/apt/apt.conf.d/90-boot-test"
    echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/90-boot-test"
    echo '/dev/vda / ext4 defaults 0 0' >"$1/etc/fstab"
    rm -f "$1/etc/resolv.conf" "$1/usr/sbin/policy-rc.d"
    : >"$1/etc/resolv.conf"
    echo debian >"$1/etc/hostname"
}

# make_disk: `root` becomes a disk.
make_disk() {
    truncate -s 3G "$root.disk"
    mkfs.ext4 -q -d "$root" "$root.disk"
}

# network_config: what a seed says about the network, since nothing else on the cable does.
network_config() {
    cat <<CONFIG
version: 2
ethernets:
  cable:
    match: {macaddress: "52:54:00:12:34:56"}
    addresses: [$address/24]
CONFIG
}

# boot_vm NAME DEVICE…: the disk boots, with the devices. cache=unsafe: what is written needs to outlive nothing.
boot_vm() {
    # shellcheck disable=SC2034 # lib.sh shows it
    console=$work/$1.console
    start_host qemu-system-x86_64 -nodefaults -display none -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1536 \
        -kernel "$root/vmlinuz" -initrd "$root/initrd.img" -serial stdio \
        -append 'root=/dev/vda console=ttyS0 mitigations=off' \
        -drive file="$root.disk",format=raw,if=virtio,cache=unsafe -device virtio-rng-pci \
        -netdev tap,id=cable,ifname="hostseed$slot",script=no,downscript=no \
        -device virtio-net-pci,netdev=cable,mac=52:54:00:12:34:56 "${@:2}"
    told 'the virtual machine boots'
}

# enter MACHINE: from now on on_host runs its commands through this machine's docker, there being no other way in.
enter() {
    entrance=$1
    tar -C / -c bin/busybox | with_env "$1" docker import - boot-test >/dev/null
}

on_host() {
    with_env "$entrance" docker run --rm --privileged --pid host --network host --volume /:/host boot-test \
        /bin/busybox chroot /host /usr/bin/env "$@"
}

# check_vm MACHINE DEVICE: it is up by the seed on that device.
check_vm() {
    wait_for_answer "$1"
    check 'docker version answers' with_env "$1" docker version
    check_same 'plain HTTP, curl: status 400 and no data' '400 Client sent an HTTP request to an HTTPS server.' "$(plain_http)"
    wait_for 300 'cloud-init has ended' console_has 'Cloud-init .* finished at'
    check_console "$1"
    check 'cloud-init found the seed on the disk' console_has "Datasource DataSourceNoCloud \[seed=$2\]"
    enter "$1"
    check_inside "$1"
}

# check_inside MACHINE: what is asked of a host from within, all at once, since to go there takes seconds each time.
check_inside() {
    local inside
    inside=$(on_host sh -euc 'hostname
        stat --format "%a %U %G" /etc/docker/ca.pem /etc/docker/server.pem /etc/docker/server-key.pem
        cat /var/lib/hostseed/status.json /run/cloud-init/result.json')
    check_same "the host's name is the machine's" "$1" "$(sed -n 1p <<<"$inside")"
    check_same 'certificates are in place, the key for root alone' $'644 root root\n644 root root\n600 root root' \
        "$(sed -n 2,4p <<<"$inside")"
    check 'status.json says ready' grep -q '"state":"ready"' <<<"$inside"
    check 'cloud-init is done, without errors' grep -q '"errors": \[\]' <<<"$inside"
}

# stop_vm: shuts down from within, as a person would. Not at once: the command runs in a container, and docker must still report how it
# ended, which takes an emulated processor seconds.
stop_vm() {
    check 'the virtual machine is told to go down' on_host systemd-run --quiet --on-active=10 \
        --timer-property=AccuracySec=100ms systemctl poweroff
    wait_for 120 'the virtual machine goes down' host_is_down
    stop_host
}
