resource "hostseed_ca" "team" {
  name = "team"
}

ephemeral "hostseed_client" "ci" {
  cn        = "ci"
  ca        = hostseed_ca.team
  valid_for = "1h"
}

provider "docker" {
  host          = "tcp://203.0.113.7:2376"
  ca_material   = hostseed_ca.team.ca_pem
  cert_material = ephemeral.hostseed_client.ci.cert_pem
  key_material  = ephemeral.hostseed_client.ci.key_pem
}
