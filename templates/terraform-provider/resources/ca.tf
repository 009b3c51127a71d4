resource "hostseed_ca" "team" {
  name = "team"
}

resource "hostseed_machine" "web1" {
  name      = "web1"
  addresses = ["203.0.113.7"]
  ca        = hostseed_ca.team
}
