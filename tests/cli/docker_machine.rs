//! Words of Docker Machine's and of other tools' users: aliases that work, and tips for what hostseed does not have.

use crate::support::{Home, is_printed};

#[test]
fn commands_have_the_names_that_users_of_other_tools_type() {
    let home = Home::new();
    for name in ["web1", "web2", "web3", "web4"] {
        home.ok(&["create", name, "--quiet", "--address", "203.0.113.7"]);
    }
    assert_eq!(home.ok(&["list"]), home.ok(&["ls"]));
    assert_eq!(home.ok(&["ip", "web1", "web2"]), "203.0.113.7\n203.0.113.7\n");
    assert_eq!(home.ok(&["url", "web1", "web2"]), "tcp://203.0.113.7:2376\n".repeat(2));
    home.ok(&["rm", "-f", "web1"]);
    home.ok(&["rm", "--force", "web2"]);
    home.ok(&["delete", "-y", "web3"]);
    home.ok(&["remove", "-y", "web4"]);
    assert_eq!(home.ok(&["ls", "-q"]), "");
    assert_eq!(home.ok(&["version"]), home.ok(&["--version"]));
}

#[test]
fn quiet_lists_only_names() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    for args in
        [&["ls", "-q"][..], &["ls", "--quiet"], &["--quiet", "ls"], &["ls", "--quiet", "--expiring", "10y"]]
    {
        assert_eq!(String::from_utf8(home.run(args).stdout).unwrap(), "web1\n", "{args:?}");
    }
    assert!(home.ok(&["ls", "--quiet", "--json"]).starts_with("[\n"));
}

#[test]
fn without_a_name_the_machine_is_default() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    for command in ["config", "env", "inspect", "ip", "url"] {
        let stderr = home.fails(1, &[command]);
        assert!(is_printed(&stderr, "error[no-such-machine] there is no machine `default`"), "{stderr}");
    }
    home.ok(&["create", "default", "--quiet", "--address", "203.0.113.8"]);
    for command in ["config", "inspect", "ip", "url"] {
        assert_eq!(home.ok(&[command]), home.ok(&[command, "default"]));
    }
    assert_eq!(home.ok(&["ip"]), "203.0.113.8\n");
    // `rm` and `render` are never about a machine that nobody named.
    home.fails(2, &["rm", "-y"]);
    home.fails(2, &["render"]);
}

#[test]
fn several_machines_are_printed_or_none() {
    let home = Home::new();
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    for command in ["ip", "url"] {
        let output = home.command(&[command, "web1", "nobody"]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    }
}

#[test]
fn clouds_are_found_by_their_other_names() {
    let home = Home::new();
    for (alias, name) in [
        ("ec2", "aws"),
        ("amazonec2", "aws"),
        ("google", "gce"),
        ("gcp", "gce"),
        ("do", "digitalocean"),
        ("hcloud", "hetzner"),
        ("oracle", "oci"),
        ("vmwarevsphere", "vmware"),
    ] {
        assert_eq!(home.ok(&["clouds", alias]), home.ok(&["clouds", name]), "{alias}");
    }
    home.ok(&["create", "web1", "--quiet", "--address", "203.0.113.7"]);
    assert_eq!(home.ok(&["render", "web1", "--for", "ec2"]), home.ok(&["render", "web1", "--for", "aws"]));
}

#[test]
fn what_only_docker_machine_has_gets_a_tip() {
    let home = Home::new();
    for (args, tip) in [
        (&["create", "-d", "amazonec2", "web1"][..], "tip: hostseed creates no VMs: "),
        (&["create", "--driver=none", "web1"], "tip: hostseed creates no VMs: "),
        (&["create", "--driver", "none", "--url", "tcp://h", "web1"], "tip: hostseed creates no VMs: "),
        (&["create", "--generic-ip-address", "203.0.113.7", "web1"], "tip: use `--address IP`"),
        (&["create", "--generic-ssh-key=k", "web1"], "tip: hostseed uses no SSH"),
        (&["create", "--amazonec2-region", "x", "web1"], "tip: hostseed creates no VMs: "),
        (
            &["create", "--swarm-master", "web1"],
            "tip: Docker's old standalone Swarm has ended: `hostseed swarm up FLEET`",
        ),
        (&["create", "--hetzner-api-token=t", "web1"], "tip: hostseed creates no VMs: "),
        (&["create", "--vultr-region-id", "1", "web1"], "tip: hostseed creates no VMs: "),
        (&["create", "--kvm-memory", "1024", "web1"], "tip: hostseed creates no VMs: "),
        (&["active"], "tip: `hostseed ls` marks the active machine"),
        (&["active", "-t", "10"], "tip: `hostseed ls` marks the active machine"),
        (&["help", "active"], "tip: `hostseed ls` marks the active machine"),
        (&["kill", "web1"], "tip: hostseed does not control VMs"),
        (&["mount", "web1:/x", "x"], "tip: hostseed uses no SSH: `docker cp`"),
        (&["provision", "web1"], "tip: `hostseed update NAME` changes the options"),
        (&["regenerate-certs", "-f", "web1"], "tip: `hostseed renew NAME --apply` makes new certificates"),
        (&["restart"], "tip: hostseed does not control VMs"),
        (&["scp", "-r", "a", "web1:/x"], "tip: hostseed uses no SSH: `docker cp`"),
        (&["ssh", "web1", "uptime"], "tip: hostseed uses no SSH: `docker`"),
        (&["start", "web1"], "tip: hostseed does not control VMs"),
        (&["stop", "web1"], "tip: hostseed does not control VMs"),
        (&["upgrade", "web1"], "tip: Docker's own packages do it"),
        (&["ls", "--filter", "name=web"], "tip: choose machines with other programs"),
        (&["list", "--filter=name=web"], "tip: choose machines with other programs"),
        (&["ls", "--format", "{{.Name}}"], "tip: hostseed has no templates"),
        (&["ls", "-f", "{{.Name}}"], "tip: hostseed has no templates"),
        (&["ls", "-t", "20"], "tip: `hostseed ls` connects to no machine"),
        (&["ls", "--timeout=20"], "tip: `hostseed ls` connects to no machine"),
        (
            &["--store", "other", "inspect", "-f", "{{.Driver.IPAddress}}", "web1"],
            "tip: hostseed has no templates",
        ),
        (&["inspect", "--format={{.Driver}}", "web1"], "tip: hostseed has no templates"),
        (&["-D", "ls"], "tip: hostseed has no debug output"),
        (&["--debug", "create", "web1"], "tip: hostseed has no debug output"),
        (&["env", "--debug"], "tip: hostseed has no debug output"),
        (&["--native-ssh", "ls"], "tip: hostseed uses no SSH"),
        (&["--tls-ca-cert=ca.pem", "create", "web1"], "tip: use `hostseed create NAME --ca DIR`"),
        (&["--github-api-token", "t", "ls"], "tip: hostseed downloads nothing from GitHub"),
        (&["create", "web1", "203.0.113.7"], "tip: give the VM's address as an option"),
        (&["rm", "-d", "web1"], "tip: hostseed deletes no VMs"),
        (
            &["config", "--swarm", "web1"],
            "tip: Docker's old standalone Swarm has ended: `hostseed swarm up FLEET`",
        ),
    ] {
        let stderr = home.fails(2, args);
        assert!(stderr.contains(tip), "{args:?}: {stderr}");
        assert_eq!(stderr.matches("tip:").count(), 1, "{args:?}: {stderr}");
    }
    // The flag of one command has no tip in another.
    for args in [&["url", "-f", "x"][..], &["env", "-d", "web1"], &["config", "-t", "1"]] {
        let stderr = home.fails(2, args);
        assert!(
            !stderr.contains("hostseed has") && !stderr.contains("hostseed creates"),
            "{args:?}: {stderr}"
        );
    }
    // Other mistakes have other tips.
    for (args, tip) in [
        (&["creat", "web1"][..], "tip: a similar subcommand exists: 'create'\n"),
        (&["explain", "nope"], "tip: `hostseed explain` lists the codes\n"),
        (&["explain", "invalid-prot"], "tip: did you mean `invalid-port`?\n"),
        (&["clouds", "gogle"], "tip: did you mean `gce`?\n"),
        (&["clouds", "zzz"], "tip: `hostseed clouds` lists the clouds\n"),
        (&["render", "web1", "--for", "ec"], "tip: did you mean `aws`?\n"),
    ] {
        let stderr = home.fails(2, args);
        assert!(stderr.contains(tip), "{args:?}: {stderr}");
        assert_eq!(stderr.matches("tip:").count(), 1, "{args:?}: {stderr}");
    }
}
