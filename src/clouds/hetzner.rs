//! Hetzner Cloud.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Hetzner Cloud API, "Create a Server", `user_data`: limited to 32 KiB. It is text, and cloud-init's datasource Hetzner
/// decodes it where it is base64 throughout.
pub const CLOUD: Cloud = Cloud {
    name: "hetzner",
    aliases: &["hcloud"],
    title: "Hetzner Cloud",
    seed: Seed::UserData,
    limit: Limit::Raw(32_768),
    source: "Hetzner Cloud API, \"Create a Server\": `user_data` is limited to 32 KiB",
    encoding: "plain text everywhere; cloud-init decodes it where it is base64",
    base64: Base64::Value,
    console: "Servers > Add Server > Cloud config",
    console_base64: None,
    firewall: Firewall {
        console: "Firewalls > Create Firewall > Inbound rules: TCP, port {port}, source YOUR-ADDRESS; Apply to the server",
        command: Some(
            r#"hcloud firewall create --name docker && \
  hcloud firewall add-rule docker --direction in --protocol tcp \
  --port {port} --source-ips YOUR-ADDRESS/32"#,
        ),
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: false,
            command: Some(
                r#"hcloud server create --name {name} --type TYPE --image IMAGE \
  --firewall docker --user-data-from-file {file}"#,
            ),
            terraform: Some(
                r#"resource "hcloud_server" "host" {
  user_data = file("{file}")
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: true,
            command: Some(
                r#"hcloud server create --name {name} --type TYPE --image IMAGE \
  --firewall docker --user-data-from-file {file}"#,
            ),
            terraform: Some(
                r#"resource "hcloud_server" "host" {
  user_data = file("{file}")
}"#,
            ),
        },
    ],
    notes: &["a server without a firewall has every port open to all"],
};
