//! Terraform reads, plans and applies the module of `render --format terraform`. Tests the oldest supported version, a
//! new one, and the one in the path. No provider and no registry is contacted.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::extent::is_full;
use crate::support::seed::on_the_host;
use crate::support::{Home, need};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const ADDRESSES: [&str; 6] =
    ["--address", "203.0.113.7", "--address", "docker.example.com", "--address", "2001:db8::7"];

/// The installed Terraform programs: two versions that CI has, and the one in the path. Outside CI the middle one is left
/// out.
fn terraforms() -> Vec<&'static str> {
    let mut programs: Vec<_> =
        ["terraform-1.0", "terraform-1.15"].into_iter().filter(|name| need(name)).collect();
    programs.extend(Some("terraform").filter(|name| Command::new(name).arg("version").output().is_ok()));
    if programs.len() > 2 && !is_full() {
        programs.remove(1);
    }
    programs
}

/// A home folder with machines and their modules: `server`, whose certificate exists, and `issuer`, whose host makes it
/// at boot.
fn modules() -> Home {
    let home = Home::new();
    home.ok(&[&["create", "server", "--quiet", "--tls-san", "*.Example.org"], &ADDRESSES[..]].concat());
    home.ok(&["create", "issuer", "--quiet"]);
    for name in ["server", "issuer"] {
        render(&home, name);
    }
    home
}

fn render(home: &Home, name: &str) {
    home.ok(&["render", name, "--format", "terraform", "--out", name]);
}

fn terraform(program: &str, dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).stdin(Stdio::null()).env("HOME", dir);
    command
        .env("TF_CLI_CONFIG_FILE", "/dev/null")
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1");
    command.output().unwrap()
}

fn ok(program: &str, dir: &Path, args: &[&str]) -> String {
    let output = terraform(program, dir, args);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&said));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs Terraform, which must fail. Returns its standard error without the frame and the line breaks that Terraform adds.
fn fails(program: &str, dir: &Path, args: &[&str]) -> String {
    let output = terraform(program, dir, args);
    assert!(!output.status.success(), "{program} {args:?} was to fail");
    let said = String::from_utf8_lossy(&output.stderr).replace('│', " ");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Makes and initialises a configuration in its own folder.
fn root(program: &str, home: &Home, text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir_in(home.path()).unwrap();
    fs::write(dir.path().join("main.tf"), text).unwrap();
    ok(program, dir.path(), &["init", "-input=false"]);
    dir
}

/// A root module that uses a machine's module and prints all its outputs.
fn shown(machine: &str, arguments: &str) -> String {
    let sensitive = ["user_data", "user_data_base64", "user_data_gzip_base64"];
    let open = ["docker_host", "cert_path", "ca_file", "cert_file", "key_file", "port", "name"];
    let output =
        |name: &str, more: &str| format!("output \"{name}\" {{\n  value = module.host.{name}\n{more}}}\n");
    let mut text = format!("module \"host\" {{\n  source = \"../{machine}\"\n{arguments}\n}}\n");
    text.extend(sensitive.map(|name| output(name, "  sensitive = true\n")));
    text.extend(open.map(|name| output(name, "")));
    text
}

fn outputs(program: &str, dir: &Path) -> Value {
    serde_json::from_str(&ok(program, dir, &["output", "-json"])).unwrap()
}

#[test]
fn the_module_is_valid_and_formatted() {
    let home = modules();
    // The store's path has characters that are special in HCL.
    let store = home.path().join("st\"ore ${x} %{y} $${z}");
    home.ok(&["--store", store.to_str().unwrap(), "create", "1a.example.com", "--quiet"]);
    let words = ["render", "1a.example.com", "--format", "terraform", "--out", "odd"];
    home.ok(&[&["--store", store.to_str().unwrap()], &words[..]].concat());
    for program in terraforms() {
        for module in ["server", "issuer", "odd"] {
            let dir = home.path().join(module);
            ok(program, &dir, &["init", "-backend=false", "-input=false"]);
            ok(program, &dir, &["validate"]);
            ok(program, &dir, &["fmt", "-check", "-diff"]);
        }
        let odd = root(program, &home, &shown("odd", ""));
        ok(program, odd.path(), &["apply", "-auto-approve"]);
        let cert_path = store.join("machines/1a.example.com");
        assert_eq!(outputs(program, odd.path())["cert_path"]["value"], cert_path.to_str().unwrap());
    }
}

#[test]
fn the_examples_of_its_readme_are_formatted() {
    let home = modules();
    for module in ["server", "issuer"] {
        let readme = fs::read_to_string(home.path().join(module).join("README.md")).unwrap();
        let blocks: Vec<_> =
            readme.split("```hcl\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(blocks.len() >= 6, "{}", blocks.len());
        for program in terraforms() {
            let dir = tempfile::tempdir().unwrap();
            for (number, block) in blocks.iter().enumerate() {
                fs::write(dir.path().join(format!("{number}.tf")), block).unwrap();
            }
            ok(program, dir.path(), &["fmt", "-check", "-diff"]);
        }
    }
}

#[test]
fn the_outputs_equal_the_output_of_hostseed() {
    let home = modules();
    for program in terraforms() {
        for machine in ["server", "issuer"] {
            let dir = root(program, &home, &shown(machine, ""));
            ok(program, dir.path(), &["apply", "-auto-approve"]);
            let outputs = outputs(program, dir.path());
            let text = |name: &str| outputs[name]["value"].as_str().unwrap().to_owned();
            let seed = home.ok(&["render", machine]);
            assert_eq!(text("user_data"), seed);
            assert_eq!(STANDARD.decode(text("user_data_base64")).unwrap(), seed.as_bytes());
            let compressed = STANDARD.decode(text("user_data_gzip_base64")).unwrap();
            assert_eq!(compressed, fs::read(home.path().join(machine).join("user-data.gz")).unwrap());
            assert_eq!(on_the_host(&compressed), on_the_host(seed.as_bytes()));
            for name in ["user_data", "user_data_base64", "user_data_gzip_base64"] {
                assert_eq!(outputs[name]["sensitive"], true, "{name}");
            }
            assert_eq!(text("docker_host"), home.ok(&["url", machine]).trim_end());
            assert_eq!(Path::new(&text("cert_path")), home.machine(machine));
            for (name, file) in [("ca_file", "ca.pem"), ("cert_file", "cert.pem"), ("key_file", "key.pem")] {
                assert_eq!(Path::new(&text(name)), home.machine(machine).join(file));
            }
            assert_eq!((&outputs["port"]["value"], text("name")), (&2376.into(), machine.to_owned()));

            let key = fs::read_to_string(home.machine(machine).join("key.pem")).unwrap();
            let state = fs::read_to_string(dir.path().join("terraform.tfstate")).unwrap();
            assert!(!state.contains(key.lines().nth(1).unwrap()), "the client's key is in the state");

            // Status 0 means no change; 2 would be a change.
            render(&home, machine);
            ok(program, dir.path(), &["plan", "-detailed-exitcode"]);
        }
    }
}

#[test]
fn the_inputs_are_parsed_as_clients_parse_them() {
    let home = modules();
    for program in terraforms() {
        for (address, url) in [
            ("203.0.113.7", "tcp://203.0.113.7:2376"),
            ("2001:DB8:0::7", "tcp://[2001:DB8:0::7]:2376"),
            ("Web1.example.org", "tcp://Web1.example.org:2376"),
        ] {
            let arguments = format!("  address = \"{address}\"\n  cert_path = \"~/certs/\"");
            let dir = root(program, &home, &shown("server", &arguments));
            ok(program, dir.path(), &["apply", "-auto-approve"]);
            let outputs = outputs(program, dir.path());
            assert_eq!(outputs["docker_host"]["value"], url);
            assert_eq!(Path::new(outputs["cert_path"]["value"].as_str().unwrap()), dir.path().join("certs"));
        }
        let dir = root(program, &home, &shown("server", "  cert_path = \"\""));
        let said = fails(program, dir.path(), &["plan"]);
        assert!(said.contains("The cert_path must be a folder."), "{said}");
    }
}

/// The module must refuse the same addresses as `env --address`.
#[test]
fn the_addresses_that_are_refused_are_those_that_hostseed_refuses() {
    let home = modules();
    let long = format!("{}.example.org", "a".repeat(63));
    let longer = format!("{}.example.org", "a".repeat(64));
    let longest = ["a."; 126].concat() + "aa";
    let too_long = ["a."; 127].concat() + "a";
    let addresses = [
        "203.0.113.7",
        "203.0.113.8",
        "127.0.0.1",
        "127.0.0.2",
        "localhost",
        "LOCALHOST",
        "server",
        "issuer",
        "docker.example.com",
        "Docker.EXAMPLE.com",
        "example.com",
        "a.docker.example.com",
        "web1.example.org",
        "WEB1.Example.Org",
        "a.b.example.org",
        "example.org",
        "-a.example.org",
        "a-.example.org",
        "a_b.example.org",
        "*.example.org",
        ".example.org",
        "web1.example.org.",
        "web1..example.org",
        "1.example.org",
        "2001:db8::7",
        "2001:DB8::0:7",
        "2001:db8:0:0:0:0:0:7",
        "2001:db8::8",
        "[2001:db8::7]",
        "2001:db8::7%eth0",
        "::1",
        "::",
        "0:0:0:0:0:0:0:0",
        "ff02::1",
        "FF02::1",
        "ff::1",
        "fe80::1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "239.1.2.3",
        "223.1.2.3",
        "240.0.0.1",
        "224.example.org",
        "256.1.1.1",
        "203.0.113",
        "203.0.113.07",
        "203.0.113.7.",
        "203.0.113.7/32",
        "10.0.0.0/8",
        "1",
        "web1.1",
        "tcp://203.0.113.7",
        "203.0.113.7:2376",
        "docker.example.com:2376",
        "",
        " ",
        "203.0.113.7 ",
        "bad name",
        "ä.example.org",
        "xn--4ca.example.org",
        "a\\nb",
        "web1.example.org\\n",
        &long,
        &longer,
        &longest,
        &too_long,
    ];
    for machine in ["server", "issuer"] {
        let mut text = String::new();
        let mut refused = Vec::new();
        for (number, address) in addresses.iter().enumerate() {
            text += &format!(
                "module \"a{number}\" {{\n  source  = \"../{machine}\"\n  address = \"{address}\"\n}}\n"
            );
            let dialled = address.replace("\\n", "\n");
            if !home.run(&["env", machine, "--address", &dialled]).status.success() {
                refused.push(number);
            }
        }
        assert!((20..addresses.len() - 10).contains(&refused.len()), "{}", refused.len());
        for program in terraforms() {
            let dir = root(program, &home, &text);
            let said = fails(program, dir.path(), &["plan", "-no-color"]);
            for (number, address) in addresses.iter().enumerate() {
                let is_refused = said.contains(&format!("in module \"a{number}\":"));
                assert_eq!(is_refused, refused.contains(&number), "{program}, {machine}: {address}");
            }
            assert!(said.contains("The address must be an IP address or a DNS name, without"), "{said}");
            assert!(said.contains("The address must be one to which a client can connect"), "{said}");
            let covered = "The certificate of server does not cover that address. It covers 203.0.113.7, docker.example.com";
            assert_eq!(said.contains(covered), machine == "server", "{said}");
        }
    }
}

/// The VM's address can come from the VM that uses the user-data. There must be no dependency cycle, and the address is
/// checked once it is known.
#[test]
fn an_address_may_come_from_the_vm() {
    let home = modules();
    let vm = "resource \"terraform_data\" \"vm\" {\n  input = module.host.user_data_gzip_base64\n}\n";
    for program in terraforms() {
        if program == "terraform-1.0" {
            // terraform_data exists since 1.4. Earlier versions have no resource without a provider.
            continue;
        }
        for (machine, domain) in [("issuer", "example.net"), ("server", "example.org")] {
            let address = format!("  address = \"${{terraform_data.vm.id}}.{domain}\"");
            let dir = root(program, &home, &(shown(machine, &address) + vm));
            ok(program, dir.path(), &["apply", "-auto-approve"]);
            let url = outputs(program, dir.path())["docker_host"]["value"].as_str().unwrap().to_owned();
            assert!(url.len() > 50 && url.ends_with(&format!(".{domain}:2376")), "{url}");
            ok(program, dir.path(), &["plan", "-detailed-exitcode"]);
        }
        let dir = root(
            program,
            &home,
            &(shown("server", "  address = \"${terraform_data.vm.id}.example.net\"") + vm),
        );
        let said = fails(program, dir.path(), &["apply", "-auto-approve"]);
        assert!(said.contains("The certificate of server does not cover that address"), "{said}");
    }
}

/// The map of a fleet works in `for_each`, in each of its formats, and each value arrives as it is.
#[test]
fn for_each_takes_the_map_of_a_fleet() {
    let home = Home::new();
    // The store's path and a label have characters that are special in Terraform's JSON.
    let store = home.path().join("st ${x} %{y}");
    let store = store.to_str().unwrap();
    let fleet = "fleet: ci-2\ndefaults: {engine-label: {a: '${x}%{y}\"'}}\nmachines:\n- {name: 'ci-{{ index }}', count: 2, addresses: 10.0.0.0/24}\n- {name: late}\n";
    fs::write(home.path().join("fleet.yaml"), fleet).unwrap();
    home.ok(&["--store", store, "apply", "fleet.yaml", "--quiet"]);
    let root_of = |program: &str, format: &str, file: &str, map: &str| {
        let dir = tempfile::tempdir_in(home.path()).unwrap();
        let out = dir.path().join(file);
        let words =
            ["--store", store, "export", "fleet.yaml", "--format", format, "-o", out.to_str().unwrap()];
        home.ok(&words);
        // The built-in resource, which needs no provider from a registry, since Terraform 1.4.
        let text = format!(
            "resource \"terraform_data\" \"host\" {{\n  for_each = {map}\n  input = each.value\n}}\noutput \"hosts\" {{\n  value = {{ for name, host in terraform_data.host : name => host.output }}\n}}\n"
        );
        let text = match program == "terraform-1.0" {
            true => {
                format!("output \"hosts\" {{\n  value = {{ for name, host in {map} : name => host }}\n}}\n")
            }
            false => text,
        };
        fs::write(dir.path().join("main.tf"), text).unwrap();
        dir
    };
    for program in terraforms() {
        for (format, file, map) in [
            ("terraform-json", "ci.tf.json", "local.hostseed_ci_2"),
            ("json", "ci.json", "jsondecode(file(\"ci.json\"))"),
            ("csv", "ci.csv", "{ for host in csvdecode(file(\"ci.csv\")) : host.name => host }"),
        ] {
            let dir = root_of(program, format, file, map);
            ok(program, dir.path(), &["init", "-input=false"]);
            ok(program, dir.path(), &["apply", "-auto-approve"]);
            let hosts = &outputs(program, dir.path())["hosts"]["value"];
            assert_eq!(hosts.as_object().unwrap().len(), 3, "{program} {format}");
            for name in ["ci-1", "ci-2", "late"] {
                let host = &hosts[name];
                let dir = format!("{store}/machines/{name}");
                let user_data = fs::read_to_string(format!("{dir}/user-data")).unwrap();
                assert_eq!(host["user_data"], user_data, "{program} {format} {name}");
                assert_eq!(host["cert_path"], dir.as_str(), "{program} {format} {name}");
            }
            assert_eq!(hosts["ci-2"]["address"], "10.0.0.2", "{program} {format}");
            assert_eq!(hosts["ci-2"]["docker_host"], "tcp://10.0.0.2:2376", "{program} {format}");
            let unknown = if format == "csv" { Value::from("") } else { Value::Null };
            assert_eq!(hosts["late"]["address"], unknown, "{program} {format}");
        }
    }
}
