//! Renders the files for a host that issues its own server certificate: the `issue` script and the systemd units that run it.

use anyhow::Result;
use minijinja::{Value, context};

use crate::artifact::Artifact;
use crate::names::Address;
use crate::plan::{KeyType, Plan};
use crate::templates;
use crate::userdata::paths::{self, ISSUE, OPT, UNITS};

/// dockerd's default folder for its state.
const DATA_ROOT: &str = "/var/lib/docker";

/// The settings of `issue` for a machine.
pub fn settings(plan: &Plan) -> Value {
    let names: Vec<String> = plan.sans().iter().map(san).collect();
    let (key, key_usage) = openssl_key(plan.key);
    let url = plan.boot_issuer.as_ref().and_then(|issuer| issuer.public_address_url.as_deref());
    context! {
        key,
        key_usage,
        names => names.join("\n"),
        public_address_url => url.unwrap_or_default(),
        data_root => plan.host.engine.text("data-root").unwrap_or_else(|| DATA_ROOT.to_owned()),
    }
}

/// Returns the files for Ignition, with paths relative to `/`. Elsewhere `setup` contains them: only if they are compressed together
/// with it does the seed fit Amazon EC2's limit, which is 16 384 bytes of gzipped user-data.
pub fn attachments(plan: &Plan) -> Result<Vec<Artifact>> {
    let lib = Value::from_safe_string(OPT.to_owned());
    let machine = plan.name.as_str();
    let values = context! { lib => lib.clone(), setup => false, machine, ..settings(plan) };
    let issue = Artifact::public(
        format!("{}/{ISSUE}", paths::relative(OPT)),
        templates::render("host/issue", values)?,
    );
    Ok(vec![
        Artifact { mode: 0o755, ..issue },
        unit("hostseed-issue.service", context! { lib })?,
        unit("hostseed-issue.timer", context! {})?,
    ])
}

/// A unit, rendered.
pub fn unit(name: &str, values: Value) -> Result<Artifact> {
    let text = templates::render(&format!("host/{name}"), values)?;
    Ok(Artifact::public(format!("{}/{name}", paths::relative(UNITS)), text))
}

/// An address in openssl's syntax for `subjectAltName`.
fn san(address: &Address) -> String {
    match address {
        Address::Ip(ip) => format!("IP:{ip}"),
        Address::Dns(name) => format!("DNS:{name}"),
    }
}

/// The options for `openssl genpkey`, and the key usage of a server with such a key, as in `pki/profile.rs`.
fn openssl_key(key: KeyType) -> (&'static str, &'static str) {
    const SIGNS: &str = "digitalSignature";
    const SIGNS_AND_CARRIES: &str = "digitalSignature, keyEncipherment";
    match key {
        KeyType::P256 => ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", SIGNS),
        KeyType::P384 => ("-algorithm EC -pkeyopt ec_paramgen_curve:P-384", SIGNS),
        KeyType::Ed25519 => ("-algorithm ED25519", SIGNS),
        KeyType::Rsa2048 => ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", SIGNS_AND_CARRIES),
        KeyType::Rsa4096 => ("-algorithm RSA -pkeyopt rsa_keygen_bits:4096", SIGNS_AND_CARRIES),
    }
}
