//! VMware vSphere, by guestinfo.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// cloud-init, datasource VMware: the keys `guestinfo.userdata` and `guestinfo.userdata.encoding` (`base64`, `gzip+base64`) of
/// the VM's extra configuration. No size is published for them.
pub const CLOUD: Cloud = Cloud {
    name: "vmware",
    aliases: &["vsphere", "vmwarevsphere"],
    title: "VMware vSphere",
    seed: Seed::UserData,
    limit: Limit::Unpublished,
    source: "cloud-init, datasource VMware, gives no size",
    encoding: "base64 in guestinfo.userdata, with guestinfo.userdata.encoding beside it",
    base64: Base64::Value,
    console: "the VM, switched off > Edit Settings > Advanced Parameters > guestinfo.userdata",
    console_base64: Some("set guestinfo.userdata.encoding to base64, or gzip+base64 where it is compressed"),
    firewall: Firewall {
        console: "in the network's firewall (NSX: Security > Distributed Firewall): let YOUR-ADDRESS reach TCP port {port}",
        command: None,
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: true,
            command: Some(
                r#"govc vm.change -vm {name} -e guestinfo.userdata.encoding=base64 \
  -f guestinfo.userdata="$PWD/{file}""#,
            ),
            terraform: Some(
                r#"resource "vsphere_virtual_machine" "host" {
  extra_config = {
    "guestinfo.userdata"          = file("{file}")
    "guestinfo.userdata.encoding" = "base64"
  }
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: true,
            command: Some(
                r#"govc vm.change -vm {name} -e guestinfo.userdata.encoding=gzip+base64 \
  -f guestinfo.userdata="$PWD/{file}""#,
            ),
            terraform: Some(
                r#"resource "vsphere_virtual_machine" "host" {
  extra_config = {
    "guestinfo.userdata"          = file("{file}")
    "guestinfo.userdata.encoding" = "gzip+base64"
  }
}"#,
            ),
        },
    ],
    notes: &[
        "the image needs open-vm-tools, and cloud-init 21.3 or newer; set both keys before the first boot",
    ],
};
