# Bakes Docker with mutual TLS on port 2376 into an image without certificates, which contains no secret. Starts nothing.
#
#   packer build -var ssh_host=203.0.113.7 .

packer {
  required_version = ">= 1.6.6"
}

# A machine that exists already. You make the image of it yourself. sources.pkr.hcl has sources that create a machine and an image.
source "null" "host" {
  communicator         = "ssh"
  ssh_host             = var.ssh_host
  ssh_port             = var.ssh_port
  ssh_username         = var.ssh_username
  ssh_private_key_file = var.ssh_private_key_file
  ssh_agent_auth       = var.ssh_private_key_file == ""
}

build {
  sources = [
    "source.null.host",
    # "source.qemu.debian",
    # "source.amazon-ebs.debian",
  ]

  # Every user of the machine can read a script that Packer uploads, so it goes to a folder that only this user can enter.
  provisioner "shell" {
    inline = ["rm -rf .hostseed-bake", "mkdir -m 0700 .hostseed-bake"]
  }

  # Runs the script as root, with sudo if necessary, and removes it even if it fails: Packer would leave it there.
  provisioner "shell" {
    script      = "${path.root}/bake.sh"
    remote_path = ".hostseed-bake/bake.sh"
    skip_clean  = true
    execute_command = join("; ", [
      "if [ \"$(id -u)\" = 0 ]",
      "then env {{ .Vars }} sh {{ .Path }}",
      "else sudo -n env {{ .Vars }} sh {{ .Path }}",
      "fi",
      "code=$?",
      "rm -rf .hostseed-bake",
      "exit $code",
    ])
  }

  # For an image of a machine that was booted to make it: removes what the VMs of the image must not share with it.
  # provisioner "shell" {
  #   only = ["qemu.debian", "amazon-ebs.debian"]
  #   inline = [
  #     "sudo cloud-init clean --logs",
  #     "sudo truncate -s 0 /etc/machine-id",
  #     "sudo rm -f /etc/ssh/ssh_host_*_key*",
  #   ]
  # }
}
