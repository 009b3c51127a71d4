# shellcheck shell=bash
# What every case stands on, sourced first: the check that all is there, the words of a check, the end.
# Whatever way a case ends, what it started is ended and what it made is removed.
set -Eeuo pipefail
umask 022

tests=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
cache=${HOSTSEED_BOOT_CACHE:-/var/cache/hostseed-boot}
case_name=${0##*/}
case_name=${case_name%.sh}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

[[ $(id -u) == 0 ]] || die "the boots need root"
for program in mmdebstrap systemd-nspawn nsenter unshare ip docker openssl curl faketime pgrep gpg apt-ftparchive \
    dpkg-deb gpgsplit rpmbuild rpmsign createrepo_c; do
    command -v "$program" >/dev/null || die "\`$program\` is missing: run tests/boot/install"
done
/usr/bin/python3 -c 'import yaml' 2>/dev/null || die "python3-yaml is missing: run tests/boot/install"
[[ -x /bin/busybox ]] || die "busybox-static is missing: run tests/boot/install"
cgroups=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) || die "no cgroup2 is mounted"

hostseed=${HOSTSEED_BIN:-}
target=${CARGO_TARGET_DIR:-$tests/../../target}
if [[ -z $hostseed ]]; then
    hostseed=$target/release/hostseed
    [[ $hostseed -nt $target/debug/hostseed ]] || hostseed=$target/debug/hostseed
fi
[[ -x $hostseed ]] || die "no hostseed to test: \`cargo build\`, or say HOSTSEED_BIN=…"

mkdir -p "$cache/run" "$cache/mirror"
chmod 0700 "$cache"
work=$(mktemp -d "$cache/run/$case_name.XXXX")
unset "${!DOCKER_@}"
export DOCKER_CONFIG=$work/docker-config

root=
console=
background=()
slot=

finish() {
    local status=$?
    trap '' EXIT INT TERM ERR
    set +e
    if ((status)) && [[ -n $root ]]; then show_logs; fi
    stop_host
    ((${#background[@]} == 0)) || kill "${background[@]}" 2>/dev/null
    if [[ -n $slot ]]; then
        ip netns delete "hostseed-$slot" 2>/dev/null
        ip netns delete "hostseed-$slot-cloud" 2>/dev/null
        ip link delete "hostseed$slot" 2>/dev/null
        rmdir "/run/hostseed-boot-$slot"
    fi
    if [[ -n ${KEEP:-} ]]; then
        printf '# kept: %s\n' "$work"
    else
        rm -rf --one-file-system "$work"
    fi
    exit "$status"
}
trap finish EXIT
trap 'printf "not ok - %s, line %d: %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR
trap 'exit 130' INT
trap 'exit 143' TERM

show_file() { # TITLE FILE LINES
    if [[ -s $2 ]]; then
        printf '\n==== %s\n' "$1"
        tail -n "$3" "$2" | tr -d '\r'
    fi
}

show_logs() {
    show_file 'serial console' "$console" 150
    show_file '/var/log/hostseed.log' "$root/var/log/hostseed.log" 200
    show_file '/var/lib/hostseed/status.json' "$root/var/lib/hostseed/status.json" 20
    show_file '/var/log/cloud-init.log, its end' "$root/var/log/cloud-init.log" 40
    show_file '/var/log/cloud-init-output.log, its end' "$root/var/log/cloud-init-output.log" 60
    printf '\n==== journal of docker and containerd\n'
    journalctl --quiet --no-pager --lines=90 --directory="$root/var/log/journal" \
        --unit=docker.service --unit=docker.socket --unit=containerd.service 2>&1 | grep -v module=grpc
    if host_is_up; then
        printf '\n==== units that failed\n'
        on_host systemctl --no-pager --plain list-units --failed
    fi
}

told() { printf '# %4ds %s\n' "$SECONDS" "$*"; }

fail() {
    printf 'not ok - %s\n' "$*"
    exit 1
}

# check WORDS COMMAND…: the command must succeed; what it printed is shown when it does not.
check() {
    local words=$1 output
    shift
    if output=$("$@" 2>&1); then
        printf 'ok - %s\n' "$words"
    else
        printf '%s\n' "$output"
        fail "$words"
    fi
}

# check_not WORDS COMMAND…: the command must fail.
check_not() {
    local words=$1 output
    shift
    if output=$("$@" 2>&1); then
        printf '%s\n' "$output"
        fail "$words"
    fi
    printf 'ok - %s\n' "$words"
}

# check_refused WORDS PATTERN COMMAND…: the command must fail, and say why in words that match.
check_refused() {
    local words=$1 pattern=$2 output
    shift 2
    if output=$("$@" 2>&1) || ! grep -Eq -- "$pattern" <<<"$output"; then
        printf '%s\n' "$output"
        fail "$words"
    fi
    printf 'ok - %s\n' "$words"
}

# check_same WORDS WANTED GOT
check_same() {
    if [[ $2 != "$3" ]]; then
        diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") || true
        fail "$1 (- is what was wanted)"
    fi
    printf 'ok - %s\n' "$1"
}

# wait_for SECONDS WORDS COMMAND…
wait_for() {
    local limit=$((SECONDS + $1)) words=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < limit)) || fail "$words: not within the time"
        sleep 0.3
    done
    told "$words"
}

# shellcheck source=host.sh
. "$tests/host.sh"
# shellcheck source=checks.sh
. "$tests/checks.sh"
