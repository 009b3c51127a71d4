//! `create`: a machine from what was asked for.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::inspect::{CertificateView, HostCertificateView};
use super::note_install_url;
use crate::pki::{self, Identity, Pair};
use crate::place::{self, Place};
use crate::plan::{AuthoritySource, Cloud, HostRole, Plan};
use crate::render;
use crate::spec::Spec;
use crate::store::{Creation, SHARED, Store};
use crate::ui::Ui;

/// Makes a machine and tells what to do next.
///
/// With a cloud, fails before anything is written where the user-data does not fit it.
pub fn create(
    store: &Store,
    ui: Ui,
    now: OffsetDateTime,
    spec: Spec,
    cloud: Option<&'static Cloud>,
    json: bool,
) -> Result<()> {
    let plan = plan(&spec)?;
    let (identity, place) = make(store, &plan, now, |identity| {
        cloud.map(|cloud| place::require(cloud, &spec, &plan, identity, now)).transpose()
    })?;
    let view = View { place: place.as_ref().map(PlaceView::new), ..View::new(store, &plan, &identity, now)? };
    if identity.host.certificate.validity().not_after == identity.authority.certificate.validity().not_after {
        ui.note(format_args!(
            "the certificates end with their authority, on {}",
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
    let steps = place::steps(store, &plan, place.as_ref(), ui.columns());
    ui.steps(format_args!("machine `{}` is in {}", plan.name, view.path), &steps);
    if json { ui.json(&view) } else { Ok(()) }
}

/// What is true of a spec, wherever the next command is run.
pub(super) fn plan(spec: &Spec) -> Result<Plan> {
    absolute(Plan::from_spec(spec)?)
}

/// A plan that means the same wherever the next command is run.
pub(super) fn absolute(mut plan: Plan) -> Result<Plan> {
    if let AuthoritySource::Dir(dir) = &mut plan.ca {
        *dir = std::path::absolute(&dir)?;
    }
    Ok(plan)
}

/// Makes a machine, if `check` has nothing against its identity; with what `check` found. Fails without a trace, also where
/// there is one of that name.
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
            // It is there now, and signs in the next turn.
            Creation::SharedCaAppeared => {}
        }
    }
}

fn issue_authority(plan: &Plan, now: OffsetDateTime) -> Result<Pair> {
    match plan.ca {
        AuthoritySource::Own => {
            pki::issue_authority(plan.name.as_str(), plan.key, plan.boot_issuer.is_some(), now)
        }
        // A later machine of a shared authority may have a boot issuer.
        AuthoritySource::Shared | AuthoritySource::Dir(_) => {
            pki::issue_authority(SHARED, plan.key, true, now)
        }
    }
}

/// Which names the server's certificate lacks that it usually has, where an authority limits names.
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

/// What it means that the host issues its certificate itself, the bad part included.
fn about_boot_issuer(plan: &Plan, identity: &Identity) -> [String; 2] {
    let name = &plan.name;
    let until = identity.host.certificate.validity().not_after.date();
    let (found, otherwise) = match plan.addresses.is_empty() {
        true => ("the addresses", "with `--address` only there"),
        false => ("these addresses and those", "without `--boot-issuer` only at these"),
    };
    let (as_whom, what, others) = match plan.ca {
        AuthoritySource::Own => (format!("`{name}` to its"), "it", "other machines"),
        _ => ("any machine of its authority to their".into(), "one", "machines of other authorities"),
    };
    [
        format!(
            "the host issues its own certificate, for {found} that it finds, until {until}; then make the machine again"
        ),
        format!(
            "until then whoever reads the user-data can pose as {as_whom} clients, at any address ({otherwise}), but cannot command {what}, make clients, or touch {others}"
        ),
    ]
}

/// A new machine for programs.
#[derive(Serialize)]
struct View {
    name: String,
    path: String,
    user_data: String,
    docker_host: String,
    addresses: Vec<String>,
    /// What the certificate covers; with a boot issuer, whatever the host finds besides.
    sans: Vec<String>,
    certificates: Certificates,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    place: Option<PlaceView>,
}

/// How the user-data gets to its cloud.
#[derive(Serialize)]
struct PlaceView {
    cloud: &'static str,
    gzip: bool,
    base64: bool,
    /// What the cloud's limit counts of it.
    size: usize,
    limit: Option<usize>,
}

impl PlaceView {
    fn new(place: &Place) -> Self {
        let Place { cloud, way, size } = place;
        Self { cloud: cloud.name, gzip: way.gzip, base64: way.base64, size: *size, limit: cloud.limit() }
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
            place: None,
        })
    }
}
