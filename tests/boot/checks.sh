# shellcheck shell=bash
# The client's side, and what is asked of a booted host: by the real docker CLI, by curl, by systemd, by cloud-init.

hs() { "$hostseed" --store "$work/store" "$@"; }

# env_of MACHINE[@ADDRESS]: what `hostseed env` prints, for that address where one is said.
env_of() {
    local at=()
    [[ $1 != *@* ]] || at=(--address "${1#*@}")
    hs env "${1%%@*}" "${at[@]}" --shell bash
}

# with_env MACHINE[@ADDRESS] COMMAND…: under what `hostseed env` prints.
with_env() {
    local environment
    environment=$(env_of "$1") || return
    shift
    (
        eval "$environment"
        timeout "${CLIENT_LIMIT:-20}" "$@"
    )
}

# Values that a careless template, a shell or systemd would change.
# shellcheck disable=SC1003 # as written, that is the point
nasty=(
    "  two  spaces  "
    "it's 'single' quoted"
    'it is "double" quoted'
    '$HOME ${HOME} $$ `id`'
    '%n %h %% 100%'
    'back\slash \n \x41 \\'
    'grün — 日本語 🐳'
    ';# = , end;'
)

# labels_and_env: prints, NUL-separated, options that give each nasty value to a label and to the engine's environment.
labels_and_env() {
    local number
    for number in "${!nasty[@]}"; do
        printf '%s\0' --engine-label "nasty$number=${nasty[$number]}" --engine-env "NASTY$number=${nasty[$number]}"
    done
}

# create_machine NAME OPTION…
create_machine() {
    check "hostseed create $1" hs create "$1" --address "$address" "${@:2}"
}

# create_without_address NAME OPTION…: the host is to find out where it is, and to issue its own certificate.
create_without_address() {
    check "hostseed create $1, without an address" hs create "$@"
    check 'there is a boot issuer' issues "$1"
    check_same 'and nothing of a server' '' "$(find "$work/store/machines/$1" -name 'server*')"
}

# issues MACHINE: whether its host issues its own certificate.
issues() { [[ -s $work/store/machines/$1/issuer.pem ]]; }

record_address() { check "hostseed address $1 $address" hs address "$1" "$address"; } # MACHINE

status_is() {
    /usr/bin/python3 - "$root/var/lib/hostseed/status.json" "$1" <<'PY'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    sys.exit(json.load(file)["state"] != sys.argv[2])
PY
}

# plain_http: the status, 000 where nothing listens, and the body of what the port says without TLS.
plain_http() {
    : >"$work/plain"
    curl --silent --max-time 5 --output "$work/plain" --write-out '%{http_code} ' "http://$address:2376/version" || true
    cat "$work/plain"
}

# wait_for_answer MACHINE[@ADDRESS]: until the docker CLI gets one. All the while plain HTTP must get none.
wait_for_answer() {
    local limit=$((SECONDS + ${ANSWER_LIMIT:-300})) plain
    until with_env "$1" docker version >/dev/null 2>&1; do
        plain=$(plain_http | cut -c 1-3)
        [[ $plain == 000 || $plain == 400 ]] || fail "plain HTTP was answered with $plain during the boot"
        host_is_up || fail 'the host went down'
        ! status_is failed 2>/dev/null || fail "setup failed: $(<"$root/var/lib/hostseed/status.json")"
        ! grep -qs '"errors": \[[^]]' "$root/var/lib/cloud/data/result.json" || fail 'cloud-init ended with errors'
        ((SECONDS < limit)) || fail 'docker does not answer within the time'
        sleep 0.5
    done
    told 'docker answers'
}

wait_for_cloud_init() {
    check 'cloud-init comes to its end' timeout 300 nsenter --all --target "$leader" -- cloud-init status --wait
    told 'cloud-init has ended'
}

cloud_init_is_content() {
    local json=$work/cloud-init-status.json
    on_host cloud-init status --long
    on_host cloud-init status --format json >"$json"
    /usr/bin/python3 - "$json" <<'PY'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    status = json.load(file)
assert status["status"] == "done", status
assert not status["errors"], status
assert not status.get("recoverable_errors"), status
PY
}

check_cloud_init() { check 'cloud-init is done, without errors' cloud_init_is_content; }

console_has() { grep -Eq -- "$1" "$console"; }

# check_console MACHINE: each step, and the verdict.
check_console() {
    local step
    for step in 1 2 3 4 5 6; do
        check "the console shows step $step/6" console_has "hostseed\[$1\]: $step/6 .+"
    done
    check 'the console shows the verdict' \
        console_has "hostseed\[$1\]: ready: docker .+ answers on port 2376 with this machine's certificate"
}

# check_client MACHINE: the real docker CLI under the environment that hostseed prints.
check_client() {
    local machine=$1 number labels
    local stored=$work/store/machines/$machine stranger=$work/store/machines/stranger
    check 'docker version answers' with_env "$machine" docker version
    check 'hostseed check agrees' hs check "$machine"
    check 'docker is reached by its address' grep -Fq "DOCKER_HOST=\"tcp://$address:2376\"" <(env_of "$machine")

    labels=$(with_env "$machine" docker info --format '{{json .Labels}}')
    for number in "${!nasty[@]}"; do
        check "docker info shows the label: ${nasty[$number]}" \
            /usr/bin/python3 -c 'import json, sys; assert sys.argv[2] in json.loads(sys.argv[1]), sys.argv[1]' \
            "$labels" "nasty$number=${nasty[$number]}"
        check "the engine's environment has: ${nasty[$number]}" engine_has "NASTY$number=${nasty[$number]}"
    done

    check_refused 'plain HTTP: refused' 'HTTP request to an HTTPS server' docker -H "tcp://$address:2376" version
    check_same 'plain HTTP, curl: status 400 and no data' '400 Client sent an HTTP request to an HTTPS server.' "$(plain_http)"

    # With TLS 1.3 a client may have written before it reads the refusal, and then sees a broken connection instead.
    local refused='certificate|connection reset|broken pipe'
    [[ -d $stranger ]] || hs create stranger --address "$address" >/dev/null 2>&1
    client_files none "$machine"
    check_refused 'no client certificate: refused' "$refused" docker_with none
    client_files foreign "$machine" "$stranger/cert.pem" "$stranger/key.pem"
    check_refused 'the client certificate of another machine: refused' "$refused" docker_with foreign
    client_files role "$machine" "$root/etc/docker/server.pem" "$root/etc/docker/server-key.pem"
    check_refused "this machine's own server certificate as a client's: refused" "$refused" docker_with role
    check_refused "another machine's environment does not trust this host" 'unknown authority' with_env stranger docker version

    # The docker CLI may see that its certificate is not among those asked for, and send none; curl sends what it was given.
    # With TLS 1.2 it reads the refusal as such.
    client_files own "$machine" "$stored/cert.pem" "$stored/key.pem"
    check "curl with this machine's client certificate: answers" curl_with own
    check_refused "curl with another machine's: refused" 'alert.*(unknown ca|bad certificate)' curl_with foreign
    check_refused "curl with the server's: refused" 'alert.*(unsupported|bad) certificate' curl_with role
}

# client_files NAME MACHINE [CERTIFICATE KEY]: a folder for DOCKER_CERT_PATH that trusts the machine and has that pair.
client_files() {
    local folder=$work/client-$1
    mkdir -p "$folder"
    cp "$work/store/machines/$2/ca.pem" "$folder/ca.pem"
    if (($# > 2)); then
        cp "$3" "$folder/cert.pem"
        cp "$4" "$folder/key.pem"
    fi
}

docker_with() {
    env DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH="$work/client-$1" timeout 20 docker -H "tcp://$address:2376" version
}

curl_with() {
    local folder=$work/client-$1
    curl --silent --show-error --fail --max-time 20 --tls-max 1.2 --cacert "$folder/ca.pem" \
        --cert "$folder/cert.pem" --key "$folder/key.pem" "https://$address:2376/version"
}

engine_has() {
    local pid
    pid=$(on_host systemctl show docker --property=MainPID --value)
    grep -Fzxq -- "$1" <(on_host cat "/proc/$pid/environ")
}

# check_host MACHINE: what lies on the host, and who may read it.
check_host() {
    local machine=$1 wanted got file properties
    local stored=$work/store/machines/$machine from_seed=(ca server server-key)
    wanted='/etc/docker/ca.pem 644 root root
/etc/docker/server-key.pem 600 root root
/etc/docker/server.pem 644 root root
/etc/systemd/system/docker.service.d/10-machine.conf 644 root root
/usr/local/lib/hostseed 755 root root
/usr/local/lib/hostseed/settings 600 root root
/usr/local/lib/hostseed/setup 755 root root
/var/lib/hostseed/status.json 600 root root
/var/log/hostseed.log 600 root root'
    if issues "$machine"; then
        from_seed=(ca issuer issuer-key)
        wanted+='
/etc/docker/issuer-key.pem 600 root root
/etc/docker/issuer.pem 644 root root
/etc/systemd/system/hostseed-issue.service 644 root root
/etc/systemd/system/hostseed-issue.timer 644 root root
/usr/local/lib/hostseed/issue 755 root root'
    fi
    # shellcheck disable=SC2046 # one word a path
    got=$(on_host stat --dereference --format '%n %a %U %G' $(cut -d ' ' -f 1 <<<"$wanted"))
    check_same 'files on the host: modes and owners' "$wanted" "$got"
    for file in "${from_seed[@]}"; do
        check "/etc/docker/$file.pem is the stored one" cmp "$root/etc/docker/$file.pem" "$stored/$file.pem"
    done
    check_not 'the staging folder is gone' test -e "$root/var/lib/hostseed/seed"
    check_not 'the log holds no key' grep -q 'PRIVATE KEY' "$root/var/log/hostseed.log"
    check "the host has the key of ${from_seed[1]}.pem" key_on_host "$stored/${from_seed[2]}.pem"
    check_not "the host does not have the client's key" key_on_host "$stored/key.pem"
    check_not "the host does not have the authority's key" key_on_host "$work/store/certs/$machine/ca-key.pem"
    check 'status.json says ready' status_is ready
    properties=$(on_host systemctl show docker --property=DropInPaths,ExecStart,UnitFileState,ActiveState)
    check 'systemd has the drop-in' \
        grep -q '^DropInPaths=.*/etc/systemd/system/docker.service.d/10-machine.conf' <<<"$properties"
    check 'systemd starts dockerd as the drop-in says' \
        grep -q '^ExecStart=.*dockerd .*tcp://0.0.0.0:2376 .*--tlsverify' <<<"$properties"
    check 'docker is enabled and active' test "$(grep -Exc 'UnitFileState=enabled|ActiveState=active' <<<"$properties")" = 2
    check 'docker answers on its own socket, too' on_host docker version
    check_same 'the daemon was started once, with all of this in place' 1 \
        "$(on_host journalctl --quiet --output=cat --unit=docker.service | grep -c '^Starting docker.service' || true)"
    if issues "$machine"; then check_issued "$machine"; fi
}

# check_issued MACHINE: the pair that the host made for itself, and what looks after it.
check_issued() {
    local etc=$root/etc/docker server=$root/etc/docker/server.pem leaf
    check_same 'certificate and key are links into one folder' 'issued/server.pem issued/server-key.pem' \
        "$(readlink "$etc/server.pem") $(readlink "$etc/server-key.pem")"
    check_same 'and there is one such folder' "$(readlink "$etc/issued")" "$(cd "$etc" && ls -d issued-*)"
    leaf=$(openssl x509 -in "$server")
    check_same 'server.pem is the certificate and then its issuer' "$leaf"$'\n'"$(<"$etc/issuer.pem")" "$(<"$server")"
    check_same 'the key is its own' "$(openssl x509 -in "$server" -noout -pubkey)" \
        "$(openssl pkey -in "$etc/server-key.pem" -pubout)"
    check_same 'the certificate is for what the host is reachable as' \
        "DNS:localhost, DNS:web1, IP Address:127.0.0.1, IP Address:$address" \
        "$(openssl x509 -in "$server" -noout -ext subjectAltName | sed -n 's/^ *//; 2p')"
    check 'it ends within 90 days' openssl x509 -in "$server" -noout -checkend $((89 * 86400))
    check_not 'and not later' openssl x509 -in "$server" -noout -checkend $((90 * 86400))
    check_not 'its key is in nothing that was sent or written about it' key_in "$etc/server-key.pem" "$work/store" \
        "$root"/{etc/systemd,usr/local,var/lib/cloud,var/lib/hostseed,var/log,root}
    check_same 'both units are enabled' $'enabled\nenabled' \
        "$(on_host systemctl is-enabled hostseed-issue.service hostseed-issue.timer)"
    check 'the timer is active' on_host systemctl is-active hostseed-issue.timer
    check 'the timer has a next time' grep -q 'NextElapseUSecRealtime=.' \
        <<<"$(on_host systemctl show hostseed-issue.timer --property=NextElapseUSecRealtime)"
    check 'the console tells of the certificate' console_has "hostseed\[$1\]: issued a certificate until .*$address"
}

# docker_process: what another process would not have; nor one that is about to be restarted.
docker_process() { on_host systemctl show docker --property=MainPID,ExecMainStartTimestampMonotonic,ActiveState,Job; }

server_key() { openssl pkey -in "$root/etc/docker/server-key.pem" -pubout; }
server_pair() {
    openssl x509 -in "$root/etc/docker/server.pem" -noout -fingerprint -sha256 -enddate
    server_key
}

# look_after: what the timer does.
look_after() { on_host systemctl start hostseed-issue.service; }

# check_idle WORDS: that finds nothing to do.
check_idle() {
    local pair process
    # Where it is starting still, this waits.
    on_host systemctl start docker.service
    pair=$(server_pair)
    process=$(docker_process)
    check "hostseed-issue.service runs$1" look_after
    check_same 'the certificate is the one of before' "$pair" "$(server_pair)"
    check_same 'the daemon is the same process' "$process" "$(docker_process)"
}

# key_on_host KEY-FILE: whether a piece of that key lies where a seed or its log could have left it.
key_on_host() {
    key_in "$1" "$root"/{etc/docker,etc/systemd,usr/local,var/lib/cloud,var/lib/hostseed,var/log,root}
}

# key_in KEY-FILE FOLDER…: whether a piece of that key lies in a file there, as it is or in base64, whose letters depend
# on where in a group of three bytes the piece begins.
key_in() {
    local piece phase
    piece=$(sed -n 3p "$1" | cut -c 1-48)
    find "${@:2}" -type f -exec cat {} + | tr -d ' \r\n' >"$work/haystack"
    for phase in '' x xx; do
        printf '%s%s' "$phase" "$piece" | base64 -w 0 | cut -c 5-60
    done | grep -qF -f - -e "$piece" "$work/haystack"
}

# placed: everything that a second run could have touched.
placed() {
    on_host find /etc /usr /boot /var/lib/hostseed/ /var/lib/dpkg ! -path /var/lib/hostseed/ ! -name status.json \
        -printf '%p %m %u %g %s %T@ %i\n' | sort
    on_host sh -c 'sha256sum /etc/docker/*.pem /etc/systemd/system/docker.service.d/* /usr/local/lib/hostseed/set*'
    docker_process
}

check_second_run() {
    local before
    before=$(placed)
    check 'setup runs a second time' on_host /usr/local/lib/hostseed/setup
    check_same 'the second run changed nothing, the daemon is the same process' "$before" "$(placed)"
    check 'status.json says ready still' status_is ready
}

# check_containers MACHINE: an image goes in, a container runs, with and without a network.
check_containers() {
    tar -C / -c bin/busybox | with_env "$1" docker import - boot-test >/dev/null
    check_same 'a container runs' 'hello from within' \
        "$(with_env "$1" docker run --name kept --network none boot-test /bin/busybox echo 'hello from within')"
    check_same "a container runs in the host's network" "$address" \
        "$(with_env "$1" docker run --rm --net=host boot-test /bin/busybox sh -c \
            '/bin/busybox ip -4 -o address show host0 | /bin/busybox sed "s|.*inet \([0-9.]*\)/.*|\1|"')"
}

# run_on MACHINE NAME: a container from the image of check_containers that goes on running, until it is told to end: with
# live-restore the host's shutdown waits 90 s for one that does not listen.
run_on() {
    check "a container runs on: $2" with_env "$1" docker run --detach --name "$2" --network none boot-test \
        /bin/busybox sh -c 'trap exit TERM; /bin/busybox sleep 86400 & wait'
}

life_of() { # MACHINE NAME
    with_env "$1" docker inspect --format '{{.State.Status}} {{.State.StartedAt}} {{.State.Pid}}' "$2"
}

check_after_reboot() { # MACHINE
    local verdicts
    verdicts=$(grep -c "hostseed\[$1\]: ready" "$console")
    reboot_host
    wait_for_answer "$1"
    check 'docker version answers after a reboot' with_env "$1" docker version
    if [[ -n $(with_env "$1" docker images --quiet boot-test) ]]; then
        check 'the container of before is there' grep -qx kept <<<"$(with_env "$1" docker ps --all --format '{{.Names}}')"
        check_same 'and runs again' 'hello from within' "$(with_env "$1" docker start --attach kept)"
    fi
    wait_for_cloud_init
    check_cloud_init
    check_same 'setup did not run again by itself' "$verdicts" "$(grep -c "hostseed\[$1\]: ready" "$console")"
}

machine_ids() { find "$root/etc/machine-id" "$root/var/lib/dbus" -name machine-id -printf '%P %s %l %T@\n'; }
package_lists() { find "$root/var/lib/apt/lists" "$root/var/cache/apt" -type f ! -name lock; }

# check_image OUTPUT: `root`, in which a bake without an identity has said that.
check_image() {
    local drop_in=$root/etc/systemd/system/docker.service.d/10-machine.conf
    check 'it says so' grep -Eq 'hostseed\[image\]: baked: ' "$1"
    check 'status.json says baked' status_is baked
    check_same 'no package lists or packages are left' '' "$(package_lists)"
    check_same 'the drop-in is there' '644 root root' "$(stat --format '%a %U %G' "$drop_in")"
    check 'the drop-in waits for an identity' grep -qx 'ConditionPathExists=/etc/docker/server-key.pem' "$drop_in"
    check 'docker is enabled' test -L "$root/etc/systemd/system/multi-user.target.wants/docker.service"
    check_same 'no identity is in it' '' "$(find "$root/etc/docker" -name '*.pem' 2>/dev/null)"
    check_not 'no policy-rc.d is left' test -e "$root/usr/sbin/policy-rc.d"
    check_not 'docker has never run' test -e "$root/var/lib/docker/engine-id"
}

# check_waits: the host is of an image without an identity.
check_waits() {
    wait_for 60 'the host without an identity is up' on_host systemctl is-active multi-user.target
    wait_for 60 'its first boot is over' on_host cloud-init status --wait
    check_same 'docker waits: its condition does not hold' no \
        "$(on_host systemctl show docker --property=ConditionResult --value)"
    check_same 'docker is not active' inactive "$(on_host systemctl show docker --property=ActiveState --value)"
    check_same 'docker is enabled nonetheless' enabled "$(on_host systemctl show docker --property=UnitFileState --value)"
    check_not 'the port is closed' answers_tcp "$address" 2376
}

# check_ready MACHINE: all of it, in the order of a story.
check_ready() {
    wait_for_answer "$1"
    wait_for_cloud_init
    check_cloud_init
    check_console "$1"
    check_client "$1"
    check_host "$1"
    check_second_run
    check_containers "$1"
    check_after_reboot "$1"
}
