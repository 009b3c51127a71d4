# shellcheck shell=bash
# Images of Debian 12 whose own rules reject the port. A case sources this after lib.sh.

# boot_image_that_rejects iptables|nftables OPTION…: boots web1, a machine with these options, until its status is ready.
boot_image_that_rejects() {
    lay_network
    create_machine web1 --docker distro "${@:2}"
    copy_root bookworm web1
    install_in_root "$1"
    "rules_of_$1"
    give_seed "$work/store/machines/web1/user-data"
    boot
    wait_for 300 'status.json says ready' status_is ready
    wait_for_cloud_init
    check_console web1
}

# As on Oracle's Ubuntu images.
rules_of_iptables() {
    mkdir -p "$root/etc/iptables"
    cat >"$root/etc/iptables/rules.v4" <<'RULES'
*filter
:INPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p udp --sport 123 -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
RULES
    cat >"$root/etc/systemd/system/rules.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Before=network-pre.target
[Service]
Type=oneshot
ExecStart=iptables-restore /etc/iptables/rules.v4
UNIT
    mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
    ln -s ../rules.service "$root/etc/systemd/system/sysinit.target.wants/rules.service"
}

rules_of_nftables() {
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
}

# check_warning RULE FILE: nobody outside can connect, and the console has the rule with which everybody can, and the file.
check_warning() {
    local rule
    check_not 'nobody outside can connect' answers_tcp "$address" 2376
    rule=$(sed -n 's/.*WARNING: .* Add: \(.*\) (and in .*/\1/p' "$console" | tr -d '\r')
    check_same 'the console has the rule' "$1" "$rule"
    check 'and the file that keeps the rules' console_has "WARNING: .*\(and in $2;"
    check 'the rule is added' on_host sh -c "$rule"
    wait_for_answer web1
    check 'docker version answers' with_env web1 docker version
    check 'setup runs again' on_host /usr/local/lib/hostseed/setup
    check_same 'without another warning' 1 "$(grep -c WARNING "$console")"
}

# check_opened RULE FILE: everybody outside can connect, also after a reboot, and only this line is new in the file.
check_opened() {
    check 'the console has the rule and the file' console_has "opened port 2376: $1 \(in $2\)"
    check_not 'the console has no warning' console_has WARNING
    check_same 'the file has it once' 1 "$(grep -cxF -e "$1" "$root$2")"
    wait_for_answer web1
    check 'docker version answers' with_env web1 docker version
    check 'setup runs again' on_host /usr/local/lib/hostseed/setup
    check_same 'the file has it once still' 1 "$(grep -cxF -e "$1" "$root$2")"
    check_same 'and the console, too' 1 "$(grep -c 'opened port' "$console")"
    check_after_reboot web1
}
