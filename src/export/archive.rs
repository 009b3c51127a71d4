//! The tar archive with its manifest.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tar::{Archive, Builder, EntryType, Header};

use super::{Export, Fault, Kind, MANIFEST, MAX_BYTES, VERSION, is_known};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::secret::Secret;

/// The name of the format in the manifest.
const FORMAT: &str = "hostseed export";
/// Bytes of a block (POSIX.1-2017, pax, "ustar Interchange Format").
const BLOCK: usize = 512;

/// The name and the content of an entry.
type Entry = (String, Secret<Vec<u8>>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    version: u64,
    kind: KindName,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    docker_host: Option<String>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Machine,
    Client,
}

/// The fields that all versions have.
#[derive(Deserialize)]
struct AnyVersion {
    format: String,
    version: u64,
}

/// Writes an archive. The same content always gives the same bytes.
///
/// # Errors
/// Fails if the archive would have more than [`MAX_BYTES`].
pub fn write(export: &Export) -> Result<Secret<Vec<u8>>> {
    let (kind, docker_host) = match &export.kind {
        Kind::Machine => (KindName::Machine, None),
        Kind::Client { docker_host } => (KindName::Client, Some(docker_host.clone())),
    };
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        kind,
        name: export.name.to_string(),
        docker_host,
    };
    let manifest = Artifact::public(MANIFEST, serde_json::to_string_pretty(&manifest)? + "\n");
    let blocks = |file: &Artifact| 1 + file.bytes.len().div_ceil(BLOCK);
    let size = ([&manifest].into_iter().chain(&export.files).map(blocks).sum::<usize>() + 2) * BLOCK;
    if size > MAX_BYTES {
        let message =
            format!("the file would have {size} bytes, and `import` reads {MAX_BYTES}; nothing was written");
        return Err(Diagnostic::error(Code::ExportFile, message).into());
    }
    // A vector that grows would leave copies of the keys in memory.
    let mut bytes = Secret::new(Vec::with_capacity(size));
    let mut archive = Builder::new(bytes.expose_mut());
    for file in [&manifest].into_iter().chain(&export.files) {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(file.mode);
        header.set_size(file.bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        archive.append_data(&mut header, &file.path, &file.bytes[..])?;
    }
    archive.finish()?;
    drop(archive);
    Ok(bytes)
}

/// Returns whether the bytes begin with an entry of a tar archive (POSIX.1-2017, pax, "ustar Interchange Format").
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Reads an archive.
///
/// # Errors
/// Fails if the archive is of another version, or is not what [`write()`] writes for its content: it was cut off, something was appended,
/// or it has an entry that is no regular file, has an unknown name or appears twice.
pub fn read(bytes: &[u8]) -> Result<Export, Fault> {
    if bytes.len() > MAX_BYTES {
        return Err(Fault::TooLarge);
    }
    let cut_off = |_: std::io::Error| Fault::CutOff;
    let mut archive = Archive::new(bytes);
    // Raw: an extension of the format, such as a long name, is an entry of an unknown type.
    let mut entries = archive.entries().map_err(cut_off)?.raw(true);
    let mut next = || -> Result<Option<Entry>, Fault> {
        let Some(entry) = entries.next().transpose().map_err(cut_off)? else { return Ok(None) };
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != EntryType::Regular {
            return Err(Fault::NotRegular(path));
        }
        let begin = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
        let end = usize::try_from(entry.size()).ok().and_then(|size| begin.checked_add(size));
        let content = end.and_then(|end| bytes.get(begin..end));
        let content = content.ok_or(Fault::CutOff)?;
        Ok(Some((path, Secret::from(content))))
    };
    let (name, kind) = match next()? {
        Some((path, content)) if path == MANIFEST => read_manifest(&content)?,
        first => {
            let has_metadata = first.is_some_and(|(path, _)| path == "meta.json");
            return Err(Fault::NoManifest { has_metadata });
        }
    };
    let mut files = Vec::<Artifact>::new();
    while let Some((path, content)) = next()? {
        if !is_known(&kind, &path) {
            return Err(Fault::UnknownName(path));
        }
        if files.iter().any(|file| file.path == path) {
            return Err(Fault::Twice(path));
        }
        files.push(match is_public(&path) {
            true => Artifact::public(path, content),
            false => Artifact::private(path, content),
        });
    }
    let export = Export::new(name, kind, files);
    match write(&export) {
        Ok(same) if same[..] == *bytes => Ok(export),
        _ => Err(Fault::Changed),
    }
}

fn read_manifest(bytes: &[u8]) -> Result<(MachineName, Kind), Fault> {
    let damaged = |error: serde_json::Error| {
        Fault::Manifest(format!("has an error in line {}, column {}", error.line(), error.column()))
    };
    let AnyVersion { format, version } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format != FORMAT {
        return Err(Fault::Manifest("has another format".to_owned()));
    }
    if version != VERSION {
        return Err(Fault::Version(version));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(damaged)?;
    let name = MachineName::parse(&manifest.name)
        .map_err(|problem| Fault::Manifest(problem.about("has a `name` that").to_string()))?;
    let kind = match (manifest.kind, manifest.docker_host) {
        (KindName::Machine, None) => Kind::Machine,
        (KindName::Client, Some(docker_host)) => Kind::Client { docker_host },
        _ => return Err(Fault::Manifest("lacks a field, or has one too many".to_owned())),
    };
    Ok((name, kind))
}

/// Returns whether a file contains neither a private key nor other secrets.
fn is_public(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    ["ca.pem", "cert.pem", "server.pem", "issuer.pem", "id_rsa.pub"].contains(&file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export() -> Export {
        let files = vec![
            Artifact::public("machine/cert.pem", "a"),
            Artifact::private("machine/clients/alice@example.com/key.pem", "b".repeat(513)),
            Artifact::public("ca/ca.pem", ""),
        ];
        Export::new(MachineName::parse("web1").unwrap(), Kind::Machine, files)
    }

    #[test]
    fn an_archive_reads_back() {
        for kind in [Kind::Machine, Kind::Client { docker_host: "tcp://web1:2376".into() }] {
            let mut export = Export { kind, ..export() };
            export.files.retain(|file| is_known(&export.kind, &file.path));
            let bytes = write(&export).unwrap();
            assert!(is_archive(&bytes) && bytes.len() == bytes.capacity());
            assert_eq!(read(&bytes).unwrap(), export);
        }
        assert_eq!(export().clients().len(), 1);
    }

    #[test]
    fn a_changed_archive_is_refused() {
        let bytes = write(&export()).unwrap();
        for end in 0..bytes.len() {
            let refused = read(&bytes[..end]).unwrap_err();
            assert!(matches!(refused, Fault::CutOff | Fault::Changed | Fault::NoManifest { .. }), "{end}");
        }
        for rest in [&[0_u8][..], &[0; 512], &[0; 1024], b"x", &bytes] {
            let refused = read(&[&bytes, rest].concat()).unwrap_err();
            assert!(matches!(refused, Fault::CutOff | Fault::Changed), "{}: {refused}", rest.len());
        }
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            // A change of a file's content is for the checks of certificates and keys.
            if let Ok(export) = read(&changed) {
                assert_eq!(write(&export).unwrap()[..], changed[..], "{at}");
            }
        }
    }

    /// An archive with entries of any type and name.
    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_ustar();
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn links_devices_foreign_names_and_duplicates_are_refused() {
        let manifest = String::from_utf8(write(&export()).unwrap()[512..].to_vec()).unwrap();
        let manifest = manifest.split_inclusive("\n}\n").next().unwrap();
        let first = (MANIFEST, EntryType::Regular, manifest);
        for path in [
            "../../x",
            "/etc/passwd",
            "machine/../../x",
            "machine/clients/../key.pem",
            "machine/user-data",
            "x\n",
            "machine/clients/a/b/key.pem",
            "",
        ] {
            let refused = read(&archive(&[first, (path, EntryType::Regular, "x")])).unwrap_err();
            assert_eq!(refused, Fault::UnknownName(path.to_owned()));
        }
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Char,
            EntryType::Block,
            EntryType::Fifo,
            EntryType::Directory,
            EntryType::GNULongName,
            EntryType::XHeader,
            EntryType::GNUSparse,
        ] {
            let refused = read(&archive(&[first, ("machine/key.pem", kind, "")])).unwrap_err();
            assert_eq!(refused, Fault::NotRegular("machine/key.pem".to_owned()), "{kind:?}");
        }
        let key = ("machine/key.pem", EntryType::Regular, "x");
        let twice = read(&archive(&[first, key, key])).unwrap_err();
        assert_eq!(twice, Fault::Twice("machine/key.pem".to_owned()));
        let not_first = read(&archive(&[key, first])).unwrap_err();
        assert_eq!(not_first, Fault::NoManifest { has_metadata: false });
        let context = ("meta.json", EntryType::Regular, "{}");
        assert_eq!(read(&archive(&[context])).unwrap_err(), Fault::NoManifest { has_metadata: true });
        // The entries of an archive are sorted.
        let unsorted = read(&archive(&[first, key, ("machine/ca.pem", EntryType::Regular, "x")]));
        assert_eq!(unsorted.unwrap_err(), Fault::Changed);
    }

    #[test]
    fn another_version_is_told() {
        let manifest = |text: &str| read(&archive(&[(MANIFEST, EntryType::Regular, text)])).unwrap_err();
        let newer = r#"{"format": "hostseed export", "version": 2, "more": []}"#;
        assert_eq!(manifest(newer), Fault::Version(2));
        assert!(matches!(manifest(&newer.replace("2", "1")), Fault::Manifest(_)));
        assert!(matches!(manifest("{"), Fault::Manifest(_)));
    }
}
