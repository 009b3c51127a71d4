//! MIME multipart archives (RFC 2046), as cloud-init reads them.

mod headers;
mod read;
mod taken;
mod write;

pub use read::{MimePart, is_message, is_read_as_message, parts};
pub use write::{Part, write};

/// The beginning of the boundary of hostseed's archives.
const OWN_BOUNDARY: &str = "==hostseed";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::userdata::content_type::{CLOUD_CONFIG, SHELL_SCRIPT};
    use crate::userdata::contents::tests::read_back;

    #[test]
    fn written_archive_reads_back() {
        let ours = "#cloud-config\nruncmd: ['a']\n".repeat(50) + &"#".repeat(2000) + "\n";
        let bodies = [
            ("#!/bin/sh\necho \u{e4}\r\n==hostseed==\n", SHELL_SCRIPT),
            ("#cloud-config\n# --==hostseed==--\n", CLOUD_CONFIG),
            ("#!/bin/sh", SHELL_SCRIPT),
        ];
        let given = bodies.map(|(body, _)| Part::new("f", None, body.into()).unwrap());
        let archive = write(&given, ours.as_bytes());
        let mut found = Vec::new();
        read_back(|place, budget, _, problems| {
            found = parts(std::str::from_utf8(&archive).unwrap(), place, budget, problems)
        });
        assert_eq!(found.len(), 4);
        let expected = bodies.into_iter().chain([(ours.as_str(), CLOUD_CONFIG)]);
        for (part, (body, mime)) in found.iter().zip(expected) {
            assert_eq!((String::from_utf8_lossy(&part.bytes).as_ref(), part.mime.as_str()), (body, mime));
            assert!(part.merge.is_some());
        }
    }
}
