//! Exoscale.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Exoscale's own command line and Terraform provider refuse base64 of 32768 characters or more, and compress at will, so that
/// gzip arrives.
pub const CLOUD: Cloud = Cloud {
    name: "exoscale",
    aliases: &[],
    title: "Exoscale",
    seed: Seed::UserData,
    limit: Limit::Base64(32_767),
    source: "terraform-provider-exoscale, `ComputeMaxUserDataLength`: the base64 must be shorter than 32768",
    encoding: "plain text in the portal, for exo and for Terraform, which encode it; base64 in the API",
    base64: Base64::Envelope,
    console: "Compute > Instances > Add > User Data",
    console_base64: None,
    firewall: Firewall {
        console: "Compute > Security Groups > the VM's group > Add rule: ingress, TCP, port {port}, source YOUR-ADDRESS/32",
        command: Some(
            r#"exo compute security-group rule add SECURITY-GROUP --protocol tcp \
  --port {port} --network YOUR-ADDRESS/32"#,
        ),
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: false,
            command: Some(
                r#"exo compute instance create {name} --zone ZONE --template TEMPLATE \
  --security-group SECURITY-GROUP --cloud-init {file}"#,
            ),
            terraform: Some(
                r#"resource "exoscale_compute_instance" "host" {
  user_data = file("{file}")
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: false,
            command: Some(
                r#"exo compute instance create {name} --zone ZONE --template TEMPLATE \
  --security-group SECURITY-GROUP --cloud-init {file}"#,
            ),
            terraform: Some(
                r#"resource "exoscale_compute_instance" "host" {
  user_data = filebase64("{file}")
}"#,
            ),
        },
    ],
    notes: &[],
};
