//! VMware vSphere, by guestinfo.

use super::{Base64, Cloud, Firewall, Limit, Way};

/// cloud-init, datasource VMware: the keys `guestinfo.userdata` and `guestinfo.userdata.encoding` (`base64`, `gzip+base64`) of
/// the VM's extra configuration. No size is published for them.
pub const CLOUD: Cloud = Cloud {
    name: "vmware",
    title: "VMware vSphere",
    limit: Limit::Unpublished,
    source: "cloud-init, datasource VMware, gives no size",
    encoding: "base64 in guestinfo.userdata, with guestinfo.userdata.encoding beside it",
    base64: Base64::Value,
    console: "the VM, switched off > Edit Settings > Advanced Parameters: guestinfo.userdata, and guestinfo.userdata.encoding",
    console_base64: None,
    firewall: Firewall {
        console: "none of vSphere's own: let YOUR-ADDRESS reach TCP port {port} in the network's firewall (NSX: Security > Distributed Firewall)",
        command: None,
    },
    ways: &[
        Way {
            gzip: false,
            base64: true,
            command: Some(
                "govc vm.change -vm {name} -e guestinfo.userdata.encoding=base64 -f guestinfo.userdata=\"$PWD/user-data\"",
            ),
            terraform: Some(
                r#"resource "vsphere_virtual_machine" "host" {
  extra_config = {
    "guestinfo.userdata"          = file("user-data")
    "guestinfo.userdata.encoding" = "base64"
  }
}"#,
            ),
        },
        Way {
            gzip: true,
            base64: true,
            command: Some(
                "govc vm.change -vm {name} -e guestinfo.userdata.encoding=gzip+base64 -f guestinfo.userdata=\"$PWD/user-data\"",
            ),
            terraform: Some(
                r#"resource "vsphere_virtual_machine" "host" {
  extra_config = {
    "guestinfo.userdata"          = file("user-data")
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
