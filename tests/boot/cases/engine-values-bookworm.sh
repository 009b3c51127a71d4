# shellcheck shell=bash
# Whatever label or environment value hostseed accepts reaches the daemon unchanged: real systemd starts a stand-in for
# dockerd through each drop-in, and what arrived is compared byte for byte with what was asked.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

values() { "$tests/engine-values.py" "$@"; }

lay_network
copy_root bookworm web1
probes=$root/var/lib/probes
mkdir -p "$probes"
# The first place where systemd looks for a program without a path.
cat >"$root/usr/local/sbin/dockerd" <<'STUB'
#!/bin/sh
cat /proc/$$/environ >"$PROBE.environ"
cat /proc/$$/cmdline >"$PROBE.argv"
STUB
chmod 0755 "$root/usr/local/sbin/dockerd"

values machines "$work/machines.json"
accepted=0 refused=0 number=0 units=()
while IFS= read -r -d '' words; do
    mapfile -d '' options < <(base64 -d <<<"$words")
    if hs create "m$number" --address "$address" "${options[@]}" >"$work/create.out" 2>&1; then
        ((accepted += 1))
        unit=probe$number.service
        units+=("$unit")
        mkdir "$root/etc/systemd/system/$unit.d"
        printf '[Service]\nType=oneshot\nEnvironment=PROBE=/var/lib/probes/%d\nExecStart=/bin/false\n' "$number" \
            >"$root/etc/systemd/system/$unit"
        values drop-in "$work/store/machines/m$number/user-data" >"$root/etc/systemd/system/$unit.d/10-machine.conf"
        : >"$probes/$number.accepted"
    else
        ((refused += 1))
        grep -q '^error\[[a-z-]*\]: `--engine-' "$work/create.out" || fail "a refusal names the option: $(<"$work/create.out")"
    fi
    ((number += 1))
done < <(values options "$work/machines.json")
told "$accepted machines were accepted, $refused refused by name"

boot
wait_for 60 'the host is up' on_host systemctl is-active multi-user.target
on_host systemctl start "${units[@]}" 2>/dev/null || told 'systemd did not start all of them'
on_host journalctl --quiet --no-pager --output=cat --grep='^/etc/systemd/system/probe' >"$work/complaints" || true
values compare "$work/machines.json" "$probes" || fail "what was accepted arrives as written: $(<"$work/complaints")"
check_same 'systemd has nothing to say about the drop-ins' '' "$(<"$work/complaints")"
