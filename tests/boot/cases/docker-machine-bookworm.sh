# shellcheck shell=bash
# A host as Docker Machine made it (0.16.2): its drop-in, its RSA certificates of a CA that all machines share, and none of hostseed's files.
# After `import --docker-machine`, `renew --apply --install-units` takes it over without SSH.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

# sign NAME SUBJECT EXTENSIONS: NAME-key.pem and NAME.pem in $certs, of the CA there, as libmachine/cert/generator.go makes them.
sign() {
    openssl genrsa -traditional -out "$certs/$1-key.pem" 2048
    openssl req -new -key "$certs/$1-key.pem" -subj "$2" |
        openssl x509 -req -days 1080 -CA "$certs/ca.pem" -CAkey "$certs/ca-key.pem" -set_serial "0x$(openssl rand -hex 16)" \
            -extfile <(printf 'keyUsage=critical,digitalSignature,keyEncipherment,keyAgreement\n%s\n' "$3") -out "$certs/$1.pem"
}

# make_docker_machines_store: the machine web1 in $work/store, whose path Docker Machine has in each record.
make_docker_machines_store() {
    local machine=$work/store/machines/web1
    certs=$work/store/certs
    mkdir -p "$certs" "$machine"
    openssl req -x509 -newkey rsa:2048 -noenc -keyout "$certs/ca-key.pem" -out "$certs/ca.pem" -subj /O=user -days 1080 \
        -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,digitalSignature,keyEncipherment,keyAgreement,keyCertSign
    sign client '/O=user.<bootstrap>' extendedKeyUsage=clientAuth
    sign server /O=user.web1 $'extendedKeyUsage=clientAuth,serverAuth\n'"subjectAltName=IP:$address,DNS:localhost"
    mv "$certs/client.pem" "$certs/cert.pem"
    mv "$certs/client-key.pem" "$certs/key.pem"
    mv "$certs/server.pem" "$certs/server-key.pem" "$machine"
    cp "$certs/ca.pem" "$certs/cert.pem" "$certs/key.pem" "$machine"
    chmod 0600 "$certs"/*key.pem "$machine"/*key.pem
    /usr/bin/python3 - "$work/store" "$address" >"$machine/config.json" <<'PYTHON'
import json, sys

store, address = sys.argv[1:]
certs, machine = store + "/certs", store + "/machines/web1"
json.dump({
    "ConfigVersion": 3,
    "Driver": {"IPAddress": address, "MachineName": "web1", "SSHUser": "root", "SSHPort": 22, "SSHKeyPath": "",
               "StorePath": store, "SwarmMaster": False, "SwarmHost": "", "SwarmDiscovery": "", "EnginePort": 2376, "SSHKey": ""},
    "DriverName": "generic",
    "HostOptions": {
        "Driver": "", "Memory": 0, "Disk": 0,
        "EngineOptions": {"ArbitraryFlags": [], "Dns": None, "GraphDir": "", "Env": [], "Ipv6": False, "InsecureRegistry": [],
                          "Labels": ["role=web"], "LogLevel": "", "StorageDriver": "overlay2", "SelinuxEnabled": False,
                          "TlsVerify": True, "RegistryMirror": [], "InstallURL": "https://get.docker.com"},
        "SwarmOptions": {"IsSwarm": False, "Address": "", "Discovery": "", "Agent": False, "Master": False, "Host": "",
                         "Image": "swarm:latest", "Strategy": "spread", "Heartbeat": 0, "Overcommit": 0,
                         "ArbitraryFlags": [], "ArbitraryJoinFlags": [], "Env": None, "IsExperimental": False},
        "AuthOptions": {"CertDir": certs, "CaCertPath": certs + "/ca.pem", "CaPrivateKeyPath": certs + "/ca-key.pem",
                        "CaCertRemotePath": "", "ServerCertPath": machine + "/server.pem",
                        "ServerKeyPath": machine + "/server-key.pem", "ClientKeyPath": certs + "/key.pem",
                        "ServerCertRemotePath": "", "ServerKeyRemotePath": "", "ClientCertPath": certs + "/cert.pem",
                        "ServerCertSANs": [], "StorePath": machine},
    },
    "Name": "web1",
}, sys.stdout, indent=4)
PYTHON
    chmod 0600 "$machine/config.json"
}

# provision: what Docker Machine leaves on a host over SSH. It writes the key with tee, and so for everyone to read.
provision() {
    ln -s /usr/sbin/dockerd "$root/usr/bin/dockerd"
    mkdir -p "$root/etc/docker" "$root/etc/systemd/system/docker.service.d"
    install -m 0644 "$work/store/machines/web1"/{ca,server,server-key}.pem "$root/etc/docker"
    cat >"$root/etc/systemd/system/docker.service.d/10-machine.conf" <<'CONF'
[Service]
ExecStart=
ExecStart=/usr/bin/dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock --storage-driver overlay2 --tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem --tlskey /etc/docker/server-key.pem --label role=web --label provider=generic 
Environment=
CONF
}

served() {
    { openssl s_client -connect "$address:2376" </dev/null 2>/dev/null || true; } | openssl x509 -noout -fingerprint -sha256
}
stored() { openssl x509 -noout -fingerprint -sha256 -in "$work/store/machines/web1/server.pem"; }
# labels: sorted, because dockerd gives them in any order
labels() { with_env web1 docker info --format '{{range .Labels}}{{println .}}{{end}}' | sed '/^$/d' | sort | paste -s -d ' '; }

lay_network
copy_root bookworm web1
install_in_root docker.io iptables
check "Docker Machine's store" make_docker_machines_store
provision
boot
check "hostseed wait web1, with Docker Machine's own files" hs wait web1
check_same 'the labels are those of Docker Machine' 'provider=generic role=web' "$(labels)"
cp -r "$work/store/certs" "$work/shared-client"

check 'hostseed import --docker-machine' hs import --docker-machine="$work/store"
check_refused 'the host has no units' 'error\[no-apply-units\]' hs renew --apply web1
check 'hostseed renew --apply --install-units web1' hs renew --apply --install-units web1
check_same 'the daemon shows the certificate of the store' "$(stored)" "$(served)"
check_not 'it is no certificate for clients' grep -q 'TLS Web Client' <(openssl x509 -noout -ext extendedKeyUsage -in "$root/etc/docker/server.pem")
check_same 'the key is for root alone' '600 root root' "$(stat --format '%a %U %G' "$root/etc/docker/server-key.pem")"
check_same 'the units are installed' enabled "$(on_host systemctl is-enabled hostseed-apply.path)"
check_same 'the labels are the same' 'provider=generic role=web' "$(labels)"
check "the shared client's certificate, which other computers have, still works" \
    env DOCKER_HOST="tcp://$address:2376" DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH="$work/shared-client" docker version
check 'Docker Machine still has its fields' grep -q '"DriverName": *"generic"' "$work/store/machines/web1/config.json"

check 'hostseed client web1 --cn alice' hs client web1 --cn alice --out "$work/alice" --quiet
check 'alice has access' env DOCKER_HOST="tcp://$address:2376" DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH="$work/alice" docker version
check 'hostseed context web1' hs context web1 --quiet
check 'the context works' docker --context web1 version
check 'hostseed update web1 --engine-label' hs update web1 --engine-label role=db --quiet
check 'hostseed renew --apply web1 needs no option now' hs renew --apply web1
check_same 'the host has the new label' 'role=db' "$(labels)"
check_containers web1

reboot_host
wait_for_answer web1
check_same 'the daemon shows the certificate of the store after a reboot' "$(stored)" "$(served)"
