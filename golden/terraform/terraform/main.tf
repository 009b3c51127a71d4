# Docker host "web1.example.com": Docker under mutual TLS on port 2376. `hostseed render` makes this again, byte for byte.
# Whoever reads user-data can pose as this host to its clients, and cannot command it: it holds the server's key,
# and neither the authority's nor a client's.
locals {
  host        = can(regex(":", var.address)) ? "[${var.address}]" : var.address
  docker_host = var.address == null ? "tcp://203.0.113.7:2376" : "tcp://${local.host}:2376"
  cert_path   = trimsuffix(pathexpand(var.cert_path), "/")

  # From files, because what Terraform itself compresses differs from one of its versions to the next.
  user_data             = file("${path.module}/user-data")
  user_data_base64      = filebase64("${path.module}/user-data")
  user_data_gzip_base64 = filebase64("${path.module}/user-data.gz")
}
