//! Keys and certificates in attributes, as PEM text.

use std::path::Path;

use anyhow::{Context, Result};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::schema::{Attribute, Type};
use super::value::{Object, Value};
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::pki::{self, Certificate, Pair};
use crate::plan::{KeyType, ValidFor};
use crate::secret::Secret;

pub const NAME: &str = "name";
/// The CA that signs, and its key: an input, and attributes of everything that can be one.
pub const CA: &str = "ca";
pub const CA_PEM: &str = "ca_pem";
pub const CA_KEY_PEM: &str = "ca_key_pem";
/// The end of the certificate that expires first, in RFC 3339.
pub const EXPIRES: &str = "expires";
pub const EARLY_RENEWAL: &str = "early_renewal_days";
pub const VALID_FOR: &str = "valid_for";

/// The input for a CA.
pub fn ca_attribute(description: &str) -> Attribute {
    Attribute::optional(CA, Type::Object(&[CA_PEM, CA_KEY_PEM]), description).sensitive()
}

pub fn early_renewal_attribute() -> Attribute {
    Attribute::optional(
        EARLY_RENEWAL,
        Type::Number,
        "Days before they expire in which an apply makes new certificates and keys in place, signed by the same CA. Without it nothing is renewed, and a plan warns of certificates that expire soon.",
    )
}

pub fn expires_attribute() -> Attribute {
    Attribute::computed(EXPIRES, "Time at which the first of the certificates expires, in RFC 3339.")
}

/// The CA of an input.
///
/// # Errors
/// Fails if the certificate is not a CA's that can sign at `now`, or the key is not its key.
pub fn given_ca(config: &Object, now: OffsetDateTime) -> Result<Option<Pair>> {
    match config.get(CA) {
        Value::Object(ca) => signer(ca, now).map(Some).map_err(|error| of_field(&error, CA)),
        _ => Ok(None),
    }
}

/// The CA in the attributes of an object, with which it signs.
///
/// # Errors
/// Fails as [`given_ca`] does, and if there is no key.
pub fn signer(object: &Object, now: OffsetDateTime) -> Result<Pair> {
    let Some(key) = object.text(CA_KEY_PEM) else {
        return Err(Diagnostic::error(
            Code::NoCaKey,
            "the CA has no private key in the state, so it cannot sign",
        )
        .hint("give the CA with its key in `ca`")
        .into());
    };
    let ask = |_: &Path| Ok(None);
    let certificate = object.text(CA_PEM).unwrap_or_default();
    pki::load_authority(Path::new("terraform"), certificate, &Secret::new(key.to_owned()), now, &ask)
}

/// The certificate and the key in two attributes.
pub fn pair(object: &Object, certificate: &str, key: &str) -> Result<Pair> {
    let missing = |name: &str| format!("the state has no `{name}`");
    let text = object.text(certificate).with_context(|| missing(certificate))?;
    let private = object.text(key).with_context(|| missing(key))?;
    let certificate = Certificate::from_pem(text).with_context(|| format!("the state's `{certificate}`"))?;
    Ok(Pair { certificate, key: Secret::new(private.to_owned()) })
}

/// Sets the attributes with a certificate and its key.
pub fn set_pair(object: &mut Object, certificate: &str, key: &str, pair: &Pair) {
    object.set(certificate, pair.certificate.pem());
    object.set(key, pair.key.expose());
}

/// A time as an attribute has it.
pub fn time(time: OffsetDateTime) -> Result<String> {
    Ok(time.format(&Rfc3339)?)
}

/// Returns whether the certificates of a state are to be renewed: their end is less than the configured days away.
pub fn is_due(config: &Object, state: &Object, now: OffsetDateTime) -> bool {
    let Value::Number(days) = config.get(EARLY_RENEWAL) else { return false };
    expiry(state).is_some_and(|end| end - now <= Duration::days(*days))
}

/// The end of the certificate that expires first.
fn expiry(state: &Object) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(state.text(EXPIRES)?, &Rfc3339).ok()
}

/// A warning for certificates that expire soon and are not renewed.
pub fn expiry_warning(what: &str, certificate: &Certificate, now: OffsetDateTime) -> Option<Diagnostic> {
    let validity = certificate.validity();
    let day = validity.not_after.date();
    let text = match (validity.is_expired(now), validity.expires_soon(now)) {
        (true, _) => format!("the certificates of {what} expired on {day}"),
        (false, true) => format!("the certificates of {what} expire on {day}"),
        (false, false) => return None,
    };
    let hint = format!("set `{EARLY_RENEWAL}`, so that an apply renews them in time");
    Some(Diagnostic::warning(Code::CertificateTime, text).hint(hint))
}

/// Checks the days of [`EARLY_RENEWAL`]: a renewed certificate must not be due again at once. A validity that is not known or not valid
/// counts as the longest.
pub fn check_early_renewal(config: &Object) -> Result<(), Diagnostic> {
    let Value::Number(days) = config.get(EARLY_RENEWAL) else { return Ok(()) };
    let valid_for = match config.get(VALID_FOR) {
        Value::Null => Some(ValidFor::default()),
        Value::Text(text) => ValidFor::parse(text).ok(),
        _ => None,
    };
    let longest = valid_for.map_or(i64::MAX, |valid_for| valid_for.duration().whole_days());
    let why = match *days {
        ..1 => "must be at least 1".to_owned(),
        days if days >= longest => {
            format!("must be less than the {longest} days for which the certificates are valid")
        }
        _ => return Ok(()),
    };
    let text = format!("`{EARLY_RENEWAL}` {why}, got {days}");
    Err(Diagnostic::error(Code::InvalidDuration, text).of_field(EARLY_RENEWAL))
}

/// The type of keys that an attribute names; P-256 if it names none.
pub fn key_type(config: &Object) -> Result<KeyType, Diagnostic> {
    let Some(text) = config.text("key") else { return Ok(KeyType::P256) };
    let found = KeyType::ALL.iter().find(|(name, _)| *name == text).map(|(_, key)| *key);
    found.ok_or_else(|| not_one_of("key", &KeyType::ALL.map(|(name, _)| name), text))
}

/// Parses the text of an attribute.
pub fn parsed<T>(
    attribute: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, Diagnostic>,
) -> Result<T, Diagnostic> {
    parse(text).map_err(|problem| problem.about(format_args!("`{attribute}`")).of_field(attribute))
}

/// The name in an attribute: of a machine, or of a CA, which is the common name of a certificate as a machine's is.
pub fn parse_name(text: &str) -> Result<MachineName, Diagnostic> {
    parsed(NAME, text, MachineName::parse)
}

/// The error for an attribute that must have one of the values `names`.
pub fn not_one_of(attribute: &str, names: &[&str], value: &str) -> Diagnostic {
    Diagnostic::none_of(names.iter().copied(), value).about(format_args!("`{attribute}`")).of_field(attribute)
}

/// An error as a problem with an attribute.
pub fn of_field(error: &anyhow::Error, field: &str) -> anyhow::Error {
    let problem = Diagnostic::of(error);
    let problem = problem.unwrap_or_else(|| Diagnostic::error(Code::UnusableCa, format!("{error:#}")));
    problem.about(format_args!("`{field}`:")).of_field(field).into()
}
