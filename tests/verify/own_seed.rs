//! A damaged seed of hostseed's own never passes, however it is damaged, because its manifest lists all its parts.

use std::fs;
use std::sync::OnceLock;

use hostseed::diag::Severity;
use hostseed::secret::Secret;
use hostseed::verify::{Input, Scope, verify};
use time::OffsetDateTime;

use crate::support::Home;
use crate::support::extent::{is_full, sample, stride};
use crate::support::seed::on_the_host;
use crate::{home, write};

/// The prefix of a manifest's line in a text, and the manifest's path in an Ignition config.
const MARKER: &str = "# hostseed-manifest: ";
const MANIFEST: &str = "/opt/hostseed/manifest.json";

/// A rendered text. If it is one of several files, also the whole folder, by name.
struct Form {
    name: String,
    text: String,
    folder: Option<Vec<(String, Vec<u8>)>>,
}

impl Form {
    /// The errors if the text is replaced by another one.
    fn errors(&self, text: &str) -> Vec<String> {
        let bytes = |text: &str| Secret::new(text.as_bytes().to_vec());
        let input = match &self.folder {
            None => Input::File("seed".into(), bytes(text)),
            Some(folder) => {
                let replaced = |content: &Vec<u8>| match *content == self.text.as_bytes() {
                    true => bytes(text),
                    false => Secret::new(content.clone()),
                };
                let files = folder.iter().map(|(name, content)| (name.clone(), replaced(content)));
                Input::Folder("seed".into(), files.collect())
            }
        };
        let verdict = verify(input, Scope::default(), OffsetDateTime::now_utc());
        let errors = verdict.problems.into_iter().filter(|problem| problem.severity == Severity::Error);
        errors.map(|problem| format!("error[{}]: {}", problem.code.name(), problem.message)).collect()
    }
}

/// All formats of both kinds of machine and of an image, rendered once for all tests. Compressed formats are uncompressed.
fn forms() -> &'static [Form] {
    static FORMS: OnceLock<Vec<Form>> = OnceLock::new();
    FORMS.get_or_init(|| render_forms(&home()))
}

fn render_forms(home: &Home) -> Vec<Form> {
    write(home, "own.yaml", "#cloud-config\npackages: [jq]\n");
    let mut forms = Vec::new();
    let mut add = |machine: &str, name: &str, args: &[&str], file: Option<&str>| {
        let out = home.path().join(format!("{machine}-{}", name.replace(' ', "-")));
        let command: &[&str] = if machine.is_empty() { &["bake"] } else { &["render", machine] };
        home.ok(&[command, args, &["--out", out.to_str().unwrap()]].concat());
        let path = file.map_or(out.clone(), |file| out.join(file));
        let bytes = fs::read(&path).unwrap();
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { gunzip(&bytes) } else { bytes };
        forms.push(Form {
            name: format!("{name} of {machine:?}"),
            text: String::from_utf8(bytes).unwrap(),
            folder: file.map(|_| files_in(&out)),
        });
    };
    for machine in ["web1", "web2"] {
        for format in ["cloud-config", "script", "bake", "ignition", "imagebuilder"] {
            add(machine, format, &["--format", format], None);
        }
        for format in ["cloud-config", "script"] {
            add(machine, &format!("gzip {format}"), &["--format", format, "--gzip"], None);
        }
        add(machine, "mime", &["--format", "mime", "--part", "own.yaml"], None);
        for (format, file) in [("nocloud", "user-data"), ("packer", "bake.sh"), ("terraform", "user-data")] {
            add(machine, format, &["--format", format], Some(file));
        }
    }
    add("", "bake", &[], None);
    add("", "imagebuilder", &["--format", "imagebuilder"], None);
    add("", "packer", &["--format", "packer"], Some("bake.sh"));
    assert_eq!(forms.len(), 25);
    for form in &forms {
        assert!(form.errors(&form.text).is_empty(), "{}: {:?}", form.name, form.errors(&form.text));
    }
    forms
}

fn files_in(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn without_line(text: &str, number: usize) -> String {
    text.split_inclusive('\n').enumerate().filter(|(n, _)| *n != number).map(|(_, line)| line).collect()
}

#[test]
fn a_seed_cut_at_any_line_is_an_error_with_or_without_its_second_line() {
    let mut count = 0;
    for form in forms() {
        let second_gone = without_line(&form.text, 1);
        // The second line of a component is a comment for users.
        if !form.name.starts_with("imagebuilder") {
            assert!(!form.errors(&second_gone).is_empty(), "{}: without its second line", form.name);
        }
        let ends = |text: &str| text.match_indices('\n').map(|(at, _)| at + 1).collect::<Vec<_>>();
        for (text, case) in [(&form.text, "whole"), (&second_gone, "without its second line")] {
            let mut ends = ends(text);
            ends.pop();
            for end in sample(ends, 61) {
                let errors = form.errors(&text[..end]);
                assert!(
                    !errors.is_empty(),
                    "{} {case}, cut after line {}",
                    form.name,
                    text[..end].lines().count()
                );
                count += 1;
            }
        }
    }
    assert!(count >= if is_full() { 250 } else { 100 }, "{count}");
}

#[test]
fn a_seed_without_one_of_its_lines_is_an_error() {
    for form in forms() {
        // A component and an Ignition config have optional fields, and an archive has optional headers.
        if ["imagebuilder", "mime", "ignition"].iter().any(|other| form.name.starts_with(other)) {
            continue;
        }
        let lines = form.text.lines().count();
        for line in sample((0..lines).collect(), 53) {
            let errors = form.errors(&without_line(&form.text, line));
            assert!(!errors.is_empty(), "{} without line {}", form.name, line + 1);
        }
    }
}

#[test]
fn files_without_their_manifest_are_an_error() {
    for form in forms() {
        let text = match form.name.split(' ').next() {
            Some("ignition") => {
                let mut config: serde_json::Value = serde_json::from_str(&form.text).unwrap();
                let files = config["storage"]["files"].as_array_mut().unwrap();
                let before = files.len();
                files.retain(|file| file["path"] != MANIFEST);
                assert_eq!(files.len(), before - 1);
                config.to_string()
            }
            // A component has the script in one line of YAML.
            Some("imagebuilder") => {
                let (before, rest) = form.text.split_once(MARKER).unwrap();
                format!("{before}{}", &rest[rest.find("\\n").unwrap() + 2..])
            }
            _ => {
                let (before, rest) = form.text.split_once(MARKER).unwrap();
                format!("{before}{}", rest.split_once('\n').unwrap().1)
            }
        };
        let errors = form.errors(&text);
        assert!(
            errors.iter().any(|error| error.starts_with("error[manifest-missing]")),
            "{}: {errors:?}",
            form.name
        );
    }
}

#[test]
fn a_damaged_manifest_or_another_version_is_an_error() {
    for form in forms().iter().filter(|form| form.text.contains(MARKER)) {
        let (before, after) = form.text.split_once(MARKER).unwrap();
        // A component has the script, and so the manifest, in quotes.
        let version = if after.contains("\"version\":1}") { "\"version\":1}" } else { "\\\"version\\\":1}" };
        let other = after.replacen(version, &version.replace('1', "2"), 1);
        assert_ne!(other, after, "{}", form.name);
        for after in [&after[1..], &other] {
            let errors = form.errors(&format!("{before}{MARKER}{after}"));
            let is_named = errors.iter().any(|error| error.starts_with("error[manifest-damaged]"));
            assert!(is_named, "{}: {errors:?}", form.name);
        }
    }
}

/// The ranges of the seed's payloads, which are base64 of gzip, or plain if the whole seed is compressed.
fn payloads(form: &Form) -> Vec<(usize, usize)> {
    let text = &form.text;
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    if form.name.starts_with("gzip") {
        let begins = text.match_indices("-----BEGIN ").map(|(at, _)| at + 40);
        return begins.map(|at| (at, at + text[at..].find("-----END ").unwrap())).collect();
    }
    text.match_indices("H4sI")
        // The time and the operating system in gzip's header do not affect the content.
        .map(|(at, _)| (at + 14, at + text[at..].find(|c| !is_letter(c)).unwrap()))
        .filter(|(start, end)| end > start)
        .collect()
}

#[test]
fn a_file_with_one_changed_character_is_an_error() {
    let mut count = 0;
    for form in forms() {
        let payloads = payloads(form);
        assert!(payloads.len() >= 2, "{}: {payloads:?}", form.name);
        let letters: Vec<usize> = payloads
            .into_iter()
            // The last byte before gzip's checksum and size, which are 8 bytes, can have bits that mean nothing (RFC 1951 §3.1.1), and so
            // can the last character.
            .flat_map(|(start, end)| (start..end - 14).step_by(97 * stride(15)).chain([end - 2]))
            .filter(|at| form.text.as_bytes()[*at].is_ascii_alphanumeric())
            .collect();
        for at in sample(letters, 4) {
            let old = form.text.as_bytes()[at];
            let new = if old == b'A' { 'B' } else { 'A' };
            let text = format!("{}{new}{}", &form.text[..at], &form.text[at + 1..]);
            if form.errors(&text).is_empty() {
                // A change in the length of a code that no byte uses (RFC 1951 §3.2.7) means nothing.
                let is_same = on_the_host(text.as_bytes()) == on_the_host(form.text.as_bytes());
                assert!(is_same, "{}: byte {at} is {new}", form.name);
            }
            count += 1;
        }
    }
    assert!(count >= 60, "{count}");
}

#[test]
fn additions_of_the_user_are_valid() {
    for form in forms().iter().filter(|form| form.folder.is_none()) {
        let text = match form.name.split(' ').next().unwrap() {
            "cloud-config" => {
                form.text.replacen("write_files:\n", "packages: [jq]\nwrite_files:\n# mine\n", 1)
            }
            "script" | "bake" => form.text.replacen("set -eu\n", "echo mine\nset -eu\n", 1),
            _ => continue,
        };
        assert_ne!(text, form.text);
        assert_eq!(form.errors(&text), Vec::<String>::new(), "{}", form.name);
    }
}
