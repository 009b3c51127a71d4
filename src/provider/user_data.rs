//! The user-data of a machine in its formats and encodings, and the limit of the cloud.

use anyhow::Result;

use super::identity::not_one_of;
use super::schema::{Attribute, Type};
use super::value::Object;
use crate::artifact::Artifact;
use crate::clouds::{Cloud, Delivery};
use crate::delivery::{self, SizeHints};
use crate::diag::Report;
use crate::pki::HostIdentity;
use crate::plan::Plan;
use crate::render::{Form, Format, Packing};
use crate::userdata::encoding::base64;

const CLOUD: &str = "cloud";
const FORMAT: &str = "format";

/// The names of [`inputs`].
pub const INPUTS: [&str; 2] = [CLOUD, FORMAT];

/// The user-data as text, in base64, and compressed in base64.
const TEXT: &str = "user_data";
const BASE64: &str = "user_data_base64";
const GZIP: &str = "user_data_gzip_base64";
/// The user-data in the encoding for the cloud.
const FOR_CLOUD: &str = "user_data_for_cloud";

/// The names of [`outputs`].
pub const OUTPUTS: [&str; 4] = [TEXT, BASE64, GZIP, FOR_CLOUD];

/// The formats that can be user-data on their own.
const FORMATS: [Format; 3] = [Format::CloudConfig, Format::Script, Format::Ignition];

/// The attributes that choose a format and a cloud.
pub fn inputs() -> Vec<Attribute> {
    let clouds: Vec<_> = Cloud::ALL.iter().map(|cloud| format!("`{}`", cloud.name)).collect();
    let formats = FORMATS.map(|format| format!("`{}`", format.name()));
    vec![
        Attribute::optional(
            CLOUD,
            Type::Text,
            format!(
                "Cloud for which `{FOR_CLOUD}` is made. User-data above its limit is an error. One of {}.",
                clouds.join(", ")
            ),
        ),
        Attribute::optional(
            FORMAT,
            Type::Text,
            format!("Format of the user-data: {} [default: `cloud-config`].", formats.join(", ")),
        ),
    ]
}

/// The attributes with the user-data, which contains the private key of the host.
pub fn outputs() -> Vec<Attribute> {
    [
        (TEXT, "User-data as text."),
        (BASE64, "User-data in base64."),
        (GZIP, "User-data compressed with gzip, in base64. Null for Ignition, which does not support it."),
        (
            FOR_CLOUD,
            "User-data in the simplest encoding in which `cloud` accepts it: text, base64, or compressed in base64. Null without `cloud`.",
        ),
    ]
    .map(|(name, description)| Attribute::computed(name, description).sensitive())
    .into()
}

/// A format, and the cloud whose limit it must keep.
pub struct Seed {
    pub cloud: Option<&'static Cloud>,
    format: Format,
}

/// The user-data in each encoding.
pub struct Texts {
    text: String,
    base64: String,
    gzip: Option<String>,
    for_cloud: Option<String>,
}

impl Seed {
    /// Reads the attributes. What is not known yet counts as not given.
    ///
    /// # Errors
    /// Fails if there is no such cloud or format.
    pub fn of(config: &Object) -> Result<Self, Report> {
        let mut problems = Vec::new();
        let cloud = config.text(CLOUD).and_then(|name| {
            let cloud = Cloud::named(name);
            if cloud.is_none() {
                problems.push(not_one_of(CLOUD, &Cloud::ALL.map(|cloud| cloud.name), name));
            }
            cloud
        });
        let format = config.text(FORMAT).and_then(|name| {
            let format = FORMATS.into_iter().find(|format| format.name() == name);
            if format.is_none() {
                problems.push(not_one_of(FORMAT, &FORMATS.map(Format::name), name));
            }
            format
        });
        Report::check(problems)?;
        Ok(Self { cloud, format: format.unwrap_or(Format::CloudConfig) })
    }

    /// Renders the user-data in each encoding.
    ///
    /// # Errors
    /// Fails if it exceeds the limit of the cloud in each encoding that the cloud accepts.
    pub fn texts(&self, plan: &Plan, host: &HostIdentity) -> Result<Texts> {
        let form = match self.format {
            Format::Script => Form::Script,
            Format::Ignition => Form::Ignition(Vec::new()),
            _ => Form::CloudConfig,
        };
        let plain = delivery::rendered(plan, host, &form, false)?;
        let packed = match self.format {
            Format::Ignition => None,
            _ => Some(delivery::rendered(plan, host, &form, true)?),
        };
        let text = String::from_utf8(plain.bytes.to_vec())?;
        let gzip = packed.as_ref().map(|seed| base64(&seed.bytes));
        let base64 = base64(&plain.bytes);
        let for_cloud = match self.cloud {
            None => None,
            Some(cloud) => {
                let delivery = self.delivery(cloud, (plan, host), &form, (&plain, packed.as_ref()))?;
                match (delivery.gzip, delivery.base64) {
                    (true, _) => gzip.clone(),
                    (false, true) => Some(base64.clone()),
                    (false, false) => Some(text.clone()),
                }
            }
        };
        Ok(Texts { text, base64, gzip, for_cloud })
    }

    /// The simplest delivery in which the user-data, plain or compressed, fits a cloud.
    ///
    /// # Errors
    /// Fails if it fits in none.
    fn delivery(
        &self,
        cloud: &'static Cloud,
        machine: (&Plan, &HostIdentity),
        form: &Form,
        (plain, packed): (&Artifact, Option<&Artifact>),
    ) -> Result<&'static Delivery> {
        let hints = SizeHints {
            gzip: None,
            small_key: "`key = \"p256\"`".into(),
            address: None,
            image: "`docker = \"none\"`".into(),
        };
        let simplest = (delivery::delivery(cloud, self.format, Packing::default())?, plain);
        let fits = |(delivery, seed): (&Delivery, &Artifact)| cloud.fits(seed.bytes.len(), delivery.base64);
        let (delivery, seed) = match packed.and_then(|seed| Some((cloud.delivery(true)?, seed))) {
            Some(smallest) if !fits(simplest) => smallest,
            _ => simplest,
        };
        delivery::check(seed, cloud, delivery, machine, form, delivery.base64, &hints)?;
        Ok(delivery)
    }
}

impl Texts {
    pub fn set(self, state: &mut Object) {
        state.set(TEXT, self.text);
        state.set(BASE64, self.base64);
        state.set(GZIP, self.gzip);
        state.set(FOR_CLOUD, self.for_cloud);
    }
}
