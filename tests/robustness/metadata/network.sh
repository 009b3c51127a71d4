# shellcheck shell=sh
# network.sh FOLDER RULES: a container, the host and the cloud, each in a network namespace, the container behind the host. Prints
# which of the cloud's addresses answer: from the container, then from there and from the host under the rules of nft.
set -eu
folder=$1 rules=$2
blocked='169.254.169.254 169.254.42.42 169.254.0.23 100.100.100.200 168.63.129.16
    fd00:ec2::254 fd20:ce::254 fd00:100::100:200 fd00:c1::a9fe:a9fe fd00:42::42 fd00:a9fe:a9fe::1'
others='203.0.113.5 2001:db8:5::5'

# away: prints the process of a new namespace, once it has its own.
away() {
    # shellcheck disable=SC2016  # of the shell within
    unshare -n sh -c 'echo $$ >"$0" && exec sleep 120' "$folder/process" >/dev/null 2>&1 &
    until [ -s "$folder/process" ]; do sleep 0.05; done
    cat "$folder/process"
    rm "$folder/process"
}
container=$(away)
cloud=$(away)
trap 'kill "$container" "$cloud"' EXIT
in_container() { nsenter --target "$container" --net "$@"; }
in_cloud() { nsenter --target "$cloud" --net "$@"; }

ip link set lo up
ip link add to-container type veth peer name eth0 netns "$container"
ip link add to-cloud type veth peer name eth0 netns "$cloud"
ip link set to-container up
ip link set to-cloud up
ip address add 10.0.1.1/24 dev to-container
ip address add fd01::1/64 dev to-container nodad
ip address add 10.0.2.1/24 dev to-cloud
ip address add fd02::1/64 dev to-cloud nodad
for side in "$container:1" "$cloud:2"; do
    enter="nsenter --target ${side%:*} --net" number=${side#*:}
    $enter ip link set lo up
    $enter ip link set eth0 up
    $enter ip address add "10.0.$number.2/24" dev eth0
    $enter ip address add "fd0$number::2/64" dev eth0 nodad
    $enter ip route add default via "10.0.$number.1"
    $enter ip route add default via "fd0$number::1"
done
for address in $blocked $others; do
    case $address in
        *:*) in_cloud ip address add "$address/128" dev lo nodad && ip route add "$address/128" via fd02::2 ;;
        *) in_cloud ip address add "$address/32" dev lo && ip route add "$address/32" via 10.0.2.2 ;;
    esac
done
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding

# shellcheck disable=SC2086  # addresses are words
nsenter --target "$cloud" --net python3 tests/boot/metadata.py $blocked $others >"$folder/cloud.log" 2>&1 &
server=$!
trap 'kill "$server" "$container" "$cloud"' EXIT

# ask WORDS PORT ADDRESS…: which of them answer there, all asked at a time.
ask='
import sys, time, threading, urllib.request
seconds, port, *addresses = sys.argv[1:]
answers = set()
def ask(address):
    end = time.monotonic() + float(seconds)
    while address not in answers and time.monotonic() < end:
        host = f"[{address}]" if ":" in address else address
        try:
            urllib.request.urlopen(f"http://{host}:{port}/latest/user-data", timeout=end - time.monotonic())
            answers.add(address)
        except OSError:
            time.sleep(0.05)
threads = [threading.Thread(target=ask, args=(address,)) for address in addresses]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*(address for address in addresses if address in answers))'
# shellcheck disable=SC2086
{
    echo "before: $(in_container python3 -c "$ask" 20 80 $blocked $others)"
    # Twice, as the daemon starts twice.
    nft "$rules"
    nft "$rules"
    echo "container: $(in_container python3 -c "$ask" 3 80 $blocked)"
    echo "container, others: $(in_container python3 -c "$ask" 20 80 $others)"
    echo "container, port 53: $(in_container python3 -c "$ask" 20 53 $blocked)"
    echo "host: $(python3 -c "$ask" 20 80 $blocked)"
}
