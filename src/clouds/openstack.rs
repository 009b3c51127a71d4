//! OpenStack, whoever runs it.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Nova, user guide "Provide user data to instances": base64 encoded, restricted to 65535 bytes. Nova stores and counts the
/// base64. Horizon takes a script of at most 16 KB. The metadata proxy of Neutron 2025.1 fails on compressed user-data
/// (Launchpad, neutron bug 2120723).
pub const CLOUD: Cloud = Cloud {
    name: "openstack",
    aliases: &[],
    title: "OpenStack",
    seed: Seed::UserData,
    limit: Limit::Base64(65_535),
    source: "Nova, \"Provide user data to instances\": base64 encoded and restricted to 65535 bytes",
    encoding: "plain text in Horizon, for the openstack CLI and for Terraform, which encode it; base64 in the API",
    base64: Base64::Envelope,
    console: "Project > Compute > Instances > Launch Instance > Configuration > Customization Script",
    console_base64: None,
    firewall: Firewall {
        console: "Project > Network > Security Groups > Manage Rules > Add Rule: Custom TCP Rule, ingress, port {port}, CIDR YOUR-ADDRESS/32",
        command: Some(
            r#"openstack security group rule create --protocol tcp --dst-port {port} \
  --remote-ip YOUR-ADDRESS/32 SECURITY-GROUP"#,
        ),
    },
    deliveries: &WAYS,
    notes: &[
        "Horizon itself stops at 16384 bytes",
        "where Neutron is 2025.1 its metadata service fails on gzip (Launchpad bug 2120723)",
    ],
};

pub(super) const WAYS: [Delivery; 2] = [
    Delivery {
        gzip: false,
        base64: false,
        command: Some(
            r#"openstack server create --image IMAGE --flavor FLAVOR --network NETWORK \
  --security-group SECURITY-GROUP --user-data {file} {name}"#,
        ),
        terraform: Some(
            r#"resource "openstack_compute_instance_v2" "host" {
  user_data = file("{file}")
}"#,
        ),
    },
    Delivery {
        gzip: true,
        base64: false,
        command: Some(
            r#"openstack server create --image IMAGE --flavor FLAVOR --network NETWORK \
  --security-group SECURITY-GROUP --user-data {file} {name}"#,
        ),
        terraform: Some(
            r#"resource "openstack_compute_instance_v2" "host" {
  user_data = filebase64("{file}")
}"#,
        ),
    },
];
