//! Alibaba Cloud ECS.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// ECS User Guide, "Customize initialization configurations for an instance": the original, unencoded data must not exceed
/// 32 KB; older pages of the same guide say 16 KB. Of gzip it tells only behind an `#include` of a link.
pub const CLOUD: Cloud = Cloud {
    name: "alibaba",
    aliases: &["aliyun", "alicloud"],
    title: "Alibaba Cloud ECS",
    seed: Seed::UserData,
    limit: Limit::Raw(32_768),
    source: "ECS User Guide, \"Customize initialization configurations for an instance\": 32 KB before base64; older pages say 16 KB",
    encoding: "plain text in the console, which encodes it; base64 in the API, for aliyun and for Terraform",
    base64: Base64::Envelope,
    console: "Elastic Compute Service > Instances > Create Instance > Custom Launch > Advanced Settings > User Data",
    console_base64: Some("tick \"Enter Base64 Encoded Information\""),
    firewall: Firewall {
        console: "Elastic Compute Service > Security Groups > the VM's group > Inbound > Add Rule: allow, TCP, port {port}, source YOUR-ADDRESS/32",
        command: Some(
            r#"aliyun ecs AuthorizeSecurityGroup --RegionId REGION \
  --SecurityGroupId SECURITY-GROUP-ID --IpProtocol tcp \
  --PortRange {port}/{port} --SourceCidrIp YOUR-ADDRESS/32"#,
        ),
    },
    deliveries: &[Delivery {
        gzip: false,
        base64: false,
        command: Some(
            r#"aliyun ecs RunInstances --RegionId REGION --ImageId IMAGE \
  --InstanceType TYPE --VSwitchId VSWITCH \
  --SecurityGroupId SECURITY-GROUP-ID --InternetMaxBandwidthOut 5 \
  --InstanceName {name} --UserData "$(base64 <{file} | tr -d '\n')""#,
        ),
        terraform: Some(
            r#"resource "alicloud_instance" "host" {
  user_data = filebase64("{file}")
}"#,
        ),
    }],
    notes: &["others on your machine can see the user-data in the command's arguments while aliyun runs"],
};
