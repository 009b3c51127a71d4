## Examples. Remove the first `#` of a block's lines, and replace source.null.host in hostseed.pkr.hcl with its name.
##
## `packer init .` installs these plugins. Packer before 1.7 contains them, and does not accept this block.
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

## Debian's image `generic`, because the kernel of `genericcloud` has fewer drivers and may not find the CD. cloud-init reads the key with
## which Packer logs in from a seed of your own next to this file: cidata/meta-data, which may be empty, and cidata/user-data:
##
##   #cloud-config
##   ssh_authorized_keys: [ssh-ed25519 AAAA… you]
##
## Packer needs xorriso, mkisofs, hdiutil or oscdimg to make the CD.
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

## Debian's own images at Amazon. Their user is `admin`, and Packer makes a temporary key to log in.
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
