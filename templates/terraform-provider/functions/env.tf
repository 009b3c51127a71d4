data "hostseed_machine" "web1" {
  name = "web1"
}

resource "terraform_data" "version" {
  provisioner "local-exec" {
    command     = "docker version"
    environment = provider::hostseed::env(data.hostseed_machine.web1)
  }
}
