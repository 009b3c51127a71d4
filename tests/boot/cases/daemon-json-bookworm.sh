# shellcheck shell=bash
# --daemon-json reaches dockerd, merged into the daemon.json of the image: our keys win, the image's others stay.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

printf '{"log-driver": "local", "log-opts": {"max-size": "7m"}, "labels": ["from=daemon-json"], "live-restore": true}\n' >"$work/daemon.json"

lay_network
create_machine web1 --docker distro --daemon-json "$work/daemon.json"
check 'render repeats the stored user-data' cmp <(hs render web1) "$work/store/machines/web1/user-data"

copy_root bookworm web1
mkdir -p "$root/etc/docker"
printf '{\n  "log-driver": "journald",\n  "max-concurrent-downloads": 5\n}\n' >"$root/etc/docker/daemon.json"
give_seed "$work/store/machines/web1/user-data"
boot
wait_for_answer web1
wait_for_cloud_init

asked() { with_env web1 docker info --format "$1"; }
check_same 'the log driver is ours and not that of the image' local "$(asked '{{.LoggingDriver}}')"
check_same 'the label is ours' '[from=daemon-json]' "$(asked '{{.Labels}}')"
check_same 'live-restore is on' true "$(asked '{{.LiveRestoreEnabled}}')"
keys='import json, sys; print(sorted(json.load(open(sys.argv[1]))))'
check_same 'the key of the image stays' "['labels', 'live-restore', 'log-driver', 'log-opts', 'max-concurrent-downloads']" \
    "$(/usr/bin/python3 -c "$keys" "$root/etc/docker/daemon.json")"
check_same 'only root can read the file' 600 "$(stat -c %a "$root/etc/docker/daemon.json")"

before=$(sha256sum "$root/etc/docker/daemon.json")
check 'setup runs again' on_host /usr/local/lib/hostseed/setup
check_same 'and changes nothing' "$before" "$(sha256sum "$root/etc/docker/daemon.json")"
