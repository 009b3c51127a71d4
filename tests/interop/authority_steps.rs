//! `renew --authority --apply` with a real dockerd: the three steps, and `--at-once`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use crate::played_host::{Host, can_run, copy, keep, told};
use crate::support::{Home, run};

#[test]
fn a_ca_is_replaced_in_steps_and_each_client_needs_new_files_once() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    let (old, alice, new) =
        (host.home.path().join("old"), machine.join("clients/alice"), host.home.path().join("new"));
    host.home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    keep(&machine, &old);
    let old_alice = host.home.path().join("old-alice");
    keep(&machine, &old_alice);
    ["cert.pem", "key.pem"].iter().for_each(|file| copy(&alice.join(file), &old_alice.join(file)));
    let states = |host: &Host| [&old, &old_alice, &new].map(|files| host.answers(files));

    // Without --yes nothing is done.
    let told = host.home.ok(&["renew", "--authority", "--apply", "web1"]);
    assert!(
        told.contains("next") && told.contains("alice of web1") && !machine.join("previous").exists(),
        "{told}"
    );

    let said = host.does_next_step();
    assert!(
        said.contains("step 1 of 3 is done") && said.contains("hostseed client web1 --cn alice"),
        "{said}"
    );
    keep(&machine, &new);
    assert_eq!(states(&host), [true; 3], "after step 1");
    host.home.ok(&["check", "web1"]);

    // Nothing else makes certificates now.
    for words in [
        &["renew", "web1"][..],
        &["renew", "--apply", "web1"],
        &["renew", "--authority", "--yes", "web1"],
        &["update", "web1", "--engine-label", "role=db"],
    ] {
        let refused = host.home.fails(1, words);
        assert!(refused.contains("error[ca-change-open]"), "{refused}");
    }
    // Alice would be locked out.
    let refused = host.home.fails(1, &["renew", "--authority", "--apply", "--yes", "web1"]);
    assert!(refused.contains("error[clients-of-old-ca]") && refused.contains("`alice`"), "{refused}");
    assert!(host.home.ok(&["clients", "web1"]).contains("of the old CA"));
    let dir = host.home.path().join("alice");
    host.home.ok(&["client", "web1", "--cn", "alice", "--quiet", "--out", dir.to_str().unwrap()]);
    assert!(host.answers(&dir));

    let said = host.does_next_step();
    assert!(said.contains("step 2 of 3 is done"), "{said}");
    // The old client's certificate is accepted, but its CA file lacks the new CA.
    assert_eq!(states(&host), [false, false, true], "after step 2");
    assert!(host.answers(&dir));
    copy(&new.join("ca.pem"), &old.join("ca.pem"));
    assert!(host.answers(&old), "the old certificate with the new file of CAs");

    let said = host.does_next_step();
    assert!(said.contains("step 3 of 3 is done"), "{said}");
    assert_eq!(states(&host), [false, false, true], "after step 3");
    assert!(host.answers(&dir) && host.answers(&machine));
    assert_eq!(
        fs::read(machine.join("ca.pem")).unwrap(),
        fs::read(host.home.store().join("certs/web1/ca.pem")).unwrap()
    );
    host.home.ok(&["check", "web1"]);
    // Now it is a machine with one CA, which another change can replace.
    host.home.ok(&["renew", "web1", "--dry-run"]);
}

#[test]
fn a_step_that_was_not_proved_is_brought_to_the_host_or_taken_back() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    let read = |file: &str| fs::read_to_string(machine.join(file)).unwrap();
    let first = read("ca.pem");
    let mut cas = Vec::new();
    for step in 1..=3 {
        let before = ["ca.pem", "cert.pem", "server.pem", "user-data"].map(read);
        // The client is killed while the host works, and the step is taken back.
        let mut killed = host.next_step();
        host.wait_for_set(&mut killed);
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert!(machine.join("previous").exists(), "step {step}");
        // The host may put the files in place at any time, so they are not deleted.
        let refused = host.home.fails(1, &["renew", "--undo", "web1"]);
        assert!(refused.contains("error[outcome-unknown]"), "{refused}");
        host.tells("applied", "");
        let set = fs::read_to_string(host.next("ready")).unwrap();
        let recorded = fs::read_to_string(machine.join("previous/sent")).unwrap();
        assert_eq!(recorded, set);
        host.removes_set();
        let refused = host.home.fails(1, &["renew", "--undo", "web1"]);
        assert!(refused.contains("has put them in place"), "{refused}");
        fs::write(
            host.etc("docker/hostseed.result"),
            format!(r#"{{"set":"{}","state":"refused"}}"#, set.trim()),
        )
        .unwrap();
        host.home.ok(&["renew", "--undo", "web1"]);
        assert_eq!(["ca.pem", "cert.pem", "server.pem", "user-data"].map(read), before, "step {step}");
        let mut killed = host.next_step();
        host.wait_for_set(&mut killed);
        killed.kill().unwrap();
        killed.wait().unwrap();
        let after = ["ca.pem", "cert.pem", "server.pem", "user-data"].map(read);
        assert_ne!(after, before, "step {step}");
        // The next run goes on, and makes nothing new.
        let said = host.does_next_step();
        assert!(said.contains(&format!("step {step} of 3 is done")), "{said}");
        assert_eq!(["ca.pem", "cert.pem", "server.pem", "user-data"].map(read), after, "step {step}");
        cas.push(read("ca.pem"));
    }
    assert!(cas[0] == cas[1] && cas[0] == format!("{}{first}", cas[2]), "{cas:#?}");
}

#[test]
fn the_rest_of_a_change_is_done_at_once() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    host.home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    host.does_next_step();
    let mut client = host.begins(&["renew", "--authority", "--apply", "--at-once", "--yes", "web1"]);
    host.puts_in_place(&mut client);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success() && told(&output).contains("the CA was replaced"), "{}", told(&output));
    assert!(told(&output).contains("hostseed client web1 --cn alice"));
    assert_eq!(fs::read(machine.join("ca.pem")).unwrap(), fs::read(host.etc("docker/ca.pem")).unwrap());
    assert!(host.answers(&machine) && !machine.join("previous").exists());
    assert!(host.home.ok(&["clients", "web1"]).contains("revoked"));
}

#[test]
fn a_pending_change_is_not_taken_for_a_step() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    let first = fs::read(machine.join("ca.pem")).unwrap();
    host.home.ok(&["renew", "web1", "--quiet"]);
    let said = host.does_next_step();
    assert!(!said.contains("is done") && said.contains("the CA of `web1` has not been replaced"), "{said}");
    assert_eq!(fs::read(machine.join("ca.pem")).unwrap(), first);
    // A new CA for one switch.
    host.home.ok(&["client", "web1", "--cn", "alice", "--quiet"]);
    host.home.ok(&["renew", "--authority", "--yes", "web1", "--quiet"]);
    let refused = host.home.fails(1, &["renew", "--authority", "--apply", "--yes", "web1"]);
    assert!(
        refused.contains("error[clients-of-old-ca]") && refused.contains("`alice` of `web1`"),
        "{refused}"
    );
    host.home.ok(&["renew", "--undo", "--yes", "web1"]);
    assert_eq!(fs::read(machine.join("ca.pem")).unwrap(), first);
}

#[test]
fn a_copy_of_the_store_brings_no_dropped_ca_back() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    // A copy from before the change has the same certificate of the host, and another CA than it trusts.
    let (store, copied) = (host.home.store(), host.home.path().join("copy"));
    let before = host.home.path().join("before");
    run(Command::new("cp").arg("-a").args([&store, &before]));
    host.does_next_step();
    let before = before.to_str().unwrap();
    for at_once in [&[][..], &["--at-once"]] {
        let next = ["--store", before, "renew", "--authority", "--apply", "--yes", "web1"];
        let refused = host.home.fails(1, &[&next, at_once].concat());
        assert!(
            refused.contains("error[host-changed-elsewhere]") && refused.contains("a CA that"),
            "{refused}"
        );
        assert!(!Path::new(before).join("machines/web1/previous").exists());
    }
    run(Command::new("cp").arg("-a").args([&store, &copied]));
    host.does_next_step();
    let copied = copied.to_str().unwrap();
    let next = ["--store", copied, "renew", "--authority", "--apply", "--yes", "web1"];
    let refused = host.home.fails(1, &next);
    assert!(refused.contains("error[host-changed-elsewhere]"), "{refused}");
    assert!(!Path::new(copied).join("machines/web1/previous").exists());
    host.does_next_step();
    let refused = host.home.fails(1, &next);
    assert!(refused.contains("error[host-changed-elsewhere]"), "{refused}");
}

#[test]
fn at_once_goes_on_to_the_end_from_a_step_that_was_not_proved() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let machine = host.home.machine("web1");
    let mut killed = host.next_step();
    host.wait_for_set(&mut killed);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut client = host.begins(&["renew", "--authority", "--apply", "--at-once", "--yes", "web1"]);
    host.puts_in_place(&mut client);
    host.puts_in_place(&mut client);
    let output = client.wait_with_output().unwrap();
    let said = told(&output);
    assert!(output.status.success() && said.contains("the CA was replaced"), "{said}");
    assert!(!said.contains("step 1 of 3") && !machine.join("previous").exists(), "{said}");
    assert!(host.answers(&machine));
}

/// The words of a step for `web1` and `web2`.
const BOTH: [&str; 6] = ["renew", "--authority", "--apply", "--yes", "web1", "web2"];

#[test]
fn machines_of_one_ca_do_each_step_together() {
    if !can_run() {
        return;
    }
    let home = Rc::new(Home::new());
    let mut hosts = ["web1", "web2"].map(|name| Host::of(home.clone(), name, &["--ca", "shared"]));
    hosts.iter().for_each(Host::waits);
    let refused = home.fails(1, &["renew", "--authority", "--apply", "--yes", "web1"]);
    assert!(refused.contains("error[ca-in-use]") && refused.contains("web1 web2"), "{refused}");
    for step in 1..=3 {
        let mut client = hosts[0].begins(&BOTH);
        hosts[0].puts_in_place(&mut client);
        if step == 2 {
            // The other host gets nothing now, and the same command ends the step.
            client.kill().unwrap();
            client.wait().unwrap();
            assert!(hosts[1].machine().join("previous").exists());
            client = hosts[1].begins(&BOTH);
        }
        hosts[1].puts_in_place(&mut client);
        let output = client.wait_with_output().unwrap();
        assert!(
            output.status.success() && told(&output).contains(&format!("step {step} of 3 is done")),
            "{}",
            told(&output)
        );
        for host in &hosts {
            host.assert_clean();
            assert!(
                host.answers(&host.machine()) && !host.machine().join("previous").exists(),
                "step {step}"
            );
        }
        // The client of one machine has access to the other.
        assert!(hosts[0].answers(&hosts[1].machine()), "step {step}");
    }
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let ca = read(&home.store().join("certs/ca.pem"));
    hosts.iter().for_each(|host| assert_eq!(read(&host.machine().join("ca.pem")), ca));
}

#[test]
fn a_host_that_is_down_keeps_no_leaked_ca_on_the_others() {
    if !can_run() {
        return;
    }
    let home = Rc::new(Home::new());
    let mut hosts = ["web1", "web2"].map(|name| Host::of(home.clone(), name, &["--ca", "shared"]));
    hosts.iter().for_each(Host::waits);
    let old = home.path().join("old");
    keep(&hosts[0].machine(), &old);
    hosts[1].stop();
    // A step needs each host.
    let refused = home.fails(1, &BOTH);
    assert!(refused.contains("error[connection-refused]") && refused.contains("`web2`"), "{refused}");
    assert!(!hosts[0].machine().join("previous").exists());
    let at_once = [&BOTH[..], &["--at-once"]].concat();
    let mut client = hosts[0].begins(&at_once);
    let said = hosts[0].puts_in_place(&mut client);
    let output = client.wait_with_output().unwrap();
    let said = said + &told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error[connection-refused]") && said.contains("go on without `web2`"), "{said}");
    assert!(said.contains("`web1`: the CA was replaced") && said.contains("renew --apply web2"), "{said}");
    assert!(!hosts[0].answers(&old) && hosts[0].answers(&hosts[0].machine()));
    assert!(hosts[1].machine().join("previous").exists() && !hosts[0].machine().join("previous").exists());
    // The other one is up again, with the old CA.
    hosts[1].start();
    assert!(hosts[1].answers(&old) && !hosts[1].answers(&hosts[1].machine()));
    let refused = home.fails(1, &at_once);
    assert!(refused.contains("error[ca-unproved]") && refused.contains("renew --apply web2"), "{refused}");
    let mut client = hosts[1].renew();
    hosts[1].puts_in_place(&mut client);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(!hosts[1].answers(&old) && hosts[1].answers(&hosts[0].machine()));
}
