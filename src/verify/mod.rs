//! Checks a seed from any source, in any format and encoding, and reports what would go wrong on a host. Pure: the input is bytes
//! and the time, the output is problems. Nothing is fetched and nothing is run.

mod checksums;
mod command_line;
mod daemon;
mod empty_script;
mod identity;
mod jinja_template;
mod keys;
mod line_ends;
mod merge;
mod own_seed;
mod repository;
mod script_names;
mod search;
mod sizes;
mod summary;
mod unit;

use time::OffsetDateTime;

pub use crate::userdata::budget::MAX_BYTES;
pub use crate::userdata::encoding::{Bytes, Shared};
pub use crate::userdata::sources::Input;
pub use summary::{Certified, Summary};

use crate::clouds::Cloud;
use crate::diag::{Code, Diagnostic, Place, Position, Severity};
use crate::userdata::budget::Budget;
use crate::userdata::content_type::Kind;
use crate::userdata::host_state::HostState;
use crate::userdata::problems::{Problems, cut, head};
use crate::userdata::seed::{Part, Seed};
use crate::userdata::{cloud_config, ignition, include, script, sources};

/// The content of an input and its problems.
pub struct Verdict {
    /// One summary for each host in the input.
    pub seeds: Vec<Summary>,
    /// All problems, errors first.
    pub problems: Vec<Diagnostic>,
    /// All cloud-configs, decoded, for other programs that check them.
    pub cloud_configs: Vec<(Place, Shared)>,
}

/// The conditions of a check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope {
    /// The target cloud, if it is known.
    pub cloud: Option<&'static Cloud>,
    /// True if options of dockerd that hostseed does not know are warnings.
    pub allow_unknown_engine_opts: bool,
}

/// Checks an input.
pub fn verify(input: Input, scope: Scope, now: OffsetDateTime) -> Verdict {
    judge_all(input, scope, now, true, &Budget::default())
}

/// Returns the errors that would prevent a host from starting correctly, and the warning that apt may refuse Docker's repository.
/// Does not check which private keys the input contains.
pub fn faults(input: Input, now: OffsetDateTime) -> Vec<Diagnostic> {
    let problems = judge_all(input, Scope::default(), now, false, &Budget::default()).problems;
    let counts =
        |problem: &Diagnostic| problem.severity == Severity::Error || problem.code == Code::RepositoryTwice;
    problems.into_iter().filter(counts).collect()
}

fn judge_all(input: Input, scope: Scope, now: OffsetDateTime, keys: bool, budget: &Budget) -> Verdict {
    let mut problems = Problems::default();
    let place = Place::file(input.name());
    let found = sources::seeds(input, budget, &mut problems);
    let mut cloud_configs = Vec::new();
    let mut seeds = Vec::new();
    for (mut seed, host) in found {
        seeds.push(judge((&seed, host), scope, now, keys, budget, &mut problems));
        let own = seed.parts.drain(..).filter(|part| part.kind == Kind::CloudConfig);
        cloud_configs.extend(own.map(|part| (part.place, part.bytes)));
    }
    if budget.is_exhausted() {
        let problem = Diagnostic::error(
            Code::VerifyLimit,
            "is too large to check completely: the rest may contain private keys and errors",
        );
        problems.add(&place, problem.hint("verify its parts one by one"));
    } else if budget.left_something_unseen() {
        let problem = Diagnostic::warning(
            Code::NotChecked,
            "contains compressed data that was not checked for private keys: it is too large, nested too deeply, or in an unsupported format",
        );
        problems.add(&place, problem.hint("remove it, or decompress it and verify the result"));
    }
    Verdict { seeds, problems: problems.into_sorted(), cloud_configs }
}

fn judge(
    (seed, mut host): (&Seed, HostState),
    scope: Scope,
    now: OffsetDateTime,
    keys: bool,
    budget: &Budget,
    problems: &mut Problems,
) -> Summary {
    for part in seed.parts.iter().filter(|part| budget.take(2 * part.bytes.len())) {
        read(part, budget, &mut host, problems);
    }
    merge::judge(&seed.parts, budget, problems);
    script_names::check(&seed.parts, problems);
    checksums::check(&mut host, budget, problems);
    let setup = own_seed::check(&mut host, &seed.place, budget, problems);
    repository::check(&seed.parts, setup.as_ref(), budget, problems);
    let daemon = daemon::judge(&host, scope.allow_unknown_engine_opts, budget, problems);
    let found = search::everything(&seed.parts, &host, budget);
    let identity = identity::judge(&found, &host, &daemon, now, problems);
    let keys = match keys {
        true => {
            keys::check_number(&found, &seed.place, problems);
            keys::judge(&seed.parts, &host, found, &identity.owners, now, budget, problems)
        }
        false => Vec::new(),
    };
    if let (Some(sent), Some(cloud)) = (seed.sent, scope.cloud) {
        sizes::judge(sent, cloud, &seed.place, problems);
    }
    summary::Summary::new(seed, &host, setup, &daemon, identity, keys, now)
}

/// Maximum number of URLs of an include. Real ones have a few.
const MAX_URLS: usize = 100_000;

/// Reads a part and adds its files and commands to `host`.
fn read(part: &Part, budget: &Budget, host: &mut HostState, problems: &mut Problems) {
    let text = String::from_utf8_lossy(&part.bytes);
    line_ends::check(part, &text, problems);
    empty_script::check(part, &text, problems);
    jinja_template::check(part, &text, budget, problems);
    match part.kind {
        Kind::CloudConfig => cloud_config::read(&text, &part.place, budget, host, problems),
        Kind::Script | Kind::Boothook => script::read(&text, &part.place, budget, host, problems),
        Kind::Ignition => ignition::read(&part.bytes, &part.place, budget, host, problems),
        Kind::Include => {
            for (n, (line, url)) in include::urls(&text).enumerate() {
                if n == MAX_URLS {
                    budget.exhaust();
                    break;
                }
                if include::is_impossible(url) {
                    let text = format!(
                        "`{}` is no URL that cloud-init can fetch, so it applies nothing of the whole user-data",
                        head(url)
                    );
                    let problem = Diagnostic::error(Code::ContentType, text);
                    let hint = "write one URL with `https://` a line, or put `#` before the line";
                    problems.add(&part.place.at(Some(Position { line, column: 1 })), problem.hint(hint));
                } else if url.contains("://") {
                    host.leave_unchecked(|| format!("the content of {}, which the host downloads", cut(url)));
                }
            }
        }
        Kind::Jinja | Kind::PartHandler | Kind::JsonPatch => {
            let name = part.kind.name();
            host.leave_unchecked(|| format!("the {name}, which cloud-init processes on the host"));
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
    use crate::secret::Secret;
    use crate::snapshot;
    use crate::userdata::open::has_beginning;
    use crate::userdata::paths;
    use proptest::prelude::*;
    use std::path::{Path, PathBuf};

    /// Checks bytes as a file, for a cloud with a limit.
    pub(super) fn judged(bytes: &[u8]) -> (Verdict, Budget) {
        let budget = Budget::default();
        let input = Input::File("input".into(), Secret::new(bytes.to_vec()));
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
        let scope = Scope { cloud: Cloud::named("aws"), ..Scope::default() };
        let verdict = judge_all(input, scope, now, true, &budget);
        (verdict, budget)
    }

    /// Asserts the properties of every verdict.
    pub fn check(bytes: &[u8]) {
        let (verdict, budget) = judged(bytes);
        // The work is proportional to the size of the input and of the decompressed content.
        let work = budget.spent();
        let most = 600 * (bytes.len() as u64 + 4096) + 60 * budget.inflated();
        assert!(work <= most, "{work} units, {most} at most");
        let severities: Vec<_> = verdict.problems.iter().map(|p| p.severity == Severity::Warning).collect();
        assert!(severities.is_sorted(), "errors come first");
        let mut seen = std::collections::HashSet::new();
        for problem in &verdict.problems {
            assert!(seen.insert(problem), "reported twice: {}", problem.message);
            assert!(problem.place.name().starts_with("input"), "{}", problem.place.name());
            assert!(!problem.message.is_empty() && !problem.message.ends_with('.'), "{:?}", problem.message);
            assert!(problem.place.position.is_none_or(|p| p.line >= 1 && p.column >= 1));
        }
        // If there is no problem, the input is a seed that a host can boot from.
        assert!(!verdict.seeds.is_empty() || !verdict.problems.is_empty());
    }

    /// Real seeds in every format.
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

    /// Texts that are significant to the readers.
    pub const WORDS: [&str; 41] = [
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
        "# hostseed-manifest: {\"files\":[],\"version\":1}\n",
    ];

    /// Checks a file that hostseed rendered, at a time when the certificates of `tests/identities` are valid.
    fn judged_in_time(bytes: &[u8]) -> Verdict {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(21_000);
        verify(Input::File("input".into(), Secret::new(bytes.to_vec())), Scope::default(), now)
    }

    fn has_errors(verdict: &Verdict) -> bool {
        verdict.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The golden files that a VM boots from or that prepare an image. Each one is a single file in the folder of its case, which
    /// also has the file `modes`.
    fn rendered() -> Vec<PathBuf> {
        const NAMES: [&str; 5] = ["user-data", "user-data.sh", "config.ign", "bake.sh", "component.yaml"];
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
        let cases = std::fs::read_dir(golden).unwrap().map(|case| case.unwrap().path());
        let files = cases.flat_map(|case| NAMES.map(|name| case.join(name)));
        let files: Vec<PathBuf> = files.filter(|path| path.exists()).collect();
        assert!(files.len() >= 25, "{files:?}");
        files
    }

    #[test]
    fn golden_seeds_have_no_problems_and_give_the_golden_files() {
        for path in rendered() {
            let (case, name) = (path.parent().unwrap(), path.display());
            let verdict = judged_in_time(&std::fs::read(&path).unwrap());
            let problems: Vec<&str> =
                verdict.problems.iter().map(|problem| problem.message.as_str()).collect();
            assert!(problems.is_empty(), "{name}: {problems:?}");
            let [seed] = &verdict.seeds[..] else { panic!("{name}: {} seeds", verdict.seeds.len()) };
            let mut found: Vec<_> =
                seed.files.iter().map(|file| (file.path.clone(), file.mode.clone(), file.bytes)).collect();
            let modes = std::fs::read_to_string(case.join("modes")).unwrap();
            let on_the_host = modes.lines().filter_map(|line| line.split_once(" host"));
            let mut expected: Vec<_> = on_the_host
                .filter(|(_, path)| ![paths::SETTINGS, paths::SETUP].contains(path))
                .map(|(mode, path)| {
                    let file = snapshot::read(&case.join("host").join(path.trim_start_matches('/')));
                    (path.to_owned(), mode.to_owned(), file.len())
                })
                .collect();
            // Only the user's own part in this case writes that file.
            found.retain(|(path, ..)| !(path == "/etc/motd" && case.ends_with("mime")));
            found.sort();
            expected.sort();
            // The golden case of an Image Builder component has no folder with the host's files.
            if !path.ends_with("component.yaml") {
                assert_eq!(found, expected, "{name}");
            }
            // An image without an identity has no key. Every other seed has its host's key.
            let command = std::fs::read_to_string(case.join("command")).unwrap();
            assert_eq!(seed.keys.len(), usize::from(command.starts_with("render ")), "{name}");
        }
    }

    /// The payloads of a seed, which are base64 of gzip: the range of each, and its decompressed content.
    fn payloads(seed: &str) -> Vec<(std::ops::Range<usize>, Vec<u8>)> {
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        let starts = seed.match_indices("H4sI").map(|(start, _)| start);
        let ranges = starts.map(|start| start..start + seed[start..].find(|c| !is_base64(c)).unwrap());
        ranges
            .map(|range| (range.clone(), unpacked(&seed[range]).expect("a payload of ours is whole")))
            .collect()
    }

    /// `None` also if bytes other than zeros follow the gzip stream, because Python's gzip, with which cloud-init reads it, refuses
    /// these. The last character of a payload can become such a byte, if it is the padding of base64.
    fn unpacked(base64: &str) -> Option<Vec<u8>> {
        use base64::Engine;
        let packed = base64::engine::general_purpose::STANDARD.decode(base64).ok()?;
        let mut bytes = Vec::new();
        let mut stream = flate2::bufread::GzDecoder::new(&packed[..]);
        std::io::Read::read_to_end(&mut stream, &mut bytes).ok()?;
        stream.into_inner().iter().all(|byte| *byte == 0).then_some(bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_changed_payload_is_an_error(
            which in any::<prop::sample::Index>(),
            payload in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            to in "[A-Za-z0-9+/]",
        ) {
            let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
            let seeds: Vec<String> = rendered().iter().map(text).filter(|text| text.contains("\"H4sI")).collect();
            prop_assert!(seeds.len() >= 15);
            let seed = which.get(&seeds);
            let payloads = payloads(seed);
            let (range, content) = payload.get(&payloads);
            let at = range.start + at.index(range.len());
            let changed = format!("{}{to}{}", &seed[..at], &seed[at + 1..]);
            // A change of the time or the operating system in gzip's header does not change the content.
            let is_whole = unpacked(&changed[range.clone()]).as_ref() == Some(content);
            prop_assert_eq!(has_errors(&judged_in_time(changed.as_bytes())), !is_whole, "{}", at);
        }
    }

    proptest! {
        #[test]
        fn bytes_with_an_unknown_beginning_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            check(&bytes);
            prop_assert!(has_beginning(&bytes) || has_errors(&judged(&bytes).0));
        }

        #[test]
        fn text_with_an_unknown_beginning_is_an_error(text in "\\PC{0,300}") {
            check(text.as_bytes());
            prop_assert!(has_beginning(text.as_bytes()) || has_errors(&judged(text.as_bytes()).0));
        }

        #[test]
        fn verdicts_on_texts_of_significant_words_are_consistent(words in proptest::collection::vec(0..WORDS.len(), 0..24)) {
            let text: String = words.into_iter().map(|n| WORDS[n]).collect();
            check(text.as_bytes());
        }

        #[test]
        fn verdicts_on_disks_are_consistent(bytes in proptest::collection::vec(any::<u8>(), 600..2000), iso in any::<bool>()) {
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
        fn verdicts_on_changed_seeds_are_consistent(
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
