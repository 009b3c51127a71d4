# shellcheck shell=bash
# A running host gets new certificates through Docker's API alone: it checks them, restarts Docker with them, and puts the old ones back when
# Docker does not answer with them. Clients are cut off and collide, and the host is rebooted in between.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

# served: the fingerprint of what the daemon shows. s_client fails, because it has no client certificate.
served() {
    { openssl s_client -connect "$address:2376" </dev/null 2>/dev/null || true; } | openssl x509 -noout -fingerprint -sha256
}
stored() { openssl x509 -noout -fingerprint -sha256 -in "$work/store/machines/$1/server.pem"; }
state_is() { grep -q "\"state\":\"$1\"" "$root/etc/docker/hostseed.result"; }

# in_background: renews on, and leaves the status and what was said in $work/renewal.
in_background() {
    (hs renew --apply web1 >"$work/renewal" 2>&1 && echo succeeded >>"$work/renewal" || echo failed >>"$work/renewal") &
    renewal=$!
}

# slowly: docker.service takes that many seconds to start, so that something can happen in between.
slowly() {
    mkdir -p "$root/etc/systemd/system/docker.service.d"
    printf '[Service]\nExecStartPre=%s\n' "$1" >"$root/etc/systemd/system/docker.service.d/05-test.conf"
    on_host systemctl daemon-reload
}

# leaves_nothing MACHINE: no container, image or file of the change stays.
leaves_nothing() {
    [[ -z $(with_env "$1" docker ps --all --quiet --filter name=hostseed-apply) ]] &&
        [[ -z $(with_env "$1" docker images --all --quiet --filter label=hostseed.apply) ]] &&
        [[ -z $(find "$root/etc/docker" -name 'hostseed.*' ! -name hostseed.result) ]]
}

lay_network
create_machine web1 --docker distro --engine-opt live-restore=true
copy_root bookworm web1
give_seed "$work/store/machines/web1/user-data"
boot
wait_for_answer web1
wait_for_cloud_init
check_cloud_init
check_console web1
check_containers web1
run_on web1 stays
life=$(life_of web1 stays)
check 'the host waits for new files' on_host systemctl is-active hostseed-apply.path

first=$(served)
check 'hostseed renew --apply web1' hs renew --apply web1
check_not 'the daemon shows another certificate' test "$first" = "$(served)"
check_same 'that of the store' "$(stored web1)" "$(served)"
check 'docker version answers' with_env web1 docker version
check_not 'the old files are deleted' test -e "$work/store/machines/web1/previous"
check 'nothing is left' leaves_nothing web1
check_same 'the container is the same process, running' "$life" "$(life_of web1 stays)"
check_same 'the key is for root alone' '600 root root' "$(stat --format '%a %U %G' "$root/etc/docker/server-key.pem")"
check 'the console tells of it' console_has 'hostseed\[web1\]: new files: applied'

# The host refuses what is damaged, and does not restart Docker.
first=$(served) process=$(docker_process)
on_host systemctl stop hostseed-apply.path
in_background
wait_for 60 'a set is there' test -e "$root/etc/docker/hostseed.next/ready"
cp "$root/etc/docker/server-key.pem" "$root/etc/docker/hostseed.next/server-key.pem"
check_refused 'another client is told of the first one' 'error\[host-busy\].* changes the host since' hs renew --apply web1
on_host systemctl start hostseed-apply.path
wait "$renewal"
check 'damaged files are refused' grep -q 'error\[not-applied\].*missing or damaged' "$work/renewal"
check_same 'the daemon is the same process' "$process" "$(docker_process)"
check_same 'with the same certificate' "$first" "$(served)"
check 'nothing is left' leaves_nothing web1

# Docker does not start with the new files.
cp "$root/etc/docker/server.pem" "$root/etc/docker/proved.pem"
slowly '/usr/bin/cmp /etc/docker/server.pem /etc/docker/proved.pem'
check_refused 'Docker fails with the new files' 'error\[not-applied\].*has the old ones again' hs renew --apply web1
check_same 'the daemon has the old certificate again' "$first" "$(served)"
check 'docker version answers' with_env web1 docker version
check 'nothing is left' leaves_nothing web1
check_same 'the container is the same process, running' "$life" "$(life_of web1 stays)"

# The power fails when the old files are kept and the new ones are not proved.
slowly '/bin/sleep 5'
in_background
wait_for 60 'the swap has begun' test -e "$root/etc/docker/hostseed.prev/complete"
stop_host
told 'the power fails'
boot
wait "$renewal"
check 'the host goes on after the boot, and the client has waited' grep -qx succeeded "$work/renewal"
check_same 'the daemon shows the certificate of the store' "$(stored web1)" "$(served)"
check 'nothing is left' leaves_nothing web1

# The network fails at ten moments: of the connection, the upload, the checks, the restart and the proof.
slowly '/bin/sleep 1'
for moment in 0 0.1 0.3 0.6 0.9 1.2 1.6 2 2.5 3.2; do
    first=$(served)
    in_background
    sleep "$moment"
    ip link set "hostseed$slot" down
    sleep 2
    ip link set "hostseed$slot" up
    wait "$renewal"
    told "the network failed after $moment s: $(tail -n 1 "$work/renewal")"
    grep -qx succeeded "$work/renewal" || check 'the same command goes on' hs renew --apply web1
    check_not 'the daemon shows another certificate' test "$first" = "$(served)"
    check_same 'that of the store' "$(stored web1)" "$(served)"
    check 'nothing is left' leaves_nothing web1
done

# A host that was created before hostseed had these units.
rm "$root/etc/systemd/system/docker.service.d/05-test.conf"
on_host systemctl disable --quiet --now hostseed-apply.path
rm "$root"/etc/systemd/system/hostseed-apply.*
on_host systemctl daemon-reload
check_refused 'a host without the units' 'error\[no-apply-units\]' hs renew --apply web1
check 'hostseed renew --apply --install-units web1' hs renew --apply --install-units web1
check_same 'the units are installed' enabled "$(on_host systemctl is-enabled hostseed-apply.path)"
check_same 'the daemon shows the certificate of the store' "$(stored web1)" "$(served)"
check 'nothing is left' leaves_nothing web1

# A new CA in three steps. A second client polls the whole time, and sees no failure but those of the restarts.
next_step() { hs renew --authority --apply --yes web1; }
cas() { grep -c BEGIN "$1/ca.pem"; }
# watch_host: polls with the files of the folder that $work/alice is a link to.
watch_host() {
    while :; do
        { with_files "$(readlink -f "$work/alice")" docker version --format ok 2>&1 || true; } | tail -n 1
        sleep 0.2
    done
}
with_files() {
    local files=$1
    shift
    env DOCKER_HOST="tcp://$address:2376" DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH="$files" "$@"
}
run_on web1 remains
life=$(life_of web1 remains)
hs client web1 --cn alice --quiet --out "$work/alice1"
ln -s alice1 "$work/alice"
watch_host >"$work/watched" &
watcher=$!
background+=("$watcher")

check 'step 1: both trust both CAs' next_step
check_same 'the host has two CAs' 2 "$(cas "$root/etc/docker")"
check 'hostseed check web1' hs check web1
check 'docker version answers' with_env web1 docker version
check_refused 'step 2 would lock the second client out' 'error\[clients-of-old-ca\]' next_step
check 'the second client gets new files' hs client web1 --cn alice --quiet --out "$work/alice2"
ln -sfn alice2 "$work/alice3" && mv -T "$work/alice3" "$work/alice"
slowly '/usr/bin/cmp /etc/docker/server.pem /etc/docker/proved.pem'
cp "$root/etc/docker/server.pem" "$root/etc/docker/proved.pem"
first=$(served)
check_refused 'step 2: Docker fails with the new certificate' 'error\[not-applied\].*has the old ones again' next_step
check_same 'the daemon has the old certificate again' "$first" "$(served)"
rm "$root/etc/systemd/system/docker.service.d/05-test.conf"
on_host systemctl daemon-reload
check 'step 2: the host gets the new certificate' next_step
check_not 'the daemon shows another certificate' test "$first" = "$(served)"
check_same 'that of the store' "$(stored web1)" "$(served)"
check 'hostseed check web1' hs check web1
check 'step 3: both trust the new CA alone' next_step
check_same 'the host has one CA' 1 "$(cas "$root/etc/docker")"
check 'docker version answers' with_env web1 docker version
check_refused 'the old files of the second client: refused' 'certificate|connection reset|broken pipe' \
    with_files "$work/alice1" docker version
sleep 1
check 'the second client polls to the end' kill "$watcher"
wait "$watcher" 2>/dev/null || true
told "the second client has seen: $(sort "$work/watched" | uniq -c | tr '\n' ';')"
check_not 'the second client was never refused' grep -Eiq 'x509|certificate|tls:' "$work/watched"
check 'it was answered' test "$(grep -cx ok "$work/watched")" -ge 20
# Each of the three steps restarts Docker, and the step that fails does so twice.
check 'it was interrupted by the restarts alone' test "$(sed 's/^ok$/+/; t; s/.*/-/' "$work/watched" | uniq | grep -c -- -)" -le 5
check 'nothing is left' leaves_nothing web1
check_same 'the container is the same process, running' "$life" "$(life_of web1 remains)"

# At once: the client that is lost has no access any more.
cp "$work/store/machines/web1/cert.pem" "$work/lost.pem"
cp "$work/store/machines/web1/key.pem" "$work/lost-key.pem"
client_files lost web1 "$work/lost.pem" "$work/lost-key.pem"
check 'the client that will be lost: answers' docker_with lost
check 'hostseed renew --authority --apply --at-once web1' hs renew --authority --apply --at-once --yes web1
check_same 'the daemon shows the certificate of the store' "$(stored web1)" "$(served)"
check 'docker version answers' with_env web1 docker version
client_files lost web1 "$work/lost.pem" "$work/lost-key.pem"
check_refused 'the lost client: refused' 'certificate|connection reset|broken pipe' docker_with lost
check 'nothing is left' leaves_nothing web1
