//! What is known of clouds: how each takes user-data and how much of it, and the words for its console, its command line
//! and Terraform. A file for each cloud, with the documents that its facts are from. Data only: who the machine is, is put
//! in by whoever prints it.

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

/// A place where VMs are made.
///
/// In its texts `{name}` and `{port}` stand for the machine's, and what only the user knows is in CAPITALS. Commands find
/// the seed in the file that [`Cloud::file`] names.
#[derive(Debug, PartialEq, Eq)]
pub struct Cloud {
    /// As written after `--for`.
    pub name: &'static str,
    pub title: &'static str,
    pub seed: Seed,
    pub limit: Limit,
    /// The document that the limit is from; what documents leave open.
    pub source: &'static str,
    /// What its console, its command line and its API want.
    pub encoding: &'static str,
    pub base64: Base64,
    /// The way to the field for user-data in its console, as the menus are called.
    pub console: &'static str,
    /// What else to do there for user-data that is base64 already. Where there is nothing, an envelope would be taken for the
    /// text itself, and what cloud-init decodes needs nothing.
    pub console_base64: Option<&'static str>,
    pub firewall: Firewall,
    /// How it takes user-data, the plainest way first.
    pub ways: &'static [Way],
    /// What is easily overlooked there.
    pub notes: &'static [&'static str],
}

/// What is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    UserData,
    /// A disk with the user-data on it.
    Disk,
}

/// How much user-data fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of user-data. Base64 that is but its envelope on the way is not counted.
    Raw(usize),
    /// Characters of the base64 that it is carried in.
    Base64(usize),
    /// No number is published.
    Unpublished,
}

/// What base64 is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base64 {
    /// An envelope: the cloud opens it, and the host gets what was put in.
    Envelope,
    /// A part of the value, which cloud-init decodes.
    Value,
    /// Nothing but text: neither the cloud nor cloud-init decodes it.
    Text,
}

/// Whether compressed user-data arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gzip {
    /// As the bytes that it is.
    Raw,
    /// Only in base64 that cloud-init decodes.
    InBase64,
    /// Not taken, or not known to be.
    No,
}

/// How the port is opened for one address.
#[derive(Debug, PartialEq, Eq)]
pub struct Firewall {
    /// What to click, as the menus are called.
    pub console: &'static str,
    pub command: Option<&'static str>,
}

/// One way to hand user-data over, with a file of its own form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The file is compressed.
    pub gzip: bool,
    /// The file is base64 text.
    pub base64: bool,
    /// What makes the VM. None where the command line cannot do it in this way.
    pub command: Option<&'static str>,
    pub terraform: Option<&'static str>,
}

impl Cloud {
    /// All of them, by name.
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

    /// The cloud of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name == name)
    }

    /// What the cloud's limit counts of `raw` bytes of user-data (after compression, before base64) when they are handed
    /// over, `base64` or not.
    pub fn measured(&self, raw: usize, base64: bool) -> usize {
        let in_value = base64 && self.base64 != Base64::Envelope;
        match self.limit {
            Limit::Base64(_) => base64_len(raw),
            Limit::Raw(_) | Limit::Unpublished if in_value => base64_len(raw),
            Limit::Raw(_) | Limit::Unpublished => raw,
        }
    }

    /// The number that [`measured`](Self::measured) may not pass.
    pub fn limit(&self) -> Option<usize> {
        match self.limit {
            Limit::Raw(bytes) | Limit::Base64(bytes) => Some(bytes),
            Limit::Unpublished => None,
        }
    }

    /// Whether `raw` bytes of user-data fit, handed over in base64 or not.
    pub fn fits(&self, raw: usize, base64: bool) -> bool {
        self.limit().is_none_or(|limit| self.measured(raw, base64) <= limit)
    }

    /// The most bytes of user-data that fit, handed over in base64 or not.
    pub fn raw_limit(&self, base64: bool) -> Option<usize> {
        let limit = self.limit()?;
        let counts_base64 = self.measured(1, base64) != 1;
        Some(if counts_base64 { limit / 4 * 3 } else { limit })
    }

    /// Whether base64 arrives as what it stands for.
    pub fn takes_base64(&self) -> bool {
        self.base64 != Base64::Text
    }

    /// The plainest way to hand it over, compressed or not; none where that does not arrive.
    pub fn way(&self, gzip: bool) -> Option<&'static Way> {
        self.ways.iter().find(|way| way.gzip == gzip)
    }

    /// Whether compressed user-data arrives, and how.
    pub fn gzip(&self) -> Gzip {
        match self.way(true) {
            None => Gzip::No,
            Some(_) if self.base64 == Base64::Value => Gzip::InBase64,
            Some(_) => Gzip::Raw,
        }
    }

    /// The file that the commands of a way read.
    pub fn file(&self, way: &Way) -> &'static str {
        match (self.seed, way.gzip, way.base64) {
            (_, true, false) => "user-data.gz",
            (Seed::Disk, ..) => "seed.img",
            (Seed::UserData, ..) => "user-data",
        }
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
            assert_eq!([false, true].map(|b| of("aws").measured(raw, b)), [raw, raw]);
            assert_eq!([false, true].map(|b| of("openstack").measured(raw, b)), [base64, base64]);
            assert_eq!([false, true].map(|b| of("gce").measured(raw, b)), [raw, base64]);
        }
    }

    #[test]
    fn the_plainest_way_comes_first() {
        for cloud in Cloud::ALL {
            let gzip: Vec<_> = cloud.ways.iter().map(|way| way.gzip).collect();
            assert!(matches!(gzip[..], [false] | [false, true]), "{}", cloud.name);
            for way in cloud.ways {
                assert!(!way.base64 || cloud.base64 == Base64::Value, "{}", cloud.name);
                // Gzip is no text, so where cloud-init has to decode the value, it is decoded.
                assert!(!way.gzip || way.base64 == (cloud.base64 == Base64::Value), "{}", cloud.name);
            }
        }
    }
}
