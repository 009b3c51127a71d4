//! NoCloud: a seed disk for any hypervisor that has no user-data of its own.

use super::{Base64, Cloud, Firewall, Limit, Way};

/// cloud-init, datasource NoCloud: `user-data` and `meta-data` on a vfat or iso9660 disk labelled `cidata`, or below
/// `/var/lib/cloud/seed/nocloud/`. Files have no limit.
pub const CLOUD: Cloud = Cloud {
    name: "nocloud",
    title: "NoCloud seed disk",
    limit: Limit::Unpublished,
    source: "cloud-init, datasource NoCloud, sets none",
    encoding: "the file as it is, with meta-data beside it",
    base64: Base64::Text,
    console: "none: `hostseed render {name} --format nocloud -o seed.img` makes the disk; attach it as a second one",
    console_base64: None,
    firewall: Firewall {
        console: "none of its own: let YOUR-ADDRESS reach TCP port {port} in the hypervisor's firewall",
        command: None,
    },
    ways: &[
        Way {
            gzip: false,
            base64: false,
            command: Some(
                "virt-install --name {name} --osinfo OS --memory 2048 --import --disk DISK.qcow2 --cloud-init user-data=user-data",
            ),
            terraform: Some(
                r#"resource "libvirt_cloudinit_disk" "seed" {
  name      = "{name}-seed.iso"
  user_data = file("user-data")
}"#,
            ),
        },
        Way {
            gzip: true,
            base64: false,
            command: Some(
                "virt-install --name {name} --osinfo OS --memory 2048 --import --disk DISK.qcow2 --cloud-init user-data=user-data.gz",
            ),
            terraform: None,
        },
    ],
    notes: &[],
};
