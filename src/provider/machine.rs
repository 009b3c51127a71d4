//! `hostseed_machine`: a machine whose identity is in Terraform's state.

use std::sync::LazyLock;

use anyhow::Result;
use time::OffsetDateTime;

use super::identity::{self, CA, CA_KEY_PEM, CA_PEM, EARLY_RENEWAL, EXPIRES, NAME, VALID_FOR};
use super::resource::{Planned, Resource};
use super::schema::{Attribute, Schema, Type, option, words};
use super::stored;
use super::user_data::{self, Seed};
use super::value::{Object, Value};
use crate::diag::{Code, Diagnostic, Report};
use crate::fleet::Certificates;
use crate::options;
use crate::pki::{self, Certificate, HostIdentity, Identity, Pair};
use crate::plan::Plan;
use crate::secret::Secret;
use crate::spec::Spec;
use crate::store;

pub struct Machine;

/// The name in a configuration, of the resource and of the data source.
pub const TYPE_NAME: &str = "hostseed_machine";

pub const DOCKER_HOST: &str = "docker_host";
const KEY: &str = "key";
const HOST: [&str; 2] = ["host_cert_pem", "host_key_pem"];
const CLIENT: [&str; 2] = ["client_cert_pem", "client_key_pem"];
const FINGERPRINTS: [&str; 3] = ["fingerprint_authority", "fingerprint_host", "fingerprint_client"];

/// The attributes that follow from an identity.
const OF_HOST: [&str; 3] = [HOST[0], HOST[1], FINGERPRINTS[1]];
const OF_CLIENT: [&str; 3] = [CLIENT[0], CLIENT[1], FINGERPRINTS[2]];

/// Everything that a configuration asks for.
struct Asked {
    plan: Plan,
    /// The CA that is given; none for one of the machine's own.
    ca: Option<Pair>,
    seed: Seed,
}

/// The certificates and keys of a machine.
pub struct Keys {
    pub authority: Certificate,
    /// None if the key is not at hand.
    pub authority_key: Option<Secret>,
    pub host: Pair,
    pub client: Pair,
}

impl Resource for Machine {
    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    fn schema(&self) -> &'static Schema {
        static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);
        &SCHEMA
    }

    fn validate(&self, config: &Object) -> Result<()> {
        let mut problems = Vec::new();
        problems.extend(plan_of(&known_spec(config), true).err().into_iter().flat_map(|report| report.0));
        problems.extend(Seed::of(config).err().into_iter().flat_map(|report| report.0));
        problems.extend(identity::check_early_renewal(config).err());
        if is_unknown(config) {
            // The others may need a value that is not known yet.
            problems.retain(|problem| problem.code != Code::NoEffect);
        }
        Ok(Report::check(problems)?)
    }

    fn plan(&self, prior: Option<&Object>, proposed: Object, now: OffsetDateTime) -> Result<Planned> {
        let computed = self.schema().computed();
        let asked = match is_unknown(&proposed) {
            true => None,
            false => Some(Asked::read(&proposed, prior.is_none(), now)?),
        };
        let Some(prior) = prior else {
            let host = known_docker_host(&proposed);
            let mut state = proposed.with_unknown(computed);
            if let Some(host) = host {
                state.set(DOCKER_HOST, host);
            }
            if let Some(asked) = asked {
                asked.try_size(now)?;
            }
            return Ok(Planned::update(state));
        };
        if proposed.differs(prior, NAME) {
            return Ok(Planned::replacement(proposed.with_unknown(computed), vec![NAME]));
        }
        let Some(asked) = asked else { return Ok(Planned::update(later(proposed, prior))) };
        if let Some(attribute) = asked.needs_another_ca(prior, &proposed, now) {
            return Ok(Planned::replacement(proposed.with_unknown(computed), vec![attribute]));
        }
        let fresh = Fresh::of_change(&asked, prior, &proposed, now)?;
        if fresh == Fresh::default() {
            let keys = Keys::read(prior)?;
            let warning = match proposed.get(EARLY_RENEWAL) {
                Value::Null => {
                    identity::expiry_warning(asked.plan.name.as_str(), keys.first_to_expire(), now)
                }
                _ => None,
            };
            // Another version of hostseed may render other user-data. By itself it must not make Terraform replace VMs.
            let is_changed = self.schema().inputs().any(|name| proposed.differs(prior, name));
            let state = if is_changed { asked.state(proposed, &keys)? } else { proposed };
            return Ok(Planned::update(state).warning(warning));
        }
        let mut state = fresh.unknown(proposed);
        state.set(DOCKER_HOST, docker_host(&asked.plan));
        Ok(Planned::update(state))
    }

    fn apply(&self, prior: Option<&Object>, planned: Object, now: OffsetDateTime) -> Result<Object> {
        let asked = Asked::read(&planned, prior.is_none(), now)?;
        let keys = match prior {
            None => asked.issue(now)?,
            Some(prior) => {
                let fresh = Fresh::of_change(&asked, prior, &planned, now)?.within(&planned);
                asked.renewed(prior, &fresh, now)?
            }
        };
        asked.state(planned, &keys)
    }

    fn import(&self, id: &str, now: OffsetDateTime) -> Result<Object> {
        stored::imported(id, self.schema(), now)
    }
}

fn schema() -> Schema {
    let mut attributes = vec![Attribute::required(
        NAME,
        Type::Text,
        "Name of the machine, which is in its certificates. Another name makes another machine, with another identity.",
    )];
    attributes.extend(options().map(option));
    attributes.push(identity::ca_attribute(
            "CA that signs the certificates: a `hostseed_ca` or another `hostseed_machine`. Without it the machine gets a CA of its own.",
        ));
    attributes.extend(user_data::inputs());
    attributes.push(identity::early_renewal_attribute());
    attributes.extend(facts());
    Schema {
        description: "A remote Docker host: the TLS certificates and keys, and the user-data with which a new VM installs Docker. Everything is in Terraform's state, which contains the private keys. Changed options give new user-data, with which Terraform replaces the VM. The CA and the client's certificate stay.",
        attributes,
    }
}

/// The options of a machine that are attributes. `ca` names a folder or a store, which do not outlive a run.
pub fn options() -> impl Iterator<Item = &'static options::Definition> {
    options::all().filter(|definition| definition.name != CA)
}

/// The attributes that the provider sets.
pub fn facts() -> Vec<Attribute> {
    let pem = |name, description| Attribute::computed(name, format!("{description}, in PEM."));
    let fingerprint = |name, whose| {
        Attribute::computed(name, format!("SHA-256 of {whose}, as `openssl x509 -fingerprint` prints it."))
    };
    let mut facts = vec![Attribute::computed(
        DOCKER_HOST,
        "`DOCKER_HOST`: the first address, or the machine's name, which then has to resolve.",
    )];
    facts.extend(user_data::outputs());
    facts.extend([
        pem(CA_PEM, "Certificate of the CA"),
        Attribute::computed(
            CA_KEY_PEM,
            "Private key of the machine's own CA, in PEM, which signs further clients. Null with `ca`.",
        )
        .sensitive(),
        pem(HOST[0], "Certificate of the host, or of its boot issuer"),
        pem(HOST[1], "Private key of that certificate").sensitive(),
        pem(CLIENT[0], "Certificate of the client"),
        pem(CLIENT[1], "Private key of the client").sensitive(),
        fingerprint(FINGERPRINTS[0], "the CA's certificate"),
        fingerprint(FINGERPRINTS[1], "the host's certificate"),
        fingerprint(FINGERPRINTS[2], "the client's certificate"),
        identity::expires_attribute(),
    ]);
    facts
}

/// Returns whether something is known only later that decides about the machine.
fn is_unknown(config: &Object) -> bool {
    is_plan_unknown(config)
        || config.is_unknown(CA)
        || user_data::INPUTS.iter().any(|input| config.is_unknown(input))
}

/// Returns whether something is known only later that is in the plan.
fn is_plan_unknown(config: &Object) -> bool {
    config.is_unknown(NAME) || options().any(|option| config.is_unknown(option.attribute))
}

/// The spec of what is known.
fn known_spec(config: &Object) -> Spec {
    let name = config.text(NAME).map(|name| (NAME, vec![name.to_owned()]));
    let known = options().filter(|option| !config.is_unknown(option.attribute));
    let fields = known.filter_map(|option| Some((option.name, words(config.get(option.attribute))?)));
    let mut spec = Spec::of_resource(name.into_iter().chain(fields));
    if config.is_unknown(NAME) {
        // Any name that is valid.
        spec.set(NAME, ["machine".to_owned()]);
    }
    spec
}

fn plan_of(spec: &Spec, is_new: bool) -> Result<Plan, Report> {
    if is_new { Plan::from_spec(spec) } else { Plan::of_existing(spec) }
}

fn docker_host(plan: &Plan) -> String {
    store::url(&plan.dialled(), plan.host.port)
}

/// `DOCKER_HOST`, if the name and the options are known.
fn known_docker_host(config: &Object) -> Option<String> {
    let plan = || plan_of(&known_spec(config), true).ok();
    if is_plan_unknown(config) { None } else { plan().map(|plan| docker_host(&plan)) }
}

/// The planned state of an update of which a part is known only later: what cannot be affected stays.
fn later(proposed: Object, prior: &Object) -> Object {
    let ca = proposed.differs(prior, CA);
    let client = ca || [KEY, VALID_FOR].iter().any(|name| proposed.differs(prior, name));
    Fresh { ca, host: true, client }.unknown(proposed).with_unknown([DOCKER_HOST])
}

impl Asked {
    fn read(config: &Object, is_new: bool, now: OffsetDateTime) -> Result<Self> {
        let plan = plan_of(&known_spec(config), is_new)?;
        identity::check_early_renewal(config).map_err(Report::from)?;
        let ca = identity::given_ca(config, now)?;
        let seed = Seed::of(config)?;
        Ok(Self { plan, ca, seed })
    }

    /// Makes the identity of a new machine.
    fn issue(&self, now: OffsetDateTime) -> Result<Keys> {
        let identity = match &self.ca {
            Some(ca) => pki::issue_identity(&self.plan, ca.clone(), now)?,
            None => pki::issue_own_identity(&self.plan, now)?,
        };
        Ok(Keys::of(identity))
    }

    /// Checks the size of a new machine's user-data before anything is created: that of other keys has nearly the same size.
    fn try_size(&self, now: OffsetDateTime) -> Result<()> {
        // It takes seconds to make RSA keys. Their size is checked when they are made.
        if self.seed.cloud.is_none() || self.plan.key.is_rsa() {
            return Ok(());
        }
        let keys = self.issue(now)?;
        self.seed.texts(&self.plan, &keys.for_host()).map(|_| ())
    }

    /// The attribute because of which the machine's own CA cannot sign what is asked for: it may sign no boot issuer.
    fn needs_another_ca(
        &self,
        prior: &Object,
        proposed: &Object,
        now: OffsetDateTime,
    ) -> Option<&'static str> {
        if self.ca.is_some() || !matches!(prior.get(CA), Value::Null) {
            return None;
        }
        let authority = Certificate::from_pem(prior.text(CA_PEM)?).ok()?;
        let error = pki::check_may_sign(&self.plan, &authority, now).err()?;
        let is_ca = Diagnostic::of(&error).is_some_and(|problem| problem.code == Code::CaPathLength);
        let changed = ["boot_issuer", "addresses"].into_iter().find(|name| proposed.differs(prior, name));
        changed.filter(|_| is_ca)
    }

    /// The keys and certificates after an update. The machine keeps what is not to be made.
    fn renewed(&self, prior: &Object, fresh: &Fresh, now: OffsetDateTime) -> Result<Keys> {
        let before = Keys::read(prior)?;
        if !fresh.host && !fresh.client {
            return Ok(before);
        }
        let authority = match &self.ca {
            Some(ca) => ca.clone(),
            // The machine had a CA that was given, and gets one of its own.
            None if fresh.ca => pki::issue_own_authority(&self.plan, now)?,
            None => identity::signer(prior, now)?,
        };
        if !fresh.client {
            let host = pki::issue_host(&self.plan, &authority, now)?;
            return Ok(Keys { host, ..before });
        }
        let made = Keys::of(pki::issue_identity(&self.plan, authority, now)?);
        Ok(if fresh.host { made } else { Keys { host: before.host, ..made } })
    }

    /// The state of the machine: the configuration with all facts.
    fn state(&self, mut state: Object, keys: &Keys) -> Result<Object> {
        state.set(DOCKER_HOST, docker_host(&self.plan));
        self.seed.texts(&self.plan, &keys.for_host())?.set(&mut state);
        state.set(CA_PEM, keys.authority.pem());
        let own = keys.authority_key.as_ref().filter(|_| self.ca.is_none());
        state.set(CA_KEY_PEM, own.map(Secret::expose));
        identity::set_pair(&mut state, HOST[0], HOST[1], &keys.host);
        identity::set_pair(&mut state, CLIENT[0], CLIENT[1], &keys.client);
        for (name, certificate) in
            FINGERPRINTS.into_iter().zip([&keys.authority, &keys.host.certificate, &keys.client.certificate])
        {
            state.set(name, certificate.fingerprint());
        }
        state.set(EXPIRES, identity::time(keys.first_to_expire().validity().not_after)?);
        Ok(state)
    }
}

impl Keys {
    fn of(identity: Identity) -> Self {
        let Identity { authority, host, client } = identity;
        Self { authority: authority.certificate, authority_key: Some(authority.key), host, client }
    }

    fn read(state: &Object) -> Result<Self> {
        let authority = Certificate::from_pem(state.text(CA_PEM).unwrap_or_default())?;
        let authority_key = state.text(CA_KEY_PEM).map(|key| Secret::new(key.to_owned()));
        Ok(Self {
            authority,
            authority_key,
            host: identity::pair(state, HOST[0], HOST[1])?,
            client: identity::pair(state, CLIENT[0], CLIENT[1])?,
        })
    }

    fn for_host(&self) -> HostIdentity {
        HostIdentity::new(self.authority.clone(), self.host.clone())
    }

    fn first_to_expire(&self) -> &Certificate {
        let [host, client] = [&self.host, &self.client].map(|pair| &pair.certificate);
        if host.validity().not_after <= client.validity().not_after { host } else { client }
    }
}

/// The parts of an identity that a change makes anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Fresh {
    ca: bool,
    host: bool,
    client: bool,
}

impl Fresh {
    fn of_change(asked: &Asked, prior: &Object, proposed: &Object, now: OffsetDateTime) -> Result<Self> {
        let is_of_ca = match &asked.ca {
            Some(ca) => prior.text(CA_PEM) == Some(ca.certificate.pem().as_str()),
            None => matches!(prior.get(CA), Value::Null),
        };
        if !is_of_ca {
            return Ok(Self { ca: true, host: true, client: true });
        }
        let before = plan_of(&known_spec(prior), false)?;
        let all = identity::is_due(proposed, prior, now);
        let certificates = Certificates::of_change(&before, &asked.plan);
        Ok(Self {
            ca: false,
            host: all || matches!(certificates, Certificates::OfHost | Certificates::All),
            client: all || matches!(certificates, Certificates::OfClient | Certificates::All),
        })
    }

    /// The part of this for which `planned` leaves room.
    fn within(self, planned: &Object) -> Self {
        Self {
            ca: self.ca && planned.is_unknown(CA_PEM),
            host: self.host && planned.is_unknown(HOST[0]),
            client: self.client && planned.is_unknown(CLIENT[0]),
        }
    }

    /// The planned state, with what changes known only later.
    fn unknown(self, proposed: Object) -> Object {
        let mut names = vec![EXPIRES];
        names.extend(user_data::OUTPUTS);
        if self.ca {
            names.extend([CA_PEM, CA_KEY_PEM, FINGERPRINTS[0]]);
        }
        if self.host {
            names.extend(OF_HOST);
        }
        if self.client {
            names.extend(OF_CLIENT);
        }
        proposed.with_unknown(names)
    }
}

/// The state of a machine in a store, whose options `state` has.
pub fn state_of_stored(state: Object, plan: Plan, keys: &Keys) -> Result<Object> {
    let seed = Seed::of(&state)?;
    Asked { plan, ca: None, seed }.state(state, keys)
}
