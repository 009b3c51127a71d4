//! User-data from other programs. `foreign/NAME.yaml` is verified, and `NAME.txt` contains the expected output without
//! its first rows. `BLESS=1 cargo test --test verify` writes it.
//!
//! Two folders state what cloud-init 22.4 does: it reads and applies everything in the files of `foreign/read`, and drops at
//! least a part of each file in `foreign/dropped`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::snapshot::Snapshots;
use crate::support::{Home, cloud_init};
use crate::verify_bytes;

fn cases() -> Vec<PathBuf> {
    let cases = ["", "read", "dropped"].map(cases_in).concat();
    assert!(cases.len() >= 80);
    cases
}

fn cases_in(folder: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify/foreign").join(folder);
    let mut cases: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension != "txt"));
    cases.sort();
    cases
}

#[test]
fn what_cloud_init_reads_has_no_error_and_what_it_drops_has_a_problem() {
    let name = |case: &Path| case.file_name().unwrap().to_str().unwrap().to_owned();
    let errors = |case: &PathBuf| judged(case).1 != 0;
    let silent = |case: &PathBuf| {
        let said = judged(case).0;
        !said.contains("error[") && !said.contains("warning[")
    };
    let wrong = cases_in("read").into_iter().filter(errors);
    let wrong: Vec<String> =
        wrong.chain(cases_in("dropped").into_iter().filter(silent)).map(|case| name(&case)).collect();
    assert_eq!(wrong, [""; 0]);
}

/// The output and the exit status for a case.
fn judged(case: &Path) -> (String, i32) {
    let home = Home::new();
    let name = case.file_name().unwrap().to_str().unwrap();
    fs::copy(case, home.path().join(name)).unwrap();
    let output = home.run(&["verify", name, "--quiet"]);
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (said, output.status.code().unwrap())
}

#[test]
fn foreign_user_data_gives_the_expected_output() {
    let mut snapshots = Snapshots::default();
    for case in cases() {
        let (said, status) = judged(&case);
        snapshots.check(&case.with_extension("txt"), format!("{said}? {status}\n").as_bytes());
    }
    snapshots.finish("verify");
}

/// cloud-init's schema checks only the structure, so hostseed may report more problems. hostseed must report a problem in
/// each case that cloud-init refuses.
#[test]
fn cloud_configs_that_cloud_init_refuses_have_problems() {
    if !cloud_init::is_here() {
        return;
    }
    let mut cases = cases_in("");
    cases
        .retain(|case| fs::read(case).unwrap().windows(13).any(|w| w.eq_ignore_ascii_case(b"#cloud-config")));
    let mut refused = 0;
    for (case, (valid, message)) in cases.iter().zip(cloud_init::schema(&cases)) {
        let (said, _) = judged(case);
        refused += usize::from(!valid);
        let clean = !said.contains("error[") && !said.contains("warning[");
        // cloud-init's schema does not apply to a cloud-config-archive.
        let archive = case.to_string_lossy().contains("archive");
        assert!(valid || archive || !clean, "{}: fine here, and cloud-init says {message}", case.display());
    }
    assert!(refused >= 10, "{refused}");
}

#[test]
fn a_result_does_not_depend_on_earlier_entries() {
    let home = Home::new();
    let last = [
        ("content: 7", Some(("error[yaml-type]", "`content` of `/last` must be a string"))),
        ("content: x, permissions: 644", Some(("error[file-mode]", "as the number 644"))),
        ("content: x, permissions: 0o644", None),
        ("content: !!binary eA==", None),
        ("content: !!str 7", None),
    ];
    for count in [0, 200] {
        let before: String = (0..count)
            .map(|n| format!("- {{path: /{n}, permissions: 0o644, content: !!str {n}}}\n"))
            .collect();
        for (fields, expected) in last {
            let text = format!("#cloud-config\nwrite_files:\n{before}- {{path: /last, {fields}}}\n");
            let said = verify_bytes(&home, text.as_bytes(), &["--quiet", "--strict"]);
            match expected {
                None => said.assert_valid(),
                Some((code, words)) => {
                    said.assert_reports(fields, &[&format!("{code} {words}")]);
                    let place = format!("{code}: <stdin>:{}:", count + 3);
                    assert!(said.text.starts_with(&place), "{place} {}", said.text);
                }
            }
        }
    }
}
