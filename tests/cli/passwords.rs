//! A password in a URL is in the user-data and in the store, and nowhere else: no message, table or JSON shows it.

use std::fs;
use std::process::Stdio;

use crate::support::Home;

const PASSWORD: &str = "pw1234567";

#[test]
fn a_password_in_an_engine_option_is_never_printed() {
    let home = Home::new();
    let option = format!("http-proxy=http://me:{PASSWORD}@proxy.example.com:3128");
    let other = option.replace(PASSWORD, &format!("{PASSWORD}x"));
    let variable = format!("HTTPS_PROXY=https://me:{PASSWORD}@proxy.example.com");
    let json = format!("{{\"proxies\": {{\"http-proxy\": \"http://me:{PASSWORD}@proxy.example.com\"}}}}");
    let address = ["--address", "203.0.113.7"];
    let create =
        [&["create", "web1"][..], &address, &["--engine-opt", &option, "--engine-env", &variable]].concat();
    let with = |name: &'static str, words: &[&str]| -> Vec<String> {
        [&["create", name][..], &address, words].concat().into_iter().map(str::to_owned).collect()
    };
    fs::write(home.path().join("wrong.yaml"), format!("name: web9\nengine-opt: [\"x {option}\"]\n")).unwrap();
    fs::write(home.path().join("label.yaml"), format!("name: web9\nengine-label: {{a: 1, \"{option}\"}}\n"))
        .unwrap();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
    let mut commands = vec![
        words(&[&create[..], &["--dry-run"]].concat()),
        words(&[&create[..], &["--dry-run", "--json"]].concat()),
        words(&[&create[..], &["--json"]].concat()),
        words(&[&create[..], &["--if-missing", "--json"]].concat()),
        words(&create),
        words(&["inspect", "web1"]),
        words(&["inspect", "web1", "--json"]),
        words(&["ls", "--json"]),
        words(&["env", "web1"]),
        words(&["create", "-f", "wrong.yaml"]),
        words(&["create", "-f", "label.yaml"]),
        words(&["verify", ".docker/machine/machines/web1/user-data"]),
        words(&["verify", ".docker/machine/machines/web1/user-data", "--json"]),
        with("web2", &["--daemon-json", &json, "--json"]),
        words(&["inspect", "web2"]),
        with("web2", &["--if-missing"]),
        with("web2", &["--if-missing", "--engine-opt", &other]),
    ];
    for wrong in [
        option.replace('=', " "),
        option.replace("http-proxy", "http-prxy"),
        option.replace("http-proxy", "mtu"),
        option.replace("3128", "port"),
        option.replace("http-proxy", "--http-proxy"),
        option.replace("http-proxy", "log-opt=max-size"),
        option.replace("http://", ""),
        other,
    ] {
        commands.push(with("web3", &["--engine-opt", &wrong, "--dry-run"]));
        commands.push(with("web1", &["--engine-opt", &wrong, "--if-missing"]));
    }
    commands.push(with("web3", &["--proxy", &option["http-proxy=".len()..]]));
    commands.push(with("web3", &["--docker-mirror", &option["http-proxy=".len()..]]));
    commands.push(with("web3", &["--engine-registry-mirror", &option["http-proxy=".len()..], "--dry-run"]));
    commands.push(with("web3", &[&format!("--engine-optt={option}")]));
    // Values in which no password belongs.
    let [bare, url] = ["", "http://"].map(|scheme| format!("{scheme}me:{PASSWORD}@proxy.example.com"));
    for option in [
        "address",
        "tls-san",
        "no-proxy",
        "proxy",
        "ca",
        "port",
        "engine-insecure-registry",
        "docker-version",
    ] {
        commands.push(with("web3", &[&format!("--{option}"), &bare]));
        commands.push(with("web3", &[&format!("--{option}"), &format!("localhost,{url}")]));
    }
    for value in [&bare, &url] {
        commands.push(words(&["create", value]));
        commands.push(words(&["render", value]));
        commands.push(words(&["address", "web1", value]));
        commands.push(words(&["env", "web1", "--address", value]));
        commands.push(words(&["clouds", value]));
    }
    for args in commands {
        let output = home.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!said.is_empty() && !said.contains(PASSWORD), "{args:?}: {said}");
    }
    let queries = [
        format!("{{\"name\": \"web1\", \"addresses\": \"203.0.113.7\", \"engine_opt\": \"{option}x\"}}"),
        format!("{{\"name\": \"web9\", \"engine_opt\": \"{}\"}}", option.replace('=', " ")),
        format!("{{\"name\": \"web9\", \"engine_optt\": \"{option}\"}}"),
    ];
    for query in queries {
        fs::write(home.path().join("query"), &query).unwrap();
        let input = Stdio::from(fs::File::open(home.path().join("query")).unwrap());
        let output = home.command(&["external"]).stdin(input).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && !said.contains(PASSWORD), "{query}: {said}");
    }
    // The host needs it.
    let rendered = home.ok(&["render", "web1", "--format", "script"]);
    let plan = fs::read_to_string(home.machine("web1").join("machine.yaml")).unwrap();
    assert!(!rendered.is_empty() && plan.contains(PASSWORD), "{plan}");
}

#[test]
fn a_password_that_everyone_on_the_host_can_read_gets_a_note() {
    let home = Home::new();
    let option = format!("http-proxy=http://me:{PASSWORD}@proxy.example.com");
    for args in [&["create", "web1", "--address", "203.0.113.7"][..], &["bake"]] {
        let output = home.run(&[args, &["--engine-opt", &option]].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        let note = "note: everyone on the host can read the password in `--engine-opt http-proxy`";
        assert!(stderr.contains(note) && stderr.contains("`--daemon-json FILE`"), "{stderr}");
    }
    let plain = home.run(&["bake", "--engine-opt", "http-proxy=http://proxy.example.com"]);
    assert!(plain.stderr.is_empty());
}
