# shellcheck shell=bash
# Nobody knows yet where the machine will be: its host makes its own certificate, and another one when it is reached by a
# further address, under a container that goes on running, and when it comes up at quite another one.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

# client_by_issuer NAME USES: a client's pair for those extended key usages, made with the boot issuer's key.
client_by_issuer() {
    local stored=$work/store/machines/web1 made=$work/$1
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=root \
        -keyout "$made-key.pem" -out "$made.request" 2>"$work/openssl.out"
    printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature "extendedKeyUsage=$2" >"$made.uses"
    openssl x509 -req -in "$made.request" -CA "$stored/issuer.pem" -CAkey "$stored/issuer-key.pem" -days 30 \
        -extfile "$made.uses" -out "$made.leaf" 2>"$work/openssl.out"
    cat "$made.leaf" "$stored/issuer.pem" >"$made.pem"
    check "a certificate for $2 is made with the boot issuer" \
        openssl verify -CAfile "$stored/ca.pem" -untrusted "$stored/issuer.pem" "$made.leaf"
    client_files "$1" web1 "$made.pem" "$made-key.pem"
}

refusals() { on_host journalctl --quiet --output=cat --unit=docker.service --grep='incompatible key usage' | wc -l; }
more_refusals_than() { (($(refusals) > $1)); }

# check_client_by_issuer NAME USES: who has read web1's user-data commands nothing.
check_client_by_issuer() {
    local before
    client_by_issuer "$1" "$2"
    before=$(refusals)
    check_refused 'curl with it: refused' 'alert.*bad certificate' curl_with "$1"
    wait_for 10 'because of what it is for, says the daemon' more_refusals_than "$before"
    check_refused 'docker with it: refused' 'certificate|connection reset|broken pipe' docker_with "$1"
    wait_for 10 'because of what it is for, says the daemon' more_refusals_than $((before + 1))
}

# restart_docker: as an operator does. After three starts in a minute systemd refuses the next.
restart_docker() { on_host systemctl reset-failed docker && on_host systemctl restart docker; }

lay_network
mapfile -d '' options < <(labels_and_env)
create_without_address web1 --docker distro "${options[@]}"
check 'render repeats the stored user-data' cmp <(hs render web1) "$work/store/machines/web1/user-data"

copy_root bookworm web1
give_seed "$work/store/machines/web1/user-data"
boot
record_address web1
wait_for_answer web1
wait_for_cloud_init
check_cloud_init
check_console web1
check_client web1
check_host web1
check 'cloud-init finds the user-data valid' on_host cloud-init schema --system
check_second_run
check_idle ''
check_containers web1
check_client_by_issuer by-issuer clientAuth
check_client_by_issuer by-issuer-for-both clientAuth,serverAuth

run_on web1 stays
life=$(life_of web1 stays)
key=$(server_key)
first=$address second=198.18.$slot.3 third=198.18.$slot.4
also_at "$second"
check_refused "the certificate does not cover $second yet" "not $second" with_env "web1@$second" docker version
check 'hostseed-issue.service runs' look_after
wait_for_answer "web1@$second"
check "docker answers at $first still" with_env web1 docker version
check 'the console tells why' console_has "issued a certificate until .*the old one lacks IP:$second"
check_not 'the key is another one' test "$key" = "$(server_key)"
check_same 'the container is the same process, running' "$life" "$(life_of web1 stays)"
check_idle ' again'
check_same 'env --address recorded nothing' "$first" "$(hs ip web1)"

only_at "$third"
record_address web1
check_after_reboot web1
check 'the console tells why' console_has "issued a certificate until .*the old one lacks IP:$third"
check 'the container that ran is there, too' grep -qx stays <<<"$(with_env web1 docker ps --all --format '{{.Names}}')"
check_issued web1
check_same 'it was made before the daemon started, which started once' 1 \
    "$(on_host journalctl --quiet --boot --output=cat --unit=docker.service | grep -c '^Starting docker.service' || true)"
check 'status.json says ready still' status_is ready

echo '{"live-restore": false}' >"$root/etc/docker/daemon.json"
check 'docker starts with a daemon.json that has live-restore, too' restart_docker
check_same "and that is the operator's" false "$(with_env web1 docker info --format '{{.LiveRestoreEnabled}}')"
check 'so the host can become a Swarm' with_env web1 docker swarm init --advertise-addr 127.0.0.1
rm "$root/etc/docker/daemon.json"
check 'docker starts as one, without that daemon.json' restart_docker
check_same 'since there is no live-restore in a Swarm' 'active false' \
    "$(with_env web1 docker info --format '{{.Swarm.LocalNodeState}} {{.LiveRestoreEnabled}}')"
