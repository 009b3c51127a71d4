//! `create`: creates a machine.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::inspect::{CertificateView, HostCertificateView};
use super::note_install_url;
use crate::clouds::Cloud;
use crate::delivery::{self, Choice};
use crate::pki::{self, Identity, Pair};
use crate::plan::{AuthoritySource, HostRole, Plan};
use crate::render;
use crate::spec::Spec;
use crate::store::{Creation, SHARED, Store};
use crate::ui::Ui;

/// Creates a machine and prints the next steps.
///
/// With a cloud it writes nothing if the user-data exceeds the cloud's limit.
pub fn create(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    spec: Spec,
    cloud: Option<&'static Cloud>,
    json: bool,
) -> Result<()> {
    let plan = plan(&spec)?;
    let (identity, choice) = make(store, &plan, now, |identity| {
        cloud.map(|cloud| delivery::require(cloud, &spec, &plan, identity, now)).transpose()
    })?;
    let view =
        View { delivery: choice.as_ref().map(DeliveryView::new), ..View::new(store, &plan, &identity, now)? };
    if identity.host.certificate.validity().not_after == identity.authority.certificate.validity().not_after {
        ui.note(format_args!(
            "the certificates expire with their CA, on {}",
            view.certificates.client.not_after
        ));
    }
    if let Some(note) = about_names(&plan, &identity) {
        ui.note(note);
    }
    if plan.host_role() == HostRole::BootIssuer {
        for note in about_boot_issuer(&plan, &identity) {
            ui.note(note);
        }
    }
    note_install_url(ui, &spec, &plan.host.docker);
    for note in cloud.iter().flat_map(|cloud| cloud.notes) {
        ui.note(note);
    }
    let steps = delivery::steps(store, &plan, choice.as_ref(), ui.columns());
    ui.steps(format_args!("machine `{}` is in {}", plan.name, view.path), &steps);
    if json { ui.json(&view) } else { Ok(()) }
}

/// The plan of a spec, with absolute paths.
pub(super) fn plan(spec: &Spec) -> Result<Plan> {
    absolute(Plan::from_spec(spec)?)
}

/// Makes the paths of a plan absolute, so that it stays valid in other folders.
pub(super) fn absolute(mut plan: Plan) -> Result<Plan> {
    if let AuthoritySource::Dir(dir) = &mut plan.ca {
        *dir = std::path::absolute(&dir)?;
    }
    Ok(plan)
}

/// Creates a machine and returns what `check` returned. Writes nothing if `check` fails or the name exists.
pub(super) fn make<T>(
    store: &Store,
    plan: &Plan,
    now: OffsetDateTime,
    check: impl Fn(&Identity) -> Result<T>,
) -> Result<(Identity, T)> {
    store.refuse_taken(&plan.name, &plan.ca)?;
    store.check_authority(&plan.ca)?;
    loop {
        let authority = match store.authority(&plan.ca, now)? {
            Some(authority) => authority,
            None => issue_authority(plan, now)?,
        };
        let identity = pki::issue_identity(plan, authority, now)?;
        let found = check(&identity)?;
        let seed =
            [render::render_user_data(plan, &identity.for_host())?, render::render_machine_yaml(plan)?];
        match store.put_machine(plan, &identity, &seed)? {
            Creation::Created => return Ok((identity, found)),
            // Another command has just made the shared CA: it signs in the next round.
            Creation::SharedCaAppeared => {}
        }
    }
}

fn issue_authority(plan: &Plan, now: OffsetDateTime) -> Result<Pair> {
    match plan.ca {
        AuthoritySource::Own => pki::issue_own_authority(plan, now),
        // A later machine with the shared CA may have a boot issuer.
        AuthoritySource::Shared | AuthoritySource::Dir(_) => {
            pki::issue_authority(SHARED, plan.key, true, now)
        }
    }
}

/// A note about the usual names that the server's certificate lacks because of the CA's name constraints.
pub(super) fn about_names(plan: &Plan, identity: &Identity) -> Option<String> {
    if plan.host_role() == HostRole::BootIssuer {
        return None;
    }
    let covered = identity.host.certificate.sans();
    let lacking = plan.sans().into_iter().filter(|name| !covered.contains(name));
    let lacking: Vec<_> = lacking.map(|name| format!("`{name}`")).collect();
    (!lacking.is_empty()).then(|| {
        format!(
            "the server's certificate does not cover {}: the CA's name constraints do not allow that",
            lacking.join(", ")
        )
    })
}

/// Notes about a boot issuer: until when it works, and the risk.
fn about_boot_issuer(plan: &Plan, identity: &Identity) -> [String; 2] {
    let name = &plan.name;
    let until = identity.host.certificate.validity().not_after.date();
    let which =
        if plan.addresses.is_empty() { "all its addresses" } else { "these and all its other addresses" };
    let whom = match plan.ca {
        AuthoritySource::Own => format!("`{name}`"),
        _ => "any machine of this CA".into(),
    };
    [
        format!(
            "the host issues its own certificate for {which}, until {until}; before then, create the machine again"
        ),
        format!(
            "keep the user-data secret: anyone who has it can impersonate {whom} at any address until {until}; it gives no control over Docker"
        ),
    ]
}

/// A new machine in JSON.
#[derive(Serialize)]
struct View {
    name: String,
    path: String,
    user_data: String,
    docker_host: String,
    addresses: Vec<String>,
    /// The SANs of the server's certificate. A host with a boot issuer adds its own addresses.
    sans: Vec<String>,
    certificates: Certificates,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    delivery: Option<DeliveryView>,
}

/// How the user-data is delivered to the cloud.
#[derive(Serialize)]
struct DeliveryView {
    cloud: &'static str,
    gzip: bool,
    base64: bool,
    /// Bytes charged against the cloud's limit.
    size: usize,
    limit: Option<usize>,
}

impl DeliveryView {
    fn new(choice: &Choice) -> Self {
        let Choice { cloud, delivery, size } = choice;
        Self {
            cloud: cloud.name,
            gzip: delivery.gzip,
            base64: delivery.base64,
            size: *size,
            limit: cloud.limit(),
        }
    }
}

#[derive(Serialize)]
struct Certificates {
    authority: CertificateView,
    #[serde(flatten)]
    host: HostCertificateView,
    client: CertificateView,
}

impl View {
    fn new(store: &Store, plan: &Plan, identity: &Identity, now: OffsetDateTime) -> Result<Self> {
        let view = |pair: &Pair| CertificateView::of(&pair.certificate, now);
        Ok(Self {
            name: plan.name.to_string(),
            path: store.machine_path(&plan.name)?,
            user_data: store.machine_dir(&plan.name).join("user-data").display().to_string(),
            docker_host: store.connection(&plan.name)?.url,
            addresses: plan.addresses.iter().map(ToString::to_string).collect(),
            sans: match plan.host_role() {
                HostRole::Server => identity.host.certificate.sans(),
                HostRole::BootIssuer => plan.sans(),
            }
            .iter()
            .map(ToString::to_string)
            .collect(),
            certificates: Certificates {
                authority: view(&identity.authority)?,
                host: HostCertificateView::new(plan.host_role(), view(&identity.host)?),
                client: view(&identity.client)?,
            },
            delivery: None,
        })
    }
}
