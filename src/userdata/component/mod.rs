//! EC2 Image Builder components: YAML documents with scripts in their steps ("Use the AWSTOE component document framework").

mod read;
mod write;

pub use read::{is_component, open};
pub use write::write;

/// Maximum size of a component in bytes, also if it is stored in S3 (AWS General Reference, "EC2 Image Builder endpoints and
/// quotas": 64 KB).
const MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::userdata::content_type::Kind;
    use crate::userdata::contents::Contents;
    use crate::userdata::contents::tests::{assert_staged, read_back, sample};
    use crate::userdata::script;

    #[test]
    fn written_component_reads_back() {
        let contents = Contents { image: true, ..sample() };
        let document = write(&contents).unwrap();
        assert!(is_component(&document));
        let mut seed = None;
        let host = read_back(|place, budget, host, problems| {
            seed = Some(open(&document, place, budget, host, problems));
        });
        let seed = seed.unwrap();
        let scripts: Vec<_> = seed.parts.iter().filter(|part| part.kind == Kind::Script).collect();
        assert_eq!(scripts.len(), 3);
        let bake = std::str::from_utf8(&scripts[0].bytes).unwrap();
        let baked =
            read_back(|place, budget, host, problems| script::read(bake, place, budget, host, problems));
        assert_staged(&baked, &contents);
        let phases = &baked.manifests[0].manifest.as_ref().unwrap().phases;
        assert_eq!(phases.keys().collect::<Vec<_>>(), ["test", "validate"]);
        assert!(phases.iter().all(|(phase, sum)| host.phases[phase] == *sum));
    }
}
