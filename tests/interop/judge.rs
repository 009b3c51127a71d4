//! cloud-init's own code and PyYAML judge generated user-data. `verify` must report an error exactly if they refuse or drop a part
//! of it. The documents are the same in each run: real shapes, changed at random with a fixed seed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostseed::diag::{Code, Severity};
use hostseed::secret::Secret;
use hostseed::userdata::mime::{Part, write};
use hostseed::verify::{Input, Scope, verify};
use time::OffsetDateTime;

use crate::support::extent::sample;
use crate::support::{Home, PYTHON, need_python_module, run};

/// The number of documents.
const DOCUMENTS: usize = 2000;
/// The codes of problems with which cloud-init drops nothing, but something does not happen as intended.
const READ: [Code; 8] = [
    Code::YamlDuplicateKey,
    Code::MergedLists,
    Code::FileMode,
    Code::FileTwice,
    Code::UnknownKey,
    Code::LineEnds,
    Code::OpenDockerPort,
    Code::DaemonUnreachable,
];

/// A generator of random numbers (xorshift64*), so that the documents are the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Returns true once in `times` calls.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

const SCALARS: [&str; 92] = [
    "a",
    "web",
    "b c",
    "yes",
    "No",
    "~",
    "null",
    "",
    "1",
    "0644",
    "0o644",
    "1_000",
    "1:30",
    "-1",
    "+1",
    "0x1f",
    "0b1",
    "0x_",
    "1.5",
    "1.",
    ".5",
    "1e3",
    "1.0e+3",
    ".inf",
    ".nan",
    "=",
    "<<",
    "2024-01-31",
    "2024-02-30",
    "2024-02-29",
    "2023-02-29",
    "2024-13-01",
    "2024-1-1",
    "2024-01-31T10:00:00Z",
    "2024-01-31 25:00:00",
    "2024-01-31 10:00:00 +5",
    "2024-01-31T10:00",
    "123456789012345678901",
    "'a'",
    "'it''s'",
    "'a: b'",
    "\"a\"",
    "\"\\n\\t\\x41\\u00e9\"",
    "\"\\q\"",
    "\"\\ud83d\\udc33\"",
    "\"a\\\n  b\"",
    "'a\n  b'",
    "\"a",
    "'a",
    "|\n    a\n    b",
    ">-\n    a\n\n    b",
    "|2\n    a",
    "|# c\n    a",
    "| # c\n    a",
    "|0\n    a",
    "|+\n    a\n",
    "[a, b]",
    "[a,b,]",
    "[a?, b]",
    "[a, [b, {c: d}]]",
    "{a: b}",
    "{a: b, c}",
    "{a, b: }",
    "{{ a }}",
    "{a: [b}",
    "[a",
    "&x a",
    "&x [a]",
    "*x",
    "*missing",
    "&x",
    "!!str 1",
    "!!int '1'",
    "!!int a",
    "!!binary aGk=",
    "!!binary a",
    "!!bool yes",
    "!!python/tuple [a]",
    "!custom a",
    "!!set {a, b}",
    "!!omap [a: b]",
    "!!omap [a]",
    "! 1",
    "a # b",
    "a #b",
    "a: b",
    "a:b",
    "@a",
    "`a",
    "%a",
    "- a",
    "a\u{e9}\u{1f433}",
];
const FIELDS: [&str; 12] = [
    "hostname",
    "fqdn",
    "timezone",
    "packages",
    "package_update",
    "locale",
    "ssh_pwauth",
    "manage_etc_hosts",
    "final_message",
    "swap",
    "mounts",
    "ntp",
];
const BLOCKS: [&str; 16] = [
    "packages: [git, curl]\n",
    "packages:\n- git\n- [docker.io, '20.10']\n",
    "runcmd:\n- ls\n- [sh, -c, 'echo a']\n",
    "runcmd:\n  - |\n    if true; then\n      echo \"a: b\"\n    fi\n  - echo done\n",
    "bootcmd: [ls]\n",
    "users:\n- default\n- name: ops\n  groups: [docker, sudo]\n  sudo: ALL=(ALL) NOPASSWD:ALL\n",
    "write_files:\n- path: /etc/motd\n  content: |\n    hello\n      there\n  permissions: '0644'\n",
    "write_files:\n- {path: /a, content: aGVsbG8=, encoding: b64}\n- path: /b\n  content: >\n    folded\n    text\n",
    "ntp: {enabled: true, servers: [a.example, b.example]}\n",
    "x-base: &base {a: 1, b: [2]}\nx-other:\n  <<: *base\n  c: 3\n",
    "x-list: &list [a, b]\nx-copy: *list\n",
    "apt:\n  sources:\n    docker.list:\n      source: \"deb [arch=amd64] https://download.docker.com/linux/ubuntu $RELEASE stable\"\n",
    "# a comment\nhostname: web # mine\n",
    "growpart:\n  mode: auto\n  devices: ['/']\n\n\n",
    "ssh_authorized_keys:\n  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ops@example\n",
    "? timezone\n: Europe/Zurich\n",
];
const JSON: [&str; 4] = [
    "{\"runcmd\": [\"ls\"], \"packages\": [\"git\"]}\n",
    "{\n  \"hostname\": \"web\",\n  \"runcmd\": [[\"echo\", \"\\u00e9\"]]\n}\n",
    "{\n\t\"runcmd\": [\"ls\"]\n}\n",
    "{\"write_files\":[{\"path\":\"/a\",\"content\":\"x\\ty\\n\"}]}\n",
];
const SCRIPTS: [&str; 3] =
    ["#!/bin/sh\nls\n", "#!/usr/bin/env python3\nprint('a: b')\n", "#!/bin/sh\nset -eu\necho \"$1\"\n"];
const INSERTED: [&str; 34] = [
    ":", ": ", "#", " #", "&a ", "*a", "!", "? ", "-", "- ", "[", "]", "{", "}", ",", "|", ">", "'", "\"",
    "%", "@", "`", "\t", "\u{85}", "\u{2028}", "\u{e9}", "\u{7}", "\u{feff}", "\\", "\n", "\r", "---\n",
    "...\n", "=",
];

fn config(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..1 + random.below(4) {
        if random.once_in(2) {
            text += random.one(&BLOCKS);
        } else {
            text += &format!("{}: {}\n", random.one(&FIELDS), random.one(&SCALARS));
        }
    }
    match random.below(12) {
        0 => format!("---\n{text}"),
        1 => format!("{text}...\n"),
        2 => random.one(&JSON).to_owned(),
        _ => text,
    }
}

/// Changes a text in one place.
fn changed(text: &str, random: &mut Random) -> String {
    let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let at = bounds[random.below(bounds.len())];
    let (before, after) = text.split_at(at);
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let line = random.below(lines.len().max(1));
    match random.below(9) {
        0 | 1 => format!("{before}{}{after}", random.one(&INSERTED)),
        2 => format!("{before}{}", after.chars().skip(1).collect::<String>()),
        3 => format!("{before}{}", after.replacen(' ', "\t", 1)),
        4 if line < lines.len() => {
            lines.insert(line, lines[line]);
            lines.concat()
        }
        5 if line < lines.len() => {
            lines.remove(line);
            lines.concat()
        }
        6 if line < lines.len() => {
            let indented = format!("{}{}", random.one(&[" ", "  ", "\t"]), lines[line]);
            lines[line] = &indented;
            lines.concat()
        }
        7 => text.replace('\n', "\r\n"),
        8 => format!("{before}{}{after}", random.one(&SCALARS)),
        _ => text.to_owned(),
    }
}

fn changed_config(random: &mut Random) -> String {
    let mut text = config(random);
    for _ in 0..random.below(3) {
        text = changed(&text, random);
    }
    text
}

/// Lines of jinja templates whose result the judge's instance data decides in the same way as any other.
const TEMPLATE_LINES: [&str; 18] = [
    "hostname: {{ v1.local_hostname }}\n",
    "packages: [git]\n",
    "runcmd:\n{% if v1.region == 'eu' %}\n- a\n{% endif %}\n- b\n",
    "hostname: {{ v1.local_hostname\n",
    "{% for p in ['a', 'b'] %}\n{% endfor %}\n",
    "{% for p in ['locale', 'timezone'] %}\n{{ p }}: c\n{% endfor %}\n",
    "{% set a = 'b' %}\nfqdn: {{ a ~ '.example' }}\n",
    "{% include 'a' %}\n",
    "locale: {{ 1 + 'a' }}\n",
    "locale: {{ 'a' | nofilter }}\n",
    "locale: {{ v1.region | upper | default('c') }}\n",
    "{% macro m(a) %}{{ a }}: [b]{% endmacro %}\n{{ m('bootcmd') }}\n",
    "{% filter lower %}\nFQDN: A\n{% endfilter %}\n",
    "{% raw %}\nlocale: '{{ a }}'\n{% endraw %}\n",
    "write_files:\n- path: /etc/a\n  content: '{{ v1.region }}'\n",
    "runcmd: [{{ 3 * 4 }}]\n",
    "runcmd: [{% if not v1.region %}a{% else %}b{% endif %}]\n",
    "{{ 'runcmd' }}:\n",
];

fn jinja(random: &mut Random) -> String {
    let body = match random.below(8) {
        0 => format!("#!/bin/sh\necho {}\n", random.one(&["{{ ds.meta_data.instance_id }}", "{{ a", "b"])),
        1 => "hostname: {{ v1.local_hostname }}\n".to_owned(),
        _ => {
            let lines = (0..1 + random.below(3)).map(|_| random.one(&TEMPLATE_LINES)).collect::<String>();
            format!("#cloud-config\n{lines}")
        }
    };
    let first =
        random.one(&["## template: jinja", "## template: jinja", "## template:jinja", "##  Template: Jinja"]);
    format!("{first}\n{body}")
}

fn archive(random: &mut Random) -> String {
    let mut text = "#cloud-config-archive\n".to_owned();
    for _ in 0..1 + random.below(3) {
        text += random.one(&[
            "- type: text/cloud-config\n  content: |\n    packages: [git]\n",
            "- content: |\n    timezone: UTC\n",
            "- |\n  #!/bin/sh\n  ls\n",
            "- type: text/x-shellscript\n  filename: b.sh\n  content: |\n    #!/bin/sh\n    ls\n",
            "- type: text/x-shellscript\n  content: !!binary IyEvYmluL3NoCmxzCg==\n",
            "- type: text/plain\n  content: |\n    #cloud-config\n    packages: [git]\n",
            "- type: text/html\n  content: <p>\n",
            "- type: text/cloud-config\n  Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n  content: 'packages: [jq]'\n",
            "- '#cloud-config\n\n  hostname: web'\n",
            "- content: 7\n",
            "- type: text/cloud-config\n  content: \"packages: [git\"\n",
        ]);
    }
    if random.once_in(5) { changed(&text, random) } else { text }
}

fn part(random: &mut Random) -> (String, String) {
    let config =
        format!("#cloud-config\n{}", if random.once_in(3) { changed_config(random) } else { config(random) });
    let (mime, body) = match random.below(9) {
        0..=2 => ("text/cloud-config", config),
        3 => ("text/plain", config),
        4 => ("text/x-shellscript", config),
        5 => ("text/x-shellscript", random.one(&SCRIPTS).to_owned()),
        6 => ("Text/X-ShellScript", random.one(&SCRIPTS).to_owned()),
        7 => ("text/jinja2", jinja(random)),
        _ => (random.one(&["text/html", "text/plain", "text/cloud-config"]), "hostname: web\n".to_owned()),
    };
    let parameter = random.one(&["", "", "; charset=\"utf-8\"", ";\n name=\"a\""]);
    (format!("Content-Type: {mime}{parameter}\n"), body)
}

fn mime(random: &mut Random) -> String {
    let boundary = random.one(&["BB", "=_a.b", "==1=="]);
    let mut text = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n");
    for _ in 0..1 + random.below(3) {
        let (headers, body) = part(random);
        let (encoding, body) = match random.below(4) {
            0 => ("Content-Transfer-Encoding: base64\n", STANDARD.encode(&body)),
            1 => ("Content-Transfer-Encoding: 7bit\n", body),
            _ => ("", body),
        };
        let line = random.one(&["--", "--", "--", "--", "--", "--", "--", "--", " --", "-"]);
        text += &format!("{line}{boundary}\n{headers}{encoding}\n{body}\n");
    }
    text += random.one(&["--", "--", "--", "", " --"]);
    text += &format!("{boundary}--\n");
    match random.below(12) {
        0 => format!("\n{text}"),
        1 => text.replace('\n', "\r\n"),
        2 => text.replacen("\n\n", "\n", 2),
        _ => text,
    }
}

fn document(n: usize) -> String {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (n as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let random = &mut random;
    for _ in 0..8 {
        random.below(2);
    }
    match random.below(20) {
        0..=10 => format!("#cloud-config\n{}", changed_config(random)),
        11..=15 => mime(random),
        16 => jinja(random),
        17 | 18 => archive(random),
        _ => match random.below(4) {
            0 => random.one(&SCRIPTS).replace('\n', "\r\n"),
            1 => random.one(&SCRIPTS).to_owned(),
            2 => config(random),
            _ => format!("\u{feff}#cloud-config\n{}", config(random)),
        },
    }
}

/// The first problem with which cloud-init drops something.
fn reported(text: &str) -> Option<String> {
    let input = Input::File("document".into(), Secret::new(text.as_bytes().to_vec()));
    let verdict = verify(input, Scope::default(), OffsetDateTime::now_utc());
    let mut problems = verdict.problems.into_iter().filter(|problem| {
        let is_error = problem.severity == Severity::Error && !READ.contains(&problem.code);
        is_error || problem.code == Code::ContentType
    });
    problems
        .next()
        .map(|problem| format!("{}[{}] {}", problem.place.name(), problem.code.name(), problem.message))
}

/// The verdict of cloud-init on a document.
#[derive(serde::Deserialize)]
struct Judged {
    /// The reason why it refuses or drops a part of it.
    refusal: Option<String>,
    /// True if it runs the command and writes the file of [`OURS`] first.
    ours: bool,
}

/// A stand-in for hostseed's own part.
const OURS: &[u8] = b"#cloud-config\nruncmd: [ours]\nwrite_files: [{path: /ours, content: x}]\n";

/// Asks cloud-init about each document. `None` if it is not installed.
fn judged(documents: &[Vec<u8>]) -> Option<Vec<Judged>> {
    if !need_python_module("cloudinit") || !need_python_module("yaml") {
        return None;
    }
    let home = Home::new();
    let encoded: Vec<String> = documents.iter().map(|bytes| STANDARD.encode(bytes)).collect();
    let (folder, file) = (home.path().join("cloud-init"), home.path().join("documents.json"));
    fs::write(&file, serde_json::to_vec(&encoded).unwrap()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/judge.py");
    let output = run(Command::new(PYTHON).arg(script).arg(&folder).arg(&file));
    let judged: Vec<Judged> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(judged.len(), documents.len());
    Some(judged)
}

#[test]
fn verify_refuses_exactly_what_cloud_init_refuses() {
    let documents: Vec<String> = sample((0..DOCUMENTS).collect(), 16).into_iter().map(document).collect();
    let bytes: Vec<Vec<u8>> = documents.iter().map(|text| text.clone().into_bytes()).collect();
    let Some(judged) = judged(&bytes) else { return };
    let judged: Vec<Option<String>> = judged.into_iter().map(|judged| judged.refusal).collect();
    let refused = judged.iter().flatten().count();
    assert!(
        refused > judged.len() / 5 && refused < judged.len() * 4 / 5,
        "{refused} of {} refused",
        judged.len()
    );
    let pairs = documents.iter().zip(&judged).map(|(text, theirs)| (text, theirs, reported(text)));
    let differ: Vec<_> = pairs.filter(|(_, theirs, ours)| theirs.is_some() != ours.is_some()).collect();
    for (text, theirs, ours) in &differ {
        eprintln!("{text:?}\n  cloud-init: {theirs:?}\n  hostseed: {ours:?}");
    }
    eprintln!("{} disagreements over {} documents, {refused} refused", differ.len(), documents.len());
    assert!(differ.is_empty(), "{} disagreements", differ.len());
}

/// The folders of `tests/verify/foreign` state what cloud-init does. What a module ignores, and what a later part replaces, is not a
/// refusal of the reader.
#[test]
fn the_foreign_cases_state_what_cloud_init_does() {
    const DROPPED_LATER: [&str; 16] = [
        "archive-entry-with-a-merge-type-without-dict.yaml",
        "byte-order-mark-after-the-header.yaml",
        "fields-of-butane.yaml",
        "fields-of-users.yaml",
        "file-below-another-file.yaml",
        "map-replaced-by-a-later-part.mime",
        "merge-how-without-dict.yaml",
        "message-with-a-merge-type-without-dict.mime",
        "mime-merge-type-keeps-the-first-list.mime",
        "mime-merge-type-without-dict.mime",
        "mime-raw-utf8-changes-a-script.mime",
        "network-in-user-data.yaml",
        "owner-created-later.yaml",
        "owners-that-no-host-has.yaml",
        "permissions-too-large.yaml",
        "two-scripts-with-one-file-name.mime",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify/foreign");
    for (name, is_read) in [("read", true), ("dropped", false)] {
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension != "txt"));
        files.sort();
        assert!(files.len() >= 15);
        let documents: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        let Some(judged) = judged(&documents) else { return };
        for (file, Judged { refusal: theirs, .. }) in files.iter().zip(judged) {
            let name = file.file_name().unwrap().to_str().unwrap();
            assert_eq!(theirs.is_none(), is_read || DROPPED_LATER.contains(&name), "{name}: {theirs:?}");
        }
    }
}

/// Texts that can take hostseed's part away, at the top of a cloud-config.
const TAKING: [&str; 29] = [
    "runcmd:\n",
    "runcmd: [a]\n",
    "runcmd: {a: b}\n",
    "runcmd: a\n",
    "write_files:\n",
    "write_files: []\n",
    "<<: {runcmd: }\n",
    "x-a: &a {write_files: a}\n<<: *a\n",
    "\"runcmd\": ~\n",
    "? runcmd\n",
    "!!str runcmd: ~\n",
    "cloud_config_modules: [ntp]\n",
    "cloud_init_modules: [write-files]\n",
    "cloud_final_modules:\n",
    "write_files: [{path: /a, content: aGk, encoding: b64}]\n",
    "write_files: [{path: /a, content: aGk=, encoding: b64}]\n",
    "write_files: [{path: /a, content: aGk=, encoding: gz+b64}]\n",
    "write_files: [{path: /a, content: !!binary aGk=, encoding: gz}]\n",
    "write_files: [{path: /a, content: x, owner: 'a:b:c'}]\n",
    "write_files: [{path: /a, content: x, owner: root.root}]\n",
    "write_files: [{path: /a, content: x, owner: ''}]\n",
    "write_files: [{path: /a, content: \"\\ud800\"}]\n",
    "runcmd: [\"\\ud83d\\udc33\"]\n",
    "hostname: \"\\ud800\"\n",
    "write_files: [{path: /a, content: x, permissions: 99999999999}]\n",
    "write_files: [{path: /a, content: x, permissions: '0999'}]\n",
    "write_files: [{path: \"/a\\0\", content: x}]\n",
    "write_files: [{path: /a, content: x}, {path: /a/b, content: x}]\n",
    "write_files: [{path: /etc, content: x}, {path: /var/log, content: x}]\n",
];

/// Lines of jinja templates that can take hostseed's part away, or cannot.
const TAKING_IN_TEMPLATES: [&str; 30] = [
    "{{ 'runcmd:' }}\n",
    "{{ 'run' ~ 'cmd' }}: {{ v1.region }}\n",
    "{% set a = 'write_files' %}\n{{ a }}: b\n",
    "{% for k in ['runcmd', 'write_files'] %}\n{{ k }}: []\n{% endfor %}\n",
    "{% for k in ['runcmd', 'write_files'] %}\n{{ k }}: {{ v1.region }}\n{% endfor %}\n",
    "{% filter lower %}\nRUNCMD:\n{% endfilter %}\n",
    "{% macro m(a) %}{{ a }}:{% endmacro %}\n{{ m('runcmd') }}\n",
    "{% if v1.region == 'us' %}\nruncmd: ~\n{% endif %}\n",
    "{% if v1.region in ['us', 'eu'] %}\nhostname: a\n{% else %}\nruncmd: a\n{% endif %}\n",
    "{% if not v1.cloud_name %}\nwrite_files: a\n{% endif %}\n",
    "{% if v1.local_hostname is defined %}\nhostname: a\n{% else %}\nruncmd: a\n{% endif %}\n",
    "runcmd:\n{% for t in ds.meta_data.tags %}\n- echo {{ t }}\n{% endfor %}\n",
    "runcmd:\n- a\n{% for t in ds.meta_data.tags %}\n- {{ t }}\n{% endfor %}\n",
    "runcmd:\n- a\n{% for t in ds.meta_data.tags %}\n- 'b {{ t }}'\n{% endfor %}\n",
    "runcmd:\n- {{ v1.region }}\n",
    "runcmd:\n- echo {{ v1.region }}\n",
    "runcmd:\n- '{{ v1.region }}'\n",
    "runcmd:\n- [echo, {{ v1.region }}]\n",
    "runcmd: [a{% if v1.region == 'us' %}, 7{% endif %}]\n",
    "write_files:\n- path: /a\n  content: {{ v1.local_hostname }}\n",
    "write_files:\n- path: /a\n  content: \"{{ v1.local_hostname }}\"\n",
    "write_files:\n- path: {{ v1.region }}\n",
    "write_files:\n- path: /{{ v1.region }}\n  content: |\n    {{ v1.local_hostname }}\n",
    "write_files: {{ ds.meta_data.tags }}\n",
    "{{ ds.meta_data.tags[0] | default('runcmd', true) }}: a\n",
    "{% with a = 'runcmd' %}{{ a }}{% endwith %}: a\n",
    "{% set a %}runcmd: a{% endset %}\n{{ a }}\n",
    "{{ ['run', 'cmd:'] | join }}\n",
    "{{ '%s:' | format('runcmd') }}\n",
    "{% do v1.items() %}\nhostname: {{ v1.local_hostname }}\n",
];

/// A part of the user's, and its type if that is given.
fn taking(n: usize) -> (Option<&'static str>, String) {
    let mut random = Random(0x1d87_2b41_c5b3_a11f ^ (n as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let random = &mut random;
    for _ in 0..8 {
        random.below(2);
    }
    let lines = |random: &mut Random| {
        let mut text = format!(
            "{}{}",
            random.one(&TAKING),
            if random.once_in(2) { config(random) } else { String::new() }
        );
        if random.once_in(3) {
            text = changed(&text, random);
        }
        text
    };
    let indented =
        |text: &str| text.split_inclusive('\n').map(|line| format!("    {line}")).collect::<String>();
    let body = match random.below(10) {
        8 | 9 => {
            let lines =
                (0..1 + random.below(2)).map(|_| random.one(&TAKING_IN_TEMPLATES)).collect::<String>();
            let lines = if random.once_in(5) { changed(&lines, random) } else { lines };
            format!("## template: jinja\n#cloud-config\n{lines}")
        }
        0 => format!(
            "## template: jinja\n#cloud-config\n{{% if v1.region == 'eu' %}}\n{}{{% endif %}}\n",
            lines(random)
        ),
        1 => format!(
            "## template: jinja\n#cloud-config\n{}hostname: {{{{ v1.local_hostname }}}}\n",
            lines(random)
        ),
        2 => format!("#cloud-config-archive\n- content: |\n{}", indented(&lines(random))),
        3 => format!(
            "#cloud-config-archive\n- type: {}\n  content: {}\n",
            random.one(&["text/cloud-config", "shell", "7", "text/x-shellscript"]),
            random.one(&["'runcmd: '", "7", "~", "!!binary /w==", "'hostname: a'"])
        ),
        4 => archive(random),
        5 => format!(
            "#include\n{}\n",
            random.one(&[
                "https://a.example/b",
                "a b",
                "ftp://a.example",
                "http:/a",
                "/etc/a",
                "# c",
                "mailto:a"
            ])
        ),
        _ => format!("#cloud-config\n{}", lines(random)),
    };
    let types = [
        None,
        None,
        Some("text/plain"),
        Some("text/x-shellscript"),
        Some("text/x-not-multipart"),
        Some("text/cloud-config"),
    ];
    (types[random.below(types.len())], body)
}

#[test]
fn an_accepted_part_never_takes_hostseeds_part_away() {
    let generated = sample((0..DOCUMENTS).collect(), 16).into_iter().map(taking);
    let accepted: Vec<(String, Vec<u8>)> = generated
        .filter_map(|(content_type, body)| {
            let part = Part::new("part", content_type, body.clone().into_bytes()).ok()?;
            let parts = [part];
            Part::check_together(&parts).ok()?;
            Some((body, write(&parts, OURS)))
        })
        .collect();
    assert!(accepted.len() >= 20, "{}", accepted.len());
    let archives: Vec<Vec<u8>> = accepted.iter().map(|(_, archive)| archive.clone()).collect();
    let Some(judged) = judged(&archives) else { return };
    let lost: Vec<_> = accepted.iter().zip(judged).filter(|(_, judged)| !judged.ours).collect();
    for ((body, _), Judged { refusal, .. }) in &lost {
        eprintln!("{body:?}\n  {refusal:?}");
    }
    eprintln!("{} of {} parts accepted", accepted.len(), DOCUMENTS);
    assert!(lost.is_empty(), "{} parts", lost.len());
}
