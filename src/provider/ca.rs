//! `hostseed_ca`: a CA that signs the certificates of several machines and clients.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use time::OffsetDateTime;

use super::identity::{self, CA_KEY_PEM, CA_PEM, EXPIRES, NAME, parse_name};
use super::resource::{Planned, Resource};
use super::schema::{Attribute, Schema, Type};
use super::value::Object;
use crate::diag::{Code, Diagnostic, Report};
use crate::options;
use crate::pki::{self, Pair};
use crate::plan::{AuthoritySource, KeyType};
use crate::store::{Store, Trust};

pub struct Ca;

const FINGERPRINT: &str = "fingerprint";
const KEY: &str = "key";

impl Resource for Ca {
    fn type_name(&self) -> &'static str {
        "hostseed_ca"
    }

    fn schema(&self) -> &'static Schema {
        static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);
        &SCHEMA
    }

    fn validate(&self, config: &Object) -> Result<()> {
        let mut problems: Vec<_> = identity::key_type(config).err().into_iter().collect();
        if let Some(name) = config.text(NAME) {
            problems.extend(parse_name(name).err());
        }
        Ok(Report::check(problems)?)
    }

    fn plan(&self, prior: Option<&Object>, proposed: Object, now: OffsetDateTime) -> Result<Planned> {
        let computed = self.schema().computed();
        let Some(prior) = prior else { return Ok(Planned::update(proposed.with_unknown(computed))) };
        let replaces: Vec<_> = [NAME, KEY].into_iter().filter(|name| proposed.differs(prior, name)).collect();
        if !replaces.is_empty() {
            return Ok(Planned::replacement(proposed.with_unknown(computed), replaces));
        }
        let ca = identity::pair(prior, CA_PEM, CA_KEY_PEM)?;
        let validity = ca.certificate.validity();
        let warning = validity.expires_soon(now).then(|| {
            let day = validity.not_after.date();
            let text = format!("the CA `{}` expires on {day}", prior.text(NAME).unwrap_or_default());
            let hint = "make another one with `terraform apply -replace`: all machines and clients of it get new certificates";
            Diagnostic::warning(Code::CertificateTime, text).hint(hint)
        });
        Ok(Planned::update(proposed).warning(warning))
    }

    fn apply(&self, prior: Option<&Object>, planned: Object, now: OffsetDateTime) -> Result<Object> {
        if prior.is_some() {
            return Ok(planned);
        }
        let name = parse_name(planned.text(NAME).unwrap_or_default())?;
        let key = identity::key_type(&planned)?;
        // A machine of it may have a boot issuer.
        state(planned, &pki::issue_authority(name.as_str(), key, true, now)?)
    }

    fn import(&self, id: &str, now: OffsetDateTime) -> Result<Object> {
        let dir = std::path::absolute(id)?;
        let store = Store::open(dir.clone(), true, Trust::Checked)?;
        let ca = store.authority(&AuthoritySource::Dir(dir), now, &|_| Ok(None))?;
        let ca = ca.context("there is no CA")?;
        let mut imported = self.schema().fitted(&Object::default());
        imported.set(NAME, ca.certificate.common_name());
        let key = ca.certificate.key_type().filter(|key| *key != KeyType::P256);
        imported.set(KEY, key.map(|key| key.name()));
        state(imported, &ca)
    }
}

fn schema() -> Schema {
    Schema {
        description: "A CA for several machines and clients, valid for ten years. Each client that it signs has access to each of its machines. The private key is in Terraform's state.",
        attributes: vec![
            Attribute::required(
                NAME,
                Type::Text,
                "Name in the subject of the certificate. Another name makes another CA.",
            ),
            Attribute::optional(
                KEY,
                Type::Text,
                format!("{}. Another type makes another CA.", options::help(KEY)),
            ),
            Attribute::computed(CA_PEM, "Certificate of the CA, in PEM."),
            Attribute::computed(CA_KEY_PEM, "Private key of the CA, in PEM.").sensitive(),
            Attribute::computed(
                FINGERPRINT,
                "SHA-256 of the certificate, as `openssl x509 -fingerprint` prints it.",
            ),
            identity::expires_attribute(),
        ],
    }
}

fn state(mut state: Object, ca: &Pair) -> Result<Object> {
    identity::set_pair(&mut state, CA_PEM, CA_KEY_PEM, ca);
    state.set(FINGERPRINT, ca.certificate.fingerprint());
    state.set(EXPIRES, identity::time(ca.certificate.validity().not_after)?);
    Ok(state)
}
