//! Tests the configs with Ignition itself. Its validator must find no problem, and its `files` stage must create the
//! files of the case's golden tree.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostseed::diag::{Code, Severity};
use hostseed::verify;

use crate::support::extent::is_full;
use crate::support::{Home, files_below, mode, need, need_root, run, skip, snapshot};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Debian's Ignition, which is only packaged for dracut.
const IGNITION: &str = "/usr/lib/dracut/modules.d/30ignition/ignition";
/// The name of specification 3.4.0 in Ignition before its release 2.14. The fields that hostseed uses are the same in
/// both.
const EXPERIMENTAL: &str = "3.4.0-experimental";

/// The golden cases that contain a config.
fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let cases = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<_> = cases.filter(|case| case.join("config.ign").exists()).collect();
    assert!(cases.len() >= 2);
    cases
}

/// Adapts a config to the installed version of Ignition.
fn for_this_ignition(config: &str, dir: &Path) -> PathBuf {
    let mut json: Value = serde_json::from_str(config).unwrap();
    assert_eq!(json["ignition"]["version"], "3.4.0");
    json["ignition"]["version"] = EXPERIMENTAL.into();
    let path = dir.join("config.ign");
    fs::write(&path, json.to_string()).unwrap();
    path
}

/// Applies a config to an empty root folder and returns the folder.
fn apply(config: &Path, dir: &Path) -> PathBuf {
    let root = dir.join("root");
    // Debian's Ignition sets SELinux labels, which this system does not have.
    fs::create_dir_all(root.join("etc/selinux")).unwrap();
    fs::write(root.join("etc/selinux/config"), "SELINUXTYPE=none\n").unwrap();
    fs::write(dir.join("setfiles"), "#!/bin/sh\ncat >/dev/null\n").unwrap();
    fs::set_permissions(dir.join("setfiles"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    for stage in ["fetch", "files"] {
        let mut ignition = Command::new(IGNITION);
        ignition.args(["--platform=file", "--log-to-stdout"]).arg(format!("--stage={stage}"));
        ignition.arg(format!("--root={}", root.display()));
        for (option, file) in
            [("config-cache", "cache.json"), ("neednet", "neednet"), ("state-file", "state")]
        {
            ignition.arg(format!("--{option}={}", dir.join(file).display()));
        }
        run(ignition.env("IGNITION_CONFIG_FILE", config).env("PATH", &path));
    }
    root
}

fn has_ignition() -> bool {
    (Path::new(IGNITION).exists() || skip("Ignition")) && need_root()
}

#[test]
fn ignition_validate_accepts_the_config() {
    if !need("ignition-validate") {
        return;
    }
    for case in cases() {
        let dir = tempfile::tempdir().unwrap();
        let config = fs::read_to_string(case.join("config.ign")).unwrap();
        run(Command::new("ignition-validate").arg(for_this_ignition(&config, dir.path())));
    }
}

#[test]
fn ignition_writes_the_files_of_the_golden_tree() {
    if !has_ignition() {
        return;
    }
    for case in cases() {
        let dir = tempfile::tempdir().unwrap();
        let config = fs::read_to_string(case.join("config.ign")).unwrap();
        // SSH keys need a root folder with users.
        let merges = config.contains("\"merge\"");
        let config = if merges { without_merged(&config) } else { config };
        let root = apply(&for_this_ignition(&config, dir.path()), dir.path());
        let golden = case.join("host");
        let files = files_below(&golden).into_iter().map(|kept| snapshot::file_of(&kept));
        for file in files {
            let got = root.join(&file);
            assert_eq!(fs::read(&got).unwrap(), snapshot::read(&golden.join(&file)), "{}", got.display());
            let modes = fs::read_to_string(case.join("modes")).unwrap();
            let line = format!("{:04o} host/{}\n", mode(&got), file.display());
            assert!(modes.contains(&line), "{line}");
        }
        let preset = fs::read_to_string(root.join("etc/systemd/system-preset/20-ignition.preset")).unwrap();
        for unit in ["docker.service", "docker.socket"] {
            assert!(preset.contains(&format!("enable {unit}\n")), "{preset}");
        }
    }
}

fn without_merged(config: &str) -> String {
    let mut json: Value = serde_json::from_str(config).unwrap();
    json["ignition"].as_object_mut().unwrap().remove("config");
    json.to_string()
}

#[test]
fn a_config_of_the_user_is_merged_byte_for_byte() {
    if !has_ignition() {
        return;
    }
    let home = Home::new();
    let theirs = r#"{"ignition": {"version": "3.3.0"},
  "storage": {"files": [{"path": "/etc/motd", "mode": 420, "contents": {"source": "data:,hello%20there"}}]},
  "systemd": {"units": [{"name": "docker.service", "dropins": [{"name": "05-theirs.conf", "contents": "[Service]\nNice=5\n"}]}]}}"#;
    fs::write(home.path().join("theirs.ign"), theirs).unwrap();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let config = home.ok(&["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
    let root = apply(&for_this_ignition(&config, home.path()), home.path());
    assert_eq!(fs::read_to_string(root.join("etc/motd")).unwrap(), "hello there");
    let drop_ins = files_below(&root.join("etc/systemd/system/docker.service.d"));
    assert_eq!(drop_ins, ["05-theirs.conf", "10-machine.conf"].map(PathBuf::from));
    assert_eq!(
        fs::read(root.join("etc/docker/server-key.pem")).unwrap(),
        fs::read(home.machine("web1").join("server-key.pem")).unwrap()
    );
}

#[test]
fn a_config_that_replaces_hostseeds_files_is_refused() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let config = |rest: &str| format!(r#"{{"ignition": {{"version": "3.4.0"}}, {rest}}}"#);
    let unit = |unit: &str| config(&format!(r#""systemd": {{"units": [{unit}]}}"#));
    for (theirs, named) in [
        (config(r#""storage": {"files": [{"path": "/etc/docker/ca.pem"}]}"#), "/etc/docker/ca.pem"),
        (
            config(r#""storage": {"links": [{"path": "/etc/docker/server.pem", "target": "x"}]}"#),
            "/etc/docker/server.pem",
        ),
        (config(r#""storage": {"links": [{"path": "/etc/docker", "target": "/srv"}]}"#), "/etc/docker"),
        (config(r#""storage": {"files": [{"path": "/etc//docker/ca.pem"}]}"#), "/etc//docker/ca.pem"),
        (unit(r#"{"name": "docker.service", "enabled": false}"#), "docker.service"),
        (unit(r#"{"name": "docker.socket", "mask": true}"#), "docker.socket"),
        (
            unit(r#"{"name": "docker.service", "dropins": [{"name": "10-machine.conf", "contents": ""}]}"#),
            "10-machine.conf",
        ),
    ] {
        fs::write(home.path().join("theirs.ign"), &theirs).unwrap();
        let error = home.fails(1, &["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
        assert!(error.contains(named), "{theirs}: {error}");
    }
    for (theirs, named) in [
        ("", "error[part-rejected]: `--merge theirs.ign` is not valid JSON"),
        (r#"{"ignition": {"version": "3.x"}}"#, "must have version 3 of Ignition's specification, got `3.x`"),
        ("{}", "no `ignition.version`"),
        (
            r#"{"ignition": {"version": "2.3.0"}}"#,
            "must have version 3 of Ignition's specification, got `2.3.0`",
        ),
        ("variant: flatcar\nversion: 1.0.0\n", "butane"),
    ] {
        fs::write(home.path().join("theirs.ign"), theirs).unwrap();
        let error = home.fails(2, &["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
        assert!(error.contains(named), "{theirs}: {error}");
    }
}

#[test]
fn only_a_config_that_breaks_the_host_is_refused() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let config = |rest: String| format!(r#"{{"ignition": {{"version": "3.4.0"}}, {rest}}}"#);
    let drop_in = |unit: &str, name: &str, contents: &str| {
        let drop_in = format!(r#"{{"name": "{name}", "contents": "{contents}"}}"#);
        config(format!(r#""systemd": {{"units": [{{"name": "{unit}", "dropins": [{drop_in}]}}]}}"#))
    };
    let file = |path: &str, contents: &str| {
        let source = format!(r#"{{"source": "data:;base64,{}"}}"#, STANDARD.encode(contents));
        config(format!(r#""storage": {{"files": [{{"path": "{path}", "contents": {source}}}]}}"#))
    };
    let exec = "[Service]\nExecStart=\nExecStart=dockerd -H fd://\n";
    for (theirs, named) in [
        (
            drop_in("docker.service", "20-x.conf", r"[Service]\nExecStart =\nExecStart = dockerd -H fd://\n"),
            "ExecStart",
        ),
        (file("/etc/systemd/system/docker.service.d/zz.conf", exec), "ExecStart"),
        (file("/etc/docker/daemon.json", r#"{"hosts": ["fd://"]}"#), "`hosts`"),
    ] {
        fs::write(home.path().join("theirs.ign"), &theirs).unwrap();
        let error = home.fails(2, &["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
        assert!(error.contains(named), "{theirs}: {error}");
    }
    for theirs in [
        drop_in("docker.service", "20-x.conf", r"[Service]\n# ExecStart=dockerd\nNice=5\n"),
        drop_in("docker.socket", "10-machine.conf", r"[Socket]\nSocketMode=0666\n"),
        config(r#""storage": {"directories": [{"path": "/etc/docker", "mode": 493}]}"#.into()),
    ] {
        fs::write(home.path().join("theirs.ign"), &theirs).unwrap();
        home.ok(&["render", "web1", "--format", "ignition", "--merge", "theirs.ign"]);
    }
}

#[test]
fn options_that_ignition_does_not_support_are_refused() {
    let home = Home::new();
    for (n, options) in [
        &["--docker", "official"][..],
        &["--docker-version", "28.0.4"],
        &["--docker-channel", "test"],
        &["--engine-install-url", "https://example.com/install"],
    ]
    .iter()
    .enumerate()
    {
        let name = format!("web{n}");
        home.ok(&[&["create", &name, "--quiet", "--address", "203.0.113.7"], *options].concat());
        let error = home.fails(1, &["render", &name, "--format", "ignition"]);
        let field = options[0].trim_start_matches('-');
        assert!(error.contains(&format!("`{field}` has no effect with Ignition")), "{error}");
    }
}

/// A generator of configs: each choice is a number of a fixed sequence, so that the same configs are judged in each run.
struct Choices(u64);

impl Choices {
    /// A number below `n` (Knuth's linear congruential generator).
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// Often the first one, which is valid.
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        if self.below(3) > 0 { of[0] } else { of[self.below(of.len())] }
    }

    /// The fields of a map, each with a value or left out.
    fn map(&mut self, fields: &[(&str, &[&str])]) -> String {
        let mut written = Vec::new();
        for (name, values) in fields {
            if self.below(3) > 0 {
                written.push(format!("\"{name}\": {}", self.one(values)));
            }
        }
        format!("{{{}}}", written.join(", "))
    }

    fn list(&mut self, item: impl Fn(&mut Self) -> String) -> String {
        let items: Vec<String> = (0..self.below(3)).map(|_| item(self)).collect();
        format!("[{}]", items.join(", "))
    }

    fn config(&mut self) -> String {
        const PATHS: &[&str] = &[
            r#""/a""#,
            r#""/a/b""#,
            r#""/c""#,
            r#""/d""#,
            r#""/e""#,
            r#""/f/g""#,
            r#""a""#,
            r#""/a/""#,
            r#""/a//b""#,
            "7",
        ];
        const BOOLS: &[&str] = &["true", "false", "true", "false", "null", r#""true""#];
        const SOURCES: &[&str] = &[
            r#""data:,a""#,
            r#""data:,a%20b""#,
            r#""data:;base64,aGVsbG8=""#,
            r#""https://example.com/a""#,
            r#""data:text/plain;charset=utf-8,a""#,
            r#""data:;base64,aGVsbG8""#,
            r#""data:,a b""#,
            r#""hello""#,
            r#""ftp://a""#,
            r#""gs://a/b""#,
            r#""s3://a/b?versionId=""#,
            r#""data:a,b""#,
            r#""""#,
            "null",
            r#""data:;charset=,a""#,
            r#""data:,%zz""#,
            r#""http://[::1""#,
        ];
        const UNITS: &[&str] =
            &[r#""a.service""#, r#""b.timer""#, r#""c.socket""#, r#""d""#, r#""e.conf""#, r#""f.mount""#];
        const TEXTS: &[&str] = &[
            r#""[Unit]\nA=b\n""#,
            r#""[Service]\nExecStart=a \\\n  b\n""#,
            r##""# c\n[Unit]\n""##,
            r#""[Unit""#,
            r#""[Unit] x\n""#,
            r#""[Unit]\na\n""#,
            r#""a""#,
            r#""""#,
            r#""[Unit]\na""#,
            "null",
            r#""[Unit]\n# c \\\n x\nA=b""#,
        ];
        let resource = |this: &mut Self| {
            let hash = format!("{{\"hash\": \"sha512-{}\"}}", "0".repeat(128));
            let short = format!("{{\"hash\": \"sha256-{}\"}}", "0".repeat(64));
            this.map(&[
                ("source", SOURCES),
                ("compression", &[r#""gzip""#, r#""""#, "null", r#""xz""#]),
                ("verification", &["{}", &hash, &short, r#"{"hash": "md5-0"}"#]),
                ("httpHeaders", &["[]", "[]", r#"[{"name": "a", "value": "b"}]"#, r#"[{"name": ""}]"#]),
            ])
        };
        let node = |this: &mut Self, more: &[(&str, &[&str])]| {
            let fields: &[(&str, &[&str])] = &[
                ("path", PATHS),
                ("overwrite", BOOLS),
                ("mode", &["420", "384", "0", "4096", "-1", r#""0644""#, "493"]),
                (
                    "user",
                    &[
                        r#"{"id": 0}"#,
                        r#"{"name": "a"}"#,
                        r#"{"id": 0, "name": "a"}"#,
                        r#"{"id": 0, "name": ""}"#,
                        "{}",
                    ],
                ),
            ];
            this.map(&[fields, more].concat())
        };
        let file = |this: &mut Self| {
            let contents = resource(this);
            let appended = this.list(resource);
            node(this, &[("contents", &[&contents, "{}"]), ("append", &[&appended])])
        };
        let dropin = |this: &mut Self| {
            this.map(&[("name", &[r#""a.conf""#, r#""b.conf""#, r#""c""#]), ("contents", TEXTS)])
        };
        let unit = |this: &mut Self| {
            let dropins = this.list(dropin);
            this.map(&[
                ("name", UNITS),
                ("contents", TEXTS),
                ("enabled", BOOLS),
                ("mask", BOOLS),
                ("dropins", &[&dropins]),
            ])
        };
        let partition = |this: &mut Self| {
            this.map(&[
                ("number", &["0", "1", "2"]),
                ("label", &[r#""b""#, r#""a""#, r#""a:b""#]),
                ("startMiB", &["0", "1", "10"]),
                ("sizeMiB", &["0", "5", "20"]),
                ("shouldExist", BOOLS),
                ("guid", &[r#""""#, r#""0FC63DAF-8483-4772-8E79-3D69D8477DE4""#, r#""x""#]),
            ])
        };
        let disk = |this: &mut Self| {
            let partitions = this.list(partition);
            this.map(&[
                ("device", &[r#""/dev/sda""#, r#""/dev/sdb""#, r#""sda""#]),
                ("wipeTable", BOOLS),
                ("partitions", &[&partitions]),
            ])
        };
        let filesystem = |this: &mut Self| {
            this.map(&[
                ("device", &[r#""/dev/a""#, r#""/dev/b""#, r#""b""#]),
                ("format", &[r#""ext4""#, r#""xfs""#, r#""zfs""#, r#""none""#]),
                ("path", &[r#""/a""#, r#""a""#]),
                ("label", &[r#""a""#, r#""abcdefghijklm""#]),
                ("mountOptions", &["[]", r#"["a", "a"]"#]),
            ])
        };
        let raid = |this: &mut Self| {
            this.map(&[
                ("name", &[r#""a""#, r#""b""#]),
                ("level", &[r#""raid1""#, r#""raid0""#, r#""x""#]),
                ("spares", &["0", "1"]),
                ("devices", &[r#"["/dev/a", "/dev/b"]"#, "[]", r#"["/dev/a", "/dev/a"]"#, r#"["a"]"#]),
            ])
        };
        let luks = |this: &mut Self| {
            this.map(&[
                ("name", &[r#""a""#, r#""a/b""#]),
                ("device", &[r#""/dev/a""#, r#""a""#]),
                (
                    "clevis",
                    &[
                        "{}",
                        r#"{"tpm2": true}"#,
                        r#"{"custom": {"pin": "tang", "config": "{}"}}"#,
                        r#"{"custom": {"pin": "x", "config": "{}"}}"#,
                        r#"{"tang": [{"url": "https://a", "thumbprint": "b"}]}"#,
                        r#"{"tang": [{"url": "a"}]}"#,
                    ],
                ),
            ])
        };
        let link =
            |this: &mut Self| node(this, &[("target", &[r#""/a""#, r#""/c""#, r#""""#]), ("hard", BOOLS)]);
        let user = |this: &mut Self| {
            this.map(&[
                ("name", &[r#""core""#, r#""a""#]),
                ("sshAuthorizedKeys", &["[]", r#"["a"]"#, r#"["a", "a"]"#, r#""a""#]),
                ("groups", &["[]", r#"["a", "b"]"#]),
                ("uid", &["7", r#""7""#]),
            ])
        };
        // Only one kind in a config, because most configs with all of them have an error.
        let body = match self.below(12) {
            0 | 1 => format!(r#""storage": {{"files": {}}}"#, self.list(file)),
            2 => format!(r#""systemd": {{"units": {}}}"#, self.list(unit)),
            3 => format!(r#""storage": {{"disks": {}}}"#, self.list(disk)),
            4 => format!(r#""storage": {{"filesystems": {}}}"#, self.list(filesystem)),
            5 => format!(r#""storage": {{"raid": {}}}"#, self.list(raid)),
            6 => format!(r#""storage": {{"luks": {}}}"#, self.list(luks)),
            7 => format!(
                r#""storage": {{"links": {}, "directories": {}, "files": {}}}"#,
                self.list(link),
                self.list(|this| node(this, &[])),
                self.list(|this| node(this, &[]))
            ),
            8 => format!(r#""passwd": {{"users": {}}}"#, self.list(user)),
            9 => format!(
                r#""kernelArguments": {}"#,
                self.map(&[
                    ("shouldExist", &[r#"["a"]"#, r#"["a", "a"]"#, "7"]),
                    ("shouldNotExist", &[r#"["a"]"#, r#"["b"]"#])
                ])
            ),
            10 => self
                .one(&[
                    r#""storage": []"#,
                    r#""systemd": {"units": {}}"#,
                    r#""passwd": null"#,
                    r#""unknown": 1"#,
                    r#""storage": {"files": {"path": "/a"}}"#,
                ])
                .to_owned(),
            _ => format!(r#""storage": {{"files": [{{"path": "/a", "contents": {}}}]}}"#, resource(self)),
        };
        let merge = match self.below(6) {
            0 => format!(r#", "config": {{"merge": {}}}"#, self.list(resource)),
            1 => format!(
                r#", "proxy": {}"#,
                self.map(&[
                    ("httpProxy", &[r#""http://a""#, r#""a""#]),
                    ("noProxy", &["[]", r#"["a", "a"]"#])
                ])
            ),
            _ => String::new(),
        };
        let version = self.one(&[
            "3.3.0",
            "3.0.0",
            "3.1.0",
            "3.2.0",
            "3.3.0",
            "3.3.0",
            "3.3.0",
            "3.3.0",
            "3.3.0",
            "3.4.0-experimental",
            "3.9.0",
            "3.3",
            "1.0.0",
        ]);
        format!(r#"{{"ignition": {{"version": "{version}"{merge}}}, {body}}}"#)
    }
}

/// `ignition-validate` and `verify` agree on which configs are refused. `verify` also has errors of its own, about modes, content and
/// private keys, so only its code for a config that Ignition refuses counts.
#[test]
fn what_ignition_refuses_is_refused() {
    if !need("ignition-validate") {
        return;
    }
    let home = Home::new();
    let mut choices = Choices(11);
    let (mut refused, mut wrong) = (0, Vec::new());
    let count = if is_full() { 2000 } else { 120 };
    for _ in 0..count {
        let config = choices.config();
        fs::write(home.path().join("c.ign"), &config).unwrap();
        let judge = Command::new("ignition-validate").arg(home.path().join("c.ign")).output().unwrap();
        let verdict = verify::verify(
            verify::Input::File("c.ign".into(), hostseed::secret::Secret::new(config.clone().into_bytes())),
            verify::Scope::default(),
            time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(21_000),
        );
        let errors: Vec<&str> = verdict
            .problems
            .iter()
            .filter(|problem| problem.code == Code::IgnitionConfig && problem.severity == Severity::Error)
            // The merged configs and what they contain are not read by ignition-validate.
            .filter(|problem| !problem.place.name().contains("ignition.config"))
            .map(|problem| problem.message.as_str())
            .collect();
        refused += usize::from(!errors.is_empty());
        if judge.status.success() != errors.is_empty() {
            let said =
                String::from_utf8_lossy(&judge.stdout).into_owned() + &String::from_utf8_lossy(&judge.stderr);
            wrong.push(format!("{config}\n  ignition-validate: {said}\n  verify: {errors:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused > count / 4 && refused < count * 3 / 4, "{refused} of {count} are refused");
}
