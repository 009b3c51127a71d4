# shellcheck shell=bash
# Where a ruleset of nftables rejects the port, the console has the rule that lets clients connect to a Debian 12.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

lay_network
create_machine web1 --docker distro

copy_root bookworm web1
check 'the package lists are fetched' in_chroot apt-get -q update
check 'nftables is installed' in_chroot env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install nftables
cat >"$root/etc/nftables.conf" <<'NFT'
#!/usr/sbin/nft -f
flush ruleset
table inet own {
    chain incoming {
        type filter hook input priority filter; policy accept;
        ct state established,related accept
        iif lo accept
        icmp type echo-request accept
        tcp dport { 22, 80-443 } accept
        reject with icmpx type admin-prohibited
    }
}
NFT
check 'nftables is enabled' in_chroot systemctl enable nftables
give_seed "$work/store/machines/web1/user-data"
boot
wait_for 300 'status.json says ready' status_is ready
wait_for_cloud_init
check_console web1
check_not 'nobody outside can connect' answers_tcp "$address" 2376
rule=$(sed -n 's/.*WARNING: .* Add: \(nft .*\) (and in .*/\1/p' "$console" | tr -d '\r')
check_same 'the console has the rule' 'nft insert rule inet own incoming tcp dport 2376 accept' "$rule"
check 'and the file that keeps the rules' console_has 'WARNING: .*\(and in /etc/nftables\.conf\)'
check 'the rule is added' on_host sh -c "$rule"
wait_for_answer web1
check 'docker version answers' with_env web1 docker version
check 'setup runs again' on_host /usr/local/lib/hostseed/setup
check_same 'without another warning' 1 "$(grep -c WARNING "$console")"
