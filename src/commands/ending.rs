//! Checks that the ending of an output path fits the format, so that no folder is made with the name of a disk image, and no text
//! is taken for one.

use std::path::Path;

use crate::diag::{Code, Diagnostic};
use crate::render::{Format, Packing};
use crate::shell::Shell;

/// Endings of the disk images that hostseed writes.
const SEED_DISKS: [&str; 2] = ["img", "iso"];
/// Endings of disk images.
const DISKS: [&str; 11] = ["img", "iso", "qcow2", "qcow", "raw", "vmdk", "vdi", "vhd", "vhdx", "ova", "dmg"];
/// Endings of compressed files and archives, except gzip's.
const ARCHIVES: [&str; 8] = ["tgz", "tar", "zip", "xz", "bz2", "zst", "7z", "rar"];

/// Endings of files that Terraform and Packer read without being asked.
const CODE: [&str; 3] = ["tf", "tfvars", "hcl"];

/// Returns whether a path ends in a slash, which means a folder whatever its name is.
pub(super) fn has_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|byte| std::path::is_separator(char::from(*byte)))
}

/// Returns whether a path names a tar archive, and not a folder.
pub(super) fn is_tar(path: &Path) -> bool {
    let ending = path.extension().filter(|_| !has_slash(path) && !path.is_dir());
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("tar"))
}

/// Checks the path for a client's folder.
///
/// # Errors
/// Fails if the path has the ending of an archive, unless the folder exists or the path ends in a slash.
pub(super) fn check_client(path: &Path) -> Result<&Path, Diagnostic> {
    let ending = path.extension().filter(|_| !has_slash(path) && !path.is_dir());
    let ending = ending.map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending {
        Some(ending) if ending == "gz" || ARCHIVES.contains(&&*ending) => {
            let shown = path.display();
            let message = format!(
                "`--out {shown}` has the ending `.{ending}`, but a client is written as a folder, or as a `.tar`; nothing was written"
            );
            let hint = format!("for a folder of that name write a slash after it: `--out {shown}/`");
            Err(Diagnostic::error(Code::OutputEnding, message).hint(hint))
        }
        _ => Ok(path),
    }
}

/// Checks the ending of an output path. `name` is the name of the machine, with which a folder's name may end.
///
/// # Errors
/// Fails if a format of one file has the ending of a disk image, of an archive, or of a file that Terraform or Packer would read. Other
/// endings are allowed, because they can be a part of a host name (`web1.example.com`). Fails if a format of several files has any ending,
/// unless the folder exists, the path ends in a slash, or nocloud writes a disk.
pub(super) fn check(
    path: &Path,
    format: Format,
    packing: Packing,
    name: Option<&str>,
) -> Result<(), Diagnostic> {
    let Some(ending) = path.extension().filter(|_| !has_slash(path) && !path.is_dir()) else { return Ok(()) };
    let ending = ending.to_string_lossy().to_ascii_lowercase();
    let shown = path.display();
    let is = |endings: &[&str]| endings.contains(&&*ending);
    let complain = |writes: String, hint: String| {
        let message =
            format!("`--out {shown}` has the ending `.{ending}`, but {writes}; nothing was written");
        Err(Diagnostic::error(Code::OutputEnding, message).hint(hint))
    };
    if format.is_folder() {
        let is_disk = format == Format::NoCloud && is(&SEED_DISKS);
        // `web1.example.com` and `v1.2` are no file types.
        let is_name = name.is_some_and(|name| {
            let file = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            file.ends_with(&name.to_ascii_lowercase())
        });
        if is_disk || is_name || ending.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(());
        }
        let disk =
            if format == Format::NoCloud { ", or a disk with the ending `.img` or `.iso`" } else { "" };
        return complain(
            format!("the format `{}` writes a folder{disk}", format.name()),
            format!("for a folder of that name write a slash after it: `--out {shown}/`"),
        );
    }
    let text = |also: &str| {
        let endings: Vec<_> = format.endings().iter().map(|ending| format!("`.{ending}`")).collect();
        format!("the format `{}` writes {also}: {}, or no ending", format.name(), endings.join(", "))
    };
    if is(&DISKS) {
        let disk = if is(&SEED_DISKS) { shown.to_string() } else { "seed.img".to_owned() };
        let hint = match name {
            Some(_) => {
                format!("`--format nocloud --out {}` writes a seed disk", Shell::of_user().word(&disk))
            }
            None => "`bake` writes what an image builder runs in an image, and no image".to_owned(),
        };
        return complain(text("a text"), hint);
    }
    if is(&ARCHIVES) {
        return complain(text("one file and no archive"), "choose another name".to_owned());
    }
    if is(&CODE) {
        let hint = match (name, &*ending) {
            (Some(_), "hcl") => "`--format packer --out DIR` writes a Packer template".to_owned(),
            (None, "hcl") => "`bake --format packer --out DIR` writes a Packer template".to_owned(),
            (Some(_), _) => "`--format terraform --out DIR` writes a Terraform module".to_owned(),
            (None, _) => "choose another name".to_owned(),
        };
        return complain(text("a text"), hint);
    }
    if ending == "gz" && !packing.gzip {
        let hint = match name {
            Some(_) => "compress it with `--gzip`",
            None => "compress the file afterwards",
        };
        return complain(text("a text"), hint.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(path: &str, format: Format, gzip: bool, name: Option<&str>) -> bool {
        check(Path::new(path), format, Packing { gzip, base64: false }, name).is_err()
    }

    #[test]
    fn a_folder_has_no_ending_of_a_file() {
        for format in [Format::NoCloud, Format::Packer, Format::Terraform] {
            let fits = |path| !is_refused(path, format, false, Some("web1.Example.com"));
            for path in ["out", "a.b/out", ".hidden", "v1.2", "out.qcow2/", "Web1.example.com", "."] {
                assert!(fits(path), "{path}");
            }
            assert!(fits(env!("CARGO_MANIFEST_DIR")));
            for path in ["x.qcow2", "x.vmdk", "x.raw", "a/x.zip", "main.tf", "image.pkr.hcl", "x.json", "x.Y"]
            {
                assert!(!fits(path), "{path}");
            }
            for path in ["seed.img", "seed.ISO"] {
                assert_eq!(fits(path), format == Format::NoCloud, "{path}");
            }
        }
    }

    #[test]
    fn a_text_has_no_ending_of_a_disk_or_an_archive() {
        for (_, format) in Format::ALL {
            if format.is_folder() {
                continue;
            }
            for path in
                ["user-data", "web1.user-data", "web1.prod", "a.yaml", "a.sh", "b.ign", "c.tftpl", "x.com"]
            {
                assert!(!is_refused(path, format, false, Some("web1")), "{path}");
            }
            for path in
                ["x.qcow2", "x.IMG", "x.iso", "x.vmdk", "x.tar", "x.zip", "x.yaml.gz", "x.tf", "a.pkr.hcl"]
            {
                assert!(is_refused(path, format, false, Some("web1")), "{path}");
                assert!(is_refused(path, format, false, None), "{path}");
            }
            assert!(!is_refused("user-data.gz", format, true, Some("web1")));
        }
    }
}
