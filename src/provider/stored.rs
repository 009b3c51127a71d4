//! Machines of a store: the data source `hostseed_machine`, and the import of one into the resource.

use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::identity::{NAME, parse_name};
use super::machine::{self, Keys};
use super::schema::{Attribute, Schema, Type, type_of};
use super::user_data;
use super::value::{Object, Value};
use crate::diag::{Code, Diagnostic, Report};
use crate::names::MachineName;
use crate::options::Definition;
use crate::pki::{Certificate, Pair};
use crate::plan::{Field, Plan};
use crate::spec::Spec;
use crate::store::{self, Store, Trust};

const STORE: &str = "store";
const CERT_PATH: &str = "cert_path";

/// The attributes of the data source.
pub fn schema() -> Schema {
    let mut attributes = vec![
        Attribute::required(NAME, Type::Text, "Name of the machine."),
        Attribute::optional(
            STORE,
            Type::Text,
            "Folder with all machines [default: that of `MACHINE_STORAGE_PATH`, or `~/.docker/machine`].",
        ),
    ];
    attributes.extend(user_data::inputs());
    attributes.push(Attribute::computed(
        CERT_PATH,
        "`DOCKER_CERT_PATH`: the folder with `ca.pem`, `cert.pem` and `key.pem`.",
    ));
    attributes.extend(machine::facts());
    Schema {
        description: "A machine that `hostseed create` made on this computer. Its files are read and not changed. The private key of its CA is not read.",
        attributes,
    }
}

/// Checks the configuration of the data source.
pub fn validate(config: &Object) -> Result<()> {
    let mut problems = user_data::Seed::of(config).map_or_else(|report| report.0, |_| Vec::new());
    if let Some(name) = config.text(NAME) {
        problems.extend(parse_name(name).err());
    }
    Ok(Report::check(problems)?)
}

/// Reads the machine that the data source names.
pub fn read(config: Object) -> Result<Object> {
    let root = match config.text(STORE) {
        Some(dir) => PathBuf::from(dir),
        None => store::default_root()?,
    };
    let name = parse_name(config.text(NAME).unwrap_or_default())?;
    let store = Store::open(root, config.text(STORE).is_some(), Trust::Checked)?;
    let plan = store.plan(&name)?;
    let keys = keys(&store, &plan, None)?;
    let mut state = machine::state_of_stored(config, plan, &keys)?;
    state.set(CERT_PATH, store.machine_path(&name)?);
    Ok(state)
}

/// Reads a machine for `terraform import`: `STORE/NAME`, or the `NAME` of one in the default store. The CA's key is read too, if it is there
/// and has no passphrase.
pub fn imported(id: &str, schema: &Schema, now: OffsetDateTime) -> Result<Object> {
    let path = Path::new(id);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name =
        MachineName::parse(name).map_err(|problem| problem.about(format_args!("the name in `{id}`")))?;
    let (root, named) = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => (parent.to_owned(), true),
        None => (store::default_root()?, false),
    };
    let store = Store::open(std::path::absolute(root)?, named, Trust::Checked)?;
    let plan = store.plan(&name)?;
    store.refuse_open_ca_change(&plan)?;
    let signer = match store.signing_authority(&name, now, &|_| Ok(None)) {
        Ok(signer) => Some(signer),
        Err(error) => match Diagnostic::of(&error).map(|problem| problem.code) {
            // The machine works without it; only new certificates need it.
            Some(Code::NoCaKey | Code::CaPassphrase) => None,
            _ => return Err(error),
        },
    };
    let keys = keys(&store, &plan, signer)?;
    let mut state = schema.fitted(&Object::default());
    state.set(NAME, name.as_str());
    for (attribute, value) in options_of(&plan)? {
        state.set(attribute, value);
    }
    machine::state_of_stored(state, plan, &keys)
}

/// The options of a plan that are not the defaults, as attributes.
fn options_of(plan: &Plan) -> Result<Vec<(&'static str, Value)>> {
    let mut usual = Spec::default();
    usual.set(NAME, [plan.name.to_string()]);
    usual.set("address", plan.addresses.iter().map(ToString::to_string));
    let usual = Plan::from_stored(&usual)?.fields();
    let is_usual = |field: &Field| {
        let same = usual.iter().find(|usual| usual.name() == field.name());
        field.name() != "address" && same.is_some_and(|usual| usual.values() == field.values())
    };
    let fields = plan.fields().into_iter().filter(|field| !is_usual(field));
    let attribute = |field: Field| {
        let definition = machine::options().find(|definition| definition.name == field.name())?;
        Some((definition.attribute, value(definition, field.values())))
    };
    Ok(fields.filter_map(attribute).collect())
}

/// The value of an option as an attribute.
fn value(definition: &Definition, values: &[String]) -> Value {
    let mut texts = values.iter().map(|value| Value::from(value.as_str()));
    match type_of(definition) {
        Type::Bool => Value::Bool(values == ["true"]),
        Type::Texts => Value::List(texts.collect()),
        Type::TextMap => {
            let mut pairs = Object::default();
            for (key, value) in values.iter().filter_map(|value| value.split_once('=')) {
                pairs.set(key, value);
            }
            pairs.into()
        }
        _ => texts.next().into(),
    }
}

/// The keys and certificates of a machine.
fn keys(store: &Store, plan: &Plan, signer: Option<Pair>) -> Result<Keys> {
    let host = store.host_identity(plan)?;
    let client = store.client_identity(&plan.name)?;
    let pair = |chain: Vec<Certificate>, key| match <[Certificate; 1]>::try_from(chain) {
        Ok([certificate]) => Ok(Pair { certificate, key }),
        Err(_) => {
            let text =
                format!("the certificates of `{}` have a chain, which the state cannot hold", plan.name);
            Err(Diagnostic::error(Code::StoredPem, text))
        }
    };
    Ok(Keys {
        authority: host.ca.current,
        authority_key: signer.map(|signer| signer.key),
        host: pair(host.chain, host.key)?,
        client: pair(client.chain, client.key)?,
    })
}
