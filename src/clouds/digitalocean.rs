//! DigitalOcean.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// DigitalOcean API, "Create a New Droplet", `user_data`: plain text, not over 64 KiB in size.
pub const CLOUD: Cloud = Cloud {
    name: "digitalocean",
    aliases: &["do"],
    title: "DigitalOcean",
    seed: Seed::UserData,
    limit: Limit::Raw(65_536),
    source: "DigitalOcean API, \"Create a New Droplet\": `user_data` must be plain text and may not exceed 64 KiB",
    encoding: "plain text everywhere, and nothing else",
    base64: Base64::Text,
    console: "Create > Droplets > Advanced Options > Add Initialization scripts",
    console_base64: None,
    firewall: Firewall {
        console: "Networking > Firewalls > Create Firewall > Inbound Rules: Custom, TCP, port {port}, source YOUR-ADDRESS; Apply to Droplets",
        command: Some(
            r#"doctl compute tag create docker && \
  doctl compute firewall create --name docker --tag-names docker \
  --inbound-rules protocol:tcp,ports:{port},address:YOUR-ADDRESS \
  --outbound-rules 'protocol:tcp,ports:all,address:0.0.0.0/0,address:::/0 protocol:udp,ports:all,address:0.0.0.0/0,address:::/0'"#,
        ),
    },
    deliveries: &[Delivery {
        gzip: false,
        base64: false,
        command: Some(
            r#"doctl compute droplet create {name} --image IMAGE --size SIZE \
  --region REGION --tag-name docker --user-data-file {file}"#,
        ),
        terraform: Some(
            r#"resource "digitalocean_droplet" "host" {
  user_data = file("{file}")
}"#,
        ),
    }],
    notes: &["a Droplet without a firewall has every port open to all"],
};
