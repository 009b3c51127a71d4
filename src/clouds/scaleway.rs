//! Scaleway Instances.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Scaleway Instance API, user data: the key `cloud-init`, as bytes; no size is given.
pub const CLOUD: Cloud = Cloud {
    name: "scaleway",
    aliases: &["scw"],
    title: "Scaleway",
    seed: Seed::UserData,
    limit: Limit::Unpublished,
    source: "Scaleway Instance API, user data, gives no size",
    encoding: "plain text everywhere, as the user data of the key cloud-init",
    base64: Base64::Text,
    console: "Instances > Create Instance > Advanced settings > Cloud-init",
    console_base64: None,
    firewall: Firewall {
        console: "Instances > Security groups > the VM's group > Rules > Add inbound rule: allow, TCP, port {port}, YOUR-ADDRESS/32; inbound default policy drop",
        command: Some(
            r#"scw instance security-group create-rule \
  security-group-id=SECURITY-GROUP-ID direction=inbound action=accept \
  protocol=TCP dest-port-from={port} ip-range=YOUR-ADDRESS/32"#,
        ),
    },
    deliveries: &[Delivery {
        gzip: false,
        base64: false,
        command: Some(
            r#"scw instance server create name={name} type=TYPE image=IMAGE \
  security-group-id=SECURITY-GROUP-ID cloud-init=@{file}"#,
        ),
        terraform: Some(
            r#"resource "scaleway_instance_server" "host" {
  user_data = { cloud-init = file("{file}") }
}"#,
        ),
    }],
    notes: &["the default security group lets everybody reach every port but those for mail"],
};
