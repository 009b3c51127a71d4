//! Tests the process itself: core dumps must not contain private keys, and a clock that is certainly wrong is not used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Home, files_below, is_printed, need, need_root, run, skip};

/// A process's soft and hard limit of core dumps, from the kernel.
fn core_limit(process: u32) -> Option<[String; 2]> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"))?;
    let mut words = line.split_whitespace().map(str::to_owned);
    Some([words.next()?, words.next()?])
}

/// A command that waits for standard input, started with the highest possible limit of core dumps.
fn waiting(home: &Home, args: &[&str]) -> Child {
    let plain = home.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -c \"$(ulimit -H -c)\" && exec \"$@\"", "sh"]);
    command.arg(plain.get_program()).args(args).env("HOME", home.path()).current_dir(home.path());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn no_command_leaves_a_core_dump() {
    // If core dumps are disabled on this computer, the test shows nothing.
    let own = core_limit(std::process::id()).unwrap();
    if own[1] == "0" && !skip("a limit of core dumps above 0") {
        return;
    }
    let home = Home::new();
    for args in [&["create", "-f", "-"][..], &["external"], &["verify", "-"], &["bake", "-f", "-"]] {
        let mut child = waiting(&home, args);
        let begin = Instant::now();
        // The shell needs a moment to start the command.
        let limit = loop {
            let limit = core_limit(child.id());
            if limit == Some(["0".to_owned(), "0".to_owned()]) || begin.elapsed() > Duration::from_secs(60) {
                break limit;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let status = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(limit, Some(["0".to_owned(), "0".to_owned()]), "{args:?}");
        assert!(status.is_none(), "{args:?} has ended");
    }
}

/// An account without an entry in the user database, as in a container, has no home folder except `HOME`.
#[test]
fn a_missing_home_folder_is_an_error() {
    if !(need_root() && need("setpriv")) {
        return;
    }
    // Other users than root cannot enter the build folder.
    let home = Home::new();
    let program = home.path().join("hostseed");
    // A separate process copies it: a program that a child of another test still has open for writing cannot be run.
    run(Command::new("cp").arg(env!("CARGO_BIN_EXE_hostseed")).arg(&program));
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid=54321", "--regid=54321", "--clear-groups"]).arg(program).arg("ls");
    let output =
        setpriv.env_remove("HOME").env_remove("MACHINE_STORAGE_PATH").current_dir("/").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("error[no-home]: "), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}

/// Runs a command with the clock set to `at`, in UTC.
fn at(home: &Home, at: &str, args: &[&str], input: &str) -> (Option<i32>, String) {
    fs::write(home.path().join("input"), input).unwrap();
    let plain = home.command(args);
    let mut command = Command::new("faketime");
    command.arg(at).arg(plain.get_program()).args(args).env("TZ", "UTC").env("HOME", home.path());
    command.env_remove("MACHINE_STORAGE_PATH").current_dir(home.path());
    let output = command.stdin(fs::File::open(home.path().join("input")).unwrap()).output().unwrap();
    fs::remove_file(home.path().join("input")).unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_clock_before_the_release_is_an_error() {
    if !need("faketime") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    home.ok(&["render", "web1", "-o", "seed"]);
    let before = files_below(home.path());
    let query = r#"{"name": "web2", "addresses": "203.0.113.7"}"#;
    let spec = "name: web2\naddress: 203.0.113.7\n";
    for when in ["2026-10-31 23:59:50", "1970-01-01 00:00:10"] {
        for (args, input) in [
            (&["create", "web2", "--address", "203.0.113.7"][..], ""),
            (&["create", "-f", "-"], spec),
            (&["external"], query),
            (&["verify", "seed"], ""),
        ] {
            let (status, said) = at(&home, when, args, input);
            assert_eq!(status, Some(1), "{args:?}: {said}");
            assert!(
                said.starts_with("error[clock-too-early]: this computer's clock shows ")
                    && said.contains(&when[..10]),
                "{said}"
            );
            assert!(said.contains("\nhint: "), "{said}");
            assert_eq!(files_below(home.path()), before, "{args:?}: something was written");
        }
        // Commands that neither make nor verify certificates still work.
        for args in
            [&["env", "web1"][..], &["url", "web1"], &["ls"], &["render", "web1"], &["config", "web1"]]
        {
            let (status, said) = at(&home, when, args, "");
            assert_eq!(status, Some(0), "{args:?}: {said}");
        }
    }
    let (status, said) = at(&home, "2026-11-01 00:00:00", &["external"], query);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn certificates_that_expire_are_noted_and_expired_ones_are_not_rendered() {
    if !need("faketime") {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    home.ok(&["create", "web2", "--quiet"]);
    let query = r#"{"name": "web1", "addresses": "203.0.113.7"}"#;
    let accepting = r#"{"name": "web1", "addresses": "203.0.113.7", "allow_expired": "true"}"#;
    let commands: [(&[&str], &str); 4] = [
        (&["env", "web1"], ""),
        (&["config", "web1"], ""),
        (&["render", "web1"], ""),
        (&["external"], query),
    ];
    for (args, input) in commands {
        let (status, said) = at(&home, "+690 days", args, input);
        assert_eq!((status, said.as_str()), (Some(0), ""), "{args:?}");
        let (status, said) = at(&home, "+705 days", args, input);
        assert_eq!(status, Some(0), "{args:?}: {said}");
        assert!(
            said.starts_with("note: the server certificate and the client certificate of `web1` expire on ")
                && said.contains("; make new ones:\n  ")
                && said.ends_with("/hostseed renew web1\n")
                && said.lines().count() == 2,
            "{args:?}: {said}"
        );
    }
    for (args, input) in commands {
        let (status, said) = at(&home, "+731 days", args, input);
        let told = "the server certificate and the client certificate of `web1` expired on ";
        if matches!(args[0], "env" | "config") {
            assert_eq!(status, Some(0), "{args:?}: {said}");
            assert!(said.starts_with(&format!("note: {told}")), "{args:?}: {said}");
        } else {
            assert_eq!(status, Some(1), "{args:?}: {said}");
            assert!(said.starts_with(&format!("error[certificate-time]: {told}")), "{args:?}: {said}");
        }
    }
    for (args, input) in [(&["render", "web1", "--allow-expired"][..], ""), (&["external"], accepting)] {
        let (status, said) = at(&home, "+731 days", args, input);
        assert_eq!(status, Some(0), "{args:?}: {said}");
        assert!(said.contains(" expired on "), "{args:?}: {said}");
    }
    let (status, said) = at(&home, "+731 days", &["render", "web2"], "");
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("the boot issuer's certificate and the client certificate of `web2` expired"),
        "{said}"
    );
    // A record without certificates, which Docker Machine can leave, can still be used.
    for file in ["ca.pem", "cert.pem", "server.pem"] {
        fs::remove_file(home.machine("web1").join(file)).unwrap();
    }
    let (status, said) = at(&home, "+731 days", &["env", "web1"], "");
    assert_eq!((status, said.as_str()), (Some(0), ""));
}

#[test]
fn endless_input_is_refused() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    let config = home.machine("web1").join("config.json");
    let before = fs::read(&config).unwrap();
    fs::File::options().write(true).open(&config).unwrap().set_len(1 << 40).unwrap();
    let stderr = home.fails(1, &["url", "web1"]);
    let expected =
        format!("error[unreadable-file] cannot read `{}`: it has more than 1048576 bytes", config.display());
    assert!(is_printed(&stderr, &expected), "{stderr}");
    fs::write(&config, before).unwrap();
    for (args, status, told) in [
        (&["create", "-f", "/dev/zero"][..], 2, "error[spec-too-large] more than 1048576 bytes"),
        (&["bake", "-f", "-"], 2, "error[spec-too-large] more than 1048576 bytes"),
        (&["external"], 2, "error[query-json] more than 1048576 bytes"),
        (
            &["render", "web1", "--format", "mime", "--part", "/dev/zero"],
            2,
            "error[unreadable-file] more than 67108864 bytes",
        ),
        (
            &["render", "web1", "--format", "ignition", "--merge", "/dev/zero"],
            2,
            "error[unreadable-file] more than 67108864 bytes",
        ),
    ] {
        let mut command = home.command(args);
        let output = command.stdin(fs::File::open("/dev/zero").unwrap()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
        assert!(is_printed(&stderr, told), "{args:?}: {stderr}");
    }
}
