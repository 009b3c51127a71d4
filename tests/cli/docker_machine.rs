//! Words of Docker Machine's and of other tools' users: aliases that work, and tips for what hostseed does not have.

use crate::support::Home;

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
        (&["create", "--swarm-master", "web1"], "tip: hostseed does not set up Swarm"),
        (&["ssh", "web1"], "tip: hostseed uses no SSH"),
        (&["active"], "tip: `echo $DOCKER_MACHINE_NAME`"),
        (&["start", "web1"], "tip: hostseed does not control VMs"),
    ] {
        let stderr = home.fails(2, args);
        assert!(stderr.contains(tip), "{args:?}: {stderr}");
        assert_eq!(stderr.matches("tip:").count(), 1, "{args:?}: {stderr}");
    }
    // Other mistakes have clap's own tip.
    let stderr = home.fails(2, &["creat", "web1"]);
    assert!(stderr.contains("create") && !stderr.contains("hostseed creates no VMs"), "{stderr}");
}
