# shellcheck shell=bash
# For consoles that take only a script: a new Debian 12 boots from the script form, while something else holds apt's lock
# as unattended upgrades do on a first boot.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

lay_network
mapfile -d '' options < <(labels_and_env)
create_machine web1 --docker distro "${options[@]}"
check 'the script renders' hs render web1 --format script -o "$work/script"
check_same 'it is a script' '#!/bin/sh' "$(head -n 1 "$work/script")"

copy_root bookworm web1
cat >"$root/etc/systemd/system/upgrades.service" <<'UNIT'
[Unit]
Before=cloud-final.service
[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/bin/python3 -c "import fcntl, subprocess, time; \
    held = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(held, fcntl.LOCK_EX); \
    subprocess.run(['systemd-notify', '--ready']); time.sleep(8); \
    subprocess.run(['timeout', '60', 'sh', '-c', 'until grep -qs Could.not.get.lock /var/log/hostseed.log; do sleep 0.3; done'])"
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../upgrades.service "$root/etc/systemd/system/multi-user.target.wants/upgrades.service"
give_seed "$work/script"
boot
check_ready web1
check 'the lock was waited for' grep -q 'Could not get lock' "$root/var/log/hostseed.log"
