//! Requests to a host's Engine API.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use ureq::http::{Response, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body};

use super::connection::{Connect, Resolve};
use super::tls::{self, Presented};
use super::{Fault, Which};
use crate::names::Address;
use crate::pki::{Certificate, ClientIdentity, Validity};

/// The oldest version of the API, that of Docker 1.12, below which `docker` itself gave up.
pub const OLDEST: (u32, u32) = (1, 24);
/// The newest version of the API whose changes are known here (Docker's "Engine API version history").
const NEWEST: (u32, u32) = (1, 55);

/// The longest wait for a connection with TLS. Continents are less than a second apart.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest wait for an answer, with the connection.
const REQUEST: Duration = Duration::from_secs(30);
/// The longest answer in bytes. `info` of a host with thousands of containers has a few kilobytes.
const MAX_BYTES: u64 = 4 << 20;
/// The longest message of an error that is shown, in characters.
const MAX_MESSAGE: usize = 300;

/// The host of a machine.
pub struct Target {
    pub address: Address,
    pub port: u16,
    pub client: ClientIdentity,
}

/// The API of one host. Connects with the first request.
pub struct Engine {
    agent: Agent,
    base: String,
    presented: Presented,
    authority: Validity,
    client: Validity,
}

/// What a healthy host says about itself.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Docker's version, for example `28.2.1`.
    pub version: String,
    /// The newest version of the API that the host and hostseed both support.
    pub api: String,
    pub os: String,
    pub arch: String,
    pub kernel: String,
    /// The name of the distribution.
    pub operating_system: String,
    /// The host's own name.
    pub name: String,
    pub labels: Vec<String>,
    /// The host's clock when it answered, in whole seconds.
    pub clock: Option<OffsetDateTime>,
    /// The certificates that the host presented, the server's first.
    pub presented: Vec<Certificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    arch: String,
    #[serde(default)]
    kernel_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default)]
    operating_system: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    labels: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
}

impl Engine {
    /// Prepares requests to a host.
    ///
    /// # Errors
    /// Fails if the machine's certificates or its key cannot be used.
    pub fn new(target: &Target) -> Result<Self> {
        let presented = Presented::default();
        let host = target.address.to_string();
        let name =
            ServerName::try_from(host).ok().context("no certificate can have the machine's address")?;
        let tls = Arc::new(tls::configuration(&target.client, presented.clone())?);
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST))
            .user_agent(concat!("hostseed/", env!("CARGO_PKG_VERSION")))
            .build();
        let connect = Connect { tls, name, presented: presented.clone() };
        let first = target.client.chain.first().context("cert.pem has no certificate")?;
        Ok(Self {
            agent: Agent::with_parts(config, connect, Resolve(DefaultResolver::default())),
            base: format!("https://{}:{}", target.address.in_url(), target.port),
            presented,
            authority: target.client.ca.validity(),
            client: first.validity(),
        })
    }

    /// Asks the host whether it is well, and for its facts.
    ///
    /// # Errors
    /// Fails with the cause if it does not answer, or if a certificate is not valid at `now`.
    pub fn check(&self, now: OffsetDateTime) -> Result<Answer, Fault> {
        let ping = self.get("/_ping").map_err(|fault| self.explain(fault, now))?;
        let clock = date(&ping);
        self.check_dates(now, clock)?;
        let offered = ping.headers().get("Api-Version").and_then(|version| version.to_str().ok());
        let offered = offered.ok_or(Fault::NotDocker)?.to_owned();
        succeed(ping)?;
        let api = negotiate(&offered)?;
        let version: Version = self.get_json(&format!("/v{api}/version"))?;
        let info: Info = self.get_json(&format!("/v{api}/info"))?;
        Ok(Answer {
            version: version.version,
            api,
            os: version.os,
            arch: version.arch,
            kernel: version.kernel_version,
            operating_system: info.operating_system,
            name: info.name,
            labels: info.labels.unwrap_or_default(),
            clock,
            presented: self.presented.get(),
        })
    }

    /// Fails if a certificate of the connection is not valid.
    fn check_dates(&self, now: OffsetDateTime, host: Option<OffsetDateTime>) -> Result<(), Fault> {
        let presented = self.presented.get();
        let roles = [Which::Server].into_iter().chain(std::iter::repeat(Which::Intermediate));
        let presented = roles.zip(presented.iter().map(Certificate::validity));
        for (which, validity) in presented.chain([(Which::Authority, self.authority)]) {
            if validity.is_expired(now) || now < validity.not_before {
                return Err(Fault::Time { which, validity, now, host });
            }
        }
        Ok(())
    }

    /// Replaces the host's refusal of a client certificate that is not valid by the reason.
    fn explain(&self, fault: Fault, now: OffsetDateTime) -> Fault {
        let (validity, which) = (self.client, Which::Client);
        match fault {
            Fault::ClientRefused if validity.is_expired(now) || now < validity.not_before => {
                Fault::Time { which, validity, now, host: None }
            }
            fault => fault,
        }
    }

    fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let text = succeed(self.get(path)?)?;
        serde_json::from_str(&text).map_err(|_| Fault::NotDocker)
    }

    fn get(&self, path: &str) -> Result<Response<Body>, Fault> {
        self.agent.get(format!("{}{path}", self.base)).call().map_err(fault)
    }
}

/// The cause of a failed request.
fn fault(error: ureq::Error) -> Fault {
    match error {
        ureq::Error::Other(inner) => match inner.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(_) => Fault::NotDocker,
        },
        ureq::Error::Timeout(_) => Fault::Silent,
        ureq::Error::HostNotFound => Fault::Unresolved,
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>())
        {
            Some(_) => Fault::NotDocker,
            None => Fault::of_stream(&error, &[]),
        },
        // The answer is not HTTP, or not as Docker's.
        _ => Fault::NotDocker,
    }
}

/// Reads the body of a successful answer.
fn succeed(mut answer: Response<Body>) -> Result<String, Fault> {
    let status = answer.status();
    let body = answer.body_mut().with_config().limit(MAX_BYTES).read_to_string().map_err(fault)?;
    if status.is_success() {
        return Ok(body);
    }
    // dockerd says why in JSON. A proxy in between has a page.
    let message = serde_json::from_str::<Failure>(&body).map_or(body, |failure| failure.message);
    let message = message.trim().chars().take(MAX_MESSAGE).collect();
    Err(Fault::Daemon { status: status.as_u16(), message })
}

/// The host's clock, from the header `Date` (RFC 9110 §6.6.1).
fn date(answer: &Response<Body>) -> Option<OffsetDateTime> {
    let date = answer.headers().get(header::DATE)?.to_str().ok()?;
    OffsetDateTime::parse(date, &Rfc2822).ok()
}

/// The newest version of the API that both sides support.
fn negotiate(offered: &str) -> Result<String, Fault> {
    let numbers =
        offered.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let offered_numbers: (u32, u32) = numbers.ok_or(Fault::NotDocker)?;
    if offered_numbers < OLDEST {
        return Err(Fault::TooOld(offered.to_owned()));
    }
    let (major, minor) = offered_numbers.min(NEWEST);
    Ok(format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_used() {
        for (offered, used) in
            [("1.24", "1.24"), ("1.41", "1.41"), ("1.55", "1.55"), ("1.60", "1.55"), ("2.0", "1.55")]
        {
            assert_eq!(negotiate(offered).unwrap(), used);
        }
        assert!(matches!(negotiate("1.23"), Err(Fault::TooOld(version)) if version == "1.23"));
        for not_docker in ["", "1", "1.x", "one.two"] {
            assert!(matches!(negotiate(not_docker), Err(Fault::NotDocker)), "{not_docker}");
        }
    }
}
