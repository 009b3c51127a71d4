//! The plan of a machine of Docker Machine, from its record and its certificate.

use std::path::Path;

use anyhow::Result;

use super::authority::Authority;
use crate::diag::{Code, Diagnostic, Severity};
use crate::names::{Address, MachineName};
use crate::pki::HostIdentity;
use crate::plan::{Field, Plan};
use crate::spec::{Document, Origin, Spec};
use crate::store::record::Record;

/// The script with which Docker Machine installs Docker unless told otherwise (docker/machine, `drivers.DefaultEngineInstallURL`). It
/// installs Docker's own packages, as hostseed does.
const USUAL_INSTALL_URL: &str = "https://get.docker.com";

/// The plan with which hostseed would have created the machine, and what hostseed would not accept of it today.
pub(super) fn plan_of(
    dir: &Path,
    name: &MachineName,
    record: &Record,
    host: &HostIdentity,
    authority: &Authority,
) -> Result<(Plan, Vec<Diagnostic>)> {
    let leaf = &host.chain[0];
    let file = dir.join("config.json").display().to_string();
    let mut spec = Spec { origin: Origin::File(Document::of_record(&file)), ..Spec::default() };
    spec.set("name", [name.to_string()]);
    spec.set("address", [record.host.clone()]);
    spec.set("boot-issuer", ["false".to_owned()]);
    spec.set("port", [record.port.to_string()]);
    spec.set("ca", [authority.source().name()]);
    let key = leaf.key_type().ok_or_else(|| {
        let text = format!(
            "`{}` has a kind of key that hostseed does not support",
            dir.join("server.pem").display()
        );
        Diagnostic::error(Code::StoredPem, text)
    })?;
    spec.set("key", [key.name().to_owned()]);
    let validity = leaf.validity();
    spec.set("valid-for", [format!("{}h", (validity.not_after - validity.not_before).whole_hours())]);
    let (mut sans, mut labels) = (Vec::new(), Vec::new());
    for field in record.options() {
        match field {
            Field::Many("tls-san", values) => sans = values,
            Field::Many("engine-opt", values) => {
                spec.set("engine-opt", values.iter().map(|value| as_flag(value)))
            }
            Field::One("engine-install-url", url) if url.trim_end_matches('/') == USUAL_INSTALL_URL => {}
            Field::One("engine-install-url", url) => {
                if url.starts_with("http://") {
                    spec.set("insecure-install-url", ["true".to_owned()]);
                }
                spec.set("engine-install-url", [url]);
            }
            Field::Many("engine-label", values) => labels = values,
            Field::One(name, value) => spec.set(name, [value]),
            Field::Many(name, values) => spec.set(name, values),
        }
    }
    let always = [record.host.as_str(), name.as_str(), "localhost", "127.0.0.1"];
    for san in leaf.sans().iter().map(Address::to_string) {
        if !sans.contains(&san) {
            sans.push(san);
        }
    }
    // Docker Machine gives each host this label, but does not record it.
    if record.driver != "none" && !labels.iter().any(|label| label.starts_with("provider=")) {
        labels.push(format!("provider={}", record.driver));
    }
    spec.set("engine-label", labels);
    sans.retain(|san| !always.contains(&san.as_str()));
    spec.set("tls-san", sans);

    let plan = Plan::from_stored(&spec)?;
    let doubts = match Plan::from_spec(&spec) {
        Ok(_) => Vec::new(),
        Err(report) => {
            report.0.into_iter().map(|doubt| Diagnostic { severity: Severity::Warning, ..doubt }).collect()
        }
    };
    Ok((plan, doubts))
}

/// An option of dockerd as hostseed writes it. Docker Machine puts `--` before it, and accepts a space for `=`.
fn as_flag(option: &str) -> String {
    let option = option.trim().trim_start_matches("--");
    match option.split_once(char::is_whitespace) {
        Some((flag, value)) if !flag.contains('=') => format!("{flag}={}", value.trim_start()),
        _ => option.to_owned(),
    }
}
