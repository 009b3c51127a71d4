//! The facts about each cloud: its limit and encoding of user-data, and the instructions for its console, its command line and
//! Terraform. One file for each cloud, with the documents that its facts come from. Data only: `delivery/` fills in the machine.

mod alibaba;
mod aws;
mod azure;
mod digitalocean;
mod exoscale;
mod gce;
mod hetzner;
mod linode;
mod nocloud;
mod oci;
mod openstack;
mod ovh;
mod proxmox;
mod scaleway;
mod tencent;
mod upcloud;
mod vmware;
mod vultr;

/// A cloud or a hypervisor.
///
/// In its texts `{name}` and `{port}` are placeholders for the machine's, `{file}` is one for the file that [`Cloud::file`] names, and
/// values that only the user knows are in CAPITALS.
#[derive(Debug, PartialEq, Eq)]
pub struct Cloud {
    /// The value of `--for`.
    pub name: &'static str,
    /// Other names that users type: those of the cloud's own tools, of Docker Machine's drivers and of Terraform's providers.
    pub aliases: &'static [&'static str],
    pub title: &'static str,
    pub seed: Seed,
    pub limit: Limit,
    /// The document with the limit, and what the documents leave open.
    pub source: &'static str,
    /// The encoding that its console, its command line and its API expect.
    pub encoding: &'static str,
    pub base64: Base64,
    /// The menu path to the field for user-data in its console.
    pub console: &'static str,
    /// An additional step there for user-data in base64. If there is nothing, the console treats base64 as the text itself, which only
    /// cloud-init can decode ([`Base64::Value`]).
    pub console_base64: Option<&'static str>,
    pub firewall: Firewall,
    /// The encodings in which it accepts user-data, the simplest first.
    pub deliveries: &'static [Delivery],
    /// Facts that users easily overlook.
    pub notes: &'static [&'static str],
}

/// The object that a VM boots from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    UserData,
    /// A disk with the user-data on it.
    Disk,
}

/// The limit of user-data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of user-data. Base64 that the cloud itself decodes is not counted.
    Raw(usize),
    /// Characters of the user-data in base64.
    Base64(usize),
    /// The cloud publishes none.
    Unpublished,
}

/// The program that decodes base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base64 {
    /// The cloud: the host gets the decoded bytes.
    Envelope,
    /// cloud-init: the host gets the base64.
    Value,
    /// Nobody: the user-data has to be plain text.
    Text,
}

/// The support for compressed user-data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gzip {
    /// As binary data.
    Raw,
    /// Only in base64, which cloud-init decodes.
    InBase64,
    /// Not supported, or not documented.
    No,
}

/// How to open the port for one address.
#[derive(Debug, PartialEq, Eq)]
pub struct Firewall {
    /// The menu path and the values.
    pub console: &'static str,
    pub command: Option<&'static str>,
}

/// One encoding of user-data that a cloud accepts, and how to create a VM with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// True if the file is compressed.
    pub gzip: bool,
    /// True if the file is base64.
    pub base64: bool,
    /// The command that creates the VM; none if the command line cannot use this encoding.
    pub command: Option<&'static str>,
    pub terraform: Option<&'static str>,
}

impl Cloud {
    /// All clouds, sorted by name.
    pub const ALL: [&Self; 18] = [
        &alibaba::CLOUD,
        &aws::CLOUD,
        &azure::CLOUD,
        &digitalocean::CLOUD,
        &exoscale::CLOUD,
        &gce::CLOUD,
        &hetzner::CLOUD,
        &linode::CLOUD,
        &nocloud::CLOUD,
        &oci::CLOUD,
        &openstack::CLOUD,
        &ovh::CLOUD,
        &proxmox::CLOUD,
        &scaleway::CLOUD,
        &tencent::CLOUD,
        &upcloud::CLOUD,
        &vmware::CLOUD,
        &vultr::CLOUD,
    ];

    /// The cloud of that name or alias.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name == name || cloud.aliases.contains(&name))
    }

    /// Bytes charged against the limit for `raw` bytes of user-data (after compression, before base64), delivered in base64 or not.
    pub fn charged(&self, raw: usize, base64: bool) -> usize {
        let in_value = base64 && self.base64 != Base64::Envelope;
        match self.limit {
            Limit::Base64(_) => base64_len(raw),
            Limit::Raw(_) | Limit::Unpublished if in_value => base64_len(raw),
            Limit::Raw(_) | Limit::Unpublished => raw,
        }
    }

    /// The highest value of [`charged`](Self::charged) that the cloud accepts; none if it publishes none.
    pub fn limit(&self) -> Option<usize> {
        match self.limit {
            Limit::Raw(bytes) | Limit::Base64(bytes) => Some(bytes),
            Limit::Unpublished => None,
        }
    }

    /// Returns whether `raw` bytes of user-data fit, delivered in base64 or not.
    pub fn fits(&self, raw: usize, base64: bool) -> bool {
        self.limit().is_none_or(|limit| self.charged(raw, base64) <= limit)
    }

    /// The most bytes of user-data that fit, delivered in base64 or not.
    pub fn raw_limit(&self, base64: bool) -> Option<usize> {
        let limit = self.limit()?;
        let counts_base64 = self.charged(1, base64) != 1;
        Some(if counts_base64 { limit / 4 * 3 } else { limit })
    }

    /// Returns whether the cloud or cloud-init decodes base64.
    pub fn supports_base64(&self) -> bool {
        self.base64 != Base64::Text
    }

    /// The delivery of compressed or plain user-data; none if the cloud does not support it.
    pub fn delivery(&self, gzip: bool) -> Option<&'static Delivery> {
        self.deliveries.iter().find(|delivery| delivery.gzip == gzip)
    }

    /// Returns whether and how the cloud supports compressed user-data.
    pub fn gzip(&self) -> Gzip {
        match self.delivery(true) {
            None => Gzip::No,
            Some(_) if self.base64 == Base64::Value => Gzip::InBase64,
            Some(_) => Gzip::Raw,
        }
    }

    /// The name of the file that the commands of a delivery read, for a machine. Each machine has its own file, so that the
    /// commands for a second one do not replace the first.
    pub fn file(&self, delivery: &Delivery, machine: &str) -> String {
        let what = match (self.seed, delivery.gzip, delivery.base64) {
            (_, true, false) => "user-data.gz",
            (Seed::Disk, ..) => "seed.img",
            (Seed::UserData, ..) => "user-data",
        };
        format!("{machine}.{what}")
    }
}

/// The length of base64 with its padding, in one line (RFC 4648 §4).
fn base64_len(raw: usize) -> usize {
    raw.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_limit_is_kept_to_the_byte() {
        for cloud in Cloud::ALL {
            for base64 in [false, true] {
                let Some(most) = cloud.raw_limit(base64) else {
                    assert!(cloud.fits(1 << 30, base64), "{}", cloud.name);
                    continue;
                };
                assert!(cloud.fits(most - 1, base64), "{} {base64}", cloud.name);
                assert!(cloud.fits(most, base64), "{} {base64}", cloud.name);
                assert!(!cloud.fits(most + 1, base64), "{} {base64}", cloud.name);
            }
        }
    }

    #[test]
    fn what_is_counted_is_what_is_handed_over() {
        let of = |name| Cloud::named(name).unwrap();
        for raw in [0, 1, 2, 3, 1000, 1001, 1002] {
            let base64 = STANDARD.encode(vec![b'x'; raw]).len();
            // In the envelope and out of it the same.
            assert_eq!([false, true].map(|b| of("aws").charged(raw, b)), [raw, raw]);
            assert_eq!([false, true].map(|b| of("openstack").charged(raw, b)), [base64, base64]);
            assert_eq!([false, true].map(|b| of("gce").charged(raw, b)), [raw, base64]);
        }
    }

    #[test]
    fn the_plainest_way_comes_first() {
        for cloud in Cloud::ALL {
            let gzip: Vec<_> = cloud.deliveries.iter().map(|delivery| delivery.gzip).collect();
            assert!(matches!(gzip[..], [false] | [false, true]), "{}", cloud.name);
            for delivery in cloud.deliveries {
                assert!(!delivery.base64 || cloud.base64 == Base64::Value, "{}", cloud.name);
                // gzip is not text, so cloud-init decodes the value if it has to.
                assert!(
                    !delivery.gzip || delivery.base64 == (cloud.base64 == Base64::Value),
                    "{}",
                    cloud.name
                );
            }
        }
    }
}
