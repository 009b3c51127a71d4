//! Akamai Connected Cloud, Linode.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Linode API, "Create a Linode": unencoded data "must not exceed 65535 bytes, or about 16kb encoded", which contradicts
/// itself. 16384 bytes before the encoding are kept to. cloud-init's datasource Akamai (24.1 and newer) decodes base64 and
/// would unpack gzip, which no document of Akamai's promises.
pub const CLOUD: Cloud = Cloud {
    name: "linode",
    aliases: &["akamai"],
    title: "Akamai Linode",
    seed: Seed::UserData,
    limit: Limit::Raw(16_384),
    source: "Linode API, \"Create a Linode\", has both 65535 bytes and about 16 KB; the smaller number is kept to",
    encoding: "plain text in Cloud Manager; base64 in the API, for linode-cli and for Terraform",
    base64: Base64::Envelope,
    console: "Linodes > Create Linode > Add User Data",
    console_base64: None,
    firewall: Firewall {
        console: "Firewalls > Create Firewall > Rules > Add an Inbound Rule: TCP, custom port {port}, source YOUR-ADDRESS/32, accept; inbound policy drop",
        command: Some(
            r#"linode-cli firewalls create --label docker --rules.inbound_policy DROP \
  --rules.outbound_policy ACCEPT \
  --rules.inbound '[{"action":"ACCEPT","protocol":"TCP","ports":"{port}",
    "addresses":{"ipv4":["YOUR-ADDRESS/32"]}}]'"#,
        ),
    },
    deliveries: &[Delivery {
        gzip: false,
        base64: false,
        command: Some(
            r#"linode-cli linodes create --label {name} --type TYPE --image IMAGE \
  --region REGION --firewall_id FIREWALL-ID --root_pass \
  --metadata.user_data "$(base64 <{file} | tr -d '\n')""#,
        ),
        terraform: Some(
            r#"resource "linode_instance" "host" {
  metadata { user_data = filebase64("{file}") }
}"#,
        ),
    }],
    notes: &[
        "the image and the region must be marked for cloud-init and Metadata",
        "a Linode without a firewall has every port open to all",
        "others on your machine can see the user-data in the command's arguments while linode-cli runs",
    ],
};
