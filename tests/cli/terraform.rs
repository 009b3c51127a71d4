//! `terraform install`, without Terraform.

use std::fs;
use std::process::Command;

use crate::support::{Home, copy_program, files_below, is_printed};

/// Runs a copy of hostseed, beside which a test can put a provider.
fn install(home: &Home, dir: &str) -> std::process::Output {
    let hostseed = home.path().join("bin/hostseed");
    fs::create_dir_all(hostseed.parent().unwrap()).unwrap();
    copy_program(env!("CARGO_BIN_EXE_hostseed"), &hostseed);
    Command::new(hostseed).args(["terraform", "install", dir]).current_dir(home.path()).output().unwrap()
}

#[test]
fn the_provider_is_put_where_terraform_and_opentofu_look_for_it() {
    let home = Home::new();
    let output = install(&home, "mirror");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(is_printed(&said, "error[no-provider]"), "{said}");
    assert!(!home.path().join("mirror").exists());

    let name = format!("terraform-provider-hostseed{}", std::env::consts::EXE_SUFFIX);
    for content in ["first", "second"] {
        fs::create_dir_all(home.path().join("bin")).unwrap();
        fs::write(home.path().join("bin").join(&name), content).unwrap();
        let output = install(&home, "mirror");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains("filesystem_mirror") && said.contains("source  = \"hostseed/hostseed\""),
            "{said}"
        );
        let files = files_below(&home.path().join("mirror"));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(files.len(), 2, "{files:?}");
        for (file, registry) in files.iter().zip(["registry.opentofu.org", "registry.terraform.io"]) {
            assert!(
                file.starts_with(format!("{registry}/hostseed/hostseed/{version}")),
                "{}",
                file.display()
            );
            let path = home.path().join("mirror").join(file);
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
            }
        }
    }
}
