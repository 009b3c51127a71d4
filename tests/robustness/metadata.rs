//! Tests the firewall rules that keep containers from reading the user-data from the cloud's metadata service.

use std::fs;
use std::process::Command;

use crate::support::seed::on_the_host;
use crate::support::{Home, files_below, need, run};

const FORMS: [&str; 9] =
    ["cloud-config", "script", "mime", "ignition", "nocloud", "bake", "packer", "imagebuilder", "terraform"];
const DROP_IN: &str = "etc/systemd/system/docker.service.d/10-machine.conf";
const BLOCKED: &str = "169.254.169.254 169.254.42.42 169.254.0.23 100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254 \
    fd00:100::100:200 fd00:c1::a9fe:a9fe fd00:42::42 fd00:a9fe:a9fe::1";

/// The systemd drop-ins in all files rendered to a place. There is one, or two if a folder contains the seed in two
/// formats.
fn drop_ins(home: &Home, out: &str) -> Vec<String> {
    let out = home.path().join(out);
    let files = match out.is_dir() {
        true => files_below(&out).into_iter().map(|file| out.join(file)).collect(),
        false => vec![out],
    };
    let landed = files.iter().flat_map(|file| on_the_host(&fs::read(file).unwrap()));
    landed.filter(|(path, ..)| path == DROP_IN).map(|(_, _, text)| String::from_utf8(text).unwrap()).collect()
}

/// The rules that nft gets before dockerd starts.
fn rules(drop_in: &str) -> String {
    let (_, rest) = drop_in.split_once("\nExecStartPre=nft \"").expect("the drop-in runs nft");
    rest.split_once("\"\n").unwrap().0.replace("\\\n", " ")
}

#[test]
fn each_format_blocks_the_metadata_service_only_on_request() {
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--block-metadata"]);
    home.ok(&["create", "web2", "--block-metadata=true"]);
    home.ok(&["create", "web3", "--address", "203.0.113.7", "--block-metadata=false"]);
    home.ok(&["create", "web4"]);
    let mut all = Vec::new();
    for (machine, blocks) in [("web1", true), ("web2", true), ("web3", false), ("web4", false)] {
        for form in FORMS {
            let out = format!("{machine}-{form}");
            home.ok(&["render", machine, "--format", form, "-o", &out]);
            let found = drop_ins(&home, &out);
            // A component has its seed inside YAML, which only `verify` reads.
            assert_eq!(found.is_empty(), form == "imagebuilder", "{out}");
            all.extend(found.iter().filter(|_| blocks).map(|text| rules(text)));
            assert!(blocks || found.iter().all(|text| !text.contains("nft")), "{out}");
            home.ok(&["verify", "--strict", &out]);
        }
    }
    home.ok(&["bake", "--block-metadata", "-o", "image.sh"]);
    all.extend(drop_ins(&home, "image.sh").iter().map(|text| rules(text)));
    assert!(all.len() > 2 && all.iter().all(|rules| *rules == all[0]), "{all:#?}");
}

#[test]
fn containers_reach_everything_except_the_metadata_service() {
    if !(need("unshare") && need("nsenter") && need("ip") && need("nft") && need("python3")) {
        return;
    }
    let home = Home::new();
    home.ok(&["create", "web1", "--address", "203.0.113.7", "--block-metadata"]);
    home.ok(&["render", "web1", "-o", "seed"]);
    let rules = rules(&drop_ins(&home, "seed")[0]);
    let mut command = Command::new("unshare");
    command.args(["-rn", "sh", "tests/robustness/metadata/network.sh"]).arg(home.path()).arg(rules);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
    let told = String::from_utf8(run(&mut command).stdout).unwrap();
    let others = "203.0.113.5 2001:db8:5::5";
    assert_eq!(
        told,
        format!(
            "before: {BLOCKED} {others}\ncontainer: \ncontainer, others: {others}\ncontainer, port 53: {BLOCKED}\nhost: {BLOCKED}\n"
        )
    );
}
