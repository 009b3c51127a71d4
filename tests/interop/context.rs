//! The real docker CLI lists, uses, exports and imports the contexts of `context`, and a real dockerd answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::dockerd::{self, Dockerd};
use crate::support::{Home, files_below, mode, need, run};

/// The docker CLI with the folder `config`, which is relative to the home folder.
fn docker(home: &Home, config: &str, args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(args).env("DOCKER_CONFIG", home.path().join(config)).env("HOME", home.path());
    for variable in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"] {
        command.env_remove(variable);
    }
    command.current_dir(home.path());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn home() -> Home {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--quiet"]);
    home
}

/// Makes the same context with the docker CLI, in another folder.
fn docker_creates(home: &Home, config: &str) {
    let file = |name: &str| home.machine("web1").join(name).display().to_string();
    let endpoint = format!(
        "host=tcp://203.0.113.7:2376,ca={},cert={},key={}",
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    let create =
        ["context", "create", "web1", "--description", "hostseed machine web1", "--docker", &endpoint];
    run(&mut docker(home, config, &create));
}

fn metadata(config: &Path) -> Value {
    let meta = config.join("contexts/meta");
    let file = files_below(&meta).into_iter().next().unwrap();
    serde_json::from_slice(&fs::read(meta.join(file)).unwrap()).unwrap()
}

/// The files below a folder with their modes, except those of the store.
fn layout(config: &Path) -> Vec<(PathBuf, u32)> {
    let files = files_below(config).into_iter().filter(|file| !file.starts_with("machine"));
    files.map(|file| (file.clone(), mode(&config.join(file)))).collect()
}

#[test]
fn a_context_is_what_the_docker_cli_would_write() {
    if !need("docker") {
        return;
    }
    let home = home();
    docker_creates(&home, "theirs");
    home.ok(&["context", "web1", "--quiet"]);
    let (ours, theirs) = (home.path().join(".docker"), home.path().join("theirs"));
    assert_eq!(layout(&ours), layout(&theirs));
    let mut written = metadata(&ours);
    let mark = written["Metadata"].as_object_mut().unwrap().remove("hostseed").unwrap();
    assert_eq!(mark, json!({ "machine": home.machine("web1") }));
    assert_eq!(written, metadata(&theirs));
    for file in files_below(&theirs.join("contexts/tls")) {
        let read = |config: &Path| fs::read(config.join("contexts/tls").join(&file)).unwrap();
        assert_eq!(read(&ours), read(&theirs), "{}", file.display());
    }
    // The docker CLI's own context of this machine is updated, and keeps the user's description.
    let describe = ["context", "update", "web1", "--description", "mine"];
    run(&mut docker(&home, "theirs", &describe));
    let mut update = home.command(&["context", "web1", "--quiet"]);
    run(update.env("DOCKER_CONFIG", &theirs));
    let updated = metadata(&theirs);
    assert_eq!(updated["Metadata"], json!({ "Description": "mine", "hostseed": mark }));
    // The docker CLI keeps the mark.
    run(&mut docker(&home, "theirs", &["context", "update", "web1", "--description", "yours"]));
    assert_eq!(metadata(&theirs)["Metadata"], json!({ "Description": "yours", "hostseed": mark }));
}

#[test]
fn the_docker_cli_lists_uses_exports_and_removes_a_context() {
    if !need("docker") {
        return;
    }
    let home = home();
    let docker = |args: &[&str]| text(&run(&mut docker(&home, ".docker", args)));
    home.ok(&["context", "web1", "--use", "--quiet"]);
    assert_eq!(docker(&["context", "show"]), "web1\n");
    let listed =
        docker(&["context", "ls", "--format", "{{.Name}} {{.Current}} {{.DockerEndpoint}} {{.Error}}"]);
    assert!(listed.contains("web1 true tcp://203.0.113.7:2376 \n"), "{listed}");
    let inspected: Value = serde_json::from_str(&docker(&["context", "inspect", "web1"])).unwrap();
    assert_eq!(inspected[0]["TLSMaterial"]["docker"], json!(["ca.pem", "cert.pem", "key.pem"]));
    docker(&["context", "export", "web1", "theirs.tar"]);
    docker(&["context", "import", "again", "theirs.tar"]);
    home.ok(&["context", "web1", "--name", "again", "--quiet"]);
    home.ok(&["context", "web1", "--out", "ours.tar", "--quiet"]);
    docker(&["context", "import", "ours", "ours.tar"]);
    let names = docker(&["context", "ls", "--quiet"]);
    assert_eq!(names.lines().collect::<Vec<_>>(), ["again", "default", "ours", "web1"]);
    let endpoints = |name: &str| -> Value {
        serde_json::from_str::<Value>(&docker(&["context", "inspect", name])).unwrap()[0]["Endpoints"].take()
    };
    assert_eq!(endpoints("ours"), endpoints("web1"));

    // What is left is what docker itself leaves.
    for name in ["again", "ours"] {
        home.ok(&["context", "web1", "--name", name, "--remove", "--quiet"]);
    }
    home.ok(&["context", "web1", "--remove", "--quiet"]);
    assert_eq!(docker(&["context", "show"]), "default\n");
    assert_eq!(docker(&["context", "ls", "--quiet"]), "default\n");
    docker_creates(&home, "theirs");
    run(&mut self::docker(&home, "theirs", &["context", "rm", "web1"]));
    let folders = |config: &str| {
        let mut folders = Vec::new();
        for folder in ["contexts/meta", "contexts/tls"] {
            folders.push(fs::read_dir(home.path().join(config).join(folder)).unwrap().count());
        }
        folders
    };
    assert_eq!(folders(".docker"), folders("theirs"));
}

#[test]
fn a_real_dockerd_answers_through_a_context_and_after_a_rename() {
    if !dockerd::can_run() || !need("docker") {
        return;
    }
    let (home, port) = dockerd::machines(&["web1"]);
    let _running = Dockerd::start(&home, port, Some(("web1", "web1")));
    home.ok(&["context", "web1", "--quiet"]);
    home.ok(&["context", "web1", "--out", "web1.tar", "--quiet"]);
    let version = ["--context", "web1", "version", "--format", "{{.Server.Version}}"];
    let told = text(&run(&mut docker(&home, ".docker", &version)));
    assert!(told.starts_with("20.10."), "{told}");
    // Another computer, with nothing but the file.
    run(&mut docker(&home, "elsewhere", &["context", "import", "web1", "web1.tar"]));
    assert_eq!(text(&run(&mut docker(&home, "elsewhere", &version))), told);
    home.ok(&["context", "web1", "--use", "--quiet"]);
    assert_eq!(text(&run(&mut docker(&home, ".docker", &version[2..]))), told);

    home.ok(&["rename", "web1", "frontend", "--quiet"]);
    assert!(home.ok(&["check", "frontend"]).starts_with("frontend is up: Docker 20.10."));
    let env = home.ok(&["env", "frontend", "--shell", "dotenv"]);
    let mut docker = docker(&home, "elsewhere", &version[2..]);
    docker.envs(env.lines().filter_map(|line| line.split_once('=')));
    assert_eq!(text(&run(&mut docker)), told);
}
