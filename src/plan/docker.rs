//! How Docker is installed on the host.

use super::Field;
use super::check::{self, Check};
use crate::diag::{Code, Diagnostic};
use crate::digest::is_sha256;
use crate::dockerd::{Release, Target};
use crate::shell::Command;
use crate::spec::{Spec, Word};

/// The repository of Docker's own packages.
pub const OFFICIAL_MIRROR: &str = "https://download.docker.com";

/// How the host gets Docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    pub install: Install,
    /// The exact version, Docker's or the package's; the newest if none.
    pub version: Option<String>,
    pub channel: Channel,
    /// The URL before `/linux/DISTRIBUTION`, without a final `/`.
    pub mirror: String,
    /// 40 upper-case hex digits; Docker's own keys if none.
    pub key_fingerprint: Option<String>,
}

/// The source of Docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Install {
    /// The installed Docker, else Docker's packages, else the distribution's.
    Auto,
    Official,
    Distro,
    /// Nothing is installed: the image has Docker and the drop-in.
    None,
    /// A script at a URL, as with Docker Machine's `--engine-install-url`.
    Script(InstallScript),
}

/// A script that the host fetches and runs as root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallScript {
    pub url: String,
    /// 64 lower-case hex digits; any script is accepted if none.
    pub sha256: Option<String>,
}

impl InstallScript {
    /// Returns whether the script is fetched over TLS.
    pub fn is_https(&self) -> bool {
        check::is_https(&self.url)
    }
}

/// The channels of Docker's repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Stable,
    Test,
    Nightly,
}

pub(super) const CHANNELS: [(&str, Channel); 3] =
    [("stable", Channel::Stable), ("test", Channel::Test), ("nightly", Channel::Nightly)];

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Choice {
    Auto,
    Official,
    Distro,
    None,
}

pub(super) const CHOICES: [(&str, Choice); 4] = [
    ("auto", Choice::Auto),
    ("official", Choice::Official),
    ("distro", Choice::Distro),
    ("none", Choice::None),
];

impl Install {
    /// The name in the `setup` script.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Official => "official",
            Self::Distro => "distro",
            Self::None => "none",
            Self::Script(_) => "script",
        }
    }

    /// Where the user's script is; empty where packages are installed, as Docker Machine and `setup` have it.
    pub fn script_url(&self) -> &str {
        match self {
            Self::Script(script) => &script.url,
            _ => "",
        }
    }

    /// The only SHA-256 that the user's script may have; empty where any is accepted.
    pub fn script_sha256(&self) -> &str {
        match self {
            Self::Script(script) => script.sha256.as_deref().unwrap_or_default(),
            _ => "",
        }
    }
}

impl Channel {
    pub fn name(self) -> &'static str {
        check::name_of(&CHANNELS, self)
    }
}

impl Docker {
    /// The versions of dockerd that may get installed.
    pub fn target(&self) -> Target {
        match (self.version.as_deref().and_then(Release::parse), &self.install) {
            (Some(release), _) => Target::Exactly(release),
            (None, Install::Auto | Install::Official) if self.version.is_none() => Target::Newest,
            (None, _) => Target::Any,
        }
    }

    /// The fields that say which Docker is wanted, where that is not left open.
    pub fn choices(&self) -> Vec<&'static str> {
        let install = match self.install {
            Install::Auto | Install::None => None,
            Install::Official | Install::Distro => Some("docker"),
            Install::Script(_) => Some("engine-install-url"),
        };
        let channel = (self.channel != Channel::Stable).then_some("docker-channel");
        let mirror = (self.mirror != OFFICIAL_MIRROR).then_some("docker-mirror");
        let version = self.version.as_ref().map(|_| "docker-version");
        let fingerprint = self.key_fingerprint.as_ref().map(|_| "docker-key-fingerprint");
        [install, version, channel, mirror, fingerprint].into_iter().flatten().collect()
    }

    /// The fields of the default source.
    pub(super) fn usual_fields() -> Vec<Field> {
        let usual = Spec::default();
        docker(&mut Check::new(&usual), &usual).fields()
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = match &self.install {
            Install::Script(script) => {
                let mut fields = vec![Field::One("engine-install-url", script.url.clone())];
                fields
                    .extend(script.sha256.clone().map(|sha256| Field::One("engine-install-sha256", sha256)));
                if !script.is_https() {
                    fields.push(Field::One("insecure-install-url", true.to_string()));
                }
                fields
            }
            packages => vec![Field::One("docker", packages.name().into())],
        };
        if let Some(version) = &self.version {
            fields.push(Field::One("docker-version", version.clone()));
        }
        if matches!(self.install, Install::Auto | Install::Official) {
            fields.push(Field::One("docker-channel", self.channel.name().into()));
            fields.push(Field::One("docker-mirror", self.mirror.clone()));
        }
        if let Some(fingerprint) = &self.key_fingerprint {
            fields.push(Field::One("docker-key-fingerprint", fingerprint.clone()));
        }
        fields
    }
}

pub(super) fn docker(check: &mut Check, spec: &Spec) -> Docker {
    let choice = check.choice("docker", &spec.host.docker, &CHOICES, Choice::Auto);
    let script = install_script(check, spec);
    let docker = Docker {
        version: check.one("docker-version", &spec.host.docker_version, version),
        channel: check.choice("docker-channel", &spec.host.docker_channel, &CHANNELS, Channel::Stable),
        mirror: check
            .one("docker-mirror", &spec.host.docker_mirror, check::base_url)
            .unwrap_or_else(|| OFFICIAL_MIRROR.into()),
        key_fingerprint: check.one("docker-key-fingerprint", &spec.host.docker_key_fingerprint, fingerprint),
        install: match (script, choice) {
            (Some(script), _) => Install::Script(script),
            (None, Choice::Auto) => Install::Auto,
            (None, Choice::Official) => Install::Official,
            (None, Choice::Distro) => Install::Distro,
            (None, Choice::None) => Install::None,
        },
    };
    refuse_contradictions(check, spec, &docker.install);
    docker
}

fn install_script(check: &mut Check, spec: &Spec) -> Option<InstallScript> {
    let insecure = check.choice(
        "insecure-install-url",
        &spec.host.insecure_install_url,
        &[("true", true), ("false", false)],
        false,
    );
    let sha256 = check.one("engine-install-sha256", &spec.host.engine_install_sha256, sha256);
    if spec.host.engine_install_url.is_none() {
        let dependent = [
            ("engine-install-sha256", &spec.host.engine_install_sha256),
            ("insecure-install-url", &spec.host.insecure_install_url),
        ];
        for (field, word) in dependent {
            if word.is_some() {
                let complaint =
                    Diagnostic::error(Code::NoEffect, "has no effect without `engine-install-url`");
                check.complain(field, word.as_ref(), complaint);
            }
        }
    }
    let allow = check.flag("insecure-install-url", "true");
    let url = check.one("engine-install-url", &spec.host.engine_install_url, |text| {
        check::web_url(text)?;
        if !check::is_https(text) && !insecure {
            let complaint = Diagnostic::error(
                Code::InsecureUrl,
                format!("must begin with `https://`, got `{}`", text.escape_debug()),
            );
            let risk = "anyone on the network path can replace the script, which runs as root";
            return Err(complaint.hint(format!("{risk}; accept that with {allow}")));
        }
        Ok(text.to_owned())
    })?;
    Some(InstallScript { url, sha256 })
}

/// Refuses options that have no effect with the chosen source of Docker.
fn refuse_contradictions(check: &mut Check, spec: &Spec, install: &Install) {
    let way = match install {
        Install::Auto | Install::Official => return,
        Install::Distro => "`docker: distro` installs the distribution's packages",
        Install::None => "`docker: none` installs nothing",
        Install::Script(_) => "the script of `engine-install-url` installs Docker",
    };
    let mut without_effect: Vec<(&str, &Option<Word>)> = vec![
        ("docker-channel", &spec.host.docker_channel),
        ("docker-mirror", &spec.host.docker_mirror),
        ("docker-key-fingerprint", &spec.host.docker_key_fingerprint),
    ];
    if *install != Install::Distro {
        without_effect.push(("docker-version", &spec.host.docker_version));
    }
    if matches!(install, Install::Script(_)) && spec.host.docker.as_ref().is_some_and(|w| w.text != "auto") {
        without_effect.push(("docker", &spec.host.docker));
    }
    for (field, word) in without_effect {
        if word.is_some() {
            check.complain(
                field,
                word.as_ref(),
                Diagnostic::error(Code::NoEffect, format!("has no effect: {way}")),
            );
        }
    }
}

fn version(text: &str) -> Result<String, Diagnostic> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '~' | ':' | '-' | '_');
    let text = text.trim_start_matches('v');
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(legal) {
        return Ok(text.to_owned());
    }
    Err(Diagnostic::error(
        Code::InvalidVersion,
        format!("must be a version like `28.0.4`, got `{}`", text.escape_debug()),
    ))
}

fn sha256(text: &str) -> Result<String, Diagnostic> {
    let digits = text.to_lowercase();
    if is_sha256(&digits) {
        return Ok(digits);
    }
    Err(Diagnostic::error(
        Code::InvalidChecksum,
        format!("must be the 64 hex digits of a SHA-256, got `{}`", text.escape_debug()),
    )
    .hint("print it:")
    .run(Command::of("sha256sum", ["FILE"])))
}

fn fingerprint(text: &str) -> Result<String, Diagnostic> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':')).collect::<String>().to_uppercase();
    if digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(digits);
    }
    Err(Diagnostic::error(
        Code::InvalidFingerprint,
        format!("must be the 40 hex digits of an OpenPGP fingerprint, got `{}`", text.escape_debug()),
    )
    .hint("print it:")
    .run(Command::of("gpg", ["--show-keys", "FILE"])))
}
