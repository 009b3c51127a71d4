//! Microsoft Azure.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Azure REST API, Virtual Machines, `osProfile.customData`: base64, decoded to at most 65535 bytes. `az vm create` encodes
/// the file that it is given, and reads it as text, so that gzip does not pass through it.
pub const CLOUD: Cloud = Cloud {
    name: "azure",
    aliases: &["azurerm"],
    title: "Microsoft Azure",
    seed: Seed::UserData,
    limit: Limit::Raw(65_535),
    source: "Azure REST API, `OSProfile.customData`: the maximum length of the decoded array is 65535 bytes",
    encoding: "plain text in the portal and for az, which encode it; base64 in the API and for Terraform",
    base64: Base64::Envelope,
    console: "Virtual machines > Create > Advanced > Custom data and cloud init > Custom data",
    console_base64: None,
    firewall: Firewall {
        console: "Virtual machines > the VM > Network settings > Create port rule > Inbound: source My IP address, destination port {port}, TCP",
        command: Some(
            r#"az network nsg create --resource-group GROUP --name docker && \
  az network nsg rule create --resource-group GROUP --nsg-name docker \
  --name docker --priority 1010 --source-address-prefixes YOUR-ADDRESS \
  --destination-port-ranges {port} --protocol Tcp"#,
        ),
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: false,
            command: Some(
                r#"az vm create --resource-group GROUP --name {name} --image Ubuntu2404 \
  --nsg docker --custom-data {file}"#,
            ),
            terraform: Some(
                r#"resource "azurerm_linux_virtual_machine" "host" {
  custom_data = filebase64("{file}")
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: false,
            command: None,
            terraform: Some(
                r#"resource "azurerm_linux_virtual_machine" "host" {
  custom_data = filebase64("{file}")
}"#,
            ),
        },
    ],
    notes: &[
        "it is the field \"Custom data\", not \"User data\" below it",
        "az reads the file as text: gzip passes only through Terraform or the API",
    ],
};
