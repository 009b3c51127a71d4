# shellcheck shell=bash
# The main job: a machine is created, a new Debian 12 boots from its cloud-config, docker talks to it.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

lay_network
mapfile -d '' options < <(labels_and_env)
create_machine web1 --docker distro "${options[@]}"
check 'render repeats the stored user-data' cmp <(hs render web1) "$work/store/machines/web1/user-data"

copy_root bookworm web1
give_seed "$work/store/machines/web1/user-data"
boot
check_ready web1
check 'cloud-init finds the user-data valid' on_host cloud-init schema --system
