//! Compares `env`, `config`, `url` and `ip` with Docker Machine's output, and evaluates them in real shells.
//!
//! `tests/cli/docker-machine/` contains Docker Machine's output for a user at `/home/user`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::extent::is_full;
use crate::support::{Home, is_printed, need, run};

const VARIABLES: [&str; 4] = ["DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"];
const RECORDED: [&str; 10] =
    ["bash", "sh", "zsh", "dash", "ksh", "fish", "powershell", "cmd", "tcsh", "emacs"];
/// Shells to test if they are installed, each with two ways to evaluate a command's output: one that keeps every
/// character, and the one in Docker Machine's hint.
const SHELLS: [(&str, &str, &str); 7] = [
    ("bash", "eval \"$(CMD)\"", "eval $(CMD)"),
    ("sh", "eval \"$(CMD)\"", "eval $(CMD)"),
    ("dash", "eval \"$(CMD)\"", "eval $(CMD)"),
    ("zsh", "eval \"$(CMD)\"", "eval $(CMD)"),
    ("ksh", "eval \"$(CMD)\"", "eval $(CMD)"),
    ("fish", "CMD | source", "eval (CMD)"),
    ("tcsh", "eval `CMD`", "eval `CMD`"),
];

/// Docker Machine's output, adapted to this home folder and this program's name.
fn recording(home: &Home, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/docker-machine").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = text
        .replace("/home/user/", &format!("{}/", home.path().display()))
        .replace("docker-machine ", "hostseed ");
    // hostseed's hint quotes the output, because a value can contain spaces and patterns.
    match text.rsplit_once("# eval $(") {
        Some((before, command)) => format!("{before}# eval \"$({}\"\n", command.trim_end()),
        None => text,
    }
}

/// A home folder with a machine.
fn home(options: &[&str]) -> Home {
    let home = Home::new();
    home.ok(&[&["create", "web1", "--quiet"], options].concat());
    home
}

const ADDRESS: [&str; 2] = ["--address", "203.0.113.7"];

/// A command that finds hostseed by its name in the path, as a user's does.
pub fn program(home: &Home, program: &str, args: &[&str]) -> Command {
    let ours = home.command(&[]);
    let mut command = Command::new(program);
    command.args(args).current_dir(home.path()).stdin(Stdio::null());
    for (name, value) in ours.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_hostseed")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([binary.to_owned()].into_iter().chain(std::env::split_paths(&path)));
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.env("PATH", path.unwrap()).env("XDG_CONFIG_HOME", home.path()).env("LC_ALL", "C.UTF-8");
    command
}

/// The output of a command line that calls hostseed by its name.
fn typed(home: &Home, line: &str) -> String {
    String::from_utf8(run(&mut program(home, "sh", &["-c", line])).stdout).unwrap()
}

/// A command that runs a script in a shell without startup files.
fn shell(home: &Home, name: &str, script: &str) -> Command {
    let flags: &[&str] = match name {
        "zsh" | "tcsh" => &["-f", "-c"],
        "bash" => &["--norc", "-c"],
        "fish" => &["--no-config", "-c"],
        _ => &["-c"],
    };
    program(home, name, &[flags, &[script]].concat())
}

fn stdout(output: Output) -> String {
    String::from_utf8(output.stdout).unwrap()
}

/// The environment variables of a child process after `script`, one line for each variable that is set.
fn environment_after(home: &Home, name: &str, script: &str) -> Vec<String> {
    let names = VARIABLES.join("|");
    let script =
        format!("{script}\nenv -0 | tr '\\n\\0' '?\\n' | grep -E '^({names}|NO_PROXY|no_proxy)=' | sort");
    // The status is grep's in some shells, and 1 when nothing is set.
    let output = shell(home, name, &script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}: {script}");
    stdout(output).lines().map(str::to_owned).collect()
}

fn wanted(store: &Path) -> Vec<String> {
    vec![
        format!("DOCKER_CERT_PATH={}/machines/web1", store.display()),
        "DOCKER_HOST=tcp://203.0.113.7:2376".into(),
        "DOCKER_MACHINE_NAME=web1".into(),
        "DOCKER_TLS_VERIFY=1".into(),
    ]
}

#[test]
fn env_prints_docker_machines_output_for_each_shell() {
    let home = home(&ADDRESS);
    for name in RECORDED {
        let env = |line: &str| typed(&home, &format!("hostseed env {line}"));
        assert_eq!(env(&format!("--shell {name} web1")), recording(&home, &format!("env/{name}")));
        assert_eq!(env(&format!("--unset --shell {name}")), recording(&home, &format!("env/{name}.unset")));
        let no_proxy = env(&format!("--no-proxy --shell {name} web1"));
        assert_eq!(no_proxy, recording(&home, &format!("env/{name}.no-proxy")));
    }
}

/// A folder with a `docker` that prints where it would connect to, in front of the path.
fn with_docker(home: &Home, command: &mut Command) {
    let bin = home.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("docker"), "#!/bin/sh\necho \"$1 $DOCKER_HOST $DOCKER_CERT_PATH\"\n").unwrap();
    run(Command::new("chmod").arg("755").arg(bin.join("docker")));
    let path = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path)));
    command.env("PATH", path.unwrap());
}

#[test]
fn the_last_step_of_create_connects_in_the_users_shell() {
    let stores = [".docker/machine", "a store", "it's $HOME \\ !", "`now`"];
    for (n, store) in stores.into_iter().enumerate() {
        for (m, (name, ..)) in SHELLS.into_iter().enumerate() {
            // In tcsh no quotes protect a backquote in the output of a command.
            let is_impossible = store.contains('`') && name == "tcsh";
            let is_sampled = is_full() || (n + m).is_multiple_of(stores.len() - 1);
            if is_impossible || !is_sampled || !need(name) {
                continue;
            }
            let home = Home::new();
            let path = home.path().join(store);
            let args = ["--store", path.to_str().unwrap(), "create", "web1", "--address", "203.0.113.7"];
            let output = home.command(&args).env("SHELL", format!("/usr/bin/{name}")).output().unwrap();
            let steps = String::from_utf8(output.stderr).unwrap();
            let line = steps.lines().last().unwrap().trim();
            let mut command = shell(&home, name, line);
            with_docker(&home, &mut command);
            let connected = stdout(run(command.env("SHELL", format!("/usr/bin/{name}"))));
            let wanted = format!("info tcp://203.0.113.7:2376 {}/machines/web1\n", path.display());
            assert_eq!(connected, wanted, "{name}: {line}");
        }
    }
}

#[test]
fn printed_commands_call_the_program_as_the_user_did() {
    let home = home(&ADDRESS);
    fs::create_dir(home.path().join("my tools")).unwrap();
    for name in ["hs", "my tools/host seed"] {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hostseed"), home.path().join(name)).unwrap();
    }
    let absolute = home.path().join("hs").to_str().unwrap().to_owned();
    for typed_name in ["hostseed", "./hs", &absolute, "'./my tools/host seed'"] {
        let told = typed(&home, &format!("{typed_name} create web2 --address 203.0.113.8 2>&1"));
        for command in ["render web2 -o web2.user-data", "env web2"] {
            assert!(told.contains(&format!("{typed_name} {command}")), "{told}");
        }
        let render = told.lines().find(|line| line.contains(" render ")).unwrap();
        typed(&home, render);
        assert!(fs::read_to_string(home.path().join("web2.user-data")).unwrap().starts_with("#cloud-config"));
        let env = typed(&home, &format!("{typed_name} env web2"));
        assert!(env.ends_with(&format!("\n# eval \"$({typed_name} env web2)\"\n")), "{env}");
        let refused = typed(&home, &format!("{typed_name} create web2 2>&1 || true"));
        assert!(refused.contains(&format!("\n  {typed_name} rm web2\n")), "{refused}");
        typed(&home, &format!("{typed_name} rm -y web2"));
        fs::remove_file(home.path().join("web2.user-data")).unwrap();
    }
}

#[test]
fn the_hint_can_be_pasted() {
    let home = home(&ADDRESS);
    let output = typed(&home, "SHELL=/bin/bash hostseed env web1");
    assert_eq!(output, recording(&home, "env/detected"));
    assert!(
        output.ends_with("# Run this command to configure your shell: \n# eval \"$(hostseed env web1)\"\n")
    );
    for (name, ..) in SHELLS {
        if !need(name) {
            continue;
        }
        for command in [format!("env --shell {name} web1"), format!("env --no-proxy --shell {name} web1")] {
            let printed = typed(&home, &format!("hostseed {command}"));
            let hint = printed.lines().last().unwrap().split_once(' ').unwrap().1;
            let values = environment_after(&home, name, hint);
            assert_eq!(values[..4], wanted(&home.store()), "{name}: {hint}");
        }
        let printed = typed(&home, &format!("hostseed env --unset --shell {name}"));
        let hint = printed.lines().last().unwrap().split_once(' ').unwrap().1;
        let set = SHELLS
            .iter()
            .find(|(known, ..)| *known == name)
            .unwrap()
            .2
            .replace("CMD", &format!("hostseed env --shell {name} web1"));
        assert_eq!(environment_after(&home, name, &format!("{set}\n{hint}")), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn each_shell_sets_and_unsets_the_variables() {
    let home = home(&ADDRESS);
    for (name, evaluate, _) in SHELLS {
        if !need(name) {
            continue;
        }
        let set = evaluate.replace("CMD", &format!("hostseed env web1 --shell {name}"));
        let unset = evaluate.replace("CMD", &format!("hostseed env --unset --shell {name}"));
        assert_eq!(environment_after(&home, name, &set), wanted(&home.store()), "{name}");
        let after = environment_after(&home, name, &format!("{set}\n{unset}"));
        assert_eq!(after, Vec::<String>::new(), "{name}");
    }
}

/// Names of folders with characters that are special in a shell.
const ODD_FOLDERS: [&str; 10] = [
    "my machines",
    "it's mine",
    "say \"docker\"",
    "$HOME",
    "${HOME}",
    "`id`",
    "back\\slash",
    "it's \"my\" $HOME `id`",
    "bang!bang",
    "a;b&c|d(e)*[f]?~#ü",
];

#[test]
fn an_unusual_store_path_reaches_the_shell_unchanged() {
    let home = Home::new();
    for folder in ODD_FOLDERS {
        let store = home.path().join(folder);
        let named = store.to_str().unwrap();
        home.ok(&["--store", named, "create", "web1", "--quiet", "--address", "203.0.113.7"]);
        for (name, evaluate, _) in SHELLS {
            if !need(name) {
                continue;
            }
            // tcsh expands patterns in the output of backquotes (tset(1)).
            let before = if name == "tcsh" { "set noglob\n" } else { "" };
            let set =
                before.to_owned() + &evaluate.replace("CMD", &format!("hostseed env web1 --shell {name}"));
            let names = VARIABLES.join("|");
            let script = format!("{set}\nenv -0 | tr '\\n\\0' '?\\n' | grep -E '^({names})=' | sort");
            let output = shell(&home, name, &script).env("MACHINE_STORAGE_PATH", &store).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let values: Vec<_> = stdout(output).lines().map(str::to_owned).collect();
            assert_eq!(values, wanted(&store), "{name}: {folder}: {said}");
        }
    }
}

#[test]
fn an_unusual_store_path_in_an_option_is_quoted_in_the_hint() {
    let home = Home::new();
    for folder in ODD_FOLDERS {
        let store = home.path().join(folder);
        let named = store.to_str().unwrap();
        home.ok(&["--store", named, "create", "web1", "--quiet", "--address", "203.0.113.7"]);
        for (name, ..) in SHELLS {
            // tcsh expands `!` even after `:`.
            if name == "tcsh" && folder.contains('!') {
                continue;
            }
            if !need(name) {
                continue;
            }
            // The program gets the folder in a variable, so that only its output needs quotes.
            let printed =
                run(program(&home, "sh", &["-c", "hostseed --store \"$ODD\" env web1 --shell \"$NAME\""])
                    .env("ODD", &store)
                    .env("NAME", name));
            let file = home.path().join("printed");
            fs::write(&file, &printed.stdout).unwrap();
            let source = match name {
                "fish" | "tcsh" => "source ./printed",
                _ => ". ./printed",
            };
            assert_eq!(environment_after(&home, name, source), wanted(&store), "{name}: {folder}");
        }
    }
}

#[test]
fn the_env_file_of_a_machine_can_be_sourced() {
    for shell in ["dash", "bash", "zsh", "ksh"] {
        if !need(shell) {
            continue;
        }
        let home = home(&ADDRESS);
        let source = ". .docker/machine/machines/web1/env";
        assert_eq!(environment_after(&home, shell, source), wanted(&home.store()), "{shell}");
        home.ok(&["address", "web1", "localhost"]);
        let values = environment_after(&home, shell, source);
        assert!(values.contains(&"DOCKER_HOST=tcp://localhost:2376".to_owned()), "{shell}: {values:?}");
    }
}

#[test]
fn dotenv_output_reads_back_unchanged() {
    let home = Home::new();
    for folder in ODD_FOLDERS {
        let store = home.path().join(folder);
        let named = store.to_str().unwrap();
        home.ok(&["--store", named, "create", "web1", "--quiet", "--address", "203.0.113.7"]);
        let file = home.ok(&["--store", named, "env", "web1", "--shell", "dotenv"]);
        assert!(!file.contains('#') || folder.contains('#'), "a dotenv file needs no hint: {file}");
        fs::write(home.path().join("file"), file).unwrap();
        assert_eq!(environment_after(&home, "sh", "set -a; . ./file"), wanted(&store), "{folder}");
    }
}

#[test]
fn dotenv_and_nu_output_is_accepted_by_their_parsers() {
    let home = home(&ADDRESS);
    let dir = home.machine("web1").display().to_string();
    let dotenv = home.ok(&["env", "web1", "--shell", "dotenv"]);
    let pairs: Vec<_> = dotenv.lines().map(|line| line.split_once('=').unwrap()).collect();
    let bare: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.trim_matches('\''))).collect();
    let wanted = ["1", "tcp://203.0.113.7:2376", &dir, "web1"];
    assert_eq!(bare, VARIABLES.into_iter().zip(wanted).collect::<Vec<_>>());
    let unset = home.ok(&["env", "--unset", "--shell", "dotenv"]);
    assert_eq!(unset, VARIABLES.map(|name| format!("{name}=\n")).concat());

    // NUON is JSON with unquoted names.
    let nu = typed(&home, "hostseed env web1 --shell nu");
    let mut lines = nu.lines();
    let mut record = lines.next().unwrap().to_owned();
    for name in VARIABLES {
        record = record.replace(&format!("{name}: "), &format!("\"{name}\": "));
    }
    let record: Value = serde_json::from_str(&record).unwrap();
    for (name, value) in VARIABLES.into_iter().zip(wanted) {
        assert_eq!(record[name], value);
    }
    let hint: Vec<_> = lines.collect();
    let told = [
        "# Run this command to configure your shell: ",
        "# hostseed env web1 --shell nu | from nuon | load-env",
    ];
    assert_eq!(hint, told);
    let unset = typed(&home, "hostseed env --unset --shell nu");
    for name in VARIABLES {
        assert!(unset.lines().any(|line| line.starts_with("hide-env ") && line.ends_with(name)), "{unset}");
    }
    assert!(!unset.contains("load-env"), "the hint is for setting: {unset}");
}

#[test]
fn no_proxy_gets_the_machine_once_and_keeps_its_other_values() {
    let home = home(&ADDRESS);
    let line = |variables: &[(&str, &str)]| {
        let mut command = program(&home, "sh", &["-c", "hostseed env --no-proxy web1"]);
        let output = run(command.envs(variables.iter().copied()));
        stdout(output).lines().nth(4).unwrap().to_owned()
    };
    assert_eq!(line(&[]), "export NO_PROXY=\"203.0.113.7\"");
    assert_eq!(line(&[("NO_PROXY", "localhost")]), "export NO_PROXY=\"localhost,203.0.113.7\"");
    assert_eq!(line(&[("no_proxy", "10.0.0.1")]), "export no_proxy=\"10.0.0.1,203.0.113.7\"");
    assert_eq!(line(&[("no_proxy", "a"), ("NO_PROXY", "b")]), "export no_proxy=\"a,203.0.113.7\"");
    assert_eq!(line(&[("no_proxy", ""), ("NO_PROXY", "b")]), "export NO_PROXY=\"b,203.0.113.7\"");
    // It is idempotent, and a similar address is a different one.
    assert_eq!(line(&[("NO_PROXY", "a,203.0.113.7,b")]), "export NO_PROXY=\"a,203.0.113.7,b\"");
    assert_eq!(line(&[("NO_PROXY", "a, 203.0.113.7")]), "export NO_PROXY=\"a, 203.0.113.7\"");
    assert_eq!(line(&[("NO_PROXY", "203.0.113.77")]), "export NO_PROXY=\"203.0.113.77,203.0.113.7\"");
    let twice = "eval \"$(hostseed env --no-proxy web1)\"; eval \"$(hostseed env --no-proxy web1)\"; echo \"$NO_PROXY\"";
    assert_eq!(typed(&home, twice), "203.0.113.7\n");
}

#[test]
fn unset_removes_only_the_machine_from_no_proxy() {
    let home = home(&ADDRESS);
    let cases = [
        ("203.0.113.7", "unset NO_PROXY\n"),
        ("localhost,203.0.113.7,10.0.0.0/8", "export NO_PROXY=\"localhost,10.0.0.0/8\"\n"),
        ("localhost, 203.0.113.7", "export NO_PROXY=\"localhost\"\n"),
        ("203.0.113.77", ""),
        ("", ""),
    ];
    for (before, wanted) in cases {
        let line = format!(
            "export NO_PROXY='{before}' DOCKER_HOST=tcp://203.0.113.7:2376; hostseed env --unset --no-proxy --shell sh"
        );
        let unset = typed(&home, &line);
        assert!(unset.starts_with("unset DOCKER_TLS_VERIFY\n"), "{unset}");
        let printed: String =
            unset.lines().filter(|line| line.contains("NO_PROXY")).map(|line| format!("{line}\n")).collect();
        assert_eq!(printed, wanted, "{before}");
    }
    // Without DOCKER_HOST, hostseed does not know which entry is the machine's.
    let unset = typed(&home, "NO_PROXY=203.0.113.7 hostseed env --unset --no-proxy --shell sh");
    assert!(!unset.contains("NO_PROXY"), "{unset}");
    let ipv6 =
        "no_proxy=a,2001:db8::7 DOCKER_HOST=tcp://[2001:db8::7]:2376 hostseed env -u --no-proxy --shell nu";
    assert!(typed(&home, ipv6).contains("\n$env.no_proxy = \"a\"\n"));
    for (name, evaluate, _) in SHELLS {
        if !need(name) {
            continue;
        }
        let set = evaluate.replace("CMD", &format!("hostseed env --no-proxy web1 --shell {name}"));
        let unset = evaluate.replace("CMD", &format!("hostseed env --unset --no-proxy --shell {name}"));
        let before = match name {
            "tcsh" => "setenv NO_PROXY localhost",
            "fish" => "set -gx NO_PROXY localhost",
            _ => "export NO_PROXY=localhost",
        };
        let after = environment_after(&home, name, &format!("{before}\n{set}\n{unset}"));
        assert_eq!(after, ["NO_PROXY=localhost"], "{name}");
    }
}

#[test]
fn an_empty_storage_path_is_the_default_store() {
    let home = home(&ADDRESS);
    assert_eq!(typed(&home, "MACHINE_STORAGE_PATH= hostseed ls -q"), "web1\n");
    let stderr = home.fails(2, &["--store", "", "ls"]);
    assert!(stderr.contains("a value is required for '--store <DIR>'"), "{stderr}");
}

#[test]
fn the_shell_is_detected_by_its_variable() {
    let home = home(&ADDRESS);
    let first = |shell: Option<&str>, args: &str| {
        let mut command = program(
            &home,
            "sh",
            &["-c", &format!("unset SHELL; ${{S+export SHELL=\"$S\"}}; hostseed env {args}")],
        );
        if let Some(shell) = shell {
            command.env("S", shell);
        }
        stdout(run(&mut command)).lines().next().unwrap().to_owned()
    };
    let posix = "export DOCKER_TLS_VERIFY=\"1\"";
    let fish = "set -gx DOCKER_TLS_VERIFY \"1\";";
    for (shell, wanted) in [
        (Some("/usr/bin/fish"), fish),
        (Some("/opt/homebrew/bin/fish"), fish),
        (Some("/bin/tcsh"), "setenv DOCKER_TLS_VERIFY \"1\";"),
        (Some("/bin/csh"), "setenv DOCKER_TLS_VERIFY \"1\";"),
        (Some("/bin/bash"), posix),
        (Some("/bin/zsh"), posix),
        (Some("/bin/mksh"), posix),
        (Some(""), posix),
        (None, posix),
    ] {
        assert_eq!(first(shell, "web1"), wanted, "{shell:?}");
    }
    // A requested value overrides it.
    assert_eq!(first(Some("/usr/bin/fish"), "web1 --shell bash"), posix);
    assert_eq!(first(Some("/usr/bin/fish"), "--unset"), "set -e DOCKER_TLS_VERIFY;");
}

#[test]
fn an_unknown_shell_is_refused_with_a_list_of_the_known_ones() {
    let home = home(&ADDRESS);
    for args in [&["env", "web1", "--shell", "csh2"][..], &["env", "--unset", "--shell", ""]] {
        let stderr = home.fails(2, args);
        for name in ["bash", "fish", "powershell", "cmd", "tcsh", "emacs", "nu", "dotenv"] {
            assert!(stderr.contains(name), "{stderr}");
        }
    }
}

#[test]
fn without_a_name_the_machine_is_default() {
    let home = home(&ADDRESS);
    let stderr = home.fails(1, &["env"]);
    assert!(is_printed(&stderr, "error[no-such-machine] no machine `default`"), "{stderr}");
    home.ok(&["create", "default", "--quiet", "--address", "198.51.100.1"]);
    let env = typed(&home, "hostseed env");
    assert!(env.contains("DOCKER_HOST=\"tcp://198.51.100.1:2376\""), "{env}");
    assert!(env.contains("DOCKER_MACHINE_NAME=\"default\""), "{env}");
    assert!(env.ends_with("# eval \"$(hostseed env)\"\n"), "{env}");
}

#[test]
fn env_uses_no_network() {
    if !need("strace") {
        return;
    }
    let home = home(&["--address", "host.invalid"]);
    let log = home.path().join("calls");
    let calls = |program: &str, args: &[&str]| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=%network", "-o"]).arg(&log).arg(program).args(args);
        let output = strace.env("HOME", home.path()).env_remove("MACHINE_STORAGE_PATH").output().unwrap();
        (output.status.success(), fs::read_to_string(&log).unwrap())
    };
    let (_, of_a_lookup) = calls("getent", &["hosts", "host.invalid"]);
    assert!(of_a_lookup.contains("socket("), "strace shows no call of a program that asks: {of_a_lookup}");
    for args in [["env", "web1"], ["config", "web1"], ["url", "web1"], ["ip", "web1"], ["inspect", "web1"]] {
        let (succeeded, made) = calls(env!("CARGO_BIN_EXE_hostseed"), &args);
        assert!(succeeded && made.contains("exited with 0") && !made.contains('('), "{args:?}: {made}");
    }
}

#[test]
fn unset_works_without_a_store() {
    assert!(Home::new().ok(&["env", "--unset"]).contains("unset DOCKER_HOST\n"));
}

#[test]
fn config_url_and_ip_print_docker_machines_lines() {
    let home = home(&ADDRESS);
    assert_eq!(home.ok(&["config", "web1"]), recording(&home, "config/web1"));
    assert_eq!(home.ok(&["url", "web1"]), "tcp://203.0.113.7:2376\n");
    assert_eq!(home.ok(&["ip", "web1"]), "203.0.113.7\n");
    if need("docker") {
        // The docker CLI accepts the flags and tries to connect.
        let script = "docker $(hostseed config web1 | sed 's/tcp:.*/tcp:\\/\\/127.0.0.1:1/' | tr -d '\"') version 2>&1 | tail -1";
        let said = typed(&home, script);
        assert!(said.contains("127.0.0.1:1"), "{said}");
    }
}

#[test]
fn an_ipv6_machine_has_brackets_in_urls_only() {
    let home = home(&["--address", "2001:db8::7", "--port", "2377"]);
    assert_eq!(home.ok(&["url", "web1"]), "tcp://[2001:db8::7]:2377\n");
    assert_eq!(home.ok(&["ip", "web1"]), "2001:db8::7\n");
    assert!(home.ok(&["config", "web1"]).ends_with("\n-H=tcp://[2001:db8::7]:2377\n"));
    let env = home.ok(&["env", "web1", "--no-proxy", "--shell", "sh"]);
    assert!(env.contains("export DOCKER_HOST=\"tcp://[2001:db8::7]:2377\"\n"), "{env}");
    assert!(env.contains("export NO_PROXY=\"2001:db8::7\"\n"), "{env}");
    if need("fish") {
        let values = environment_after(&home, "fish", "eval (hostseed env web1 --shell fish)");
        assert!(values.contains(&"DOCKER_HOST=tcp://[2001:db8::7]:2377".to_owned()), "{values:?}");
    }
}

/// Creates a machine of Docker Machine in the store: its recorded `config.json`, and certificates from openssl.
fn docker_machines_own(home: &Home, name: &str, driver: &str) -> PathBuf {
    let dir = home.machine(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.json"), recording(home, &format!("config/{driver}.json"))).unwrap();
    for (certificate, key) in
        [("ca.pem", "id_rsa"), ("cert.pem", "key.pem"), ("server.pem", "server-key.pem")]
    {
        let new =
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=somebody.web1", "-days", "1080"];
        let sans = ["-addext", "subjectAltName=IP:192.168.99.100,DNS:localhost"];
        let files = ["-out", certificate, "-keyout", key];
        run(Command::new("openssl").args(new).args(sans).args(files).current_dir(&dir));
    }
    dir
}

#[test]
fn machines_made_by_docker_machine_can_be_read() {
    if !need("openssl") {
        return;
    }
    let home = Home::new();
    let cases = [("default", "virtualbox", "192.168.99.100"), ("legacy", "none", "198.51.100.9")];
    for (name, driver, ip) in cases {
        let dir = docker_machines_own(&home, name, driver);
        let url = format!("tcp://{ip}:2376");
        assert_eq!(home.ok(&["url", name]), format!("{url}\n"));
        assert_eq!(home.ok(&["ip", name]), format!("{ip}\n"), "{driver}");
        let env = home.ok(&["env", name, "--shell", "sh", "--no-proxy"]);
        let lines = [
            "DOCKER_TLS_VERIFY=\"1\"".to_owned(),
            format!("DOCKER_HOST=\"{url}\""),
            format!("DOCKER_CERT_PATH=\"{}\"", dir.display()),
            format!("DOCKER_MACHINE_NAME=\"{name}\""),
            format!("NO_PROXY=\"{ip}\""),
        ];
        assert_eq!(env.lines().take(5).collect::<Vec<_>>(), lines.map(|line| format!("export {line}")));
        let config = home.ok(&["config", name]);
        assert!(config.starts_with("--tlsverify\n") && config.ends_with(&format!("-H={url}\n")), "{config}");
        let inspected: Value = serde_json::from_str(&home.ok(&["inspect", name, "--json"])).unwrap();
        assert_eq!(inspected["driver"], driver);
        assert_eq!(inspected["docker_host"], url);
        assert_eq!(inspected["sans"], serde_json::json!(["192.168.99.100", "localhost"]));
        assert_eq!(inspected["user_data_file"], Value::Null);
        home.ok(&["inspect", name]);
        let stderr = home.fails(1, &["render", name]);
        assert!(is_printed(&stderr, "error[not-made-by-hostseed] hostseed did not create"), "{stderr}");
    }
    // A record whose server certificate was never made still has the rest.
    fs::remove_file(home.machine("legacy").join("server.pem")).unwrap();
    let inspected = home.ok(&["inspect", "legacy"]);
    assert!(
        inspected.contains("server.pem is missing") && inspected.contains("tcp://198.51.100.9:2376"),
        "{inspected}"
    );
    let inspected: Value = serde_json::from_str(&home.ok(&["inspect", "legacy", "--json"])).unwrap();
    assert_eq!(inspected["sans"], serde_json::json!([]));
    assert!(inspected["server"].is_null() && inspected["client"].is_object(), "{inspected}");
    docker_machines_own(&home, "legacy", "none");
    home.ok(&["create", "web1", "--quiet"]);
    assert_eq!(home.ok(&["ls", "-q"]), "default\nlegacy\nweb1\n");
    let table = home.ok(&["ls"]);
    for (name, _, ip) in cases {
        let row = table.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(row.contains(&format!("tcp://{ip}:2376")) && row.contains("1079 days left"), "{table}");
    }
    let rows: Value = serde_json::from_str(&home.ok(&["ls", "--json"])).unwrap();
    assert_eq!(rows[0]["driver"], "virtualbox");
    assert_eq!(rows.as_array().unwrap().len(), 3);
}

#[test]
fn a_broken_machine_does_not_hide_other_machines() {
    let home = home(&ADDRESS);
    for (name, config) in [("broken", "{"), ("empty", ""), ("nowhere", "{\"Driver\": {}}")] {
        fs::create_dir_all(home.machine(name)).unwrap();
        fs::write(home.machine(name).join("config.json"), config).unwrap();
        for command in ["env", "url", "ip", "config", "inspect"] {
            let stderr = home.fails(1, &[command, name]);
            assert!(
                is_printed(&stderr, "error[stored-record] config.json`") && !stderr.contains("panicked"),
                "{command} {name}: {stderr}"
            );
        }
    }
    let table = home.ok(&["ls"]);
    assert!(table.contains("tcp://203.0.113.7:2376"), "{table}");
    assert_eq!(table.lines().count(), 5, "{table}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let home = home(&ADDRESS);
    for command in
        ["render web1", "render web1 --format script", "env web1", "ls", "inspect web1", "bake", "--help"]
    {
        // The pipe is closed before anything is written to it.
        let script = format!("{{ sleep 0.1; hostseed {command}; echo $? >status; }} | head -c 0");
        let output = run(&mut program(&home, "sh", &["-c", &script]));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
        assert_eq!(fs::read_to_string(home.path().join("status")).unwrap(), "0\n", "{command}");
    }
    let first = typed(&home, "hostseed render web1 | head -c 1");
    assert_eq!(first, "#");
}
