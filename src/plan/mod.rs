//! What is true: the spec, checked and completed. Pure, and the last place where values are checked.

mod check;
mod clouds;
mod docker;
mod engine;

use std::path::PathBuf;

use time::Duration;

pub use clouds::{Base64, Cloud, Gzip, Limit, Seed, Way};
pub use docker::{Docker, Install, InstallScript};
pub use engine::Engine;

use crate::diag::{Code, Diagnostic, Report};
use crate::names::{Address, MachineName};
use crate::spec::Spec;
use check::Check;

/// Docker's registered port for TLS (IANA `docker-s`).
pub const DEFAULT_PORT: u16 = 2376;
/// Docker's leaf certificates have no outside limit; two years is long enough to forget a machine.
const DEFAULT_VALID_FOR: ValidFor = ValidFor { hours: 730 * 24 };

/// A machine to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub name: MachineName,
    /// What clients dial; the first is the host of `DOCKER_HOST`. Empty when nothing is known yet.
    pub addresses: Vec<Address>,
    /// Further names for the server's certificate.
    pub tls_sans: Vec<Address>,
    pub key: KeyType,
    pub valid_for: ValidFor,
    pub ca: AuthoritySource,
    /// The host issues its own server's certificate.
    pub boot_issuer: Option<BootIssuer>,
    pub host: HostPlan,
}

/// How a host finds what its certificate is for, beside what the plan says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootIssuer {
    /// Asked for the public address, in place of the cloud's metadata.
    pub public_address_url: Option<String>,
}

/// What the host's part of an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRole {
    /// The daemon's own certificate.
    Server,
    /// A delegated authority, from which the host makes the daemon's certificate.
    BootIssuer,
}

impl HostRole {
    /// What its files are called, in the store and on the host: `NAME.pem` and `NAME-key.pem`.
    pub fn file_stem(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::BootIssuer => "issuer",
        }
    }
}

/// The part of a plan that a host has whoever it is: what a baked image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    pub port: u16,
    pub engine: Engine,
    pub docker: Docker,
    /// Containers are kept from the cloud's metadata service.
    pub block_metadata: bool,
}

/// The keys that hostseed makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    P256,
    P384,
    Ed25519,
    Rsa2048,
    Rsa4096,
}

impl KeyType {
    const ALL: [(&str, Self); 5] = [
        ("p256", Self::P256),
        ("p384", Self::P384),
        ("ed25519", Self::Ed25519),
        ("rsa2048", Self::Rsa2048),
        ("rsa4096", Self::Rsa4096),
    ];

    /// As written after `--key`.
    pub fn name(self) -> &'static str {
        check::name_of(&Self::ALL, self)
    }
}

/// How long a leaf certificate is valid, in whole hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidFor {
    hours: u32,
}

impl ValidFor {
    /// A hundred years: past any use, and short of what a date can hold.
    const MAX_HOURS: u32 = 100 * 365 * 24;

    fn parse(text: &str) -> Result<Self, Diagnostic> {
        let refuse = || {
            Diagnostic::error(
                Code::InvalidDuration,
                format!("must be a time like `730d`, `2y` or `12h`, got `{text}`"),
            )
        };
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refuse)?;
        let unit_hours = match unit {
            "h" => 1,
            "d" => 24,
            "y" => 365 * 24,
            _ => return Err(refuse()),
        };
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        let hours = number.parse::<u32>().ok().and_then(|n| n.checked_mul(unit_hours));
        match hours {
            Some(hours @ 1..=Self::MAX_HOURS) => Ok(Self { hours }),
            _ => Err(Diagnostic::error(
                Code::InvalidDuration,
                format!("must be between `1h` and `100y`, got `{text}`"),
            )),
        }
    }

    pub fn duration(self) -> Duration {
        Duration::hours(i64::from(self.hours))
    }
}

impl std::fmt::Display for ValidFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.hours.is_multiple_of(24) {
            write!(f, "{}d", self.hours / 24)
        } else {
            write!(f, "{}h", self.hours)
        }
    }
}

/// Whose authority signs a machine's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthoritySource {
    /// One of the machine's own, made with it.
    Own,
    /// The store's, as Docker Machine has it: `certs/{ca,ca-key}.pem`.
    Shared,
    /// `ca.pem` and `ca-key.pem` of another folder.
    Dir(PathBuf),
}

impl AuthoritySource {
    /// As written after `--ca`.
    pub fn name(&self) -> String {
        match self {
            Self::Own => "own".into(),
            Self::Shared => "shared".into(),
            Self::Dir(dir) => dir.display().to_string(),
        }
    }
}

/// A field and its value, as a spec has it.
pub enum Field {
    One(&'static str, String),
    Many(&'static str, Vec<String>),
}

impl Field {
    pub fn name(&self) -> &'static str {
        match self {
            Self::One(name, _) | Self::Many(name, _) => name,
        }
    }
}

impl Plan {
    /// Checks and completes the spec of a new machine; every finding at once.
    pub fn from_spec(spec: &Spec) -> Result<Self, Report> {
        Self::named(spec, MachineName::parse_new)
    }

    /// The plan of a machine that is there: its name may be one that new machines cannot have.
    pub fn from_stored(spec: &Spec) -> Result<Self, Report> {
        Self::named(spec, MachineName::parse)
    }

    fn named(
        spec: &Spec,
        parse_name: impl Fn(&str) -> Result<MachineName, Diagnostic>,
    ) -> Result<Self, Report> {
        let mut check = Check::new(spec);
        let name =
            check.required("name", &spec.name, "hostseed create web1 --address 203.0.113.7", parse_name);
        let addresses = check.many("address", &spec.identity.addresses, Address::parse);
        let tls_sans = check.many("tls-san", &spec.identity.tls_sans, Address::parse_san);
        let key = check.choice("key", &spec.identity.key, &KeyType::ALL, KeyType::P256);
        let valid_for =
            check.one("valid-for", &spec.identity.valid_for, ValidFor::parse).unwrap_or(DEFAULT_VALID_FOR);
        let ca = check.one("ca", &spec.identity.ca, authority_source).unwrap_or(AuthoritySource::Own);
        let boot_issuer = boot_issuer(&mut check, spec, &ca);
        let host = host_plan(&mut check, spec);
        if host.docker.install == Install::None {
            engine::refuse_for_a_finished_image(&mut check, spec);
        }
        check.finish()?;
        let name = name.expect("a missing name is a finding");
        Ok(Self { name, addresses, tls_sans, key, valid_for, ca, boot_issuer, host })
    }

    /// The plan of the same machine on an image that has Docker and its options already.
    pub fn on_a_finished_image(&self) -> Self {
        let mut plan = self.clone();
        plan.host.docker.install = Install::None;
        plan
    }

    /// What the host gets of the identity.
    pub fn host_role(&self) -> HostRole {
        if self.boot_issuer.is_some() { HostRole::BootIssuer } else { HostRole::Server }
    }

    /// The names of the server's certificate, without repetition: addresses, further SANs, the name,
    /// `localhost` and `127.0.0.1`.
    pub fn sans(&self) -> Vec<Address> {
        let local = [Address::Dns("localhost".into()), Address::Ip([127, 0, 0, 1].into())];
        let name = Address::Dns(self.name.to_string());
        let mut sans: Vec<Address> = Vec::new();
        for san in self.addresses.iter().chain(&self.tls_sans).chain([&name]).chain(&local) {
            if !sans.contains(san) {
                sans.push(san.clone());
            }
        }
        sans
    }

    /// Whether somebody asked for this name of [`sans`](Self::sans), or clients dial it.
    pub fn asks_for(&self, san: &Address) -> bool {
        self.addresses.contains(san) || self.tls_sans.contains(san) || self.dialled() == *san
    }

    /// What clients dial: the first address, or the name, which then has to resolve.
    pub fn dialled(&self) -> Address {
        self.addresses.first().cloned().unwrap_or_else(|| Address::Dns(self.name.to_string()))
    }

    /// The whole plan as the fields of a spec that gives this plan again. Nothing is left to defaults,
    /// so a stored machine renders the same whatever later defaults are.
    pub fn fields(&self) -> Vec<Field> {
        let text = |items: &[Address]| items.iter().map(Address::to_string).collect();
        let mut fields = vec![
            Field::One("name", self.name.to_string()),
            Field::Many("address", text(&self.addresses)),
            Field::Many("tls-san", text(&self.tls_sans)),
            Field::One("boot-issuer", self.boot_issuer.is_some().to_string()),
        ];
        let url = self.boot_issuer.as_ref().and_then(|issuer| issuer.public_address_url.clone());
        fields.extend(url.map(|url| Field::One("public-address-url", url)));
        fields.push(Field::One("port", self.host.port.to_string()));
        fields.extend(self.host.engine.fields());
        fields.extend(self.host.docker.fields());
        // Off is what a machine has that does not say it: one made before this option stays as it is.
        fields.extend(self.host.block_metadata.then(|| Field::One("block-metadata", "true".into())));
        fields.extend([
            Field::One("key", self.key.name().into()),
            Field::One("valid-for", self.valid_for.to_string()),
            Field::One("ca", self.ca.name()),
        ]);
        fields.retain(|field| !matches!(field, Field::Many(_, values) if values.is_empty()));
        fields
    }
}

/// The names that an option accepts; none where it accepts other values too.
pub fn choices(option: &str) -> Option<Vec<&'static str>> {
    fn names<T>(all: &[(&'static str, T)]) -> Option<Vec<&'static str>> {
        Some(all.iter().map(|(name, _)| *name).collect())
    }
    match option {
        "key" => names(&KeyType::ALL),
        "docker" => names(&docker::CHOICES),
        "docker-channel" => names(&docker::CHANNELS),
        _ => None,
    }
}

impl HostPlan {
    /// The plan of an image, which is no machine yet. The fields of a machine's identity are left alone:
    /// one file may serve `bake` and `create`.
    pub fn from_spec(spec: &Spec) -> Result<Self, Report> {
        let mut check = Check::new(spec);
        let host = host_plan(&mut check, spec);
        check.finish()?;
        Ok(host)
    }
}

fn host_plan(check: &mut Check, spec: &Spec) -> HostPlan {
    HostPlan {
        port: check.one("port", &spec.host.port, port).unwrap_or(DEFAULT_PORT),
        engine: engine::engine(check, spec),
        docker: docker::docker(check, spec),
        block_metadata: check.switch("block-metadata", &spec.host.block_metadata).unwrap_or(false),
    }
}

/// A host issues its own certificate where that is asked for, and where no address is given.
fn boot_issuer(check: &mut Check, spec: &Spec, ca: &AuthoritySource) -> Option<BootIssuer> {
    let asked = check.switch("boot-issuer", &spec.identity.boot_issuer);
    let public_address_url = check.one("public-address-url", &spec.identity.public_address_url, |text| {
        check::web_url(text).map(|()| text.to_owned())
    });
    if !asked.unwrap_or(spec.identity.addresses.is_empty()) {
        if let Some(word) = &spec.identity.public_address_url {
            let complaint = Diagnostic::error(
                Code::NoEffect,
                "has no effect here: the certificate is made before there is a host",
            );
            let hint = check.flag("boot-issuer", "true");
            check.complain(
                "public-address-url",
                Some(word),
                complaint.hint(format!("{hint} lets the host issue it")),
            );
        }
        return None;
    }
    if *ca != AuthoritySource::Own && asked.is_none() {
        let complaint = Diagnostic::error(
            Code::SharedBootIssuer,
            format!(
                "`{}` would sign a boot issuer, since no address is given: whoever reads the user-data of one machine could then pose as any machine of that authority",
                ca.name()
            ),
        );
        let hint =
            format!("give the address, or {} as well if that is meant", check.flag("boot-issuer", "true"));
        check.complain("ca", spec.identity.ca.as_ref(), complaint.hint(hint));
    }
    Some(BootIssuer { public_address_url })
}

fn port(text: &str) -> Result<u16, Diagnostic> {
    match text.parse::<u16>() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(Diagnostic::error(
            Code::InvalidPort,
            format!("must be 1–65535, got `{}`", text.escape_debug()),
        )),
    }
}

fn authority_source(text: &str) -> Result<AuthoritySource, Diagnostic> {
    match text {
        "own" => Ok(AuthoritySource::Own),
        "shared" => Ok(AuthoritySource::Shared),
        // A bare word is more likely a misspelling than a folder beside the caller.
        dir if dir.contains(['/', '\\']) || dir == "." || dir == ".." => Ok(AuthoritySource::Dir(dir.into())),
        other => Err(Diagnostic::error(
            Code::InvalidCaSource,
            format!("must be `own`, `shared` or a folder, got `{}`", other.escape_debug()),
        )
        .hint(format!("a folder here is written `./{other}`"))),
    }
}
