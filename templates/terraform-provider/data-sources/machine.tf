data "hostseed_machine" "web1" {
  name = "web1"
}

output "docker_host" {
  value = data.hostseed_machine.web1.docker_host
}
