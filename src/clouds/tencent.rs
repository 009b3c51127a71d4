//! Tencent Cloud CVM.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// CVM API, RunInstances, `UserData`: to be encoded in base64, 16 KB of data at most. Whether they are counted before or after
/// the encoding it does not say, and what is smaller is kept to. Nor does it say whether gzip is unpacked.
pub const CLOUD: Cloud = Cloud {
    name: "tencent",
    aliases: &["tencentcloud"],
    title: "Tencent Cloud CVM",
    seed: Seed::UserData,
    limit: Limit::Base64(16_384),
    source: "CVM API, RunInstances: `UserData` is at most 16 KB; that base64 counts is the stricter reading",
    encoding: "plain text in the console, which encodes it; base64 in the API, for tccli and for Terraform",
    base64: Base64::Envelope,
    console: "Cloud Virtual Machine > Instances > Create > Advanced settings > Custom data",
    console_base64: Some("tick \"The above input is Base64-encoded\""),
    firewall: Firewall {
        console: "Cloud Virtual Machine > Security Groups > the VM's group > Inbound rules > Add rule: source YOUR-ADDRESS, TCP:{port}, Allow",
        command: Some(
            r#"tccli vpc CreateSecurityGroupPolicies \
  --SecurityGroupId SECURITY-GROUP-ID \
  --SecurityGroupPolicySet '{"Ingress":[{"Protocol":"TCP",
    "Port":"{port}","CidrBlock":"YOUR-ADDRESS","Action":"ACCEPT"}]}'"#,
        ),
    },
    deliveries: &[Delivery {
        gzip: false,
        base64: false,
        command: Some(
            r#"tccli cvm RunInstances --Placement '{"Zone":"ZONE"}' --ImageId IMAGE \
  --InstanceType TYPE --SecurityGroupIds '["SECURITY-GROUP-ID"]' \
  --InstanceName {name} --UserData "$(base64 <{file} | tr -d '\n')""#,
        ),
        terraform: Some(
            r#"resource "tencentcloud_instance" "host" {
  user_data = filebase64("{file}")
}"#,
        ),
    }],
    notes: &["others on your machine can see the user-data in the command's arguments while tccli runs"],
};
