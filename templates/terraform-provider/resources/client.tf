resource "hostseed_machine" "web1" {
  name      = "web1"
  addresses = ["203.0.113.7"]
}

resource "hostseed_client" "alice" {
  cn        = "alice"
  ca        = hostseed_machine.web1
  valid_for = "90d"
}
