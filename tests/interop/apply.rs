//! `renew --apply` with a real dockerd. The test plays the host's part after the upload.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::played_host::{Host, can_run, copy, told, wait_for, wait_until_it_waits};
use crate::support::run;

#[test]
fn new_files_are_brought_to_a_real_dockerd() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    let machine = host.home.machine("web1");

    // A host without the units.
    let refused = host.home.fails(1, &["renew", "--apply", "web1"]);
    assert!(refused.contains("error[no-apply-units]"), "{refused}");
    host.assert_clean();
    assert!(!host.next("").exists() && !machine.join("previous").exists() && !refused.contains("--undo"));
    // Nor is a CA replaced for it.
    for words in [
        &["renew", "--authority", "--apply", "--yes", "web1"][..],
        &["renew", "--authority", "--apply", "--at-once", "--yes", "web1"],
    ] {
        let refused = host.home.fails(1, words);
        assert!(refused.contains("error[no-apply-units]") && !machine.join("previous").exists(), "{refused}");
    }

    // The host puts the old files back.
    host.waits();
    let mut client = host.renew();
    host.wait_for_set(&mut client);
    for file in ["ca.pem", "server.pem", "server-key.pem"] {
        assert_eq!(fs::read(host.next(file)).unwrap(), fs::read(machine.join(file)).unwrap());
        let staged = fs::metadata(host.next(file)).unwrap();
        assert_eq!((staged.mode() & 0o7777, staged.uid(), staged.gid()), (0o600, 0, 0), "{file}");
    }
    assert_eq!(fs::metadata(host.next("")).unwrap().permissions().mode() & 0o7777, 0o700);
    assert!(!host.next("key.pem").exists());
    host.tells("working", "");
    host.tells("rolled-back", "docker does not start: \u{1b}[31mred");
    host.removes_set();
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = told(&output);
    assert!(said.contains("error[not-applied]") && said.contains("docker does not start: "), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    host.assert_clean();
    assert!(machine.join("previous").exists());

    // Another client works on it, then it is one of this computer that was killed.
    host.held_by(r#"{"hostseed.apply":"1","hostseed.apply.by":"alice@laptop","hostseed.apply.process":"1"}"#);
    let busy = host.home.fails(1, &["renew", "--apply", "web1"]);
    assert!(
        busy.contains("error[host-busy]") && busy.contains("alice@laptop changes the host since "),
        "{busy}"
    );
    host.api(&["-X", "DELETE"], "/containers/hostseed-apply");
    host.api(&["-X", "POST"], "/images/prune");
    let mut killed = host.renew();
    host.wait_for_set(&mut killed);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(host.api(&[], "/containers/json?all=1").contains("hostseed-apply"));

    // The next client goes on. Docker restarts with the new files, and the network is away for a moment.
    let mut client = host.renew();
    let process = format!("\"{}\"", client.id());
    let containers = || host.api(&[], "/containers/json?all=1");
    wait_for("container of the next client", || containers().contains(&process), containers);
    wait_until_it_waits(&mut client);
    host.tells("working", "");
    host.stop();
    for file in ["ca.pem", "server.pem", "server-key.pem"] {
        copy(&host.next(file), &host.etc("docker").join(file));
    }
    host.tells("applied", "");
    host.removes_set();
    assert!(client.try_wait().unwrap().is_none(), "the client did not wait");
    host.start();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    host.assert_clean();
    assert!(!machine.join("previous").exists());
    host.home.ok(&["check", "web1"]);
}

#[test]
fn ctrl_c_leaves_no_container() {
    if !can_run() {
        return;
    }
    let host = Host::new();
    host.waits();
    let mut client = host.renew();
    host.wait_for_set(&mut client);
    run(Command::new("kill").args(["-INT", &client.id().to_string()]));
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = told(&output);
    assert!(said.contains("error[outcome-unknown]") && !said.contains("--undo"), "{said}");
    host.assert_clean();
}

/// `update` keeps the plan of before, so that the set has the drop-in with the change.
#[test]
fn a_changed_label_is_brought_to_the_host_with_new_certificates() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    let machine = host.home.machine("web1");
    host.waits();
    let updated = host.home.run(&["update", "web1", "--engine-label", "role=db"]);
    assert!(
        updated.status.success() && told(&updated).contains("hostseed renew --apply web1"),
        "{}",
        told(&updated)
    );
    // The host presents the same certificate, which proves nothing.
    host.home.ok(&["check", "web1"]);
    let old = fs::read(machine.join("previous/server.pem")).unwrap();
    assert_eq!(fs::read(machine.join("server.pem")).unwrap(), old);

    let mut client = host.renew();
    host.wait_for_set(&mut client);
    let drop_in = fs::read_to_string(host.next("10-machine.conf")).unwrap();
    assert!(drop_in.contains("role=db"), "{drop_in}");
    assert_ne!(fs::read(host.next("server.pem")).unwrap(), old);
    host.tells("working", "");
    host.stop();
    for file in ["ca.pem", "server.pem", "server-key.pem"] {
        copy(&host.next(file), &host.etc("docker").join(file));
    }
    host.tells("applied", "");
    host.removes_set();
    host.start();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(!machine.join("previous").exists());
}

#[test]
fn a_copy_of_the_store_does_not_undo_what_another_computer_has_brought_to_the_host() {
    if !can_run() {
        return;
    }
    let mut host = Host::new();
    host.waits();
    let copy_of_store = |host: &Host, name: &str| {
        let to = host.home.path().join(name);
        run(Command::new("cp").arg("-a").args([&host.home.store(), &to]));
        to
    };
    let refuses = |host: &Host, store: &Path| {
        let words = ["--store", store.to_str().unwrap(), "renew", "--apply", "web1"];
        let refused = host.home.fails(1, &words);
        assert!(refused.contains("error[host-changed-elsewhere]"), "{refused}");
        assert!(!host.next("ready").exists(), "files were sent to the host");
        host.assert_clean();
    };
    let in_copy = |host: &Host, store: &Path, words: &[&str]| {
        host.home.ok(&[&["--store", store.to_str().unwrap(), "--quiet"], words].concat());
    };
    let previous = |store: &Path| store.join("machines/web1/previous");

    let without_change = copy_of_store(&host, "without-change");
    let pending = copy_of_store(&host, "pending");
    in_copy(&host, &pending, &["renew", "web1"]);
    let updated = copy_of_store(&host, "updated");
    in_copy(&host, &updated, &["update", "web1", "--engine-label", "role=db"]);
    let mut client = host.renew();
    host.puts_in_place(&mut client);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let before_ca = copy_of_store(&host, "before-ca");

    refuses(&host, &without_change);
    assert!(!previous(&without_change).exists(), "a machine was renewed for nothing");
    for store in [&pending, &updated] {
        refuses(&host, store);
        assert!(previous(store).exists() && !previous(store).join("sent").exists(), "{}", store.display());
        in_copy(&host, store, &["renew", "--undo", "web1"]);
    }

    // The host's certificate stays, and the host accepts clients of another CA, too.
    host.does_next_step();
    refuses(&host, &before_ca);
    assert!(!previous(&before_ca).exists());
    assert!(host.answers(&host.machine()));
}
