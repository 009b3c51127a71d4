# Docker host "web1": Docker with mutual TLS on port 2376. `hostseed render` writes this file again with the same bytes.
# SECRET: anyone who has the user-data can impersonate this host at any address. It contains a boot issuer's key, and no client key and no CA key,
# so it gives no control over Docker.
locals {
  host        = can(regex(":", var.address)) ? "[${var.address}]" : var.address
  docker_host = var.address == null ? "tcp://web1:2376" : "tcp://${local.host}:2376"
  cert_path   = trimsuffix(pathexpand(var.cert_path), "/")

  # These are files because the output of `base64gzip` differs between versions of Terraform.
  user_data             = file("${path.module}/user-data")
  user_data_base64      = filebase64("${path.module}/user-data")
  user_data_gzip_base64 = filebase64("${path.module}/user-data.gz")
}
