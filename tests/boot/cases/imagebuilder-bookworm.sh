# shellcheck shell=bash
# The phases of a component are run as EC2 Image Builder runs them: build and validate on a running host, test on one of the
# image. Without an identity, and with one, whose image then answers the docker CLI.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

# phase COMPONENT PHASE FILE: the commands of that phase, as the file that ExecuteBash makes of them.
phase() {
    /usr/bin/python3 - "$1" "$2" >"$3" <<'PY'
import sys, yaml

document = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))
(steps,) = [phase["steps"] for phase in document["phases"] if phase["name"] == sys.argv[2]]
for step in steps:
    assert step["action"] == "ExecuteBash", step["action"]
    print("\n".join(step["inputs"]["commands"]))
PY
}

# run_phase COMPONENT PHASE COMMAND…: as root on the host, or in_chroot.
run_phase() {
    local status=0
    phase "$1" "$2" "$root/root/input.sh"
    "${@:3}" bash /root/input.sh || status=$?
    rm "$root/root/input.sh"
    return "$status"
}

lay_network
mapfile -d '' options < <(labels_and_env)
hs bake --docker distro "${options[@]}" --format imagebuilder >"$work/image.yaml"
copy_root bookworm image
boot
wait_for 60 'its first boot is over' on_host cloud-init status --wait
before=$(machine_ids)
check_refused 'validate refuses a host that was not baked' 'hostseed: dockerd is not installed' \
    run_phase "$work/image.yaml" validate on_host
run_phase "$work/image.yaml" build on_host >"$work/bake.out" 2>&1 || { cat "$work/bake.out"; fail 'the build phase'; }
told 'the build phase has run'
check_same 'docker was not started' inactive "$(on_host systemctl show docker --property=ActiveState --value)"
check 'validate takes it' run_phase "$work/image.yaml" validate on_host
stop_host
check_image "$work/bake.out"
check_same 'the machine-id is untouched' "$before" "$(machine_ids)"
image=$root

copy_root "$image" nobody
boot
check_waits
check 'test takes it' run_phase "$work/image.yaml" test on_host
stop_host

# bake_and_boot MACHINE: an image with that one's identity, and a host of it.
bake_and_boot() {
    hs render "$1" --format imagebuilder --out "$work/$1.yaml"
    copy_root bookworm "$1"
    run_phase "$work/$1.yaml" build in_chroot >"$work/bake.out" 2>&1 || { cat "$work/bake.out"; fail 'the build phase'; }
    check "validate takes the image of $1" run_phase "$work/$1.yaml" validate in_chroot
    cp "$work/store/machines/$1/key.pem" "$root/etc/docker/key.pem"
    check_refused "validate refuses the client's key" 'must not be in an image: /etc/docker/key.pem' \
        run_phase "$work/$1.yaml" validate in_chroot
    rm "$root/etc/docker/key.pem"
    boot
    check "test takes a host of it" run_phase "$work/$1.yaml" test on_host
}

create_without_address fleet --docker distro
bake_and_boot fleet
check_refused 'validate refuses an image in which a host has made its key' 'must not be in an image: /etc/docker/server-key.pem' \
    run_phase "$work/fleet.yaml" validate on_host
stop_host

create_machine web1 --docker distro
bake_and_boot web1
wait_for_answer web1
check 'docker version answers' with_env web1 docker version
chmod 0644 "$root/etc/docker/server-key.pem"
check_refused 'validate refuses a key that all can read' 'server-key.pem is missing, does not have mode 600' \
    run_phase "$work/web1.yaml" validate on_host
chmod 0600 "$root/etc/docker/server-key.pem"
sed 's/{1\.\.60}/{1..2}/' "$work/web1.yaml" >"$work/impatient.yaml"
sed -i 's/ --tlsverify / --tlsverify=false /' "$root/etc/systemd/system/docker.service.d/10-machine.conf"
on_host sh -c 'systemctl daemon-reload && systemctl restart docker.service'
check_refused 'validate refuses that drop-in' 'has no --tlsverify' run_phase "$work/web1.yaml" validate on_host
check_refused 'test refuses a host that serves everybody' 'Docker serves clients without a certificate' \
    run_phase "$work/impatient.yaml" test on_host
on_host systemctl stop docker.socket docker.service
check_refused 'test refuses a host that does not answer' 'nothing answers on port 2376' \
    run_phase "$work/impatient.yaml" test on_host
