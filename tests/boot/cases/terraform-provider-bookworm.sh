# shellcheck shell=bash
# Terraform makes a machine with the provider: a host boots from the user-data of the state, and docker connects with its certificates. Nothing
# is in a store.
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"

provider=${HOSTSEED_PROVIDER:-$target/release/terraform-provider-hostseed}
[[ -x $provider ]] || die "no provider: \`cargo build --release --features terraform\`, or say HOSTSEED_PROVIDER=…"
terraform='terraform-1.15'
command -v "$terraform" >/dev/null || die "\`$terraform\` is missing: run tests/interop/terraform/install"

lay_network
mkdir "$work/bin" "$work/root" "$work/certs"
cp "$hostseed" "$work/bin/hostseed"
cp "$provider" "$work/bin/terraform-provider-hostseed"
"$work/bin/hostseed" terraform install "$work/mirror" >/dev/null
cat >"$work/rc" <<RC
provider_installation {
  filesystem_mirror {
    path = "$work/mirror"
  }
}
RC
cat >"$work/root/main.tf" <<TF
terraform {
  required_providers {
    hostseed = {
      source = "hostseed/hostseed"
    }
  }
}

resource "hostseed_machine" "web1" {
  name          = "web1"
  addresses     = ["$address"]
  docker        = "distro"
  engine_labels = { role = "web" }
}

resource "hostseed_client" "alice" {
  cn        = "alice"
  ca        = hostseed_machine.web1
  valid_for = "1d"
}
TF
tf() { TF_CLI_CONFIG_FILE=$work/rc CHECKPOINT_DISABLE=1 "$terraform" -chdir="$work/root" "$@"; }
# attribute RESOURCE NAME: its value in the state
attribute() {
    tf show -json | /usr/bin/python3 -c '
import json, sys
resources = json.load(sys.stdin)["values"]["root_module"]["resources"]
sys.stdout.write(next(one for one in resources if one["address"] == sys.argv[1])["values"][sys.argv[2]])' "$@"
}
# docker_as CERTIFICATE KEY ARGUMENT…: docker with the certificates of the state
docker_as() {
    env DOCKER_HOST="$(attribute hostseed_machine.web1 docker_host)" DOCKER_TLS_VERIFY=1 docker \
        --tlscacert "$work/certs/ca.pem" --tlscert "$work/certs/$1" --tlskey "$work/certs/$2" "${@:3}"
}
answers() { docker_as cert.pem key.pem version >/dev/null 2>&1; }

tf init -input=false >/dev/null
tf apply -auto-approve >/dev/null
(umask 077 && attribute hostseed_machine.web1 user_data >"$work/user-data")
attribute hostseed_machine.web1 ca_pem >"$work/certs/ca.pem"
for part in cert key; do
    attribute hostseed_machine.web1 "client_${part}_pem" >"$work/certs/$part.pem"
    attribute hostseed_client.alice "${part}_pem" >"$work/certs/alice-$part.pem"
done

copy_root bookworm web1
give_seed "$work/user-data"
boot
limit=$((SECONDS + 300))
until answers; do
    host_is_up || fail 'the host went down'
    ((SECONDS < limit)) || fail 'docker does not answer within the time'
    sleep 0.5
done
told 'docker answers with the certificates of the state'
wait_for_cloud_init
check_cloud_init
check_same 'the label is there' '["role=web"]' "$(docker_as cert.pem key.pem info --format '{{json .Labels}}')"
check 'a further client connects' docker_as alice-cert.pem alice-key.pem version
check_not 'no store was made' test -e "$work/store"
check 'a second plan changes nothing' tf plan -detailed-exitcode
