output "user_data" {
  value       = local.user_data
  sensitive   = true
  description = "The user-data as text."
}

output "user_data_base64" {
  value       = local.user_data_base64
  sensitive   = true
  description = "The user-data in base64."
}

output "user_data_gzip_base64" {
  value       = local.user_data_gzip_base64
  sensitive   = true
  description = "The user-data compressed with gzip, in base64: for clouds with a small limit, or that accept only base64."
}

output "docker_host" {
  value       = local.docker_host
  description = "The value of DOCKER_HOST."
}

output "cert_path" {
  value       = local.cert_path
  description = "The value of DOCKER_CERT_PATH."
}

output "ca_file" {
  value       = "${local.cert_path}/ca.pem"
  description = "The path of the CA certificate, with which clients verify the host."
}

output "cert_file" {
  value       = "${local.cert_path}/cert.pem"
  description = "The path of the client certificate."
}

output "key_file" {
  value       = "${local.cert_path}/key.pem"
  description = "The path of the client key. Terraform does not read the key."
}

output "port" {
  value       = 2376
  description = "The TCP port on which Docker listens. Allow it in the firewall for your own addresses."
}

output "name" {
  value       = "web1"
  description = "The name of the machine in hostseed."
}
