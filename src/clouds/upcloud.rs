//! UpCloud.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// UpCloud API, "Create server", `user_data`: a script or the URL of one; no size is given. The host gets it as a text in JSON
/// (cloud-init, datasource UpCloud), which cannot hold gzip.
pub const CLOUD: Cloud = Cloud {
    name: "upcloud",
    aliases: &[],
    title: "UpCloud",
    seed: Seed::UserData,
    limit: Limit::Unpublished,
    source: "UpCloud API, \"Create server\", gives no size",
    encoding: "plain text everywhere",
    base64: Base64::Text,
    console: "Servers > Deploy server > Initialization script",
    console_base64: None,
    firewall: Firewall {
        console: "Servers > the server > Firewall > Add rule: incoming, TCP, destination port {port}, source YOUR-ADDRESS, accept",
        command: Some(
            r#"upctl server firewall create SERVER --direction in --action accept \
  --family IPv4 --protocol tcp --destination-port-start {port} \
  --destination-port-end {port} --src-ipaddress-block YOUR-ADDRESS/32"#,
        ),
    },
    deliveries: &[Delivery {
        gzip: false,
        base64: false,
        command: Some(
            r#"upctl server create --title {name} --hostname {name} --zone ZONE \
  --os OS --ssh-keys KEY-FILE --enable-metadata --enable-firewall \
  --user-data "$(cat {file})""#,
        ),
        terraform: Some(
            r#"resource "upcloud_server" "host" {
  metadata  = true
  user_data = file("{file}")
}"#,
        ),
    }],
    notes: &[
        "the metadata service must be on, or the user-data does not arrive",
        "a server whose firewall is off has every port open to all",
        "others on your machine can see the user-data in the command's arguments while upctl runs",
    ],
};
