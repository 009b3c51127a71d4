//! Takes a seed back apart, whatever it is wrapped in and whoever made it, and judges what would become of it on a host.
//! Pure: bytes and the time in, findings out. Nothing is fetched, nothing is run.

mod command_line;
mod daemon;
mod identity;
mod keys;
mod merge;
mod search;
mod setup;
mod sizes;
mod summary;
mod unit;

use time::OffsetDateTime;

pub use crate::userdata::budget::MAX_BYTES;
pub use crate::userdata::encoding::Bytes;
pub use crate::userdata::problems::{Problem, Severity};
pub use crate::userdata::sources::Input;
pub use summary::{Certified, Summary};

use crate::plan::Cloud;
use crate::report::Complaint;
use crate::userdata::budget::Budget;
use crate::userdata::content_type::Kind;
use crate::userdata::host_state::HostState;
use crate::userdata::problems::{Place, Problems};
use crate::userdata::seed::{Part, Seed};
use crate::userdata::{cloud_config, ignition, script, sources};

/// What there is, and what is wrong with it.
pub struct Verdict {
    /// For each host that is in it.
    pub seeds: Vec<Summary>,
    /// Errors first.
    pub problems: Vec<Problem>,
}

/// Judges. `cloud` is where it is to go, if that is known.
pub fn verify(input: Input, cloud: Option<&'static Cloud>, now: OffsetDateTime) -> Verdict {
    judge_all(input, cloud, now, true, &Budget::default())
}

/// What would keep a host from coming up as it should. Whose keys are in it is not looked at.
pub fn faults(input: Input, now: OffsetDateTime) -> Vec<Problem> {
    let problems = judge_all(input, None, now, false, &Budget::default()).problems;
    problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect()
}

fn judge_all(
    input: Input,
    cloud: Option<&'static Cloud>,
    now: OffsetDateTime,
    keys: bool,
    budget: &Budget,
) -> Verdict {
    let mut problems = Problems::default();
    let place = Place::file(input.name());
    let found = sources::seeds(input, budget, &mut problems);
    let seeds =
        found.into_iter().map(|found| judge(found, cloud, now, keys, budget, &mut problems)).collect();
    if budget.is_exhausted() {
        let complaint = Complaint::new(
            "is too large to be looked through: there may be keys and mistakes in what was not looked at",
        );
        problems.error(&place, complaint.hint("verify its parts one by one"));
    } else if budget.left_something_unseen() {
        let complaint = Complaint::new(
            "has something compressed in it that is too large to be looked into, too deep, or of a kind that is not: a key may be in there",
        );
        problems.warning(&place, complaint.hint("take it out, or unpack it and verify what is in it"));
    }
    Verdict { seeds, problems: problems.into_sorted() }
}

fn judge(
    (seed, mut host): (Seed, HostState),
    cloud: Option<&'static Cloud>,
    now: OffsetDateTime,
    keys: bool,
    budget: &Budget,
    problems: &mut Problems,
) -> Summary {
    for part in seed.parts.iter().filter(|part| budget.take(2 * part.bytes.len())) {
        read(part, budget, &mut host, problems);
    }
    merge::judge(&seed.parts, budget, problems);
    let ours = seed.parts.iter().any(|part| {
        matches!(part.kind, Kind::CloudConfig | Kind::Script)
            && script::is_ours(&String::from_utf8_lossy(&part.bytes))
    });
    setup::check_sums(&host, budget, problems);
    let setup = setup::place(&mut host, ours, &seed.place, budget, problems);
    let daemon = daemon::judge(&host, budget, problems);
    let found = search::everything(&seed.parts, &host, budget);
    let identity = identity::judge(&found, &host, &daemon, now, problems);
    let keys = match keys {
        true => {
            keys::check_number(&found, &seed.place, problems);
            keys::judge(&seed.parts, &host, found, &identity.owners, now, budget, problems)
        }
        false => Vec::new(),
    };
    if let (Some(sent), Some(cloud)) = (seed.sent, cloud) {
        sizes::judge(sent, cloud, &seed.place, problems);
    }
    summary::Summary::new(&seed, &host, setup, &daemon, identity, keys, now)
}

/// What a part puts on the host.
fn read(part: &Part, budget: &Budget, host: &mut HostState, problems: &mut Problems) {
    let text = String::from_utf8_lossy(&part.bytes);
    match part.kind {
        Kind::CloudConfig => cloud_config::read(&text, &part.place, budget, host, problems),
        Kind::Script | Kind::Boothook => script::read(&text, &part.place, budget, host, problems),
        Kind::Ignition => ignition::read(&part.bytes, &part.place, budget, host, problems),
        Kind::Include => {
            let urls = text
                .lines()
                .map(|line| line.trim_start_matches("#include-once").trim_start_matches("#include").trim());
            host.unchecked.extend(
                urls.filter(|url| url.contains("://")).map(|url| format!("what the host fetches from {url}")),
            );
        }
        Kind::Jinja | Kind::PartHandler | Kind::JsonPatch => {
            host.unchecked.push(format!("the {}, which the host works on", part.kind.name()));
        }
        Kind::Archive | Kind::Beside => {}
    }
}

#[cfg(test)]
mod growth;
#[cfg(test)]
pub use tests::{WORDS, check, seeds};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Path, PathBuf};
    use zeroize::Zeroizing;

    /// Judges bytes as all who call this do; that it comes back at all is what is asked here.
    pub(super) fn judged(bytes: &[u8]) -> (Verdict, Budget) {
        let budget = Budget::default();
        let input = Input::File("input".into(), Zeroizing::new(bytes.to_vec()));
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
        let verdict = judge_all(input, Cloud::named("aws"), now, true, &budget);
        (verdict, budget)
    }

    /// What holds for every verdict.
    pub fn check(bytes: &[u8]) {
        let (verdict, budget) = judged(bytes);
        // Work is in proportion to the input and to what is compressed in it. For the places of nodes in YAML there is a fixed
        // number of units.
        let work = budget.spent() - budget.spent_reading_again();
        let most = 600 * (bytes.len() as u64 + 4096) + 60 * budget.inflated();
        assert!(work <= most, "{work} units, {most} at most");
        let severities: Vec<_> = verdict.problems.iter().map(|p| p.severity == Severity::Warning).collect();
        assert!(severities.is_sorted(), "errors come first");
        let mut seen = std::collections::HashSet::new();
        for problem in &verdict.problems {
            assert!(seen.insert(problem), "told twice: {}", problem.text);
            assert!(problem.place.name().starts_with("input"), "{}", problem.place.name());
            assert!(!problem.text.is_empty() && !problem.text.ends_with('.'), "{:?}", problem.text);
            assert!(problem.place.position.is_none_or(|p| p.line >= 1 && p.column >= 1));
        }
        // What nothing is said of is something that a host boots from.
        assert!(!verdict.seeds.is_empty() || !verdict.problems.is_empty());
    }

    /// Real seeds of every form.
    pub fn seeds() -> Vec<Vec<u8>> {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
        let mut found: Vec<PathBuf> = std::fs::read_dir(golden)
            .unwrap()
            .flat_map(|case| std::fs::read_dir(case.unwrap().path()).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file() && !path.ends_with("command") && !path.ends_with("modes"))
            .collect();
        found.sort();
        let seeds: Vec<Vec<u8>> = found.iter().map(|path| std::fs::read(path).unwrap()).collect();
        assert!(seeds.len() >= 20);
        seeds
    }

    /// Words that each reader hangs on.
    pub const WORDS: [&str; 40] = [
        "#cloud-config\n",
        "#!",
        "#include\n",
        "#cloud-config-archive\n",
        "write_files:\n",
        "- path: /a\n",
        "  content: ",
        "  encoding: gz+b64\n",
        "  permissions: ",
        "0644",
        "runcmd:\n",
        "- ",
        "MIME-Version: 1.0\n",
        "Content-Type: multipart/mixed; boundary=B\n\n",
        "--B\n",
        "--B--\n",
        "Content-Transfer-Encoding: base64\n",
        "{\"ignition\": {\"version\": \"3.4.0\"}",
        "\"storage\": {\"files\": [",
        "\"source\": \"data:;base64,",
        "\"mode\": 600",
        "]}",
        "user_data = <<-EOT\n",
        "EOT\n",
        "(sensitive value)",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\n",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
        "H4sIAAAAAAAC/",
        "unpack 'x' '/y' <<'END'\n",
        "END\n",
        "payloads='",
        "'\n",
        "/usr/local/lib/hostseed/setup",
        "[Service]\nExecStart=dockerd -H tcp://0.0.0.0:2375 \\\n",
        "schemaVersion: 1.0\nphases:\n",
        "&a [*a]",
        "\u{feff}",
        "\\n",
    ];

    #[test]
    fn every_golden_seed_is_taken_apart() {
        for seed in seeds() {
            check(&seed);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            check(&bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,300}") {
            check(text.as_bytes());
        }

        #[test]
        fn no_words_make_it_panic(words in proptest::collection::vec(0..WORDS.len(), 0..24)) {
            let text: String = words.into_iter().map(|n| WORDS[n]).collect();
            check(text.as_bytes());
        }

        #[test]
        fn no_disk_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 600..2000), iso in any::<bool>()) {
            let mut image = vec![0; 40_000];
            image[..bytes.len()].copy_from_slice(&bytes);
            image[510..512].copy_from_slice(&[0x55, 0xaa]);
            if iso {
                image[32_768..32_774].copy_from_slice(b"\x01CD001");
            }
            check(&image);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn no_change_of_a_real_seed_makes_it_panic(
            which in 0..1000usize,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..40usize), 1..6),
            cut in any::<prop::sample::Index>(),
            is_cut in any::<bool>(),
        ) {
            let seeds = seeds();
            let mut seed = seeds[which % seeds.len()].clone();
            for (at, byte, removed) in changes {
                let at = at.index(seed.len());
                let end = (at + removed).min(seed.len());
                seed.splice(at..end, [byte]);
            }
            if is_cut {
                seed.truncate(cut.index(seed.len() + 1));
            }
            check(&seed);
        }
    }
}
