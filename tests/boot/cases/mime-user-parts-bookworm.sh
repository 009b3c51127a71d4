# shellcheck shell=bash
# A multipart archive: two cloud-configs and a script of the user's beside ours. The work of all is done, Docker is there when
# the user's own commands run, and each part arrives as it was given.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

lay_network
cat >"$work/files.yaml" <<'YAML'
#cloud-config
write_files:
- path: /etc/theirs
  content: "grüezi\n"
  permissions: "0640"
runcmd:
- docker version --format '{{.Server.Version}}' >/root/from-runcmd
packages: [jq]
YAML
cat >"$work/users.yaml" <<'YAML'
#cloud-config
users:
- default
- {name: ops, groups: [docker], shell: /bin/sh}
groups: [docker]
runcmd:
- [sh, -c, "id -un ops >/root/from-second-runcmd"]
packages: [tree]
YAML
printf '#!/bin/sh\n# ==hostseed== is our boundary\ndocker info --format "{{json .Labels}}" >/root/from-script' >"$work/after.sh"
create_machine web1 --docker distro --engine-label role=web
check 'the archive renders' hs render web1 --format mime --part "$work/files.yaml" --part "$work/users.yaml" \
    --part "$work/after.sh" --gzip -o "$work/user-data"

copy_root bookworm web1
give_seed "$work/user-data"
boot
wait_for_answer web1
wait_for_cloud_init
check_cloud_init
check_console web1
check_same 'their file is there' 'grüezi 640' "$(cat "$root/etc/theirs") $(stat --format %a "$root/etc/theirs")"
check_same 'their first runcmd found docker' "$(with_env web1 docker version --format '{{.Server.Version}}')" \
    "$(cat "$root/root/from-runcmd")"
check_same 'their second runcmd ran' ops "$(cat "$root/root/from-second-runcmd")"
check_same 'their script ran after ours' '["role=web"]' "$(cat "$root/root/from-script")"
check 'their user is there, in the group docker' on_host sh -c 'id -nG ops | grep -qw docker'
for program in jq tree; do check "$program is installed" test -x "$root/usr/bin/$program"; done
scripts=$root/var/lib/cloud/instances/i-1/scripts
check 'the script arrived as it was given' cmp "$work/after.sh" "$scripts/script-03-after.sh"
