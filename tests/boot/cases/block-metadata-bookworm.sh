# shellcheck shell=bash
# With --block-metadata no container reaches the cloud's metadata service, over IPv4 or IPv6, whatever is restarted or emptied;
# the host does, and what else containers do works as before.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

service=169.254.169.254
service6=fd00:ec2::254

# lay_cloud: the host has a second cable, with the metadata service at its other end.
lay_cloud() {
    ip netns add "hostseed-$slot-cloud"
    ip link add cloud0 netns "hostseed-$slot" type veth peer name host0 netns "hostseed-$slot-cloud"
    in_cloud ip link set lo up
    in_cloud ip link set host0 up
    in_network ip link set cloud0 up
    in_cloud ip address add "$service/16" dev host0
    in_network ip address add 169.254.1.2/16 dev cloud0
    in_cloud ip address add "$service6/64" dev host0 nodad
    in_network ip address add fd00:ec2::1/64 dev cloud0 nodad
    in_cloud ip route add fd00:db8::/64 via fd00:ec2::1
    ip netns exec "hostseed-$slot-cloud" "$tests/metadata.py" "$service" "$service6" >"$work/metadata.log" 2>&1 &
    background+=($!)
    wait_for 10 "a metadata service listens at $service" in_network bash -c "exec 3<>/dev/tcp/$service/80"
}

in_cloud() { ip netns exec "hostseed-$slot-cloud" "$@"; }

# within COMMAND…: busybox in a container, of the network `network`.
within() { with_env web1 docker run --rm --network "$network" boot-test /bin/busybox "$@"; }

# user_data_within ADDRESS [PORT]: what a container reads there; not by wget, which a static busybox has only with a libc beside it.
user_data_within() {
    within sh -euc '/bin/busybox printf "GET /latest/user-data HTTP/1.0\r\n\r\n" | /bin/busybox nc -w 2 "$0" "$1" >/answer
        /bin/busybox grep -x secret /answer' "$1" "${2:-80}"
}

user_data_on_host() {
    on_host python3 -c 'import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=4).read().decode())' "http://$1/latest/user-data"
}

# check_blocked WORDS
check_blocked() {
    local network=bridge
    check_not "no container reaches it$1" user_data_within "$service"
    network=own
    check_not "none in a network of the user's$1" user_data_within "$service"
    check_not "none over IPv6$1" user_data_within "$service6"
}

check_open() { # WORDS
    local network=bridge
    check_same "a container reaches it$1" secret "$(user_data_within "$service")"
    network=own
    check_same "and over IPv6$1" secret "$(user_data_within "$service6")"
}

unblock() { on_host nft delete table inet hostseed; }

# restart_docker: after three starts in a minute systemd refuses the next.
restart_docker() { on_host systemctl reset-failed docker && on_host systemctl restart docker; }

lay_network
lay_cloud
create_without_address web1 --docker distro --block-metadata \
    --public-address-url "http://$service/latest/meta-data/public-ipv4"

copy_root bookworm web1
give_seed "$work/store/machines/web1/user-data"
boot
record_address web1
wait_for_answer web1
wait_for_cloud_init
check_cloud_init
check_console web1
# Which asks for the public address again, and so leaves a file anew that is the same.
process=$(docker_process)
check 'setup runs a second time' on_host /usr/local/lib/hostseed/setup
check_same 'the daemon is the same process' "$process" "$(docker_process)"
check_containers web1
check 'the host was told its public address there' \
    openssl x509 -in "$root/etc/docker/server.pem" -noout -checkip 198.51.100.7
check 'the certificate is for it' grep -q 198.51.100.7 \
    <<<"$(openssl x509 -in "$root/etc/docker/server.pem" -noout -ext subjectAltName)"
check 'a network with IPv6 is made' \
    with_env web1 docker network create --ipv6 --subnet fd00:db8::/64 own

check_blocked ''
check_same 'the host reaches it' secret "$(user_data_on_host "$service")"
check_same 'the host reaches it over IPv6' secret "$(user_data_on_host "[$service6]")"
network=bridge
check_same 'port 53 is open to containers' secret "$(user_data_within "$service" 53)"
check 'its name server answers them' grep -q 203.0.113.9 <<<"$(within nslookup web1.example.com "$service")"
check 'containers reach what is beyond the host' within nc -w 4 "$outside" "$mirror_port"
check 'a port is published' with_env web1 docker run --detach --name web --publish 8080:80 boot-test \
    /bin/busybox httpd -f -h /bin
wait_for 10 'the published port answers' curl --silent --fail --output /dev/null "http://$address:8080/busybox"
check 'it goes' with_env web1 docker rm --force web

unblock
check_open ', once the table is gone'
check 'docker restarts' restart_docker
wait_for_answer web1
check_blocked ', since docker started anew'

# What a reload of firewalld does to the tables of iptables; those that Docker needs are left.
for tables in iptables ip6tables; do
    for table in mangle raw; do check "$tables are emptied: $table" on_host "$tables" -t "$table" -F; done
done
check_blocked ', with those empty'
network=bridge
check_same 'and port 53 is open still' secret "$(user_data_within "$service" 53)"

# A network's rules outlive the host here, since it is kept: what is there after a reboot has to be made anew.
unblock
check_after_reboot web1
check_blocked ' after a reboot'

check 'nft is broken' on_host chmod 0644 /usr/sbin/nft
check_not 'then docker does not start' restart_docker
check 'nft is mended' on_host chmod 0755 /usr/sbin/nft
check 'docker starts' restart_docker
wait_for_answer web1
check_blocked ' again'
