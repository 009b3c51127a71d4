# shellcheck shell=bash
# Docker from a repository laid out as Docker's own, on a private mirror with a key of its own, and not the newest version.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

trust() { (cd "$root/etc/apt" && find . -path '*trusted*' -printf '%p %s\n' | sort); }

lay_network
serve_official_repository bookworm
mapfile -d '' options < <(labels_and_env)
create_machine web1 --docker official --docker-mirror "$official" --docker-key-fingerprint "$fingerprint" \
    --docker-version 20.10.23 "${options[@]}"

copy_root bookworm web1
trusted=$(trust)
give_seed "$work/store/machines/web1/user-data"
boot
check_ready web1

packages='containerd.io 1.6.20-1
docker-buildx-plugin 0.10.4-1~debian.12~bookworm
docker-ce 5:20.10.23-1~debian.12~bookworm
docker-ce-cli 5:20.10.23-1~debian.12~bookworm
docker-compose-plugin 0.10.4-1~debian.12~bookworm'
check_same 'the packages are the official ones, in the version asked for' "$packages" \
    "$(on_host dpkg-query --show --showformat='${Package} ${Version}\n' 'docker*' 'containerd*' | grep ' .' | sort)"
check_same 'the daemon is the official one' /usr/bin/dockerd \
    "$(on_host readlink "/proc/$(on_host systemctl show docker --property=MainPID --value)/exe")"
check_same 'apt trusts the key for this repository alone' "$trusted" "$(trust)"
check 'the package lists can be fetched again' on_host apt-get update --error-on=any
