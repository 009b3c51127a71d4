//! `hostseed_client`: a client certificate of a CA, as a resource whose key is in the state, and as an ephemeral resource whose key is not.

use std::sync::LazyLock;

use anyhow::{Result, bail};
use time::OffsetDateTime;

use super::identity::{self, CA, CA_PEM, EARLY_RENEWAL, EXPIRES, VALID_FOR};
use super::resource::{Planned, Resource};
use super::schema::{Attribute, Role, Schema, Type};
use super::value::{Object, Value};
use crate::diag::{Code, Diagnostic, Report};
use crate::names::ClientName;
use crate::options;
use crate::pki;
use crate::plan::ValidFor;

pub struct Client;

/// The name in a configuration, of the resource and of the ephemeral resource.
pub const TYPE_NAME: &str = "hostseed_client";

const CN: &str = "cn";
const KEY: &str = "key";
const CERT_PEM: &str = "cert_pem";
const KEY_PEM: &str = "key_pem";
const FINGERPRINT: &str = "fingerprint";

impl Resource for Client {
    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    fn schema(&self) -> &'static Schema {
        static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);
        &SCHEMA
    }

    fn validate(&self, config: &Object) -> Result<()> {
        validate(config)
    }

    fn plan(&self, prior: Option<&Object>, proposed: Object, now: OffsetDateTime) -> Result<Planned> {
        let computed = self.schema().computed();
        if !proposed.is_unknown(CA) {
            identity::given_ca(&proposed, now)?;
        }
        let Some(prior) = prior else { return Ok(Planned::update(proposed.with_unknown(computed))) };
        let is_of_ca = match proposed.get(CA) {
            Value::Object(ca) => !ca.differs(prior, CA_PEM),
            _ => false,
        };
        let asks_for_another = [CN, KEY, VALID_FOR].iter().any(|name| proposed.differs(prior, name));
        if !is_of_ca || asks_for_another || identity::is_due(&proposed, prior, now) {
            return Ok(Planned::update(proposed.with_unknown(computed)));
        }
        let warning = match proposed.get(EARLY_RENEWAL) {
            Value::Null => {
                let pair = identity::pair(prior, CERT_PEM, KEY_PEM)?;
                let name = format!("the client `{}`", prior.text(CN).unwrap_or_default());
                identity::expiry_warning(&name, &pair.certificate, now)
            }
            _ => None,
        };
        Ok(Planned::update(proposed).warning(warning))
    }

    fn apply(&self, _: Option<&Object>, planned: Object, now: OffsetDateTime) -> Result<Object> {
        if planned.is_unknown(CERT_PEM) { issued(planned, now) } else { Ok(planned) }
    }

    fn import(&self, _: &str, _: OffsetDateTime) -> Result<Object> {
        let text = "a client cannot be imported: another certificate of the same CA serves as well";
        Err(Diagnostic::error(Code::NotUpdatable, text).hint("create it with `terraform apply`").into())
    }
}

fn schema() -> Schema {
    let mut attributes = attributes();
    attributes.push(identity::early_renewal_attribute());
    Schema {
        description: "A client certificate with which a person or a program connects to the machines of a CA. Its private key is in Terraform's state; the ephemeral resource of the same name keeps it out.",
        attributes,
    }
}

/// The attributes of the ephemeral resource.
pub fn ephemeral_schema() -> Schema {
    Schema {
        description: "A client certificate that is made anew in each run of Terraform, and is neither in the state nor in the plan. It can be given to write-only arguments, ephemeral variables and the configuration of providers. Needs Terraform 1.10.",
        attributes: attributes(),
    }
}

/// Checks the configuration of the ephemeral resource.
pub fn validate(config: &Object) -> Result<()> {
    let mut problems: Vec<_> = identity::key_type(config).err().into_iter().collect();
    if let Some(cn) = config.text(CN) {
        problems.extend(parse_cn(cn).err());
    }
    problems.extend(valid_for(config).err());
    problems.extend(identity::check_early_renewal(config).err());
    Ok(Report::check(problems)?)
}

/// Makes the certificate that a configuration asks for, and returns the configuration with it.
pub fn issued(mut config: Object, now: OffsetDateTime) -> Result<Object> {
    let Some(ca) = identity::given_ca(&config, now)? else { bail!("`{CA}` is missing") };
    let cn = parse_cn(config.text(CN).unwrap_or_default())?;
    let (key, valid_for) = (identity::key_type(&config)?, valid_for(&config)?);
    let client = pki::issue_client(&cn, key, valid_for, &ca, now)?;
    identity::set_pair(&mut config, CERT_PEM, KEY_PEM, &client);
    config.set(CA_PEM, ca.certificate.pem());
    config.set(FINGERPRINT, client.certificate.fingerprint());
    config.set(EXPIRES, identity::time(client.certificate.validity().not_after)?);
    Ok(config)
}

fn attributes() -> Vec<Attribute> {
    let ca = "CA that signs the certificate: a `hostseed_ca` or a `hostseed_machine`. The client gets access to each machine of that CA.";
    vec![
        Attribute::required(
            CN,
            Type::Text,
            "Name of the person or program, which is the common name of the certificate.",
        ),
        Attribute { role: Role::Required, ..identity::ca_attribute(ca) },
        Attribute::optional(KEY, Type::Text, format!("{}.", options::help(KEY))),
        Attribute::optional(
            VALID_FOR,
            Type::Text,
            format!(
                "Validity of the certificate, such as 720h, 90d or 2y [default: {}].",
                ValidFor::default()
            ),
        ),
        Attribute::computed(CA_PEM, "Certificate of the CA, in PEM."),
        Attribute::computed(CERT_PEM, "Certificate of the client, in PEM."),
        Attribute::computed(KEY_PEM, "Private key of the client, in PEM.").sensitive(),
        Attribute::computed(
            FINGERPRINT,
            "SHA-256 of the certificate, as `openssl x509 -fingerprint` prints it.",
        ),
        identity::expires_attribute(),
    ]
}

fn parse_cn(text: &str) -> Result<ClientName, Diagnostic> {
    identity::parsed(CN, text, ClientName::parse)
}

fn valid_for(config: &Object) -> Result<ValidFor, Diagnostic> {
    let Some(text) = config.text(VALID_FOR) else { return Ok(ValidFor::default()) };
    identity::parsed(VALID_FOR, text, ValidFor::parse)
}
