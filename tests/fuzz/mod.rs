//! Fuzzes all readers of untrusted input in this process: valid inputs are cut, spliced, repeated and mixed
//! with the words that are significant to each reader. No reader may panic or take unlimited time, and accepted input must read back
//! unchanged.
//!
//! `cargo test` runs a few thousand rounds. A release build with HOSTSEED_REQUIRE_ALL runs 2 000 000, for at most 180 s.
//! HOSTSEED_FUZZ sets the number of rounds, HOSTSEED_FUZZ_SEED the seed of the random numbers, and HOSTSEED_FUZZ_ONE
//! (`READER:ROUND`) repeats a single round that failed.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::disk;
use crate::export::{self, Export, Wrapped};
use crate::names::{Address, MachineName};
use crate::pki::{Certificate, StrayKey};
use crate::plan::{HostPlan, Plan};
use crate::spec::Spec;
use crate::store::Record;
use crate::verify;
use crate::yaml;

const ROUNDS: usize = 2_000_000;
const ROUNDS_OF_A_QUICK_RUN: usize = 4_000;
const MOST_TIME: Duration = Duration::from_secs(180);
/// Larger inputs find no further faults and take longer.
const LARGEST: usize = 64 << 10;

struct Reader {
    name: &'static str,
    /// The number of rounds of this reader in a thousand. Slow readers get fewer.
    share: usize,
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
    read: fn(&[u8]),
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed always gives the same numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A random range of some bytes, more often short than long.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let longest = 1 << self.below(12);
        start..(start + self.below(longest + 1)).min(length)
    }
}

fn mutated(reader: &Reader, random: &mut Random) -> Vec<u8> {
    let mut bytes = random.of(&reader.seeds).clone();
    for _ in 0..=random.below(5) {
        let range = random.range(bytes.len());
        match random.below(9) {
            0 => bytes.truncate(range.start),
            1 => drop(bytes.drain(range)),
            2 => {
                let again = bytes[range.clone()].repeat(1 + random.below(4));
                bytes.splice(range.end..range.end, again);
            }
            3 => {
                let other = random.of(&reader.seeds);
                let taken = other[random.range(other.len())].to_vec();
                bytes.splice(range, taken);
            }
            4 | 5 => {
                let word = random.of(reader.words).as_bytes().to_vec();
                bytes.splice(range.start..range.start, word);
            }
            6 if !range.is_empty() => bytes[range.start] ^= 1 << random.below(8),
            7 if !range.is_empty() => {
                bytes[range.start] =
                    *random.of(&[0, 0xff, b'\n', b'"', b'\'', b'{', b'-', b':', b'%', b'=', 0x80])
            }
            _ => {
                let word = random.of(reader.words).as_bytes().to_vec();
                bytes.splice(range, word);
            }
        }
    }
    bytes.truncate(LARGEST.max(reader.seeds[0].len()));
    bytes
}

fn below(dir: &str, wanted: &dyn Fn(&Path) -> bool) -> Vec<Vec<u8>> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut found);
    found.retain(|path| wanted(path));
    found.sort();
    let seeds: Vec<_> = found.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "{dir}");
    seeds
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn readers() -> Vec<Reader> {
    let is = |ending: &'static str| move |path: &Path| path.to_string_lossy().ends_with(ending);
    let foreign = below("tests/verify/foreign", &|path| !path.to_string_lossy().ends_with(".txt"));
    let pem = below("tests/fuzz/seeds", &is(".pem"));
    let queries = texts(&[
        r#"{"name": "web1", "addresses": "203.0.113.7, web1.example.com", "engine_label": "{\"role\": \"web\"}", "port": "2376"}"#,
        r#"{"name": "a", "tls_san": "[\"*.example.com\"]", "key": "rsa2048", "valid_for": "2y", "docker_version": "28.0.4", "ca": "shared"}"#,
    ]);
    let records = below("golden", &is("config.json"));
    let disks = || {
        let files = [("user-data", "#cloud-config\nruncmd: [true]\n"), ("meta-data", "instance-id: a\n")]
            .map(|(name, text)| crate::artifact::Artifact::public(name, text));
        vec![disk::fat(&files).unwrap(), disk::iso(&files).unwrap()]
    };
    let exports = || {
        let files = [("machine/ca.pem", "-----BEGIN"), ("machine/clients/a/key.pem", "x"), ("ca/ca.pem", "")]
            .map(|(name, text)| crate::artifact::Artifact::public(name, text));
        let export = Export::new(MachineName::parse("web1").unwrap(), export::Kind::Machine, files.into());
        let archive = export::write(&export).unwrap();
        let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &archive[..]);
        vec![
            archive.to_vec(),
            base64.into_bytes(),
            b"age-encryption.org/v1\n-> scrypt AAAA 18\nBBBB\n---\n".to_vec(),
        ]
    };
    let mime = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"B\"\n\n--B\nContent-Type: text/cloud-config\nX-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n\nruncmd: [true]\n--B\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEvYmluL3NoCjoK\n--B\nContent-Type: multipart/mixed; boundary=C\n\n--C\n\nx\n--C--\n--B--\n";
    let ignition = r#"{"ignition": {"version": "3.4.0", "config": {"merge": [{"source": "data:;base64,e30="}]}}, "storage": {"files": [{"path": "/etc/docker/daemon.json", "mode": 420, "contents": {"source": "data:,%7B%7D", "compression": "", "verification": {"hash": "sha512-0"}}}]}, "systemd": {"units": [{"name": "docker.service", "enabled": true, "contents": "[Service]\nExecStart=dockerd -H tcp://0.0.0.0:2376\n", "dropins": [{"name": "10-machine.conf", "contents": "[Service]\nExecStart=\n"}]}]}}"#;
    let terraform = [
        "resource \"a\" \"b\" {\n  + user_data = <<-EOT\n      #cloud-config\n      runcmd: [true]\n    EOT\n  ~ user_data_base64 = \"I2Nsb3VkLWNvbmZpZwo=\"\n  custom_data = (sensitive value)\n}\n",
        r##"{"format_version": "1.0", "values": {"root_module": {"resources": [{"values": {"user_data": "#cloud-config\nruncmd: [true]\n", "metadata": [{"key": "user-data", "value": "#!/bin/sh\n:\n"}]}}]}}}"##,
    ];
    const NAMES: &[&str] = &[
        ".",
        "-",
        "xn--",
        "*",
        "*.",
        "/",
        ":2376",
        "tcp://",
        "[",
        "]",
        "::",
        "%25",
        "ä",
        "\u{202e}",
        "127.1",
        "0x7f",
        "CON",
        "localhost",
        "255",
        "\0",
        " ",
    ];
    const YAML: &[&str] = &[
        "- ",
        ": ",
        "\n",
        "  ",
        "&a ",
        "*a",
        "!!str ",
        "!x ",
        "<<: *a\n",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "#",
        "---\n",
        "...\n",
        "? ",
        "0644",
        "yes",
        "~",
        "\\x41",
        "\t",
        "\u{feff}",
        "%YAML 1.1\n",
        "name: web1\n",
        "engine-label: ",
        "port: ",
        "address: [",
    ];
    const JSON: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\u0000",
        "\\ud800",
        "\\",
        "1e999",
        "-0",
        "null",
        "true",
        "\"name\":",
        "\"URL\":",
        "\"IPAddress\":",
        "\"DriverName\":",
        "tcp://[::1]:2376",
        "$(id)",
        "\u{202e}",
        "99999",
    ];
    const PEM: &[&str] = &[
        "-----BEGIN PRIVATE KEY-----\n",
        "-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n",
        "Proc-Type: 4,ENCRYPTED\n",
        "\r\n",
        "\n\n",
        "=",
        "MIIB",
        "AAAA",
        "////",
        "-----",
    ];
    const BINARY: &[&str] =
        &["\0\0", "\u{1}", "\u{7f}\u{7f}", "CD001", "NO NAME ", "\u{2}\0", "user-data", "\0\0\0\0\0\0\0\0"];
    vec![
        Reader {
            name: "names",
            share: 230,
            seeds: texts(&[
                "web1",
                "web1.example.com",
                "203.0.113.7",
                "2001:db8::1",
                "*.example.com",
                "a-b.c",
            ]),
            words: NAMES,
            read: name,
        },
        Reader { name: "records", share: 120, seeds: records, words: JSON, read: record },
        Reader { name: "queries", share: 100, seeds: queries, words: JSON, read: query },
        Reader {
            name: "specs",
            share: 100,
            seeds: below("golden", &is("spec.yaml")),
            words: YAML,
            read: spec,
        },
        Reader { name: "YAML", share: 80, seeds: foreign.clone(), words: YAML, read: yaml_nodes },
        Reader { name: "certificates", share: 80, seeds: pem.clone(), words: PEM, read: certificates },
        Reader { name: "keys", share: 60, seeds: pem, words: PEM, read: keys },
        Reader { name: "MIME", share: 45, seeds: texts(&[mime]), words: &verify::WORDS, read: verify::check },
        Reader {
            name: "Ignition",
            share: 45,
            seeds: texts(&[ignition]),
            words: &verify::WORDS,
            read: verify::check,
        },
        Reader {
            name: "Terraform",
            share: 45,
            seeds: texts(&terraform),
            words: &verify::WORDS,
            read: verify::check,
        },
        Reader { name: "user-data", share: 45, seeds: foreign, words: &verify::WORDS, read: verify::check },
        Reader { name: "exports", share: 20, seeds: exports(), words: BINARY, read: exported },
        Reader { name: "disks", share: 15, seeds: disks(), words: BINARY, read: disk_image },
        Reader {
            name: "seeds",
            share: 15,
            seeds: verify::seeds(),
            words: &verify::WORDS,
            read: verify::check,
        },
    ]
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn name(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(name) = MachineName::parse(&text) {
        assert_eq!(name.as_str(), text);
        assert!(
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
                && !text.starts_with(['-', '.'])
        );
    }
    if let Ok(address) = Address::parse(&text) {
        assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
        assert!(address.covers(&address), "{address}");
    }
    if let Ok(san) = Address::parse_san(&text) {
        assert_eq!(Address::parse_san(&san.to_string()).unwrap(), san);
    }
}

fn record(bytes: &[u8]) {
    let Ok(record) = Record::from_json(&text(bytes)) else { return };
    assert!(
        record.url.bytes().all(|b| b.is_ascii_graphic() && !b"$`\"'\\;&|<>(){}*?!#".contains(&b)),
        "{}",
        record.url
    );
    let address = Address::parse("203.0.113.9").unwrap();
    let url = url_of(&address);
    if let Ok(moved) = record.moved(&address, &url) {
        let read = Record::from_json(&moved).unwrap();
        assert_eq!((read.url, read.host.as_str(), read.driver), (url, "203.0.113.9", record.driver));
    }
}

fn url_of(address: &Address) -> String {
    format!("tcp://{}:2376", address.in_url())
}

/// Checks the properties of a plan that was made from a spec.
fn plan(spec: &Spec) {
    let _ = HostPlan::from_spec(spec);
    if let Ok(plan) = Plan::from_spec(spec) {
        assert_eq!(MachineName::parse(plan.name.as_str()).unwrap(), plan.name);
        for san in plan.sans() {
            assert_eq!(Address::parse_san(&san.to_string()).unwrap(), san);
        }
        assert!(plan.host.port > 0);
    }
}

fn spec(bytes: &[u8]) {
    if let Ok(spec) = Spec::from_yaml("spec.yaml", &text(bytes)) {
        plan(&spec);
    }
}

fn query(bytes: &[u8]) {
    if let Ok(query) = serde_json::from_slice::<BTreeMap<String, String>>(bytes) {
        plan(&Spec::from_query(&query));
    }
}

/// Checks that all nodes have places or none has, and that a scalar without quotes begins at its place.
fn yaml_nodes(bytes: &[u8]) {
    fn check(node: &yaml::Node, lines: &[&str], has_places: bool) {
        assert_eq!(node.start.is_some(), has_places);
        if let (Some(start), Some(plain)) = (node.start, &node.written.plain) {
            let rest: String =
                lines.get(start.line - 1).map_or("", |line| line).chars().skip(start.column - 1).collect();
            let word = plain.split_whitespace().next().unwrap_or_default();
            // A byte order mark, an anchor or a tag may be before it, or a line end that saphyr-parser reads as a character.
            let rest = rest.trim_start_matches('\u{feff}');
            assert!(
                rest.contains(word) || rest.starts_with(['&', '!', '\u{85}', '\u{2028}', '\u{2029}']),
                "{word:?} in {rest:?}"
            );
        }
        match &node.value {
            yaml::Value::List(items) => items.iter().for_each(|item| check(item, lines, has_places)),
            yaml::Value::Map(entries) => entries.iter().for_each(|(key, value)| {
                check(key, lines, has_places);
                check(value, lines, has_places);
            }),
            yaml::Value::Tagged(_, content) => check(content, lines, has_places),
            _ => {}
        }
    }
    let text = text(bytes);
    let Ok(root) = yaml::read(&text, 1000) else { return };
    check(&root, &crate::diag::lines(&text).collect::<Vec<_>>(), root.start.is_some());
}

fn certificates(bytes: &[u8]) {
    let Ok(all) = Certificate::all_from_pem(&text(bytes)) else { return };
    for certificate in all {
        let again = Certificate::from_pem(&certificate.pem()).unwrap();
        assert_eq!((again.fingerprint(), again.sans()), (certificate.fingerprint(), certificate.sans()));
        let validity = certificate.validity();
        let _ = (validity.not_before, certificate.days_left(validity.not_after), certificate.weakness());
        let _ = (certificate.subject(), certificate.common_name(), certificate.is_authority());
        let _ = (certificate.path_len(), certificate.constrains_names());
    }
}

fn keys(bytes: &[u8]) {
    for block in pem::parse_many(bytes).unwrap_or_default() {
        if let Some(key) = StrayKey::from_pem(&block) {
            assert_eq!(StrayKey::from_pem(&block).unwrap().id(), key.id());
            assert!(key.is_whole());
        }
        let _ = StrayKey::from_der(block.contents());
    }
}

/// What is read is what was written.
fn exported(bytes: &[u8]) {
    let Ok(Wrapped::Plain(archive)) = export::unwrap(bytes.into()) else { return };
    if let Ok(export) = export::read(&archive) {
        assert_eq!(export::write(&export).unwrap()[..], archive[..]);
        assert!(export.files.iter().all(|file| !file.path.contains("..")));
    }
}

fn disk_image(bytes: &[u8]) {
    let mut work = 0;
    if let Ok(disk) = disk::read(bytes, &mut work) {
        let total: usize = disk.files.iter().map(|file| file.bytes.len()).sum();
        assert!(total <= bytes.len(), "{total} bytes of files in {}", bytes.len());
    }
    assert!(work <= 12 * bytes.len() + (4 << 20), "{work} bytes were read of {}", bytes.len());
    verify::check(bytes);
}

#[test]
fn fuzz() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let is_whole = std::env::var_os("HOSTSEED_REQUIRE_ALL").is_some() && !cfg!(debug_assertions);
    let rounds =
        number("HOSTSEED_FUZZ").map_or(if is_whole { ROUNDS } else { ROUNDS_OF_A_QUICK_RUN }, |n| n as usize);
    let seed = number("HOSTSEED_FUZZ_SEED").unwrap_or(1);
    let readers = readers();
    assert_eq!(readers.iter().map(|reader| reader.share).sum::<usize>(), 1000);
    let round = |reader: &Reader, n: usize| {
        let start = reader.name.bytes().fold(seed, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into()));
        let mut random = Random(start.wrapping_mul(0x1000_0000_01b3).wrapping_add(n as u64));
        let bytes = mutated(reader, &mut random);
        catch_unwind(AssertUnwindSafe(|| (reader.read)(&bytes))).unwrap_or_else(|panic| {
            eprintln!(
                "HOSTSEED_FUZZ_SEED={seed} HOSTSEED_FUZZ_ONE='{}:{n}' fails by {:?}",
                reader.name,
                text(&bytes)
            );
            resume_unwind(panic)
        });
    };
    if let Ok(one) = std::env::var("HOSTSEED_FUZZ_ONE") {
        let (name, n) = one.split_once(':').expect("READER:ROUND");
        let reader = readers.iter().find(|reader| reader.name == name).expect("a reader");
        return round(reader, n.parse().expect("READER:ROUND"));
    }
    // The readers run in turns, so that each one has had its share when the time is over.
    const BLOCKS: usize = 250;
    let blocks: Vec<_> = (0..BLOCKS)
        .flat_map(|block| readers.iter().enumerate().map(move |(r, reader)| (r, reader, block)))
        .collect();
    let (next, start) = (AtomicUsize::new(0), Instant::now());
    let done: Vec<AtomicUsize> = readers.iter().map(|_| AtomicUsize::new(0)).collect();
    let work = || {
        while let Some((r, reader, block)) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let all = rounds * reader.share / 1000;
            for n in all * block / BLOCKS..all * (block + 1) / BLOCKS {
                if start.elapsed() > MOST_TIME {
                    return;
                }
                round(reader, n);
                done[*r].fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        started.into_iter().for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
    });
    let done: Vec<usize> = done.iter().map(|done| done.load(Ordering::Relaxed)).collect();
    let each: Vec<String> =
        readers.iter().zip(&done).map(|(reader, done)| format!("{} {done}", reader.name)).collect();
    let all: usize = done.iter().sum();
    eprintln!(
        "{all} of {rounds} rounds from seed {seed} in {:.0} s: {}",
        start.elapsed().as_secs_f64(),
        each.join(", ")
    );
    assert!(done.iter().all(|done| *done > 0), "a reader was not asked: {}", each.join(", "));
}
