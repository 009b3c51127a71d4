//! Oracle Cloud Infrastructure.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// OCI API, `LaunchInstanceDetails.metadata`: the combined size of all metadata is at most 32000 bytes. `user_data` is base64
/// there. 1332 of them are left to the names and to an SSH key of 4096 bits.
const LIMIT: Limit = Limit::Base64(32_000 - 1_332);

pub const CLOUD: Cloud = Cloud {
    name: "oci",
    aliases: &["oracle"],
    title: "Oracle Cloud Infrastructure",
    seed: Seed::UserData,
    limit: LIMIT,
    source: "OCI API, `LaunchInstanceDetails`: all metadata together is limited to 32000 bytes, base64 counted; 1332 are left to an SSH key",
    encoding: "plain text in the console and for the oci CLI, which encode it; base64 in the API and for Terraform",
    base64: Base64::Envelope,
    console: "Compute > Instances > Create instance > Advanced options > Management > Initialization script > Paste cloud-init script",
    console_base64: None,
    firewall: Firewall {
        console: "Networking > Virtual cloud networks > the VCN > Security > Security Lists > Add Ingress Rules: source CIDR YOUR-ADDRESS/32, TCP, destination port {port}",
        command: Some(
            r#"oci network nsg rules add --nsg-id NSG-OCID \
  --security-rules '[{"direction":"INGRESS","protocol":"6",
    "source":"YOUR-ADDRESS/32",
    "tcpOptions":{"destinationPortRange":{"min":{port},"max":{port}}}}]'"#,
        ),
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: false,
            command: Some(
                r#"oci compute instance launch --compartment-id COMPARTMENT-OCID \
  --availability-domain DOMAIN --shape SHAPE --image-id IMAGE-OCID \
  --subnet-id SUBNET-OCID --nsg-ids '["NSG-OCID"]' \
  --display-name {name} --user-data-file {file}"#,
            ),
            terraform: Some(
                r#"resource "oci_core_instance" "host" {
  metadata = { user_data = filebase64("{file}") }
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: false,
            command: Some(
                r#"oci compute instance launch --compartment-id COMPARTMENT-OCID \
  --availability-domain DOMAIN --shape SHAPE --image-id IMAGE-OCID \
  --subnet-id SUBNET-OCID --nsg-ids '["NSG-OCID"]' \
  --display-name {name} --user-data-file {file}"#,
            ),
            terraform: Some(
                r#"resource "oci_core_instance" "host" {
  metadata = { user_data = filebase64("{file}") }
}"#,
            ),
        },
    ],
    notes: &[
        "Oracle's Ubuntu images reject the port in their own /etc/iptables/rules.v4: create the machine with --open-firewall",
    ],
};
