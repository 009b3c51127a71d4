# shellcheck shell=bash
# A host's own certificate comes to its end: with a third of its life to go nothing is done, soon after there is another
# one, and no container has noticed. The CA and the boot issuer are signed by openssl in the past, since a container
# cannot set the clock, and hostseed makes nothing by a clock before its release.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

# issued_before DAYS: the host's certificate is now one that it has issued then.
issued_before() {
    check "a certificate is issued $1 days ago" on_host_at "-$1d" /usr/local/lib/hostseed/issue
    check "it has $((90 - $1)) days left" openssl x509 -in "$root/etc/docker/server.pem" -noout \
        -checkend $(((90 - $1) * 86400 - 600))
    check_not 'and no more' openssl x509 -in "$root/etc/docker/server.pem" -noout -checkend $(((90 - $1) * 86400))
    wait_for 60 'docker has it' serves_the_pair
    check 'docker version answers' with_env web1 docker version
}

# serves_the_pair: whether the daemon shows the certificate that is in place.
serves_the_pair() {
    [[ $(openssl x509 -in "$root/etc/docker/server.pem" -noout -fingerprint -sha256) == \
        "$(openssl s_client -connect "$address:2376" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256)" ]]
}

# in_the_past COMMAND…: 65 days ago.
in_the_past() { faketime '-65 days' "$@"; }

# sign_again CA CERTIFICATE KEY: a certificate is signed again, with the same contents, 65 days ago.
sign_again() {
    openssl x509 -x509toreq -copy_extensions copy -in "$2" -signkey "$3" -out "$work/request"
    in_the_past openssl x509 -req -copy_extensions copy -days 730 -in "$work/request" -CA "$1/ca.pem" -CAkey "$1/ca-key.pem" -out "$2"
}

lay_network
mkdir "$work/ca"
check 'there is a CA, made 65 days ago' in_the_past openssl req -x509 -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
    -subj /O=example -days 730 -addext keyUsage=critical,keyCertSign -keyout "$work/ca/ca-key.pem" -out "$work/ca/ca.pem"
check 'hostseed create web1' hs create web1 --docker distro --ca "$work/ca" --boot-issuer
stored=$work/store/machines/web1
check 'its boot issuer was made 65 days ago' sign_again "$work/ca" "$stored/issuer.pem" "$stored/issuer-key.pem"
check 'hostseed render web1' hs render web1 -o "$work/user-data"

copy_root bookworm web1
carry_clock
give_seed "$work/user-data"
boot
record_address web1
wait_for_answer web1
wait_for_cloud_init
check_cloud_init
check_console web1
check_containers web1
run_on web1 stays
life=$(life_of web1 stays)

issued_before 59
check_idle ' with 31 days left'

issued_before 61
pair=$(server_pair) key=$(server_key) process=$(docker_process)
check 'hostseed-issue.service runs with 29 days left' look_after
check_not 'the certificate is another one' test "$pair" = "$(server_pair)"
check_not 'the key is another one' test "$key" = "$(server_key)"
check 'it has its whole life before it' openssl x509 -in "$root/etc/docker/server.pem" -noout -checkend $((89 * 86400))
check 'the console tells why' console_has 'issued a certificate until .*less than a third of its life left'
wait_for 60 'docker has it' serves_the_pair
check_not 'the daemon is another process' test "$process" = "$(docker_process)"
check 'docker version answers' with_env web1 docker version
check_same 'the container is the same process, running' "$life" "$(life_of web1 stays)"
check_idle ' again'
check 'status.json says ready still' status_is ready
