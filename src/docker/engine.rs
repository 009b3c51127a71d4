//! Requests to a host's Engine API.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use ureq::http::{Method, Request, Response, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body};

use super::connection::{Connect, Resolve};
use super::fault::Said;
use super::tls::{self, Handshake};
use super::{Fault, Which};
use crate::names::Address;
use crate::pki::{Certificate, ClientIdentity, Validity};

/// The oldest version of the API that hostseed uses: that of Docker 1.12, which docker's own client supported until 29.
pub const OLDEST: (u32, u32) = (1, 24);
/// The newest version of the API whose changes are known here (Docker's "Engine API version history").
const NEWEST: (u32, u32) = (1, 55);

/// The longest wait for a connection with TLS. Continents are less than a second apart.
const CONNECT: Duration = Duration::from_secs(10);
/// The age up to which a client certificate is young.
const YOUNG: time::Duration = time::Duration::days(1);
/// The longest answer in bytes. `info` of a host with thousands of containers has a few kilobytes.
const MAX_BYTES: u64 = 4 << 20;

/// The host of a machine.
pub struct Target {
    pub address: Address,
    pub port: u16,
    pub client: ClientIdentity,
    /// True if the host issues its own certificate, and a new one when its addresses change.
    pub issues: bool,
    /// True if no address is recorded, so that the machine's name stands for it.
    pub unaddressed: bool,
}

/// The API of one host. Connects with the first request.
pub struct Engine {
    agent: Agent,
    base: String,
    handshake: Handshake,
    client: Validity,
    issues: bool,
    unaddressed: bool,
}

/// A healthy host's facts about itself.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Docker's version, for example `28.2.1`. Empty if Docker does not say, as each of the texts below.
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
    /// The certificates that the host presented: the server's, then those between it and the CA.
    pub presented: Vec<Certificate>,
    /// The subjects of the CAs whose client certificates the host accepts, in DER. Empty if it has not told them.
    pub accepts: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: Option<String>,
    os: Option<String>,
    arch: Option<String>,
    kernel_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    operating_system: Option<String>,
    name: Option<String>,
    labels: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
}

/// A request.
pub(super) struct Call<'a> {
    pub method: Method,
    /// The path after the API's version, with the query.
    pub path: String,
    /// The media type of the body, and the body.
    pub body: Option<(&'static str, &'a [u8])>,
}

/// A successful answer.
pub(super) struct Reply {
    pub body: Vec<u8>,
    /// The host's clock when it answered, in whole seconds.
    pub clock: Option<OffsetDateTime>,
}

impl Engine {
    /// Prepares requests to a host.
    ///
    /// # Errors
    /// Fails if the machine's certificates or its key cannot be used.
    pub fn new(target: &Target) -> Result<Self> {
        let handshake = Handshake::new(target.client.ca.clone());
        let host = target.address.to_string();
        let name =
            ServerName::try_from(host).ok().context("no certificate can have the machine's address")?;
        let tls = Arc::new(tls::configuration(&target.client, &handshake)?);
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("hostseed/", env!("CARGO_PKG_VERSION")))
            .build();
        let connect = Connect { tls, name, handshake: handshake.clone() };
        let first = target.client.chain.first().context("cert.pem has no certificate")?;
        Ok(Self {
            agent: Agent::with_parts(config, connect, Resolve(DefaultResolver::default())),
            base: format!("https://{}:{}", target.address.in_url(), target.port),
            handshake,
            client: first.validity(),
            issues: target.issues,
            unaddressed: target.unaddressed,
        })
    }

    /// Asks the host whether it is well, and for its facts, until `deadline`.
    ///
    /// # Errors
    /// Fails with the cause if it does not answer, or if a certificate is not valid at `now`.
    pub fn check(&self, now: OffsetDateTime, deadline: Instant) -> Result<Answer, Fault> {
        self.ask(now, deadline).map_err(|fault| self.explain(fault, now))
    }

    fn ask(&self, now: OffsetDateTime, deadline: Instant) -> Result<Answer, Fault> {
        let ping = self.get("/_ping", deadline)?;
        let clock = date(&ping);
        self.check_dates(now, clock)?;
        let offered = ping.headers().get("Api-Version").and_then(|version| version.to_str().ok());
        let offered = offered.map(str::to_owned);
        let failed = self.succeed(ping).err();
        let offered = match (offered, failed) {
            (Some(offered), None) => offered,
            // Docker gives its version with an error too.
            (None, Some(Fault::Daemon { status: status @ 500.., .. })) => {
                return Err(Fault::Daemon { status, said: Said::Page });
            }
            (None, None | Some(Fault::Daemon { .. })) => return Err(Fault::NotDocker),
            (_, Some(failed)) => return Err(failed),
        };
        let api = negotiate(&offered)?;
        if !self.handshake.asked() {
            return Err(Fault::Open);
        }
        let version: Version = self.get_json(&format!("/v{api}/version"), deadline)?;
        let info: Info = self.get_json(&format!("/v{api}/info"), deadline)?;
        // A host that restarts Docker meanwhile, with new certificates, gets another connection.
        self.check_dates(now, clock)?;
        Ok(Answer {
            version: version.version.unwrap_or_default(),
            api,
            os: version.os.unwrap_or_default(),
            arch: version.arch.unwrap_or_default(),
            kernel: version.kernel_version.unwrap_or_default(),
            operating_system: info.operating_system.unwrap_or_default(),
            name: info.name.unwrap_or_default(),
            labels: info.labels.unwrap_or_default(),
            clock,
            presented: self.handshake.presented(),
            accepts: self.handshake.accepts(),
        })
    }

    /// Sends a request to the version `api` of the API.
    ///
    /// # Errors
    /// Fails with the cause if the host does not answer until `deadline`, or answers with an error: [`Fault::Daemon`].
    pub(super) fn send(&self, api: &str, call: &Call, deadline: Instant) -> Result<Reply, Fault> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::Silent);
        }
        let url = format!("{}/v{api}{}", self.base, call.path);
        let request = Request::builder().method(call.method.clone()).uri(url);
        let (agent, unusable) = (&self.agent, |_| Fault::NotDocker);
        let answer = match call.body {
            Some((kind, bytes)) => {
                let request = request.header(header::CONTENT_TYPE, kind).body(bytes).map_err(unusable)?;
                agent.run(agent.configure_request(request).timeout_global(Some(left)).build())
            }
            None => {
                let request = request.body(()).map_err(unusable)?;
                agent.run(agent.configure_request(request).timeout_global(Some(left)).build())
            }
        };
        let answer = answer.map_err(|error| self.fault(error))?;
        let clock = date(&answer);
        Ok(Reply { body: self.succeed(answer)?, clock })
    }

    /// Fails if a certificate of the connection is not valid.
    fn check_dates(&self, now: OffsetDateTime, host: Option<OffsetDateTime>) -> Result<(), Fault> {
        let presented = self.handshake.presented();
        let authority = self.handshake.authority();
        for (which, certificate) in Which::roles(&presented).chain([(Which::Authority, &authority)]) {
            let validity = certificate.validity();
            if validity.is_expired(now) || now < validity.not_before {
                return Err(Fault::Time { which, validity, now, host });
            }
        }
        Ok(())
    }

    /// Adds what is known about the machine to a fault of its host.
    fn explain(&self, fault: Fault, now: OffsetDateTime) -> Fault {
        let (validity, which) = (self.client, Which::Client);
        match fault {
            Fault::ClientRefused { .. } if validity.is_expired(now) || now < validity.not_before => {
                Fault::Time { which, validity, now, host: None }
            }
            Fault::ClientRefused { .. } => Fault::ClientRefused { young: now - validity.not_before < YOUNG },
            Fault::Uncovered { sans, issued } => Fault::Uncovered { sans, issued: issued || self.issues },
            Fault::Unresolved if self.unaddressed => Fault::NoAddress,
            // The handshake is over, so the host has begun to answer.
            Fault::Silent if !self.handshake.presented().is_empty() => Fault::Stalled,
            fault => fault,
        }
    }

    fn get_json<T: DeserializeOwned>(&self, path: &str, deadline: Instant) -> Result<T, Fault> {
        let body = self.succeed(self.get(path, deadline)?)?;
        serde_json::from_slice(&body).map_err(|_| Fault::NotDocker)
    }

    fn get(&self, path: &str, deadline: Instant) -> Result<Response<Body>, Fault> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::Silent);
        }
        let request = self.agent.get(format!("{}{path}", self.base));
        let request = request.config().timeout_global(Some(left)).build();
        request.call().map_err(|error| self.fault(error))
    }

    /// Reads the body of a successful answer.
    fn succeed(&self, mut answer: Response<Body>) -> Result<Vec<u8>, Fault> {
        let status = answer.status();
        // Docker redirects nobody.
        if status.is_redirection() {
            return Err(Fault::NotDocker);
        }
        let body = answer.body_mut().with_config().limit(MAX_BYTES).read_to_vec();
        let body = body.map_err(|error| self.fault(error))?;
        if status.is_success() {
            return Ok(body);
        }
        let body = String::from_utf8(body);
        // dockerd says why in JSON. A proxy in between has a page.
        let said = match body.ok().map(|body| (serde_json::from_str::<Failure>(&body), body)) {
            Some((Ok(Failure { message }), _)) => Said::of(&message),
            Some((_, body)) if body.trim().is_empty() => Said::Nothing,
            _ if status.is_server_error() => Said::Page,
            _ => return Err(Fault::NotDocker),
        };
        Err(Fault::Daemon { status: status.as_u16(), said })
    }

    /// The cause of a failed request.
    fn fault(&self, error: ureq::Error) -> Fault {
        match error {
            ureq::Error::Other(inner) => inner.downcast::<Fault>().map_or(Fault::NotDocker, |fault| *fault),
            ureq::Error::Timeout(_) => Fault::Silent,
            ureq::Error::HostNotFound => Fault::Unresolved,
            ureq::Error::Io(error)
                if error.get_ref().is_none_or(|inner| inner.downcast_ref::<ureq::Error>().is_none()) =>
            {
                Fault::of_stream(&error, &self.handshake)
            }
            // The answer is not HTTP, or not as Docker's.
            _ => Fault::NotDocker,
        }
    }
}

/// The host's clock, from the header `Date` (RFC 9110 §6.6.1).
fn date(answer: &Response<Body>) -> Option<OffsetDateTime> {
    let date = answer.headers().get(header::DATE)?.to_str().ok()?;
    OffsetDateTime::parse(date, &Rfc2822).ok()
}

/// The newest version of the API that both sides support.
fn negotiate(offered: &str) -> Result<String, Fault> {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
    let numbers = offered.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
    let offered_numbers = numbers.ok_or(Fault::NotDocker)?;
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
        for not_docker in ["", "1", "1.x", "one.two", "+1.41", "1.+41", "1.", ".41", " 1.41"] {
            assert!(matches!(negotiate(not_docker), Err(Fault::NotDocker)), "{not_docker}");
        }
    }
}
