# shellcheck shell=bash
# The repository's key is not the one that was said: the host refuses it, installs nothing, and leaves nothing trusted.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

trust() { (cd "$root" && find etc/apt usr/share/keyrings -type f -printf '%p %s\n' | sort); }
status_of() {
    /usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
        "$root/var/lib/hostseed/status.json" "$1"
}

expected=0123456789ABCDEF0123456789ABCDEF01234567

lay_network
serve_official_repository bookworm
create_machine web1 --docker official --docker-mirror "$official" --docker-key-fingerprint "$expected"

copy_root bookworm web1
trusted=$(trust)
give_seed "$work/store/machines/web1/user-data"
boot
wait_for 300 'setup ends' status_is failed
wait_for 60 'cloud-init has ended' on_host test -e /var/lib/cloud/instance/boot-finished

check 'the console names the fingerprint that was said' console_has "hostseed\[web1\]: FAILED at 3/6: .*$expected"
check 'and the one that came' console_has "hostseed\[web1\]: FAILED at 3/6: .*$fingerprint"
check_same 'status.json names the step' 3 "$(status_of step)"
check 'status.json names both fingerprints' \
    grep -q "$expected.*$fingerprint\|$fingerprint.*$expected" <<<"$(status_of error) $(status_of hint)"
check 'cloud-init knows that it failed' grep -q 'status: error' <<<"$(on_host cloud-init status --long || true)"
check_not 'setup fails again when it runs again' on_host /usr/local/lib/hostseed/setup
check_same 'nothing of docker is installed' '' \
    "$(find "$root/usr/bin" "$root/usr/sbin" -name '*docker*' -o -name 'containerd*')"
check_same 'no package of docker is known' '' \
    "$(on_host dpkg-query --show --showformat='${Package}\n' 'docker*' 'containerd*' 2>/dev/null || true)"
check_same 'apt trusts what it trusted before' "$trusted" "$(trust)"
check_not 'the port is closed' answers_tcp "$address" 2376
check_not 'the log holds no key' grep -q 'PRIVATE KEY' "$root/var/log/hostseed.log"
