//! Tests that the work of `verify` grows at most in proportion to its input, for many kinds of input that were made to be slow.
//! The tests count work and do not measure time.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::tests::{WORDS, check, judged};
use crate::artifact::Artifact;
use crate::extent::{in_parallel, is_full};
use crate::userdata::budget::Budget;

type Make = fn(usize) -> Vec<u8>;

/// Repeats `word` to about `size` bytes, after `begin` and before `end`.
fn repeated(begin: &str, word: &str, end: &str, size: usize) -> Vec<u8> {
    format!("{begin}{}{end}", word.repeat(size / word.len() + 1)).into_bytes()
}

/// As [`repeated`], with a number in place of each `#` of a word.
fn numbered(begin: &str, word: &str, end: &str, size: usize) -> Vec<u8> {
    let words: String = (0..size / word.len() + 1).map(|n| word.replace('#', &n.to_string())).collect();
    format!("{begin}{words}{end}").into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

const SCRIPT: &str = "#!/bin/sh\n";
const CONFIG: &str = "#cloud-config\n";
const JINJA: &str = "## template: jinja\n#cloud-config\nruncmd:\n";
const IGNITION: &str = "{\"ignition\":{\"version\":\"3.4.0\"},\"storage\":{\"files\":[";

const MIME: &str = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n";

const KINDS: [(&str, Make); 59] = [
    ("includes", |n| numbered("#include\n", "https://a.example/#\n", "", n)),
    ("a long include", |n| repeated("#include\nhttps://", "a", "", n)),
    ("here-documents", |n| repeated(SCRIPT, "unpack a b <<'E'\nE\n", "", n)),
    ("words of a here-document", |n| repeated(&format!("{SCRIPT}unpack "), "a ", "", n)),
    ("a folded header of MIME", |n| repeated("MIME-Version: 1.0\nContent-Type: a/b\n", " a\n", "\n\nx", n)),
    ("a folded header that nothing reads", |n| repeated("MIME-Version: 1.0\nX-A: b\n", " a\n", "\n\nx", n)),
    ("types of a part of MIME", |n| numbered("MIME-Version: 1.0\n", "Content-Type: a/#\n", "\n\nx", n)),
    ("text outside ASCII in MIME", |n| {
        repeated(
            &format!("{MIME}--B\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n"),
            "\u{20ac}",
            "\n--B--\n",
            n,
        )
    }),
    ("paths below links of Ignition", |n| {
        let below = format!("{}/#", "/a".repeat(500));
        let head = format!(
            "{{\"ignition\":{{\"version\":\"3.4.0\"}},\"storage\":{{\"links\":[{{\"path\":\"{}\",\"target\":\"/b\"}}],\"files\":[",
            "/a".repeat(500)
        );
        numbered(&head, &format!("{{\"path\":\"{below}\"}},"), "{\"path\":\"/\"}]}}", n)
    }),
    ("a deep path of Ignition", |n| {
        let path = "/a".repeat(n / 4);
        format!(
            "{IGNITION}{{\"path\":\"{path}/b\"}}],\"links\":[{{\"path\":\"{path}\",\"target\":\"/b\"}}]}}}}"
        )
        .into_bytes()
    }),
    ("settings of a unit of Ignition", |n| {
        let head = "{\"ignition\":{\"version\":\"3.4.0\"},\"systemd\":{\"units\":[{\"name\":\"docker.service\",\"contents\":\"[Service]\\n";
        repeated(head, "ExecStart=a\\n", "\"}]}}", n)
    }),
    ("fields of Ignition with other spellings", |n| {
        repeated(
            "{\"ignition\":{\"version\":\"3.4.0\"}",
            ",\"Storage\":{\"Files\":[{\"Path\":\"/a\"}]}",
            "}",
            n,
        )
    }),
    ("begins of PEM", |n| repeated(SCRIPT, "-----BEGIN PRIVATE KEY-----\n", "", n)),
    ("begins of two kinds", |n| {
        repeated(SCRIPT, "-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n", "", n)
    }),
    ("begins and an end", |n| {
        repeated(SCRIPT, "-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n", n)
    }),
    ("dashes", |n| repeated(SCRIPT, "-----BEGIN ", "", n)),
    ("ends of PEM", |n| repeated(SCRIPT, "-----END PRIVATE KEY-----\n", "", n)),
    ("keys that are none", |n| {
        numbered(SCRIPT, "-----BEGIN PRIVATE KEY-----\nMIG#\n-----END PRIVATE KEY-----\n", "", n)
    }),
    ("begins in gzip", |n| gzip(&repeated(SCRIPT, "-----BEGIN PRIVATE KEY-----\n", "", n))),
    ("zeros in gzip", |n| gzip(&vec![0; n * 20])),
    ("members of gzip", |n| gzip(b"#").repeat(n / 21)),
    ("files appended to", |n| {
        repeated(&format!("{CONFIG}write_files:\n"), "- {path: /a, append: true, content: aaaa}\n", "", n)
    }),
    ("files", |n| numbered(&format!("{CONFIG}write_files:\n"), "- {path: /a#, content: a}\n", "", n)),
    ("modes in quotes", |n| {
        numbered(
            &format!("{CONFIG}write_files:\n"),
            "- {path: /a#, permissions: \"0644\", content: a}\n",
            "",
            n,
        )
    }),
    ("fields given twice", |n| repeated(CONFIG, "a: {}\n", "", n)),
    ("fields", |n| numbered(CONFIG, "write_file#: {}\n", "", n)),
    ("a list of YAML", |n| repeated(&format!("{CONFIG}runcmd:\n"), "- true\n", "", n)),
    ("a list on one line", |n| repeated(&format!("{CONFIG}runcmd: ["), "~, ", "]\n", n)),
    ("a name above many", |n| {
        let name = "k".repeat(n / 2);
        repeated(&format!("{CONFIG}x: {{? {name}\n  : {{a: ["), "aaaaaaa, ", "]}}\n", n / 2)
    }),
    ("aliases", |n| repeated(&format!("{CONFIG}a: &a {}\nb: [", "x".repeat(n / 2)), "*a, ", "]\n", n / 2)),
    ("sums", |n| {
        let file = format!("{CONFIG}write_files:\n- {{path: /a, content: {}}}\n", "a".repeat(n / 2));
        repeated(&format!("{file}runcmd:\n- sha256sum "), &format!("{} /a ", "0".repeat(64)), "\n", n / 2)
    }),
    ("expressions of jinja", |n| numbered(JINJA, "- echo {{ v1.a# }}\n", "", n)),
    ("statements of jinja", |n| repeated(JINJA, "- {% if v1.a %}b{% endif %}\n", "", n)),
    ("comments of jinja", |n| repeated(JINJA, "- a{# {{ #}\n", "", n)),
    ("braces beside jinja", |n| repeated(JINJA, "- a{b}\n", "- {{ c }}\n", n)),
    ("an archive", |n| numbered("#cloud-config-archive\n", "- '#!/bin/sh\n\n  : #'\n", "", n)),
    ("parts of MIME", |n| {
        let head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n";
        repeated(head, "--B\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n:\n", "--B--\n", n)
    }),
    ("nested MIME", |n| {
        numbered("MIME-Version: 1.0\n", "Content-Type: multipart/mixed; boundary=B#\n\n--B#\n", "", n)
    }),
    ("headers of MIME", |n| repeated("MIME-Version: 1.0\n", "X-A: b\n", "\n\nx", n)),
    ("pieces of a parameter of MIME", |n| {
        numbered(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed",
            "; a*#=b",
            "; boundary=B\n\n--B\n\nx\n--B--\n",
            n,
        )
    }),
    ("nested messages", |n| repeated("MIME-Version: 1.0\n", "Content-Type: message/rfc822\n\n", "", n)),
    ("files of Ignition", |n| {
        numbered(
            IGNITION,
            "{\"path\":\"/f#\",\"contents\":{\"source\":\"data:,a\"}},",
            "{\"path\":\"/\"}]}}",
            n,
        )
    }),
    ("units of Ignition", |n| {
        let head = "{\"ignition\":{\"version\":\"3.4.0\"},\"systemd\":{\"units\":[";
        numbered(head, "{\"name\":\"a#.service\",\"contents\":\"[Service]\\n\"},", "{\"name\":\"b\"}]}}", n)
    }),
    ("a name above many in JSON", |n| {
        let head = format!("{{\"ignition\":{{\"version\":\"3.4.0\"}},\"{}\":[", "k".repeat(n / 2));
        repeated(&head, "\"a\",", "0]}", n / 2)
    }),
    ("lists of JSON", |n| repeated("[", "[],", "0]", n)),
    ("user-data in JSON", |n| numbered("[", "{\"UserData\":\"#!/bin/sh\\n: #\"},", "0]", n)),
    ("assignments of HCL", |n| numbered("", "user_dat# = \"#!/bin/sh\\n: #\"\n", "", n)),
    ("lines of base64", |n| {
        let line = STANDARD.encode([7; 57]);
        repeated(SCRIPT, &format!(": {line}\n"), "", n)
    }),
    ("base64 in base64", |n| {
        let inner = STANDARD.encode(STANDARD.encode(vec![b'-'; n / 2]));
        format!("{SCRIPT}: {inner}\n").into_bytes()
    }),
    ("percent-encoding in itself", |n| repeated(SCRIPT, "%2525252D", "", n)),
    ("hexadecimal", |n| repeated(SCRIPT, "2d2d2d2d2d424547494e", "\n", n)),
    ("files of a FAT disk", |n| {
        crate::disk::fat(&[Artifact::public("user-data", repeated(SCRIPT, ": a\n", "", n))]).unwrap()
    }),
    ("files of an ISO disk", |n| {
        crate::disk::iso(&[Artifact::public("user-data", repeated(SCRIPT, ": a\n", "", n))]).unwrap()
    }),
    ("links of Ignition", |n| {
        let head = "{\"ignition\":{\"version\":\"3.4.0\"},\"storage\":{\"links\":[";
        numbered(
            head,
            "{\"path\":\"/f#\",\"target\":\"/a\"},",
            "{\"path\":\"/f0/b\",\"target\":\"/a\"}]}}",
            n,
        )
    }),
    ("partitions of Ignition", |n| {
        let head = "{\"ignition\":{\"version\":\"3.4.0\"},\"storage\":{\"disks\":[{\"device\":\"/a\",\"partitions\":[";
        numbered(head, "{\"label\":\"#\",\"startMiB\":1#,\"sizeMiB\":5},", "{\"number\":1}]}]}}", n)
    }),
    ("keys of daemon.json", |n| {
        let head = format!("{CONFIG}write_files:\n- path: /etc/docker/daemon.json\n  content: '{{");
        numbered(&head, "\"log-drive#\":1,", "\"a\":1}'\n", n)
    }),
    ("labels of daemon.json", |n| {
        let head =
            format!("{CONFIG}write_files:\n- path: /etc/docker/daemon.json\n  content: '{{\"labels\":[");
        numbered(&head, "\"a#=1\",", "\"b=1\"]}'\n", n)
    }),
    ("flags of dockerd", |n| {
        let path = "/etc/systemd/system/docker.service.d/a.conf";
        let head = format!(
            "{CONFIG}write_files:\n- path: {path}\n  content: |\n    [Service]\n    ExecStart=\n    ExecStart=dockerd "
        );
        repeated(&head, "--log-drive=x ", "\n", n)
    }),
    ("files of a manifest", |n| {
        let (sum, end) = ("0".repeat(64), "\"\"],\"version\":1}\n:\n");
        let begin = format!("{SCRIPT}# hostseed-manifest: {{\"files\":[");
        numbered(&begin, &format!("\"{sum} 0644 /a#\","), end, n)
    }),
];

/// The units of work for checking some bytes.
fn units(bytes: &[u8]) -> u64 {
    let budget: Budget = judged(bytes).1;
    budget.spent()
}

#[test]
fn work_grows_in_proportion_to_the_input() {
    let size = if is_full() { 48 << 10 } else { 12 << 10 };
    let slow = in_parallel(KINDS.to_vec(), 1, |(kind, make)| {
        let [small, large] = [size, 4 * size].map(make);
        let [few, many] = [&small, &large].map(|bytes| units(bytes));
        // Compressed input is short, so the lower bound depends on the length of the input.
        assert!(few >= small.len() as u64 / 2, "{kind}: {few} units are counted for {} bytes", small.len());
        let is_slow = many as f64 > 4.5 * few as f64;
        is_slow.then(|| format!("{kind}: {few} units for {} bytes, {many} for {}", small.len(), large.len()))
    });
    let slow: Vec<String> = slow.into_iter().flatten().collect();
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}

#[test]
fn an_exhausted_budget_is_always_an_error() {
    let (verdict, budget) = judged(b"----------");
    assert!(!budget.is_exhausted() && !verdict.problems.is_empty());
    for wanted in ["lists of JSON", "user-data in JSON"] {
        let (kind, make) = KINDS.into_iter().find(|(kind, _)| *kind == wanted).unwrap();
        let (verdict, budget) = judged(&make(4 << 20));
        assert!(budget.is_exhausted(), "{kind}");
        let said = verdict.problems.iter().find(|problem| problem.code == crate::diag::Code::VerifyLimit);
        assert!(said.is_some_and(|problem| problem.severity == crate::diag::Severity::Error), "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn work_grows_in_proportion_to_repeated_words(
        begin in 0..WORDS.len(),
        words in proptest::collection::vec(0..WORDS.len(), 1..5),
        times in 1..200usize,
    ) {
        let word: String = words.into_iter().map(|n| WORDS[n]).collect();
        let make = |times: usize| format!("{}{}", WORDS[begin], word.repeat(times)).into_bytes();
        check(&make(times));
        let [few, many] = [100, 400].map(|times| units(&make(times)));
        prop_assert!(many as f64 <= 4.5 * few as f64 + 100_000.0, "{few} units, then {many}");
    }
}
