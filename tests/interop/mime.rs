//! cloud-init's own code reads the multipart archive. The user's parts must arrive byte for byte, and both hostseed's and
//! the user's parts must take effect.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::support::{Home, PYTHON, need_python_module, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_yaml::Value;

/// cloud-init's result for user-data: the merged cloud-config of all parts, and the scripts that it would run.
struct Applied {
    parts: Vec<Vec<u8>>,
    config: Value,
    scripts: BTreeMap<String, Vec<u8>>,
}

/// Renders `parts` together with a machine's own parts, and processes them with cloud-init. Returns `None` if cloud-init
/// is not installed.
fn applied(parts: &[(&str, &[u8])], options: &[&str]) -> Option<Applied> {
    if !need_python_module("cloudinit") {
        return None;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let mut args = vec!["render", "web1", "--format", "mime", "-o", "user-data"];
    for (argument, bytes) in parts {
        let file = argument.split(':').next().unwrap();
        fs::write(home.path().join(file), bytes).unwrap();
        args.extend(["--part", argument]);
    }
    home.ok(&[&args[..], options].concat());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/mime/process.py");
    let folder = home.path().join("cloud-init");
    let output = run(Command::new(PYTHON).arg(script).arg(&folder).arg(home.path().join("user-data")));
    // JSON is valid YAML, and cloud-config can have numbers as keys.
    let read: Value = serde_yaml::from_slice(&output.stdout).unwrap();
    let bytes = |text: &Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
    let scripts = read["scripts"].as_mapping().unwrap().iter();
    Some(Applied {
        parts: read["parts"].as_sequence().unwrap().iter().map(bytes).collect(),
        config: read["cloud-config"].clone(),
        scripts: scripts.map(|(name, text)| (name.as_str().unwrap().to_owned(), bytes(text))).collect(),
    })
}

impl Applied {
    fn list(&self, key: &str) -> Vec<Value> {
        self.config[key].as_sequence().cloned().unwrap_or_default()
    }

    fn paths(&self) -> Vec<String> {
        self.list("write_files").iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    }

    /// Checks that all of hostseed's files are there, and that Docker is set up before any of the user's commands runs.
    #[track_caller]
    fn assert_ours(&self) {
        for file in ["ca.pem", "server.pem", "server-key.pem", "10-machine.conf"] {
            assert!(
                self.paths().contains(&format!("/var/lib/hostseed/seed/{file}")),
                "{file}: {:?}",
                self.paths()
            );
        }
        assert!(self.paths().contains(&"/usr/local/lib/hostseed/setup".to_owned()));
        let first = &self.list("runcmd")[0];
        assert!(first[2].as_str().is_some_and(|command| command.contains("hostseed/setup")), "{first:?}");
        // cc_runcmd writes a script of this name beside the others, and they are run in the order of their names.
        assert!(self.scripts.keys().all(|name| name.as_str() > "runcmd"), "{:?}", self.scripts.keys());
    }
}

const USERS: &[u8] =
    b"#cloud-config\nusers: [default, {name: ops}]\nruncmd: [[touch, /ops]]\npackages: [jq]\n";
const FILES: &[u8] =
    b"#cloud-config\nwrite_files:\n- {path: /etc/motd, content: hello}\nruncmd: [docker version]\npackages: [tree]\n";

#[test]
fn the_parts_of_hostseed_and_of_the_user_are_both_applied() {
    for options in [&[][..], &["--gzip"]] {
        let Some(applied) = applied(&[("a.yaml", FILES), ("b.yaml", USERS)], options) else { return };
        applied.assert_ours();
        assert_eq!(applied.paths().last().unwrap(), "/etc/motd");
        let theirs = serde_yaml::from_str::<Value>("[docker version, [touch, /ops]]").unwrap();
        assert_eq!(applied.list("runcmd")[1..], theirs.as_sequence().unwrap()[..]);
        assert_eq!(applied.list("packages"), ["tree", "jq"]);
        assert_eq!(applied.list("users").len(), 2);
    }
}

#[test]
fn hostseeds_part_is_applied_with_any_merge_options_of_other_parts() {
    let replaces = b"#cloud-config\nmerge_how: dict(replace)+list(replace)+str()\nruncmd: [last]\nwrite_files: [{path: /last}]\n";
    let Some(applied) = applied(&[("a.yaml", FILES), ("b.yaml", replaces)], &[]) else { return };
    applied.assert_ours();
    assert_eq!(applied.paths().last().unwrap(), "/last");
    assert!(!applied.paths().contains(&"/etc/motd".to_owned()), "as the part asks for");
    assert_eq!(applied.list("runcmd")[1..], ["last"]);
}

#[test]
fn parts_that_would_replace_hostseeds_lists_are_refused() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    for (first, second, named) in [
        ("#cloud-config\nruncmd:\n", "", "`runcmd`"),
        ("#cloud-config\nwrite_files: {}\n", "", "`write_files`"),
        ("#cloud-config\n<<: {runcmd: }\nhostname: web\n", "", "`runcmd`"),
        ("#cloud-config\nx: 123456789012345678901\nruncmd:\n", "", "`runcmd`"),
        ("## template: jinja\n#cloud-config\nhostname: web\nruncmd:\n# - ls\n", "", "`runcmd`"),
        ("#cloud-config-archive\n- {type: text/cloud-config, content: 'runcmd: '}\n", "", "`runcmd`"),
        ("#cloud-config\ncloud_config_modules:\n- ntp\n- timezone\n", "", "`cloud_config_modules`"),
        (
            "#cloud-config\nusers: [{name: a}]\nwrite_files: [{path: /b, owner: 'a:a', content: x}]\n",
            "",
            "error[part-rejected]: `--part a` gives `/b` to `a`",
        ),
        (
            "#cloud-config\nruncmd: [a]\n",
            "#cloud-config-archive\n- '#!/bin/sh'\n",
            "error[part-rejected]: `--part b` must be the first part",
        ),
    ] {
        let mut args = vec!["render", "web1", "--format", "mime", "-o", "user-data"];
        for (file, text) in [("a", first), ("b", second)].into_iter().filter(|(_, text)| !text.is_empty()) {
            fs::write(home.path().join(file), text).unwrap();
            args.extend(["--part", file]);
        }
        let error = home.fails(2, &args);
        assert!(error.contains(named), "{first}{second}: {error}");
        assert!(!home.path().join("user-data").exists());
    }
}

#[test]
fn a_given_type_does_not_hide_a_part_that_would_replace_hostseeds_list() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    fs::write(home.path().join("a"), "#cloud-config\nruncmd:\n").unwrap();
    for content_type in ["text/plain", "text/x-not-multipart", "text/x-shellscript", "text/cloud-config"] {
        let part = format!("a:{content_type}");
        let error = home.fails(2, &["render", "web1", "--format", "mime", "--part", &part]);
        assert!(error.contains("error[part-rejected]") && error.contains("`runcmd`"), "{part}: {error}");
    }
}

/// cloud-init merges a part by its first line, whatever type it has. So each part has the merge options.
#[test]
fn lists_of_parts_with_any_type_are_joined() {
    let parts: [(&str, &[u8]); 4] = [
        ("a", b"#cloud-config\npackages: [a]\n"),
        ("b:text/plain", b"#cloud-config\npackages: [b]\n"),
        ("c:text/x-shellscript", b"#cloud-config\npackages: [c]\nruncmd: [c]\n"),
        ("d:text/plain", b"#!/bin/sh\nd\n"),
    ];
    let Some(applied) = applied(&parts, &[]) else { return };
    applied.assert_ours();
    assert_eq!(applied.list("packages"), ["a", "b", "c"]);
    assert_eq!(applied.list("runcmd")[1..], ["c"]);
    assert_eq!(applied.scripts.keys().collect::<Vec<_>>(), ["script-04-d"]);
}

/// Terraform's `cloudinit_config` joins hostseed's user-data and the user's own without a merge type, in either order.
#[test]
fn archives_of_terraform_that_lose_hostseeds_lists_are_errors() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let ours = home.ok(&["render", "web1"]);
    let own = "#cloud-config\nruncmd:\n- touch /root/mine\n";
    let append = "X-Merge-Type: list(append)+dict(recurse_array)+str()\r\n";
    let archive = |parts: &[(&str, &str)]| {
        let part = |(headers, body): &(&str, &str)| {
            format!(
                "--MIMEBOUNDARY\r\nContent-Transfer-Encoding: 7bit\r\nMime-Version: 1.0\r\n{headers}\r\n{body}\r\n"
            )
        };
        let parts: String = parts.iter().map(part).collect();
        format!(
            "Content-Type: multipart/mixed; boundary=\"MIMEBOUNDARY\"\r\nMIME-Version: 1.0\r\n\r\n{parts}--MIMEBOUNDARY--\r\n"
        )
    };
    let (config, plain) = ("Content-Type: text/cloud-config\r\n", "Content-Type: text/plain\r\n");
    let merged = format!("{plain}{append}");
    for (parts, is_valid) in [
        ([(config, ours.as_str()), (config, own)], false),
        ([(config, own), (config, ours.as_str())], false),
        (
            [(config, ours.as_str()), (config, "#cloud-config\nwrite_files: [{path: /a, content: a}]\n")],
            false,
        ),
        ([(config, ours.as_str()), (config, "#cloud-config\nruncmd:\n")], false),
        ([(config, ours.as_str()), (config, "#cloud-config\npackages: [jq]\n")], true),
        ([(config, ours.as_str()), ("Content-Type: text/x-shellscript\r\n", "#!/bin/sh\nls\n")], true),
        ([(plain, ours.as_str()), (&merged, own)], true),
    ] {
        fs::write(home.path().join("user-data"), archive(&parts)).unwrap();
        let output = home.run(&["verify", "user-data"]);
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), is_valid, "{:?}: {said}", parts[1]);
    }
}

#[test]
fn a_jinja_script_runs_after_hostseeds_commands() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    fs::write(home.path().join("a.sh"), "## template: jinja\n#!/bin/sh\necho {{ v1.local_hostname }}\n")
        .unwrap();
    let archive = home.ok(&["render", "web1", "--format", "mime", "--part", "a.sh"]);
    assert!(archive.contains("filename=\"script-01-a.sh\""));
}

#[test]
fn a_script_arrives_unchanged() {
    let long = [b"#!/bin/sh\n: ".as_slice(), &[b'x'; 4000], b"\n"].concat();
    let scripts: [(&str, &[u8]); 8] = [
        ("plain.sh", b"#!/bin/sh\necho hi\n"),
        ("without-an-end.sh", b"#!/bin/sh\necho hi"),
        ("lines.sh", b"#!/bin/sh\n\n\n"),
        ("dos.sh", b"#!/bin/sh\r\necho hi\r\n"),
        ("words.sh", "#!/bin/sh\necho gr\u{fc}ezi \u{1f433}\n".as_bytes()),
        ("boundary.sh", b"#!/bin/sh\n--==hostseed==\n--==hostseed==--\n: ==hostseed-1==\nFrom me\n.\n"),
        ("long.sh", &long),
        ("a b'c.sh", b"#!/bin/sh\n"),
    ];
    let Some(applied) = applied(&scripts, &[]) else { return };
    applied.assert_ours();
    for (n, (name, bytes)) in scripts.iter().enumerate() {
        assert!(applied.parts[n] == *bytes, "{name} in the archive");
        let run = &applied.scripts.values().nth(n).unwrap()[..];
        // cloud-init itself converts DOS line endings (cloudinit/handlers/shell_script.py).
        assert!(run == *bytes || *name == "dos.sh", "{name} as it is run");
    }
    assert_eq!(applied.scripts.keys().last().unwrap(), "script-08-a-b-c.sh");
}

#[test]
fn a_given_type_overrides_the_first_line() {
    let parts: [(&str, &[u8]); 2] =
        [("a:text/cloud-config", b"packages: [jq]\n"), ("b:text/x-shellscript", b"echo hi\n")];
    let Some(applied) = applied(&parts, &[]) else { return };
    applied.assert_ours();
    assert_eq!(applied.list("packages"), ["jq"]);
    assert_eq!(applied.scripts["script-02-b"], b"echo hi\n");
}
