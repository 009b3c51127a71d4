# shellcheck shell=bash
# A running Debian 13 gets a new boot issuer through Docker's API, and issues its certificate with it; if Docker does not answer with that, the
# host has its old pair again.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

# served: the certificates that the daemon shows. s_client fails, because it has no client certificate.
served() { { openssl s_client -connect "$address:2376" -showcerts </dev/null 2>/dev/null || true; } | sed -n '/BEGIN/,/END/p'; }

lay_network
create_without_address web1 --docker distro
copy_root trixie web1
hs render web1 -o "$work/user-data"
give_seed "$work/user-data"
boot
record_address web1
wait_for_answer web1
wait_for_cloud_init
check_containers web1
run_on web1 stays
life=$(life_of web1 stays)

first=$(served)
check 'hostseed renew --apply web1' hs renew --apply web1
check_same 'the host has the new boot issuer' "$(cat "$work/store/machines/web1/issuer.pem")" "$(cat "$root/etc/docker/issuer.pem")"
check_not 'the daemon shows another certificate' test "$first" = "$(served)"
check 'after it the new boot issuer' grep -qF "$(sed -n 3p "$work/store/machines/web1/issuer.pem")" <<<"$(served)"
check 'docker version answers' with_env web1 docker version
check_same 'the container is the same process, running' "$life" "$(life_of web1 stays)"
check 'hostseed-issue.service has nothing to do' on_host systemctl start hostseed-issue.service
check_not 'no old pair is left' test -n "$(find "$root/etc/docker" -maxdepth 1 -name 'issued-*' ! -name "$(readlink "$root/etc/docker/issued")")"

first=$(served) issuer=$(cat "$root/etc/docker/issuer.pem")
cp "$root/etc/docker/issuer.pem" "$root/etc/docker/proved.pem"
printf '[Service]\nExecStartPre=/usr/bin/cmp /etc/docker/issuer.pem /etc/docker/proved.pem\n' \
    >"$root/etc/systemd/system/docker.service.d/05-test.conf"
on_host systemctl daemon-reload
check_refused 'Docker fails with the new files' 'error\[not-applied\].*has the old ones again' hs renew --apply web1
check_same 'the host has the old boot issuer' "$issuer" "$(cat "$root/etc/docker/issuer.pem")"
check_same 'the daemon shows the old certificates' "$first" "$(served)"
check 'docker version answers' with_env web1 docker version
check_same 'the container is the same process, running' "$life" "$(life_of web1 stays)"
check_same 'the key is for root alone' '600 root root' "$(stat -L --format '%a %U %G' "$root/etc/docker/server-key.pem")"
rm "$root/etc/systemd/system/docker.service.d/05-test.conf"
on_host systemctl daemon-reload
check 'hostseed-issue.service has nothing to do' on_host systemctl start hostseed-issue.service
check_same 'the daemon shows the old certificates still' "$first" "$(served)"
check 'the same command goes on' hs renew --apply web1
check_not 'the daemon shows another certificate' test "$first" = "$(served)"

# A new CA in three steps. The certificate that the host has issued leads to the old CA until step 2.
next_step() { hs renew --authority --apply --yes web1; }
first=$(served)
check 'step 1: both trust both CAs' next_step
check_same 'the daemon shows the same certificates' "$first" "$(served)"
check 'docker version answers' with_env web1 docker version
check 'step 2: the host gets a boot issuer of the new CA' next_step
check_same 'the host has the new boot issuer' "$(cat "$work/store/machines/web1/issuer.pem")" "$(cat "$root/etc/docker/issuer.pem")"
check_not 'the daemon shows another certificate' test "$first" = "$(served)"
check 'hostseed check web1' hs check web1
check 'step 3: both trust the new CA alone' next_step
check_same 'the host has one CA' 1 "$(grep -c BEGIN "$root/etc/docker/ca.pem")"
check 'docker version answers' with_env web1 docker version
check 'hostseed-issue.service has nothing to do' on_host systemctl start hostseed-issue.service
