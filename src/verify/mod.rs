//! Takes a seed back apart, whatever it is wrapped in and whoever made it, and judges what would become of it on a host.
//! Pure: bytes and the time in, findings out. Nothing is fetched, nothing is run.

mod archive;
mod cloud_config;
mod component;
mod daemon;
mod document;
mod finding;
mod identity;
mod ignition;
mod json;
mod keys;
mod landing;
mod merge;
mod mime;
mod nocloud;
mod open;
mod packing;
mod script;
mod seed;
mod setup;
mod sizes;
mod sources;
mod summary;
mod terraform;
mod unit;
mod yaml11;

use time::OffsetDateTime;

pub use finding::{Problem, Severity};
pub use packing::Bytes;
pub use sources::MAX_BYTES;
pub use summary::{Certified, Summary};

use crate::plan::Cloud;
use finding::Problems;
use landing::Landing;
use packing::Budget;
use seed::{Kind, Part, Seed};

/// What is to be looked at.
pub enum Input {
    /// A file's name and bytes; of a file that is larger than [`MAX_BYTES`], only one byte more than that.
    File(String, Bytes),
    /// A folder's name, and its files by their own names.
    Folder(String, Vec<(String, Bytes)>),
}

/// What there is, and what is wrong with it.
pub struct Verdict {
    /// For each host that is in it.
    pub seeds: Vec<Summary>,
    /// Errors first.
    pub problems: Vec<Problem>,
}

/// Judges. `cloud` is where it is to go, if that is known.
pub fn verify(input: Input, cloud: Option<&'static Cloud>, now: OffsetDateTime) -> Verdict {
    let mut problems = Problems::default();
    let budget = Budget::new();
    let found = sources::seeds(input, &budget, &mut problems);
    let seeds = found.into_iter().map(|found| judge(found, cloud, now, &budget, &mut problems)).collect();
    Verdict { seeds, problems: problems.into_sorted() }
}

fn judge(
    (seed, mut landing): (Seed, Landing),
    cloud: Option<&'static Cloud>,
    now: OffsetDateTime,
    budget: &Budget,
    problems: &mut Problems,
) -> Summary {
    for part in &seed.parts {
        read(part, budget, &mut landing, problems);
    }
    merge::judge(&seed.parts, problems);
    let ours = seed.parts.iter().any(|part| {
        matches!(part.kind, Kind::CloudConfig | Kind::Script)
            && script::is_ours(&String::from_utf8_lossy(&part.bytes))
    });
    setup::check_sums(&landing, problems);
    let setup = setup::place(&mut landing, ours, &seed.place, problems);
    let daemon = daemon::judge(&landing, problems);
    let identity = identity::judge(&seed.parts, &landing, &daemon, now, budget, problems);
    let keys = keys::judge(&seed.parts, &landing, &identity.owners, now, budget, problems);
    if let (Some(sent), Some(cloud)) = (seed.sent, cloud) {
        sizes::judge(sent, cloud, &seed.place, problems);
    }
    summary::Summary::new(&seed, &landing, setup, &daemon, identity, keys, now)
}

/// What a part puts on the host.
fn read(part: &Part, budget: &Budget, landing: &mut Landing, problems: &mut Problems) {
    let text = String::from_utf8_lossy(&part.bytes);
    match part.kind {
        Kind::CloudConfig => cloud_config::read(&text, &part.place, budget, landing, problems),
        Kind::Script | Kind::Boothook => script::read(&text, &part.place, budget, landing, problems),
        Kind::Ignition => ignition::read(&part.bytes, &part.place, budget, landing, problems),
        Kind::Include => {
            let urls = text
                .lines()
                .map(|line| line.trim_start_matches("#include-once").trim_start_matches("#include").trim());
            landing.unseen.extend(
                urls.filter(|url| url.contains("://")).map(|url| format!("what the host fetches from {url}")),
            );
        }
        Kind::Jinja | Kind::PartHandler | Kind::JsonPatch => {
            landing.unseen.push(format!("the {}, which the host works on", part.kind.name()));
        }
        Kind::Archive | Kind::Beside => {}
    }
}
