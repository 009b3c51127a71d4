## Examples. Take the first `#` of a block's lines away, and put its name in place of source.null.host in hostseed.pkr.hcl.
##
## The plugins are parts of Packer itself before 1.7, which does not know this block; later `packer init .` installs them.
# packer {
#   required_plugins {
#     qemu = {
#       source  = "github.com/hashicorp/qemu"
#       version = ">= 1.1.0"
#     }
#     amazon = {
#       source  = "github.com/hashicorp/amazon"
#       version = ">= 1.2.0"
#     }
#   }
# }

## Debian's image for any place with cloud-init: the kernel of the smaller one, genericcloud, has fewer drivers, and may not see
## the CD. It takes the key to log in with from a seed of your own beside this file: cidata/meta-data, which may be empty, and
## cidata/user-data:
##
##   #cloud-config
##   ssh_authorized_keys: [ssh-ed25519 AAAA… you]
##
## Packer needs one of xorriso, mkisofs, hdiutil and oscdimg to hand it over.
# source "qemu" "debian" {
#   iso_url              = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.qcow2"
#   iso_checksum         = "file:https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS"
#   disk_image           = true
#   disk_size            = "8G"
#   format               = "qcow2"
#   memory               = 1024
#   headless             = true
#   cd_label             = "cidata"
#   cd_files             = ["${path.root}/cidata/meta-data", "${path.root}/cidata/user-data"]
#   ssh_username         = "debian"
#   ssh_private_key_file = var.ssh_private_key_file
#   shutdown_command     = "sudo shutdown -P now"
#   output_directory     = "image"
# }

## Debian's own images at Amazon, whose user is called admin. Packer makes a key of its own to log in with.
# source "amazon-ebs" "debian" {
#   region        = "eu-central-1"
#   instance_type = "t3.small"
#   ami_name      = "hostseed-${formatdate("YYYYMMDD-hhmmss", timestamp())}"
#   encrypt_boot  = true
#   ssh_username  = "admin"
#
#   source_ami_filter {
#     owners      = ["136693071363"]
#     most_recent = true
#     filters = {
#       name                = "debian-12-amd64-*"
#       virtualization-type = "hvm"
#     }
#   }
# }
