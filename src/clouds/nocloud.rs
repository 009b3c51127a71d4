//! NoCloud: a seed disk for any hypervisor that has no user-data of its own.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// cloud-init, datasource NoCloud: `user-data` and `meta-data` on a vfat or iso9660 disk labelled `cidata`. Files have no
/// limit. virt-install (3.0 and newer) makes such a disk by itself from user-data alone.
pub const CLOUD: Cloud = Cloud {
    name: "nocloud",
    aliases: &[],
    title: "NoCloud seed disk",
    seed: Seed::Disk,
    limit: Limit::Unpublished,
    source: "cloud-init, datasource NoCloud, sets none",
    encoding: "the unchanged file, on a disk with meta-data beside it",
    base64: Base64::Text,
    console: "attach {file} as a second disk before the first boot",
    console_base64: None,
    firewall: Firewall {
        console: "in the hypervisor's firewall, where it has one: let YOUR-ADDRESS reach TCP port {port}",
        command: None,
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: false,
            command: Some(
                r#"virt-install --name {name} --osinfo OS --memory 2048 --import \
  --disk IMAGE.qcow2 --disk {file}"#,
            ),
            terraform: Some(
                r#"resource "libvirt_volume" "seed" {
  name   = "{name}-seed.img"
  pool   = "default"
  create = { content = { url = "${path.module}/{file}" } }
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: false,
            command: Some(
                r#"virt-install --name {name} --osinfo OS --memory 2048 --import \
  --disk IMAGE.qcow2 --cloud-init user-data={file}"#,
            ),
            terraform: None,
        },
    ],
    notes: &["IMAGE.qcow2 is a copy of the distribution's cloud image, for this VM only"],
};
