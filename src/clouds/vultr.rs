//! Vultr.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Vultr API v2, "Create Instance", `user_data`: base64; no size is given. vultr-cli (`--userdata`: plain text which the CLI
/// will encode) and the Terraform provider encode. The host gets it as a text in JSON (cloud-init, datasource Vultr), which
/// cannot hold gzip.
pub const CLOUD: Cloud = Cloud {
    name: "vultr",
    aliases: &[],
    title: "Vultr",
    seed: Seed::UserData,
    limit: Limit::Unpublished,
    source: "Vultr API, \"Create Instance\", gives no size",
    encoding: "plain text in the console, for vultr-cli and for Terraform, which encode it; base64 in the API",
    base64: Base64::Envelope,
    console: "Compute > Deploy > Additional Features > Cloud-Init User-Data",
    console_base64: None,
    firewall: Firewall {
        console: "Network > Firewall > Add Firewall Group > Inbound IPv4 Rules: TCP, port {port}, source YOUR-ADDRESS; Linked Instances",
        command: Some(
            r#"vultr-cli firewall rule create FIREWALL-GROUP --ip-type v4 \
  --protocol tcp --port {port} --subnet YOUR-ADDRESS --size 32"#,
        ),
    },
    deliveries: &[Delivery {
        gzip: false,
        base64: false,
        command: Some(
            r#"vultr-cli instance create --label {name} --region REGION --plan PLAN \
  --os OS-ID --firewall-group FIREWALL-GROUP \
  --userdata "$(cat {file})""#,
        ),
        terraform: Some(
            r#"resource "vultr_instance" "host" {
  user_data = file("{file}")
}"#,
        ),
    }],
    notes: &[
        "an instance without a firewall group has every port open to all",
        "others on your machine can see the user-data in the command's arguments while vultr-cli runs",
    ],
};
