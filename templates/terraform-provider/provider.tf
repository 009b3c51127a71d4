terraform {
  required_providers {
    hostseed = {
      source = "hostseed/hostseed"
    }
  }
}

resource "hostseed_machine" "web1" {
  name      = "web1"
  addresses = [aws_eip.web1.public_ip]
  cloud     = "aws"
}

resource "aws_instance" "web1" {
  ami                         = var.ami
  instance_type               = "t3.small"
  user_data_base64            = hostseed_machine.web1.user_data_gzip_base64
  user_data_replace_on_change = true
}

provider "docker" {
  host          = hostseed_machine.web1.docker_host
  ca_material   = hostseed_machine.web1.ca_pem
  cert_material = hostseed_machine.web1.client_cert_pem
  key_material  = hostseed_machine.web1.client_key_pem
}
