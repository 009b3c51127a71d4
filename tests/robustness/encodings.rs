//! A private key in user-data is found in every encoding that the README lists, and in nested encodings.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::extent::stride;
use crate::support::{Home, need, run};

const KEY: &str = "contains a private key, which belongs to no certificate in the user-data";

type Encode = fn(&[u8]) -> Vec<u8>;

fn wrapped(text: &str, width: usize) -> String {
    let lines: Vec<_> =
        text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\n") + "\n"
}

fn hex(bytes: &[u8], before: &str, between: &str) -> Vec<u8> {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{before}{byte:02x}")).collect();
    pairs.join(between).into_bytes()
}

fn percent(bytes: &[u8], blank: &str) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(*byte).to_string(),
        b' ' => blank.to_owned(),
        byte => format!("%{byte:02X}"),
    };
    bytes.iter().map(escape).collect::<String>().into_bytes()
}

fn utf16(bytes: &[u8], mark: bool, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    mark.then_some(0xfeff).into_iter().chain(text.encode_utf16()).flat_map(unit).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Encodings of bytes as text.
const TEXTS: [(&str, Encode); 12] = [
    ("base64", |bytes| STANDARD.encode(bytes).into_bytes()),
    ("base64 in lines", |bytes| wrapped(&STANDARD.encode(bytes), 76).into_bytes()),
    ("base64url", |bytes| URL_SAFE.encode(bytes).into_bytes()),
    ("base64url without padding", |bytes| URL_SAFE_NO_PAD.encode(bytes).into_bytes()),
    ("base64url in lines", |bytes| wrapped(&URL_SAFE.encode(bytes), 64).into_bytes()),
    ("hexadecimal", |bytes| hex(bytes, "", "")),
    ("hexadecimal in lines", |bytes| {
        wrapped(std::str::from_utf8(&hex(bytes, "", "")).unwrap(), 60).into_bytes()
    }),
    ("hexadecimal with colons", |bytes| hex(bytes, "", ":")),
    ("hexadecimal with blanks", |bytes| hex(bytes, "", " ")),
    ("hexadecimal escapes", |bytes| hex(bytes, "\\x", "")),
    ("hexadecimal numbers", |bytes| hex(bytes, "0x", ", ")),
    ("percent-encoding", |bytes| percent(bytes, "%20")),
];

/// Encodings of text as bytes.
const BYTES: [(&str, Encode); 7] = [
    ("itself", <[u8]>::to_vec),
    ("gzip", gzip),
    ("zlib", zlib),
    ("UTF-16LE", |bytes| utf16(bytes, false, u16::to_le_bytes)),
    ("UTF-16BE", |bytes| utf16(bytes, false, u16::to_be_bytes)),
    ("UTF-16LE with a mark", |bytes| utf16(bytes, true, u16::to_le_bytes)),
    ("UTF-16BE with a mark", |bytes| utf16(bytes, true, u16::to_be_bytes)),
];

struct Seeds {
    home: Home,
    pem: String,
}

impl Seeds {
    fn new() -> Self {
        let home = Home::new();
        home.ok(&["create", "other", "--address", "203.0.113.9", "--quiet"]);
        let pem = std::fs::read_to_string(home.machine("other").join("key.pem")).unwrap();
        Self { home, pem }
    }

    fn said(&self, seed: &[u8]) -> String {
        std::fs::write(self.home.path().join("seed"), seed).unwrap();
        let output = self.home.run(&["verify", "seed"]);
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
    }

    fn der(&self) -> Vec<u8> {
        pem::parse(&self.pem).unwrap().into_contents()
    }
}

fn assert_all_found(missed: &[String], tried: usize) {
    assert!(missed.is_empty(), "{} of {tried} were not found:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn a_key_in_each_encoding_and_each_pair_of_encodings_is_found() {
    let seeds = Seeds::new();
    let (mut missed, mut tried) = (Vec::new(), 0);
    for (text, encode) in TEXTS {
        for (bytes, make) in BYTES {
            for (key, what) in [("PEM", seeds.pem.clone().into_bytes()), ("DER", seeds.der())] {
                if key == "DER" && bytes.starts_with("UTF-16") {
                    continue;
                }
                let encoded = String::from_utf8(encode(&make(&what))).unwrap();
                for (place, seed) in [
                    ("a script", format!("#!/bin/sh\ncat <<'E'\n{encoded}\nE\n")),
                    ("a variable", format!("#!/bin/sh\nKEY={encoded}\n")),
                    (
                        "a command",
                        format!("#cloud-config\nruncmd:\n- {}\n", json!(format!("put '{encoded}'"))),
                    ),
                    (
                        "a file",
                        format!(
                            "#cloud-config\nwrite_files:\n- {}\n",
                            json!({"path": "/k", "permissions": "0600", "content": encoded})
                        ),
                    ),
                    (
                        "a comment",
                        format!(
                            "#cloud-config\nruncmd: []\n{}",
                            encoded.lines().map(|line| format!("# {line}\n")).collect::<String>()
                        ),
                    ),
                ] {
                    tried += 1;
                    // The number has no common factor with those of places, texts and bytes.
                    if tried % stride(11) != 0 {
                        continue;
                    }
                    if !seeds.said(seed.as_bytes()).contains(KEY) {
                        missed.push(format!("{key} in {bytes} in {text} in {place}"));
                    }
                }
            }
        }
    }
    assert_all_found(&missed, tried);
}

#[test]
fn a_key_in_nested_encodings_is_found() {
    let seeds = Seeds::new();
    let encoders: Vec<(&str, Encode)> = TEXTS.into_iter().chain(BYTES.into_iter().skip(1).take(2)).collect();
    let (mut missed, mut tried) = (Vec::new(), 0);
    for (outer, a) in &encoders {
        for (middle, b) in &encoders {
            for (inner, c) in &encoders {
                // A part of the combinations is enough. The step has no common factor with the number of encoders.
                tried += 1;
                if tried % (3 * stride(11)) != 0 {
                    continue;
                }
                let encoded = STANDARD.encode(a(&b(&c(seeds.pem.as_bytes()))));
                if !seeds.said(format!("#!/bin/sh\n: {encoded}\n").as_bytes()).contains(KEY) {
                    missed.push(format!("PEM in {inner} in {middle} in {outer} in base64"));
                }
            }
        }
    }
    assert_all_found(&missed, tried);
}

#[test]
fn a_key_split_over_list_items_and_commands_is_found() {
    let seeds = Seeds::new();
    let encoded = STANDARD.encode(&seeds.pem);
    let pieces =
        |width: usize| -> Vec<String> { wrapped(&encoded, width).lines().map(str::to_owned).collect() };
    let lines: Vec<String> = seeds.pem.lines().map(str::to_owned).collect();
    let list = |lines: &[String], item: fn(&str) -> String| -> String {
        lines.iter().map(|line| item(line)).collect()
    };
    let one_line =
        |lines: &[String]| lines.iter().map(|line| format!("'{line}'")).collect::<Vec<_>>().join(" ");
    let mut cases = Vec::new();
    for (kind, lines) in [
        ("lines of PEM", lines),
        ("pieces of 64", pieces(64)),
        ("pieces of 40", pieces(40)),
        ("pieces of 20", pieces(20)),
    ] {
        for (place, text) in [
            ("a list", format!("#cloud-config\nkey:\n{}", list(&lines, |line| format!("- {line}\n")))),
            (
                "a list in quotes",
                format!("#cloud-config\nkey:\n{}", list(&lines, |line| format!("  - \"{line}\"\n"))),
            ),
            ("a list on one line", format!("#cloud-config\nkey: {}\n", json!(lines))),
            (
                "a list with blanks",
                format!("#cloud-config\nkey: {}\n", serde_json::to_string_pretty(&lines).unwrap()),
            ),
            (
                "echo",
                format!(
                    "#cloud-config\nruncmd:\n{}",
                    list(&lines, |line| format!("- echo {line} >> /root/key\n"))
                ),
            ),
            (
                "echo in quotes",
                format!(
                    "#cloud-config\nruncmd:\n{}",
                    list(&lines, |line| format!("- echo '{line}' >> /root/key.pem\n"))
                ),
            ),
            (
                "echo in a list",
                format!(
                    "#cloud-config\nruncmd:\n{}",
                    list(&lines, |line| format!("- [sh, -c, \"echo {line} >> /etc/key\"]\n"))
                ),
            ),
            (
                "a script's echo",
                format!("#!/bin/sh\n{}", list(&lines, |line| format!("echo \"{line}\" >>/root/key\n"))),
            ),
            ("printf", format!("#!/bin/sh\nprintf '%s\\n' {} > key\n", one_line(&lines))),
            ("Ignition", json!({"ignition": {"version": "3.4.0"}, "x": lines}).to_string()),
        ] {
            cases.push((format!("{kind} in {place}"), text));
        }
    }
    let mut missed = Vec::new();
    for (case, text) in &cases {
        let said = seeds.said(text.as_bytes());
        if !said.contains(KEY) {
            missed.push(format!("{case}: {said}"));
        }
    }
    assert_all_found(&missed, cases.len());
}

#[test]
fn a_key_in_xz_is_found_and_bzip2_is_reported_as_not_checked() {
    let seeds = Seeds::new();
    std::fs::write(seeds.home.path().join("key"), &seeds.pem).unwrap();
    for (program, found) in [("xz", true), ("bzip2", false)] {
        if !need(program) {
            continue;
        }
        let output =
            run(std::process::Command::new(program).args(["-c", "key"]).current_dir(seeds.home.path()));
        let seed = format!(
            "#!/bin/sh\necho {} | base64 -d | {program} -d > /root/key\n",
            STANDARD.encode(&output.stdout)
        );
        let said = seeds.said(seed.as_bytes());
        let wanted = if found { KEY } else { "warning[not-checked]" };
        assert!(said.contains(wanted), "{program}: {said}");
    }
}

#[test]
fn a_key_after_the_beginning_of_compressed_data_is_found() {
    let seeds = Seeds::new();
    for start in [gzip(b"nothing"), zlib(b"nothing"), b"x^".to_vec(), b"\x1f\x8b".to_vec()] {
        let encoded = STANDARD.encode([&start[..], b"\n", seeds.pem.as_bytes()].concat());
        let said = seeds.said(format!("#!/bin/sh\n: {encoded}\n").as_bytes());
        assert!(said.contains(KEY), "{start:?}: {said}");
    }
}

#[test]
fn too_deeply_nested_encodings_are_reported_as_not_checked() {
    let seeds = Seeds::new();
    let deep = (0..9).fold(seeds.pem.clone(), |text, _| STANDARD.encode(text));
    assert!(seeds.said(format!("#!/bin/sh\n: {deep}\n").as_bytes()).contains("warning[not-checked]"));
}
