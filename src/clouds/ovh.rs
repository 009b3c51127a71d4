//! OVHcloud Public Cloud, which is an OpenStack.

use super::{Base64, Cloud, Firewall, Limit, Seed, openstack};

/// OVHcloud's documents name no number; Nova's holds: 65535 bytes of base64.
pub const CLOUD: Cloud = Cloud {
    name: "ovh",
    aliases: &["ovhcloud"],
    title: "OVHcloud Public Cloud",
    seed: Seed::UserData,
    limit: Limit::Base64(65_535),
    source: "no number of OVHcloud's own; Nova, \"Provide user data to instances\": 65535 bytes of base64",
    encoding: "plain text in the control panel, for the openstack CLI and for Terraform, which encode it",
    base64: Base64::Envelope,
    console: "Public Cloud > Instances > Create an instance > Post-installation script",
    console_base64: None,
    firewall: Firewall {
        console: "Horizon > Project > Network > Security Groups > Manage Rules > Add Rule: Custom TCP Rule, ingress, port {port}, CIDR YOUR-ADDRESS/32",
        command: openstack::CLOUD.firewall.command,
    },
    deliveries: &openstack::WAYS,
    notes: &[
        "the security group `default` lets everybody reach every port: use another",
        "where Neutron is 2025.1 its metadata service fails on gzip (Launchpad bug 2120723)",
    ],
};
