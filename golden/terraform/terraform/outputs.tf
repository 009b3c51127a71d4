output "user_data" {
  value       = local.user_data
  sensitive   = true
  description = "What the VM boots from, as text."
}

output "user_data_base64" {
  value       = local.user_data_base64
  sensitive   = true
  description = "The same in base64."
}

output "user_data_gzip_base64" {
  value       = local.user_data_gzip_base64
  sensitive   = true
  description = "The same compressed, in base64: for clouds that take little, or only bytes."
}

output "docker_host" {
  value       = local.docker_host
  description = "DOCKER_HOST."
}

output "cert_path" {
  value       = local.cert_path
  description = "DOCKER_CERT_PATH."
}

output "ca_file" {
  value       = "${local.cert_path}/ca.pem"
  description = "The authority's certificate, which the host's is checked against."
}

output "cert_file" {
  value       = "${local.cert_path}/cert.pem"
  description = "The client's certificate."
}

output "key_file" {
  value       = "${local.cert_path}/key.pem"
  description = "The client's key. Only its path is known to Terraform."
}

output "port" {
  value       = 2376
  description = "Where Docker listens: the TCP port to let your own addresses reach."
}

output "name" {
  value       = "web1.example.com"
  description = "The machine's name in hostseed."
}
