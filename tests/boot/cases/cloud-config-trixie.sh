# shellcheck shell=bash
# The main job, a release later: a machine is created, a new Debian 13 boots from its cloud-config, docker talks to it.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

lay_network
mapfile -d '' options < <(labels_and_env)
create_machine web1 --docker distro "${options[@]}"

copy_root trixie web1
give_seed "$work/store/machines/web1/user-data"
boot
check_ready web1
check 'cloud-init finds the user-data valid' on_host cloud-init schema --system
