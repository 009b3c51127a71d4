# shellcheck shell=bash
# mkosi builds an image from packages, with a machine's bake script as its postinst. The image boots and is that machine, without
# any user-data.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

command -v mkosi >/dev/null || die '`mkosi` is missing: run tests/boot/install'

# mkosi_folder FOLDER: what mkosi is to build, but for the script.
mkosi_folder() {
    local apt=$1/mkosi.skeleton/etc/apt
    mkdir -p "$apt/apt.conf.d" "$apt/sources.list.d"
    cat >"$1/mkosi.default" <<CONFIG
[Distribution]
Distribution=debian
Release=bookworm
Mirror=http://$outside:$mirror_port

[Output]
Format=directory
Output=image

[Content]
Packages=iproute2,openssl,udev
WithNetwork=yes
CONFIG
    # As in make_root; and mkosi names a source that cannot be reached from here.
    apt-config dump --format='%f "%v";%n' Acquire::Check-Valid-Until Acquire::Check-Date >"$apt/apt.conf.d/90-boot-test"
    : >"$apt/sources.list.d/bookworm-security.list"
}

# build FOLDER: there is no systemd here that could give mkosi's containers a unit.
build() { (cd "$1" && mkosi --nspawn-keep-unit build) >"$work/mkosi.out" 2>&1 </dev/null; }

lay_network
mapfile -d '' options < <(labels_and_env)
create_machine web1 --docker distro "${options[@]}"
mkosi_folder "$work/mkosi"
check 'the image renders' hs render web1 --format bake -o "$work/mkosi/mkosi.postinst"
chmod 0700 "$work/mkosi/mkosi.postinst"
build "$work/mkosi" || { tail -n 60 "$work/mkosi.out"; fail 'mkosi builds the image'; }
told 'mkosi has built the image'

root=$work/mkosi/image
console=$work/web1.console
check 'the script says that it is baked' grep -Eq '^hostseed\[web1\]: baked: docker .+ is installed and enabled' "$work/mkosi.out"
check 'status.json says baked' status_is baked
check_same 'nothing was started' '' "$(processes_in "$root")"
check_not 'docker has never run' test -e "$root/var/lib/docker/engine-id"
check_not 'no script is left' test -e "$root/root/postinst"
check_not "the script's key is nowhere but in /etc/docker" key_in "$work/store/machines/web1/server-key.pem" \
    "$root"/{etc/systemd,root,tmp,usr/local,var}
check_not "the client's key is nowhere" key_on_host "$work/store/machines/web1/key.pem"

# The network is there already.
ln -s /dev/null "$root/etc/systemd/system/systemd-networkd.service"
boot
wait_for_answer web1
check_client web1
check_same "certificates are in place, the key for root alone" $'644 root root\n644 root root\n600 root root' \
    "$(on_host stat --format '%a %U %G' /etc/docker/ca.pem /etc/docker/server.pem /etc/docker/server-key.pem)"
check_same 'the daemon was started once' 1 \
    "$(on_host journalctl --quiet --output=cat --unit=docker.service | grep -c '^Starting docker.service' || true)"
check_containers web1
