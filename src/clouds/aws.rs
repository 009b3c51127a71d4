//! Amazon EC2.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// EC2 User Guide, "Work with instance user data": 16 KB in raw form, before base64; opaque data, so gzip arrives. The error
/// of RunInstances names the number, 16384. The AWS CLI encodes, and reads binary files with `fileb://`.
pub const CLOUD: Cloud = Cloud {
    name: "aws",
    aliases: &["ec2", "amazonec2", "amazon"],
    title: "Amazon EC2",
    seed: Seed::UserData,
    limit: Limit::Raw(16_384),
    source: "EC2 User Guide, \"Work with instance user data\": 16 KB in raw form, before it is base64-encoded",
    encoding: "plain text in the console, the AWS CLI and Terraform, which encode it; base64 in the API",
    base64: Base64::Envelope,
    console: "EC2 > Instances > Launch instances > Advanced details > User data",
    console_base64: Some("tick \"User data has already been base64 encoded\""),
    firewall: Firewall {
        console: "EC2 > Security Groups > the VM's group > Edit inbound rules > Add rule: Custom TCP, port {port}, source My IP",
        command: Some(
            r#"aws ec2 authorize-security-group-ingress --group-id SECURITY-GROUP-ID \
  --protocol tcp --port {port} --cidr YOUR-ADDRESS/32"#,
        ),
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: false,
            command: Some(
                r#"aws ec2 run-instances --image-id AMI --instance-type TYPE \
  --security-group-ids SECURITY-GROUP-ID \
  --tag-specifications 'ResourceType=instance,Tags=[{Key=Name,Value={name}}]' \
  --user-data file://{file}"#,
            ),
            terraform: Some(
                r#"resource "aws_instance" "host" {
  user_data                   = file("{file}")
  user_data_replace_on_change = true
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: false,
            command: Some(
                r#"aws ec2 run-instances --image-id AMI --instance-type TYPE \
  --security-group-ids SECURITY-GROUP-ID \
  --tag-specifications 'ResourceType=instance,Tags=[{Key=Name,Value={name}}]' \
  --user-data fileb://{file}"#,
            ),
            terraform: Some(
                r#"resource "aws_instance" "host" {
  user_data_base64            = filebase64("{file}")
  user_data_replace_on_change = true
}"#,
            ),
        },
    ],
    notes: &[],
};
