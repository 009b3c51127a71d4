resource "hostseed_machine" "web1" {
  name               = "web1"
  addresses          = ["203.0.113.7", "docker.example.com"]
  cloud              = "aws"
  docker             = "official"
  docker_version     = "28.0.4"
  engine_labels      = { role = "web" }
  engine_opts        = ["log-opt=max-size=10m"]
  daemon_json        = jsonencode({ "log-driver" = "local" })
  early_renewal_days = 60
}

# Without addresses the host issues its own certificate at boot, for all addresses that it has.
resource "hostseed_machine" "ci" {
  count = 20
  name  = "ci-${count.index}"
}
