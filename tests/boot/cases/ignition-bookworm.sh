# shellcheck shell=bash
# Ignition itself applies a config, with one of the user's merged into it, to a system that has Docker already, started by its
# socket alone, as Flatcar and Fedora CoreOS do; the host issues its own certificate, and docker answers.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

ignition=/usr/lib/dracut/modules.d/30ignition/ignition
[[ -x $ignition ]] || die "Ignition is missing: run tests/boot/install"

# apply FILE: what Ignition's initramfs does to `root`, as far as files and units go.
apply() {
    local stage
    # Debian's 2.14 knows 3.4.0 under its earlier name; and it labels for SELinux, of which there is none here.
    sed 's/"version": "3\.4\.0"/"version": "3.4.0-experimental"/' "$1" >"$work/config.ign"
    mkdir -p "$root/etc/selinux" "$work/bin"
    echo SELINUXTYPE=none >"$root/etc/selinux/config"
    printf '#!/bin/sh\ncat >/dev/null\n' >"$work/bin/setfiles"
    chmod 0755 "$work/bin/setfiles"
    for stage in fetch files; do
        PATH=$work/bin:$PATH IGNITION_CONFIG_FILE=$work/config.ign "$ignition" --platform=file --stage="$stage" \
            --root="$root" --config-cache="$work/ignition.json" --neednet="$work/neednet" --state-file="$work/state" \
            --log-to-stdout >>"$work/ignition.log" || { tail -n 30 "$work/ignition.log"; fail "ignition's stage $stage"; }
    done
    # systemd does so for all units at a first boot.
    systemctl --root="$root" preset docker.service docker.socket hostseed-issue.service hostseed-issue.timer
}

lay_network
create_without_address web1 --engine-label role=web --block-metadata
cat >"$work/theirs.ign" <<'JSON'
{
  "ignition": { "version": "3.3.0" },
  "storage": { "files": [{ "path": "/etc/motd", "overwrite": true, "contents": { "source": "data:,by%20theirs" } }] },
  "systemd": { "units": [{ "name": "docker.service", "dropins": [{ "name": "05-theirs.conf", "contents": "[Service]\nNice=-3\n" }] }] }
}
JSON
check 'the config renders' hs render web1 --format ignition --merge "$work/theirs.ign" -o "$work/web1.ign"

copy_root bookworm web1
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"
in_chroot sh -euc 'apt-get update && apt-get install --yes --no-install-recommends docker.io curl nftables' >"$work/apt.log" 2>&1 ||
    { tail -n 30 "$work/apt.log"; fail 'docker is installed'; }
rm "$root/usr/sbin/policy-rc.d"
systemctl --quiet --root="$root" disable docker.service
told 'docker is there, and starts by its socket'
apply "$work/web1.ign"
told 'ignition has applied the config'
check_same 'the key is for root alone' '600 root root' "$(stat --format '%a %U %G' "$root/etc/docker/issuer-key.pem")"
check 'docker is enabled' test -L "$root/etc/systemd/system/multi-user.target.wants/docker.service"

boot
record_address web1
wait_for_answer web1
check 'the console tells of the certificate' console_has "hostseed\[web1\]: issued a certificate until .*$address"
check_same 'docker has the label' '["role=web"]' "$(with_env web1 docker info --format '{{json .Labels}}')"
check_same "the user's file is there" 'by theirs' "$(cat "$root/etc/motd")"
check_same "the user's drop-in too" -3 "$(on_host systemctl show docker --property=Nice --value)"
check 'the timer is active' on_host systemctl is-active hostseed-issue.timer
check 'containers are kept from the metadata service' on_host nft list chain inet hostseed forward
reboot_host
wait_for_answer web1
