//! Google Compute Engine.

use super::{Base64, Cloud, Delivery, Firewall, Limit, Seed};

/// Compute Engine API, `Metadata.items[].value`: at most 262144 bytes. The value is text and cloud-init reads it as it is,
/// unless the key `user-data-encoding` says `base64` (cloud-init, datasource GCE). Google's Debian images have Google's guest
/// agent in place of cloud-init.
pub const CLOUD: Cloud = Cloud {
    name: "gce",
    aliases: &["google", "gcp"],
    title: "Google Compute Engine",
    seed: Seed::UserData,
    limit: Limit::Raw(262_144),
    source: "Compute Engine API, `Metadata`: a value must be at most 262144 bytes (256 KiB)",
    encoding: "plain text, as the value of the metadata key user-data; base64 only with user-data-encoding=base64",
    base64: Base64::Value,
    console: "Compute Engine > VM instances > Create instance > Advanced > Metadata > Add item: key user-data",
    console_base64: Some("add the key user-data-encoding with the value base64"),
    firewall: Firewall {
        console: "VPC network > Firewall > Create firewall rule: ingress, target tag docker, source YOUR-ADDRESS/32, TCP port {port}",
        command: Some(
            r#"gcloud compute firewall-rules create docker-{port} --allow=tcp:{port} \
  --source-ranges=YOUR-ADDRESS/32 --target-tags=docker"#,
        ),
    },
    deliveries: &[
        Delivery {
            gzip: false,
            base64: false,
            command: Some(
                r#"gcloud compute instances create {name} --zone=ZONE --tags=docker \
  --image-family=ubuntu-2404-lts-amd64 --image-project=ubuntu-os-cloud \
  --metadata-from-file=user-data={file}"#,
            ),
            terraform: Some(
                r#"resource "google_compute_instance" "host" {
  metadata = { user-data = file("{file}") }
}"#,
            ),
        },
        Delivery {
            gzip: true,
            base64: true,
            command: Some(
                r#"gcloud compute instances create {name} --zone=ZONE --tags=docker \
  --image-family=ubuntu-2404-lts-amd64 --image-project=ubuntu-os-cloud \
  --metadata=user-data-encoding=base64 \
  --metadata-from-file=user-data={file}"#,
            ),
            terraform: Some(
                r#"resource "google_compute_instance" "host" {
  metadata = {
    user-data          = file("{file}")
    user-data-encoding = "base64"
  }
}"#,
            ),
        },
    ],
    notes: &["the image must have cloud-init: Ubuntu's have it, Google's Debian images do not"],
};
