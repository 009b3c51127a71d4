//! The plan: a validated spec with its defaults filled in. Pure; nothing after it checks values again.

mod check;
mod docker;
mod engine;
mod proxy;

use std::path::PathBuf;

use time::Duration;

pub use docker::{Channel, Docker, Install, InstallScript, OFFICIAL_MIRROR};
pub use engine::Engine;
pub use proxy::Proxy;

use crate::diag::{Code, Diagnostic, Report};
use crate::names::{Address, MachineName};
use crate::spec::Spec;
use check::Check;

/// Docker's registered port for TLS (IANA `docker-s`).
pub const DEFAULT_PORT: u16 = 2376;
/// Two years. Docker sets no limit for the validity of its certificates.
const DEFAULT_VALID_FOR: ValidFor = ValidFor { hours: 730 * 24 };

/// The validated settings of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub name: MachineName,
    /// The addresses that clients connect to; `DOCKER_HOST` has the first. Empty if none is known yet.
    pub addresses: Vec<Address>,
    /// Additional names in the server certificate.
    pub tls_sans: Vec<Address>,
    pub key: KeyType,
    pub valid_for: ValidFor,
    pub ca: AuthoritySource,
    /// Set if the host issues its own server certificate.
    pub boot_issuer: Option<BootIssuer>,
    pub host: HostPlan,
}

/// How a host that issues its own certificate finds its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootIssuer {
    /// The URL that returns the public address, instead of the cloud's metadata service.
    pub public_address_url: Option<String>,
}

/// The role of the certificate and key that are sent to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRole {
    /// The server certificate of dockerd.
    Server,
    /// An intermediate CA with which the host issues its server certificate.
    BootIssuer,
}

impl HostRole {
    /// The stem of the file names in the store and on the host: `STEM.pem` and `STEM-key.pem`.
    pub fn file_stem(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::BootIssuer => "issuer",
        }
    }
}

/// The settings of Docker on the host, without those of one machine: what a baked image has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    pub port: u16,
    pub engine: Engine,
    pub docker: Docker,
    pub proxy: Option<Proxy>,
    /// Users of the host who become members of the group `docker`.
    pub docker_users: Vec<String>,
    /// True if containers are blocked from the cloud's metadata service.
    pub block_metadata: bool,
    /// True if the host's own iptables and nftables rules are changed if they reject the port.
    pub open_firewall: bool,
}

/// The type of all keys of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    P256,
    P384,
    Ed25519,
    Rsa2048,
    Rsa4096,
}

impl KeyType {
    pub const ALL: [(&str, Self); 5] = [
        ("p256", Self::P256),
        ("p384", Self::P384),
        ("ed25519", Self::Ed25519),
        ("rsa2048", Self::Rsa2048),
        ("rsa4096", Self::Rsa4096),
    ];

    /// The type with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, key)| *key)
    }

    /// The value of `--key`.
    pub fn name(self) -> &'static str {
        check::name_of(&Self::ALL, self)
    }

    /// True for RSA of any size.
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa4096)
    }
}

/// The validity of a leaf certificate, in whole hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidFor {
    hours: u32,
}

impl ValidFor {
    /// A hundred years, which no date in a certificate overflows (RFC 5280 §4.1.2.5).
    const MAX_HOURS: u32 = 100 * 365 * 24;

    /// Reads a whole number of hours, days or years: `12h`, `730d`, `2y`.
    ///
    /// # Errors
    /// Fails if the text is no such number, or not between `1h` and `100y`.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let refuse = || {
            Diagnostic::error(
                Code::InvalidDuration,
                format!("must be a duration like `730d`, `2y` or `12h`, got `{text}`"),
            )
        };
        let (number, unit) = split_unit(text).ok_or_else(refuse)?;
        let unit_hours = match unit {
            'h' => 1,
            'd' => 24,
            'y' => 365 * 24,
            _ => return Err(refuse()),
        };
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

/// Splits a duration such as `12h` into its digits and its unit, which is the last character. Returns `None` if there is anything but
/// digits before the unit.
pub fn split_unit(text: &str) -> Option<(&str, char)> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit)?;
    number.bytes().all(|b| b.is_ascii_digit()).then_some((number, unit))
}

impl Default for ValidFor {
    /// The validity of a certificate for which none is asked: 730 days.
    fn default() -> Self {
        DEFAULT_VALID_FOR
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

/// The CA that signs a machine's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthoritySource {
    /// A new CA for this machine only.
    Own,
    /// The store's CA, which is Docker Machine's: `certs/{ca,ca-key}.pem`.
    Shared,
    /// `ca.pem` and `ca-key.pem` in another folder.
    Dir(PathBuf),
}

impl AuthoritySource {
    /// Parses the value of `--ca`.
    ///
    /// # Errors
    /// Fails if it is a word without a slash other than `own` and `shared`.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        match text {
            "own" => Ok(Self::Own),
            "shared" => Ok(Self::Shared),
            // A bare word is more likely a misspelling than a folder.
            dir if dir.contains(['/', '\\']) || dir == "." || dir == ".." => Ok(Self::Dir(dir.into())),
            other => Err(Diagnostic::error(
                Code::InvalidCaSource,
                format!("must be `own`, `shared` or a folder, got `{}`", other.escape_debug()),
            )
            .hint(format!("write a folder with a slash: `./{other}`"))),
        }
    }

    /// The value of `--ca`.
    pub fn name(&self) -> String {
        match self {
            Self::Own => "own".into(),
            Self::Shared => "shared".into(),
            Self::Dir(dir) => dir.display().to_string(),
        }
    }
}

/// A field of a spec with its value.
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

    /// All values of the field; of one that is no list its only value.
    pub fn values(&self) -> &[String] {
        match self {
            Self::One(_, value) => std::slice::from_ref(value),
            Self::Many(_, values) => values,
        }
    }
}

impl Plan {
    /// Validates the spec of a new machine and fills in the defaults.
    ///
    /// # Errors
    /// All problems of the spec.
    pub fn from_spec(spec: &Spec) -> Result<Self, Report> {
        Self::named(spec, MachineName::parse_new, true)
    }

    /// The plan of an existing machine, whose name may be one that is reserved today.
    ///
    /// # Errors
    /// All problems of the spec.
    pub fn from_stored(spec: &Spec) -> Result<Self, Report> {
        Self::named(spec, MachineName::parse, false)
    }

    /// Validates a spec that has all options of an existing machine, and fills in the defaults.
    ///
    /// # Errors
    /// All problems of the spec.
    pub fn of_existing(spec: &Spec) -> Result<Self, Report> {
        Self::named(spec, MachineName::parse, true)
    }

    /// The plan with the options that `changes` gives, each in place of all values that it has here, and with the defaults of those in
    /// `unset`.
    ///
    /// # Errors
    /// All problems of the changed spec.
    pub fn with_changes(&self, changes: &Spec, unset: &[String]) -> Result<Self, Report> {
        let is_changed = |field: &str| changes.given.iter().chain(unset).any(|changed| changed == field);
        let mut fields = self.fields();
        if is_changed("docker") || is_changed("engine-install-url") {
            // They say where packages come from. Those that are the defaults have no effect on another source.
            let usual = Docker::usual_fields();
            let is_usual = |field: &Field| {
                usual.iter().any(|usual| usual.name() == field.name() && usual.values() == field.values())
            };
            fields.retain(|field| !is_usual(field));
        }
        fields.retain(|field| !is_changed(field.name()));
        if unset.iter().any(|field| field == "address") {
            // A machine without an address has a boot issuer.
            fields.retain(|field| field.name() != "boot-issuer");
        }
        let mut spec = changes.clone();
        for field in &fields {
            spec.fill(field.name(), field.values());
        }
        Self::of_existing(&spec)
    }

    fn named(
        spec: &Spec,
        parse_name: impl Fn(&str) -> Result<MachineName, Diagnostic>,
        is_new: bool,
    ) -> Result<Self, Report> {
        let mut check = Check::new(spec);
        let name =
            check.required("name", &spec.name, "hostseed create web1 --address 203.0.113.7", parse_name);
        let addresses = check.many("address", &spec.identity.addresses, Address::parse);
        let tls_sans = check.many("tls-san", &spec.identity.tls_sans, Address::parse_san);
        let key = check.choice("key", &spec.identity.key, &KeyType::ALL, KeyType::P256);
        let valid_for = check.one("valid-for", &spec.identity.valid_for, ValidFor::parse).unwrap_or_default();
        let ca = check.one("ca", &spec.identity.ca, AuthoritySource::parse).unwrap_or(AuthoritySource::Own);
        let boot_issuer = boot_issuer(&mut check, spec, &ca);
        let host = host_plan(&mut check, spec, is_new);
        if host.docker.install == Install::None {
            engine::refuse_for_a_finished_image(&mut check, spec);
        }
        check.finish()?;
        let name = name.expect("a missing name is a problem");
        Ok(Self { name, addresses, tls_sans, key, valid_for, ca, boot_issuer, host })
    }

    /// The same machine on an image that has Docker and its options.
    pub fn on_a_finished_image(&self) -> Self {
        let mut plan = self.clone();
        plan.host.docker.install = Install::None;
        plan
    }

    /// The role of the host's certificate.
    pub fn host_role(&self) -> HostRole {
        if self.boot_issuer.is_some() { HostRole::BootIssuer } else { HostRole::Server }
    }

    /// The SANs of the server certificate, each once: addresses, additional names, the machine's name, `localhost` and
    /// `127.0.0.1`.
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

    /// Returns whether the user asked for this SAN, or clients connect to it.
    pub fn asks_for(&self, san: &Address) -> bool {
        self.addresses.contains(san) || self.tls_sans.contains(san) || self.dialled() == *san
    }

    /// The host that clients connect to: the first address, or the machine's name, which then has to resolve.
    pub fn dialled(&self) -> Address {
        self.addresses.first().cloned().unwrap_or_else(|| Address::Dns(self.name.to_string()))
    }

    /// All fields of a spec that has this plan. It includes the defaults, so that a stored machine renders the same bytes after a
    /// default changes.
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
        // Written only if given: machines from before these options have no such fields.
        fields.extend(self.host.proxy.iter().flat_map(Proxy::fields));
        fields.push(Field::Many("docker-group", self.host.docker_users.clone()));
        fields.extend(self.host.block_metadata.then(|| Field::One("block-metadata", "true".into())));
        fields.extend(self.host.open_firewall.then(|| Field::One("open-firewall", "true".into())));
        fields.extend([
            Field::One("key", self.key.name().into()),
            Field::One("valid-for", self.valid_for.to_string()),
            Field::One("ca", self.ca.name()),
        ]);
        fields.retain(|field| !matches!(field, Field::Many(_, values) if values.is_empty()));
        fields
    }
}

/// The values that an option accepts; none if it accepts more than a few names.
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
    /// The plan of an image. It ignores the fields of a machine's certificates, so that one spec can serve `bake` and `create`.
    ///
    /// # Errors
    /// All problems of the spec.
    pub fn from_spec(spec: &Spec) -> Result<Self, Report> {
        let mut check = Check::new(spec);
        let host = host_plan(&mut check, spec, true);
        check.finish()?;
        Ok(host)
    }
}

/// The settings of the host. Those of a stored machine are not checked against dockerd's options again.
fn host_plan(check: &mut Check, spec: &Spec, is_new: bool) -> HostPlan {
    let docker = docker::docker(check, spec);
    HostPlan {
        port: check.one("port", &spec.host.port, port).unwrap_or(DEFAULT_PORT),
        engine: engine::engine(check, spec, is_new.then(|| docker.target())),
        docker,
        proxy: proxy::proxy(check, spec),
        docker_users: check.many("docker-group", &spec.host.docker_group, user),
        block_metadata: check.switch("block-metadata", &spec.host.block_metadata).unwrap_or(false),
        open_firewall: check.switch("open-firewall", &spec.host.open_firewall).unwrap_or(false),
    }
}

/// The host issues its own certificate if the spec says so, or if it has no address.
fn boot_issuer(check: &mut Check, spec: &Spec, ca: &AuthoritySource) -> Option<BootIssuer> {
    let asked = check.switch("boot-issuer", &spec.identity.boot_issuer);
    let public_address_url = check.one("public-address-url", &spec.identity.public_address_url, |text| {
        check::web_url(text).map(|()| text.to_owned())
    });
    if !asked.unwrap_or(spec.identity.addresses.is_empty()) {
        if let Some(word) = &spec.identity.public_address_url {
            let complaint = Diagnostic::error(
                Code::NoEffect,
                "has no effect without `boot-issuer`: the certificate is made before the host exists",
            );
            let hint = check.flag("boot-issuer", "true");
            check.complain(
                "public-address-url",
                Some(word),
                complaint.hint(format!("use {hint}, so that the host issues its certificate")),
            );
        }
        return None;
    }
    if *ca != AuthoritySource::Own && asked.is_none() {
        let complaint = Diagnostic::error(
            Code::SharedBootIssuer,
            format!(
                "`{}` would sign a boot issuer, because there is no address: anyone who reads the user-data of one machine could impersonate every machine of that CA",
                ca.name()
            ),
        );
        let hint =
            format!("give the address, or accept that risk with {}", check.flag("boot-issuer", "true"));
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

/// Reads the name of a user of the host, as useradd(8) and systemd accept it ("User/Group Name Syntax", strict mode), with dots.
fn user(text: &str) -> Result<String, Diagnostic> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins && text.len() <= 31 && text.chars().all(legal) {
        return Ok(text.to_owned());
    }
    let text = text.escape_debug();
    Err(Diagnostic::error(
        Code::InvalidUser,
        format!("must be the name of a user of the host like `ubuntu`, got `{text}`"),
    ))
}
