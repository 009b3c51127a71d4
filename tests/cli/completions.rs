//! Tests completions with bash, zsh and fish, manual pages with groff, and the schema with Python's jsonschema.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::extent::in_parallel;
use crate::support::{Home, PYTHON, files_below, need, need_python_module, run};

/// Words of a command line, and the values that the last word completes to.
const CASES: [(&[&str], &[&str]); 5] = [
    (&["create", "--key", ""], &["p256", "p384", "ed25519", "rsa2048", "rsa4096"]),
    (&["bake", "--docker-channel", ""], &["stable", "test", "nightly"]),
    (&["render", "--format", "ig"], &["ignition"]),
    (&["env", "--shell", "fi"], &["fish"]),
    (&["veri"], &["verify"]),
];

/// A home folder with the files that `completions` and `man` write.
fn home() -> Home {
    let home = Home::new();
    for (shell, file) in [("bash", "hostseed.bash"), ("zsh", "_hostseed"), ("fish", "hostseed.fish")] {
        fs::write(home.path().join(file), home.ok(&["completions", shell])).unwrap();
    }
    home.ok(&["man", "man"]);
    home
}

fn said(command: &mut Command) -> String {
    String::from_utf8_lossy(&run(command).stdout).into_owned()
}

#[test]
fn bash_completes() {
    if !need("bash") {
        return;
    }
    let home = home();
    let script = r#"source hostseed.bash
        COMP_WORDS=(hostseed "$@"); COMP_CWORD=$#
        _hostseed hostseed "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    for (typed, offered) in CASES {
        let mut bash = Command::new("bash");
        let seen = said(bash.args(["-c", script, "bash"]).args(typed).current_dir(home.path()));
        assert_eq!(seen.lines().collect::<Vec<_>>(), offered, "{typed:?}");
    }
}

#[test]
fn fish_completes() {
    if !need("fish") {
        return;
    }
    let home = home();
    for (typed, offered) in CASES {
        let line = format!("hostseed {}", typed.join(" "));
        let mut fish = Command::new("fish");
        fish.args(["-c", "source hostseed.fish; complete -C $argv[1]", &line]).current_dir(home.path());
        let seen = said(fish.env("HOME", home.path()));
        let mut seen: Vec<&str> = seen.lines().filter_map(|line| line.split('\t').next()).collect();
        let mut offered = offered.to_vec();
        seen.sort_unstable();
        offered.sort_unstable();
        assert_eq!(seen, offered, "{typed:?}");
    }
}

#[test]
fn zsh_completes() {
    if !need("zsh") {
        return;
    }
    let home = home();
    // zsh completes only in its line editor, which needs a terminal.
    let script = r#"zmodload zsh/zpty
        zpty z 'TERM=dumb zsh -f -i'
        zpty -w z "PS1=; fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep
            bindkey '^I' list-choices; LISTMAX=1000; print -r READ''Y"
        while zpty -r z line; do [[ $line == *READY* ]] && break; done
        zpty -w -n z "$1"$'\t'
        while zpty -r -t z line || { sleep 0.5; zpty -r -t z line } || { sleep 3; zpty -r -t z line }; do
            print -r -- "$line"
        done
        zpty -d z"#;
    // Most of the time is spent waiting for further output.
    in_parallel(CASES.to_vec(), CASES.len(), |(typed, offered)| {
        let line = format!("hostseed {}", typed.join(" "));
        let mut zsh = Command::new("zsh");
        zsh.args(["-f", "-c", script, "zsh", &line]).current_dir(home.path()).env("HOME", home.path());
        let seen = said(&mut zsh);
        // The first line is the input.
        let listed: Vec<&str> =
            seen.lines().filter(|seen| !seen.contains(&line)).flat_map(str::split_whitespace).collect();
        assert!(offered.iter().all(|value| listed.contains(value)), "{typed:?}: {seen}");
        assert!(!listed.contains(&"rm"), "{typed:?}: {seen}");
    });
}

#[test]
fn every_command_has_a_manual_page_that_groff_reads_without_a_warning() {
    let home = home();
    let pages = files_below(&home.path().join("man"));
    let help = home.ok(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for command in commands.lines().filter_map(|line| line.split_whitespace().next()) {
        let page = PathBuf::from(format!("hostseed-{command}.1"));
        assert!(command == "help" || pages.contains(&page), "{command}");
    }
    assert!(pages.contains(&PathBuf::from("hostseed.1")));
    assert_eq!(home.ok(&["man"]), fs::read_to_string(home.path().join("man/hostseed.1")).unwrap());
    if !need("groff") {
        return;
    }
    for page in pages {
        let mut groff = Command::new("groff");
        // -k: the page is in UTF-8.
        let output = run(groff.args(["-k", "-man", "-ww", "-z"]).arg(home.path().join("man").join(&page)));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", page.display());
    }
}

#[test]
fn the_schema_accepts_what_create_accepts_and_refuses_mistakes() {
    if !(need_python_module("jsonschema") && need_python_module("yaml")) {
        return;
    }
    let home = Home::new();
    fs::write(home.path().join("schema.json"), home.ok(&["schema"])).unwrap();
    let check = r#"import json, sys, yaml, jsonschema
schema = json.load(open("schema.json"))
jsonschema.Draft7Validator.check_schema(schema)
for path in sys.argv[1:]:
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(yaml.safe_load(open(path))))
    print(path, "refused" if errors else "accepted")"#;
    let judge = |files: &[PathBuf]| {
        said(Command::new(PYTHON).args(["-c", check]).args(files).current_dir(home.path()))
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let specs = files_below(&golden).into_iter().filter(|path| path.ends_with("spec.yaml"));
    let specs: Vec<PathBuf> = specs.map(|path| golden.join(path)).collect();
    assert!(specs.len() >= 10);
    let judged = judge(&specs);
    assert_eq!(judged.matches("accepted").count(), specs.len(), "{judged}");
    for (n, wrong) in [
        "nmae: web1",
        "key: rsa1024",
        "port: [1]\nname: [web1]",
        "block-metadata: maybe",
        "engine-label: [[a]]",
        "name: web_1",
        "port: 65536",
        "port: 0",
        "port: https",
    ]
    .into_iter()
    .enumerate()
    {
        let file = home.path().join(format!("{n}.yaml"));
        fs::write(&file, wrong).unwrap();
        let judged = judge(&[file]);
        assert!(judged.contains("refused"), "{wrong}: {judged}");
    }
}
