# shellcheck shell=bash
# Packer logs in to a host that is there already, as a user who may sudo and as root, and bakes Docker into it; a copy of
# that waits without an identity, and another becomes web1.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

for program in packer ssh-keygen; do
    command -v "$program" >/dev/null || die "\`$program\` is missing: run tests/boot/install"
done
export CHECKPOINT_DISABLE=1 PACKER_CONFIG=$work/packer.json PACKER_CACHE_DIR=$work/packer-cache PACKER_NO_COLOR=1

# with_login: `root` lets `builder` and root log in over SSH with the key of this case, and builder sudo.
with_login() {
    local home
    in_chroot apt-get -q update
    in_chroot env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install openssh-server
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
    in_chroot useradd --create-home --shell /bin/bash builder
    echo 'builder ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/builder"
    for home in /root /home/builder; do
        install -D -m 0600 "$work/key.pub" "$root/$home/.ssh/authorized_keys"
        in_chroot chown -R --reference="$home" "$home/.ssh"
    done
}

# packer_build USER: prints what Packer says.
packer_build() {
    packer build -var ssh_host="$address" -var ssh_username="$1" -var ssh_private_key_file="$work/key" "$work/packer"
}

lay_network
mapfile -d '' options < <(labels_and_env)
hs bake --docker distro "${options[@]}" --format packer --out "$work/packer"
check 'packer finds the template valid' packer validate -var ssh_host="$address" "$work/packer"
ssh-keygen -q -t ed25519 -N '' -f "$work/key"

copy_root bookworm image
with_login >"$work/with-login.out" 2>&1 || { cat "$work/with-login.out"; fail 'the host gets an sshd'; }
boot
wait_for 60 'sshd listens' answers_tcp "$address" 22
wait_for 60 'its first boot is over' on_host cloud-init status --wait
before=$(machine_ids)
packer_build builder >"$work/bake.out" 2>&1 || { cat "$work/bake.out"; fail 'packer bakes, by sudo'; }
told 'packer has baked, by sudo'
check 'packer is content' grep -q "^Build 'null.host' finished" "$work/bake.out"
check_same 'docker was not started' inactive "$(on_host systemctl show docker --property=ActiveState --value)"
check_not 'no daemon runs' on_host pgrep -x dockerd
check_not 'the port is closed' answers_tcp "$address" 2376

packer_build root >"$work/again.out" 2>&1 || { cat "$work/again.out"; fail 'packer bakes again, as root'; }
told 'packer has baked again, as root'
check_same 'docker was not started by that either' inactive "$(on_host systemctl show docker --property=ActiveState --value)"
check_same 'nothing of packer is left' '' "$(find "$root/tmp" "$root/home/builder" "$root/root" -name '*script*' -o -name '.hostseed*')"
stop_host
check_image "$work/bake.out"
check_same 'the machine-id is untouched' "$before" "$(machine_ids)"
image=$root

# A script that fails is the build's failure, and does not stay on the host.
mkdir "$work/packer-fails"
cp "$work/packer"/*.pkr.hcl "$work/packer-fails"
printf 'exit 7\n' >"$work/packer-fails/bake.sh"
copy_root "$image" failing
boot
wait_for 60 'sshd listens again' answers_tcp "$address" 22
check_refused 'packer fails where the bake fails' 'exit status: 7|non-zero exit status: 7' \
    packer build -var ssh_host="$address" -var ssh_private_key_file="$work/key" "$work/packer-fails"
check_not 'and the script is gone' test -e "$root/root/.hostseed-bake"
stop_host

copy_root "$image" nobody
boot
check_waits
stop_host

create_machine web1 --docker none
copy_root "$image" web1
give_seed "$work/store/machines/web1/user-data"
boot
check_ready web1
