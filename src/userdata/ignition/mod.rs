//! Ignition configs, specification 3, for Flatcar Container Linux and Fedora CoreOS.

mod check;
mod data_url;
mod fold;
mod read;
mod schema;
mod write;

pub use fold::{has_version, names_itself};
pub use read::read;
pub use write::{Merged, write};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Artifact;
    use crate::userdata::contents::tests::{read_back, sample};
    use crate::userdata::paths::{DROP_IN, MANIFEST, UNITS};

    #[test]
    fn written_config_reads_back() {
        let mut files = sample().payloads;
        let installed = "[Service]\n[Install]\nWantedBy=multi-user.target\n";
        files.push(Artifact::public(format!("{}/a.service", &UNITS[1..]), installed));
        // Another unit starts it.
        files.push(Artifact::public(format!("{}/b.service", &UNITS[1..]), "[Service]\n"));
        let merged = br#"{"ignition": {"version": "3.3.0"}, "storage": {"files": [
            {"path": "/own", "mode": 256, "contents": {"source": "data:,a%20b"}}]}}"#;
        let config =
            write(&files, "[Service]\nExecStart=\n", &[Merged::new(merged.to_vec()).unwrap()]).unwrap();
        let host = read_back(|place, budget, host, problems| {
            read(config.as_bytes(), place, budget, host, problems);
        });
        for file in &files {
            let found = host.file(&format!("/{}", file.path)).unwrap();
            assert_eq!((&found.bytes[..], found.mode), (&file.bytes[..], file.mode), "{}", file.path);
        }
        assert_eq!(host.file(DROP_IN).unwrap().text(), "[Service]\nExecStart=\n");
        assert_eq!(host.file("/own").unwrap().text(), "a b");
        assert!(host.file(MANIFEST).is_some() && host.unmarked.is_none());
        let manifest = host.manifests[0].manifest.as_ref().unwrap();
        assert_eq!(manifest.files.len(), files.len() + 1);
        assert_eq!(host.enabled, ["docker.service", "docker.socket", "a.service"]);
    }
}
