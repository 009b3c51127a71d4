//! Proxmox VE, by a snippet.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Proxmox VE, "Cloud-Init Support", `cicustom`: a file on a storage that takes snippets. It goes onto the VM's cloud-init
/// drive (NoCloud), anew at each start.
pub const CLOUD: Cloud = Cloud {
    name: "proxmox",
    aliases: &["pve"],
    title: "Proxmox VE",
    seed: Seed::UserData,
    limit: Limit::Unpublished,
    source: "Proxmox VE, \"Cloud-Init Support\", gives no size",
    encoding: "the unchanged file, as a snippet",
    base64: Base64::Text,
    console: "the web interface does not support snippets: copy the file to /var/lib/vz/snippets/ on the node",
    console_base64: None,
    firewall: Firewall {
        console: "the VM > Firewall > Add: direction in, action ACCEPT, protocol tcp, dest. port {port}, source YOUR-ADDRESS",
        command: Some(
            r#"pvesh create /nodes/NODE/qemu/VMID/firewall/rules --type in \
  --action ACCEPT --proto tcp --dport {port} --source YOUR-ADDRESS \
  --enable 1"#,
        ),
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: false,
            command: Some(
                r#"install -m 0600 {file} /var/lib/vz/snippets/{name}-user-data && \
  qm set VMID --ide2 local-lvm:cloudinit \
  --cicustom user=local:snippets/{name}-user-data"#,
            ),
            terraform: Some(
                r#"resource "proxmox_virtual_environment_file" "user_data" {
  content_type = "snippets"
  datastore_id = "local"
  node_name    = "NODE"
  source_raw {
    file_name = "{name}-user-data"
    data      = file("{file}")
  }
}
resource "proxmox_virtual_environment_vm" "host" {
  initialization { user_data_file_id = proxmox_virtual_environment_file.user_data.id }
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: false,
            command: Some(
                r#"install -m 0600 {file} /var/lib/vz/snippets/{name}-user-data && \
  qm set VMID --ide2 local-lvm:cloudinit \
  --cicustom user=local:snippets/{name}-user-data"#,
            ),
            terraform: None,
        },
    ],
    notes: &[
        "the storage must have the content type Snippets switched on",
        "the snippet has to stay: the VM does not start without it",
        "the firewall counts only where it is on for the datacenter, the node and the VM's network device",
    ],
};
