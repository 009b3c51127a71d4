# shellcheck shell=bash
# A host: its network, the Debian that it is a copy of, its boot under systemd-nspawn.

host=
leader=
cgroup=$cgroups/hostseed-boot-$$

# lay_network [CABLE]: one cable from a host to this machine, at addresses that RFC 2544 keeps for test setups. It reaches no
# further: a host's packages come from a mirror at this end of the cable.
lay_network() {
    for slot in {1..250}; do
        if mkdir "/run/hostseed-boot-$slot" 2>/dev/null; then break; fi
        slot=
    done
    [[ -n $slot ]] || die "no place for another host: /run/hostseed-boot-* are what is in use"
    outside=198.18.$slot.1
    address=198.18.$slot.2
    export no_proxy=$outside,$address,127.0.0.1 NO_PROXY=$outside,$address,127.0.0.1
    "${1:-cable_to_namespace}"
    ip address add "$outside/24" dev "hostseed$slot"
    ip link set "hostseed$slot" up
    mirror_port=3142
    "$tests/mirror.py" "$outside" "$mirror_port" "$(upstream_mirror)" "$cache/mirror" >"$work/mirror.log" 2>&1 &
    background+=($!)
    wait_for 10 "a mirror listens at $outside:$mirror_port" answers_tcp "$outside" "$mirror_port"
}

cable_to_namespace() {
    ip netns add "hostseed-$slot"
    ip link add "hostseed$slot" type veth peer name host0 netns "hostseed-$slot"
    ip -n "hostseed-$slot" address add "$address/24" dev host0
    ip -n "hostseed-$slot" link set host0 up
    ip -n "hostseed-$slot" link set lo up
}

# without_proxy ADDRESS: what is asked of it is asked of it.
without_proxy() { no_proxy=$no_proxy,$1 && NO_PROXY=$no_proxy; }

# also_at ADDRESS: the host is there, too, from now on. only_at ADDRESS: there and nowhere else; it is its `address`.
also_at() {
    without_proxy "$1"
    ip -n "hostseed-$slot" address add "$1/24" dev host0
}
only_at() {
    address=$1
    ip -n "hostseed-$slot" -4 address flush dev host0
    also_at "$1"
}

# lay_ipv6: the cable has IPv6 as well; the host is at `address6`.
lay_ipv6() {
    address6=fd00:198:18:$slot::2
    without_proxy "$address6"
    ip address add "fd00:198:18:$slot::1/64" dev "hostseed$slot" nodad
    ip -n "hostseed-$slot" address add "$address6/64" dev host0 nodad
}

# answers_tcp ADDRESS PORT
answers_tcp() { timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2"; }

in_network() { ip netns exec "hostseed-$slot" "$@"; }

# Where this machine has bookworm from, unless told otherwise.
upstream_mirror() {
    local uri=${HOSTSEED_BOOT_MIRROR:-}
    [[ -n $uri ]] || uri=$(apt-get --print-uris update | sed -n "s|^'\(.*\)/dists/bookworm/InRelease'.*|\1|p")
    uri=${uri%%$'\n'*}
    [[ -n $uri ]] || die "no mirror with bookworm in this machine's apt sources; say HOSTSEED_BOOT_MIRROR=http://…/debian"
    printf '%s\n' "$uri"
}

# make_root FOLDER SUITE OPTION…: a Debian from the mirror, made by mmdebstrap as the options say.
make_root() {
    local folder=$1 suite=$2 options
    shift 2
    # A mirror that stands still is out of date by its own word; where this machine accepts that, so must the root.
    mapfile -t options < <(apt-config dump --format='--aptopt=%f "%v"%n' Acquire::Check-Valid-Until Acquire::Check-Date)
    mmdebstrap --quiet --mode=root --dpkgopt=force-unsafe-io "${options[@]}" "$@" \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$folder" "http://$outside:$mirror_port" >&2
}

# bootable FOLDER SUITE: a Debian as a cloud's image is, without anything of Docker.
bootable() {
    make_root "$1" "$2" --variant=minbase --include=systemd,systemd-sysv,dbus,udev,iproute2,netbase,ifupdown,cloud-init \
        --include=ca-certificates,kmod,procps,openssl,python3,login,sudo
    # The seed is a folder in the image, the network is there already, nobody logs in.
    sed -i -E '/^ *- *(locale|ssh|set[-_]passwords)$/d' "$1/etc/cloud/cloud.cfg"
    cat >"$1/etc/cloud/cloud.cfg.d/90-boot-test.cfg" <<'CFG'
datasource_list: [ NoCloud, None ]
network: {config: disabled}
CFG
    ln -sf /dev/null "$1/etc/systemd/system/networking.service"
    ln -sf /dev/null "$1/etc/systemd/system/systemd-networkd-wait-online.service"
    rm -f "$1/etc/resolv.conf" "$1/usr/sbin/policy-rc.d"
    : >"$1/etc/resolv.conf"
    echo debian >"$1/etc/hostname"
}

# dockers_files FOLDER SUITE: the files of Debian's Docker, unpacked and not installed.
dockers_files() { make_root "$1" "$2" --variant=extract --include=docker.io,containerd,runc,tini; }

# kept_root KIND SUITE: prints the folder that `KIND FOLDER SUITE` made, once for all runs.
kept_root() {
    local made
    made=$cache/roots/$1-$2-$(declare -f "$1" make_root | sha256sum | cut -c 1-12)
    mkdir -p "$cache/roots"
    exec 9>"$cache/roots/$1-$2.lock"
    flock 9
    if [[ ! -d $made ]]; then
        told "making $made" >&2
        rm -rf --one-file-system "$cache/roots/$1-$2"-*
        "$1" "$made.part" "$2"
        mv "$made.part" "$made"
    fi
    exec 9>&-
    printf '%s\n' "$made"
}

# copy_root SUITE|FOLDER NAME: `root` is now a copy, to boot from or to bake in.
copy_root() {
    local from=$1
    [[ $from == */* ]] || from=$(kept_root bootable "$1")
    root=$work/$2
    console=$work/$2.console
    cp -a --reflink=auto "$from" "$root"
    sed -i "s|http://198\.18\.[0-9]*\.1:$mirror_port|http://$outside:$mirror_port|" "$root/etc/apt/sources.list"
}

# install_in_root PACKAGE…: from the mirror into `root`, which has not booted yet.
install_in_root() {
    check 'the package lists are fetched' in_chroot apt-get -q update
    check "the image has $*" in_chroot env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
}

# serve_official_repository SUITE: on the host's own loopback; `official` is its address, `fingerprint` that of its key.
serve_official_repository() {
    local files
    files=$(kept_root dockers_files "$1")
    fingerprint=$("$tests/official-repository" "$work/official" "$files" "$1")
    official=http://127.0.0.1:8080
    # Not by in_network: what is killed in the end has to be the server, and no shell that waits for it.
    ip netns exec "hostseed-$slot" /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory "$work/official/www" 8080 \
        >"$work/official.log" 2>&1 &
    background+=($!)
    wait_for 10 "a repository signed by $fingerprint listens at $official" \
        in_network bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080'
}

# give_seed FILE [INSTANCE-ID]: the file is the user-data of the next boot.
give_seed() {
    local seed=$root/var/lib/cloud/seed/nocloud
    mkdir -p "$seed"
    install -m 0600 "$1" "$seed/user-data"
    printf 'instance-id: %s\nlocal-hostname: web1\n' "${2:-i-1}" >"$seed/meta-data"
}

# in_chroot COMMAND…: as an image builder does: the kernel's filesystems mounted, no systemd.
in_chroot() {
    unshare --mount sh -euc '
        root=$1; shift
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/run"
        exec chroot "$root" "$@"' sh "$root" "$@"
}

# processes_in FOLDER: the processes that have it as their root.
processes_in() {
    local process
    for process in /proc/[0-9]*; do
        if [[ $(readlink "$process/root") == "$1" ]]; then
            printf '%s %s\n' "${process#/proc/}" "$(tr '\0' ' ' <"$process/cmdline")"
        fi
    done
}

# start_host COMMAND…: in a group of its own, so that several can run and each can be ended whole.
start_host() {
    mkdir -p "$cgroup"
    setsid bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$@" >>"$console" 2>&1 </dev/null &
    host=$!
}

# boot: `root` boots. It has cgroup v2, which trixie's systemd demands; the network's settings to write to; the system calls
# that containers inside need.
boot() {
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network start_host \
        systemd-nspawn --quiet --register=no --keep-unit --directory="$root" --machine="hostseed-$slot" --hostname=web1 \
        --network-namespace-path="/run/netns/hostseed-$slot" --resolv-conf=off --timezone=off \
        --capability=all --system-call-filter='add_key keyctl bpf' --console=read-only --boot
    wait_for 30 'the host boots' find_leader
}

# find_leader: the host's first process, once it is systemd.
find_leader() {
    local child
    for child in $(pgrep --parent "$host" || true); do
        if [[ $(cat "/proc/$child/comm" || true) == systemd && ! "/proc/$child/ns/pid" -ef /proc/self/ns/pid ]]; then
            leader=$child
            return 0
        fi
    done
    return 1
}

host_is_up() { [[ -n $host ]] && kill -0 "$host" 2>/dev/null; }

on_host() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        nsenter --all --target "$leader" -- "$@"
}

# carry_clock: `root` gets what on_host_at needs, which is this machine's, so the host has to be of its release.
carry_clock() {
    local library
    library=$(dpkg-query --listfiles libfaketime | grep '/libfaketime\.so\.1$')
    install -D -m 0644 "$library" "$root/opt/clock.so"
}

# on_host_at SHIFT COMMAND…: as if the host's clock were off by that: -61d.
on_host_at() { on_host env LD_PRELOAD=/opt/clock.so FAKETIME="$1" FAKETIME_DONT_FAKE_MONOTONIC=1 "${@:2}"; }

# reboot_host: from within, as a person would.
reboot_host() {
    local status=0
    on_host systemctl reboot --no-block
    wait_for 60 'the host goes down' host_is_down
    wait "$host" || status=$?
    # nspawn's word for "the host asked for a reboot", as in its own unit, systemd-nspawn@.service.
    ((status == 133)) || fail "the host went down with status $status instead of a reboot"
    boot
}

host_is_down() { ! host_is_up; }

stop_host() {
    if [[ -d $cgroup ]]; then
        echo 1 >"$cgroup/cgroup.kill"
        [[ -z $host ]] || wait "$host" 2>/dev/null || true
        for _ in {1..50}; do
            find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [[ -d $cgroup ]] || break
            sleep 0.1
        done
    fi
    host=
}
