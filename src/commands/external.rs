//! `external`: a program for Terraform's external data source. The first query creates the machine, and each later one, at each refresh
//! of Terraform, finds it.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::Result;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::passphrase::Passphrase;
use super::{create, difference, expiry, machine_view, unreadable};
use crate::artifact::Artifact;
use crate::clouds::{Cloud, Delivery};
use crate::delivery::{self, SizeHints};
use crate::diag::{Code, Diagnostic, Report};
use crate::digest::is_sha256;
use crate::names::MachineName;
use crate::pki::{HostIdentity, Identity};
use crate::plan::{Field, Plan};
use crate::render::{Form, Format, Packing};
use crate::shell::Command;
use crate::spec::Spec;
use crate::store::Store;
use crate::ui::{self, Ui};

/// The most bytes of a query, far more than any has.
const MAX_BYTES: u64 = 1 << 20;
/// The keys of a query that are not fields of a spec, because they say what the answer is and not what the machine is.
const FOR: &str = "for";
const FORMAT: &str = "format";
const GZIP: &str = "gzip";
const ALLOW_EXPIRED: &str = "allow_expired";
const CREATE: &str = "create";
const FINGERPRINT: &str = "fingerprint_authority";

/// The hint if the store does not have the machine that a query expects.
const OTHER_STORE: &str =
    "use the store in which the machine was created, with `--store DIR` or MACHINE_STORAGE_PATH";

/// Reads a query from standard input and prints the answer. Both are JSON objects with string values (Terraform, "External Program
/// Protocol").
pub fn external(store: &Store, ui: Ui, now: OffsetDateTime) -> Result<()> {
    let mut query = read_query()?;
    let mut complaints = Vec::new();
    let conditions = Conditions::take(&mut query, &mut complaints);
    let seed = SeedAsked::take(&mut query, complaints)?;
    let mut spec = Spec::from_query(&query);
    super::read_daemon_json(&mut spec)?;
    if let Some(word) = &spec.host.daemon_json {
        query.retain(|key, _| !matches!(key.as_str(), "daemon-json" | "daemon_json"));
        query.insert("daemon-json".to_owned(), word.text.clone());
    }
    let stored = existing(store, &spec);
    let plan = plan(&spec, &query, stored.as_ref().and_then(|stored| stored.as_ref().ok()))?;
    let stored = match stored {
        Some(stored) => stored?,
        None => {
            conditions.check_creation(store, &plan.name)?;
            created(store, ui, now, &plan, &seed)?
        }
    };
    difference::refuse(store, &spec, &plan, &stored)?;
    conditions.check_authority(store, &plan.name)?;
    let how = "`allow_expired = \"true\"` in the query";
    expiry::check(store, ui, now, &plan.name, conditions.allow_expired, how)?;
    let client_use = store.client_use(&stored.name, &store.host_identity(&stored)?, now);
    client_use.iter().for_each(|warning| ui.warning(warning));
    let answer = ui::safe_json(&serde_json::to_string_pretty(&answer(store, &stored, &seed)?)?) + "\n";
    ui.artifact(&Artifact::private("answer", answer), &Command::own(["external"]).into_file("FILE"))
}

/// The plan of the machine that a query names, if it exists.
fn existing(store: &Store, spec: &Spec) -> Option<Result<Plan>> {
    let name = MachineName::parse(&spec.name.as_ref()?.text).ok()?;
    store.has(&name).then(|| store.plan(&name))
}

/// Creates a machine and returns its plan: another one if another command created it in the meantime.
fn created(store: &Store, ui: Ui, now: OffsetDateTime, plan: &Plan, seed: &SeedAsked) -> Result<Plan> {
    let check = |identity: &Identity| seed.rendered(plan, &identity.for_host());
    match create::make(store, plan, now, &Passphrase::from_environment(), check) {
        Err(_) if store.has(&plan.name) => store.plan(&plan.name),
        Err(error) => Err(error),
        Ok((identity, _)) => {
            if let Some(note) = create::about_names(plan, &identity) {
                ui.note(note);
            }
            Ok(plan.clone())
        }
    }
}

fn read_query() -> Result<BTreeMap<String, String>> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable("<stdin>", &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        let complaint = Diagnostic::error(
            Code::QueryJson,
            format!("the query on standard input has more than {MAX_BYTES} bytes"),
        );
        return Err(Report::from(complaint).into());
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let complaint = Diagnostic::error(
            Code::QueryJson,
            format!("the query on standard input is not a JSON object with string values: {error}"),
        );
        let example = r#"{"name": "web1", "addresses": "203.0.113.7"}"#;
        Report::from(
            complaint
                .hint("Terraform's data source `external` sends one; to try it by hand:")
                .run(Command::own(["external"]).after(Command::of("echo", [example]))),
        )
        .into()
    })
}

/// Removes a key from the query. Reports a value that is not one of `known`. Returns `None` for an empty value.
fn take_choice(
    query: &mut BTreeMap<String, String>,
    complaints: &mut Vec<Diagnostic>,
    key: &str,
    known: &[&str],
) -> Option<String> {
    let text = query.remove(key).filter(|text| !text.is_empty())?;
    if known.contains(&text.as_str()) {
        return Some(text);
    }
    let complaint = Diagnostic::none_of(known.iter().copied(), &text);
    complaints.push(complaint.about(format_args!("`{key}`")));
    None
}

/// The conditions of a query for an answer.
struct Conditions {
    /// False if the machine must exist already.
    may_create: bool,
    allow_expired: bool,
    /// The fingerprint that the machine's CA must have, in openssl's form.
    authority: Option<String>,
}

impl Conditions {
    fn take(query: &mut BTreeMap<String, String>, complaints: &mut Vec<Diagnostic>) -> Self {
        // An empty value, from a variable that was not set, must not switch these off.
        for key in [CREATE, FINGERPRINT] {
            if query.get(key).is_some_and(String::is_empty) {
                let text = format!("`{key}` is empty: leave it out, or give its value");
                complaints.push(Diagnostic::error(Code::InvalidChoice, text));
            }
        }
        let mut choice = |key: &str| take_choice(query, complaints, key, &["true", "false"]);
        let (create, allow_expired) = (choice(CREATE), choice(ALLOW_EXPIRED));
        let authority = query.remove(FINGERPRINT).filter(|text| !text.is_empty());
        if let Some(text) = authority.as_ref().filter(|text| digits(text).is_none()) {
            let text = format!(
                "`{FINGERPRINT}` must be the 64 hex digits of a SHA-256, got `{}`",
                text.escape_debug()
            );
            let hint = "the answer of `external` and `hostseed inspect` have it";
            complaints.push(Diagnostic::error(Code::InvalidChecksum, text).hint(hint));
        }
        Self {
            may_create: create.as_deref() != Some("false"),
            allow_expired: allow_expired.as_deref() == Some("true"),
            authority,
        }
    }

    /// Refuses to create a machine in place of one that is expected to exist. The new machine would have another identity, and
    /// Terraform would replace the VM.
    fn check_creation(&self, store: &Store, name: &MachineName) -> Result<()> {
        let key = match &self.authority {
            _ if !self.may_create => "`create = \"false\"`".to_owned(),
            Some(_) => format!("`{FINGERPRINT}`"),
            None => return Ok(()),
        };
        let message = format!(
            "`{}` does not exist, and {key} in the query says that `{name}` was created before; nothing was created",
            store.machine_dir(name).display()
        );
        Err(Diagnostic::error(Code::NoSuchMachine, message).hint(OTHER_STORE).into())
    }

    /// Refuses a machine whose CA is not the expected one.
    fn check_authority(&self, store: &Store, name: &MachineName) -> Result<()> {
        let Some(wanted) = &self.authority else { return Ok(()) };
        let found = store.certificate(name, "ca")?.fingerprint();
        if digits(&found) == digits(wanted) {
            return Ok(());
        }
        let message = format!(
            "the CA of `{name}` has the fingerprint {found}, but `{FINGERPRINT}` in the query is `{wanted}`: this is another machine of that name"
        );
        Err(Diagnostic::error(Code::MachineDiffers, message).hint(OTHER_STORE).into())
    }
}

/// The digits of a fingerprint, with or without colons, in lower case. None if it is no SHA-256.
fn digits(fingerprint: &str) -> Option<String> {
    let digits = fingerprint.replace(':', "").to_lowercase();
    is_sha256(&digits).then_some(digits)
}

/// The format, the target cloud and the compression that a query asks for.
struct SeedAsked {
    form: Form,
    cloud: Option<(&'static Cloud, &'static Delivery)>,
    gzip: bool,
}

impl SeedAsked {
    /// Removes these keys from the query.
    ///
    /// # Errors
    /// Fails if a value is wrong, and reports it together with `complaints`.
    fn take(query: &mut BTreeMap<String, String>, mut complaints: Vec<Diagnostic>) -> Result<Self, Report> {
        let mut choice = |key: &str, known: &[&str]| take_choice(query, &mut complaints, key, known);
        let clouds = Cloud::ALL.iter().flat_map(|cloud| [&[cloud.name], cloud.aliases].concat());
        let cloud = choice(FOR, &clouds.collect::<Vec<_>>());
        let format = choice(FORMAT, &["cloud-config", "script", "ignition"]);
        let gzip = choice(GZIP, &["true", "false"]).as_deref() == Some("true");
        Report::check(complaints)?;
        let (format, form) = match format.as_deref() {
            Some("script") => (Format::Script, Form::Script),
            Some("ignition") => (Format::Ignition, Form::Ignition(Vec::new())),
            _ => (Format::CloudConfig, Form::CloudConfig),
        };
        let cloud = match cloud.as_deref().and_then(Cloud::named) {
            Some(cloud) => {
                let delivery = delivery::delivery(cloud, format, Packing { gzip, base64: false });
                Some((cloud, delivery?))
            }
            None => None,
        };
        Ok(Self { form, cloud, gzip })
    }

    /// The user-data for an attribute of text, and for one of base64. None for text if the user-data is binary: then Terraform
    /// reports that in its plan.
    fn texts(&self, plan: &Plan, identity: &HostIdentity) -> Result<(Option<String>, String)> {
        let seed = self.rendered(plan, identity)?;
        let base64 = crate::userdata::encoding::base64(&seed.bytes);
        let text = match self.cloud {
            Some((_, delivery)) if delivery.base64 => Some(base64.clone()),
            _ => std::str::from_utf8(&seed.bytes).ok().map(str::to_owned),
        };
        Ok((text, base64))
    }

    fn rendered(&self, plan: &Plan, identity: &HostIdentity) -> Result<Artifact> {
        match self.cloud {
            Some((cloud, delivery)) => {
                let hints = SizeHints {
                    gzip: Some("`gzip = \"true\"`".into()),
                    small_key: "`key = \"p256\"`".into(),
                    address: None,
                    image: "`docker = \"none\"`".into(),
                };
                delivery::render_for(cloud, delivery, (plan, identity), &self.form, delivery.base64, &hints)
            }
            None => delivery::rendered(plan, identity, &self.form, self.gzip),
        }
    }
}

/// The plan that a query asks for. A query for an existing machine may have only some fields, which alone make no valid plan.
fn plan(spec: &Spec, query: &BTreeMap<String, String>, stored: Option<&Plan>) -> Result<Plan> {
    create::plan(spec)
        .or_else(|error| stored.and_then(|stored| completed(spec, query, stored).ok()).ok_or(error))
}

/// The plan of the query with its missing fields from the existing machine.
fn completed(spec: &Spec, query: &BTreeMap<String, String>, stored: &Plan) -> Result<Plan> {
    let mut query = query.clone();
    for field in
        stored.fields().into_iter().filter(|field| !spec.given.iter().any(|given| given == field.name()))
    {
        let text = match &field {
            Field::One(_, value) => value.clone(),
            Field::Many(_, values) => serde_json::to_string(values)?,
        };
        query.insert(field.name().to_owned(), text);
    }
    create::absolute(Plan::from_stored(&Spec::from_query(&query))?)
}

fn answer(store: &Store, plan: &Plan, asked: &SeedAsked) -> Result<Map<String, Value>> {
    let name = &plan.name;
    let connection = store.connection(name)?;
    let (_, host) = store.host_certificate(name)?;
    let (authority, client) = (store.certificate(name, "ca")?, store.certificate(name, "cert")?);
    let expiry = host.validity().not_after.min(client.validity().not_after);
    let (user_data, base64) = asked.texts(plan, &store.host_identity(plan)?)?;
    let texts = [
        ("version", Some(machine_view::VERSION.to_string())),
        ("name", Some(name.to_string())),
        ("docker_host", Some(connection.url)),
        ("cert_path", Some(connection.cert_path)),
        ("user_data", user_data),
        ("user_data_base64", Some(base64)),
        ("fingerprint_authority", Some(authority.fingerprint())),
        ("fingerprint_host", Some(host.fingerprint())),
        ("fingerprint_client", Some(client.fingerprint())),
        ("expiry", Some(expiry.format(&Rfc3339)?)),
    ];
    Ok(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.into()))).collect())
}
