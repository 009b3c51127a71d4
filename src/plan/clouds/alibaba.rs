//! Alibaba Cloud ECS.

use super::{Base64, Cloud, Firewall, Limit, Seed, Way};

/// ECS API, RunInstances, `UserData`: base64, at most 32 KB before it; older pages of the same documentation still say 16 KB.
/// Whether gzip is unpacked they do not say.
pub const CLOUD: Cloud = Cloud {
    name: "alibaba",
    title: "Alibaba Cloud ECS",
    seed: Seed::UserData,
    limit: Limit::Raw(32_768),
    source: "ECS API, RunInstances: the raw data of `UserData` can be up to 32 KB; older pages say 16 KB",
    encoding: "plain text in the console, which encodes it; base64 in the API, for aliyun and for Terraform",
    base64: Base64::Envelope,
    console: "Elastic Compute Service > Instances > Create Instance > Custom Launch > Advanced Settings > User Data",
    console_base64: Some("tick \"Enter Base64-encoded Information\""),
    firewall: Firewall {
        console: "Elastic Compute Service > Security Groups > the VM's group > Inbound > Add Rule: allow, TCP, port {port}, source YOUR-ADDRESS/32",
        command: Some(
            r#"aliyun ecs AuthorizeSecurityGroup --RegionId REGION \
  --SecurityGroupId SECURITY-GROUP-ID --IpProtocol tcp \
  --PortRange {port}/{port} --SourceCidrIp YOUR-ADDRESS/32"#,
        ),
    },
    ways: &[Way {
        gzip: false,
        base64: false,
        command: Some(
            r#"aliyun ecs RunInstances --RegionId REGION --ImageId IMAGE \
  --InstanceType TYPE --VSwitchId VSWITCH \
  --SecurityGroupId SECURITY-GROUP-ID --InternetMaxBandwidthOut 5 \
  --InstanceName {name} --UserData "$(base64 <user-data | tr -d '\n')""#,
        ),
        terraform: Some(
            r#"resource "alicloud_instance" "host" {
  user_data = filebase64("user-data")
}"#,
        ),
    }],
    notes: &["others on your machine can see the user-data in the command's arguments while aliyun runs"],
};
