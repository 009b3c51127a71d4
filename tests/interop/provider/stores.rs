//! Machines of a store: import into the state, and the data source.

use super::*;

#[test]
fn a_stored_machine_is_imported_as_it_is() {
    for program in terraforms() {
        let text_of = |name: &str, more: &str| {
            format!("resource \"hostseed_machine\" \"{name}\" {{\n  name = \"{name}\"\n{more}}}\n")
        };
        let web1 = text_of(
            "web1",
            "  addresses = [\"203.0.113.7\"]\n  engine_labels = { role = \"web\" }\n  engine_opts = [\"dns=1.1.1.1\", \"dns=8.8.8.8\"]\n  port = 2377\n",
        );
        let issuer = text_of("issuer", "");
        let Some(root) = Root::new(program, &format!("{web1}{issuer}")) else { return };
        let words = "create web1 --quiet --address 203.0.113.7 --engine-label role=web --engine-opt dns=1.1.1.1 --engine-opt dns=8.8.8.8 --port 2377";
        root.home.ok(&words.split(' ').collect::<Vec<_>>());
        root.home.ok(&["create", "issuer", "--quiet"]);
        for name in ["web1", "issuer"] {
            let id = match name {
                // The default store.
                "issuer" => name.to_owned(),
                _ => root.home.store().join(name).display().to_string(),
            };
            root.ok(&["import", &format!("hostseed_machine.{name}"), &id]);
            let state = root.state(&format!("hostseed_machine.{name}"));
            assert_eq!(text(&state, "user_data"), root.home.ok(&["render", name]));
            let machine = root.home.machine(name);
            for (attribute, file) in
                [("ca_pem", "ca.pem"), ("client_cert_pem", "cert.pem"), ("client_key_pem", "key.pem")]
            {
                assert_eq!(text(&state, attribute), fs::read_to_string(machine.join(file)).unwrap());
            }
            assert_eq!(text(&state, "docker_host"), root.home.ok(&["url", name]).trim());
        }
        assert_eq!(root.plan(), 0, "{program}");
        // The CA's key came too, so the machine can get another certificate.
        root.write(&format!("{issuer}{}", web1.replace("203.0.113.7", "203.0.113.8")));
        root.apply();
        assert_eq!(root.plan(), 0);

        for wrong in ["no-such", "./no/such", ".."] {
            root.write(&text_of("other", ""));
            let output = root.run(&["import", "-no-color", "hostseed_machine.other", wrong]);
            assert!(!output.status.success(), "{wrong}");
        }
    }
}

#[test]
fn a_stored_ca_is_imported() {
    let text_of_root = "resource \"hostseed_ca\" \"shared\" {\n  name = \"shared\"\n}\n";
    let Some(root) = Root::new(NEW, text_of_root) else { return };
    root.home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7", "--ca", "shared"]);
    let certs = root.home.store().join("certs");
    root.ok(&["import", "hostseed_ca.shared", certs.to_str().unwrap()]);
    let state = root.state("hostseed_ca.shared");
    assert_eq!(text(&state, "ca_pem"), fs::read_to_string(certs.join("ca.pem")).unwrap());
    let name = text(&state, "name").to_owned();
    root.write(&text_of_root.replace("name = \"shared\"", &format!("name = \"{name}\"")));
    assert_eq!(root.plan(), 0);
}

#[test]
fn the_data_source_reads_a_machine_of_a_store() {
    for program in terraforms() {
        let Some(root) = Root::new(program, "") else { return };
        let store = root.path().join("other store");
        root.home.ok(&[
            "--store",
            store.to_str().unwrap(),
            "create",
            "web1",
            "--quiet",
            "--address",
            "203.0.113.7",
        ]);
        let outputs = "output \"machine\" {\n  value = data.hostseed_machine.web1\n  sensitive = true\n}\n";
        let data = format!(
            "data \"hostseed_machine\" \"web1\" {{\n  name = \"web1\"\n  store = \"{}\"\n  cloud = \"aws\"\n}}\n{outputs}",
            store.display()
        );
        root.write(&data);
        root.apply();
        let output: Value = serde_json::from_str(&root.ok(&["output", "-json", "machine"])).unwrap();
        let machine = store.join("machines/web1");
        assert_eq!(text(&output, "cert_path"), machine.to_str().unwrap());
        assert_eq!(text(&output, "docker_host"), "tcp://203.0.113.7:2376");
        assert_eq!(text(&output, "client_key_pem"), fs::read_to_string(machine.join("key.pem")).unwrap());
        let rendered = root.home.ok(&["--store", store.to_str().unwrap(), "render", "web1"]);
        assert_eq!(text(&output, "user_data"), rendered);
        assert!(output["ca_key_pem"].is_null());
        assert_eq!(root.plan(), 0);
        root.write(&data.replace("\"web1\"\n  store", "\"web2\"\n  store"));
        let failed = root.run(&["plan", "-no-color"]);
        let said = String::from_utf8(failed.stderr).unwrap();
        assert!(!failed.status.success() && said.contains("hostseed explain no-such-machine"), "{said}");
    }
}
