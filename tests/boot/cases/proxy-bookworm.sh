# shellcheck shell=bash
# A host that reaches nothing but a proxy: its package manager, curl and dockerd use it, and an admin may use docker.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

lay_network
fingerprint=$("$tests/official-repository" "$work/official" "$(kept_root dockers_files bookworm)" bookworm)
proxy_port=3128
"$tests/mirror.py" "$outside" "$proxy_port" "$(upstream_mirror)" "$cache/mirror" "docker.example.com=$work/official/www" \
    >"$work/proxy.log" 2>&1 &
background+=($!)
wait_for 10 "a proxy listens at $outside:$proxy_port" answers_tcp "$outside" "$proxy_port"

mapfile -d '' options < <(labels_and_env)
create_machine web1 --proxy "http://$outside:$proxy_port" --no-proxy "localhost,.internal.example.com" \
    --docker official --docker-mirror http://docker.example.com --docker-key-fingerprint "$fingerprint" --docker-group admin "${options[@]}"

copy_root bookworm web1
chroot "$root" useradd --create-home admin
# Names that only a proxy can reach: the host has no name server, and no route beyond its cable.
sed -i 's|http://[^ ]*|http://debian.example.com|' "$root/etc/apt/sources.list"
give_seed "$work/store/machines/web1/user-data"
boot
check_ready web1

asked() { grep -q "\"$1" "$work/proxy.log"; }
check 'apt asked the proxy for the distribution' asked 'GET http://debian.example.com/dists/bookworm/InRelease'
check "and for Docker's packages" asked 'GET http://docker.example.com/linux/debian/dists/bookworm/pool/stable/'
check 'curl asked it for the key' asked 'GET http://docker.example.com/linux/debian/gpg'
check_not 'a registry does not exist' with_env web1 docker pull registry.example.com/none
check 'and dockerd asked the proxy for it' asked 'CONNECT registry.example.com:443'
check_not 'one without the proxy neither' with_env web1 docker pull registry.internal.example.com/none
check_not 'and dockerd did not ask the proxy for it' asked 'CONNECT registry.internal.example.com:443'
check_same 'docker info shows the proxy' "http://$outside:$proxy_port" "$(with_env web1 docker info --format '{{.HTTPProxy}}')"
check 'the admin uses docker on the host' on_host su admin -c 'docker version'
