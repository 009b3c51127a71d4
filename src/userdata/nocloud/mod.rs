//! The files of a NoCloud seed, in a folder or on a disk (cloud-init, datasource NoCloud).

mod read;
mod write;

pub use read::{Beside, check, is_seed, layer, on_disk};
pub use write::write;

/// The file with the instance-id.
const META_DATA: &str = "meta-data";
const USER_DATA: &str = "user-data";
const NETWORK_CONFIG: &str = "network-config";
/// The label of a seed disk, in upper or lower case.
const LABEL: &str = "cidata";

#[cfg(test)]
mod tests {
    use crate::secret::Secret;

    use super::*;
    use crate::artifact::Artifact;
    use crate::userdata::contents::tests::read_back;

    use crate::diag::Place;

    #[test]
    fn written_seed_reads_back_and_its_instance_id_depends_on_the_content() {
        let write = |user_data: &str, network: Option<&str>| -> Vec<Beside> {
            let files = write("web1", Artifact::private(USER_DATA, user_data), network.map(str::as_bytes));
            let beside = |file: Artifact| Beside {
                place: Place::file(&file.path),
                bytes: Secret::new(file.bytes.to_vec()),
                name: file.path,
            };
            files.into_iter().map(beside).collect()
        };
        let files = write("#cloud-config\n{}\n", Some("version: 2\n"));
        assert!(is_seed(&files));
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, [USER_DATA, META_DATA, NETWORK_CONFIG]);
        let host = read_back(|place, budget, host, problems| check(&files, place, budget, host, problems));
        assert_eq!(host.hostname.as_deref(), Some("web1"));
        // Other content makes another instance.
        let id = |files: &[Beside]| files[1].bytes.to_vec();
        assert_ne!(id(&files), id(&write("#cloud-config\n{a: 1}\n", Some("version: 2\n"))));
        assert_ne!(id(&files), id(&write("#cloud-config\n{}\n", None)));
    }
}
